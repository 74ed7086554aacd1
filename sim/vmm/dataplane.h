/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues run by the VMM itself: in its main loop, or in an iothread (QEMU hw/virtio/virtio.c
 * virtio_device_start_ioeventfd_impl(), hw/block/virtio-blk.c virtio_blk_start_ioeventfd()).
 *
 *	start, main loop               start, iothread
 *	  take the rings                 take the rings
 *	                                 guest notifiers (irqfds)
 *	  transaction begin              transaction begin
 *	    each: host notifier,           each: host notifier
 *	          handler, self-kick
 *	  transaction commit             transaction commit
 *	                                 each: handler in the iothread, self-kick
 *
 *	stop, main loop                stop, iothread
 *	                                 each, in the iothread: handler off, what is left handled
 *	  transaction: each: handler     transaction: each: host notifier off
 *	    off, host notifier off
 *	  each: what is left in the notifier is handled
 *	  drain; give the rings          drain; give the rings; guest notifiers off
 *
 * Without ioeventfds doorbell writes come to the handlers by exits, under the big lock.
 *
 * A drain that is not a stop (a block job's, QEMU's drained section) takes the handlers away, waits
 * for what is in flight, and puts the handlers back.  A handler that was polling has notifications
 * off: who attaches it turns them on, and has the queue looked at once (QEMU 5bdbaebcce).
 *
 * activate_async is Firecracker's order: notifiers and handlers are there at once, the rings are
 * taken by the thread when it comes to an eventfd of its own; a kick that it reads before that is
 * found spurious, and the self-kick at activation makes up for it (0899ee515).
 */
#ifndef RINGSIDE_VMM_DATAPLANE_H
#define RINGSIDE_VMM_DATAPLANE_H

#include "virtio/pci_transport.h"
#include "vmm/call_relay.h"
#include "vmm/main_loop.h"

struct dataplane_queue {
	struct dataplane *dp;
	struct virtio_queue *vq;
	struct aio_handler handler;
};

struct dataplane {
	struct virtio_device *vdev;
	struct main_loop *loop;
	struct aio_context *ctx; /* the main loop's, or an iothread's */
	enum virtio_owner owner;
	bool ioeventfd;
	bool active; /* rings are taken */
	unsigned drains; /* nested drained sections */
	bool activate_async;
	struct aio_handler activate; /* its eventfd says that the device was started */
	struct call_relay *relay;
	struct dataplane_queue *queue;
};

extern const struct virtio_backend_ops dataplane_main_loop_ops;
extern const struct virtio_backend_ops dataplane_iothread_ops;

/* For @vdev, in @ctx; the device's backend_data is it. @activate_async needs @ioeventfd. */
struct dataplane *
dataplane_create(struct virtio_device *vdev, struct main_loop *loop, struct aio_context *ctx,
		 struct call_relay *relay, bool ioeventfd, bool activate_async);

/* A drained section, with the big lock: between the two no handler runs, nothing is in flight. */
void
dataplane_drain_begin(struct dataplane *dp);
void
dataplane_drain_end(struct dataplane *dp);

#endif
