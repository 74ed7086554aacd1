/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long an exhaustive strategy takes to be complete, under tso. */
#ifndef BENCH_COMPLETE_H
#define BENCH_COMPLETE_H

#include "base/must.h"
#include "bench.h"
#include "explore/explorer.h"
#include "memory/model.h"
#include "virtio/wakeup.h"

typedef void (*setup_fn)(struct world *w, void *arg); /* @arg: the long @n */

/* The wake-up ring with @n items. */
static struct wakeup *wakeup;

static inline void
setup_wakeup(struct world *w, void *arg)
{
	wakeup = wakeup_create(w, (unsigned)*(const long *)arg, &(struct ring_wakeup_quirks){ 0 });
}

static inline enum verdict
judge_wakeup(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return wakeup_lost(wakeup) ? VERDICT_LOST_KICK : VERDICT_OK;
}

/* Seconds; *@classes is how many executions or states it has seen. */
static inline double
bench_complete(const struct strategy_ops *ops, setup_fn setup, judge_fn judge, long n,
	       uint64_t *classes)
{
	struct error err;
	struct explorer_result r;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = { .judge = judge };
	double start, seconds;

	must(w && !world_setup(w, setup, &n, &err));
	memory_set_model(w, MEMORY_TSO);
	world_snapshot(w);
	config.strategy = strategy_create(ops, &(struct strategy_config){ 0 }, &err);
	must(config.strategy);
	start = bench_seconds();
	must(!explorer_run(w, &config, &r) && r.end == EXPLORER_COMPLETE);
	seconds = bench_seconds() - start;
	*classes = r.classes;
	explorer_result_free(&r);
	strategy_destroy(config.strategy);
	world_destroy(w);
	return seconds;
}

#endif
