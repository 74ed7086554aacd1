/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has which chain: 2.7.6, 2.7.8, 2.7.9, 3.3.1 and the invariants INV-CONS, INV-OWN, INV-EPOCH.
 *
 * Writes to a descriptor table are seen as they are made (gm_on_store()); an actor that is known to
 * be on one side only is named for them.  What nobody can be named for, and what happens to
 * indirect tables, shows when the chain is taken: it must be what it was when it was exposed.
 */
#include "oracle/ring.h"

#include <inttypes.h>
#include <string.h>

#include "memory/guest_memory.h"
#include "oracle/shadow.h"
#include "virtio/device.h"

#define REPORT(o, ...) shadow_report(w, r->device, r->queue, ORACLE_##o, __VA_ARGS__)

/* --- fields --------------------------------------------------------------------------------- */

uint16_t
ring_read16(const struct world *w, uint64_t gpa)
{
	uint16_t value = 0;

	gm_read(w, gpa, &value, sizeof(value));
	return value;
}

uint16_t
ring_avail_flags(const struct world *w, const struct ring *r)
{
	return ring_read16(w, r->avail_gpa);
}

uint16_t
ring_avail_idx(const struct world *w, const struct ring *r)
{
	return ring_read16(w, r->avail_gpa + offsetof(struct vring_avail, idx));
}

uint16_t
ring_used_event(const struct world *w, const struct ring *r)
{
	return ring_read16(w, r->avail_gpa + offsetof(struct vring_avail, ring) + 2u * r->size);
}

uint16_t
ring_used_flags(const struct world *w, const struct ring *r)
{
	return ring_read16(w, r->used_gpa);
}

uint16_t
ring_used_idx(const struct world *w, const struct ring *r)
{
	return ring_read16(w, r->used_gpa + offsetof(struct vring_used, idx));
}

uint16_t
ring_avail_event(const struct world *w, const struct ring *r)
{
	return ring_read16(w, r->used_gpa + offsetof(struct vring_used, ring) +
				      sizeof(struct vring_used_elem) * r->size);
}

/* --- following the available ring ----------------------------------------------------------- */

static uint16_t
outstanding(const struct ring *r)
{
	return (uint16_t)(r->avail_idx - r->used_idx);
}

static void
expose_next(struct world *w, struct ring *r)
{
	uint16_t at = r->avail_idx & (r->size - 1u);
	uint16_t head = ring_read16(w, r->avail_gpa + offsetof(struct vring_avail, ring) + 2u * at);

	r->avail_idx++;
	r->head_at[at] = head;
	if (head >= r->size) {
		REPORT(INV_CONS, "avail.ring[%u] names descriptor %u, the queue has %u", at, head,
		       r->size);
		return;
	}
	if (r->slot[head].state != SLOT_FREE)
		REPORT(INV_OWN, "the chain at %u is exposed again, and the device still has it",
		       head);
	if (r->in_order && head != r->next_head)
		REPORT(VIRTIO_2_7_5_R3, "the chain at %u is exposed; with IN_ORDER %u comes next",
		       head, r->next_head);
	chain_expose(w, r, head);
	r->next_head = (uint16_t)((head + r->slot[head].ndescs) & (r->size - 1u));
}

/* @driver: in the context of the driver, who sees its own avail.idx as it is. */
static void
follow_avail(struct world *w, struct ring *r, bool driver)
{
	uint16_t idx = ring_avail_idx(w, r), n = (uint16_t)(idx - r->avail_idx);

	if (n > r->size - outstanding(r)) {
		if (driver && (int16_t)n < 0)
			REPORT(VIRTIO_2_7_6_1_R1, "avail.idx went back from %u to %u", r->avail_idx,
			       idx);
		else if (driver)
			REPORT(VIRTIO_2_7_6_1_X2,
			       "avail.idx is %u and used.idx %u, the queue has %u", idx,
			       r->used_idx, r->size);
		return;
	}
	while (n--)
		expose_next(w, r);
}

/* --- following the used ring ---------------------------------------------------------------- */

