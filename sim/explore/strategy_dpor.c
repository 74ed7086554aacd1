/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dpor`: one schedule of each class of schedules that differ only in the order of steps that
 * commute (dynamic partial-order reduction: source sets and sleep sets; Abdulla, Aronis, Jonsson,
 * Sagonas, POPL 2014).
 *
 * A class is what happened before what: who wrote last before each load, in which order stores to
 * one place became visible, in which order models met.  Every schedule of a class ends in the same
 * state, so one of them is enough, and the number of executions is the number of classes.
 *
 *	the run           each step goes to the first process that can go on and does not sleep
 *	after each step   dpor_trace.c looks for races with earlier steps; each asks an earlier
 *	                  place to begin with another process, too (`backtrack`)
 *	after the run     from the end of the path: the process that was taken there is done and
 *	                  sleeps; if another one is asked for, it is taken, and the world is run
 *	                  again
 *
 * A process sleeps from where it was explored until a step is made that its own depends on: up to
 * there every schedule with it next is one that was run already.  Where all that can go on sleeps,
 * the run is cut off: not judged, not counted.
 *
 * Steps come from the engine's watch (engine/watch.h).  What is no question of who goes on (an
 * outcome, the value of a stale load) is enumerated within the step.  A step that ends the run is
 * dependent with everything: it takes away all that others could do.
 *
 * Shards share a prefix: up to a number of questions that depends on N alone every process that
 * does not sleep is taken, so that what comes behind one prefix asks nothing of another one; the
 * prefixes are numbered as they come, and shard I runs those with number % N == I.  Classes are
 * split, not repeated: the sum over all shards is what one process finds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/dpor.h"

/* Prefixes for each shard, as a power of two if each question had two answers. */
#define PREFIX_OPENS 6u

/* --- answers -------------------------------------------------------------------------------- */

static uint32_t
choose_within(struct dpor *d, uint32_t n)
{
	struct dpor_choice *c;

	if (d->choice_at == d->choices) {
		d->choice = dpor_grow(d->choice, &d->choice_capacity, d->choices + 1,
				      sizeof(*d->choice));
		d->choice[d->choices++] = (struct dpor_choice){ 0, (uint16_t)n, d->at };
	}
	c = &d->choice[d->choice_at++];
	if (c->n == n && c->event == d->at)
		return c->answer;
	dpor_unlike(d, "asked for another outcome");
	d->blocked = true;
	return 0;
}

/* A new place: what could go on, and the first of it that does not sleep. */
static uint32_t
choose_new(struct dpor *d, const struct world *w, uint32_t n)
{
	uint8_t process[CHOICE_N_MAX > 512 ? 512 : CHOICE_N_MAX];
	uint64_t enabled = 0;
	struct dpor_event *e;
	uint32_t answer = 0;

	for (uint32_t i = 0; i < n && i < sizeof(process); i++) {
		process[i] = (uint8_t)dpor_process_number(d, world_alternative_process(w, i));
		enabled |= dpor_bit(process[i]);
	}
	e = dpor_push(d, enabled, n);
	if (!dpor_may_go_on(d, e))
		return 0;
	if (d->shards > 1 && e->opens < d->prefix_opens)
		e->backtrack = enabled;
	while (e->sleep & dpor_bit(process[answer]))
		answer++;
	e->process = process[answer];
	e->answer = (uint16_t)answer;
	e->backtrack |= dpor_bit(e->process);
	return answer;
}

/* The process that the path has here now. */
static uint32_t
choose_again(struct dpor *d, const struct world *w, struct dpor_event *e)
{
	for (uint32_t i = 0; i < e->n; i++) {
		if (dpor_process_number(d, world_alternative_process(w, i)) == e->process) {
			e->answer = (uint16_t)i;
			return i;
		}
	}
	dpor_unlike(d, "was another question");
	d->blocked = true;
	return 0;
}

static uint32_t
choose_who(struct dpor *d, struct world *w, uint32_t n)
{
	struct dpor_event *e;

	dpor_finish(d, w);
	if (d->at + 1 == d->count)
		return choose_new(d, w, n);
	e = &d->event[d->at + 1];
	if (e->n != n) {
		dpor_unlike(d, "had another number of processes that could go on");
		d->blocked = true;
		return 0;
	}
	return d->at + 1 < d->fixed ? e->answer : choose_again(d, w, e);
}

static uint32_t
dpor_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct dpor *d = (struct dpor *)self;
	uint32_t answer = 0;

	if (!d->blocked && (kind == CHOICE_ACTOR || kind == CHOICE_TIE))
		answer = choose_who(d, w, n);
	else if (!d->blocked)
		answer = choose_within(d, n);
	if (d->too_many)
		world_fail(w, "dpor follows at most %u actors and callbacks", DPOR_PROCESSES_MAX);
	if (d->blocked)
		world_stop(w, STOP_ASKED);
	return answer;
}

static bool
dpor_begin(struct strategy *s, struct world *w, uint64_t index)
{
	struct dpor *d = (struct dpor *)s;

	(void)index;
	if (!d->exhausted && d->begun && !dpor_advance(d))
		d->exhausted = true;
	if (d->exhausted) {
		s->tally.open = 0;
		s->left_out = d->limited;
		return false;
	}
	d->begun = true;
	d->at = DPOR_NONE;
	d->choice_at = d->barrier = 0;
	d->blocked = d->skipped = false;
	dpor_process_reset(d);
	world_set_chooser(w, &s->chooser);
	world_set_watch(w, &d->watch);
	return true;
}

/*
 * A process that was kept from going on and never did: what it would have met is not known, so all
 * that could have come before the step that held it does.
 */
static void
held_for_ever(struct dpor *d)
{
	for (unsigned i = 0; i < d->processes; i++) {
		if (d->held_by[i] != DPOR_NONE && d->held_by[i] < d->count) {
			struct dpor_event *e = &d->event[dpor_place(d, d->held_by[i])];

			e->backtrack |= e->enabled;
		}
	}
}

static void
dpor_end(struct strategy *s, struct world *w, enum stop stop)
{
	struct dpor *d = (struct dpor *)s;

	s->repeated = d->blocked;
	if (!d->blocked && stop != STOP_ERROR) {
		if (d->at != DPOR_NONE && d->at >= d->fixed && stop == STOP_ASKED)
			d->event[d->at].footprint.all = true;
		dpor_finish(d, w);
		held_for_ever(d);
		if (d->at + 1 < d->count)
			dpor_unlike(d, "was not there");
		/* A run that ended within the prefix is a prefix of its own. */
		if (d->shards > 1 && d->count && d->event[d->count - 1].opens < d->prefix_opens)
			s->repeated = d->prefixes++ % d->shards != d->shard;
		d->limited |= stop == STOP_STEPS || stop == STOP_TIME;
	}
	world_set_watch(w, NULL);
	if (!s->repeated)
		d->executions++;
	else if (!d->skipped)
		d->cut++;
	s->tally = (struct strategy_tally){
		.schedules = d->executions, .cut = d->cut, .open = 1, .limited = d->limited
	};
}

/* --- what it says --------------------------------------------------------------------------- */

static void
dpor_state(const struct strategy *s, char *text, size_t size)
{
	const struct dpor *d = (const struct dpor *)s;
	const struct strategy_tally *t = &s->tally;
	char shard[48] = "", cut[64] = "";

	if (d->shards > 1)
		snprintf(shard, sizeof(shard), " in shard %" PRIu32 "/%" PRIu32, d->shard,
			 d->shards);
	if (t->cut)
		snprintf(cut, sizeof(cut), " (%" PRIu64 " more were cut off by sleep sets)",
			 t->cut);
	snprintf(text, size, "%s: %" PRIu64 " executions%s%s",
		 t->open      ? "not complete"
		 : t->limited ? "exhausted within the limit of steps or time"
			      : "complete",
		 t->schedules, shard, cut);
}

static double
dpor_behind(const struct strategy *s)
{
	const struct dpor *d = (const struct dpor *)s;

	return d->begun ? dpor_explored(d) : 0;
}

static struct strategy *
dpor_create(const struct strategy_config *config, struct error *err)
{
	struct dpor *d = calloc(1, sizeof(*d));

	if (!d) {
		error_set(err, "out of memory");
		return NULL;
	}
	d->base.chooser.choose = dpor_choose;
	d->watch = dpor_watch;
	for (unsigned i = 0; i < DPOR_LISTS; i++)
		d->list[i] = DPOR_NONE;
	d->effects = d->bigs = DPOR_NONE;
	d->shard = config->shard;
	d->shards = config->shards ? config->shards : 1;
	d->prefix_opens = PREFIX_OPENS;
	while (UINT64_C(1) << (d->prefix_opens - PREFIX_OPENS) < d->shards)
		d->prefix_opens++;
	return &d->base;
}

static void
dpor_destroy(struct strategy *s)
{
	struct dpor *d = (struct dpor *)s;

	dpor_process_free(d);
	free(d->event);
	free(d->clock);
	free(d->choice);
	free(d->sleeper);
	free(d->node);
	free(d);
}

const struct strategy_ops strategy_dpor = {
	.name = "dpor",
	.what = "all schedules up to the order of steps that commute: complete, and counted",
	.exhaustive = true,
	.partitions = true,
	.create = dpor_create,
	.begin = dpor_begin,
	.end = dpor_end,
	.explored = dpor_behind,
	.state = dpor_state,
	.destroy = dpor_destroy,
};
