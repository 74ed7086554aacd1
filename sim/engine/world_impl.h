/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a world is made of: for engine/ and, because a shared access must cost nanoseconds, for
 * memory/.  Everybody else uses engine/world.h.
 *
 * Two parts.  `struct world` lives in the arena and is put back with it; as that copies whole
 * pages, what no run changes is better kept elsewhere.  `struct world_host` lives outside: buffers
 * whose contents need no restoring, tables of set-up, and what the host set (chooser, sink).
 *
 * The ready queue is a ring of entries; an entry is an actor (fn null) or a callback.  Taking
 * answer k of a choice swaps the k-th entry with the head and takes the head: O(1), and the order
 * stays a function of the run.
 */
#ifndef RINGSIDE_ENGINE_WORLD_IMPL_H
#define RINGSIDE_ENGINE_WORLD_IMPL_H

#include <setjmp.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/must.h"
#include "engine/cost.h"
#include "engine/watch.h"
#include "engine/world.h"

typedef void (*ready_fn)(struct world *w, void *arg);

struct ready {
	ready_fn fn;
	void *arg;
};

struct observer {
	observe_fn fn;
	void *context;
	struct observer *next;
};

enum timer_state { TIMER_IDLE, TIMER_HEAP, TIMER_DUE };

/* What an actor's last hook left to be done: memory/'s. */
struct access_pending {
	uint64_t offset;
	const void *site;
	uint32_t size;
	uint16_t how; /* for the event of a store */
	bool emit; /* there is such an event */
	uint8_t restore; /* bytes at `offset` to be put back */
	uint8_t saved[16];
};

struct actor {
	/* What a switch or a sleep needs is the first cache line, and `access`. */
	void *sp; /* while it does not run */
	struct world *world;
	int64_t wake_ns; /* relaxed mode: the clock goes up to this when it is picked */
	uint64_t ran_epoch; /* host's epoch in which its stack was listed for restoring */
	uint64_t id_hash; /* what it adds to ready_hash */
	char *stack; /* lowest address; null: it was done, and another actor has it */
	uint32_t id;
	uint32_t memory; /* ACTOR_PENDING, and how many of its stores are buffered: memory/'s */
	uint16_t holds;
	uint8_t state; /* enum actor_state */
	bool daemon;
	bool queued; /* stands in the ready queue */
	bool woken_held; /* to be made ready when released */
	bool timed_out;
	bool ring_only;

	struct next_access access; /* announced: while it waits at a point */
	struct actor *next, *prev; /* in a wait queue; `next`: see struct stack_class */
	struct waitq *waitq;
	size_t stack_bytes;
	int64_t name;
	const char *name_text;
	actor_fn fn;
	void *arg;
	void *data;
	bool draining; /* goes on when its buffer is empty */
	struct access_pending pending;
	struct store_buffer *buffer; /* memory/: tso */
	struct actor_view *view; /* memory/: weak */
	struct race_actor *race; /* memory/: races */
};

/* struct actor.memory: the compiled code makes its access after the hook; what is to be done then
 * is done at the actor's next hook, point, event or switch.  Above it, the number of buffered
 * stores. */
#define ACTOR_PENDING 1u
#define ACTOR_BUFFERED 2u

/*
 * What the engine asks of memory/ (memory/model.h).  The first three are called for an actor whose
 * `memory` is not 0 only.
 */
struct memory_ops {
	/* The access announced last has been made. */
	void (*settle)(struct world *w, struct actor *a);
	/* @a stops running: what it alone can see leaves guest memory; and comes back. */
	void (*leave)(struct world *w, struct actor *a);
	void (*arrive)(struct world *w, struct actor *a);
	/* The oldest buffered store of @a becomes visible; and which it is. */
	void (*flush)(struct world *w, struct actor *a);
	void (*oldest)(const struct actor *a, uint64_t *offset, uint32_t *size);
	/*
	 * The running actor does something that no store passes (takes a lock, writes a doorbell,
	 * wakes).  @at_once: in this very step.  Null: every access takes effect at once anyway.
	 */
	void (*sync)(struct world *w, bool at_once);
	/* What @by did before, @a sees from now on. Null as above. */
	void (*woke)(struct world *w, struct actor *by, struct actor *a);
	/* What @a has stored becomes visible at once: its CPU goes on with something else. Null as
	 * above. */
	void (*hold)(struct world *w, struct actor *a);
	/* A snapshot is about to be taken: what actors will need gets its place, which otherwise
	 * would tell who was first. May be null. */
	void (*snapshot)(struct world *w);
};

