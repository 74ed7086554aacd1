/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ring code: no more of the simulator than datapath/ and the layouts. */
#include "virtio/ring_svq.h"

#include <errno.h>

#include "datapath/barrier.h"

void
svq_ring_start(struct svq_ring *r)
{
	r->shadow_avail_idx = r->shadow_used_idx = r->last_used_idx = 0;
	r->free_head = 0;
	r->num_free = r->num;
	for (uint16_t i = 0; i < r->num; i++) {
		r->state[i] = (struct svq_desc_state){ 0 };
		r->desc_next[i] = (uint16_t)(i + 1 < r->num ? i + 1 : 0);
	}
}

uint16_t
svq_ring_available_slots(const struct svq_ring *r)
{
	if (r->slots_by_chain)
		return (uint16_t)(r->num - (uint16_t)(r->shadow_avail_idx - r->shadow_used_idx));
	return r->num_free;
}

/* --- giving --------------------------------------------------------------------------------- */

/* vhost_svq_vring_write_descs() */
static void
write_descs(struct svq_ring *r, const struct dp_buf *sg, unsigned out, unsigned in)
{
	uint16_t i = r->free_head;

	for (unsigned n = 0; n < out + in; n++) {
		struct vring_desc *d = &r->desc[i];
		uint16_t flags = n < out ? 0 : VRING_DESC_F_WRITE;

		if (n + 1 < out + in) {
			flags |= VRING_DESC_F_NEXT;
			DP_WRITE_ONCE(d->next, r->desc_next[i]);
		}
		DP_WRITE_ONCE(d->flags, flags);
		DP_WRITE_ONCE(d->addr, sg[n].addr);
		DP_WRITE_ONCE(d->len, sg[n].len);
		i = r->desc_next[i];
	}
	r->free_head = i;
}

int
svq_ring_add(struct svq_ring *r, const struct dp_buf *sg, unsigned out, unsigned in, void *elem,
	     uint16_t *head)
{
	unsigned ndescs = out + in;

	if (!ndescs)
		return -EINVAL;
	if ((r->one_slot ? 1 : ndescs) > svq_ring_available_slots(r))
		return -ENOSPC;
	*head = r->free_head;
	write_descs(r, sg, out, in);
	DP_WRITE_ONCE(r->avail->ring[r->shadow_avail_idx & (r->num - 1)], *head);
	r->shadow_avail_idx++;
	/* Descriptors and ring entry before the index that shows them. */
	dp_wmb();
	DP_WRITE_ONCE(r->avail->idx, r->shadow_avail_idx);
	r->num_free = (uint16_t)(r->num_free - ndescs);
	r->state[*head] = (struct svq_desc_state){ elem, (uint16_t)ndescs };
	return 0;
}

bool
svq_ring_needs_kick(struct svq_ring *r)
{
	/* The index must be visible before we look whether the device wants to know of it: else it
	 * may ask, look and sleep in between. */
	dp_mb();
	if (r->event_idx)
		return vring_need_event(DP_READ_ONCE(*r->avail_event), r->shadow_avail_idx,
					(uint16_t)(r->shadow_avail_idx - 1));
	return !(DP_READ_ONCE(r->used->flags) & VRING_USED_F_NO_NOTIFY);
}

/* --- taking --------------------------------------------------------------------------------- */

bool
svq_ring_more_used(struct svq_ring *r)
{
	if (r->last_used_idx != r->shadow_used_idx)
		return true;
	r->shadow_used_idx = DP_READ_ONCE(r->used->idx);
	return r->last_used_idx != r->shadow_used_idx;
}

/* The chain's descriptors go to the head of the free list. */
static void
free_chain(struct svq_ring *r, uint16_t head)
{
	uint16_t ndescs = r->state[head].ndescs, last = head;

	for (uint16_t n = 1; n < ndescs && !r->first_desc_only; n++)
		last = r->desc_next[last];
	r->desc_next[last] = r->free_head;
	r->free_head = head;
	r->num_free = (uint16_t)(r->num_free + ndescs);
	r->state[head].ndescs = 0;
}

int
svq_ring_get(struct svq_ring *r, void **elem, uint32_t *head, uint32_t *len)
{
	const struct vring_used_elem *used;

	if (!svq_ring_more_used(r))
		return 0;
	/* Only after the index that says it is there. */
	dp_rmb();
	used = &r->used->ring[r->last_used_idx & (r->num - 1)];
	*head = DP_READ_ONCE(used->id);
	*len = DP_READ_ONCE(used->len);
	r->last_used_idx++;
	if (*head >= r->num || !r->state[*head].ndescs)
		return -EINVAL;
	*elem = r->state[*head].elem;
	r->state[*head].elem = NULL;
	free_chain(r, (uint16_t)*head);
	return 1;
}

/* --- notifications -------------------------------------------------------------------------- */

bool
svq_ring_enable_notification(struct svq_ring *r)
{
	if (r->event_idx)
		DP_WRITE_ONCE(*r->used_event, r->shadow_used_idx);
	else
		DP_WRITE_ONCE(r->avail->flags, 0);
	/* That we want to be told must be visible before we look whether we missed something. */
	dp_mb();
	return !svq_ring_more_used(r);
}

void
svq_ring_disable_notification(struct svq_ring *r)
{
	/* With the event index it is enough not to move used_event. */
	if (!r->event_idx)
		DP_WRITE_ONCE(r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}
