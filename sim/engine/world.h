/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world: one simulated set-up with its time, its actors and all their state.
 *
 * Life:
 *	world_create()           an empty world in an arena of its own
 *	world_setup(w, fn, arg)  runs fn as an actor, to its end: it builds machines and actors
 *	world_snapshot(w)        what each schedule starts from
 *	loop: world_run(w), look at it, world_restore(w)
 *	world_destroy(w)
 *
 * What runs next.  Things that can run now stand in the ready queue, first in, first out: actors,
 * and callbacks of timers that are due.  Things that can run later stand in a heap by (time,
 * insertion).
 *	- An actor goes on until it blocks, sleeps, ends or comes to a *point* (a shared access, a
 *	  yield) at which the chooser takes another answer than 0.
 *	- When nothing is ready, time goes on to the heap's first entry, and all entries of that
 *	  same time become ready together; which of them is first is a choice (ties).
 *	- When heap and queue are empty the run ends: STOP_QUIESCENT.
 *
 * Modes of time.
 *	WORLD_TIMED    the earliest event goes first; ties are choices.
 *	WORLD_RELAXED  a sleep only orders an actor's own steps, and a timer may fire at any point
 *		       after it was set: both stand in the ready queue at once, and the clock goes
 *		       up to their time when they are picked.  A timer or sleep marked *bound* is a
 *		       real bound: it waits in the heap until nothing else can run.
 *
 *	WORLD_AROUND   what would run next by its time is known, but anything else may: all that can
 *		       run stands in the ready queue as in relaxed mode, and work takes time as in
 *		       timed mode.  A chooser that takes the earliest each time
 *		       (world_alternative_due()) makes the run of timed mode, bound timers apart;
 *		       every other answer departs from it (explore/around.h).
 *
 * Nothing here reads a wall clock, an address, a hash's order or the locale.  A world touches no
 * global; the thread-local world_current() exists because compiler-made calls carry no argument.
 *
 * Memory.  world_alloc() never returns null: when the arena is full the run ends at once with
 * STOP_ERROR and everything is given back with the arena.  It may thus be called from actors and
 * from set-up without a check.
 */
#ifndef RINGSIDE_ENGINE_WORLD_H
#define RINGSIDE_ENGINE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/heap.h"
#include "engine/choice.h"
#include "engine/event.h"
#include "engine/fault.h"

struct arena;
struct world;
struct actor;

/* ORDER MODE: failure_read.c has the words. */
enum world_mode { WORLD_TIMED, WORLD_RELAXED, WORLD_AROUND };

/* Why a run ended. ORDER STOP */
enum stop {
	STOP_NONE, /* still going */
	STOP_QUIESCENT, /* nothing can ever run again (blocked actors may remain) */
	STOP_STEPS, /* the step limit */
	STOP_TIME, /* the time limit */
	STOP_ASKED, /* an oracle, the scenario or a replay that diverged asked for it */
	STOP_ERROR, /* the user's input cannot be run: world_error() says why */
	STOP_PARKED /* a question is open: world_set_parking() */
};

struct world_config {
	enum world_mode mode;
	uint64_t steps_max; /* 0: STEPS_MAX_DEFAULT */
	int64_t time_max_ns; /* 0: none */
	size_t reserve_bytes; /* 0: ARENA_RESERVE_BYTES */
	size_t alloc_max_bytes; /* 0: no limit beyond the reserve */
	unsigned place; /* preferred address, see arena_create(); the hostile build varies it */
};

/* --- life ----------------------------------------------------------------------------------- */

struct world *
world_create(const struct world_config *config, struct error *err);
void
world_destroy(struct world *w);

/* Run @fn(@arg) as the actor "setup" until it ends; its blocking is an error. 0, or -1 and @err. */
int
world_setup(struct world *w, void (*fn)(struct world *w, void *arg), void *arg, struct error *err);

void
world_snapshot(struct world *w);
void
world_restore(struct world *w);