/* What the engine tells the race detector of memory/ (memory/race.h). */
struct race_ops {
	/* What @from did comes before what @to does from now on. Null: callbacks. */
	void (*ordered)(struct world *w, struct actor *from, struct actor *to);
	/* Somebody who looks at @object and acquires it (race_acquire()) knows what was before. */
	void (*release)(struct world *w, const void *object);
	/* A point of a model: a full barrier of the running actor. */
	void (*point)(struct world *w);
};

must_static(offsetof(struct actor, access) <= 64, "the first line of an actor");

struct stack_class {
	size_t bytes;
	struct actor *done; /* actors whose stacks may be taken over, by `next` */
	char *fresh, *fresh_end; /* of the last slab: never used */
	unsigned slabs;
	struct stack_class *next;
};

struct saved_stack {
	char *from;
	size_t bytes;
	size_t offset; /* in world_host.saved_bytes */
};

/* See world_ignore(), world_count(). */
struct ignored {
	uint64_t *at;
	size_t words;
	bool counter;
	const char *why;
};

struct world_host {
	/* What every point looks at is the first cache line. */
	_Alignas(64) struct step_watch *watch; /* null: nobody */
	struct chooser *chooser;
	sink_fn sink;
	struct choice *choice;
	size_t choice_capacity;
	struct event *buffer; /* EVENT_BUFFER_COUNT events, `buffered` of them in the world */
	uint64_t epoch;
	bool asked_at_point; /* of the last question: see world_at_point() */
	bool effect; /* see world_effect() */
	bool parks; /* see world_set_parking() */
	bool escape_set;
	uint8_t looked; /* bits of enum image_see: at what somebody looked */
	uint8_t unseen; /* what hashes of images do not see, see world_image_see() */

	void *sp; /* the host's stack, while an actor runs */
	uint32_t *ran; /* ids of actors whose stacks were used since the snapshot */
	size_t ran_count, ran_capacity;
	struct saved_stack *saved; /* by actor id */
	size_t saved_count;
	char *saved_bytes;
	void *sink_context;
	struct event *sink_buffer;
	size_t sink_count;
	void *calls; /* memory/: call stacks of a recorded run; null before there are any */
	void (*calls_free)(void *calls);
	uint16_t (*calls_now)(struct world *w); /* number of the running actor's stack */
	const void *asan_bottom; /* of the host's stack, in builds with AddressSanitizer */
	size_t asan_size;

	uint16_t digest_kind[EV_COUNT]; /* what stands in the buffer for a kind */
	struct observer *observers[EV_COUNT + 1]; /* registered at set-up, then never changed */
	jmp_buf escape; /* where world_fail() goes from a callback, which has no stack to abandon */
	struct error error; /* why `stop` is STOP_ERROR */
};

must_static(offsetof(struct world_host, sp) <= 64, "the first line of a world's host part");

struct world {
	struct world_host *host;
	struct arena *arena;

	struct actor *current;
	int64_t now;
	uint64_t step, steps_max;
	int64_t time_max;
	uint64_t trail; /* choices and accesses, folded */
	uint64_t ready_hash; /* sum over what is ready: a replay that meets other things diverges */
	uint64_t digest; /* of the events that left the buffer */
	uint32_t buffered;
	uint8_t mode, stop;
	bool in_setup;
	bool observing; /* an observer runs: what it looks at is no access of the run */
	uint8_t parked_kind; /* enum choice_kind of the question that is open, or comes next */
	bool parked_at_point; /* and whether a point asks: who asks is the last that is ready */
	size_t choices;
	uint64_t events;

	struct ready *ready; /* ring of ready_capacity entries, a power of two */
	uint32_t ready_first, ready_count, ready_capacity;
	uint32_t picked; /* 1 + the entry that the host's loop takes next without asking; 0: ask */
	struct heap heap;

	/* memory/: the shared range, so that a hook decides in two instructions */
	uintptr_t shared_base;
	size_t shared_bytes;
	const struct memory_ops *memory; /* null without guest RAM */
	const struct race_ops *race; /* null: nobody looks for races */

	struct actor **actors;
	uint32_t actor_count, actor_capacity;
	struct stack_class *stacks;
	const char **names;
	uint32_t *name_index; /* open addressing, name number + 1 */
	uint32_t name_count, name_capacity;
	struct ignored *ignored;
	uint32_t ignored_count, ignored_capacity;
	void *room[ROOM_DATA_COUNT];
	int64_t cost_ns[COST_COUNT];
	uint64_t faults[(FAULT_COUNT + 63) / 64];
};

