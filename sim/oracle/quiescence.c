/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INV-NOLOST: when nothing can run any more, nothing may be left to do.
 *
 * Looked at then and only then, because notification suppression is a window, not a point: while
 * anything runs, somebody may still look.  For each queue, from ring memory and from who holds it:
 *
 *	available and not popped        nobody looked: the kick was lost            lost-kick
 *	popped and not used             the device sleeps on it                     hang
 *	used, not reaped, asked for     the driver was never told                   lost-interrupt
 *	used, not reaped, not asked     legal (transmit queues reap when they like), unless somebody
 *	                                waits
 *	used, not reaped, told          legal (an interface that is closed), unless somebody waits
 *
 * "Asked for" is the crossing form over what the driver has not reaped (2.7.7.2).  A receive queue
 * with buffers is idle, not stuck, unless packets wait for it.  If no queue explains it, an actor
 * that is no daemon and still waits is a hang.
 */
#include <inttypes.h>
#include <stdio.h>

#include "guest/raw_driver.h"
#include "guest/virtio_driver.h"
#include "oracle/oracle_impl.h"
#include "oracle/shadow.h"
#include "virtio/spec.h"
#include "vmm/machine.h"

static void
on_progress(struct world *w, const struct event *e, void *context)
{
	oracle_progress(w);
}

void
quiescence_attach(struct world *w)
{
	world_observe(w, EV_VIRTQUEUE_FLUSH, on_progress, NULL);
	world_observe(w, EV_ACTOR_EXIT, on_progress, NULL);
}

/* --- one queue -------------------------------------------------------------------------------- */

/* What there is to know of a queue when nothing runs. */
struct queue_end {
	const char *subject;
	const struct dp_state *driver; /* as they stand in memory, last_used_idx of the driver */
	bool told; /* the driver's handler ran while some of it was there: it knows */
	unsigned inflight; /* popped by the device, not used yet */
	bool idle_ok; /* buffers that wait for input from outside are no work */
};

static unsigned
waiting(const struct queue_end *q)
{
	return (uint16_t)(q->driver->avail_idx - q->driver->used_idx);
}

static unsigned
unreaped(const struct queue_end *q)
{
	return (uint16_t)(q->driver->used_idx - q->driver->last_used_idx);
}

static bool
asked_for(const struct queue_end *q)
{
	const struct dp_state *s = q->driver;

	if (!unreaped(q))
		return false;
	if (s->packed)
		return s->call_asked;
	if (!s->event_idx)
		return !(s->avail_flags & VRING_AVAIL_F_NO_INTERRUPT);
	return (uint16_t)(s->used_idx - s->used_event - 1) <
	       (uint16_t)(s->used_idx - s->last_used_idx);
}

/*
 * The statement that obliged somebody to kick: the device asked for it with what stands in the ring
 * now, and the driver went past it.  If it did not ask, nobody broke one, and the device should not
 * sleep.
 */
static enum oracle
kick_statement(const struct queue_end *q)
{
	const struct dp_state *s = q->driver;

	if (s->packed) /* our statements of 2.7 are about the split ring */
		return ORACLE_INV_NOLOST;
	if (!s->event_idx)
		return s->used_flags & VRING_USED_F_NO_NOTIFY ? ORACLE_INV_NOLOST
							      : ORACLE_VIRTIO_2_7_10_1_R4;
	return vring_need_event(s->avail_event, s->avail_idx, s->used_idx)
		       ? ORACLE_VIRTIO_2_7_10_1_R6
		       : ORACLE_INV_NOLOST;
}

static bool
kick_asked(const struct queue_end *q)
{
	return q->driver->packed ? q->driver->kick_asked : kick_statement(q) != ORACLE_INV_NOLOST;
}

static bool
judge_kick(struct world *w, const struct queue_end *q)
{
	const struct dp_state *s = q->driver;

	if (q->idle_ok || waiting(q) <= q->inflight)
		return false;
	oracle_report_statement(
		w, ORACLE_LOST_KICK, kick_statement(q), q->subject,
		"%u buffers available (avail.idx %u, used.idx %u) and the device sleeps; "
		"%s %u: it %s to be kicked",
		waiting(q) - q->inflight, s->avail_idx, s->used_idx,
		s->event_idx ? "avail_event" : "used.flags",
		s->event_idx ? s->avail_event : s->used_flags,
		kick_asked(q) ? "asked" : "did not ask");
	return true;
}

static bool
judge_inflight(struct world *w, const struct queue_end *q)
{
	if (!q->inflight || !waiting(q) || q->idle_ok)
		return false;
	oracle_report(
		w, ORACLE_HANG, q->subject,
		"the device popped %u buffers and never used them (avail.idx %u, used.idx %u)",
		q->inflight, q->driver->avail_idx, q->driver->used_idx);
	return true;
}

