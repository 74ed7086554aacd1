/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes of schedules: two schedules are of one class if they differ in nothing but the order of
 * steps that commute.  What each process did, which store each load saw, and the order of stores
 * to the same place are then the same; so an exploration that has seen all classes has seen all.
 *
 * The class of a run is computed while it runs, as a hash: each process (an actor, its store
 * buffer, the timers) has a chain of what it did; an access mixes in the chain of the last store
 * to its bytes; steps of models, which show no access, stand in one chain together.  Chains of
 * different processes are added, so that the order of steps that commute leaves no trace.  What is
 * seen of a model is its effects (engine/watch.h), so classes of scenarios without ring code are
 * coarser or finer than they should be; those of instrumented code are exact but for the 2 bytes
 * that are the unit of place.
 *
 * A watched run costs some three times as much as another.  Therefore one schedule in CLASSES_EVERY
 * is looked at (and each of the first CLASSES_FIRST), which is as good a sample: the schedules of
 * an indexed strategy are drawn independently.
 */
#ifndef RINGSIDE_EXPLORE_CLASSES_H
#define RINGSIDE_EXPLORE_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/estimate.h"

struct world;

#define CLASSES_FIRST 256u
#define CLASSES_EVERY 256u

/* --- the class of a run --------------------------------------------------------------------- */

struct class_watch;

/* Never null. */
struct class_watch *
class_watch_create(void);
/* Null is allowed. */
void
class_watch_destroy(struct class_watch *c);

/* Between the strategy's begin() and world_run(): who chooses and who watches is replaced. */
void
class_watch_begin(struct class_watch *c, struct world *w);
/* After world_run(): puts the chooser back, nobody watches. Returns the class, never 0. */
uint64_t
class_watch_end(struct class_watch *c);

/* Whether schedule @index is one to look at. @every: 1 for all of them, 0 for the default. */
static inline bool
class_watched(uint64_t index, unsigned every)
{
	if (every)
		return !(index % every);
	return index < CLASSES_FIRST || !(index % CLASSES_EVERY);
}

/* --- how many there are --------------------------------------------------------------------- */

/*
 * How often each class was seen.  At most CLASSES_KEPT are kept: when there are more, half of them
 * (by a bit of the hash) are forgotten and never counted again, and what is left stands for all.
 * Zeroed is empty.
 */
#define CLASSES_KEPT (1u << 18)

struct class_count {
	uint64_t class; /* 0: free */
	uint64_t times;
};

struct classes {
	struct class_count *slot; /* open addressing, at most half full */
	size_t capacity, used;
	unsigned halved; /* one class in 2^halved is kept */
	uint64_t looked; /* schedules */
};

void
classes_add(struct classes *c, uint64_t class);
/* How many were seen, as far as they are kept. */
static inline uint64_t
classes_seen(const struct classes *c)
{
	return (uint64_t)c->used << c->halved;
}

void
classes_free(struct classes *c);

struct classes_estimate {
	uint64_t looked; /* schedules that were looked at */
	struct estimate seen; /* classes among them; exact (error 0) unless classes were halved */
	uint64_t once; /* classes seen once, as above */
	/*
	 * That another schedule is of a class not among those seen: Good and Turing's estimate,
	 * with Esty's error (1983).  If no class was seen once it is 0 with an error of 1/looked:
	 * three of those are the 95 % bound.
	 */
	struct estimate unseen;
	/* At least so many classes there are: Chao's lower bound (1984), with its error (1987). */
	struct estimate all;
};

void
classes_estimate(const struct classes *c, struct classes_estimate *e);

#endif
