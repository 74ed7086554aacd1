/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The critical pair: the two adjacent events of a failing run whose order decides.
 *
 * From a shrunk schedule, and one that passes: the same without the last pick of who goes on that
 * decides, or, if none does, with one more pick (one more early flush, where stores are buffered).
 * There X, an actor or the flush of a buffer, goes first, here actor A goes on.  Between the two
 * lie schedules in which A goes on for 1, 2, … of its points before X goes; two neighbours of them,
 * one failing and one passing, are found by bisection.  They differ in the place of one step of A;
 * between them lie schedules in which X makes 1, 2, … steps before that one of A.  Bisected again:
 * two schedules that differ in the order of one step of A and one of X, one fails, one passes.
 *
 * The picks after the one in question are followed by their keys (keyed.h).  Both schedules are
 * handed out, and both were run.  Costs some 2 log2(steps) recorded runs.
 */
#ifndef RINGSIDE_EXPLORE_CRITICAL_H
#define RINGSIDE_EXPLORE_CRITICAL_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/world.h"
#include "explore/explorer.h"
#include "explore/keyed.h"
#include "explore/schedule.h"
#include "explore/verdict.h"

/* Steps of a run for which the pair is looked for, and of all runs that takes: some seconds. */
#define CRITICAL_STEPS_MAX UINT64_C(50000)
#define CRITICAL_STEPS_ALL_MAX UINT64_C(2000000)

struct critical_event {
	char actor[64];
	char what[200]; /* "reads vq0.used.flags -> 1" */
	char place[96]; /* "virtio_ring.c:812", "" outside linked code */
	char stack[1000]; /* "virtqueue_add_split virtio_ring.c:812 <- …", "" the same */
};

/* Zeroed: none. */
struct critical {
	bool found;
	struct critical_event first, second; /* as in the failing run */
	struct schedule failing, passing; /* they differ in the order of the two */
	unsigned runs;
};

void
critical_free(struct critical *c);

/*
 * Look for the pair of @s, which ends with @f as the judge says.  @c is overwritten; not `found`
 * where no order of two steps decides (an outcome of a modelled fault does, or every schedule
 * fails), or where it is too long for the limits above.
 */
struct critical_config {
	judge_fn judge;
	void *judge_context;
	const volatile sig_atomic_t *interrupted; /* set: give up; may be null */
};

void
critical_find(struct world *w, const struct critical_config *config, const struct schedule *s,
	      const struct finding *f, struct critical *c);

/* "A (actor, file:line) before B (actor, file:line)" */
void
critical_text(const struct critical *c, char *text, size_t size);

#endif
