/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores to ring memory and to buffers, judged as they are made, in the context of who makes them:
 * descriptors of chains that the device has, readable buffers that a device writes, and entries
 * that come after the index which says that they are there.
 */
#include <inttypes.h>

#include "oracle/ring.h"
#include "oracle/shadow.h"

#define REPORT(o, ...) shadow_report(w, r->device, r->queue, ORACLE_##o, __VA_ARGS__)

/* Whether [gpa, gpa + len) meets a buffer of the chain at @head that is @writable or not. */
static bool
chain_touches(const struct world *w, const struct ring *r, uint16_t head, uint64_t gpa,
	      uint64_t len, bool writable)
{
	struct chain_iter it;

	chain_begin(&it, w, r, head);
	while (chain_next(&it)) {
		const struct vring_desc *d = &it.desc;

		if (d->flags & VRING_DESC_F_INDIRECT) {
			if (it.in_table)
				return false;
			it.in_table = true;
			it.table_gpa = d->addr;
			it.entries = d->len / (uint32_t)sizeof(*d);
			it.next = it.entries ? 0 : UINT32_MAX;
		} else if (!(d->flags & VRING_DESC_F_WRITE) == !writable &&
			   gpa < d->addr + d->len && d->addr < gpa + len) {
			return true;
		}
	}
	return false;
}

#define CHAINS_WATCHED \
	32u /* of a ring, against writes to readable buffers: those taken longest ago */

static struct ring *
chain_written(const struct world *w, uint64_t gpa, uint64_t len, bool writable, unsigned limit,
	      uint16_t *head)
{
	for (struct ring *r = shadow_state(w)->rings; r; r = r->next) {
		unsigned seen = 0;

		for (uint16_t i = r->used_idx; i != r->avail_idx && seen < limit; i++) {
			*head = r->head_at[i & (r->size - 1u)];
			if (*head >= r->size || r->slot[*head].state < SLOT_TAKEN)
				continue;
			seen++;
			if (chain_touches(w, r, *head, gpa, len, writable))
				return r;
		}
	}
	return NULL;
}

/* A device writes a buffer: that it is for reading, and for writing in no chain that it has. */
static void
device_writes(struct world *w, uint64_t gpa, uint64_t len)
{
	uint16_t head, other;
	struct ring *r = chain_written(w, gpa, len, false, CHAINS_WATCHED, &head);

	if (r && !chain_written(w, gpa, len, true, UINT32_MAX, &other))
		REPORT(VIRTIO_2_7_5_1_D1,
		       "%" PRIu64 " bytes written at 0x%" PRIx64
		       ", a readable buffer of the chain at %u",
		       len, gpa, head);
}

static void
descriptor_written(struct world *w, struct ring *r, uint16_t i, uint8_t role)
{
	if (role == ROLE_DEVICE)
		REPORT(VIRTIO_2_7_5_1_D3, "the device writes descriptor %u", i);
	else if (role == ROLE_DRIVER && r->owner[i] != DESC_FREE)
		REPORT(VIRTIO_3_3_1_R1,
		       "the driver writes descriptor %u of the chain at %u, which is exposed", i,
		       r->owner[i]);
}

/*
 * Which entry of a ring of entries at @ring_gpa a store to [gpa, gpa + len) changes although an
 * index, @idx, says already that it is there: one of those that came since @seen.  -1: none.  Its
 * writer sees its own index as it is, so that this is the order of its program, under every memory
 * model; entries that an event of either side has followed are past that.
 */
static int
late_entry(const struct ring *r, uint64_t ring_gpa, unsigned bytes, uint16_t seen, uint16_t idx,
	   uint64_t gpa, uint64_t len)
{
	uint16_t n = (uint16_t)(idx - seen);

	for (uint16_t i = 0; i < n && n < r->size; i++) {
		uint16_t at = (uint16_t)(seen + i) & (r->size - 1u);
		uint64_t entry = ring_gpa + bytes * (uint64_t)at;

		if (gpa < entry + bytes && entry < gpa + len)
			return at;
	}
	return -1;
}

static bool
within(uint64_t gpa, uint64_t len, uint64_t from, uint64_t size)
{
	return gpa >= from && gpa + len <= from + size;
}

/* A store to one of the entries of the available or the used ring; not one that covers more, which
 * is no ring code's. */
static void
entry_written(struct world *w, struct ring *r, uint64_t gpa, uint64_t len)
{
	uint64_t avail = r->avail_gpa + offsetof(struct vring_avail, ring);
	uint64_t used = r->used_gpa + offsetof(struct vring_used, ring);
	uint16_t idx;
	int at;

	if (within(gpa, len, avail, 2u * r->size)) {
		idx = ring_avail_idx(w, r);
		at = late_entry(r, avail, 2, r->avail_idx, idx, gpa, len);
		if (at >= 0)
			REPORT(VIRTIO_2_7_13_3_1_R1,
			       "avail.ring[%d] is written after avail.idx, %u, said that it is "
			       "there",
			       at, idx);
	} else if (within(gpa, len, used, sizeof(struct vring_used_elem) * r->size)) {
		idx = ring_used_idx(w, r);
		at = late_entry(r, used, sizeof(struct vring_used_elem), r->used_idx, idx, gpa,
				len);
		if (at >= 0)
			REPORT(VIRTIO_2_7_8_2_D1,
			       "used.ring[%d] is written after used.idx, %u, said that it is there",
			       at, idx);
	}
}

/* Descriptor @i, of a chain that avail.idx has exposed already? */
static void
descriptor_late(struct world *w, struct ring *r, uint16_t i)
{
	uint16_t idx = ring_avail_idx(w, r), n = (uint16_t)(idx - r->avail_idx);

	for (uint16_t k = 0; k < n && n < r->size; k++) {
		uint16_t at = (uint16_t)(r->avail_idx + k) & (r->size - 1u);
		uint16_t head =
			ring_read16(w, r->avail_gpa + offsetof(struct vring_avail, ring) + 2u * at);
		struct chain_iter it;

		if (head >= r->size)
			continue;
		chain_begin(&it, w, r, head);
		while (chain_next(&it))
			if (!it.in_table && it.index == i) {
				REPORT(VIRTIO_2_7_13_3_1_R1,
				       "descriptor %u of the chain at %u is written after "
				       "avail.idx, %u, said that it is there",
				       i, head, idx);
				return;
			}
	}
}

void
ring_on_store(struct world *w, uint64_t gpa, uint64_t len, void *context)
{
	uint8_t role = shadow_role_of(w);
	bool ring_memory = false;

	for (struct ring *r = shadow_state(w)->rings, *next; r; r = next) {
		uint64_t first = gpa > r->desc_gpa ? gpa : r->desc_gpa;
		uint64_t end = r->desc_gpa + sizeof(struct vring_desc) * r->size;

		next = r->next;
		entry_written(w, r, gpa, len);
		ring_memory |= gpa + len > r->avail_gpa && gpa < r->avail_gpa + 6 + 2u * r->size;
		ring_memory |= gpa + len > r->used_gpa && gpa < r->used_gpa + 6 + 8u * r->size;
		if (gpa + len < end)
			end = gpa + len;
		if (first >= end)
			continue;
		ring_memory = true;
		ring_follow_used(w, r, false);
		for (uint64_t at = first; at < end; at = (at | 15) + 1) {
			descriptor_late(w, r, (uint16_t)((at - r->desc_gpa) / 16));
			descriptor_written(w, r, (uint16_t)((at - r->desc_gpa) / 16), role);
		}
	}
	if (role == ROLE_DEVICE && !ring_memory)
		device_writes(w, gpa, len);
}
