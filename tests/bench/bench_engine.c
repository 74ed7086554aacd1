/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of the engine alone: events, switches, restoring, memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "base/prng.h"
#include "bench.h"
#include "engine/world.h"

#define EVENTS 4000000L

struct state {
	long left;
	struct prng prng;
};

static struct state *state; /* in the arena of the world that is measured */

static struct world *
make(void (*setup)(struct world *w, void *arg), long n)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = UINT64_MAX }, &err);

	must(w);
	if (world_setup(w, setup, (void *)n, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	return w;
}

static void
tick(struct world *w, void *arg)
{
	if (state->left-- > 0)
		world_after(w, 1 + prng_below(&state->prng, 1000000), tick, arg);
}

static void
setup_callbacks(struct world *w, void *n)
{
	state = world_alloc(w, sizeof(*state));
	state->left = EVENTS;
	prng_seed(&state->prng, 1);
	for (long i = 0; i < (long)n; i++)
		world_after(w, prng_below(&state->prng, 1000000), tick, NULL);
}

static void
sleeper(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	while (state->left-- > 0)
		actor_sleep(w, 1 + prng_below(&state->prng, 1000000));
}

static void
setup_sleepers(struct world *w, void *n)
{
	state = world_alloc(w, sizeof(*state));
	state->left = EVENTS;
	prng_seed(&state->prng, 1);
	for (long i = 0; i < (long)n; i++)
		actor_create(w, "sleeper", sleeper, NULL, 0);
}

static double
timed(void (*setup)(struct world *w, void *arg), long n)
{
	struct world *w = make(setup, n);
	double start = bench_seconds();

	must(world_run(w) == STOP_QUIESCENT);

	double rate = (double)(EVENTS + n) / (bench_seconds() - start);

	world_destroy(w);
	return rate;
}

static double
round_callbacks(long n)
{
	return timed(setup_callbacks, n);
}

static double
round_sleepers(long n)
{
	return timed(setup_sleepers, n);
}

static void
yielder(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	while (state->left-- > 0)
		actor_yield(w);
}

static void
setup_yielders(struct world *w, void *n)
{
	state = world_alloc(w, sizeof(*state));
	state->left = EVENTS * 4;
	for (long i = 0; i < (long)n; i++)
		actor_create(w, "yielder", yielder, NULL, 0);
}

static double
round_switches(long n)
{
	struct world *w = make(setup_yielders, n);
	double start = bench_seconds();

	must(world_run(w) == STOP_QUIESCENT);

	double rate = (double)(EVENTS * 4) / (bench_seconds() - start);

	world_destroy(w);
	return rate;
}

static long
resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long total = 0, resident = 0;

	must(f && fscanf(f, "%ld %ld", &total, &resident) == 2);
	fclose(f);
	return resident;
}

static void
parked(struct actor *self, void *arg)
{
	waitq_wait(actor_world(self), arg);
}

static void
setup_parked(struct world *w, void *n)
{
	struct waitq *q = world_alloc(w, sizeof(*q));

	waitq_init(q, w, "parking");
	for (long i = 0; i < (long)n; i++)
		actor_create(w, "parked", parked, q, 0);
}

static void
memory_an_actor(long n)
{
	long before = resident_pages();
	struct world *w = make(setup_parked, n);

	must(world_run(w) == STOP_QUIESCENT);
	bench_print("memory an idle actor (resident, 100,000 blocked)",
		    (double)(resident_pages() - before) * 4.0 / (double)n, "KiB");
	world_destroy(w);
}

static void
touch(struct actor *self, void *arg)
{
	unsigned char *pages = arg;

	for (int i = 0; i < 8; i++)
		pages[i * 4096]++;
}

static void
setup_touch(struct world *w, void *n)
{
	actor_create(w, "touch", touch, arena_alloc_pages(world_arena(w), (size_t)n * 4096), 0);
}

static double
round_restore(long pages)
{
	struct world *w = make(setup_touch, pages);
	long rounds = 200000;

	world_snapshot(w);

	double start = bench_seconds();

	for (long i = 0; i < rounds; i++) {
		world_run(w);
		world_restore(w);
	}

	double ns = (bench_seconds() - start) * 1e9 / (double)rounds;

	world_destroy(w);
	return 1e9 / ns;
}

int
main(void)
{
	bench_print("timed events, 1,000 callbacks pending", bench_best(round_callbacks, 1000),
		    "events/s");
	bench_print("timed events, 100,000 callbacks pending", bench_best(round_callbacks, 100000),
		    "events/s");
	bench_print("timed events, 1,000 actors sleeping", bench_best(round_sleepers, 1000),
		    "events/s");
	bench_print("timed events, 100,000 actors sleeping", bench_best(round_sleepers, 100000),
		    "events/s");
	bench_print("actor switches, 2 actors", bench_best(round_switches, 2), "switches/s");
	bench_print("actor switches, 100 actors", bench_best(round_switches, 100), "switches/s");
	bench_print("restore, 8 of 64 pages touched, run included",
		    1e9 / bench_best(round_restore, 64), "ns/schedule");
	bench_print("restore, 8 of 100,000 pages touched, run included",
		    1e9 / bench_best(round_restore, 100000), "ns/schedule");
	memory_an_actor(100000);
	return 0;
}
