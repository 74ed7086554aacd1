/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtqueue as its device holds it: what the driver programmed, and who runs the ring.
 *
 *	disabled ── queue_enable ──▶ enabled ── queue_reset ──▶ resetting ──▶ disabled
 *
 * Exactly one thread may hold a queue's device side: the VMM's main loop, an iothread, a vhost
 * worker, a vhost-user backend.  Each hold is a `struct virtio_ring` with ring state of its own
 * (last_avail_idx, signalled_used, …), as QEMU's VirtQueue and the kernel's vhost_virtqueue are two
 * objects for one ring.  Hand-over: the old holder's position is read (VHOST_GET_VRING_BASE) and
 * set at the new one (VHOST_SET_VRING_BASE); what a position does not carry (signalled_used) must
 * be forgotten.  The VMM's hold outlives its turn: while vhost runs a ring, QEMU's VirtQueue stays
 * as it was, and is given the new position afterwards.
 *
 * A virtio_ring is called by its holder alone, the rest of a queue with the VMM's big lock held.
 * A ring that is not set up has nothing to pop; what is pushed into it is gone, and an event.
 *
 * Cost: an operation is the datapath's plus one event.
 */
#ifndef RINGSIDE_VIRTIO_QUEUE_H
#define RINGSIDE_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "engine/world.h"

struct dma_domain;
struct eventfd;
struct virtio_device;
struct virtio_queue;

/* ORDER OWNER: queue.c names them. */
enum virtio_owner {
	VIRTIO_OWNER_NONE,
	VIRTIO_OWNER_MAIN_LOOP, /* any thread of the VMM that has the big lock */
	VIRTIO_OWNER_IOTHREAD,
	VIRTIO_OWNER_VHOST, /* a worker in the host's kernel */
	VIRTIO_OWNER_VHOST_USER, /* another process */
	VIRTIO_OWNERS
};
extern const char *const virtio_owner_name[VIRTIO_OWNERS];

/* --- one holder's state of a ring ----------------------------------------------------------- */

struct virtio_ring {
	struct virtio_queue *vq;
	enum virtio_owner owner;
	const struct dp_device_ops *ops;
	struct dp_device *device; /* null: not set up */
	unsigned users; /* operations that are inside the ring code now */
	bool notification; /* what the holder last asked for */
	uint64_t unaware; /* features that were negotiated and the holder was not told of */
	const struct dma_domain *dma; /* its addresses are IOVAs of this; null: guest-physical */
	struct eventfd *call; /* signalled instead of the driver; null: the transport's way */
	struct dp_elem *elem; /* to pop into; the holder's, made at the first set-up */
	struct dp_host host;
};

/*
 * Set up at @position with the queue's addresses and the device's features: 0, or the datapath's
 * negative errno.  Ending it loses the state.
 */
int
virtio_ring_init(struct virtio_ring *r, struct virtio_queue *vq, enum virtio_owner owner,
		 uint32_t position);
void
virtio_ring_destroy(struct virtio_ring *r);

/*
 * Take the next chain: 1, 0 if there is none, negative if the driver broke the ring; the device is
 * then broken, too (virtio_error()).  A popped chain is in flight until it is filled or given up.
 */
int
virtio_ring_pop(struct virtio_ring *r, struct dp_elem *elem);
/* Give the last popped chain back; newest first when there are several. */
void
virtio_ring_unpop(struct virtio_ring *r, const struct dp_elem *elem);
/* The @offset-th used element after those published; then publish @count. */
void
virtio_ring_fill(struct virtio_ring *r, const struct dp_elem *elem, uint32_t len, unsigned offset);
void
virtio_ring_flush(struct virtio_ring *r, unsigned count);
/* Both, for one. */
void
virtio_ring_push(struct virtio_ring *r, const struct dp_elem *elem, uint32_t len);
/* It will never be used (its queue was reset). */
void
virtio_ring_forget(struct virtio_ring *r, const struct dp_elem *elem);

void
virtio_ring_disable_notify(struct virtio_ring *r);
/* True: buffers came meanwhile, go on popping. */
bool
virtio_ring_enable_notify(struct virtio_ring *r);
bool
virtio_ring_empty(struct virtio_ring *r);

/* Interrupt the driver if the ring says so, in the holder's way; whether it did. */
bool
virtio_ring_signal(struct virtio_ring *r);
/* Whatever the ring says: the debug interface's "call". */
void
virtio_ring_signal_always(struct virtio_ring *r);

