/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: order of events, both modes of time, snapshots, digests, interleaved worlds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
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
	unsigned sum;
};

static struct ping *ping; /* lives in the arena: its address does not change */

static void
ping_actor(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (int i = 0; i < 10; i++) {
		ping->sum = ping->sum * 3 + (unsigned)(uintptr_t)arg;
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

/* Two worlds advanced by turns in one process: each as if it were alone. */
static void
interleaved_worlds_do_not_touch(void **state)
{
	struct world *a = make(WORLD_RELAXED);
	struct ping *pa = ping;
	struct world *b = make(WORLD_RELAXED);
	struct ping *pb = ping;
	uint64_t alone_a[8], alone_b[8];

	for (uint64_t s = 0; s < 8; s++) {
		ping = pa;
		alone_a[s] = run(a, s);
	}
	for (uint64_t s = 0; s < 8; s++) {
		ping = pb;
		alone_b[s] = run(b, s);
		assert_int_equal(alone_a[s], alone_b[s]);
	}
	for (uint64_t s = 0; s < 8; s++) {
		ping = pb;
		assert_int_equal(run(b, 7 - s), alone_b[7 - s]);
		ping = pa;
		assert_int_equal(run(a, s), alone_a[s]);
	}
	world_destroy(a);
	world_destroy(b);
}

/* --- time ----------------------------------------------------------------------------------- */

static char log_text[256];

static void
log_char(char c)
{
	size_t n = strlen(log_text);

	if (n + 2 > sizeof(log_text))
		return; /* the crowd of 100,000 */
	log_text[n] = c;
	log_text[n + 1] = 0;
}

static void
log_after(struct world *w, void *arg)
{
	log_char((char)(intptr_t)arg);
}

static struct timer cancelled;

static void
log_timer(struct world *w, struct timer *t)
{
	log_char((char)(intptr_t)t->arg);
}

static void
canceller(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	actor_sleep(w, 15);
	assert_true(timer_pending(&cancelled));
	assert_true(timer_cancel(w, &cancelled));
	assert_false(timer_cancel(w, &cancelled));
	assert_int_equal(world_now(w), 15);
	timer_arm(w, &cancelled, 30, false);
	log_char('x');
}

static void
setup_times(struct world *w, void *arg)
{
	world_after(w, 40, log_after, (void *)'d');
	world_after(w, 10, log_after, (void *)'a');
	world_after(w, 20, log_after, (void *)'b');
	world_after(w, 20, log_after, (void *)'c');
	timer_init(&cancelled, log_timer, (void *)'T');
	timer_arm(w, &cancelled, 20, false);
	actor_create(w, "canceller", canceller, NULL, 0);
}

static void
timed_order_is_time_then_insertion(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	log_text[0] = 0;
	assert_int_equal(world_setup(w, setup_times, NULL, &err), 0);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_string_equal(log_text, "axbcdT");
	assert_int_equal(world_now(w), 45);
	world_destroy(w);
}

/* Ties are choices: both orders of b and c appear, nothing else changes. */
static void
ties_are_choices(void **state)
{
	struct error err;
	bool bc = false, cb = false;

	for (uint64_t seed = 0; seed < 40; seed++) {
		struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
		struct random_chooser r = { { choose_random }, { { 0 } } };

		prng_seed(&r.prng, seed);
		log_text[0] = 0;
		assert_int_equal(world_setup(w, setup_times, NULL, &err), 0);
		world_set_chooser(w, &r.base);
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		bc |= !strcmp(log_text, "axbcdT");
		cb |= !strcmp(log_text, "axcbdT");
		assert_true(!strcmp(log_text, "axbcdT") || !strcmp(log_text, "axcbdT"));
		world_destroy(w);
	}
	assert_true(bc && cb);
}

static void
short_sleep(struct actor *self, void *arg)
{
	actor_sleep(actor_world(self), 10);
	log_char('s');
}

static void
long_sleep(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	if (arg)
		actor_sleep_bound(w, 1000000);
	else
		actor_sleep(w, 1000000);
	log_char('l');
}

static void
setup_sleeps(struct world *w, void *arg)
{
	actor_create(w, "short", short_sleep, NULL, 0);
	actor_create(w, "long", long_sleep, arg, 0);
}

/* Relaxed: a long sleep may end first, unless it is a real bound. */
static void
relaxed_sleeps_order_only_their_actor(void **state)
{
	for (int bound = 0; bound < 2; bound++) {
		struct error err;
		int long_first = 0;

		for (uint64_t seed = 0; seed < 40; seed++) {
			struct world *w =
				world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
			struct random_chooser r = { { choose_random }, { { 0 } } };

			prng_seed(&r.prng, seed);
			log_text[0] = 0;
			assert_int_equal(
				world_setup(w, setup_sleeps, (void *)(intptr_t)bound, &err), 0);
			world_set_chooser(w, &r.base);
			assert_int_equal(world_run(w), STOP_QUIESCENT);
			long_first += log_text[0] == 'l';
			assert_in_range(world_now(w), 1000000, 1000010);
			world_destroy(w);
		}
		if (bound)
			assert_int_equal(long_first, 0);
		else
			assert_in_range(long_first, 5, 35);
	}
}

/* --- waiting -------------------------------------------------------------------------------- */

static struct waitq never;

static void
times_out(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	assert_false(waitq_wait_for(w, &never, 100, true));
	assert_int_equal(world_now(w), 100);
	log_char('t');
}

static void
holds(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	struct actor *other = arg;

	actor_hold(other);
	actor_sleep(w, 500);
	assert_string_equal(log_text, "");
	actor_release(other);
}

static void
setup_waits(struct world *w, void *arg)
{
	waitq_init(&never, w, "never");
	struct actor *a = actor_create(w, "timeout", long_sleep, NULL, 0);
	actor_create(w, "holder", holds, a, 0);
}

static void
setup_timeout(struct world *w, void *arg)
{
	waitq_init(&never, w, "never");
	actor_create(w, "timeout", times_out, NULL, 0);
}

static void
waits_time_out_and_holds_hold(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	log_text[0] = 0;
	assert_int_equal(world_setup(w, setup_timeout, NULL, &err), 0);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_string_equal(log_text, "t");
	world_destroy(w);

	w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	log_text[0] = 0;
	assert_int_equal(world_setup(w, setup_waits, NULL, &err), 0);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_string_equal(log_text, "l");
	world_destroy(w);
}

static void
spins(struct actor *self, void *arg)
{
	for (;;)
		actor_yield(actor_world(self));
}

static void
setup_spin(struct world *w, void *arg)
{
	actor_create(w, "spinner", spins, NULL, 0);
}

static void
endless_runs_end(void **state)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_RELAXED, .steps_max = 1000 }, &err);

	assert_int_equal(world_setup(w, setup_spin, NULL, &err), 0);
	assert_int_equal(world_run(w), STOP_STEPS);
	assert_int_equal(world_step(w), 1000);
	world_destroy(w);
}

