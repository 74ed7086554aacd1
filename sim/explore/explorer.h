/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The explorer: many schedules of one world.
 *
 *	world_create, world_setup, world_snapshot          the caller's
 *	for each schedule: world_restore, choose and run, judge
 *	at a failure:      take the schedule, replay it on the spot, keep it
 *
 * The world has one snapshot, taken by the caller; the explorer leaves the world as the last run
 * left it.  Budgets are a number of schedules and a time; time is read through the caller's clock,
 * about once a millisecond, and decides nothing but when to end.
 *
 * Nondeterminism that nobody controls (an address that decided an order, a clock read by linked
 * code) would make every result worthless.  Each failure that is kept is therefore replayed at
 * once, and must give the same digest and the same finding; if not, the exploration ends with
 * EXPLORER_NONDETERMINISTIC, and `error` says where the replay left the recorded run.
 *
 * Failing on and on: with `keep_going`, failures are told apart by verdict, oracle, subject and the
 * signature of their shrunk schedule (replay.h).  Shrinking is dear: once DISTINCT_PATIENCE
 * failures of the same finding in a row were shrunk to a known signature, others are only counted.
 *
 * With `jobs`, processes share the schedules of an indexed strategy (jobs.c) or take shards of one
 * that partitions (parts.c); the result is that of one process.  Others run in one.
 *
 * Cost beyond world_restore(), world_run() and the judge: a few tens of nanoseconds a schedule.
 */
#ifndef RINGSIDE_EXPLORE_EXPLORER_H
#define RINGSIDE_EXPLORE_EXPLORER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/world.h"
#include "explore/classes.h"
#include "explore/schedule.h"
#include "explore/strategy.h"
#include "explore/verdict.h"

#define DISTINCT_PATIENCE 8u
#define EXPLORER_JOBS_MAX 256u

/*
 * What to think of the run that just ended.  Called after each schedule, the world still as the run
 * left it; changes nothing in it.  Fills *@f only if it returns a failing verdict (f->verdict is
 * set by the explorer from the return value).  Must answer the same for the same run.
 */
typedef enum verdict (*judge_fn)(struct world *w, enum stop stop, struct finding *f, void *context);

/* Nanoseconds from some start, never going back: clock_gettime(CLOCK_MONOTONIC) in cli/. */
typedef int64_t (*clock_fn)(void *context);

struct explorer_progress {
	uint64_t schedules; /* done so far, by this shard */
	uint64_t failing;
	uint64_t classes; /* distinct ones seen so far; of an exhaustive strategy its schedules */
	int64_t elapsed_ns;
	uint64_t per_second; /* since the last call */
	int64_t left_ns; /* estimate to the nearer budget, -1 if there is none */
};

/* A failure that was kept. The list owns it. */
struct found {
	uint64_t index; /* schedule number */
	struct finding finding;
	struct schedule schedule; /* as found; shrunk if keep_going */
	enum stop stop;
	uint64_t steps;
	int64_t time_ns;
	uint64_t signature;
	uint64_t times; /* how often it was met, as far as it was told apart */
	struct found *next;
};

struct explorer_config {
	struct strategy *strategy;
	judge_fn judge;
	void *judge_context;

	uint64_t first; /* number of the first schedule, usually 0 */
	uint64_t schedules_max; /* numbers below this are tried, over all shards; 0: no bound */
	int64_t time_max_ns; /* 0: no bound; needs a clock */
	uint32_t shard, shards; /* this process does index % shards == shard; 0, 0: all */
	clock_fn clock; /* may be null without time budget and progress */
	void *clock_context;

	bool classes; /* watch a sample of the schedules to estimate what is left (classes.h) */
	unsigned classes_every; /* one in so many; 0: the default */

	bool around; /* answers in the order of time: around.h; needs a WORLD_AROUND */

	bool keep_going; /* collect distinct failures instead of ending at the first */
	uint32_t found_max; /* end after so many distinct ones; 0: 64 */

	unsigned jobs; /* processes; 0, 1: this one alone */
	/* What `strategy` was made of, to make one for each shard if it partitions; or null. */
	const struct strategy_config *strategy_config;
	/*
	 * Once before the first schedule, when all processes are forked: open what must not be
	 * shared with them.  -1 and @err end it with EXPLORER_ERROR.  May be null.
	 */
	int (*ready)(void *context, struct error *err);
	/* In each further process, before its first schedule: timers do not survive a fork. */
	void (*forked)(void *context);

	const volatile sig_atomic_t
		*interrupted; /* set by a signal handler: end after this schedule */
	void (*progress)(const struct explorer_progress *p, void *context);
	int64_t progress_ns; /* between two calls; 0: half a second, and less at first */
	void *context; /* of ready(), forked() and progress() */
};

/* Why the exploration ended. */
enum explorer_end {
	EXPLORER_FOUND, /* at the first failure (or found_max of them) */
	EXPLORER_SCHEDULES, /* all schedules of the budget were run */
	EXPLORER_TIME, /* the time budget is used up */
	EXPLORER_INTERRUPTED,
	EXPLORER_COMPLETE, /* an exhaustive strategy had nothing left */
	EXPLORER_BOUNDED, /* same, within its bound: the statement says which */
	EXPLORER_NONDETERMINISTIC, /* a failure did not replay: see error */
	EXPLORER_CRASHED, /* a process of `jobs` died of a bug in Ringside: see error */
	EXPLORER_ERROR /* a run ended with STOP_ERROR, or the configuration is wrong: see error */
};

struct explorer_result {
	enum explorer_end end;
	uint64_t schedules;
	uint64_t failing;
	uint64_t steps; /* of all schedules */
	uint64_t count[VERDICT_COUNT];
	int64_t elapsed_ns; /* 0 without a clock */
	struct found *found; /* in the order of finding */
	uint64_t classes; /* as of the progress */
	struct classes_estimate left; /* of a strategy that draws; looked == 0: nothing known */
	struct estimate all; /* of an exhaustive one that was stopped: schedules in all; or 0 */
	char statement[256]; /* what it proved or promises, by the strategy; may be "" */
	struct error error;
};

/* Whether `jobs` processes would share it. */
bool
explorer_shares(const struct explorer_config *config);

/* Returns 0, or -1 for the ends that have an error. @r is overwritten. */
int
explorer_run(struct world *w, const struct explorer_config *config, struct explorer_result *r);

/* Give back the failures. */
void
explorer_result_free(struct explorer_result *r);

#endif
