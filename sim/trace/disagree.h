/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a recording and the models disagree: a list with the line of the log that says what cannot
 * be.  In the world's memory.
 */
#ifndef RINGSIDE_TRACE_DISAGREE_H
#define RINGSIDE_TRACE_DISAGREE_H

#include <stdint.h>

#include "explore/verdict.h"

struct world;

struct disagreement {
	uint64_t line;
	int64_t time_ns;
	uint16_t thread; /* of the recording */
	enum verdict verdict;
	const char *oracle; /* static */
	char subject[64]; /* "vq3", "slot 2" */
	char message[160];
};

/* So many are kept; all are counted. */
#define DISAGREEMENTS_MAX 1000u

struct disagreements {
	struct world *w;
	struct disagreement *item;
	uint64_t count, kept, capacity;
	/* Where the replay is: goes into each. */
	uint64_t line;
	int64_t time_ns;
	uint16_t thread;
};

void
disagree(struct disagreements *d, enum verdict verdict, const char *oracle, const char *subject,
	 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
