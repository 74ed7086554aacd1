/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/diagnosis.h"

#include <inttypes.h>
#include <stdio.h>

static bool
recovers(const struct queue_findings *q, enum attempt_kind kind, enum debug_level level)
{
	return q->attempt[kind][level].recovered;
}

/* Whether what came after @event asks for a notification: vring_need_event() over the last @num. */
static bool
asked(bool event_idx, uint16_t event, uint16_t idx, uint16_t num, uint16_t flags)
{
	return event_idx ? (uint16_t)(idx - event - 1) < num : !(flags & 1);
}

/*
 * All that the device sent was signalled and taken: what is missing got lost behind the notifier.
 * (What an irqfd injected does not tell: it counts anew when a mask takes it off and puts it back.)
 */
static bool
all_taken(const struct queue_findings *q)
{
	return q->has_guest && q->guest.reads && q->guest.signals >= q->status.interrupts;
}

/* The guest notifier brings an interrupt to the driver now: so what was lost, and where? */
static void
lost_before_or_after(const struct queue_findings *q, char *what, size_t size)
{
	const struct dp_state *r = &q->status.ring;
	bool wanted = asked(r->event_idx, r->used_event, r->used_idx, q->status.vring_num,
			    r->avail_flags);

	if (q->has_guest && q->guest.count)
		snprintf(what, size,
			 "the interrupt: the notifier was signalled, and nobody took it on");
	else if (!wanted)
		snprintf(what, size,
			 "the interrupt, before the guest notifier: the ring says that "
			 "none is wanted");
	else if (all_taken(q))
		snprintf(what, size,
			 "the interrupt, after the guest notifier: it was signalled and "
			 "taken from there, and no handler has looked since");
	else
		snprintf(what, size,
			 "the interrupt, before the guest notifier: the ring asks for "
			 "it, "
			 "and the device did not send it");
}

/* The driver was not told of what it has not seen. */
static void
lost_call(const struct queue_findings *q, char *what, size_t size)
{
	bool eventfd = recovers(q, ATTEMPT_CALL, DEBUG_EVENTFD);

	if (q->has_guest && q->guest.has_vector && q->guest.masked)
		snprintf(what, size, "the mask: vector %u is masked%s%s", q->guest.vector,
			 q->guest.pending ? ", and an interrupt is pending behind it" : "",
			 eventfd ? "; a write to the guest notifier passes it" : "");
	else if (eventfd)
		lost_before_or_after(q, what, size);
	else if (q->has_guest && q->guest.irqfd && q->guest.route.type == IRQROUTE_NONE)
		snprintf(what, size, "the route: GSI %u leads nowhere", q->guest.gsi);
	else
		snprintf(what, size, "the interrupt, between the guest notifier and the vector");
}

/* The device was not told of what is available. */
static void
lost_kick(const struct queue_findings *q, char *what, size_t size)
{
	const struct debug_queue_status *s = &q->status;
	const struct dp_state *r = &s->ring;
	bool wanted =
		asked(r->event_idx, r->avail_event, r->avail_idx, s->vring_num, r->used_flags);

	/* vhost does not read the counter: it is the number of kicks ever. */
	bool reads = s->owner == VIRTIO_OWNER_MAIN_LOOP || s->owner == VIRTIO_OWNER_IOTHREAD;

	if (recovers(q, ATTEMPT_KICK, DEBUG_DOORBELL) && reads && q->has_host && q->host.count)
		snprintf(what, size, "the kick: the notifier was signalled, and nobody took it");
	else if (recovers(q, ATTEMPT_KICK, DEBUG_DOORBELL))
		snprintf(what, size, "the kick: %s; the way from the doorbell is whole now",
			 wanted ? "the ring asks for it, and it was not sent or vanished on its way"
				: "the ring says that none is wanted, so it was not sent");
	else if (recovers(q, ATTEMPT_KICK, DEBUG_EVENTFD))
		snprintf(
			what, size,
			"the kick, between doorbell and notifier: the doorbell is %s, an ioeventfd "
			"is %s",
			s->doorbell_decoded ? "decoded" : "not decoded",
			s->ioeventfd_assigned ? "assigned" : "not assigned");
	else
		snprintf(what, size, "the kick, after the notifier: %s",
			 s->owner ? "who serves the queue does not listen"
				  : "nobody serves the queue");
}

static void
tell_evidence(const struct queue_findings *q, char *text, size_t size)
{
	const struct debug_queue_status *s = &q->status;
	const struct dp_state *r = &s->ring;

	snprintf(text, size,
		 "avail_idx %u, last_avail_idx %u, used_idx %u, inuse %u; avail_event %u, "
		 "used_event %u, avail_flags %u, used_flags %u; kicks %" PRIu64
		 ", interrupts %" PRIu64 "; host notifier count %" PRIu64 " of %" PRIu64
		 " signals, guest notifier count %" PRIu64 " of %" PRIu64,
		 r->avail_idx, r->last_avail_idx, r->used_idx, s->inuse, r->avail_event,
		 r->used_event, r->avail_flags, r->used_flags, s->kicks, s->interrupts,
		 q->has_host ? q->host.count : 0, q->has_host ? q->host.signals : 0,
		 q->has_guest ? q->guest.count : 0, q->has_guest ? q->guest.signals : 0);
}

/* Nothing helps: is it the queue itself? */
static bool
stuck(const struct queue_findings *q, char *what, size_t size)
{
	const struct debug_queue_status *s = &q->status;
	unsigned read = (uint16_t)(s->ring.last_avail_idx - s->ring.used_idx);

	if (read > s->inuse)
		snprintf(what, size,
			 "no notification; the ring: the device has read %u buffers past "
			 "used_idx, and only %u are in flight",
			 read, s->inuse);
	else if (s->inuse)
		snprintf(what, size,
			 "no notification; the device: it has %u buffers in flight and "
			 "does not use them",
			 s->inuse);
	return read > s->inuse || s->inuse;
}

bool
diagnosis_make(const struct queue_findings *q, char *what, size_t what_size, char *evidence,
	       size_t evidence_size)
{
	bool by[ATTEMPT_KINDS] = { false, false };

	for (unsigned kind = 0; kind < ATTEMPT_KINDS; kind++)
		for (unsigned level = 0; level < DEBUG_LEVELS; level++)
			by[kind] |= recovers(q, (enum attempt_kind)kind, (enum debug_level)level);
	if (!by[ATTEMPT_CALL] && !by[ATTEMPT_KICK]) {
		if (!stuck(q, what, what_size))
			return false;
		tell_evidence(q, evidence, evidence_size);
		return true;
	}
	/* A kick may recover a driver that misses an interrupt, for the device then looks again at
	 * what it owes; a call gives the device nothing.  So a call that helps says more. */
	if (by[ATTEMPT_CALL])
		lost_call(q, what, what_size);
	else
		lost_kick(q, what, what_size);
	tell_evidence(q, evidence, evidence_size);
	return true;
}
