/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vring of a shadow virtqueue: QEMU's driver side of a split ring, with the structure of
 * hw/virtio/vhost-shadow-virtqueue.c and not of Linux's driver (virtio/ring_split_driver.c).
 *
 *	free_head ─▶ desc_next ─▶ …            descriptors that are free, num_free of them
 *	state[head]                            who a chain belongs to, and how many descriptors it
 *	                                       has
 *	shadow_avail_idx                       what was made available
 *	last_used_idx <= shadow_used_idx       taken, known to be used
 *
 * vhost/svq.h is what it is for.  As a datapath of its own ("svq", a driver side) it can stand on
 * any split ring, and be explored and audited where nothing else is in the way:
 * ring_svq_driver_ops.
 */
#ifndef RINGSIDE_VIRTIO_RING_SVQ_H
#define RINGSIDE_VIRTIO_RING_SVQ_H

#include "datapath/datapath.h"
#include "virtio/spec.h"

struct svq_desc_state {
	void *elem; /* null: a message of the VMM's own */
	uint16_t ndescs; /* 0: no chain begins here */
};

struct svq_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *used_event, *avail_event;
	struct svq_desc_state *state; /* the owner's memory: num entries, as the next */
	uint16_t *desc_next;
	uint16_t num;
	uint16_t shadow_avail_idx, shadow_used_idx, last_used_idx;
	uint16_t free_head, num_free;
	bool event_idx;
	bool slots_by_chain; /* before QEMU 5d410557de: chains are counted, not descriptors */
	bool one_slot; /* the series of 2022: room for one descriptor was enough for a copied chain
			*/
	bool first_desc_only; /* before QEMU 81abfa5724: only a chain's first is free again */
};

/* Pointers, num and the booleans are set: everything else as at start. */
void
svq_ring_start(struct svq_ring *r);

/* vhost_svq_available_slots() */
uint16_t
svq_ring_available_slots(const struct svq_ring *r);

/*
 * Make @out readable and @in writable buffers available, addresses as the device is to see them: 0
 * and *@head, or -ENOSPC, or -EINVAL for no buffers at all.
 */
int
svq_ring_add(struct svq_ring *r, const struct dp_buf *sg, unsigned out, unsigned in, void *elem,
	     uint16_t *head);
/* Whether the device wants to be kicked for what was added last. */
bool
svq_ring_needs_kick(struct svq_ring *r);

/* Whether something is used that was not taken. */
bool
svq_ring_more_used(struct svq_ring *r);
/*
 * The next used chain: 1 with *@elem, *@head and *@len; 0 if there is none; -EINVAL: the device
 * used
 * *@head, which is not available.
 */
int
svq_ring_get(struct svq_ring *r, void **elem, uint32_t *head, uint32_t *len);

/* False: something is used already. */
bool
svq_ring_enable_notification(struct svq_ring *r);
void
svq_ring_disable_notification(struct svq_ring *r);

/* datapath/datapath.h's driver side on it. A chain has no indirect table, whatever is asked for. */
extern const struct dp_driver_ops ring_svq_driver_ops;

#endif
