/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shadow virtqueue (QEMU hw/virtio/vhost-shadow-virtqueue.c, 8.2): the VMM stands between the
 * guest's ring and the device's, so that it sees what the device wrote.
 *
 *	guest's ring ──pop──▶ translate by the IOVA tree ──▶ shadow vring ──▶ device
 *	     ▲                                                                  │
 *	     └──── push, call the guest ◀───────── used elements ◀──────────────┘
 *
 *	svq_kick    the guest's kick fd, read by the VMM's main loop  ──▶  hdev_kick   the device's
 *	svq_call    the guest notifier                                ◀──  hdev_call   read by the
 *	                                                                               main loop
 *
 * The guest's ring is worked on with QEMU's VirtQueue (virtio_queue.ring), in the main loop with
 * the big lock held; the shadow vring is virtio/ring_svq.h's.
 *
 * Back pressure.  One buffer of the guest's may be several of the VMM's (it crosses memory blocks,
 * or its table was indirect), so the shadow vring may be full when the guest's is not: the chain
 * waits in next_guest_avail_elem, kicks are not read any more, and the next used element tries
 * again.
 *
 * Stopping.  What is used is pushed; what the device did not finish is unpopped, newest first, so
 * that the queue's position stands before it.
 *
 * Memory: the world's.
 */
#ifndef RINGSIDE_VHOST_SVQ_H
#define RINGSIDE_VHOST_SVQ_H

#include "vhost/hva.h"
#include "vhost/iova_tree.h"
#include "virtio/queue.h"
#include "virtio/ring_split_layout.h"
#include "virtio/ring_svq.h"

struct svq;
struct vdpa;

/* An eventfd that the VMM's main loop reads, with the big lock. Filled in by its owner. */
struct vdpa_handler {
	struct eventfd *fd; /* null: none is watched */
	void (*fn)(struct vdpa_handler *h);
	void *arg;
	void *loop; /* who watches keeps its own here */
};

/*
 * Take a chain of the guest's in another way than translating it: 0, -ENOSPC (try again later) or
 * another negative errno.  With 0 the chain is the handler's.
 */
typedef int (*svq_avail_fn)(struct svq *s, struct dp_elem *elem);

/* What the VMM did for one chain. */
struct svq_elem {
	struct dp_elem *elem;
	uint64_t out_hva, in_hva, out_iova, in_iova; /* copies (svq_copy.h); hva 0: none */
	uint32_t out_bytes, in_bytes;
};

struct svq {
	struct vdpa *v;
	struct virtio_queue *vq; /* the guest's */
	struct virtio_queue *hw; /* as the device is told */
	struct svq_ring ring;
	struct ring_split_layout layout;
	uint64_t hva; /* of the vring: driver area, then device area, each on pages of its own */
	uint64_t driver_bytes, device_bytes;
	struct eventfd *hdev_kick, *hdev_call;
	struct vdpa_handler kick, call;
	struct svq_elem *next_guest_avail_elem;
	svq_avail_fn avail_handler; /* null: forward */
	struct dp_buf *sg; /* DP_SG_MAX, for translating */
	unsigned asid;
	bool running;
	bool copy; /* as in the series of 2022: svq_copy.h */
	uint64_t forwarded, used, full; /* for people */
};

/* At set-up. */
void
svq_init(struct svq *s, struct vdpa *v, struct virtio_queue *vq, struct virtio_queue *hw);

/*
 * vhost_svq_start(), with the vring mapped for the device and the guest's ring taken at its
 * position: 0 or a negative errno, and then nothing is left of it.
 */
int
svq_start(struct svq *s, unsigned asid);
/* vhost_svq_stop(). The device does not run the queue any more. */
void
svq_stop(struct svq *s);

/* vhost_svq_add(): buffers as the device is to see them; @elem null for the VMM's own message. */
int
svq_add(struct svq *s, const struct dp_buf *sg, unsigned out, unsigned in, struct svq_elem *elem);
/*
 * vhost_svq_poll(): wait with the big lock held until @n chains are used, and take them: bytes
 * written.  Gives up after 10 s.
 */
uint64_t
svq_poll(struct svq *s, unsigned n);

/* Chains that the guest made available, forwarded as far as there is room. */
void
svq_handle_guest_kick(struct svq *s);

#endif
