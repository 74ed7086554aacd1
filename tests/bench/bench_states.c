/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long `states` takes to be complete, and states a second: the wake-up ring, whole rings. */
#include <stdlib.h>

#include "base/must.h"
#include "bench.h"
#include "datapath/registry.h"
#include "explore/explorer.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "memory/model.h"
#include "oracle/oracle.h"
#include "virtio/wakeup.h"

static struct wakeup *wakeup;

static void
setup_wakeup(struct world *w, void *arg)
{
	wakeup = wakeup_create(w, (unsigned)*(const long *)arg, &(struct ring_wakeup_quirks){ 0 });
}

static enum verdict
judge_wakeup(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return wakeup_lost(wakeup) ? VERDICT_LOST_KICK : VERDICT_OK;
}

static const struct datapath *datapath;

static void
setup_rings(struct world *w, void *arg)
{
	struct raw_config config = { .name = "vq0",
				     .driver = datapath,
				     .device = datapath,
				     .size = 4,
				     .buffers = (unsigned)*(const long *)arg };

	oracle_attach(w);
	gm_create(w, 1 << 20);
	oracle_watch_raw(w, raw_pair_create(w, &config));
}

static enum verdict
judge_rings(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return oracle_judge(w, stop, f);
}

/* Seconds until all worlds were seen, and how many. */
static double
complete(void (*setup)(struct world *w, void *arg), judge_fn judge, long n, uint64_t *states)
{
	struct error err;
	struct explorer_result r;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = { .judge = judge };
	double start, seconds;

	must(w && !world_setup(w, setup, &n, &err));
	memory_set_model(w, MEMORY_TSO);
	world_snapshot(w);
	config.strategy = strategy_create(&strategy_states, &(struct strategy_config){ 0 }, &err);
	must(config.strategy);
	start = bench_seconds();
	must(!explorer_run(w, &config, &r) && r.end == EXPLORER_COMPLETE);
	seconds = bench_seconds() - start;
	*states = config.strategy->tally.classes;
	explorer_result_free(&r);
	strategy_destroy(config.strategy);
	world_destroy(w);
	return seconds;
}

static double
round_rate(long n)
{
	uint64_t states;
	double seconds = complete(setup_wakeup, judge_wakeup, n, &states);

	return (double)states / seconds;
}

static double
round_wakeup(long n)
{
	uint64_t states;

	return 1 / complete(setup_wakeup, judge_wakeup, n, &states);
}

static double
round_rings(long n)
{
	uint64_t states;

	return 1 / complete(setup_rings, judge_rings, n, &states);
}

int
main(void)
{
	struct error err;

	bench_print("states, wake-up ring N=8, tso", bench_best(round_rate, 8), "states/s");
	bench_print("states, wake-up ring N=8, tso, complete", 1 / bench_best(round_wakeup, 8),
		    "s");
	bench_print("states, native rings, 3 buffers, tso, complete",
		    1 / bench_best(round_rings, 3), "s");
	datapath = datapath_find("linux", &err);
	if (datapath)
		bench_print("states, Linux virtio_ring.c and vringh.c, 3 buffers, tso, complete",
			    1 / bench_best(round_rings, 3), "s");
	return 0;
}
