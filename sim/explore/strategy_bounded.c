/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `bounded`: every schedule with at most so many preemptions, or delays; depth first, bound after
 * bound (Musuvathi, Qadeer: Iterative Context Bounding, PLDI 2007; Emmi, Qadeer, Rakamaric: Delay-
 * Bounded Scheduling, POPL 2011).
 *
 * A preemption is an answer other than 0 to a question that a point asks: the actor that runs could
 * have gone on.  Switches at a wait, a sleep or a yield, ties and outcomes cost nothing.  Delays
 * are narrower: an answer k to any question of who goes on costs k, passing over k alternatives.
 * Deviations (around.h) are between the two: any such answer but 0 costs one.
 *
 * The search is an odometer over the questions of a run.  The answers up to the last one that can
 * be raised are kept, that one is raised, and everything after it begins with 0 again:
 *
 *	answers  0 2 1 0 1		next  0 2 2
 *	highest  0 2 2 0 1
 *
 * Memory is one node a question of the longest run; nothing else is remembered.  What this costs is
 * that bound b meets again the schedules with less than b: they are run, as only a run shows how
 * many preemptions it has, and marked `repeated`, so that they are neither judged nor counted.  As
 * their number falls by about the length of a run with each bound, that is a small part.
 *
 * When a bound cut nothing off, the search is exhausted without regard to bounds.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/prng.h"
#include "explore/strategy.h"

struct node {
	uint16_t answer;
	uint16_t highest; /* answer that is allowed here */
	uint16_t n;
	uint8_t kind;
};

struct bounded {
	struct strategy base;
	unsigned bound; /* the last one */
	bool delays, deviations;

	unsigned level; /* the bound that is searched */
	bool cut; /* this level did not allow all answers */
	bool limited; /* a run reached the limit of steps or time */
	bool begun, exhausted;
	uint64_t schedules, of_level;

	struct node *path;
	size_t count, capacity;

	/* the schedule that runs */
	size_t at; /* node of the next question */
	unsigned spent;
};

static unsigned
cost(const struct bounded *b, const struct world *w, uint32_t answer, enum choice_kind kind)
{
	if (!answer || (kind != CHOICE_ACTOR && kind != CHOICE_TIE))
		return 0;
	if (b->delays)
		return answer;
	return b->deviations || world_at_point(w);
}

static void
push(struct bounded *b, const struct world *w, uint32_t n, enum choice_kind kind)
{
	uint32_t left = b->level - b->spent, highest = n - 1;

	if (cost(b, w, highest, kind) > left) {
		highest = b->delays ? left : 0;
		b->cut = true;
	}
	if (b->count == b->capacity) {
		b->capacity = b->capacity ? b->capacity * 2 : 256;
		must(b->path = realloc(b->path, b->capacity * sizeof(*b->path)));
	}
	b->path[b->count++] =
		(struct node){ .highest = (uint16_t)highest, .n = (uint16_t)n, .kind = kind };
}

static void
unlike(struct bounded *b, const char *what)
{
	error_set(&b->base.error, "after the same answers question %zu of a run %s", b->at, what);
}

static uint32_t
bounded_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct bounded *b = (struct bounded *)self;

	if (b->at == b->count)
		push(b, w, n, kind);

	const struct node *node = &b->path[b->at];

	if (node->n != n || node->kind != kind) {
		unlike(b, "was another one");
		world_stop(w, STOP_ASKED);
		return 0;
	}
	b->at++;
	b->spent += cost(b, w, node->answer, kind);
	return node->answer;
}

/* To the next answers of this level; false if there are none. */
static bool
advance(struct bounded *b)
{
	while (b->count && b->path[b->count - 1].answer == b->path[b->count - 1].highest)
		b->count--;
	if (!b->count)
		return false;
	b->path[b->count - 1].answer++;
	return true;
}

static bool
bounded_begin(struct strategy *s, struct world *w, uint64_t index)
{
	struct bounded *b = (struct bounded *)s;

	(void)index;
	if (b->exhausted)
		return false;
	if (b->begun && !advance(b)) {
		s->left_out = b->cut || b->limited;
		b->exhausted = !b->cut || b->level == b->bound;
		if (b->exhausted)
			return false;
		b->level++;
		b->of_level = 0;
		b->cut = false;
	}
	b->begun = true;
	b->at = 0;
	b->spent = 0;
	world_set_chooser(w, &s->chooser);
	return true;
}

static void
bounded_end(struct strategy *s, struct world *w, enum stop stop)
{
	struct bounded *b = (struct bounded *)s;

	(void)w;
	if (b->at < b->count && !s->error.text[0])
		unlike(b, "was not asked");
	must(b->spent <= b->level);
	s->repeated = b->spent < b->level;
	b->limited |= stop == STOP_STEPS || stop == STOP_TIME;
	if (!s->repeated) {
		b->schedules++;
		b->of_level++;
	}
}

