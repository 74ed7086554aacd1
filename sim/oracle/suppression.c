/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flags and event indices: the values they may have (2.7.7.1, 2.7.10), notification data (2.9), and
 * notifications that were not asked for.
 *
 * The latter are warnings, at most one of each kind for a ring.  A side that looks at the other
 * one's word says so in an event without a point in between, so the word stands there as it was
 * read; nevertheless a warning needs that the word said the same when the side published, because
 * asking is not synchronised. That something asked for was never said shows only at the end:
 * quiescence.c.
 */
#include <inttypes.h>

#include "oracle/ring.h"
#include "oracle/shadow.h"

#define REPORT(o, ...) shadow_report(w, r->device, r->queue, ORACLE_VIRTIO_##o, __VA_ARGS__)

enum { WARNED_KICK_FLAGS, WARNED_KICK_EVENT, WARNED_CALL_FLAGS, WARNED_CALL_EVENT };

/* More cannot have been left untold: who counts modulo 2^16 says so then whatever the event is. */
#define UNTOLD_MAX 0x8000u

static bool
first_time(struct ring *r, int what)
{
	bool first = !r->warned[what];

	r->warned[what] = true;
	return first;
}

static void
check_flags(struct world *w, struct ring *r)
{
	uint16_t avail = ring_avail_flags(w, r), used = ring_used_flags(w, r);

	if (r->event && avail)
		REPORT(2_7_7_1_R2, "avail.flags is %u, with event index", avail);
	if (!r->event && avail > 1)
		REPORT(2_7_7_1_R1, "avail.flags is %u", avail);
	if (r->event && used)
		REPORT(2_7_10_2_D2, "used.flags is %u, with event index", used);
	if (!r->event && used > 1)
		REPORT(2_7_10_2_D1, "used.flags is %u", used);
}

/* --- kicks ---------------------------------------------------------------------------------- */

static void
on_add(struct world *w, const struct event *e, void *context)
{
	struct ring *r = shadow_guest_live(w, e->arg[0]);

	if (!r)
		return;
	check_flags(w, r);
	r->add_used_flags = ring_used_flags(w, r);
	r->add_avail_event = ring_avail_event(w, r);
}

static void
check_data(struct world *w, struct ring *r, uint32_t data, uint16_t idx)
{
	if (!r->notification_data)
		return;
	if (r->prepared_valid && idx == r->prepared_idx && data != r->prepared_data)
		REPORT(2_9_R2, "notification data 0x%x, then 0x%x, and nothing was added",
		       r->prepared_data, data);
	if (data != virtio_notification_data(r->queue, idx))
		REPORT(2_9_R1, "notification data 0x%x, with avail.idx %u", data, idx);
}

static void
on_kick_prepare(struct world *w, const struct event *e, void *context)
{
	struct ring *r = shadow_guest_live(w, e->arg[0]);
	uint16_t idx, old;

	if (!r)
		return;
	check_flags(w, r);
	idx = ring_avail_idx(w, r);
	old = r->prepared_idx;
	check_data(w, r, (uint32_t)e->arg[2], idx);
	r->prepared_idx = idx;
	r->prepared_data = (uint32_t)e->arg[2];
	r->prepared_valid = true;
	if (!e->arg[1])
		return;
	if (!r->event && (r->add_used_flags & ring_used_flags(w, r) & VRING_USED_F_NO_NOTIFY) &&
	    first_time(r, WARNED_KICK_FLAGS))
		REPORT(2_7_10_1_R3, "a kick, and used.flags says that none is wanted");
	if (r->event && (uint16_t)(idx - old) < UNTOLD_MAX &&
	    !vring_need_event(ring_avail_event(w, r), idx, old) &&
	    !vring_need_event(r->add_avail_event, idx, old) && first_time(r, WARNED_KICK_EVENT))
		REPORT(2_7_10_1_R7, "a kick for avail.idx %u to %u, and avail_event is %u", old,
		       idx, ring_avail_event(w, r));
}

/* --- interrupts ----------------------------------------------------------------------------- */

static struct ring *
ring_of(struct world *w, const struct event *e)
{
	const struct shadow_queue *q = shadow_queue_of(w, shadow_of(w, e->arg[0]), e->arg[1]);

	return q ? q->ring : NULL;
}

static void
on_device(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);

	if (!r)
		return;
	check_flags(w, r);
	if (e->kind != EV_VIRTQUEUE_FLUSH)
		return;
	r->flush_avail_flags = ring_avail_flags(w, r);
	r->flush_used_event = ring_used_event(w, r);
}

static void
on_should_notify(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);
	uint16_t idx, old;
	bool known;

	if (!r)
		return;
	idx = ring_used_idx(w, r);
	old = r->signalled_idx;
	known = r->signalled_valid && (uint16_t)(idx - old) < UNTOLD_MAX;
	r->signalled_idx = idx;
	r->signalled_valid = true;
	if (!e->arg[2] || r->notify_on_empty)
		return;
	if (!r->event &&
	    (r->flush_avail_flags & ring_avail_flags(w, r) & VRING_AVAIL_F_NO_INTERRUPT) &&
	    first_time(r, WARNED_CALL_FLAGS))
		REPORT(2_7_7_2_D3, "a notification, and avail.flags says that none is wanted");
	if (r->event && known && !vring_need_event(ring_used_event(w, r), idx, old) &&
	    !vring_need_event(r->flush_used_event, idx, old) && first_time(r, WARNED_CALL_EVENT))
		REPORT(2_7_7_2_D6, "a notification for used.idx %u to %u, and used_event is %u",
		       old, idx, ring_used_event(w, r));
}

/* Another thread has the ring: it does not know what was told. */
static void
on_owner(struct world *w, const struct event *e, void *context)
{
	struct ring *r = ring_of(w, e);

	if (r)
		r->signalled_valid = false;
}

void
suppression_attach(struct world *w)
{
	world_observe(w, EV_VQ_ADD, on_add, NULL);
	world_observe(w, EV_VQ_KICK_PREPARE, on_kick_prepare, NULL);
	world_observe(w, EV_VIRTQUEUE_POP, on_device, NULL);
	world_observe(w, EV_VIRTQUEUE_FLUSH, on_device, NULL);
	world_observe(w, EV_VIRTQUEUE_NOTIFICATION, on_device, NULL);
	world_observe(w, EV_VIRTQUEUE_SHOULD_NOTIFY, on_should_notify, NULL);
	world_observe(w, EV_VIRTIO_QUEUE_OWNER, on_owner, NULL);
}
