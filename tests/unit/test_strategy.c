/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strategies on worlds small enough to know all their schedules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "explore/explorer.h"
#include "explore/strategy.h"
#include "memory/access.h"
#include "memory/guest_memory.h"

/* --- worlds --------------------------------------------------------------------------------- */

/* A lost wake-up: one preemption, between looking and sleeping. Depth 2. */
struct rig {
	struct waitq kick;
	unsigned buffers, available, done;
	bool asleep;

	/* the depth 3 bug */
	unsigned stage;
	bool saw_first, saw_last;
	uint32_t outcome;
};

static struct rig *rig; /* in the arena */

static void
device(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	while (rig->done < rig->buffers) {
		if (rig->done < rig->available) {
			rig->done++;
			emit(w, EV_NOTE, rig->done);
			continue;
		}
		actor_point(w);
		rig->asleep = true;
		waitq_wait(w, &rig->kick);
		rig->asleep = false;
	}
}

static void
driver(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (unsigned i = 0; i < rig->buffers; i++) {
		rig->available++;
		actor_point(w);
		if (rig->asleep)
			waitq_wake_one(w, &rig->kick);
		actor_point(w);
	}
}

static void
bystander(struct actor *self, void *arg)
{
	actor_point(actor_world(self));
	emit(actor_world(self), EV_NOTE, 100);
	actor_point(actor_world(self));
}

static void
setup_wakeup(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	rig->buffers = *(const unsigned *)arg;
	waitq_init(&rig->kick, w, "kick");
	actor_create(w, "device", device, NULL, 0);
	actor_create(w, "driver", driver, NULL, 0);
	if (rig->buffers == 1)
		actor_create(w, "bystander", bystander, NULL, 0);
}

static void
goes_through_stages(struct actor *self, void *arg)
{
	while (rig->stage < 3) {
		rig->stage++;
		actor_point(actor_world(self));
	}
}

static void
looks_twice(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	rig->outcome = world_choose(w, 3, CHOICE_OUTCOME);
	actor_point(w);
	rig->saw_first = rig->stage == 1;
	actor_point(w);
	rig->saw_last = rig->stage == 3;
	emit(w, EV_NOTE, rig->outcome);
}

static void
tick(struct world *w, void *arg)
{
	emit(w, EV_NOTE, 200);
}

/* Depth 3: the first preempted after one stage, then the second between its looks. */
static void
setup_stages(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	actor_create(w, "stages", goes_through_stages, NULL, 0);
	actor_create(w, "looks", looks_twice, NULL, 0);
	if (arg)
		world_after(w, 10, tick, NULL);
}

static struct world *
make(void (*setup)(struct world *w, void *arg), void *arg)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_RELAXED, .steps_max = 5000 }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, arg, &err), 0);
	world_snapshot(w);
	return w;
}

static struct world *
make_wakeup(unsigned buffers)
{
	return make(setup_wakeup, &buffers);
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	bool lost = rig->done < rig->buffers || (rig->saw_first && rig->saw_last);

	if (context)
		(*(void (**)(struct world *))context)(w);
	if (stop != STOP_QUIESCENT)
		return VERDICT_BUDGET;
	return lost ? VERDICT_LOST_KICK : VERDICT_OK;
}

static enum verdict
judge_nothing(struct world *w, enum stop stop, struct finding *f, void *context)
{
	judge(w, stop, f, context);
	return VERDICT_OK;
}

static struct strategy *
strategy(const char *name, struct strategy_config c)
{
	struct error err;
	const struct strategy_ops *ops = strategy_find(name, &err);

	assert_non_null(ops);
	c.depth = c.depth ? c.depth : 3;

	struct strategy *s = strategy_create(ops, &c, &err);

	assert_non_null(s);
	return s;
}

/* --- who an answer stands for --------------------------------------------------------------- */

enum place { AT_POINT, AT_YIELD, AT_SLEEP, AT_WAIT, AT_LOOP, PLACES };

static struct {
	struct chooser chooser; /* first */
	struct prng prng;
	bool asked;
	enum place place; /* that the actor which runs is about to ask from */
	const struct actor *expected; /* null: a callback */
	unsigned right[PLACES], callbacks;
} who;

