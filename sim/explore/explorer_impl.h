/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the explorer share: explorer.c tries schedules and keeps failures, jobs.c
 * spreads the schedules of an indexed strategy over processes.  For these files only.
 */
#ifndef RINGSIDE_EXPLORE_EXPLORER_IMPL_H
#define RINGSIDE_EXPLORE_EXPLORER_IMPL_H

#include "explore/explorer.h"

struct patience;

struct exploration {
	struct world *w;
	const struct explorer_config *c;
	struct explorer_result *r;
	struct found **tail;
	uint32_t found_count;
	struct patience *patience;

	struct around *around; /* null: answers as the engine has them */
	struct class_watch *watch; /* null: nothing is watched */
	uint64_t class; /* of the schedule that was tried last, 0: it was not watched */
	struct classes classes;
	struct stretches stretches;

	int64_t began_ns, checked_ns, progress_ns;
	uint64_t progress_schedules;
	uint32_t stride, until_check; /* schedules between two looks at the clock */
	bool ended;
	bool unfinished; /* the strategy came back between two ends of runs: look at the clock */
};

void
explorer_end(struct exploration *x, enum explorer_end why);

/* Call the caller's ready(), and start the clock. */
int
explorer_ready(struct exploration *x);

/* Number of the schedule at place @place of this shard. */
static inline uint64_t
explorer_index(const struct explorer_config *c, uint64_t place)
{
	uint64_t shards = c->shards ? c->shards : 1;

	return c->first + (c->shard + shards - c->first % shards) % shards + place * shards;
}

/*
 * Run schedule @index and judge it; count it in x->r.  True if it broke a property: then *@f and
 * *@stop say how, and nothing was kept of it yet.
 */
bool
explorer_try(struct exploration *x, uint64_t index, struct finding *f, enum stop *stop);

/* The same, and keep a failure. */
void
explorer_schedule(struct exploration *x, uint64_t index);

/* A failing run that just ended in x->w: kept, told apart or counted; ends the exploration if that
 * is wanted. */
void
explorer_failed(struct exploration *x, uint64_t index, enum stop stop, const struct finding *f);

/*
 * With keep_going: whether failures of this key are only counted by now, and count one.  Once true,
 * it is for all later schedules.
 */
bool
explorer_only_counts(struct exploration *x, uint64_t key);

/* Distinct classes so far, when @schedules were run. */
uint64_t
explorer_classes(const struct exploration *x, uint64_t schedules);

/* The caller's progress(), if it is time for it. */
void
explorer_report(struct exploration *x, int64_t now, uint64_t schedules, uint64_t failing);

/*
 * The shards of a strategy that partitions, each in a process.  False if something did not hold:
 * then it is for the caller to explore, from the start; ready() was called.
 */
bool
explorer_parts(struct exploration *x);

/* The loop over all schedules, in config->jobs processes. */
void
explorer_jobs(struct exploration *x);

#endif
