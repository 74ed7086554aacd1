/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No address decides an order.  The same world at two places of the address space, the same seed:
 * the same digest.  And the test of the test: an actor that lets a pointer into an order is caught
 * by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/hash.h"
#include "engine/world.h"
#include "explore/strategy.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"

#define SEEDS 20

/* Sleeps or not by a hash of an address: the classic leak. */
static void
leaky(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int i = 0; i < 8; i++) {
		actor_point(w);
		if (hash_u64((uintptr_t)self + (unsigned)i) & 1)
			actor_sleep(w, 10);
		emit(w, EV_NOTE, 0);
	}
}

static void
setup_leaky(struct world *w, void *arg)
{
	for (int i = 0; i < 3; i++)
		actor_create(w, "leaky", leaky, NULL, 0);
}

static void
setup_ring(struct world *w, void *arg)
{
	struct raw_config config = { .name = "vq0", .size = 4, .buffers = 3 };

	gm_create(w, 1 << 20);
	raw_pair_create(w, &config);
}

static void
digests(unsigned place, void (*setup)(struct world *w, void *arg), uint64_t out[SEEDS])
{
	struct world_config config = { .mode = WORLD_RELAXED, .place = place };
	struct error err;
	struct world *w = world_create(&config, &err);
	struct strategy *s =
		strategy_create(&strategy_random, &(struct strategy_config){ .seed = 7 }, &err);

	assert_non_null(w);
	assert_non_null(s);
	assert_int_equal(world_setup(w, setup, NULL, &err), 0);
	world_snapshot(w);
	for (uint64_t i = 0; i < SEEDS; i++) {
		world_restore(w);
		assert_true(s->ops->begin(s, w, i));
		world_set_chooser(w, &s->chooser);
		world_run(w);
		out[i] = world_digest(w);
	}
	strategy_destroy(s);
	world_destroy(w);
}

static void
a_moved_ring_is_the_same_ring(void **state)
{
	uint64_t here[SEEDS], there[SEEDS];

	digests(0, setup_ring, here);
	digests(5, setup_ring, there);
	for (int i = 0; i < SEEDS; i++)
		assert_int_equal(here[i], there[i]);
}

static void
a_leaked_pointer_is_noticed(void **state)
{
	uint64_t here[SEEDS], there[SEEDS];
	int same = 0;

	digests(0, setup_leaky, here);
	digests(5, setup_leaky, there);
	for (int i = 0; i < SEEDS; i++)
		same += here[i] == there[i];
	assert_true(same < SEEDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_moved_ring_is_the_same_ring),
		cmocka_unit_test(a_leaked_pointer_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
