/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shrinking: from a failing schedule to one that people can read, with the same finding.
 *
 * Smaller means, in this order: fewer preemptions (an actor that could go on did not), fewer
 * delayed stores (others went on while a store was in its actor's buffer), fewer picks that are not
 * 0 (the rest of what somebody has to understand: ties, outcomes, early flushes), a smaller sum of
 * picks, fewer steps.  The number of buffers is a parameter of the scenario, and is the caller's to
 * shrink.  Phases:
 *	1. ddmin (Zeller) over the picks, until each one left is necessary: without it the finding
 *	   is gone, or the run is larger;
 *	2. search from below: the plain run, all schedules with one pick, with two, … below what is
 *	   left, as far as the budget goes; if it goes all the way that number is `proven` least;
 *	3. each pick made smaller, and moved to neighbouring choices, where that makes the run
 *	   shorter; then again whether each is necessary, until nothing changes.
 * The result is replayed strictly, and has its kinds, its count and its digest.
 *
 * A candidate is run leniently: picks keep their positions, a pick that is too large for what is
 * asked there is cut, and what the run then really did is what is kept.
 *
 * Everything is a function of world, judge and schedule: budgets are runs and steps, never time, so
 * that the same failure shrinks to the same schedule everywhere.
 */
#ifndef RINGSIDE_EXPLORE_SHRINK_H
#define RINGSIDE_EXPLORE_SHRINK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/world.h"
#include "explore/explorer.h"
#include "explore/schedule.h"
#include "explore/verdict.h"

#define SHRINK_RUNS_MAX UINT64_C(20000) /* 0.1 s of a small world */
#define SHRINK_STEPS_MAX UINT64_C(20000000)

struct shrink_config {
	judge_fn judge;
	void *judge_context;
	uint64_t runs_max; /* 0: SHRINK_RUNS_MAX */
	uint64_t steps_max; /* 0: SHRINK_STEPS_MAX */
	const volatile sig_atomic_t *interrupted; /* set: return what there is, may be null */
};

struct shrink_result {
	uint64_t runs;
	uint64_t steps_run; /* all runs together */
	size_t picks_before, picks_after;
	uint32_t preemptions_before, preemptions_after;
	uint32_t delayed_before, delayed_after; /* stores */
	uint64_t steps_before, steps_after;
	uint64_t signature; /* of the result: replay.h */
	bool minimal; /* each pick left is necessary */
	bool proven; /* no schedule with fewer picks has the finding */
	enum stop stop;
	int64_t time_ns;
};

/*
 * Shrink @s, which gives @f in @w.  0, or -1 and @err if @s does not replay, or does not give @f.
 * @s is replaced by the smallest found; @f gets the message of that one.
 */
int
shrink(struct world *w, const struct shrink_config *config, struct schedule *s, struct finding *f,
       struct shrink_result *r, struct error *err);

#endif
