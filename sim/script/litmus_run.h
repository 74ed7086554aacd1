/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A litmus test in a world: each process an actor, its variables in guest memory, and every
 * schedule tried.  What comes out is the set of final states and how many executions end in each.
 *
 * An execution in which a lock was taken when somebody asked for it is none: the one in which it
 * is free by then is another schedule.  So there is nothing to wait for, and the search is finite.
 */
#ifndef RINGSIDE_SCRIPT_LITMUS_RUN_H
#define RINGSIDE_SCRIPT_LITMUS_RUN_H

#include <signal.h>

#include "explore/strategy.h"
#include "memory/model.h"
#include "script/litmus.h"
#include "script/litmus_build.h"

struct litmus_outcome {
	int64_t value[LITMUS_SHOWN_MAX]; /* of what the test shows; see LITMUS_ADDRESS() */
	uint64_t count; /* executions that end so */
	bool holds; /* the condition's proposition */
};

struct litmus_config {
	enum memory_model memory;
	/* Null: litmus_search. dpor runs one schedule of each class: herd's executions. */
	const struct strategy_ops *strategy;
	struct strategy_config strategy_config;
	uint64_t runs_max; /* 0: no bound */
	int64_t time_max_ns; /* 0: no bound; needs a clock */
	int64_t (*clock)(void *context); /* ns; may be null */
	const volatile sig_atomic_t *interrupted; /* may be null */
};

struct litmus_result {
	struct litmus_outcome *outcome; /* sorted by value */
	size_t outcomes;
	uint64_t positive, negative; /* executions in which the proposition holds, does not */
	uint64_t schedules; /* run, those that are no executions too */
	bool complete; /* all of them */
	bool interrupted;
};

/* 0, or -1 and @err. @r is overwritten. */
int
litmus_run(const struct litmus_test *t, const struct litmus_code *code,
	   const struct litmus_config *config, struct litmus_result *r, struct error *err);

void
litmus_result_free(struct litmus_result *r);

/* The strategy behind a null one: all schedules, depth first. */
extern const struct strategy_ops litmus_search;

/* For it: whether the actor that runs comes to its first access, having done nothing before. */
bool
litmus_at_begin(const struct world *w);

#endif