static uint32_t
choose_and_expect(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	uint32_t pick = prng_below(&who.prng, n);

	if (kind == CHOICE_OUTCOME)
		return pick;
	who.asked = true;
	who.expected = world_alternative(w, pick);
	assert_int_equal(world_at_point(w), actor_current(w) && who.place == AT_POINT);
	if (!actor_current(w))
		who.place = AT_LOOP;
	if (who.place == AT_POINT)
		assert_ptr_equal(world_alternative(w, 0), actor_current(w));
	if (who.place == AT_YIELD)
		assert_ptr_equal(world_alternative(w, n - 1), actor_current(w));
	for (uint32_t k = 0; k < n; k++)
		for (uint32_t other = 0; other < k; other++)
			assert_true(!world_alternative(w, k) ||
				    world_alternative(w, k) != world_alternative(w, other));
	return pick;
}

/* First thing that @a (null: a callback) does in its turn. */
static void
my_turn(const struct actor *a)
{
	if (!who.asked)
		return;
	assert_ptr_equal(who.expected, a);
	who.right[who.place]++;
	who.callbacks += !a;
	who.asked = false;
}

static void
says_so(struct world *w, void *arg)
{
	my_turn(NULL);
	waitq_wake_all(w, &rig->kick);
}

static void
does_everything(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	my_turn(self);
	for (unsigned i = 0; i < 6; i++) {
		world_after(w, 5, says_so, NULL);
		who.place = (i + (uintptr_t)arg) % AT_LOOP;
		if (who.place == AT_POINT)
			actor_point(w);
		else if (who.place == AT_YIELD)
			actor_yield(w);
		else if (who.place == AT_SLEEP)
			actor_sleep(w, 5);
		else
			waitq_wait(w, &rig->kick);
		my_turn(self);
	}
	who.place = AT_WAIT; /* and ends */
}

static void
setup_everything(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	waitq_init(&rig->kick, w, "any");
	for (uintptr_t i = 0; i < 4; i++)
		actor_create(w, "actor", does_everything, (void *)i, 0);
}

static void
alternatives_are_what_runs(void **state)
{
	for (int mode = WORLD_TIMED; mode <= WORLD_RELAXED; mode++) {
		struct error err;
		struct world *w = world_create(&(struct world_config){ .mode = mode }, &err);

		memset(&who, 0, sizeof(who));
		who.chooser.choose = choose_and_expect;
		assert_int_equal(world_setup(w, setup_everything, NULL, &err), 0);
		world_snapshot(w);
		for (unsigned i = 0; i < 300; i++) {
			prng_seed(&who.prng, i);
			who.asked = false;
			world_restore(w);
			world_set_chooser(w, &who.chooser);
			assert_int_equal(world_run(w), STOP_QUIESCENT);
		}
		for (unsigned i = 0; i < PLACES; i++)
			assert_true(who.right[i] > 100);
		assert_true(who.callbacks > 100);
		world_destroy(w);
	}
}

/* --- pct ------------------------------------------------------------------------------------ */

/* How many of schedules 1 … @runs fail, and the longest run's questions who goes on. */
static struct strategy *counted;
static unsigned questions, questions_max;

static uint32_t
choose_counted(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	questions += kind == CHOICE_ACTOR || kind == CHOICE_TIE;
	if (questions > questions_max)
		questions_max = questions;
	return counted->chooser.choose(&counted->chooser, w, n, kind);
}

static unsigned
failing(struct world *w, struct strategy *s, unsigned runs)
{
	struct chooser c = { choose_counted };
	unsigned lost = 0;

	counted = s;
	questions_max = 0;
	for (unsigned i = 1; i <= runs; i++) {
		struct finding f;
		enum stop stop;

		world_restore(w);
		assert_true(s->ops->begin(s, w, i));
		questions = 0;
		world_set_chooser(w, &c);
		stop = world_run(w);
		if (s->ops->end)
			s->ops->end(s, w, stop);
		lost += judge(w, stop, &f, NULL) == VERDICT_LOST_KICK;
	}
	world_set_chooser(w, NULL);
	return lost;
}