/* Run until it ends. The world can be looked at afterwards, and restored. */
enum stop
world_run(struct world *w);

/*
 * End the run.  From an actor this does not return (its stack is left as it is); from a callback
 * the run ends when the callback returns.
 */
void
world_stop(struct world *w, enum stop why);

/* End the run (or the set-up) with STOP_ERROR and this text. */
_Noreturn void
world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const struct error *
world_error(const struct world *w);

/* The world that runs in this thread, or null. */
struct world *
world_current(void);

/* --- state to look at ----------------------------------------------------------------------- */

int64_t
world_now(const struct world *w); /* ns */
/* For who only shows it, and decides nothing by it: see world_image_see(). */
int64_t
world_now_shown(const struct world *w);
uint64_t
world_step(const struct world *w);
enum world_mode
world_mode_of(const struct world *w);
struct arena *
world_arena(const struct world *w);
/* Digest of all events, choices and shared accesses so far; looking does not change it. */
uint64_t
world_digest(const struct world *w);

/* The choices taken so far. The array belongs to the world. */
const struct choice *
world_choices(const struct world *w, size_t *count);

/* Put back the log of choices, which is not in images: the first @count are these. */
void
world_log_choices(struct world *w, const struct choice *choices, size_t count);

/* --- memory of the world -------------------------------------------------------------------- */

void *
world_alloc(struct world *w, size_t size); /* zeroed */
void
world_free(struct world *w, void *block, size_t size);
char *
world_strdup(struct world *w, const char *text);

/*
 * Number of a string for event arguments (%s), and back.  The same text has the same number;
 * numbers go up in the order of first use.  Meant for names made at set-up: a look-up costs a hash,
 * do not call it on a hot path, and never twice in one expression: C leaves the order of arguments
 * open, and compilers differ.  @text may be null: number 0, "-".
 */
int64_t
world_name(struct world *w, const char *text);
const char *
world_name_text(const struct world *w, int64_t number);
size_t
world_names(const struct world *w); /* how many there are; numbers are 0 … n - 1 */

/* --- actors --------------------------------------------------------------------------------- */

typedef void (*actor_fn)(struct actor *self, void *arg);

enum actor_state {
	ACTOR_READY, /* in the ready queue, or running */
	ACTOR_BLOCKED, /* on a wait queue */
	ACTOR_SLEEPING, /* in the heap */
	ACTOR_DONE
};

/*
 * A new actor, ready to run; @name is copied and need not be unique.  Ids count from 1 in the order
 * of creation.  @stack_bytes 0 means STACK_BYTES_C.
 */
struct actor *
actor_create(struct world *w, const char *name, actor_fn fn, void *arg, size_t stack_bytes);

/* A daemon may be blocked at the end of a run without that being a hang (device workers, main
 * loops). */
void
actor_set_daemon(struct actor *a, bool daemon);
bool
actor_is_daemon(const struct actor *a);

/*
 * An actor that shares with others nothing but what instrumented code accesses: ring code and its
 * own variables.  Its steps that access nothing are then known to commute with all others
 * (explore/strategy_dpor.c).
 */
void
actor_set_ring_only(struct actor *a, bool ring_only);
bool
actor_is_ring_only(const struct actor *a);

uint32_t
actor_id(const struct actor *a);
const char *
actor_name(const struct actor *a);
enum actor_state
actor_state(const struct actor *a);
/* What it waits for, while blocked ("eventfd kick0"), else "". */
const char *
actor_waits_for(const struct actor *a);
struct world *
actor_world(const struct actor *a);

/* A word for the owner's use (the vCPU an actor runs on, the Lua state of a Lua actor). */
void
actor_set_data(struct actor *a, void *data);
void *
actor_data(const struct actor *a);

/* All actors by id, 1 … world_actors(w); an id of an ended actor gives it too. */
size_t
world_actors(const struct world *w);
struct actor *
world_actor(const struct world *w, uint32_t id);

