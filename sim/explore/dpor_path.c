/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The path: places and steps, how a step begins and ends, and which path is next. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/dpor.h"

void
dpor_unlike(struct dpor *d, const char *what)
{
	if (!d->base.error.text[0])
		error_set(&d->base.error, "after the same steps, step %" PRIu32 " of a run %s",
			  d->at + 1, what);
}

/* --- the path ------------------------------------------------------------------------------- */

struct dpor_event *
dpor_push(struct dpor *d, uint64_t enabled, uint32_t n)
{
	uint32_t i = d->count, was = d->capacity;
	struct dpor_event *e;

	d->event = dpor_grow(d->event, &d->capacity, i + 1, sizeof(*d->event));
	if (d->capacity != was) {
		size_t words = (size_t)d->capacity * DPOR_PROCESSES_MAX;
		size_t old = (size_t)was * DPOR_PROCESSES_MAX;

		must(d->clock = realloc(d->clock, words * sizeof(*d->clock)));
		memset(d->clock + old, 0, (words - old) * sizeof(*d->clock));
	}
	d->count++;
	e = &d->event[i];
	e->enabled = enabled;
	e->sleep = e->backtrack = e->done = 0;
	e->first_sleeper = d->sleepers;
	e->sleepers = 0;
	e->asked = n > 1;
	e->split = false;
	e->n = (uint16_t)n;
	e->answer = 0;
	e->opens = i ? d->event[i - 1].opens + d->event[i - 1].asked : 0;
	e->sum = (struct dpor_footprint){ 0 };
	if (i)
		dpor_sleep_inherit(d, e, i - 1);
	return e;
}

void
dpor_pop(struct dpor *d)
{
	d->count--;
	d->sleepers = d->event[d->count].first_sleeper;
}

bool
dpor_may_go_on(struct dpor *d, const struct dpor_event *e)
{
	uint32_t before = d->count > 1 ? e[-1].opens : 0;

	d->blocked = !(e->enabled & ~e->sleep);
	if (!d->blocked && d->shards > 1 && before < d->prefix_opens && e->opens == d->prefix_opens)
		d->blocked = d->skipped = d->prefixes++ % d->shards != d->shard;
	if (d->blocked)
		dpor_pop(d);
	return !d->blocked;
}

void
dpor_finish(struct dpor *d, struct world *w)
{
	struct dpor_event *e, *place;

	if (d->at == DPOR_NONE || d->at < d->fixed)
		return;
	e = &d->event[d->at];
	if (!d->sealed)
		e->footprint.effect |= world_take_effect(w);
	if (!d->plain)
		e->footprint.effect = true;
	place = &d->event[dpor_place(d, d->at)];
	if (e->footprint.all)
		place->backtrack |= place->enabled;
	place->backtrack |= place->enabled & e->footprint.stops;
	dpor_trace_append(d, d->at);
	dpor_footprint_join(&e->sum, &e->footprint);
	d->fixed = d->at + 1;
}

void
dpor_replay_event(struct dpor *d, struct process process)
{
	uint32_t i = d->at + 1;
	unsigned p = d->event[i].process;

	if (dpor_process_number(d, process) != p) {
		dpor_unlike(d, "was another actor's");
		d->blocked = true;
		return;
	}
	d->accessed = false;
	d->last[p] = i;
	d->woken_by[p] = d->held_by[p] = DPOR_NONE;
	d->at = i;
}

void
dpor_begin_event(struct dpor *d, struct world *w, unsigned p)
{
	uint32_t i = d->at + 1;
	struct dpor_event *e = &d->event[i];

	if (e->process != p) {
		dpor_unlike(d, "was another actor's");
		d->blocked = true;
		return;
	}
	if (i == d->fixed) {
		memset(&e->footprint, 0, sizeof(e->footprint));
		e->previous = d->last[p];
		e->woken_by = d->woken_by[p];
		e->held_by = d->held_by[p];
		e->stored_by = DPOR_NONE;
		e->entries = 0;
		e->barrier = d->barrier;
		e->fence = false;
		d->plain = d->process[p].p.kind == PROCESS_ACTOR &&
			   actor_is_ring_only(d->process[p].p.id);
		d->sealed = false;
		world_take_effect(w);
	}
	d->accessed = false;
	d->last[p] = i;
	d->woken_by[p] = d->held_by[p] = DPOR_NONE;
	d->at = i;
}

/* --- from one run to the next --------------------------------------------------------------- */

/* The last event again, with another outcome or another process: out of the lists with it. */
static void
take_back(struct dpor *d)
{
	d->fixed = d->count - 1;
	dpor_trace_undo(d, d->fixed);
}

bool
dpor_advance(struct dpor *d)
{
	while (d->count) {
		struct dpor_event *e = &d->event[d->count - 1];
		struct dpor_choice *c = d->choices ? &d->choice[d->choices - 1] : NULL;
		uint64_t left;

		take_back(d);
		if (c && c->event == d->count - 1) {
			if (c->answer + 1 < c->n) {
				c->answer++;
				return true;
			}
			d->choices--;
			/* As if it had run: the choice before it may have more answers. */
			continue;
		}
		e->done |= dpor_bit(e->process);
		dpor_sleep_add(d, e);
		left = e->backtrack & ~e->done & ~e->sleep;
		if (left) {
			e->process = (uint8_t)__builtin_ctzll(left);
			e->sum = (struct dpor_footprint){ 0 };
			return true;
		}
		dpor_pop(d);
	}
	return false;
}

double
dpor_explored(const struct dpor *d)
{
	double done = 0, weight = 1;
	uint32_t c = 0;

	for (uint32_t i = 0; i < d->count; i++) {
		const struct dpor_event *e = &d->event[i];
		uint64_t branches = e->backtrack & ~e->sleep;
		int n = __builtin_popcountll(branches | e->done);

		if (n > 1) {
			done += weight * __builtin_popcountll(e->done) / n;
			weight /= n;
		}
		for (; c < d->choices && d->choice[c].event == i; c++) {
			done += weight * d->choice[c].answer / d->choice[c].n;
			weight /= d->choice[c].n;
		}
	}
	return done + weight;
}
