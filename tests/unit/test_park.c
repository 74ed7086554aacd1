/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parking: runs that stop at their questions are the runs that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/must.h"
#include "base/prng.h"
#include "engine/world.h"

/* --- a world that does everything ----------------------------------------------------------- */

static struct rig {
	struct waitq q;
	struct timer timer;
	unsigned turns;
} * rig; /* in the arena */

static void
wakes_all(struct world *w, void *arg)
{
	emit(w, EV_NOTE, world_choose(w, 3, CHOICE_OUTCOME));
	waitq_wake_all(w, &rig->q);
}

static void
ticks(struct world *w, struct timer *t)
{
	emit(w, EV_NOTE, 1000 + (int64_t)rig->turns);
	waitq_wake_one(w, &rig->q);
}

static void
short_life(struct actor *self, void *arg)
{
	actor_point(actor_world(self));
	rig->turns++;
}

static void
does_everything(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (unsigned i = 0; i < 6; i++) {
		world_after(w, 5, wakes_all, NULL);
		timer_arm(w, &rig->timer, 7, i & 1);
		rig->turns++;
		switch ((i + (uintptr_t)arg) % 5) {
		case 0:
			actor_point(w);
			break;
		case 1:
			actor_yield(w);
			break;
		case 2:
			actor_sleep(w, 5);
			break;
		case 3:
			waitq_wait_for(w, &rig->q, 30, arg != NULL);
			break;
		default:
			actor_create(w, "short", short_life, NULL, 0);
			emit(w, EV_NOTE, world_choose(w, 2, CHOICE_OUTCOME));
		}
	}
}

static void
setup(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	waitq_init(&rig->q, w, "any");
	timer_init(&rig->timer, ticks, NULL);
	for (uintptr_t i = 0; i < 3; i++)
		actor_create(w, "actor", does_everything, (void *)i, 0);
}

static struct world *
make(enum world_mode mode, uint64_t steps_max)
{
	struct error err;
	struct world *w =
		world_create(&(struct world_config){ .mode = mode, .steps_max = steps_max }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, NULL, &err), 0);
	world_snapshot(w);
	return w;
}

/* --- choosers ------------------------------------------------------------------------------- */

static struct prng draws;
static bool parking;

static uint32_t
draw(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	if (parking)
		assert_true(kind != CHOICE_ACTOR && kind != CHOICE_TIE);
	return prng_below(&draws, n);
}

static struct chooser chooser = { draw };

/* To its end, or to the first question. */
static enum stop
begin(struct world *w, uint64_t seed, bool park)
{
	prng_seed(&draws, seed);
	parking = park;
	world_restore(w);
	world_set_chooser(w, &chooser);
	world_set_parking(w, park);
	return world_run(w);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
a_parked_run_is_the_same_run(void **state)
{
	unsigned parked = 0, cut = 0;

	for (unsigned i = 0; i < 800; i++) {
		enum world_mode mode = i & 1 ? WORLD_TIMED : WORLD_RELAXED;
		struct world *w = make(mode, i & 2 ? 20 + i / 10 : 0);
		enum stop stop = begin(w, i, false), again;
		uint64_t digest = world_digest(w), step = world_step(w);
		size_t count, choices;
		struct choice *log;

		log = (struct choice *)world_choices(w, &choices);
		must_static(sizeof(*log) == 4, "copied below");
		log = memcpy(malloc(choices * 4 + 4), log, choices * 4);

		for (again = begin(w, i, true); again == STOP_PARKED; parked++) {
			assert_null(actor_current(w));
			again = world_resume(w, prng_below(&draws, world_question(w)));
		}
		assert_int_equal(again, stop);
		assert_true(world_step(w) == step);
		assert_memory_equal(log, world_choices(w, &count), choices * 4);
		assert_int_equal(count, choices);
		assert_true(world_digest(w) == digest);
		cut += stop == STOP_STEPS;
		free(log);
		world_destroy(w);
	}
	assert_true(parked > 4000);
	assert_in_range(cut, 100, 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parked_run_is_the_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
