/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Priorities of actors, drawn at random: what pct and pos choose by.  At each question the
 * alternative with the highest priority goes on.
 *
 * A callback (a timer that is due) belongs to no actor and has no name that would be the same in
 * the next process: all callbacks together count as one more actor, number 0, and which of several
 * is meant is drawn, all equally likely.
 *
 * The end of an actor's store buffer, which makes its oldest store visible, has a priority of its
 * own.
 *
 * Owns its table (malloc), two entries for each actor that was ever an alternative.  A question
 * costs O(alternatives).
 */
#ifndef RINGSIDE_EXPLORE_STRATEGY_PRIORITY_H
#define RINGSIDE_EXPLORE_STRATEGY_PRIORITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "engine/watch.h"
#include "engine/world.h"

/* Priorities that are drawn are above this; below is room for those that are given. */
#define PRIORITY_DRAWN (INT64_C(1) << 32)

/* Zeroed memory is an empty one; priorities_begin() before use. */
struct priorities {
	struct prng prng;
	int64_t *of; /* by key; 0: not drawn */
	size_t capacity;
	uint32_t returns; /* questions of actors that yield */
	int64_t lowest; /* priority that was given for that */
	uint32_t drawn; /* how often one was drawn since priorities_begin() */
};

void
priorities_free(struct priorities *p);

/* Forget all of them and begin with this seed. */
void
priorities_begin(struct priorities *p, uint64_t seed);

/* An actor's key, and that of the end of its store buffer. */
uint32_t
priority_key(struct process p);

/* Of this key, drawn if it has none. The pointer is good until the next call. */
int64_t *
priorities_of(struct priorities *p, uint32_t key);

/* The next time it is drawn anew. */
void
priorities_drop(struct priorities *p, uint32_t key);

/*
 * A busy wait would keep an actor of high priority going for ever.  Each RETURNS_MAX-th time that
 * an actor asks while it yields, or sleeps without a bound in relaxed time (which is the same to
 * the others), it falls below all of them.  At each question, before the favourite is asked for.
 */
#define RETURNS_MAX 4u

void
priorities_be_patient(struct priorities *p, const struct world *w);

/* The answer with the highest priority, and whose it is. */
struct favourite {
	uint32_t answer;
	uint32_t key; /* 0: a callback */
};

/* While the question is asked; see world_alternative(). */
struct favourite
priorities_favourite(struct priorities *p, const struct world *w, uint32_t n);

#endif