static bool
used_head(struct world *w, struct ring *r, struct vring_used_elem *elem)
{
	uint16_t at = r->used_idx & (r->size - 1u);
	const struct ring_slot *s;

	*elem = (struct vring_used_elem){ UINT32_MAX, 0 };
	gm_read(w, r->used_gpa + offsetof(struct vring_used, ring) + sizeof(*elem) * at, elem,
		sizeof(*elem));
	if (elem->id >= r->size || r->slot[elem->id].state == SLOT_FREE) {
		REPORT(VIRTIO_2_7_8_X3, "used.ring[%u] names %u, which is not exposed", at,
		       elem->id);
		return false;
	}
	s = &r->slot[elem->id];
	if (elem->len > s->in_bytes)
		REPORT(VIRTIO_2_7_8_2_D2,
		       "used.ring[%u].len is %u; the chain at %u has %" PRIu64 " writable bytes",
		       at, elem->len, elem->id, s->in_bytes);
	return true;
}

/* How many chains the element stands for: up to the one it names (2.7.9). 0: it names none in
 * order. */
static uint16_t
batch_of(const struct ring *r, uint32_t id, uint16_t left)
{
	for (uint16_t n = 0; n < left; n++)
		if (r->head_at[(uint16_t)(r->used_idx + n) & (r->size - 1u)] == id)
			return (uint16_t)(n + 1);
	return 0;
}

/* One element; returns how many chains it stands for, 0 if it is nonsense. */
static uint16_t
use_next(struct world *w, struct ring *r, uint16_t left)
{
	struct vring_used_elem elem;
	uint16_t count = 1;

	if (!used_head(w, r, &elem))
		return 0;
	if (!r->in_order) {
		chain_release(r, (uint16_t)elem.id);
		r->used_idx++;
		return 1;
	}
	count = batch_of(r, elem.id, left);
	if (!count) {
		REPORT(VIRTIO_6_2_D2,
		       "the chain at %u is used, %u chains after used.idx %u at most, and it is "
		       "not among them",
		       elem.id, left, r->used_idx);
		return 0;
	}
	for (uint16_t n = 0; n < count; n++) {
		uint16_t head = r->head_at[r->used_idx & (r->size - 1u)];

		if (r->slot[head].state == SLOT_AVAILABLE)
			REPORT(VIRTIO_2_7_9_D1,
			       "the chain at %u is used by an element for %u, and the device "
			       "never took it",
			       head, elem.id);
		chain_release(r, head);
		r->used_idx++;
	}
	return count;
}

void
ring_follow_used(struct world *w, struct ring *r, bool device)
{
	uint16_t idx = ring_used_idx(w, r), n = (uint16_t)(idx - r->used_idx);

	if (n > outstanding(r)) {
		if (device && r->again && r->used_idx == r->start_idx)
			REPORT(VIRTIO_2_6_1_1_1_D3,
			       "used.idx is %u at the first element after a queue reset", idx);
		else if (device)
			REPORT(VIRTIO_2_7_8_X4, "used.idx is %u, after %u, with avail.idx %u", idx,
			       r->used_idx, r->avail_idx);
		return;
	}
	while (n) {
		uint16_t count = use_next(w, r, n);

		if (!count)
			break; /* reported; with that oracle off nothing more can be said of this
				  ring */
		n = (uint16_t)(n - count);
	}
	if (n)
		ring_close(w, r);
}

static void
follow_by_driver(struct world *w, struct ring *r)
{
	ring_follow_used(w, r, false);
	follow_avail(w, r, true);
}

static void
follow_by_device(struct world *w, struct ring *r)
{
	follow_avail(w, r, false);
	ring_follow_used(w, r, true);
}

/* --- life ----------------------------------------------------------------------------------- */

