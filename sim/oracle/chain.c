/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver may put into a chain: 2.7.4, 2.7.5; looked at when it is exposed. */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "memory/guest_memory.h"
#include "oracle/ring.h"
#include "oracle/shadow.h"

#define REPORT(o, ...) shadow_report(w, r->device, r->queue, ORACLE_VIRTIO_##o, __VA_ARGS__)

/* --- walking -------------------------------------------------------------------------------- */

void
chain_begin(struct chain_iter *it, const struct world *w, const struct ring *r, uint16_t head)
{
	*it = (struct chain_iter){
		.w = w,
		.r = r,
		.table_gpa = r->desc_gpa,
		.entries = r->size,
		.next = head,
	};
}

static bool
enter_table(struct chain_iter *it)
{
	if (it->in_table || it->desc.len < sizeof(struct vring_desc))
		return false;
	it->in_table = true;
	it->table_gpa = it->desc.addr;
	it->entries = it->desc.len / (uint32_t)sizeof(struct vring_desc);
	it->next = 0;
	return true;
}

bool
chain_next(struct chain_iter *it)
{
	unsigned *seen = it->in_table ? &it->nested : &it->direct;
	uint32_t i = it->next;

	if (i == UINT32_MAX)
		return false;
	it->loop = *seen == it->entries;
	it->bad = i >= it->entries || !gm_read(it->w, it->table_gpa + i * sizeof(it->desc),
					       &it->desc, sizeof(it->desc));
	if (it->loop || it->bad)
		return false;
	++*seen;
	it->index = i;
	it->next = it->desc.flags & VRING_DESC_F_NEXT ? it->desc.next : UINT32_MAX;
	return true;
}

/* After a descriptor that refers to a table was looked at: go on in the table, or end there. */
static void
chain_descend(struct chain_iter *it)
{
	if ((it->desc.flags & VRING_DESC_F_INDIRECT) && !enter_table(it))
		it->next = UINT32_MAX;
}

uint64_t
chain_hash(const struct world *w, const struct ring *r, uint16_t head)
{
	struct chain_iter it;
	uint64_t hash = head;

	chain_begin(&it, w, r, head);
	while (chain_next(&it)) {
		/* next says nothing where nothing follows. */
		uint16_t next = it.desc.flags & VRING_DESC_F_NEXT ? it.desc.next : 0;

		hash = hash_u64(hash ^ it.desc.addr) ^ it.index;
		hash = hash_u64(hash ^ ((uint64_t)it.desc.len << 32 |
					(uint32_t)it.desc.flags << 16 | next));
		chain_descend(&it);
	}
	return hash;
}

/* --- judging -------------------------------------------------------------------------------- */

static void
check_reference(struct world *w, struct ring *r, const struct chain_iter *it)
{
	if (!r->indirect)
		REPORT(2_7_5_3_1_R1, "descriptor %u refers to a table, which was not negotiated",
		       it->index);
	if (it->in_table)
		REPORT(2_7_5_3_1_R2, "entry %u of an indirect table refers to another table",
		       it->index);
	if (it->desc.flags & VRING_DESC_F_NEXT)
		REPORT(2_7_5_3_1_R4, "descriptor %u has both INDIRECT and NEXT", it->index);
}

static void
check_order(struct world *w, struct ring *r, const struct chain_iter *it)
{
	uint16_t after = (uint16_t)((it->index + 1) & (r->size - 1u));

	if (!r->in_order || !(it->desc.flags & VRING_DESC_F_NEXT))
		return;
	if (it->in_table && it->desc.next != it->index + 1)
		REPORT(2_7_5_3_1_R5, "entry %u of an indirect table goes on at %u, with IN_ORDER",
		       it->index, it->desc.next);
	if (!it->in_table && it->desc.next != after)
		REPORT(2_7_5_2_R2, "descriptor %u goes on at %u, with IN_ORDER", it->index,
		       it->desc.next);
}

static void
check_buffer(struct world *w, struct ring *r, const struct chain_iter *it,
	     const struct ring_slot *s)
{
	const struct vring_desc *d = &it->desc;

	if (!(d->flags & VRING_DESC_F_WRITE) && s->in)
		REPORT(2_7_4_2_R1, "a readable buffer of %u bytes after %u writable ones", d->len,
		       s->in);
	if (r->physical && d->len && !gm_map(w, d->addr, d->len))
		REPORT(6_1_R2,
		       "a buffer of %u bytes at 0x%" PRIx64 ": not all of it is guest memory",
		       d->len, d->addr);
}

/* Descriptor @i of the ring's table belongs to the chain at @head now; @last is the one before it.
 */
static void
take_descriptor(struct world *w, struct ring *r, uint16_t head, uint16_t last, uint16_t i)
{
	if (r->owner[i] != DESC_FREE)
		shadow_report(
			w, r->device, r->queue, ORACLE_INV_OWN,
			"descriptor %u of the chain at %u is the chain at %u's, which the device "
			"still has",
			i, head, r->owner[i]);
	r->owner[i] = head;
	if (last != DESC_FREE)
		r->link[last] = i;
	r->link[i] = DESC_FREE;
}

static void
check_whole(struct world *w, struct ring *r, const struct chain_iter *it, uint64_t bytes)
{
	uint16_t head = r->head_at[(uint16_t)(r->avail_idx - 1) & (r->size - 1u)];

	if (it->loop)
		REPORT(2_7_5_2_R1, "the chain at %u has a loop", head);
	if (bytes > UINT64_C(1) << 32)
		REPORT(2_7_5_2_R1, "the chain at %u has %" PRIu64 " bytes", head, bytes);
	if (it->direct + it->nested > r->size)
		REPORT(2_7_5_3_1_R3, "the chain at %u has %u descriptors, the queue %u", head,
		       it->direct + it->nested, r->size);
}

void
chain_expose(struct world *w, struct ring *r, uint16_t head)
{
	struct ring_slot *s = &r->slot[head];
	struct chain_iter it;
	uint16_t last = DESC_FREE;
	uint64_t bytes = 0;

	*s = (struct ring_slot){ .state = SLOT_AVAILABLE };
	chain_begin(&it, w, r, head);
	while (chain_next(&it)) {
		const struct vring_desc *d = &it.desc;

		if (!it.in_table) {
			take_descriptor(w, r, head, last, (uint16_t)it.index);
			last = (uint16_t)it.index;
		}
		check_order(w, r, &it);
		if (d->flags & VRING_DESC_F_INDIRECT) {
			check_reference(w, r, &it);
			s->indirect = true;
			s->prefix = s->out || s->in;
			s->write_flag = d->flags & VRING_DESC_F_WRITE;
			chain_descend(&it);
			continue;
		}
		check_buffer(w, r, &it, s);
		bytes += d->len;
		if (d->flags & VRING_DESC_F_WRITE)
			s->in++, s->in_bytes += d->len;
		else
			s->out++;
	}
	s->ndescs = (uint16_t)it.direct;
	check_whole(w, r, &it, bytes);
	s->hash = chain_hash(w, r, head);
}

void
chain_release(struct ring *r, uint16_t head)
{
	for (uint16_t i = head; i != DESC_FREE && r->owner[i] == head;) {
		uint16_t next = r->link[i];

		r->owner[i] = r->link[i] = DESC_FREE;
		i = next;
	}
	r->slot[head].state = SLOT_FREE;
}