uint32_t
virtio_ring_position(struct virtio_ring *r);
void
virtio_ring_set_position(struct virtio_ring *r, uint32_t position);

/* --- popped chains -------------------------------------------------------------------------- */

/* Room for the longest chain, to pop into. */
struct dp_elem *
virtio_elem_alloc(struct world *w);
/* A copy that is only as long as the chain, and its end. */
struct dp_elem *
virtio_elem_dup(struct world *w, const struct dp_elem *elem);
void
virtio_elem_free(struct world *w, struct dp_elem *elem);

/* Copy between @buf and byte @offset of the readable or of the writable part; bytes copied. */
size_t
virtio_elem_read(struct world *w, const struct dp_elem *elem, size_t offset, void *buf,
		 size_t size);
size_t
virtio_elem_write(struct world *w, const struct dp_elem *elem, size_t offset, const void *buf,
		  size_t size);

/* --- queues --------------------------------------------------------------------------------- */

/* The device's work on a queue, by the VMM's holder of its ring: pop all, process, push, signal. */
typedef void (*virtio_handle_fn)(struct virtio_queue *vq);

struct virtio_queue {
	struct virtio_device *vdev;
	uint16_t index;
	int64_t name; /* world_name(): "blk0.vq1" */

	/* What the driver programmed. */
	uint16_t size_max, size; /* size_max 0: no such queue */
	uint64_t desc_gpa, driver_gpa, device_gpa;
	uint16_t vector; /* VIRTIO_MSI_NO_VECTOR: none */
	uint16_t notify_position; /* of the last kick with VIRTIO_F_NOTIFICATION_DATA */
	uint64_t notify_backwards; /* such kicks whose position was older than that of the kick
				      before */
	bool enabled;
	bool resetting; /* queue_reset reads 1 */

	/* Who runs it. */
	enum virtio_owner owner;
	struct virtio_ring ring; /* the VMM's hold: main loop or iothread */
	uint32_t position; /* where the next holder begins */
	virtio_handle_fn handle_output; /* the type's userspace handler */
	unsigned inflight; /* chains popped and not filled, by any holder */
	struct waitq drained; /* inflight became 0, or a reset is over */
	struct timer reset_timer; /* of a device that resets queues in its own time */

	struct eventfd *host_notifier; /* doorbell to holder; null until first used */
	bool host_notifier_enabled; /* the VMM relays doorbells to it */
	bool ioeventfd_assigned; /* KVM signals it at a doorbell write */

	void *backend; /* the backend's state of this queue */
	uint64_t kicks, pops, pushes, interrupts; /* counts, for people: world_count() */
};

/* queue_enable := 1 with addresses and size as they are (4.1.4.3); again does nothing. */
void
virtio_queue_enable(struct virtio_queue *vq);

/*
 * queue_reset := 1 (2.6.1).  The holder lets go, what is in flight is finished, then the queue is
 * as after a device reset.  Returns when that is so, or at once if the device resets in its own
 * time (virtio_device.reset_ns); until then queue_reset reads 1.
 */
void
virtio_queue_reset(struct virtio_queue *vq);

/*
 * A doorbell write that came to the VMM, or code of the VMM that wants the queue looked at: to the
 * host notifier if that is enabled, so that the holder does it; else the handler runs here.
 */
void
virtio_queue_notify(struct virtio_queue *vq);

/* The holder was notified, or polls: run the handler, unless the device does not run. */
void
virtio_queue_handle(struct virtio_queue *vq);

/* The VMM takes the ring for @owner at vq->position (false: it cannot be), or leaves it there. */
bool
virtio_queue_take(struct virtio_queue *vq, enum virtio_owner owner);
void
virtio_queue_give(struct virtio_queue *vq);
/* Another holder left it at @position: the VMM's own state follows. */
void
virtio_queue_set_position(struct virtio_queue *vq, uint32_t position);
/* Say that @owner holds it from now on. */
void
virtio_queue_set_owner(struct virtio_queue *vq, enum virtio_owner owner);

/* For virtio/device.c: make it, and forget what the driver programmed. */
void
virtio_queue_init(struct virtio_queue *vq, struct virtio_device *vdev, uint16_t index,
		  uint16_t size);
void
virtio_queue_forget(struct virtio_queue *vq);

#endif