extern _Thread_local struct world *world_tls;

/* --- shared by the engine's files ----------------------------------------------------------- */

void
ready_grow(struct world *w);

/*
 * The ready entry of an actor's store buffer, a shadow of the actor: taking it makes the actor's
 * oldest buffered store visible.  It stands in the queue as long as there is one.
 */
void
actor_flush(struct world *w, void *actor);

#define READY_HASH_CALLBACK UINT64_C(0x9e3779b97f4a7c15)

/* What an entry adds to ready_hash while it stands in the queue. */
static inline uint64_t
ready_hash_of(ready_fn fn, const void *arg)
{
	if (!fn)
		return ((const struct actor *)arg)->id_hash;
	if (fn == actor_flush)
		return ((const struct actor *)arg)->id_hash * READY_HASH_CALLBACK;
	return READY_HASH_CALLBACK;
}

static inline struct process
actor_process(const struct actor *a)
{
	return (struct process){ .kind = PROCESS_ACTOR, .id = a };
}

static inline struct process
callback_process(ready_fn fn, const void *arg)
{
	return (struct process){ PROCESS_CALLBACK, arg, (uintptr_t)fn };
}

/* Whose step an entry begins. */
static inline struct process
ready_process(const struct ready *r)
{
	if (!r->fn)
		return actor_process(r->arg);
	if (r->fn == actor_flush)
		return (struct process){ .kind = PROCESS_FLUSH, .id = r->arg };
	return callback_process(r->fn, r->arg);
}

/* WORLD_AROUND: those before the @k-th go one place back, so that their order stays. */
void
ready_close_gap(struct world *w, uint32_t k);

/* WORLD_AROUND: end the run if the limit of time is past. */
void
world_check_time(struct world *w);
/* WORLD_AROUND: when a busy waiter goes on: after all that comes now, or after what comes next. */
int64_t
world_yield_time(const struct world *w);

/* Bytes below the stack pointer that are zeroed under parking, so that what an actor did earlier
 * does not shine through in variables that its next calls leave unset. */
#define STACK_SCRUB_BYTES 2048u
/* Zero them on the running actor's own stack (none runs: nothing): where it goes on unasked, or is
 * back from a call into us, its next calls find the same there as if it had left. */
void
actor_scrub(const struct actor *self);

static inline void
parked_scrub(struct world *w)
{
	if (__builtin_expect(w->host->parks, 0))
		actor_scrub(w->current);
}

static inline void
ready_push(struct world *w, ready_fn fn, void *arg)
{
	if (__builtin_expect(w->ready_count == w->ready_capacity, 0))
		ready_grow(w);
	w->ready[(w->ready_first + w->ready_count++) & (w->ready_capacity - 1)] =
		(struct ready){ fn, arg };
	w->ready_hash += ready_hash_of(fn, arg);
}

/* Take the @k-th entry. */
static inline struct ready
ready_take(struct world *w, uint32_t k)
{
	uint32_t mask = w->ready_capacity - 1;
	struct ready *head = &w->ready[w->ready_first & mask];
	struct ready taken = *head;

	if (k) {
		struct ready *kth = &w->ready[(w->ready_first + k) & mask];

		taken = *kth;
		if (w->mode == WORLD_AROUND)
			ready_close_gap(w, k);
		else
			*kth = *head;
	}
	w->ready_first++;
	w->ready_count--;
	w->ready_hash -= ready_hash_of(taken.fn, taken.arg);
	return taken;
}

static inline void
ready_push_actor(struct world *w, struct actor *a)
{
	a->queued = true;
	ready_push(w, NULL, a);
}

/* The heap tells of an entry that may soon be first (heap_near_fn). */
void
actor_comes_near(void *fn, void *arg, bool next);

/* Make a blocked or sleeping actor ready; a held one goes on when it is released. */
void
actor_make_ready(struct actor *a);

/* --- what a watch is told ------------------------------------------------------------------- */

/* Macros, so that a struct process is put together only where somebody watches. */
#define watch_tell(w, what, p) \
	do { \
		struct step_watch *watch_ = (w)->host->watch; \
\
		if (__builtin_expect(watch_ != NULL, 0)) \
			watch_->what(watch_, w, p); \
	} while (0)