static bool
judge_interrupt(struct world *w, const struct queue_end *q)
{
	const struct dp_state *s = q->driver;

	if (q->told || !asked_for(q))
		return false;
	oracle_report_statement(
		w, ORACLE_LOST_INTERRUPT,
		s->packed      ? ORACLE_INV_NOLOST
		: s->event_idx ? ORACLE_VIRTIO_2_7_7_2_D5
			       : ORACLE_VIRTIO_2_7_7_2_D2,
		q->subject,
		"%u buffers used (used.idx %u), the driver sleeps at %u and asked to be "
		"told (%s %u)",
		unreaped(q), s->used_idx, s->last_used_idx,
		s->event_idx ? "used_event" : "avail.flags",
		s->event_idx ? s->used_event : s->avail_flags);
	return true;
}

static bool
judge_queue(struct world *w, const struct queue_end *q)
{
	return judge_kick(w, q) || judge_interrupt(w, q) || judge_inflight(w, q);
}

/* --- where queues come from ------------------------------------------------------------------- */

static bool
judge_pair(struct world *w, const struct raw_pair *p)
{
	struct dp_state driver = { 0 }, device = { 0 };
	struct queue_end q = { .subject = "vq=0", .driver = &driver };

	p->driver.ops->state(p->driver.ring, &driver);
	p->device.ops->state(p->device.ring, &device);
	q.inflight = device.inuse;
	return judge_queue(w, &q);
}

static const struct machine_device *
device_of(const struct world *w, const struct guest_virtio *driver)
{
	const struct machine *m = machine_of(w);
	const struct machine_device *d = m ? m->devices : NULL;

	while (d && d->pci->function != driver->config.function)
		d = d->next;
	return d;
}

/* Receive queues hold buffers for packets that may come; they are even-numbered (5.1.2). */
static bool
idles(const struct machine_device *d, uint16_t index)
{
	if (d->balloon && index == BALLOON_VQ_STATS)
		return true; /* it stays there until statistics are asked for */
	if (d->balloon && index == BALLOON_VQ_FREE_PAGE && d->config.hints_as_posted)
		return true; /* nobody looks but a migration, for a while */
	return d->net && index % 2 == 0 && !virtio_net_is_ctrl(d->net, index) &&
	       !d->net->pair[index / 2].backlog_count;
}

/* It was told while something stood there that it has not reaped: nothing more is owed. */
static bool
told_of_some(const struct dp_state *s, uint16_t told_idx)
{
	return (uint16_t)(told_idx - s->last_used_idx - 1) <
	       (uint16_t)(s->used_idx - s->last_used_idx);
}

static bool
judge_guest_queue(struct world *w, const struct machine_device *d, const struct guest_vq *vq)
{
	const struct virtio_queue *dvq;
	struct dp_state driver = { 0 };
	const struct guest_ring *g;
	struct queue_end q;
	char subject[64];

	/* A machine that its VMM has stopped owes nobody anything until it goes on, here or
	 * elsewhere. */
	if (!vq->ring || vq->broken || !d || vq->index >= d->vdev.queue_count ||
	    !d->vdev.vm_running)
		return false;
	dvq = &d->vdev.vqs[vq->index];
	if (!dvq->enabled || !(d->vdev.status & VIRTIO_CONFIG_S_DRIVER_OK) || d->vdev.broken)
		return false;
	vq->ops->state(vq->ring, &driver);
	snprintf(subject, sizeof(subject), "dev=%s vq=%u", d->vdev.name_text, vq->index);
	g = shadow_guest_ring(w, vq->name);
	q = (struct queue_end){
		.subject = subject,
		.driver = &driver,
		.inflight = dvq->inflight,
		/* Without a callback nobody sleeps for it: it is reaped when something is added. */
		.told = !vq->info.callback || (g && g->told && told_of_some(&driver, g->told_idx)),
		.idle_ok = idles(d, vq->index),
	};
	return judge_queue(w, &q);
}

static bool
judge_driver(struct world *w, const struct guest_virtio *driver)
{
	const struct machine_device *d = device_of(w, driver);

	if (driver->state != GUEST_VIRTIO_READY)
		return false;
	for (unsigned i = 0; i < driver->vq_count; i++)
		if (judge_guest_queue(w, d, &driver->vqs[i]))
			return true;
	return false;
}

/* --- who waits -------------------------------------------------------------------------------- */

static void
judge_actors(struct world *w)
{
	const struct actor *first = NULL;
	char subject[64];
	unsigned more = 0;

	for (uint32_t id = 1; id <= world_actors(w); id++) {
		const struct actor *a = world_actor(w, id);

		if (actor_state(a) == ACTOR_DONE || actor_is_daemon(a))
			continue;
		if (first)
			more++;
		else
			first = a;
	}
	if (!first)
		return;
	snprintf(subject, sizeof(subject), "actor=%s", actor_name(first));
	oracle_report(w, ORACLE_HANG, subject,
		      more ? "%s waits for %s for ever, and %u others wait"
			   : "%s waits for %s for ever",
		      actor_name(first),
		      *actor_waits_for(first) ? actor_waits_for(first) : "its processor", more);
}

void
quiescence_judge(struct world *w)
{
	const struct oracles *os = oracles_of(w);

	for (struct watched_pair *p = os->pairs; p; p = p->next)
		if (judge_pair(w, p->pair))
			return;
	for (struct watched_driver *d = os->drivers; d; d = d->next)
		if (judge_driver(w, d->driver))
			return;
	judge_actors(w);
}
