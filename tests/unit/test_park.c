/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parking: runs that stop at their questions are the runs that do not.  Images: what is put back
 * goes on as it would have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/must.h"
#include "base/prng.h"
#include "engine/image.h"
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

#define IMAGES 6u
#define IMAGE_ROOM (1u << 20)

static struct kept {
	_Alignas(8) char image[IMAGE_ROOM];
	size_t bytes;
	struct world_hash hash;
	uint64_t seed, digest; /* of how it went on, and what came of it */
} kept[IMAGES];

static enum stop
go_on(struct world *w, uint64_t seed)
{
	enum stop stop = STOP_PARKED;

	prng_seed(&draws, seed);
	while (stop == STOP_PARKED)
		stop = world_resume(w, prng_below(&draws, world_question(w)));
	return stop;
}

static void
take(struct world *w, struct kept *k)
{
	k->bytes = world_image_take(w, k->image, IMAGE_ROOM, &k->hash);
	assert_true(k->bytes);
}

static bool
same_hash(const struct world_hash *a, const struct world_hash *b)
{
	return a->low == b->low && a->high == b->high;
}

/* What is loaded is what was taken, to the byte. */
static void
load_and_compare(struct world *w, const struct kept *k)
{
	static struct kept again;

	world_image_load(w, k->image);
	take(w, &again);
	assert_int_equal(again.bytes, k->bytes);
	assert_memory_equal(again.image, k->image, k->bytes);
	assert_true(same_hash(&again.hash, &k->hash));
}

/* Keep worlds on the way of a run, and where each leads. */
static void
keep_some(struct world *w, struct prng *p)
{
	enum stop stop = begin(w, prng_next(p), true);
	struct prng mine = draws;
	unsigned next = 0, steps = 0;

	while (stop == STOP_PARKED && next < IMAGES) {
		if (steps++ % 4 == 0) {
			struct kept *k = &kept[next++];

			take(w, k);
			k->seed = prng_next(p);
			go_on(w, k->seed);
			k->digest = world_digest(w);
			load_and_compare(w, k);
		}
		draws = mine;
		stop = world_resume(w, prng_below(&draws, world_question(w)));
		mine = draws;
	}
	assert_int_equal(next, IMAGES);
}

static void
images_go_on_as_the_world_did(void **state)
{
	struct prng p;

	prng_seed(&p, 1);
	for (unsigned i = 0; i < 40; i++) {
		struct world *w = make(i & 1 ? WORLD_TIMED : WORLD_RELAXED, 0);

		world_image_see(w, i & 2 ? IMAGE_TIME : 0);
		keep_some(w, &p);
		for (unsigned k = 0; k < 40; k++) {
			const struct kept *from = &kept[prng_below(&p, IMAGES)];

			/* From the middle of another run, the end of one, or none. */
			if (k % 3 == 0)
				begin(w, prng_next(&p), k & 1);
			load_and_compare(w, from);
			world_set_parking(w, true);
			go_on(w, from->seed);
			assert_true(world_digest(w) == from->digest);
		}
		for (unsigned k = 1; k < IMAGES; k++)
			assert_false(same_hash(&kept[0].hash, &kept[k].hash));
		assert_int_equal(world_image_take(w, kept[0].image, 1000, &kept[0].hash), 0);
		world_destroy(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parked_run_is_the_same_run),
		cmocka_unit_test(images_go_on_as_the_world_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
