/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who watches the steps of a run: what a partial-order reduction must know to tell which steps
 * commute, and nothing more.
 *
 * A *step* is what one process does from the moment it goes on until somebody else could.  A
 * process is an actor, a callback in the ready queue, or the end of an actor's store buffer.  In
 * the order of a run:
 *
 *	step      the process goes on, whether that was asked or not
 *	access    if it went on from an instrumented access: that access (so a step with none is one
 *	          of a model, which may touch anything)
 *	touch     what models read and write of shared memory within the step
 *	woke, stopped, advanced, and world_effect()
 *	…         the next step; what comes before it belongs to this one
 *
 * A step that is an access and neither touches a wait queue, a timer, an observer's state nor asks
 * for an outcome has no *effect*: it is ordered with other steps by the bytes it accesses alone.
 *
 * The watch lives outside the arena and changes nothing in the world, except that it may stop the
 * run from access().  None is set normally: each place costs one branch that is never taken.
 */
#ifndef RINGSIDE_ENGINE_WATCH_H
#define RINGSIDE_ENGINE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct actor;
struct world;

enum process_kind {
	PROCESS_ACTOR,
	PROCESS_CALLBACK, /* of a timer, of world_after() */
	PROCESS_FLUSH, /* makes the oldest store in an actor's buffer visible */
	PROCESS_KINDS
};

struct process {
	enum process_kind kind;
	const void *id; /* the actor; of a callback its argument */
	uintptr_t code; /* of a callback: its function */
};

/* How shared memory is accessed. */
enum watch_how {
	WATCH_LOAD = 1,
	WATCH_STORE = 2,
	WATCH_FORWARDED = 4, /* a load that sees nothing but the actor's own buffered stores */
	WATCH_BUFFERED =
		8, /* a store that goes into the actor's buffer: flush() makes it visible */
	WATCH_FENCE = 16, /* no bytes: the actor's buffer is empty here */
	WATCH_CHOICE = 32 /* what it sees or when it is seen is a choice: see CHOICE_LOAD */
};

struct step_watch {
	void (*step)(struct step_watch *watch, struct world *w, struct process p);
	/* @a is null in a callback. @how: bits of enum watch_how. */
	void (*access)(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
		       uint32_t size, unsigned how);
	void (*touch)(struct step_watch *watch, struct world *w, uint64_t offset, uint64_t size,
		      unsigned how);
	/* The store of @a that stands first in its buffer becomes visible; in a step of its own. */
	void (*flush)(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
		      uint32_t size);
	/* The step made it ready; or keeps it from going on, ready or not. */
	void (*woke)(struct step_watch *watch, struct world *w, struct process p);
	void (*stopped)(struct step_watch *watch, struct world *w, struct process p);
	/* Time went on because nothing was ready: all steps so far are before all that come. */
	void (*advanced)(struct step_watch *watch, struct world *w);
};

/* Null: nobody. */
void
world_set_watch(struct world *w, struct step_watch *watch);

/*
 * The running step does something that other steps may notice and no access shows.  For what
 * engine/ does by itself (wait queues, timers, observed events, outcomes) this is said already.
 */
void
world_effect(struct world *w);
/* Whether there was an effect since the last call. */
bool
world_take_effect(struct world *w);

/* What a process does first when it goes on. */
struct next_access {
	uint64_t offset;
	uint32_t size;
	uint32_t how; /* WATCH_LOAD, WATCH_STORE; 0: not an access alone, or not known */
};

/* Same conditions. A callback's, and a step of a model's, is not known. O(1). */
struct next_access
world_next_access(const struct world *w, struct process p);

/* For choosers, under the conditions of world_alternative(): whose step @answer begins. O(1). */
struct process
world_alternative_process(const struct world *w, uint32_t answer);
/* The same of the open question of a world that is parked (world_set_parking()), for anybody. */
struct process
world_question_process(const struct world *w, uint32_t answer);

#endif
