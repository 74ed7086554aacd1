/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A number that was estimated, and how far it may be off. */
#ifndef RINGSIDE_EXPLORE_ESTIMATE_H
#define RINGSIDE_EXPLORE_ESTIMATE_H

#include <stdint.h>

struct estimate {
	double value;
	double error; /* standard error: the truth is within two of them 19 times in 20 */
};

/*
 * A search that goes through a tree and knows which part of it is behind: its size, from how far
 * each of some equal stretches of the way has brought it.
 *
 * As the stretches differ the size is uncertain; the error is that of a mean of so many batches.
 * Batches of a depth-first search are not independent, and of a tree whose branches become known
 * only while it is searched (dpor) the part behind is taken for too large at first: early estimates
 * are low.
 */
#define STRETCHES_MAX 32u

struct stretches {
	uint64_t length; /* steps of the search to a stretch, doubles when there are too many */
	unsigned count;
	double behind[STRETCHES_MAX]; /* at the end of each */
};

/* After step @done of the search, from 1: whether to note what is behind, with stretches_note(). */
static inline int
stretches_due(const struct stretches *s, uint64_t done)
{
	return !(done & (s->length - 1));
}

/* Zeroed is not ready: length is 1 at the start. */
void
stretches_note(struct stretches *s, double behind);

/* After @done steps with @behind behind. @all->value is 0 if there is too little to say. */
void
stretches_estimate(const struct stretches *s, uint64_t done, double behind, struct estimate *all);

#endif
