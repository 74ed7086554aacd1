/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/strategy.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/prng.h"

/* --- random --------------------------------------------------------------------------------- */

struct random {
	struct strategy base;
	struct prng prng;
	uint64_t seed;
	uint32_t dull_mask; /* go on unless these bits of a draw are 0; 0: uniform */
};

static uint32_t
random_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct random *r = (struct random *)self;
	uint64_t draw = prng_next(&r->prng);

	(void)w;
	/* Ties and outcomes have no dull answer that real time would prefer: always uniform. */
	if ((draw & r->dull_mask) && kind != CHOICE_TIE && kind != CHOICE_OUTCOME)
		return 0;
	return (uint32_t)(((draw >> 32) * n) >> 32);
}

static bool
random_begin(struct strategy *s, struct world *w, uint64_t index)
{
	struct random *r = (struct random *)s;

	if (!index) {
		world_set_chooser(w, &chooser_first);
		return true;
	}
	prng_seed(&r->prng, hash_u64(r->seed) + index);

	uint64_t draw = prng_next(&r->prng);

	r->dull_mask = draw & 1 ? 0 : (4u << ((draw >> 1) % 3) * 2) - 1;
	world_set_chooser(w, &s->chooser);
	return true;
}

static struct strategy *
random_create(const struct strategy_config *config, struct error *err)
{
	struct random *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(err, "out of memory");
		return NULL;
	}
	r->base.chooser.choose = random_choose;
	r->seed = config->seed;
	return &r->base;
}

static void
random_destroy(struct strategy *s)
{
	free(s);
}

const struct strategy_ops strategy_random = {
	.name = "random",
	.what = "draw each answer; schedule 0 is the plain run",
	.indexed = true,
	.classes = true,
	.numbered = true,
	.create = random_create,
	.begin = random_begin,
	.destroy = random_destroy,
};

/* --- all of them ---------------------------------------------------------------------------- */

const struct strategy_ops *const strategy_table[] = {
	&strategy_random, &strategy_pct,    &strategy_pos, &strategy_bounded,
	&strategy_dpor,	  &strategy_states, NULL
};

const struct strategy_ops *
strategy_find(const char *name, struct error *err)
{
	char names[256] = "";

	for (size_t i = 0; strategy_table[i]; i++) {
		const char *known = strategy_table[i]->name;

		if (!strcmp(known, name))
			return strategy_table[i];
		strncat(names, " ", sizeof(names) - strlen(names) - 1);
		strncat(names, known, sizeof(names) - strlen(names) - 1);
	}
	error_set(err, "no strategy \"%s\"; there are:%s", name, names);
	return NULL;
}

void
strategy_tally_add(struct strategy_tally *to, const struct strategy_tally *from)
{
	to->schedules += from->schedules;
	to->cut += from->cut;
	to->classes += from->classes;
	to->open += from->open;
	to->limited += from->limited;
	if (from->actors > to->actors)
		to->actors = from->actors;
	if (from->questions > to->questions)
		to->questions = from->questions;
	if (from->planned > to->planned)
		to->planned = from->planned;
}

struct strategy *
strategy_create(const struct strategy_ops *ops, const struct strategy_config *config,
		struct error *err)
{
	struct strategy *s = ops->create(config, err);

	if (s) {
		must(s->chooser.choose && ops->begin && ops->destroy);
		s->ops = ops;
	}
	return s;
}

void
strategy_destroy(struct strategy *s)
{
	if (s)
		s->ops->destroy(s);
}
