/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executions of `dpor` a second, and how long it takes to be complete: the wake-up ring. */
#include <stdlib.h>

#include "base/must.h"
#include "bench.h"
#include "explore/explorer.h"
#include "memory/model.h"
#include "virtio/wakeup.h"

static struct wakeup *wakeup;

static void
setup(struct world *w, void *arg)
{
	wakeup = wakeup_create(w, (unsigned)*(const long *)arg, &(struct ring_wakeup_quirks){ 0 });
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return wakeup_lost(wakeup) ? VERDICT_LOST_KICK : VERDICT_OK;
}

/* All executions of the ring with @n items under tso. */
static double
complete(long n, uint64_t *executions)
{
	struct error err;
	struct explorer_result r;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = { .judge = judge };
	double start, seconds;

	must(w && !world_setup(w, setup, &n, &err));
	memory_set_model(w, MEMORY_TSO);
	world_snapshot(w);
	config.strategy = strategy_create(&strategy_dpor, &(struct strategy_config){ 0 }, &err);
	must(config.strategy);
	start = bench_seconds();
	must(!explorer_run(w, &config, &r) && r.end == EXPLORER_COMPLETE);
	seconds = bench_seconds() - start;
	*executions = r.schedules;
	explorer_result_free(&r);
	strategy_destroy(config.strategy);
	world_destroy(w);
	return seconds;
}

static double
round_rate(long n)
{
	uint64_t executions;
	double seconds = complete(n, &executions);

	return (double)executions / seconds;
}

static double
round_runs(long n)
{
	uint64_t executions;

	return 1 / complete(n, &executions);
}

int
main(void)
{
	bench_print("dpor, wake-up ring n = 4, tso", bench_best(round_rate, 4), "executions/s");
	bench_print("dpor, wake-up ring n = 5, tso, complete", 1 / bench_best(round_runs, 5), "s");
	return 0;
}
