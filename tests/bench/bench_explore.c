/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Schedules a second of the smallest lost-kick scenario: one buffer, one driver, one device, the
 * driver's re-check after enabling callbacks left out, random schedules, recording off, every
 * schedule judged.
 */
#include <stdlib.h>

#include "base/must.h"
#include "bench.h"
#include "explore/explorer.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "oracle/oracle.h"

#define SCHEDULES 400000u

static int64_t quirks;

static void
setup(struct world *w, void *arg)
{
	struct raw_config config = { .name = "vq0", .size = 4, .buffers = 1 };

	config.driver_quirks = (uint64_t)quirks;
	oracle_attach(w);
	gm_create(w, 1 << 20);
	oracle_watch_raw(w, raw_pair_create(w, &config));
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return oracle_judge(w, stop, f);
}

static double
round_random(long keep_failing)
{
	struct error err;
	struct explorer_result r;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = {
		.judge = judge,
		.schedules_max = SCHEDULES,
	};

	must(w);
	quirks = keep_failing;
	if (world_setup(w, setup, NULL, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	world_snapshot(w);
	config.strategy =
		strategy_create(&strategy_random, &(struct strategy_config){ .seed = 1 }, &err);
	must(config.strategy);

	double start = bench_seconds();

	must(!explorer_run(w, &config, &r));

	double rate = (double)r.schedules / (bench_seconds() - start);

	must(r.end == EXPLORER_SCHEDULES);
	explorer_result_free(&r);
	strategy_destroy(config.strategy);
	world_destroy(w);
	return rate;
}

int
main(void)
{
	bench_print("random schedules, smallest kick scenario, recording off",
		    bench_best(round_random, 0), "schedules/s");
	return 0;
}
