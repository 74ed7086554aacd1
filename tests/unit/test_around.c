/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exploring around a timed run: plain answers make that run, others depart from it. */
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
#include "explore/around.h"
#include "explore/explorer.h"
#include "explore/strategy.h"

#define ACTORS 4
#define OPS 12
#define EVENTS_MAX 4096

/* A program of sleeps, work, waits, wake-ups, busy waits and timers, drawn from a seed. */
struct program {
	uint8_t op[ACTORS][OPS];
	uint8_t ns[ACTORS][OPS];
	struct waitq queue;
	struct timer timer[ACTORS];
};

static uint64_t seed;
static struct program *program; /* in the arena */

static void
on_timer(struct world *w, struct timer *t)
{
	emit(w, EV_NOTE, world_name(w, "timer"));
	waitq_wake_one(w, &program->queue);
}

static void
run_program(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	size_t a = (size_t)arg;

	for (unsigned i = 0; i < OPS; i++) {
		int64_t ns = program->ns[a][i], note = world_name(w, "op");

		switch (program->op[a][i]) {
		case 0:
			actor_sleep(w, ns);
			break;
		case 1:
			actor_work(w, ns);
			break;
		case 2:
			waitq_wait(w, &program->queue);
			break;
		case 3:
			waitq_wake_all(w, &program->queue);
			break;
		case 4:
			actor_yield(w);
			break;
		case 5:
			timer_arm(w, &program->timer[a], ns, false);
			break;
		default:
			actor_point(w);
		}
		emit(w, EV_NOTE, note);
	}
}

static void
setup_program(struct world *w, void *arg)
{
	struct prng prng;

	prng_seed(&prng, seed);
	program = world_alloc(w, sizeof(*program));
	waitq_init(&program->queue, w, "queue");
	for (size_t a = 0; a < ACTORS; a++) {
		char name[16];

		snprintf(name, sizeof(name), "actor%zu", a);
		timer_init(&program->timer[a], on_timer, NULL);
		for (unsigned i = 0; i < OPS; i++) {
			program->op[a][i] = (uint8_t)prng_below(&prng, 7);
			program->ns[a][i] = (uint8_t)(1 + prng_below(&prng, 200));
		}
		actor_create(w, name, run_program, (void *)a, 0);
	}
}

struct seen {
	size_t count;
	struct event event[EVENTS_MAX];
};

static void
see(void *context, const struct event *e, size_t count)
{
	struct seen *s = context;

	for (size_t i = 0; i < count && s->count < EVENTS_MAX; i++) {
		if (e[i].kind != EV_NOTE)
			continue;
		if (s->count && e[i].step < s->event[s->count - 1].step)
			s->count = 0; /* of a run that was not judged */
		s->event[s->count++] = e[i];
	}
}

static struct world *
make(enum world_mode mode, void (*setup)(struct world *w, void *arg), int64_t time_max_ns)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = mode, .time_max_ns = time_max_ns }, &err);

	assert_int_equal(world_setup(w, setup, NULL, &err), 0);
	world_snapshot(w);
	return w;
}

static void
run_plain(enum world_mode mode, bool ordered, struct seen *s)
{
	struct world *w = make(mode, setup_program, 0);
	struct around *a = around_create();

	s->count = 0;
	world_set_sink(w, see, s);
	if (ordered)
		around_begin(a, w);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	world_destroy(w);
	around_destroy(a);
}

static bool
same(const struct seen *a, const struct seen *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->event[i].actor != b->event[i].actor ||
		    a->event[i].time_ns != b->event[i].time_ns ||
		    a->event[i].arg[0] != b->event[i].arg[0])
			return false;
	return true;
}

static void
plain_answers_make_the_timed_run(void **state)
{
	struct seen *timed = calloc(3, sizeof(*timed)), *around = timed + 1, *queue = timed + 2;
	unsigned others = 0;

	for (seed = 1; seed <= 300; seed++) {
		run_plain(WORLD_TIMED, false, timed);
		run_plain(WORLD_AROUND, true, around);
		run_plain(WORLD_AROUND, false, queue);
		assert_true(same(timed, around));
		others += !same(timed, queue);
	}
	assert_true(others > 250); /* first in first out is another order */
	free(timed);
}

/* Three steps of each actor, each after a time: 3 of 6 steps can be anywhere. */
static unsigned orders;
static bool order_seen[64];

static void
take_steps(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int64_t i = 1; i <= 3; i++) {
		actor_sleep(w, i * (int64_t)(size_t)arg);
		emit(w, EV_NOTE, (int64_t)(size_t)arg, i);
	}
}

static void
setup_steps(struct world *w, void *arg)
{
	actor_create(w, "a", take_steps, (void *)100, 0);
	actor_create(w, "b", take_steps, (void *)70, 0);
}

static struct seen last;

static enum verdict
judge_order(struct world *w, enum stop stop, struct finding *f, void *context)
{
	unsigned order = 0;
	int64_t step[2] = { 0, 0 };

	assert_int_equal(stop, STOP_QUIESCENT);
	world_flush(w);
	assert_int_equal(last.count, 6);
	for (unsigned i = 0; i < 6; i++) {
		unsigned a = last.event[i].arg[0] == 70;

		assert_int_equal(last.event[i].arg[1], ++step[a]); /* its own order is kept */
		order |= a << i;
	}
	orders += !order_seen[order];
	order_seen[order] = true;
	last.count = 0;
	return VERDICT_OK;
}

static void
deviations_reach_each_order(void **state)
{
	static const unsigned expected[] = { 1, 5, 10, 20 }; /* of 6 over 3 */

	for (unsigned bound = 0; bound <= 3; bound += 1) {
		struct world *w = make(WORLD_AROUND, setup_steps, 0);
		struct strategy_config how = { .bound = bound, .deviations = true };
		struct explorer_config config = { .judge = judge_order, .around = true };
		struct explorer_result r;
		struct error err;

		orders = 0;
		memset(order_seen, 0, sizeof(order_seen));
		last.count = 0;
		world_set_sink(w, see, &last);
		config.strategy = strategy_create(&strategy_bounded, &how, &err);
		assert_int_equal(explorer_run(w, &config, &r), 0);
		assert_true(orders >= expected[bound] && orders <= 20);
		explorer_result_free(&r);
		strategy_destroy(config.strategy);
		world_destroy(w);
	}
}

static void
tick(struct actor *self, void *arg)
{
	for (;;)
		actor_sleep(actor_world(self), 10);
}

static void
setup_ticks(struct world *w, void *arg)
{
	actor_create(w, "a", tick, NULL, 0);
	actor_create(w, "b", tick, NULL, 0);
}

static void
the_limit_of_time_holds(void **state)
{
	struct world *w = make(WORLD_AROUND, setup_ticks, 1000);

	assert_int_equal(world_run(w), STOP_TIME);
	assert_true(world_now(w) <= 1020);
	world_destroy(w);
}

static void
others_are_refused(void **state)
{
	struct world *w = make(WORLD_AROUND, setup_steps, 0);
	struct strategy_config how = { .depth = 3 };
	struct explorer_config config = { .judge = judge_order,
					  .around = true,
					  .schedules_max = 1 };
	struct explorer_result r;
	struct error err;

	config.strategy = strategy_create(&strategy_pct, &how, &err);
	assert_int_equal(explorer_run(w, &config, &r), -1);
	assert_non_null(strstr(r.error.text, "no plain run to depart from"));
	strategy_destroy(config.strategy);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_answers_make_the_timed_run),
		cmocka_unit_test(deviations_reach_each_order),
		cmocka_unit_test(the_limit_of_time_holds),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
