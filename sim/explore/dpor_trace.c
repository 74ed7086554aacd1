/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Happens-before and races.
 *
 * The clock of an event has for each process 1 + the last of its events that is before it.  Edges:
 *	- to the next event of the same process;
 *	- from the event that woke or made the process, if it did not run since: such a pair cannot
 *	  be turned round, so it is no race;
 *	- from all events before time went on;
 *	- from the event that put a store into the buffer to the one that makes it visible, and from
 *	  that to a fence of the actor;
 *	- between dependent steps (dpor_footprint.c).
 *
 * A load that was forwarded from the buffer becomes a reader of its bytes at the moment when the
 * store that it saw becomes visible, with its own clock: stores of others that become visible later
 * come after it, earlier ones say nothing about it (the chronological traces of Abdulla et al.,
 * Stateless Model Checking for TSO and PSO, TACAS 2015).
 *
 * A race is a dependent pair with nothing between the two but the pair itself.  Candidates are
 * therefore looked at from the latest to the earliest, each one that is not yet before the event is
 * a race, and its clock is joined.  They stand in lists: one for each granule of memory, one of the
 * effects, one of the steps that are too big for granules.
 *
 * For a race of e and e' the exploration must also, before e, begin with one of the *initials* of
 * what is not after e, with e' at its end: the processes whose first event there has no other one
 * before it (Abdulla, Aronis, Jonsson, Sagonas: Optimal Dynamic Partial Order Reduction, POPL 2014:
 * source sets).
 */
#include "base/must.h"
#include "explore/dpor.h"

#define GRANULE_SHIFT 3
#define SMALL_GRANULES 2u

static void
join(const struct dpor *d, uint32_t *clock, uint32_t event)
{
	const uint32_t *other = dpor_clock(d, event);

	for (unsigned i = 0; i < d->processes; i++)
		if (other[i] > clock[i])
			clock[i] = other[i];
}

static uint32_t
list_of(uint64_t granule)
{
	return (uint32_t)(granule ^ granule >> 10) % DPOR_LISTS;
}

/* --- races ---------------------------------------------------------------------------------- */

/* The initials of what is not after @e, with @last, whose clock is @clock, at its end. */
static uint64_t
initials(const struct dpor *d, uint32_t e, uint32_t last)
{
	uint32_t first[DPOR_PROCESSES_MAX];
	unsigned racer = d->event[e].process;
	uint64_t seen = 0, found = 0;

	for (uint32_t k = e + 1; k <= last; k++) {
		const uint32_t *clock = dpor_clock(d, k);
		unsigned p = d->event[k].process;
		bool initial = true;

		if ((k != last && clock[racer] > e) || seen & dpor_bit(p))
			continue;
		for (uint64_t rest = seen; rest && initial; rest &= rest - 1) {
			unsigned q = (unsigned)__builtin_ctzll(rest);

			initial = clock[q] <= first[q];
		}
		seen |= dpor_bit(p);
		first[p] = k;
		if (initial)
			found |= dpor_bit(p);
	}
	return found;
}

static void
race(struct dpor *d, uint32_t event, uint32_t last)
{
	uint32_t e = dpor_place(d, event);
	struct dpor_event *at = &d->event[e];
	uint64_t known = at->backtrack | at->sleep, found;

	if (!(at->enabled & ~known))
		return;
	found = initials(d, e, last);
	if (found & known)
		return;
	found &= at->enabled;
	/* Not to be, as what is needed to be enabled is an edge; all of them are always right. */
	at->backtrack |= found ? found & -found : at->enabled;
}

/* @e is dependent with @last, and before it in the run. */
static void
meet(struct dpor *d, uint32_t e, uint32_t last, uint32_t *clock)
{
	if (clock[d->event[e].process] > e)
		return;
	race(d, e, last);
	join(d, clock, e);
}

/* --- candidates ----------------------------------------------------------------------------- */

static uint64_t
first_granule(const struct dpor_span *s)
{
	return s->at >> GRANULE_SHIFT;
}

static uint64_t
last_granule(const struct dpor_span *s)
{
	return (s->at + s->bytes - 1) >> GRANULE_SHIFT;
}

