/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choice points: the one place where a world asks "which?".  Each question has n answers, numbered
 * 0 … n - 1, and an order of answers that depends on the run alone.  Answer 0 is always the
 * dullest: go on with the same actor, first in first out among ties, the ordinary outcome.  A
 * schedule is therefore mostly zeros, and shrinking means making more of them zero.
 *
 * A chooser answers.  It lives outside the arena and is not put back when the world is.
 */
#ifndef RINGSIDE_ENGINE_CHOICE_H
#define RINGSIDE_ENGINE_CHOICE_H

#include <stdint.h>

struct world;

/* ORDER CHOICE: engine/world.c has the names. */
enum choice_kind {
	CHOICE_ACTOR, /* which enabled actor goes on; 0 is the one that runs, if it can */
	CHOICE_TIE, /* which of several same-time events is first; 0 is the oldest */
	CHOICE_OUTCOME, /* what a modelled fault, a device or a script's choice(n) does */
	CHOICE_STORE, /* weak: behind how many stores of others one goes; 0 behind all */
	CHOICE_LOAD, /* which value a load sees; 0 is the newest */
	CHOICE_KINDS
};

extern const char *const choice_kind_name[CHOICE_KINDS];

/* One answer as kept: enough to print a schedule and to notice that a replay meets other choices.
 */
struct choice {
	uint16_t pick;
	uint16_t n;
};

#define CHOICE_N_MAX \
	UINT16_MAX /* more alternatives than this are cut off: the rest cannot be picked */

struct chooser {
	/* Returns an answer below @n (@n >= 2). May call world_stop(). */
	uint32_t (*choose)(struct chooser *self, struct world *w, uint32_t n,
			   enum choice_kind kind);
};

/* Always 0: the plain run. */
extern struct chooser chooser_first;

#endif
