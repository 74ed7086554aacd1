/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of `dpor` share: strategy_dpor.c says what it is and how it goes.
 *
 * An exploration is a path of events, one a step of the run, each with what could have gone on
 * instead.  Events [0, fixed) are those of the last run that are kept: they are run again, nothing
 * is computed for them.  The event at `fixed` is the one whose process or outcome was changed.
 *
 * Numbers: a process is 0 … DPOR_PROCESSES_MAX - 1, in the order of first sight; sets of them are
 * bit masks.  An event is its place in the path; NONE stands for no event.
 */
#ifndef RINGSIDE_EXPLORE_DPOR_H
#define RINGSIDE_EXPLORE_DPOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/watch.h"
#include "explore/strategy.h"

#define DPOR_PROCESSES_MAX 64u /* bits of a mask; a clock has as many words */
#define DPOR_NONE UINT32_MAX
#define DPOR_SPANS 3u
/* Accesses are listed by their granules of eight bytes; lists that share a head only cost time. */
#define DPOR_LISTS 1024u

struct dpor_span {
	uint64_t at;
	uint32_t bytes;
	uint8_t how; /* bits of enum watch_how */
};

/* What a step does to what others can see. */
struct dpor_footprint {
	uint64_t stops; /* processes that it takes from the ready queue */
	uint8_t spans;
	bool effect; /* dependent with every other step with an effect */
	bool all; /* with every other step */
	struct dpor_span span[DPOR_SPANS];
};

/* A process that need not be the next one, until something happens that its step depends on. */
struct dpor_sleeper {
	uint8_t process;
	struct dpor_footprint footprint;
};

/*
 * A place in the list of a granule.  @at is @event, but for a load that was forwarded: that reads
 * the location when the store it saw becomes visible, at the place of that event.
 */
struct dpor_node {
	uint32_t event, at, next, list;
	struct dpor_span span;
};

struct dpor_event {
	/* Of the place: what could go on there. */
	uint64_t enabled, sleep, backtrack, done;
	uint32_t first_sleeper, sleepers;
	uint32_t opens; /* questions before it */
	bool asked;
	bool split; /* goes on where the one before it ended: nobody could come between */
	uint16_t n, answer;
	/* Of the step that is in the path now. */
	uint8_t process;
	bool fence; /* follows all stores of its actor that became visible */
	uint32_t previous; /* of the same process */
	uint32_t woken_by;
	uint32_t held_by; /* the latest step since its process's last one that kept it from going on
			   */
	uint32_t stored_by; /* of a flush: the event that put the store into the buffer */
	uint32_t entry, entries; /* numbers of the stores that it makes visible */
	uint8_t buffer_of; /* of this actor */
	uint32_t barrier; /* events before it are all before this one */
	uint32_t effect_before; /* head of the list of effects before this one */
	uint32_t big_before;
	uint32_t nodes; /* in the pool, before those of this event */
	bool in_effects, in_big;
	struct dpor_footprint footprint;
	struct dpor_footprint sum; /* of all outcomes of the step that were run */
};

struct dpor_choice {
	uint16_t answer, n;
	uint32_t event; /* in which it is asked */
};

/* Numbers that were looked up lately. */
#define DPOR_KNOWN 16u

struct dpor_known {
	struct process p;
	uint32_t actor;
	unsigned number;
};

/* A store in an actor's buffer, and who saw it there. */
struct dpor_pending {
	uint64_t at;
	uint32_t bytes;
	uint32_t event;
};

struct dpor_reader {
	uint32_t event;
	uint32_t entry; /* number of the pending store, counted from the actor's first */
	struct dpor_span span;
};

struct dpor_buffer {
	struct dpor_pending *entry; /* all stores of the run so far */
	uint32_t first, count, capacity; /* [first, count) are not visible yet */
	struct dpor_reader *reader;
	uint32_t readers, reader_capacity;
};

struct dpor_process {
	struct process p;
	uint8_t owner; /* of a flush the actor's number, else its own */
	struct dpor_buffer buffer; /* of an actor */
};

struct dpor {
	struct strategy base;
	struct step_watch watch;
	uint32_t shard, shards, prefix_opens; /* shards == 1: no prefix */
	uint64_t prefixes; /* that were met */

	/* the path */
	struct dpor_event *event;
	uint32_t count, fixed, capacity;
	uint32_t *clock; /* of event i at i * DPOR_PROCESSES_MAX */
	struct dpor_choice *choice;
	uint32_t choices, choice_capacity;
	struct dpor_sleeper *sleeper;
	uint32_t sleepers, sleeper_capacity;
	struct dpor_node *node;
	uint32_t nodes, node_capacity;
	uint32_t list[DPOR_LISTS]; /* heads: nodes */
	uint32_t effects, bigs; /* heads: events */
	bool begun;

	/* the run */
	uint32_t at; /* the event that runs, or NONE */
	uint32_t choice_at;
	uint32_t barrier;
	uint32_t last[DPOR_PROCESSES_MAX]; /* its latest event */
	uint32_t woken_by[DPOR_PROCESSES_MAX], held_by[DPOR_PROCESSES_MAX];
	bool sealed; /* effects are no longer those of the event that runs */
	bool accessed; /* the event that runs has an access by now */
	bool plain; /* nothing of the event that runs is hidden from the watch */
	bool blocked, skipped;
	bool too_many; /* processes */

