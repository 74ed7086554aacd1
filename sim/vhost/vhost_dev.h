/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost device in the host's kernel as the backend of a virtio device: what QEMU's
 * hw/virtio/vhost.c tells it, and what drivers/vhost/vhost.c does then.
 *
 *	start   guest notifiers on          VHOST_SET_VRING_CALL: guest notifier or masked_notifier
 *	        host notifiers on           doorbells signal kick fds, and nobody looks yet
 *	        each queue:                 VHOST_SET_VRING_NUM, _BASE (the queue's position), _ADDR
 *	                                    VHOST_SET_VRING_KICK: poll the kick fd
 *	        each queue: backend set     the handler may run, and is run once
 *	stop    each queue: backend clear   waits for a running handler and for requests in flight
 *	                    flush           what was queued finds no backend
 *	                    VHOST_GET_VRING_BASE: position back to the queue
 *	        host notifiers, guest notifiers off; a kick that was left goes to the VMM
 *
 * Kicks before the backend is set are in the counter of the kick fd and were queued for a worker
 * that found no backend; packets from the host side the same.  So setting the backend has to look
 * at the ring once (Linux 0b841030625c; fault vhost.start.no_kick).
 *
 * Masking a vector of such a device gives it another call fd (notify/guest_notifier.h,
 * GUEST_NOTIFIER_SWAP): an ioctl, in force when it returns.
 *
 * Hand-over: the worker's ring state begins afresh at each start, and the VMM's is given the
 * position at stop, which invalidates its signalled_used (QEMU 3561ba1418; fault
 * device.signalled_used.keep).
 *
 * Called with the big lock held, by an actor that is not the worker.
 */
#ifndef RINGSIDE_VHOST_VHOST_DEV_H
#define RINGSIDE_VHOST_VHOST_DEV_H

#include "vhost/vhost_vq.h"

struct vhost_dev {
	struct vhost_vqs set; /* first: vhost_vq_of() */
};

extern const struct virtio_backend_ops vhost_backend_ops;

/*
 * For @vdev, whose queues exist; @worker may serve several devices.  Not in use before
 * virtio_set_backend(vdev, &vhost_backend_ops, dev), or both stored in the device before
 * DRIVER_OK.
 */
struct vhost_dev *
vhost_dev_create(struct virtio_device *vdev, struct vhost_worker *worker,
		 const struct vhost_ops *ops);

#endif
