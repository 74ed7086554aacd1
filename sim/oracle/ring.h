/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shadow of a split ring, from the moment its queue is enabled until the queue is reset.
 *
 *	        used_idx            avail_idx          as far as the oracle has followed them
 *	───────────┼───────────────────┼──────────
 *	 SLOT_FREE │ AVAILABLE  TAKEN  │
 *	           │     └─pop─▶ └─fill─▶ FILLED ─ used.idx ─▶ FREE
 *
 * The rings are read in guest memory.  Entries that came since the last look are followed at the
 * events of both sides: what the driver exposed is judged there and then, chain by chain (chain.c),
 * and each descriptor gets its owner; what the device used gives them back.
 *
 * Whose view?  Memory shows the running actor's own stores even while others do not see them.  So
 * both indices are only followed forwards, and one that stands where it may not is judged in the
 * context of the side that writes it: avail.idx at the driver's events, used.idx at the device's.
 *
 * A ring belongs to its shadow_queue.  Memory: 24 bytes a descriptor.  Cost: the new entries of an
 * event.
 */
#ifndef RINGSIDE_ORACLE_RING_H
#define RINGSIDE_ORACLE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "virtio/spec.h"

struct shadow_device;

enum slot_state { SLOT_FREE, SLOT_AVAILABLE, SLOT_TAKEN, SLOT_FILLED };

#define DESC_FREE UINT16_MAX

/* By head. */
struct ring_slot {
	uint8_t state; /* enum slot_state */
	bool indirect, prefix, write_flag; /* refers to a table; after buffers; with WRITE set */
	uint16_t out, in, ndescs;
	uint64_t in_bytes;
	uint64_t hash; /* of the chain's descriptors when it was exposed */
};

struct ring {
	struct ring *next; /* of all */
	struct shadow_device *device;
	uint16_t queue;
	bool again; /* after a queue reset */
	bool popped; /* anything yet */

	uint16_t size; /* a power of two */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	bool event, in_order, indirect, notification_data, physical, notify_on_empty;

	uint16_t start_idx;
	uint16_t avail_idx, used_idx;
	uint16_t next_head; /* IN_ORDER: where the next chain has to begin */
	struct ring_slot *slot;
	uint16_t *head_at; /* by available index modulo size */
	uint16_t *owner; /* by descriptor: head of its chain, or DESC_FREE */
	uint16_t *link; /* by descriptor: the next of its chain, in order */

	/* suppression.c: what stood there when the side looked last, and what was told. */
	uint16_t prepared_idx, signalled_idx;
	uint32_t prepared_data;
	bool prepared_valid, signalled_valid;
	uint16_t add_used_flags, add_avail_event, flush_avail_flags, flush_used_event;
	bool warned[4];
};

/* The queue is enabled: its ring is read from now on. Nothing if it cannot be read. */
void
ring_open(struct world *w, struct shadow_device *d, uint16_t queue);
/* The queue is reset: nothing follows the ring any more. */
void
ring_close(struct world *w, struct ring *r);
/* @r may be null. */
void
ring_free(struct world *w, struct ring *r);

/* Follow used.idx as far as it goes. @device: in the context of the device, who sees its own
 * used.idx as it is. */
void
ring_follow_used(struct world *w, struct ring *r, bool device);
/* ring_store.c: a gm_write_hook for each store, when it is made. */
void
ring_on_store(struct world *w, uint64_t gpa, uint64_t len, void *context);

/* Little-endian fields of the ring; 0 where there is no memory. */
uint16_t
ring_read16(const struct world *w, uint64_t gpa);
uint16_t
ring_avail_flags(const struct world *w, const struct ring *r);
uint16_t
ring_avail_idx(const struct world *w, const struct ring *r);
uint16_t
ring_used_event(const struct world *w, const struct ring *r);
uint16_t
ring_used_flags(const struct world *w, const struct ring *r);
uint16_t
ring_used_idx(const struct world *w, const struct ring *r);
uint16_t
ring_avail_event(const struct world *w, const struct ring *r);

/* chain.c: walk over a chain as the device would. */
struct chain_iter {
	const struct world *w;
	const struct ring *r;
	uint64_t table_gpa;
	uint32_t entries; /* of the table */
	uint32_t index; /* of @desc in it */
	uint32_t next;
	unsigned direct, nested; /* descriptors seen in the ring's table, in the indirect one */
	bool in_table;
	bool loop, bad; /* why it ended, if not at its end */
	struct vring_desc desc;
};

void
chain_begin(struct chain_iter *it, const struct world *w, const struct ring *r, uint16_t head);
/* The next descriptor in @it->desc; one that refers to a table comes before the table's. */
bool
chain_next(struct chain_iter *it);
/* Judge the chain at @head and fill in its slot; its descriptors now belong to the device. */
void
chain_expose(struct world *w, struct ring *r, uint16_t head);
uint64_t
chain_hash(const struct world *w, const struct ring *r, uint16_t head);
/* The descriptors of the chain at @head are the driver's again. */
void
chain_release(struct ring *r, uint16_t head);

#endif