static void
bounded_state(const struct strategy *s, char *text, size_t size)
{
	const struct bounded *b = (const struct bounded *)s;
	const char *unit = b->delays ? "delays" : b->deviations ? "deviations" : "preemptions";
	const char *limit = b->limited ? " and the limit of steps or time" : "";

	if (b->exhausted && b->cut)
		snprintf(text, size, "exhausted within bound %u (%s)%s: %" PRIu64 " schedules",
			 b->level, unit, limit, b->schedules);
	else if (b->exhausted)
		snprintf(text, size, "exhausted%s: all %" PRIu64 " schedules, of at most %u %s",
			 b->limited ? " within the limit of steps or time" : "", b->schedules,
			 b->level, unit);
	else if (b->level)
		snprintf(text, size,
			 "not exhausted: all %" PRIu64
			 " schedules within bound %u (%s)%s, and %" PRIu64 " of those with %u",
			 b->schedules - b->of_level, b->level - 1, unit, limit, b->of_level,
			 b->level);
	else
		snprintf(text, size, "not exhausted: %" PRIu64 " schedules with no %s",
			 b->schedules, unit);
}

/* --- how many there are ---------------------------------------------------------------------- */

/*
 * A run that answers at random and multiplies the numbers of answers there were: its product is the
 * number of schedules, on average (Knuth, Estimating the Efficiency of Backtrack Programs, 1975).
 * As nearly all schedules have all of the preemptions allowed, somewhere, and a draw of each answer
 * alike would spend them at the first questions, a preemption is drawn where it would be in
 * proportion to the schedules that follow from it, if each of the points left had one.
 */
struct probe {
	struct chooser chooser; /* first: the engine's pointer is ours */
	struct bounded *b;
	struct prng prng;
	unsigned spent;
	uint32_t points, points_all; /* questions that may cost something: so far, of a run */
	double weight;
};

static double
draw(struct probe *p)
{
	return (double)(prng_next(&p->prng) >> 11) * 0x1p-53;
}

static uint32_t
probe_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct probe *p = (struct probe *)self;
	struct bounded *b = p->b;
	uint32_t left = b->bound - p->spent, highest = n - 1, answer;
	double ahead, often;

	if (!cost(b, w, highest, kind)) {
		p->weight *= n;
		return prng_below(&p->prng, n);
	}
	p->points++;
	if (highest > left)
		highest = b->delays || !left ? left : highest;
	if (!highest || !left)
		return 0;
	ahead = p->points_all > p->points ? p->points_all - p->points + 1.0 : 1.0;
	often = (double)left * highest / ((double)left * highest + ahead);
	if (draw(p) >= often) {
		p->weight /= 1 - often;
		return 0;
	}
	answer = 1 + prng_below(&p->prng, highest);
	p->spent += cost(b, w, answer, kind);
	p->weight *= highest / often;
	return answer;
}

static bool
bounded_estimate(struct strategy *s, struct world *w, unsigned probes, struct estimate *all)
{
	struct bounded *b = (struct bounded *)s;
	struct probe p = { .chooser.choose = probe_choose, .b = b };
	double sum = 0, squares = 0;

	if (probes < 2)
		return false;
	prng_seed(&p.prng, b->bound);
	/* The first is not counted: it says how long a run is. */
	for (unsigned i = 0; i <= probes; i++) {
		p.spent = p.points = 0;
		p.weight = 1;
		world_restore(w);
		world_set_chooser(w, &p.chooser);
		world_run(w);
		if (i) {
			sum += p.weight;
			squares += p.weight * p.weight;
		}
		if (p.points > p.points_all)
			p.points_all = p.points;
	}
	all->value = sum / probes;
	all->error = sqrt((squares / probes - all->value * all->value) / (probes - 1));
	return true;
}

static struct strategy *
bounded_create(const struct strategy_config *config, struct error *err)
{
	struct bounded *b = calloc(1, sizeof(*b));

	if (!b) {
		error_set(err, "out of memory");
		return NULL;
	}
	b->base.chooser.choose = bounded_choose;
	b->bound = config->bound;
	b->delays = config->delays;
	b->deviations = config->deviations;
	return &b->base;
}

static void
bounded_destroy(struct strategy *s)
{
	struct bounded *b = (struct bounded *)s;

	free(b->path);
	free(b);
}

const struct strategy_ops strategy_bounded = {
	.name = "bounded",
	.what = "all schedules with 0, then 1, … up to --bound preemptions (or delays)",
	.exhaustive = true,
	.classes = true,
	.numbered = true,
	.create = bounded_create,
	.begin = bounded_begin,
	.end = bounded_end,
	.estimate = bounded_estimate,
	.state = bounded_state,
	.destroy = bounded_destroy,
};