/* The actor that runs, or null in a callback. */
struct actor *
actor_current(const struct world *w);

/* A point of the running actor: others may go first. Answer 0 goes on. A no-op in a callback. */
void
actor_point(struct world *w);

/* Let everything else that is ready go first (a cpu_relax(), a busy wait): answer 0 is the queue's
 * head. */
void
actor_yield(struct world *w);

/* Sleep for @ns >= 0 of simulated time; see WORLD_RELAXED. */
void
actor_sleep(struct world *w, int64_t ns);
/* Same, but a real bound in relaxed mode too. */
void
actor_sleep_bound(struct world *w, int64_t ns);
/* Spend @ns of processor time: a sleep in timed mode, a point in relaxed mode. */
void
actor_work(struct world *w, int64_t ns);

/*
 * Hold an actor back although it may be ready (its vCPU runs an interrupt handler), and let it go
 * again.  Holds nest.  A held actor can be woken: it goes on when released.
 */
void
actor_hold(struct actor *a);
void
actor_release(struct actor *a);

/* --- wait queues ---------------------------------------------------------------------------- */

/*
 * Waiters stand in the order in which they came.  Waking makes them ready and promises no more: the
 * condition is checked again by the one who waited (Mesa style).
 */
struct waitq {
	struct actor *first, *last;
	int64_t name; /* world_name() number, for ACTOR_BLOCK events and hang reports */
};

void
waitq_init(struct waitq *q, struct world *w, const char *name);

/* Block the running actor. */
void
waitq_wait(struct world *w, struct waitq *q);
/* Same with a timeout in ns (@bound as for timers); false if the timeout came first. */
bool
waitq_wait_for(struct world *w, struct waitq *q, int64_t ns, bool bound);
/* Returns whether there was one. */
bool
waitq_wake_one(struct world *w, struct waitq *q);
void
waitq_wake_all(struct world *w, struct waitq *q);
static inline bool
waitq_empty(const struct waitq *q)
{
	return !q->first;
}

/* --- timers --------------------------------------------------------------------------------- */

/* Embedded in its owner, like the kernel's timer_list; zeroed memory is an idle timer. */
struct timer {
	void (*fn)(struct world *w, struct timer *t);
	void *arg; /* the owner's */
	int64_t at_ns;
	struct heap_handle handle;
	uint8_t state; /* idle, in the heap, due */
	bool bound;
};

void
timer_init(struct timer *t, void (*fn)(struct world *w, struct timer *t), void *arg);
/* (Re)arm for @delay_ns >= 0 from now. O(log n). */
void
timer_arm(struct world *w, struct timer *t, int64_t delay_ns, bool bound);
/* O(log n); false if it was idle. */
bool
timer_cancel(struct world *w, struct timer *t);
bool
timer_pending(const struct timer *t);

/* Call @fn(w, @arg) once, @delay_ns from now; cannot be cancelled. */
void
world_after(struct world *w, int64_t delay_ns, void (*fn)(struct world *w, void *arg), void *arg);

/* --- choices -------------------------------------------------------------------------------- */

/* Who answers from now on; chooser_first at the start. The chooser belongs to the caller. */
void
world_set_chooser(struct world *w, struct chooser *c);
struct chooser *
world_chooser(const struct world *w);

/* Ask. @n >= 1; a question with one answer is not asked. */
uint32_t
world_choose(struct world *w, uint32_t n, enum choice_kind kind);

/*
 * Parking: the chooser is not asked who goes on (CHOICE_ACTOR, CHOICE_TIE), only the other kinds;
 * world_run() ends with STOP_PARKED instead.  Every actor is suspended then and nothing of the run
 * is on the host's stack, so that the world can be kept and put back.  world_resume() gives the
 * answer, numbered as ever, and goes on to the next question or the end.  The same answers give
 * the same run, bit for bit, with and without parking.
 *
 * All actors leave by way of the host's loop, so a switch costs twice what it costs otherwise.
 */
