/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: order of events, both modes of time, snapshots, digests, interleaved worlds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose_random(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct random_chooser *r = (struct random_chooser *)self;

	return prng_below(&r->prng, n);
}

struct ping {
	struct waitq q;
	int turns;
	int sum;
};

static struct ping *ping; /* lives in the arena: its address does not change */

static void
ping_actor(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int i = 0; i < 10; i++) {
		ping->sum = ping->sum * 3 + (int)(intptr_t)arg;
		actor_point(w);
		emit(w, EV_NOTE, 0);
		if (i == 5)
			actor_sleep(w, 100);
	}
}

static void
waiter(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	while (ping->turns < 3)
		waitq_wait(w, &ping->q);
	ping->sum += 1000000;
}

static void
waker(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int i = 0; i < 3; i++) {
		actor_sleep(w, 50);
		ping->turns++;
		waitq_wake_one(w, &ping->q);
	}
}

static void
setup(struct world *w, void *arg)
{
	ping = world_alloc(w, sizeof(*ping));
	waitq_init(&ping->q, w, "turns");
	actor_create(w, "a", ping_actor, (void *)1, 0);
	actor_create(w, "b", ping_actor, (void *)2, 0);
	actor_create(w, "waiter", waiter, NULL, 0);
	actor_create(w, "waker", waker, NULL, 0);
}

static struct world *
make(enum world_mode mode)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = mode }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, NULL, &err), 0);
	world_snapshot(w);
	return w;
}

static uint64_t
run(struct world *w, uint64_t seed)
{
	struct random_chooser r = { { choose_random }, { { 0 } } };

	prng_seed(&r.prng, seed);
	world_set_chooser(w, &r.base);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_int_equal(ping->turns, 3);
	assert_int_equal(actor_state(world_actor(w, 4)), ACTOR_DONE);

	uint64_t digest = world_digest(w);

	world_restore(w);
	assert_int_equal(ping->turns, 0);
	return digest;
}

static void
same_seed_same_digest(void **state)
{
	for (int mode = 0; mode < 2; mode++) {
		struct world *w = make(mode);
		uint64_t first[20], distinct = 0;

		for (uint64_t s = 0; s < 20; s++) {
			first[s] = run(w, s);
			distinct += s == 0 || first[s] != first[s - 1];
		}
		for (uint64_t s = 0; s < 20; s++)
			assert_int_equal(run(w, s), first[s]);
		assert_true(distinct > 10);
		world_destroy(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