/* --- limits --------------------------------------------------------------------------------- */

static void
setup_blocks(struct world *w, void *arg)
{
	actor_sleep(w, 1);
	waitq_init(&never, w, "never");
	waitq_wait(w, &never);
}

static void
setup_may_not_wait(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_int_equal(world_setup(w, setup_blocks, NULL, &err), -1);
	assert_non_null(strstr(err.text, "set-up may not wait"));
	world_destroy(w);
}

/* Fail the 1st allocation, then the 2nd, …: always a clean error, until the set-up and run succeed.
 */
static void
every_allocation_may_fail(void **state)
{
	for (int forever = 0; forever < 2; forever++) {
		int failures = 0;

		for (uint64_t nth = 1;; nth++) {
			struct error err;
			struct world *w =
				world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);

			arena_fail_nth(world_arena(w), nth, forever);
			if (world_setup(w, setup, NULL, &err)) {
				assert_non_null(strstr(err.text, "out of memory"));
				failures++;
				world_destroy(w);
				continue;
			}

			enum stop stop = world_run(w);

			assert_true(stop == STOP_QUIESCENT || stop == STOP_ERROR);
			world_destroy(w);
			if (stop == STOP_QUIESCENT)
				break;
			failures++;
		}
		assert_true(failures > 10);
	}
}

static void
setup_crowd(struct world *w, void *arg)
{
	waitq_init(&never, w, "never");
	for (int i = 0; i < 100000; i++)
		actor_create(w, "one", times_out, NULL, 0);
}

static void
a_hundred_thousand_actors(void **state)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = 10000000 }, &err);

	assert_int_equal(world_setup(w, setup_crowd, NULL, &err), 0);
	assert_int_equal(world_actors(w), 100001);
	log_text[0] = 0;
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	for (uint32_t id = 2; id <= 100001; id++)
		assert_int_equal(actor_state(world_actor(w, id)), ACTOR_DONE);
	world_destroy(w);
}

/* --- what a restore costs ------------------------------------------------------------------- */

static struct {
	unsigned char *page; /* of guest memory, as it were */
	uintptr_t frame[3];
} small;

static void
child(struct actor *self, void *arg)
{
	small.frame[(uintptr_t)arg] = (uintptr_t)__builtin_frame_address(0);
	small.page[0]++;
}

static void
parent(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (uintptr_t i = 0; i < 3; i++) {
		struct actor *a = actor_create(w, "child", child, (void *)i, 0);

		while (actor_state(a) != ACTOR_DONE)
			actor_yield(w);
	}
}

static void
setup_small(struct world *w, void *arg)
{
	small.page = arena_alloc_pages(world_arena(w), 16 * ARENA_PAGE);
	actor_create(w, "parent", parent, NULL, 0);
}

/* Its objects are on one page, though guest memory came between; stacks are used again. */
static void
a_small_world_is_restored_by_two_pages(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	uintptr_t frame[3];

	assert_int_equal(world_setup(w, setup_small, NULL, &err), 0);
	world_snapshot(w);
	for (int round = 0; round < 3; round++) {
		memset(small.frame, 0, sizeof(small.frame));
		assert_int_equal(small.page[0], 0);
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		assert_int_equal(small.page[0], 3);
		if (round)
			assert_memory_equal(frame, small.frame, sizeof(frame));
		memcpy(frame, small.frame, sizeof(frame));
		/* The tops of stacks differ by up to 1 KiB. */
		assert_in_range(frame[1], frame[0] - 2048, frame[0] + 2048);
		assert_in_range(frame[2], frame[0] - 2048, frame[0] + 2048);
		assert_in_range(arena_hot_pages(world_arena(w)), 1, 2);
		world_restore(w);
	}
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_digest),
		cmocka_unit_test(interleaved_worlds_do_not_touch),
		cmocka_unit_test(timed_order_is_time_then_insertion),
		cmocka_unit_test(ties_are_choices),
		cmocka_unit_test(relaxed_sleeps_order_only_their_actor),
		cmocka_unit_test(waits_time_out_and_holds_hold),
		cmocka_unit_test(endless_runs_end),
		cmocka_unit_test(setup_may_not_wait),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(a_hundred_thousand_actors),
		cmocka_unit_test(a_small_world_is_restored_by_two_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
