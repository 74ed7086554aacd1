/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `pct`: probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A
 * Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010).
 *
 * The actors get random priorities, and the one with the highest goes on.  d - 1 change points are
 * drawn among k questions: at the i-th of them the actor that would go on gets priority i, below
 * all that were drawn, and the question is decided anew.  With n actors such a schedule finds a bug
 * of depth d with a probability of at least 1 / (n k^(d-1)).
 *
 * What the letters are here:
 *	k	counts the questions "who goes on?".  Where nobody else is ready nothing is asked:
 *		a change there would first be felt at the next question that the lowered actor
 *		wins, and is drawn as a change at that one.
 *	n	counts the actors that took part in a question; callbacks of timers are one more
 *		(strategy_priority.h), so an order among callbacks is outside of the bound.
 * Both are the largest of ESTIMATE_RUNS runs, made before the first schedule from seeds of their
 * own: every process finds the same, and shards agree.  A run may turn out longer; the statement
 * then says which questions had no change points.
 *
 * Answers that are no scheduling (outcomes, stores, loads) are drawn uniformly: the bound is for a
 * bug that scheduling alone decides.
 *
 * Actors that wait busily fall below all others now and then (priorities_be_patient()).  The paper
 * knows no such thing: its bound is that of runs without it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "explore/strategy.h"
#include "explore/strategy_priority.h"

#define DEPTH_MAX 5u
#define ESTIMATE_RUNS 8u

struct pct {
	struct strategy base;
	struct priorities priorities;
	uint64_t seed;
	unsigned depth;
	uint32_t actors, questions; /* n and k of the bound; 0: not estimated yet */

	/* the schedule that runs */
	uint32_t change[DEPTH_MAX - 1];
	uint32_t changes;
	uint32_t question;
	bool plain;
};

static uint32_t
pct_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct pct *p = (struct pct *)self;

	if (kind != CHOICE_ACTOR && kind != CHOICE_TIE)
		return prng_below(&p->priorities.prng, n);
	priorities_be_patient(&p->priorities, w);

	struct favourite best = priorities_favourite(&p->priorities, w, n);

	for (uint32_t i = 0; i < p->changes; i++) {
		if (p->change[i] != p->question)
			continue;
		*priorities_of(&p->priorities, best.key) = i + 1;
		best = priorities_favourite(&p->priorities, w, n);
	}
	p->question++;
	return best.answer;
}

static void
prepare(struct pct *p, struct world *w, uint64_t seed, unsigned depth)
{
	priorities_begin(&p->priorities, seed);
	p->changes = depth - 1;
	for (uint32_t i = 0; i < p->changes; i++)
		p->change[i] = prng_below(&p->priorities.prng, p->questions);
	p->question = 0;
	world_set_chooser(w, &p->base.chooser);
}

/*
 * n and k, from runs that depend on the seed alone.  Leaves the world restored.  The first half of
 * them has no change points; the others have, as changes make runs longer.
 */
static void
estimate(struct pct *p, struct world *w)
{
	p->actors = p->questions = 1;
	for (uint32_t i = 0; i < ESTIMATE_RUNS; i++) {
		prepare(p, w, hash_u64(~p->seed) + i, i < ESTIMATE_RUNS / 2 ? 1 : p->depth);
		world_run(w);
		world_restore(w);
		if (p->priorities.drawn > p->actors)
			p->actors = p->priorities.drawn;
		if (p->question > p->questions)
			p->questions = p->question;
	}
}

static bool
pct_begin(struct strategy *s, struct world *w, uint64_t index)
{
	struct pct *p = (struct pct *)s;

	p->plain = !index;
	if (p->plain) {
		world_set_chooser(w, &chooser_first);
		return true;
	}
	if (!p->questions)
		estimate(p, w);
	prepare(p, w, hash_u64(p->seed) + index, p->depth);
	return true;
}

static void
pct_end(struct strategy *s, struct world *w, enum stop stop)
{
	struct pct *p = (struct pct *)s;

	(void)w;
	(void)stop;
	if (p->plain)
		return;
	/* n and k of the estimate are in it, too: the tally of each process has them. */
	strategy_tally_add(&s->tally,
			   &(struct strategy_tally){ .schedules = 1,
						     .actors = p->actors > p->priorities.drawn
								       ? p->actors
								       : p->priorities.drawn,
						     .questions = p->question,
						     .planned = p->questions });
}

static void
pct_state(const struct strategy *s, char *text, size_t size)
{
	const struct pct *p = (const struct pct *)s;
	const struct strategy_tally *t = &s->tally;
	double one = 1 / (t->actors * pow(t->planned, p->depth - 1)), all;
	int used;

	if (!t->schedules) {
		snprintf(text, size, "only the plain run");
		return;
	}
	all = -expm1((double)t->schedules * log1p(-one)); /* 1 - (1 - one)^schedules */
	used = snprintf(text, size,
			"a bug of depth %u that scheduling alone decides is found with probability "
			">= 1/(n k^%u) = %.2g a schedule, %.2g in %" PRIu64
			"; n = %u actors, k = %u questions",
			p->depth, p->depth - 1, one, all, t->schedules, t->actors, t->planned);
	if (p->depth > 1 && t->questions > t->planned && used > 0 && (size_t)used < size)
		snprintf(text + used, size - (size_t)used,
			 "; runs had up to %u, no changes were tried after k", t->questions);
}

static struct strategy *
pct_create(const struct strategy_config *config, struct error *err)
{
	struct pct *p;

	if (!config->depth || config->depth > DEPTH_MAX) {
		error_set(err, "depth %u: must be from 1 to %u", config->depth, DEPTH_MAX);
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		error_set(err, "out of memory");
		return NULL;
	}
	p->base.chooser.choose = pct_choose;
	p->seed = config->seed;
	p->depth = config->depth;
	return &p->base;
}

static void
pct_destroy(struct strategy *s)
{
	struct pct *p = (struct pct *)s;

	priorities_free(&p->priorities);
	free(p);
}

const struct strategy_ops strategy_pct = {
	.name = "pct",
	.what = "random priorities and --depth - 1 changes of them; a bound on the probability",
	.indexed = true,
	.classes = true,
	.create = pct_create,
	.begin = pct_begin,
	.end = pct_end,
	.state = pct_state,
	.destroy = pct_destroy,
};