static void
fill_in(struct ring *r, struct shadow_device *d, const struct virtio_queue *vq)
{
	r->device = d;
	r->queue = vq->index;
	r->size = vq->size;
	r->desc_gpa = vq->desc_gpa;
	r->avail_gpa = vq->driver_gpa;
	r->used_gpa = vq->device_gpa;
	r->event = virtio_has(d->accepted, VIRTIO_RING_F_EVENT_IDX);
	r->in_order = virtio_has(d->accepted, VIRTIO_F_IN_ORDER);
	r->indirect = virtio_has(d->accepted, VIRTIO_RING_F_INDIRECT_DESC);
	r->notification_data = virtio_has(d->accepted, VIRTIO_F_NOTIFICATION_DATA);
	r->notify_on_empty = virtio_has(d->accepted, VIRTIO_F_NOTIFY_ON_EMPTY);
	r->physical = !virtio_has(d->accepted, VIRTIO_F_ACCESS_PLATFORM);
	r->start_idx = r->avail_idx = r->used_idx = d->vdev->start_idx;
	r->prepared_idx = r->signalled_idx = r->start_idx;
}

static void
make_tables(struct world *w, struct ring *r)
{
	r->slot = world_alloc(w, r->size * sizeof(*r->slot));
	r->head_at = world_alloc(w, r->size * sizeof(*r->head_at));
	r->owner = world_alloc(w, r->size * sizeof(*r->owner));
	r->link = world_alloc(w, r->size * sizeof(*r->link));
	for (uint16_t i = 0; i < r->size; i++)
		r->owner[i] = r->link[i] = DESC_FREE;
}

static void
name_ring(const struct world *w, const struct ring *r)
{
	for (struct guest_ring *g = shadow_state(w)->guest_rings; g; g = g->next)
		if (g->desc_gpa == r->desc_gpa) {
			g->device = r->device;
			g->queue = r->queue;
		}
}

static void
check_new(struct world *w, struct ring *r)
{
	if (r->desc_gpa % VRING_DESC_ALIGN_SIZE || r->avail_gpa % VRING_AVAIL_ALIGN_SIZE ||
	    r->used_gpa % VRING_USED_ALIGN_SIZE)
		REPORT(VIRTIO_2_7_1_R1,
		       "descriptors at 0x%" PRIx64 ", available ring at 0x%" PRIx64
		       ", used ring at 0x%" PRIx64,
		       r->desc_gpa, r->avail_gpa, r->used_gpa);
	if (ring_used_flags(w, r))
		REPORT(VIRTIO_2_7_10_1_R1, "used.flags is %u when the queue is enabled",
		       ring_used_flags(w, r));
}

void
ring_open(struct world *w, struct shadow_device *d, uint16_t queue)
{
	struct shadow_queue *q = shadow_queue_of(w, d, queue);
	const struct virtio_queue *vq = d->vdev ? &d->vdev->vqs[queue] : NULL;
	struct shadow *s = shadow_state(w);
	struct ring *r;

	if (!vq || q->ring || !vq->size || (vq->size & (vq->size - 1)) ||
	    virtio_has(d->accepted, VIRTIO_F_RING_PACKED))
		return;
	r = world_alloc(w, sizeof(*r));
	fill_in(r, d, vq);
	r->again = q->again;
	make_tables(w, r);
	name_ring(w, r);
	r->next = s->rings;
	s->rings = q->ring = r;
	if (!s->writes_watched)
		gm_on_store(w, ring_on_store, NULL);
	s->writes_watched = true;
	check_new(w, r);
}

void
ring_close(struct world *w, struct ring *r)
{
	struct ring **at = &shadow_state(w)->rings;

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
}

void
ring_free(struct world *w, struct ring *r)
{
	if (!r)
		return;
	world_free(w, r->slot, r->size * sizeof(*r->slot));
	world_free(w, r->head_at, r->size * sizeof(*r->head_at));
	world_free(w, r->owner, r->size * sizeof(*r->owner));
	world_free(w, r->link, r->size * sizeof(*r->link));
	world_free(w, r, sizeof(*r));
}

/* --- the driver ----------------------------------------------------------------------------- */