void
world_set_parking(struct world *w, bool on);
enum stop
world_resume(struct world *w, uint32_t answer);
/* How many answers the open question has. */
uint32_t
world_question(const struct world *w);

/*
 * For choosers, while they are asked CHOICE_ACTOR or CHOICE_TIE (at no other time, nor of another
 * kind): the actor that goes on with @answer, or null if that runs a callback.  O(1).
 *
 *	asked in          answer 0                    the others
 *	actor_point()     the actor that runs         what is ready, but for it
 *	actor_yield()     the first that is ready     what is ready; the actor that yields is last
 *	a wait, a sleep   the first that is ready     what is ready; a relaxed sleeper is among them
 *	the run loop      the first that is ready     what is ready; no actor runs
 */
struct actor *
world_alternative(const struct world *w, uint32_t answer);

/*
 * Same conditions, in WORLD_AROUND: when @answer would run in timed mode, and where it stands among
 * those of the same time is its number.
 */
int64_t
world_alternative_due(const struct world *w, uint32_t answer);

/* Same conditions: whether a point asks, so that any answer but 0 preempts the actor that runs. */
bool
world_at_point(const struct world *w);

/* --- events --------------------------------------------------------------------------------- */

/* Say something. Arguments that the kind's format does not use are 0. */
void
world_emit(struct world *w, enum event_kind kind, int64_t a, int64_t b, int64_t c, int64_t d,
	   int64_t e);
#define EMIT_PICK(a, b, c, d, e, ...) a, b, c, d, e
/* emit(w, EV_X), emit(w, EV_X, 1), … : up to five arguments */
#define emit(w, kind, ...) emit_args(w, kind, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define emit_args(w, kind, ...) world_emit(w, kind, EMIT_PICK(__VA_ARGS__))

/*
 * An observer is told of each event of one kind, right after it was emitted, in the emitter's
 * context. It may look at everything, change nothing but its own state, and call world_stop() or
 * violation reporting.  Registered before the snapshot; there is no removal.  @kind EV_COUNT
 * observes all.
 */
typedef void (*observe_fn)(struct world *w, const struct event *e, void *context);
void
world_observe(struct world *w, enum event_kind kind, observe_fn fn, void *context);

/*
 * The recorder: gets all events in order, in batches, when it is set, those of kinds that are in
 * the digest only through their order (EV_LOAD, EV_STORE, EV_FENCE) included.  Lives outside the
 * arena.
 */
typedef void (*sink_fn)(void *context, const struct event *e, size_t count);
void
world_set_sink(struct world *w, sink_fn fn, void *context);
bool
world_recording(const struct world *w);
/* Hand what is buffered to the sink. */
void
world_flush(struct world *w);
/* Emit to the sink alone: the digest does not see it. Only while world_recording(). */
void
world_emit_detail(struct world *w, enum event_kind kind, int64_t a, int64_t b, int64_t c, int64_t d,
		  int64_t e);
/* Fold a shared access into the digest: cheap, no record. */
void
world_fold(struct world *w, uint64_t word);

/* --- faults --------------------------------------------------------------------------------- */

bool
fault_on(const struct world *w, enum fault f);
void
fault_set(struct world *w, enum fault f, bool on);

/* --- rooms' own state ----------------------------------------------------------------------- */

/*
 * One pointer a room, for what it keeps for a world (the oracle room's list, memory's regions).
 * The pointee lives in the arena. ORDER ROOM_DATA
 */
enum room_data {
	ROOM_MEMORY,
	ROOM_DATAPATH,
	ROOM_ORACLE,
	ROOM_MACHINE,
	ROOM_SCRIPT,
	ROOM_PRECOPY,
	ROOM_DMA,
	ROOM_DATA_COUNT
};
void *
world_room(const struct world *w, enum room_data room);
void
world_set_room(struct world *w, enum room_data room, void *data);

#endif
