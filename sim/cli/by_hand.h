/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run whose choices somebody makes one at a time.  The world is parked at each question of who
 * goes on (engine/world.h), so that it can be looked at and acted upon in between, and every answer
 * can be taken back: the run is done again from its beginning without the last ones.
 *
 *	start ─▶ question ── answer ─▶ question ── … ─▶ end: a verdict
 *	             └── act (a kick, a write, Lua) ──▶ question
 *
 * What was answered and done is kept.  As long as nothing was done by hand, the answers are a
 * schedule like any other.  Host memory: by_hand_free().
 */
#ifndef RINGSIDE_CLI_BY_HAND_H
#define RINGSIDE_CLI_BY_HAND_H

#include "cli/runner.h"
#include "engine/watch.h"

struct taken;

struct by_hand {
	struct chooser chooser; /* of what is asked within a step */
	struct session *s;
	const struct schedule *plan; /* whose answers are the defaults; null: always the first */
	/*
	 * Asked for an answer within a step, @n >= 2 of them, with the default: on the stack of an
	 * actor's, by way of aside_call().  Null: the default.
	 */
	uint32_t (*ask)(struct by_hand *h, uint32_t n, enum choice_kind kind, uint32_t otherwise);
	/* Do what @text says, first or again: 0, or -1 and @err. May make actors, may not run. */
	int (*act)(struct by_hand *h, const char *text, struct error *err);
	void *context; /* the owner's */

	/* What is so now: */
	enum stop stop; /* STOP_PARKED: a question is open */
	bool departed; /* from the plan, by an answer or an act */
	bool acted; /* so the answers alone are no schedule */
	struct event_log log;

	struct taken *taken;
	size_t count, capacity, at; /* @at < @count: being done again */
	bool replaying, settling;
};

/* From the set-up to the first question. May be called again. */
void
by_hand_start(struct by_hand *h);
void
by_hand_free(struct by_hand *h);

/* What by_hand_answer() would be given if nobody cared. */
uint32_t
by_hand_default(const struct by_hand *h);
/* Goes on to the next question or the end. */
void
by_hand_answer(struct by_hand *h, uint32_t answer);

/* Calls act(@text), and lets the actors that it made run first. 0, or -1 and @err. */
int
by_hand_act(struct by_hand *h, const char *text, struct error *err);

/*
 * The answers as a schedule; -1 and @err if something was done by hand, for no schedule leads here
 * then.  Of a run that has ended with the kinds of its choices and its digest, as replay wants it.
 */
int
by_hand_schedule(struct by_hand *h, struct schedule *s, struct error *err);

/* Take back the last @n answers and acts; fewer if there are not so many. Returns how many. */
size_t
by_hand_back(struct by_hand *h, size_t n);

#endif
