/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large a failing run is for somebody who has to understand it: what shrinking makes less of
 * (shrink.h).
 */
#ifndef RINGSIDE_EXPLORE_RUN_SIZE_H
#define RINGSIDE_EXPLORE_RUN_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/watch.h"
#include "engine/world.h"
#include "explore/schedule.h"

/* The earlier a field, the more it counts. */
struct run_size {
	uint64_t preemptions; /* an actor at a point could go on, and another did */
	uint64_t delayed; /* stores in a buffer while another actor went on */
	uint64_t picks, sum; /* answers other than 0, and their sum */
	uint64_t steps;
};

bool
run_size_below(const struct run_size *a, const struct run_size *b);

/* Stores in buffers at a time; more are not counted. */
#define RUN_SIZE_STORES_MAX 64u

/* Counts during a run. Private. */
struct run_counter {
	struct step_watch watch; /* first */
	uint64_t preemptions, delayed;
	const void *last, *left; /* who went on; who was left at a point by the last answer */
	uint64_t others; /* times that another one than before went on */
	struct {
		const struct actor *actor;
		uint64_t offset, others;
		uint32_t size;
	} store[RUN_SIZE_STORES_MAX];
	unsigned stores;
};

/* Around world_run(), after world_restore(). The world's watch is none afterwards. */
void
run_counter_start(struct run_counter *c, struct world *w);
void
run_counter_end(struct run_counter *c, struct world *w);
/* By the chooser, of each answer it gives. */
void
run_counter_ask(struct run_counter *c, const struct world *w, uint32_t pick, enum choice_kind kind);

/* Of the run that was counted, which took @s. */
struct run_size
run_size_of(const struct run_counter *c, const struct schedule *s, uint64_t steps);

#endif