#define RUNS 2000

/* How often it failed; @promise: how often it must, at least. @actors: that take part. */
static unsigned
finds(struct world *w, uint64_t seed, unsigned depth, unsigned actors, double *promise)
{
	struct strategy *s =
		strategy("pct", (struct strategy_config){ .seed = seed, .depth = depth });
	unsigned lost = failing(w, s, RUNS), n = 0, k = 0;
	char text[256], *at;

	s->ops->state(s, text, sizeof(text));
	at = strstr(text, "n = ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "n = %u actors, k = %u questions", &n, &k), 2);
	assert_int_equal(n, actors);
	/* k is that of few runs, and may not be more than what was met. */
	assert_in_range(k, questions_max / 2, questions_max);
	assert_int_equal(k < questions_max && depth > 1, strstr(text, "runs had up to") != NULL);
	*promise = RUNS / (double)n;
	for (unsigned i = 1; i < depth; i++)
		*promise /= k;
	strategy_destroy(s);
	return lost;
}

static void
pct_keeps_its_promise(void **state)
{
	struct world *w = make_wakeup(1);
	double promise;

	for (uint64_t seed = 0; seed < 4; seed++) {
		assert_int_equal(finds(w, seed, 1, 3, &promise), 0);
		assert_true(finds(w, seed, 2, 3, &promise) >= promise);
		assert_true(promise > 10);
	}
	world_destroy(w);

	w = make(setup_stages, NULL);
	for (uint64_t seed = 0; seed < 4; seed++) {
		assert_int_equal(finds(w, seed, 2, 2, &promise), 0);
		/* One way to fail in n k^2: as many as promised, give or take three sigma. */
		assert_true(finds(w, seed, 3, 2, &promise) >= promise - 3 * sqrt(promise));
		assert_true(promise > 10);
	}
	world_destroy(w);
	/* A timer counts as one more. */
	w = make(setup_stages, &promise);
	assert_true(finds(w, 0, 3, 3, &promise) >= promise);
	world_destroy(w);
}

static void
pct_depths(void **state)
{
	struct error err;

	assert_null(strategy_create(&strategy_pct, &(struct strategy_config){ .depth = 6 }, &err));
	assert_string_equal(err.text, "depth 6: must be from 1 to 5");
	assert_null(strategy_create(&strategy_pct, &(struct strategy_config){ .depth = 0 }, &err));
	for (unsigned depth = 1; depth <= 5; depth++) {
		struct strategy *s = strategy("pct", (struct strategy_config){ .depth = depth });
		struct world *w = make_wakeup(1);
		char text[256], expect[32];

		s->ops->state(s, text, sizeof(text));
		assert_string_equal(text, "only the plain run");
		failing(w, s, 10);
		s->ops->state(s, text, sizeof(text));
		snprintf(expect, sizeof(expect), "depth %u ", depth);
		assert_non_null(strstr(text, expect));
		world_destroy(w);
		strategy_destroy(s);
	}
}

/* Waits by yielding (or sleeping) for somebody who may have a lower priority. */
static void
polls(struct actor *self, void *arg)
{
	while (rig->stage < 2)
		arg ? actor_sleep(actor_world(self), 1) : actor_yield(actor_world(self));
}

static void
polled_for(struct actor *self, void *arg)
{
	for (int i = 0; i < 5; i++)
		actor_point(actor_world(self));
	rig->stage++;
}

static void
setup_polling(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	for (uintptr_t i = 0; i < 4; i++)
		actor_create(w, "polls", polls, (void *)(i & 1), 0);
	actor_create(w, "polled for", polled_for, NULL, 0);
	actor_create(w, "polled for", polled_for, NULL, 0);
}

static void
who_polls_does_not_starve_others(void **state)
{
	struct world *w = make(setup_polling, NULL);

	for (size_t i = 0; strategy_table[i]; i++) {
		struct explorer_config c = { .judge = judge, .schedules_max = 500 };
		struct explorer_result r;

		c.strategy =
			strategy(strategy_table[i]->name, (struct strategy_config){ .seed = 3 });
		assert_int_equal(explorer_run(w, &c, &r), 0);
		if (!strategy_table[i]->exhaustive)
			assert_int_equal(r.count[VERDICT_OK], 500);
		strategy_destroy(c.strategy);
	}
	world_destroy(w);
}

/* --- pos ------------------------------------------------------------------------------------ */

#define PLACES_OF_ONE 10

static void
many_steps(struct actor *self, void *arg)
{
	while (rig->available < PLACES_OF_ONE - 1) {
		rig->available++;
		actor_point(actor_world(self));
	}
}

static void
one_step(struct actor *self, void *arg)
{
	rig->stage = rig->available;
}

static void
one_callback(struct world *w, void *arg)
{
	rig->stage = rig->available;
}

static void
setup_one_and_many(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	actor_create(w, "many", many_steps, NULL, 0);
	if (arg)
		actor_create(w, "one", one_step, NULL, 0);
	else
		world_after(w, 5, one_callback, NULL);
}

/*
 * One step against the 9 of another actor: it keeps its priority until it is taken, so it comes
 * after the first j of them if it is the least of j + 1 draws, 1 in j + 1; last of all in 1 of 10
 * schedules.  Where each question is answered by its own draw, that is 1 in 2^9.
 */
static void
pos_keeps_the_priority_of_who_lost(void **state)
{
	for (unsigned actor = 0; actor < 2; actor++) {
		struct world *w = make(setup_one_and_many, actor ? &actor : NULL);
		struct strategy *s = strategy("pos", (struct strategy_config){ .seed = 8 });
		unsigned at[PLACES_OF_ONE] = { 0 };

		for (unsigned i = 1; i <= RUNS; i++) {
			world_restore(w);
			s->ops->begin(s, w, i);
			world_run(w);
			at[rig->stage]++;
		}
		for (unsigned i = 0; i < PLACES_OF_ONE; i++) {
			unsigned last = i + 1 == PLACES_OF_ONE;
			double expect = RUNS / (last ? i + 1.0 : (i + 1.0) * (i + 2));

			assert_true(fabs(at[i] - expect) < 5 * sqrt(expect));
		}
		strategy_destroy(s);
		world_destroy(w);
	}
}

static void
stores_many(struct actor *self, void *arg)
{
	for (unsigned i = 0; i < PLACES_OF_ONE - 1; i++) {
		access_shared(actor_world(self), 0x1000, 4, ACCESS_STORE, stores_many);
		rig->available++;
	}
}

static void
stores_one(struct actor *self, void *arg)
{
	rig->done = !rig->available; /* it waits for its store before any of the others */
	access_shared(actor_world(self), 0x1000 + (arg ? 2 : 64), 4, ACCESS_STORE, stores_one);
	rig->stage = rig->available;
}

static void
setup_stores(struct world *w, void *arg)
{
	gm_create(w, 1 << 16);
	rig = world_alloc(w, sizeof(*rig));
	actor_create(w, "many", stores_many, NULL, 0);
	actor_create(w, "one", stores_one, arg, 0);
}

/*
 * The store of the one overlaps each of the many, or none.  Where they race its priority is drawn
 * at each of them, so that it comes last once in 2^8 schedules; else once in ten or so.
 */
static void
pos_draws_anew_where_steps_race(void **state)
{
	unsigned last[2] = { 0 };

	for (unsigned races = 0; races < 2; races++) {
		struct world *w = make(setup_stores, races ? &races : NULL);
		struct strategy *s = strategy("pos", (struct strategy_config){ .seed = 8 });

		for (unsigned i = 1; i <= RUNS; i++) {
			world_restore(w);
			s->ops->begin(s, w, i);
			world_run(w);
			last[races] += rig->done && rig->stage == PLACES_OF_ONE - 1;
		}
		strategy_destroy(s);
		world_destroy(w);
	}
	assert_true(last[0] > RUNS / 40);
	assert_in_range(last[1], 1, RUNS / 200);
}

/* --- all of them ---------------------------------------------------------------------------- */

#define DIGESTS_MAX 200000

static uint64_t digests[DIGESTS_MAX], others[DIGESTS_MAX];
static size_t digest_count, digest_step = 1;

static void
note_digest(struct world *w)
{
	assert_true(digest_count < DIGESTS_MAX);
	digests[digest_count] = world_digest(w);
	digest_count += digest_step;
}

static void (*noting)(struct world *w) = note_digest;

/* Digests of the schedules, into digests[]. */
static void
note_all(struct world *w, const char *name, struct strategy_config sc, struct explorer_config c,
	 struct explorer_result *r)
{
	c.strategy = strategy(name, sc);
	c.judge = judge_nothing;
	c.judge_context = &noting;
	if (explorer_run(w, &c, r))
		fail_msg("%s", r->error.text);
	strategy_destroy(c.strategy);
}

static void
same_every_time(void **state)
{
	struct explorer_config c = { .schedules_max = 300 };
	struct explorer_result r;

	for (size_t i = 0; strategy_table[i]; i++) {
		const char *name = strategy_table[i]->name;
		struct strategy_config sc = { .seed = 5, .bound = 9 };
		struct world *a = make(setup_stages, &c);
		struct world *other = make_wakeup(1), *b = make(setup_stages, &c);
		size_t count;

		/* rig is that of the world made last: run b, then a with nobody looking at rig. */
		digest_count = 0;
		note_all(b, name, sc, c, &r);
		count = digest_count;
		memcpy(others, digests, sizeof(*digests) * count);
		world_destroy(b);
		world_destroy(other);
		world_destroy(a);

		a = make(setup_stages, &c);
		digest_count = 0;
		note_all(a, name, sc, c, &r);
		assert_int_equal(digest_count, count);
		assert_memory_equal(digests, others, sizeof(*digests) * count);
		/* The plain run comes first. */
		world_restore(a);
		world_run(a);
		assert_true(world_digest(a) == digests[0]);
		/* Not all the same. */
		assert_true(digests[1] != digests[count - 1] || digests[2] != digests[count - 1]);
		if (strategy_table[i]->indexed) {
			digest_count = 0;
			sc.seed++;
			note_all(a, name, sc, c, &r);
			assert_true(memcmp(digests, others, sizeof(*digests) * count) != 0);
		}
		world_destroy(a);
	}
}

static void
shards_partition(void **state)
{
	struct explorer_result r;

	for (size_t i = 0; strategy_table[i]; i++) {
		const char *name = strategy_table[i]->name;
		struct strategy_config sc = { .seed = 5 };
		struct world *w = make(setup_stages, &r);
		struct explorer_config c = { .schedules_max = 301 };

		if (strategy_table[i]->partitions) { /* test_dpor.c */
			world_destroy(w);
			continue;
		}
		if (!strategy_table[i]->indexed) {
			struct error err;

			c.shards = 2;
			c.judge = judge;
			c.strategy = strategy_create(strategy_table[i], &sc, &err);
			assert_int_equal(explorer_run(w, &c, &r), -1);
			assert_non_null(strstr(r.error.text, "cannot be sharded"));
			strategy_destroy(c.strategy);
			world_destroy(w);
			continue;
		}
		digest_count = 0;
		note_all(w, name, sc, c, &r);
		memcpy(others, digests, sizeof(*digests) * 301);
		memset(digests, 0, sizeof(*digests) * 301);
		digest_step = 3;
		for (c.shard = 0, c.shards = 3; c.shard < 3; c.shard++) {
			digest_count = c.shard;
			note_all(w, name, sc, c, &r);
		}
		digest_step = 1;
		assert_memory_equal(digests, others, sizeof(*digests) * 301);
		world_destroy(w);
	}
}

/* --- bounded -------------------------------------------------------------------------------- */

#define ODOMETER_MAX 256
#define COST_MAX 64

/* Plain enumeration, on its own: all schedules of a world, by preemptions and by delays. */
static struct odometer {
	struct chooser chooser; /* first */
	uint32_t answer[ODOMETER_MAX], n[ODOMETER_MAX];
	size_t given, at;
	unsigned preemptions, delays;
	uint64_t by_preemptions[COST_MAX], by_delays[COST_MAX], all;
	unsigned fewest; /* preemptions of a failing one */
} odometer;

static uint32_t
choose_odometer(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct odometer *o = &odometer;
	size_t i = o->at++;

	assert_true(i < ODOMETER_MAX);
	if (i >= o->given)
		o->answer[i] = 0;
	o->n[i] = n;
	if (kind == CHOICE_ACTOR && world_alternative(w, 0) == actor_current(w) &&
	    actor_state(actor_current(w)) == ACTOR_READY)
		o->preemptions += o->answer[i] != 0;
	if (kind == CHOICE_ACTOR || kind == CHOICE_TIE)
		o->delays += o->answer[i];
	return o->answer[i];
}

static void
enumerate(struct world *w)
{
	struct odometer *o = &odometer;
	struct finding f;

	*o = (struct odometer){ .chooser = { choose_odometer }, .fewest = COST_MAX };
	digest_count = 0;
	do {
		o->at = o->preemptions = o->delays = 0;
		world_restore(w);
		world_set_chooser(w, &o->chooser);
		if (judge(w, world_run(w), &f, &noting) == VERDICT_LOST_KICK &&
		    o->preemptions < o->fewest)
			o->fewest = o->preemptions;
		o->all++;
		assert_true(o->preemptions < COST_MAX && o->delays < COST_MAX);
		o->by_preemptions[o->preemptions]++;
		o->by_delays[o->delays]++;
		while (o->at && o->answer[o->at - 1] + 1 == o->n[o->at - 1])
			o->at--;
		if (o->at)
			o->answer[o->at - 1]++;
		o->given = o->at;
	} while (o->given);
	world_set_chooser(w, NULL);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each bound visits what enumeration found with that cost, once. */
static void
visits(struct world *w, bool delays)
{
	const uint64_t *by = delays ? odometer.by_delays : odometer.by_preemptions;
	uint64_t within = 0;

	for (unsigned bound = 0; bound < COST_MAX; bound++) {
		struct strategy_config sc = { .bound = bound, .delays = delays };
		struct explorer_result r;
		char expect[64];

		within += by[bound];
		digest_count = 0;
		note_all(w, "bounded", sc, (struct explorer_config){ 0 }, &r);
		assert_int_equal(r.schedules, within);
		assert_int_equal(digest_count, within);
		if (within < odometer.all) {
			assert_int_equal(r.end, EXPLORER_BOUNDED);
			snprintf(expect, sizeof(expect),
				 "exhausted within bound %u (%s): %d schedules", bound,
				 delays ? "delays" : "preemptions", (int)within);
			assert_string_equal(r.statement, expect);
		} else {
			assert_int_equal(r.end, EXPLORER_COMPLETE);
			snprintf(expect, sizeof(expect), "exhausted: all %d schedules",
				 (int)within);
			assert_memory_equal(r.statement, expect, strlen(expect));
			return;
		}
	}
	fail();
}

static void
bounded_visits_each_schedule_once(void **state)
{
	unsigned buffers[] = { 1, 2 };

	for (unsigned i = 0; i < 4; i++) {
		struct world *w = i < 2 ? make(setup_wakeup, &buffers[i])
					: make(setup_stages, i == 3 ? &buffers : NULL);

		enumerate(w);
		assert_int_equal(digest_count, odometer.all);
		assert_true(odometer.all > 20);
		memcpy(others, digests, sizeof(*digests) * digest_count);
		visits(w, false);
		qsort(others, odometer.all, sizeof(*others), by_value);
		qsort(digests, odometer.all, sizeof(*digests), by_value);
		assert_memory_equal(digests, others, sizeof(*digests) * odometer.all);
		visits(w, true);
		qsort(digests, odometer.all, sizeof(*digests), by_value);
		assert_memory_equal(digests, others, sizeof(*digests) * odometer.all);
		world_destroy(w);
	}
}

static void
bounded_finds_with_the_fewest(void **state)
{
	for (unsigned stages = 0; stages < 2; stages++) {
		struct world *w = stages ? make(setup_stages, NULL) : make_wakeup(2);
		struct explorer_config c = { .judge = judge };
		struct explorer_result r;
		unsigned fewest;

		enumerate(w);
		fewest = odometer.fewest;
		assert_int_equal(fewest, stages ? 2 : 1);
		for (unsigned bound = 0; bound <= fewest + 2; bound++) {
			c.strategy =
				strategy("bounded", (struct strategy_config){ .bound = bound });
			assert_int_equal(explorer_run(w, &c, &r), 0);
			if (bound < fewest) {
				assert_int_equal(r.end, EXPLORER_BOUNDED);
				assert_null(r.found);
			} else {
				char expect[80];

				assert_int_equal(r.end, EXPLORER_FOUND);
				assert_int_equal(r.failing, 1);
				snprintf(expect, sizeof(expect),
					 "within bound %u (preemptions), and", fewest - 1);
				assert_non_null(strstr(r.statement, expect));
			}
			explorer_result_free(&r);
			strategy_destroy(c.strategy);
		}
		world_destroy(w);
	}
}

static void
bounded_says_how_far_it_came(void **state)
{
	struct world *w = make_wakeup(1);
	struct strategy_config sc = { .bound = 0 };
	struct explorer_result r;

	digest_count = 0;
	note_all(w, "bounded", sc, (struct explorer_config){ .schedules_max = 3 }, &r);
	assert_int_equal(r.end, EXPLORER_SCHEDULES);
	assert_string_equal(r.statement, "not exhausted: 3 schedules with no preemptions");
	world_destroy(w);

	/* Runs that are cut off by the limit of steps are no proof. */
	w = world_create(&(struct world_config){ .mode = WORLD_RELAXED, .steps_max = 4 }, &r.error);
	assert_int_equal(world_setup(w, setup_wakeup, &(unsigned){ 1 }, &r.error), 0);
	world_snapshot(w);
	digest_count = 0;
	sc.bound = 99;
	note_all(w, "bounded", sc, (struct explorer_config){ 0 }, &r);
	assert_int_equal(r.end, EXPLORER_BOUNDED);
	assert_non_null(strstr(r.statement, "exhausted within the limit of steps or time: all"));
	world_destroy(w);
}

static unsigned leaked; /* state that restoring does not put back */

static void
leaky(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	unsigned points = ++leaked % 2 && arg ? 4 : 1;

	while (points--)
		actor_point(w);
	if (!arg)
		world_choose(w, 2 + leaked % 2, CHOICE_OUTCOME);
}

static void
setup_leaky(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	actor_create(w, "leaky", leaky, arg, 0);
	actor_create(w, "leaky", bystander, NULL, 0);
}

/* Fewer questions than before, and another one. */
static void
bounded_notices_another_world(void **state)
{
	const char *what[] = { "was another one", "was not asked" };

	for (unsigned i = 0; i < 2; i++) {
		struct world *w = make(setup_leaky, i ? &i : NULL);
		struct explorer_config c = { .judge = judge };
		struct explorer_result r;

		leaked = 0;
		c.strategy = strategy("bounded", (struct strategy_config){ .bound = 2 });
		assert_int_equal(explorer_run(w, &c, &r), -1);
		assert_int_equal(r.end, EXPLORER_NONDETERMINISTIC);
		assert_non_null(strstr(r.error.text, "after the same answers"));
		assert_non_null(strstr(r.error.text, what[i]));
		strategy_destroy(c.strategy);
		world_destroy(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alternatives_are_what_runs),
		cmocka_unit_test(pct_keeps_its_promise),
		cmocka_unit_test(pct_depths),
		cmocka_unit_test(who_polls_does_not_starve_others),
		cmocka_unit_test(pos_keeps_the_priority_of_who_lost),
		cmocka_unit_test(pos_draws_anew_where_steps_race),
		cmocka_unit_test(same_every_time),
		cmocka_unit_test(shards_partition),
		cmocka_unit_test(bounded_visits_each_schedule_once),
		cmocka_unit_test(bounded_finds_with_the_fewest),
		cmocka_unit_test(bounded_says_how_far_it_came),
		cmocka_unit_test(bounded_notices_another_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