static bool
is_small(const struct dpor_footprint *f)
{
	if (f->all || f->spans > 1)
		return false;
	return !f->spans || last_granule(&f->span[0]) - first_granule(&f->span[0]) < SMALL_GRANULES;
}

static void
meet_all(struct dpor *d, uint32_t i, uint32_t *clock)
{
	const struct dpor_event *e = &d->event[i];

	for (uint32_t k = i; k-- > e->barrier;) {
		const struct dpor_event *other = &d->event[k];
		struct dpor_footprint f = other->footprint;

		/* Visible by now or not: more order than there is, for such steps. */
		for (unsigned s = 0; s < f.spans; s++)
			f.span[s].how &= (uint8_t)~WATCH_FORWARDED;
		if (other->process != e->process &&
		    dpor_conflict(d, e->process, &e->footprint, other->process, &f))
			meet(d, k, i, clock);
	}
}

/* What is to be looked at next in each list; DPOR_NONE: nothing. */
struct cursors {
	uint32_t node[SMALL_GRANULES];
	uint32_t effect, big;
};

static uint32_t
node_place(const struct dpor *d, uint32_t node)
{
	return node == DPOR_NONE ? 0 : d->node[node].at + 1;
}

/*
 * Where a store covers all of @s, what is before it in the list and dependent with a step on @s is
 * before the store, too, and need not be looked at.  The loads that saw the store in the buffer
 * stand behind it, at its place.
 */
static uint32_t
next_node(const struct dpor *d, const struct dpor_node *node, const struct dpor_span *s)
{
	const struct dpor_span *t = &node->span;
	bool hides = node->at == node->event && t->how & WATCH_STORE && t->at <= s->at &&
		     t->at + t->bytes >= s->at + s->bytes;

	if (hides && node->next != DPOR_NONE && d->node[node->next].at != node->at)
		return DPOR_NONE;
	return node->next;
}

static void
meet_node(struct dpor *d, uint32_t *cursor, uint32_t i, uint32_t *clock)
{
	const struct dpor_event *e = &d->event[i];
	const struct dpor_node *node = &d->node[*cursor];
	const struct dpor_span *s = &e->footprint.span[0], *t = &node->span;
	bool overlap = t->at < s->at + s->bytes && s->at < t->at + t->bytes;

	*cursor = next_node(d, node, s);
	if (overlap && (s->how | t->how) & (WATCH_STORE | WATCH_CHOICE) &&
	    d->process[d->event[node->event].process].owner != d->process[e->process].owner)
		meet(d, node->event, i, clock);
}

static void
meet_big(struct dpor *d, uint32_t *cursor, uint32_t i, uint32_t *clock)
{
	const struct dpor_event *e = &d->event[i], *other = &d->event[*cursor];
	struct dpor_footprint f = e->footprint;
	uint32_t k = *cursor;

	*cursor = other->big_before;
	if (other->process != e->process &&
	    dpor_conflict(d, e->process, &f, other->process, &other->footprint))
		meet(d, k, i, clock);
}

static void
meet_listed(struct dpor *d, uint32_t i, uint32_t *clock)
{
	const struct dpor_event *e = &d->event[i];
	const struct dpor_footprint *f = &e->footprint;
	struct cursors c = { { DPOR_NONE, DPOR_NONE }, DPOR_NONE, d->bigs };

	if (f->effect)
		c.effect = d->effects;
	if (f->spans && !(f->span[0].how & WATCH_FORWARDED)) {
		uint32_t first = list_of(first_granule(&f->span[0]));
		uint32_t last = list_of(last_granule(&f->span[0]));

		c.node[0] = d->list[first];
		c.node[1] = last != first ? d->list[last] : DPOR_NONE;
	}
	for (;;) {
		uint32_t place0 = node_place(d, c.node[0]), place1 = node_place(d, c.node[1]);
		uint32_t effect = c.effect + 1, big = c.big + 1; /* NONE + 1 is 0 */
		uint32_t nodes = place0 > place1 ? place0 : place1;
		uint32_t events = effect > big ? effect : big;

		if ((nodes > events ? nodes : events) <= e->barrier)
			break;
		if (nodes >= events) {
			meet_node(d, &c.node[place1 > place0], i, clock);
		} else if (effect >= big) {
			if (d->event[c.effect].process != e->process)
				meet(d, c.effect, i, clock);
			c.effect = DPOR_NONE; /* all earlier ones are before this one */
		} else {
			meet_big(d, &c.big, i, clock);
		}
	}
}

