/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracking: who did what how often, while a run goes on.  The run is recorded for it; events are
 * counted by actor, event and function as they come, so that a chooser can ask at each choice where
 * the asker is.  For keyed picks (keyed.h) and for the critical pair (critical.h).
 */
#ifndef RINGSIDE_EXPLORE_TRACK_H
#define RINGSIDE_EXPLORE_TRACK_H

#include <stdint.h>

#include "engine/world.h"
#include "explore/event_log.h"
#include "explore/keyed.h"

struct track_actor {
	char name[64]; /* "worker#2" */
	bool any; /* it did something */
	struct event last;
	uint32_t occurrence, loose; /* of the last */
	uint32_t since, asked;
};

struct track_counter {
	uint64_t key; /* of actor and event; 0: empty */
	uint32_t count;
};

/* Zeroed: nothing. */
struct track {
	struct chooser chooser; /* first: calls the one that was given, aside (engine/aside.h) */
	struct chooser *inner;
	struct event_names names;
	struct track_actor *of; /* by actor id; 0: no actor runs */
	size_t actors;
	struct track_counter *counter;
	size_t counters, capacity;
	struct event_log *log; /* also keep the events here, may be null */
};

void
track_free(struct track *t);

/*
 * Restore @w and run it with @c, tracked from its beginning.  @c has a large stack, and must not
 * end the run.  Chooser and sink are none afterwards.
 */
enum stop
track_run(struct track *t, struct world *w, struct chooser *c);

/* To be called first by the chooser, once at each choice. */
void
track_choice(struct track *t, struct world *w);
/* Where the one who asks is; the answer is left empty. */
void
track_key(struct track *t, const struct world *w, struct pick_key *key);
/* Answer @pick of @n as a key has it. */
void
track_answer(struct track *t, const struct world *w, uint32_t pick, uint32_t n,
	     enum choice_kind kind, char *text, size_t size);

#endif
