/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyed picks: a schedule that survives changes of the code.
 *
 * The exact form (schedule.h) says "the 12th choice": one access more in the linked code, and it
 * means something else.  The keyed form says who was asked, and what it had done last:
 *
 *	driver | load vq0.used.flags | split_kick_prepare ring_split_driver.c:222 | #2+1,7,31
 *	    -> device
 *
 *	the actor that was asked, "-" if none was running | what it did last | the function and the
 *	line, or "-" | numbers -> answer
 *
 * The numbers: how often it had done that in that function; which choice since; and for guesses,
 * how often it had done that anywhere, and which of its choices in all this was.
 *
 * An answer is the actor that goes on ("device"), "flush of device", "callback 1/3", or, for other
 * kinds of choice, "1/3 outcome".  The second actor of the same name is "worker#2".  In names, |
 * and control characters are shown as !.
 *
 * Following it, each pick waits for its place: the same actor, the same event in the same function
 * as often as before.  Where that place never comes, or the answer is not possible there, the run
 * is done again with a guess for that pick: the same event in whatever function; then the
 * same-numbered choice of that actor; then the pick is left out.
 *
 * Costs a look at each event of the run: for replays, not for exploring.
 */
#ifndef RINGSIDE_EXPLORE_KEYED_H
#define RINGSIDE_EXPLORE_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "engine/world.h"
#include "explore/event_log.h"
#include "explore/schedule.h"

#define KEYED_PICKS_MAX 512u /* longer schedules have no keyed form */
#define KEYED_CHOICES_MAX 1000000u
#define KEYED_TEXT_MAX 400u /* bytes of one, at most */

/* Texts of an event, as they stand in a key. */
struct event_key {
	char what[160]; /* "load vq0.used.flags", "-" before the actor's first event */
	char function[64]; /* "-" outside linked code */
	char place[64]; /* "ring_split_driver.c:222", "" outside linked code */
};

struct pick_key {
	char asker[64];
	struct event_key after;
	uint32_t occurrence; /* of `what` in `function`, by this actor, from 1; 0: no event yet */
	uint32_t since; /* which choice of this actor after it, from 1 */
	char answer[80];

	/* for guesses; the last two of the numbers #2+1,7,31 */
	uint32_t loose; /* occurrence of `what` in any function */
	uint32_t asked; /* which choice of this actor in all */
};

/* Zeroed: none. */
struct pick_keys {
	struct pick_key *key; /* one for each pick of the schedule, in order (malloc) */
	size_t count;
};

void
pick_keys_free(struct pick_keys *k);
void
pick_keys_add(struct pick_keys *k, const struct pick_key *key);

void
pick_key_print(const struct pick_key *k, char *text, size_t size);
/* 0, or -1 and what was expected in @err. */
int
pick_key_parse(struct pick_key *k, const char *text, struct error *err);

/* What @e is in a key. */
void
event_key_of(const struct event_names *names, const struct event *e, struct event_key *key);

/*
 * Restore @w, run @s and learn the keys of its picks.  @keys is overwritten; empty where the
 * schedule is longer than KEYED_PICKS_MAX.  -1 if the schedule does not replay.
 */
int
keyed_learn(struct world *w, const struct schedule *s, struct pick_keys *keys);

struct keyed_result {
	enum stop stop;
	size_t guessed; /* the first pick that had to be guessed; the number of picks: none */
	unsigned guesses;
	unsigned left_out; /* picks for which nothing was found */
	unsigned runs;
	char how[KEYED_TEXT_MAX + 200]; /* of that first guess, "" if there is none */
};

/*
 * Restore @w and follow the keys.  The world stands as the last run left it.
 */
void
keyed_run(struct world *w, const struct pick_keys *keys, struct keyed_result *r);

#endif