/* --- lists ---------------------------------------------------------------------------------- */

static void
list_span(struct dpor *d, uint32_t event, uint32_t at, const struct dpor_span *s)
{
	uint64_t last = last_granule(s);
	uint32_t listed = DPOR_NONE;

	for (uint64_t g = first_granule(s); g <= last; g++) {
		uint32_t list = list_of(g);

		if (list == listed)
			continue;
		listed = list;
		d->node = dpor_grow(d->node, &d->node_capacity, d->nodes + 1, sizeof(*d->node));
		d->node[d->nodes] = (struct dpor_node){ event, at, d->list[list], list, *s };
		d->list[list] = d->nodes++;
	}
}

static void
list_readers(struct dpor *d, uint32_t i)
{
	const struct dpor_event *e = &d->event[i];
	const struct dpor_buffer *b = &d->process[e->buffer_of].buffer;

	for (uint32_t k = 0; k < b->readers; k++)
		if (b->reader[k].entry - e->entry < e->entries)
			list_span(d, b->reader[k].event, i, &b->reader[k].span);
}

static void
list_event(struct dpor *d, uint32_t i)
{
	struct dpor_event *e = &d->event[i];
	const struct dpor_footprint *f = &e->footprint;

	e->nodes = d->nodes;
	e->effect_before = d->effects;
	e->big_before = d->bigs;
	e->in_effects = f->effect || f->all;
	if (e->in_effects)
		d->effects = i;
	e->in_big = !is_small(f);
	/* Loads that were forwarded first: the store itself is looked at before them. */
	if (e->entries)
		list_readers(d, i);
	if (e->in_big)
		d->bigs = i;
	else if (f->spans && !(f->span[0].how & WATCH_FORWARDED))
		list_span(d, i, i, &f->span[0]);
}

void
dpor_trace_undo(struct dpor *d, uint32_t event)
{
	struct dpor_event *e = &d->event[event];

	while (d->nodes > e->nodes) {
		const struct dpor_node *node = &d->node[--d->nodes];

		d->list[node->list] = node->next;
	}
	d->effects = e->effect_before;
	d->bigs = e->big_before;
}

/* --- a new event ---------------------------------------------------------------------------- */

/* Its clock before races: the edges that cannot be turned round. */
static void
clock_begin(struct dpor *d, const struct dpor_event *e, uint32_t *clock)
{
	if (e->previous == DPOR_NONE) {
		for (unsigned i = 0; i < d->processes; i++)
			clock[i] = 0;
	} else {
		const uint32_t *from = dpor_clock(d, e->previous);

		for (unsigned i = 0; i < d->processes; i++)
			clock[i] = from[i];
	}
	if (e->woken_by != DPOR_NONE)
		join(d, clock, e->woken_by);
	if (e->stored_by != DPOR_NONE)
		join(d, clock, e->stored_by);
	for (unsigned i = 0; e->fence && i < d->processes; i++)
		if (i != e->process && d->process[i].owner == e->process && d->last[i] != DPOR_NONE)
			join(d, clock, d->last[i]);
}

void
dpor_trace_append(struct dpor *d, uint32_t event)
{
	struct dpor_event *e = &d->event[event];
	uint32_t *clock = dpor_clock(d, event);

	clock_begin(d, e, clock);
	for (uint64_t rest = e->footprint.stops; rest; rest &= rest - 1) {
		uint32_t last = d->last[__builtin_ctzll(rest)];

		if (last != DPOR_NONE && last != event && last >= e->barrier)
			meet(d, last, event, clock);
	}
	if (is_small(&e->footprint))
		meet_listed(d, event, clock);
	else
		meet_all(d, event, clock);
	/* Let go again by an edge that cannot be turned round, but it could have been first. */
	if (e->held_by != DPOR_NONE && e->held_by >= e->barrier)
		race(d, e->held_by, event);
	clock[e->process] = event + 1;
	list_event(d, event);
}
