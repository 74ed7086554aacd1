/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One virtqueue as a vhost back-end holds it (struct vhost_virtqueue): a ring state of its own,
 * the thread that works on it, and the loop that does.
 *
 *	kick fd ──vhost_poll──▶ work list ──▶ lock; backend set? ops->handle_kick(); unlock
 *	                            ▲                                          │
 *	                            └── requeue: weight used up, socket ready ─┘
 *
 * Shared by the kernel's workers (vhost_dev.h) and a vhost-user process (vhost_user.h): what a
 * ring means is in vhost_ops (vhost_blk.h, vhost_net.h), who starts and stops it is theirs.
 *
 * The lock is vq->mutex: held over a whole run of the handler and over set and clear of the
 * backend, so that after vhost_vq_stop() no handler is in the ring.  Completions of requests that
 * were in flight run as work of the same thread and need no lock of ours.
 */
#ifndef RINGSIDE_VHOST_VHOST_VQ_H
#define RINGSIDE_VHOST_VHOST_VQ_H

#include "vhost/worker.h"
#include "virtio/device.h"

struct vhost_vq;

/* A kind of vhost device. Members may be null unless said otherwise. */
struct vhost_ops {
	const char *name; /* "vhost-net" */
	/* Work on the ring until there is nothing to do, or vhost_exceeds_weight(). Never null. */
	void (*handle_kick)(struct vhost_vq *v);
	/* At creation: have whatever produces work for the device wake the back-end. */
	void (*attach)(struct virtio_device *vdev);
	/* The backend was set: wait for what is needed beside kicks (vhost_net_enable_vq()); with
	 * @look see whether it is there already. */
	void (*started)(struct vhost_vq *v, bool look);
	/* A device of its own was reset: it forgets what it was told. */
	void (*reset)(struct virtio_device *vdev);
	unsigned weight; /* chains or packets of one run, VHOST_NET_PKT_WEIGHT; 0: no bound */
	uint64_t byte_weight; /* bytes of one run; 0: no bound */
};

struct vhost_vq {
	struct virtio_queue *vq;
	struct vhost_worker *worker;
	const struct vhost_ops *ops;
	struct virtio_ring ring;
	bool backend; /* private_data is set: the handler may run */
	bool sock_poll; /* what the handler waits for beside kicks queues it */
	struct actor *mutex; /* who has it; null: free */
	struct waitq mutex_wait;
	struct virtio_work work;
	struct vhost_poll poll;
	unsigned weight; /* of ops, to be changed by tests and scenarios */
	uint64_t byte_weight;
	uint64_t runs; /* of the handler */
};

void
vhost_vq_init(struct vhost_vq *v, struct virtio_queue *vq, struct vhost_worker *worker,
	      const struct vhost_ops *ops);

void
vhost_vq_lock(struct vhost_vq *v);
void
vhost_vq_unlock(struct vhost_vq *v);

/* Set the ring up at @position (SET_VRING_NUM, _ADDR, _BASE); if it cannot be, virtio_error(). */
void
vhost_vq_setup(struct vhost_vq *v, enum virtio_owner owner, uint32_t position);
/* Set the backend: the handler may run from now on. @look: see vhost_ops.started. */
void
vhost_vq_start(struct vhost_vq *v, bool look);
/* Clear it: when this returns no handler is in the ring, and none will be. By another actor. */
void
vhost_vq_clear(struct vhost_vq *v);
/*
 * Clear it, let what is queued find that out, and wait for what is in flight; unless fault
 * virtio.stop.no_drain or, for a queue that is reset, virtio.queue_reset.no_quiesce is on.
 */
void
vhost_vq_stop(struct vhost_vq *v);
/* The ring's position, and the end of its state (GET_VRING_BASE). After vhost_vq_stop(). */
uint32_t
vhost_vq_end(struct vhost_vq *v);

/* Run the handler now, if there is a backend. In the worker. */
void
vhost_vq_run(struct vhost_vq *v);
/* Have it run (again): vhost_poll_queue(). From anywhere. */
void
vhost_vq_queue(struct vhost_vq *v);

/*
 * Whether a run that did @count chains or packets with @bytes has done its share; then the handler
 * is queued again, behind what others queued (CVE-2019-3900).
 */
bool
vhost_exceeds_weight(struct vhost_vq *v, unsigned count, uint64_t bytes);

/* What a back-end of either kind keeps in virtio_device.backend_data begins with this. */
struct vhost_vqs {
	struct virtio_device *vdev;
	struct vhost_worker *worker;
	const struct vhost_ops *ops;
	struct vhost_vq *vq; /* one a queue of the device */
	/* Guest notifiers up, down, by a VMM that listens to them itself; null: the transport's. */
	void (*guest_notifiers)(void *arg, bool assign);
	void *guest_notifiers_arg;
};

void
vhost_vqs_init(struct vhost_vqs *set, struct virtio_device *vdev, struct vhost_worker *worker,
	       const struct vhost_ops *ops);

/* The back-end's hold of @vq, or null if the device's backend is not vhost or vhost-user. */
struct vhost_vq *
vhost_vq_of(const struct virtio_queue *vq);

/* --- the VMM's half, which both kinds do alike ---------------------------------------------- */

/* Whether @vq takes part in a start. */
bool
vhost_queue_ready(const struct virtio_queue *vq);
/* virtio_bus_set_host_notifier(): doorbells of @vq signal its kick fd, or exit to the VMM. */
void
vhost_host_notifier(struct virtio_queue *vq, bool assign);
/* The same for all queues that take part, together. */
void
vhost_host_notifiers(struct virtio_device *vdev, bool assign);
void
vhost_guest_notifiers(struct vhost_vqs *set, bool assign);
/*
 * @vq is the back-end's from now on: its owner, and QEMU's own VirtQueue there beside it, not used
 * (fault qemu.virtio_net.handler_while_vhost uses it).
 */
void
vhost_queue_lend(struct virtio_queue *vq, enum virtio_owner owner);
/* It is not any more, and stands at @position. */
void
vhost_queue_return(struct virtio_queue *vq, uint32_t position);
/* Kicks that are left in host notifiers go to the VMM's handler, as its clean-up does with them. */
void
vhost_leftover_kicks(struct virtio_device *vdev);
/* virtio_backend_ops.run and .drain. */
void
vhost_run(struct virtio_queue *vq, struct virtio_work *work);
void
vhost_drain(struct virtio_queue *vq);

#endif