static void
on_vq_create(struct world *w, const struct event *e, void *context)
{
	struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);

	shadow_role(w, e->actor, ROLE_DRIVER);
	if (!g) {
		g = world_alloc(w, sizeof(*g));
		g->name = e->arg[0];
		g->next = shadow_state(w)->guest_rings;
		shadow_state(w)->guest_rings = g;
	}
	g->desc_gpa = (uint64_t)e->arg[2];
	g->device = NULL;
	g->told = false;
}

static void
on_driver(struct world *w, const struct event *e, void *context)
{
	struct ring *r = shadow_guest_live(w, e->arg[0]);

	shadow_role(w, e->actor, ROLE_DRIVER);
	if (r)
		follow_by_driver(w, r);
}

/* The handler of the driver's queue runs: it was told of what is used by now. */
static void
on_interrupt(struct world *w, const struct event *e, void *context)
{
	struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);
	const struct ring *r = shadow_guest_live(w, e->arg[0]);

	if (!r || e->arg[1] != 2) /* ORDER VQ_INTERRUPT: the callback is called */
		return;
	g->told = true;
	g->told_idx = ring_used_idx(w, r);
}

/* Ring memory is given back. */
static void
on_vq_destroy(struct world *w, const struct event *e, void *context)
{
	struct guest_ring *g = shadow_guest_ring(w, e->arg[0]);
	struct shadow_queue *q = shadow_guest_queue(w, e->arg[0]);
	struct ring *r = q ? q->ring : NULL;

	if (!q || shadow_maybe_gone(w, g->device))
		return;
	if (q->reset_asked && !q->reset_read)
		shadow_report(w, g->device, g->queue, ORACLE_VIRTIO_2_6_1_1_2_R2,
			      "%s: ring memory given back before queue_reset read 0",
			      world_name_text(w, g->name));
	if (!r || !g->device->live)
		return;
	follow_by_driver(w, r);
	if (outstanding(r))
		REPORT(VIRTIO_3_3_1_R2,
		       "%s: ring memory given back while the device has %u chains of a live "
		       "queue",
		       world_name_text(w, g->name), outstanding(r));
}

/* --- the device ----------------------------------------------------------------------------- */

static struct ring *
ring_of(struct world *w, const struct event *e)
{
	const struct shadow_queue *q = shadow_queue_of(w, shadow_of(w, e->arg[0]), e->arg[1]);

	return q ? q->ring : NULL;
}

static const struct ring_slot *
old_slot(struct world *w, const struct ring *r, int64_t head)
{
	const struct shadow_queue *q = shadow_queue_of(w, r->device, r->queue);

	return q->old && head >= 0 && head < q->old->size ? &q->old->slot[head] : NULL;
}

/* What was popped is not what is exposed. */
static void
popped_unknown(struct world *w, struct ring *r, int64_t head)
{
	const struct ring_slot *before = old_slot(w, r, head);

	if (r->again && !r->popped && before && before->state != SLOT_FREE)
		REPORT(VIRTIO_2_6_1_2_1_D1,
		       "the device takes the chain at %" PRId64
		       ", which only the ring before the reset had",
		       head);
	REPORT(INV_CONS, "the device takes the chain at %" PRId64 ", which is not exposed", head);
}

static void
popped_differs(struct world *w, struct ring *r, const struct event *e, const struct ring_slot *s)
{
	enum oracle o = s->indirect && s->write_flag ? ORACLE_VIRTIO_2_7_5_3_2_D1
			: s->indirect && s->prefix   ? ORACLE_VIRTIO_2_7_5_3_2_D2
						     : ORACLE_INV_CONS;

	shadow_report(w, r->device, r->queue, o,
		      "the device takes %" PRId64 " readable and %" PRId64
		      " writable buffers of the chain at %" PRId64 ", which has %u and %u",
		      e->arg[3], e->arg[4], e->arg[2], s->out, s->in);
}