#define watch_step(w, p) watch_tell(w, step, p)
#define watch_woke(w, p) \
	do { \
		(w)->host->effect = true; \
		watch_tell(w, woke, p); \
	} while (0)
#define watch_stopped(w, p) \
	do { \
		(w)->host->effect = true; \
		watch_tell(w, stopped, p); \
	} while (0)

static inline void
watch_advanced(struct world *w)
{
	struct step_watch *watch = w->host->watch;

	if (__builtin_expect(watch != NULL, 0))
		watch->advanced(watch, w);
}

/* --- scheduling ----------------------------------------------------------------------------- */

/* Leave the running actor, whose state says why; returns when it is picked again. */
void
actor_leave(struct world *w);
/*
 * What digests have for each kind: a hash of its name, so that a table with more kinds in it gives
 * old runs their old digests.
 */
void
event_digest_kinds(uint16_t digest_kind[EV_COUNT]);
/* Leave the running actor for good: the run ends. */
_Noreturn void
actor_abandon(struct world *w, struct actor *self);
/* One of this size, a multiple of a page; ends the run where there is no room. */
char *
stack_alloc(struct world *w, size_t bytes);
/* The running actor is done: the next actor that is created may have its stack. */
void
stack_release(struct world *w, struct actor *a);
/* From the host's stack: run @a until something else than an actor is to be run. */
void
actor_enter(struct world *w, struct actor *a);
/* Remove the first entry with this argument from the ready queue; the order of the others stays. */
bool
ready_remove(struct world *w, ready_fn fn, void *arg);
/* Move what is first in the heap, with its ties, to the ready queue; false if the heap is empty. */
bool
world_advance(struct world *w);
void
timer_due(struct world *w, void *arg);
/* From the host's stack: list an actor's stack for restoring. */
void
actor_mark_ran(struct world *w, struct actor *a);
/* Copy a stack, by bytes of 8: it holds red zones under AddressSanitizer. */
void
stack_copy(void *to, const void *from, size_t bytes);
/* Live bytes of a suspended actor's stack: up from its stack pointer. */
static inline size_t
stack_live_bytes(const struct actor *a)
{
	return (size_t)(a->stack + a->stack_bytes - (char *)a->sp) & ~(size_t)7;
}

uint32_t
world_ask(struct world *w, uint32_t n, enum choice_kind kind);
/* Into the log and the digest; @ready_hash of what was ready when it was asked. */
void
choice_log(struct world *w, uint32_t n, enum choice_kind kind, uint32_t pick, uint64_t ready_hash);
/* From the host's stack: take the @pick-th ready entry and run it until it leaves. */
void
world_run_one(struct world *w, uint32_t pick);
/* Run @body with this world as the thread's current one; world_fail() in a callback ends it. */
void
world_run_in(struct world *w, void (*body)(struct world *w, void *arg), void *arg);

/* A point before a shared access of the running actor: as actor_point(), but nothing is drained. */
void
actor_access_point(struct world *w);

/*
 * Wait until the running actor has no buffered store: others may go on before each of them becomes
 * visible.
 */
void
actor_drain(struct world *w);

/* One more buffered store of @a, and one fewer; while there is one, its flush stands in the queue.
 */
void
actor_buffered_more(struct world *w, struct actor *a);
/* @a's flush does not stand in the queue: it is listed again if stores are left; if none are and
 * the actor drains, it goes on. */
void
actor_buffered_less(struct world *w, struct actor *a);

static inline void
memory_settle(struct world *w, struct actor *a)
{
	if (a->memory & ACTOR_PENDING)
		w->memory->settle(w, a);
}

static inline void
memory_sync(struct world *w, bool at_once)
{
	if (w->memory && w->memory->sync && w->current && !w->in_setup)
		w->memory->sync(w, at_once);
	if (__builtin_expect(w->race != NULL, 0) && w->current && !w->in_setup)
		w->race->point(w);
}

static inline void
race_order(struct world *w, struct actor *from, struct actor *to)
{
	if (__builtin_expect(w->race != NULL, 0))
		w->race->ordered(w, from, to);
}

static inline void
memory_woke(struct world *w, struct actor *a)
{
	if (w->memory && w->memory->woke && w->current && !w->in_setup)
		w->memory->woke(w, w->current, a);
	race_order(w, w->current, a);
}

static inline uint64_t
trail_mix(uint64_t trail, uint64_t word)
{
	trail = (trail ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return trail ^ (trail >> 29);
}

#endif
