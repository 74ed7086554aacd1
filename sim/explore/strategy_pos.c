/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `pos`: partial order sampling (Yuan, Yang, Gu: Partial Order Aware Concurrency Sampling, CAV
 * 2018).
 *
 * Each actor's next step has a random priority, drawn when the step before it is over; the step
 * with the highest goes on.  An actor that lost keeps its priority, so that each order of steps
 * that do not depend on each other is about as likely, however many other steps there are between.
 *
 * Pending steps that race with the one that is taken draw anew, too: both access the same bytes of
 * shared memory, and one of them stores.  Of steps of models it is not known what they touch: among
 * those it is what the paper calls BasicPOS.  A step is what lies between two questions; an actor
 * that ran where nobody else was ready, and is not the one that asks next, keeps the priority it
 * had.
 *
 * Callbacks count as one actor (strategy_priority.h).  Other answers are drawn uniformly.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "explore/strategy.h"
#include "explore/strategy_priority.h"

struct pos {
	struct strategy base;
	struct priorities priorities;
	uint64_t seed;
};

static bool
race(const struct next_access *a, const struct next_access *b)
{
	return (a->how | b->how) & WATCH_STORE && a->how && b->how &&
	       a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* Those that race with the step that @answer begins. */
static void
drop_racing(struct priorities *p, const struct world *w, uint32_t n, uint32_t answer)
{
	struct next_access taken = world_next_access(w, world_alternative_process(w, answer));

	for (uint32_t k = 0; taken.how && k < n; k++) {
		struct process other = world_alternative_process(w, k);
		struct next_access next = world_next_access(w, other);

		if (k != answer && race(&taken, &next))
			priorities_drop(p, priority_key(other));
	}
}

static uint32_t
pos_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct pos *p = (struct pos *)self;
	const struct actor *asks = actor_current(w);
	struct favourite best;

	if (kind != CHOICE_ACTOR && kind != CHOICE_TIE)
		return prng_below(&p->priorities.prng, n);
	/* Who asks has made a step since, and who goes on is about to. */
	if (asks)
		priorities_drop(&p->priorities, priority_key((struct process){
							.kind = PROCESS_ACTOR, .id = asks }));
	priorities_be_patient(&p->priorities, w);
	best = priorities_favourite(&p->priorities, w, n);
	priorities_drop(&p->priorities, best.key);
	drop_racing(&p->priorities, w, n, best.answer);
	return best.answer;
}

static bool
pos_begin(struct strategy *s, struct world *w, uint64_t index)
{
	struct pos *p = (struct pos *)s;

	priorities_begin(&p->priorities, hash_u64(p->seed) + index);
	world_set_chooser(w, index ? &s->chooser : &chooser_first);
	return true;
}

static struct strategy *
pos_create(const struct strategy_config *config, struct error *err)
{
	struct pos *p = calloc(1, sizeof(*p));

	if (!p) {
		error_set(err, "out of memory");
		return NULL;
	}
	p->base.chooser.choose = pos_choose;
	p->seed = config->seed;
	return &p->base;
}

static void
pos_destroy(struct strategy *s)
{
	struct pos *p = (struct pos *)s;

	priorities_free(&p->priorities);
	free(p);
}

const struct strategy_ops strategy_pos = {
	.name = "pos",
	.what = "a random priority for each step, drawn anew where steps race (POS)",
	.indexed = true,
	.classes = true,
	.create = pos_create,
	.begin = pos_begin,
	.destroy = pos_destroy,
};
