/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: the fixed words that a run ends with, and a finding: what is known of a broken
 * property.
 *
 * The words are stable: they are stored in databases, expected by scenarios and grepped in mails.
 * Two of them are no failure: `ok`, and `budget`, which says that the run was cut off before
 * anything could be said.  Two findings are *the same* when verdict, oracle and subject agree; the
 * message may differ.
 */
#ifndef RINGSIDE_EXPLORE_VERDICT_H
#define RINGSIDE_EXPLORE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* ORDER VERDICT: verdict.c has the words. */
enum verdict {
	VERDICT_OK,
	VERDICT_LOST_KICK,
	VERDICT_LOST_INTERRUPT,
	VERDICT_HANG,
	VERDICT_LIVELOCK,
	VERDICT_DIRTY_PAGE_LOST,
	VERDICT_MEMORY_DIVERGENCE,
	VERDICT_DATA_RACE,
	VERDICT_SPEC_VIOLATION,
	VERDICT_USE_AFTER_UNMAP,
	VERDICT_MAPPING_LEAK,
	VERDICT_STATE_LOST,
	VERDICT_UNBOUNDED_ALLOCATION,
	VERDICT_BUDGET,
	VERDICT_COUNT
};

extern const char *const verdict_name[VERDICT_COUNT]; /* "lost-kick" */

/* The verdict of that word, or VERDICT_COUNT. */
enum verdict
verdict_find(const char *word);

/* Whether a property was broken. */
static inline bool
verdict_fails(enum verdict v)
{
	return v != VERDICT_OK && v != VERDICT_BUDGET;
}

/* Every text is one line and ends with a zero; longer ones are cut. */
struct finding {
	enum verdict verdict;
	char oracle[64]; /* who noticed: "lost-kick" */
	/* What was broken, where that is a statement of the specification: "VIRTIO-2.7.10.1-R6". */
	char statement[64];
	char subject[64]; /* "vq=0" */
	char message[320]; /* a sentence for people */
};

/* Same verdict, oracle and subject. */
bool
finding_same(const struct finding *a, const struct finding *b);

/* Hash of verdict, oracle and subject. */
uint64_t
finding_key(const struct finding *f);

#endif
