/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which steps commute, and sleep sets.
 *
 * Two steps of different processes are dependent if
 *	- both have an effect (models: they may touch anything of each other's), or
 *	- their accesses overlap and one of them is a store that becomes visible, or
 *	- one of them takes the other's process from the ready queue.
 *
 * An actor and its own store buffer are not dependent through memory: whether the load comes before
 * or after the store becomes visible, it sees that store.  What it takes from the buffer is its own
 * until then; so a load that is forwarded conflicts with nothing (dpor_trace.c has the rest).
 */
#include <stdlib.h>

#include "base/must.h"
#include "explore/dpor.h"

void *
dpor_grow(void *array, uint32_t *capacity, uint32_t count, size_t size)
{
	if (count > *capacity) {
		while (count > *capacity)
			*capacity = *capacity ? *capacity * 2 : 64;
		must(array = realloc(array, *capacity * size));
	}
	return array;
}

void
dpor_footprint_add(struct dpor_footprint *f, uint64_t at, uint64_t bytes, unsigned how)
{
	if (!bytes)
		return;
	if (f->spans == DPOR_SPANS || bytes > UINT32_MAX)
		f->all = true;
	else
		f->span[f->spans++] = (struct dpor_span){ at, (uint32_t)bytes, (uint8_t)how };
}

void
dpor_footprint_join(struct dpor_footprint *into, const struct dpor_footprint *f)
{
	into->stops |= f->stops;
	into->effect |= f->effect;
	into->all |= f->all;
	for (unsigned i = 0; i < f->spans; i++) {
		const struct dpor_span *s = &f->span[i];
		bool known = false;

		for (unsigned j = 0; j < into->spans; j++)
			known |= into->span[j].at == s->at && into->span[j].bytes == s->bytes &&
				 into->span[j].how == s->how;
		if (!known)
			dpor_footprint_add(into, s->at, s->bytes, s->how);
	}
}

static bool
spans_conflict(const struct dpor_span *a, const struct dpor_span *b)
{
	if (a->at >= b->at + b->bytes || b->at >= a->at + a->bytes)
		return false;
	return (a->how | b->how) & (WATCH_STORE | WATCH_CHOICE) &&
	       !((a->how | b->how) & WATCH_FORWARDED);
}

bool
dpor_conflict(const struct dpor *d, unsigned p, const struct dpor_footprint *a, unsigned q,
	      const struct dpor_footprint *b)
{
	if (a->all || b->all || (a->effect && b->effect))
		return true;
	if ((a->stops & dpor_bit(q)) || (b->stops & dpor_bit(p)))
		return true;
	if (d->process[p].owner == d->process[q].owner)
		return false;
	for (unsigned i = 0; i < a->spans; i++)
		for (unsigned j = 0; j < b->spans; j++)
			if (spans_conflict(&a->span[i], &b->span[j]))
				return true;
	return false;
}

/* --- sleep sets ----------------------------------------------------------------------------- */

/*
 * The actor's own store became visible while it slept: a load that would have been forwarded reads
 * memory now, unless a later store of its own still stands in the buffer.
 */
static void
sleeper_flushed(const struct dpor *d, struct dpor_sleeper *s)
{
	for (unsigned i = 0; i < s->footprint.spans; i++) {
		struct dpor_span *span = &s->footprint.span[i];

		if (span->how & WATCH_FORWARDED &&
		    !dpor_buffer_covers(&d->process[s->process].buffer, span->at, span->bytes))
			span->how &= (uint8_t)~WATCH_FORWARDED;
	}
}

void
dpor_sleep_inherit(struct dpor *d, struct dpor_event *next, uint32_t event)
{
	const struct dpor_event *e = &d->event[event];
	unsigned p = e->process;
	bool flush = d->process[p].p.kind == PROCESS_FLUSH;

	next->first_sleeper = d->sleepers;
	d->sleeper = dpor_grow(d->sleeper, &d->sleeper_capacity, d->sleepers + e->sleepers,
			       sizeof(*d->sleeper));
	for (uint32_t i = 0; i < e->sleepers; i++) {
		const struct dpor_sleeper *from = &d->sleeper[e->first_sleeper + i];
		unsigned q = from->process;

		if (q == p || dpor_conflict(d, q, &from->footprint, p, &e->footprint))
			continue;
		d->sleeper[d->sleepers] = *from;
		if (flush && d->process[p].owner == q)
			sleeper_flushed(d, &d->sleeper[d->sleepers]);
		d->sleepers++;
		next->sleep |= dpor_bit(q);
	}
	next->sleepers = d->sleepers - next->first_sleeper;
}

void
dpor_sleep_add(struct dpor *d, struct dpor_event *e)
{
	d->sleepers = e->first_sleeper + e->sleepers;
	d->sleeper =
		dpor_grow(d->sleeper, &d->sleeper_capacity, d->sleepers + 1, sizeof(*d->sleeper));
	d->sleeper[d->sleepers++] = (struct dpor_sleeper){ e->process, e->sum };
	e->sleepers++;
}
