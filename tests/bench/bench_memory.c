/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the memory models cost: shared accesses a second of one actor that stores and loads in turn,
 * with a fence after every eighth; and random schedules a second of the wake-up ring with two
 * items, each judged, with recording off and with all events of it taken by a sink.
 */
#include <stdlib.h>

#include "base/must.h"
#include "bench.h"
#include "datapath/barrier.h"
#include "explore/explorer.h"
#include "memory/access.h"
#include "memory/guest_memory.h"
#include "memory/model.h"
#include "virtio/ring_wakeup.h"

#define ACCESSES 2000000
#define SCHEDULES 400000u
#define ITEMS 2u

/* --- accesses ------------------------------------------------------------------------------- */

static enum memory_model model;

static void
accessor(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	volatile uint16_t *p = gm_map(w, 0x1000, 64);

	for (int i = 0; i < ACCESSES / 2; i++) {
		unsigned at = (unsigned)i & 15;

		access_shared(w, 0x1000 + 2 * at, 2, ACCESS_STORE | ACCESS_ONCE, accessor);
		p[at] = (uint16_t)i;
		if ((i & 7) == 7)
			access_fence(w, DP_FENCE_MB, accessor);
		access_shared(w, 0x1000 + 2 * ((at + 3) & 15), 2, ACCESS_LOAD | ACCESS_ONCE,
			      accessor);
		(void)p[(at + 3) & 15];
	}
}

static void
setup_accesses(struct world *w, void *arg)
{
	gm_create(w, 1 << 16);
	memory_set_model(w, model);
	/* Two: with one there is nothing to ask. */
	actor_create(w, "a", accessor, NULL, 0);
	actor_create(w, "b", accessor, NULL, 0);
}

static double
round_accesses(long which)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_RELAXED, .steps_max = UINT64_MAX / 2 }, &err);
	double start, rate;

	model = (enum memory_model)which;
	must(w && !world_setup(w, setup_accesses, NULL, &err));
	start = bench_seconds();
	must(world_run(w) == STOP_QUIESCENT);
	rate = 2.0 * ACCESSES / (bench_seconds() - start);
	world_destroy(w);
	return rate;
}

/* --- schedules ------------------------------------------------------------------------------ */

struct ring {
	struct ring_wakeup *shared;
	struct ring_wakeup_quirks quirks;
	struct ring_wakeup_end end;
};

static struct ring *ring;

static void
produce(struct actor *self, void *arg)
{
	struct ring *r = arg;

	ring_wakeup_produce(r->shared, ITEMS, &r->quirks);
}

static void
consume(struct actor *self, void *arg)
{
	struct ring *r = arg;

	ring_wakeup_consume(r->shared, ITEMS, &r->quirks, &r->end);
}

static void
setup_ring(struct world *w, void *arg)
{
	gm_create(w, 1 << 16);
	memory_set_model(w, model);
	ring = world_alloc(w, sizeof(*ring));
	ring->shared = gm_map(w, gm_alloc(w, sizeof(*ring->shared), 64), sizeof(*ring->shared));
	actor_create(w, "producer", produce, ring, 0);
	actor_create(w, "consumer", consume, ring, 0);
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return ring_wakeup_lost(ring->shared, ITEMS, &ring->end) ? VERDICT_LOST_KICK : VERDICT_OK;
}

static void
sink(void *context, const struct event *e, size_t count)
{
	*(uint64_t *)context += count;
}

static double
round_random(long recording)
{
	struct error err;
	struct explorer_result r;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = { .judge = judge, .schedules_max = SCHEDULES };
	uint64_t events = 0;
	double start, rate;

	model = MEMORY_TSO;
	must(w && !world_setup(w, setup_ring, NULL, &err));
	world_snapshot(w);
	if (recording)
		world_set_sink(w, sink, &events);
	config.strategy =
		strategy_create(&strategy_random, &(struct strategy_config){ .seed = 1 }, &err);
	must(config.strategy);
	start = bench_seconds();
	must(!explorer_run(w, &config, &r));
	rate = (double)r.schedules / (bench_seconds() - start);
	must(r.end == EXPLORER_SCHEDULES && (!recording || events > SCHEDULES));
	explorer_result_free(&r);
	strategy_destroy(config.strategy);
	world_destroy(w);
	return rate;
}

int
main(void)
{
	bench_print("accesses, no memory model (sc)", bench_best(round_accesses, MEMORY_SC),
		    "accesses/s");
	bench_print("accesses, tso", bench_best(round_accesses, MEMORY_TSO), "accesses/s");
	bench_print("accesses, weak", bench_best(round_accesses, MEMORY_WEAK), "accesses/s");
	bench_print("random schedules, wake-up ring N=2, tso, recording off",
		    bench_best(round_random, 0), "schedules/s");
	bench_print("random schedules, wake-up ring N=2, tso, recording on",
		    bench_best(round_random, 1), "schedules/s");
	return 0;
}