	struct dpor_known known[DPOR_KNOWN];
	struct dpor_process process[DPOR_PROCESSES_MAX];
	unsigned processes;
	uint8_t *of_actor[2]; /* by id: number + 1 of the actor, of its flushes */
	uint32_t actor_capacity;

	/* the result */
	uint64_t executions, cut;
	bool exhausted, limited;
};

static inline uint64_t
dpor_bit(unsigned process)
{
	return UINT64_C(1) << process;
}

static inline uint32_t *
dpor_clock(const struct dpor *d, uint32_t event)
{
	return d->clock + (size_t)event * DPOR_PROCESSES_MAX;
}

/* The first event of the step that @event is a part of: where another process could go on. */
static inline uint32_t
dpor_place(const struct dpor *d, uint32_t event)
{
	while (d->event[event].split)
		event--;
	return event;
}

/* Grow an array of @size-byte elements to hold @count. */
void *
dpor_grow(void *array, uint32_t *capacity, uint32_t count, size_t size);

/* --- dpor_footprint.c: which steps commute -------------------------------------------------- */

void
dpor_footprint_add(struct dpor_footprint *f, uint64_t at, uint64_t bytes, unsigned how);
/* @into := what either may do. */
void
dpor_footprint_join(struct dpor_footprint *into, const struct dpor_footprint *f);
/* Whether a step of process @p that does @a and one of @q that does @b are dependent. */
bool
dpor_conflict(const struct dpor *d, unsigned p, const struct dpor_footprint *a, unsigned q,
	      const struct dpor_footprint *b);

/* The event after @event begins: who still sleeps. Fills its sleep and sleepers. */
void
dpor_sleep_inherit(struct dpor *d, struct dpor_event *next, uint32_t event);
/* The process of the last event was explored to the end from there. */
void
dpor_sleep_add(struct dpor *d, struct dpor_event *e);

/* --- dpor_process.c: who is who ------------------------------------------------------------- */

unsigned
dpor_process_look_up(struct dpor *d, struct process p);

static inline unsigned
dpor_process_number(struct dpor *d, struct process p)
{
	struct dpor_known *k = &d->known[((uintptr_t)p.id / 64 + p.kind) % DPOR_KNOWN];
	/* An actor made during a run has its number by the order in which actors are made, which
	 * is part of the trace; where it lies in memory is not. */
	uint32_t actor = p.kind == PROCESS_CALLBACK ? 0 : actor_id(p.id);

	if (k->p.id != p.id || k->p.kind != p.kind || k->p.code != p.code || k->actor != actor)
		*k = (struct dpor_known){ p, actor, dpor_process_look_up(d, p) };
	return k->number;
}

/* The actor @a of the run put a store into its buffer, saw one there, made the oldest visible. */
void
dpor_buffer_store(struct dpor *d, unsigned actor, uint64_t at, uint32_t bytes);
/* Returns the bytes that are not in the buffer, bit 0 for the first. */
uint64_t
dpor_buffer_load(struct dpor *d, unsigned actor, uint64_t at, uint32_t bytes);
/* Returns its number. */
uint32_t
dpor_buffer_flush(struct dpor *d, unsigned actor);
/* Whether all of these bytes stand in the buffer. */
bool
dpor_buffer_covers(const struct dpor_buffer *b, uint64_t at, uint32_t bytes);
void
dpor_process_reset(struct dpor *d);
void
dpor_process_free(struct dpor *d);

/* --- dpor_trace.c: what happened before what ------------------------------------------------ */

/*
 * The event that runs is over and its footprint known: its clock, the races that it closes (which
 * add to `backtrack` of earlier events), its place in the lists.
 */
void
dpor_trace_append(struct dpor *d, uint32_t event);
/* Take the last listed event out of the lists again. */
void
dpor_trace_undo(struct dpor *d, uint32_t event);

/* --- dpor_path.c ---------------------------------------------------------------------------- */

/* The run is not what it was after the same steps; @what: "was another actor's". */
void
dpor_unlike(struct dpor *d, const char *what);
/* A new place behind the path, of which the step that led there is known. @n: answers there. */
struct dpor_event *
dpor_push(struct dpor *d, uint64_t enabled, uint32_t n);
void
dpor_pop(struct dpor *d);
/*
 * Whether to go on from the new place @e.  If not (all that can go on sleeps, or the prefix is
 * another shard's) it is gone, and the run is blocked.
 */
bool
dpor_may_go_on(struct dpor *d, const struct dpor_event *e);
/* The event that runs is over: nothing more will be known of it. */
void
dpor_finish(struct dpor *d, struct world *w);
/* The event that is next in the path begins, and is one of those that are kept. */
void
dpor_replay_event(struct dpor *d, struct process p);
/* The event that is next in the path begins. */
void
dpor_begin_event(struct dpor *d, struct world *w, unsigned p);
/* To the next path; false if there is none. */
bool
dpor_advance(struct dpor *d);
/* How much of the tree is behind us, if what hangs on all branches of a place were equal: 0 … 1. */
double
dpor_explored(const struct dpor *d);

/* --- dpor_watch.c --------------------------------------------------------------------------- */

extern const struct step_watch dpor_watch;

#endif