static void
on_pop(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);
	int64_t head = e->arg[2];
	struct ring_slot *s;

	shadow_role(w, e->actor, ROLE_DEVICE);
	if (!r)
		return;
	follow_by_device(w, r);
	s = head >= 0 && head < r->size ? &r->slot[head] : NULL;
	if (!s || s->state == SLOT_FREE) {
		popped_unknown(w, r, head);
		return;
	}
	if (r->again && !r->popped && head != r->head_at[r->start_idx & (r->size - 1u)])
		REPORT(VIRTIO_2_6_1_1_1_D3,
		       "the device takes the chain at %" PRId64
		       " first after a queue reset, not that at %u",
		       head, r->head_at[r->start_idx & (r->size - 1u)]);
	if (chain_hash(w, r, (uint16_t)head) != s->hash)
		REPORT(INV_OWN,
		       "the chain at %" PRId64 " is not any more what it was when it was exposed",
		       head);
	else if (e->arg[3] != s->out || e->arg[4] != s->in)
		popped_differs(w, r, e, s);
	s->state = SLOT_TAKEN;
	r->popped = true;
}

static void
on_unpop(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);

	if (r && e->arg[2] >= 0 && e->arg[2] < r->size && r->slot[e->arg[2]].state != SLOT_FREE)
		r->slot[e->arg[2]].state = SLOT_AVAILABLE;
}

/* The device finishes with, or gives back, what it has not taken. */
static void
check_taken(struct world *w, struct ring *r, const struct event *e)
{
	const struct ring_slot *before = old_slot(w, r, e->arg[2]);
	bool late = before && (before->state == SLOT_TAKEN || before->state == SLOT_FILLED);

	if (e->arg[2] >= 0 && e->arg[2] < r->size && r->slot[e->arg[2]].state >= SLOT_TAKEN)
		return;
	shadow_report(w, r->device, r->queue, late ? ORACLE_INV_EPOCH : ORACLE_INV_CONS,
		      late ? "%s: the chain at %" PRId64 " was taken before the reset"
			   : "%s: the chain at %" PRId64 " was not taken",
		      event_info[e->kind].name, e->arg[2]);
}

static void
on_complete(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);

	if (r)
		check_taken(w, r, e);
}

static void
on_fill(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);

	shadow_role(w, e->actor, ROLE_DEVICE);
	if (!r)
		return;
	check_taken(w, r, e);
	if (e->arg[2] >= 0 && e->arg[2] < r->size && r->slot[e->arg[2]].state == SLOT_TAKEN)
		r->slot[e->arg[2]].state = SLOT_FILLED;
}

static void
on_flush(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);

	shadow_role(w, e->actor, ROLE_DEVICE);
	if (!r)
		return;
	if (r->again && e->arg[2] && !r->in_order && ring_used_idx(w, r) == r->start_idx &&
	    r->used_idx == r->start_idx)
		REPORT(VIRTIO_2_6_1_2_1_D1,
		       "%" PRId64
		       " elements published, and used.idx of the ring that is programmed now "
		       "did not move",
		       e->arg[2]);
	follow_by_device(w, r);
}

void
ring_attach(struct world *w)
{
	static const enum event_kind driver[] = { EV_VQ_ADD, EV_VQ_GET, EV_VQ_KICK_PREPARE,
						  EV_VQ_ENABLE_CB };

	world_observe(w, EV_VQ_CREATE, on_vq_create, NULL);
	for (unsigned i = 0; i < sizeof(driver) / sizeof(driver[0]); i++)
		world_observe(w, driver[i], on_driver, NULL);
	world_observe(w, EV_VQ_INTERRUPT, on_interrupt, NULL);
	world_observe(w, EV_VQ_DESTROY, on_vq_destroy, NULL);
	world_observe(w, EV_VIRTQUEUE_POP, on_pop, NULL);
	world_observe(w, EV_VIRTQUEUE_UNPOP, on_unpop, NULL);
	world_observe(w, EV_VIRTQUEUE_FILL, on_fill, NULL);
	world_observe(w, EV_VIRTIO_BLK_COMPLETE, on_complete, NULL);
	world_observe(w, EV_VIRTQUEUE_FLUSH, on_flush, NULL);
}
