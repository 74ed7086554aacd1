/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's loop: what is ready, what time brings, and a run from its beginning to why it ended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "engine/image.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

#if SWITCH_ASAN
#include <pthread.h>
#endif

/* --- the ready queue and the heap ----------------------------------------------------------- */

void
ready_grow(struct world *w)
{
	uint32_t capacity = w->ready_capacity ? w->ready_capacity * 2 : LIMIT(16, 2);
	struct ready *grown = world_alloc(w, capacity * sizeof(*grown));

	for (uint32_t i = 0; i < w->ready_count; i++)
		grown[i] = w->ready[(w->ready_first + i) & (w->ready_capacity - 1)];
	world_free(w, w->ready, w->ready_capacity * sizeof(*grown));
	w->ready = grown;
	w->ready_capacity = capacity;
	w->ready_first = 0;
}

bool
ready_remove(struct world *w, ready_fn fn, void *arg)
{
	uint32_t mask = w->ready_capacity - 1, i = 0;

	while (i < w->ready_count) {
		struct ready *r = &w->ready[(w->ready_first + i) & mask];

		if (r->fn == fn && r->arg == arg)
			break;
		i++;
	}
	if (i == w->ready_count)
		return false;
	w->ready_hash -= ready_hash_of(fn, arg);
	for (; i + 1 < w->ready_count; i++)
		w->ready[(w->ready_first + i) & mask] = w->ready[(w->ready_first + i + 1) & mask];
	w->ready_count--;
	return true;
}

static void
heap_to_ready(struct world *w, const struct heap_entry *e)
{
	if (e->fn) {
		ready_push(w, (ready_fn)e->fn, e->arg);
		return;
	}

	struct actor *a = e->arg;

	actor_make_ready(a);
}

bool
world_advance(struct world *w)
{
	struct heap_entry e;

	/* A held sleeper becomes ready without standing in the queue: go on until something does.
	 */
	while (!w->ready_count) {
		bool single = heap_pop_single(&w->heap, &e);

		if (!single && !heap_pop(&w->heap, &e))
			return false;
		if (e.time > w->now)
			w->now = e.time;
		if (w->time_max && w->now > w->time_max) {
			w->stop = STOP_TIME;
			return false;
		}
		watch_advanced(w);
		heap_to_ready(w, &e);
		while (!single && w->heap.count && heap_first_time(&w->heap) == e.time &&
		       heap_pop(&w->heap, &e))
			heap_to_ready(w, &e);
	}
	return true;
}

/* --- running -------------------------------------------------------------------------------- */

static void
print_context(void *arg)
{
	const struct world *w = arg;
	size_t shown = w->choices < 64 ? w->choices : 64;

	fprintf(stderr, "  at time %" PRId64 " ns, step %" PRIu64 ", actor %s, %zu choices taken\n",
		w->now, w->step, w->current ? w->current->name_text : "(none)", w->choices);
	fprintf(stderr, "  first choices (pick of n):");
	for (size_t i = 0; i < shown && i < w->host->choice_capacity; i++)
		fprintf(stderr, " %u/%u", w->host->choice[i].pick, w->host->choice[i].n);
	fprintf(stderr, "\n");
}

static void
host_stack_bounds(struct world *w)
{
#if SWITCH_ASAN
	/* Once a thread: the library reads /proc for them. */
	static _Thread_local void *bottom;
	static _Thread_local size_t size;
	pthread_attr_t attr;

	if (!bottom) {
		must(!pthread_getattr_np(pthread_self(), &attr));
		must(!pthread_attr_getstack(&attr, &bottom, &size));
		pthread_attr_destroy(&attr);
	}
	w->host->asan_bottom = bottom;
	w->host->asan_size = size;
#else
	(void)w;
#endif
}

__attribute__((no_sanitize("address"))) static void
stack_scrub(const struct actor *a)
{
#ifndef SWITCH_UCONTEXT /* its context reaches below the stack pointer */
	typedef uint64_t word __attribute__((may_alias));
	char *top = a->sp, *low = a->stack;

	if (a->state == ACTOR_DONE)
		return;
	if (top - low > (ptrdiff_t)STACK_SCRUB_BYTES)
		low = top - STACK_SCRUB_BYTES;
	for (word *p = (word *)(void *)low; (char *)p < top; p++)
		*p = 0;
#endif
}

/* Run @a until it leaves. */
static inline void
enter(struct world *w, struct actor *a)
{
	actor_enter(w, a);
	if (__builtin_expect(w->host->parks, 0))
		stack_scrub(a);
}

void
world_run_one(struct world *w, uint32_t pick)
{
	struct ready r = ready_take(w, pick);

	w->parked_kind = CHOICE_TIE;
	if (r.fn) {
		w->step++;
		if (r.fn != actor_flush) /* that says it itself */
			watch_step(w, ready_process(&r));
		r.fn(w, r.arg);
		return;
	}

	struct actor *a = r.arg;

	a->queued = false;
	enter(w, a);
}

static void
run_loop(struct world *w, void *unused)
{
	struct heap_entry e;

	while (!w->stop) {
		if (w->step >= w->steps_max) {
			w->stop = STOP_STEPS;
			break;
		}
		if (w->picked) {
			uint32_t pick = w->picked - 1;

			w->picked = 0;
			world_run_one(w, pick);
			continue;
		}
		/* The common case of a timed run: one callback at its own time. */
		if (!w->ready_count && w->heap.count && !w->time_max &&
		    heap_pop_single(&w->heap, &e)) {
			if (e.time > w->now)
				w->now = e.time;
			watch_advanced(w);
			if (e.fn) {
				w->step++;
				watch_step(w, callback_process((ready_fn)e.fn, e.arg));
				w->trail = trail_mix(w->trail, (uint64_t)e.time);
				((ready_fn)e.fn)(w, e.arg);
			} else if (((struct actor *)e.arg)->holds) {
				actor_make_ready(e.arg);
			} else {
				((struct actor *)e.arg)->state = ACTOR_READY;
				enter(w, e.arg);
			}
			continue;
		}
		if (!w->ready_count && !world_advance(w))
			break;
		if (w->host->parks && w->ready_count > 1) {
			w->stop = STOP_PARKED;
			break;
		}
		world_run_one(w, world_choose(w, w->ready_count, w->parked_kind));
	}
}

void
world_set_parking(struct world *w, bool on)
{
	w->host->parks = on;
}

uint32_t
world_question(const struct world *w)
{
	must(w->stop == STOP_PARKED);
	return w->ready_count < CHOICE_N_MAX ? w->ready_count : CHOICE_N_MAX;
}

/* The answer to the open question, as if it had been asked where it came up. */
static void
run_answer(struct world *w, uint32_t answer)
{
	bool at_point = w->parked_at_point;
	enum choice_kind kind = (enum choice_kind)w->parked_kind;
	uint32_t n = world_question(w);
	struct ready *last =
		&w->ready[(w->ready_first + w->ready_count - 1) & (w->ready_capacity - 1)];

	must(answer < n);
	choice_log(w, n, kind, answer,
		   w->ready_hash - (at_point ? ready_hash_of(last->fn, last->arg) : 0));
	w->stop = STOP_NONE;
	w->parked_at_point = false;
	w->parked_kind = CHOICE_TIE;
	if (!at_point || answer) {
		world_run_one(w, answer - at_point);
		return;
	}

	/* Who asks goes on: it never left, hence no step for its arrival. */
	struct actor *a = last->arg;

	w->ready_count--;
	w->ready_hash -= a->id_hash;
	a->queued = false;
	w->step--;
	enter(w, a);
}

static void
resume_loop(struct world *w, void *answer)
{
	run_answer(w, *(const uint32_t *)answer);
	run_loop(w, NULL);
}

/* Run @body with this world as the thread's current one; world_fail() in a callback ends it. */
void
world_run_in(struct world *w, void (*body)(struct world *w, void *arg), void *arg)
{
	struct world *outer = world_tls;

	host_stack_bounds(w);
	world_tls = w;
	must_context_set(print_context, w);
	w->host->escape_set = true;
	if (!setjmp(w->host->escape))
		body(w, arg);
	w->host->escape_set = false;
	world_tls = outer;
	must_context_set(outer ? print_context : NULL, outer);
}

static enum stop
run_to_stop(struct world *w, void (*body)(struct world *w, void *arg), void *arg)
{
	w->observing = false;
	world_run_in(w, body, arg);
	w->observing = true; /* who looks from now on is outside */
	if (!w->stop)
		w->stop = STOP_QUIESCENT;
	world_flush(w);
	return (enum stop)w->stop;
}

enum stop
world_run(struct world *w)
{
	must(!w->current); /* not from within */
	if (w->stop == STOP_ERROR)
		return STOP_ERROR;
	w->stop = STOP_NONE;
	w->parked_at_point = false;
	w->parked_kind = CHOICE_TIE;
	return run_to_stop(w, run_loop, NULL);
}

enum stop
world_resume(struct world *w, uint32_t answer)
{
	must(!w->current && w->stop == STOP_PARKED);
	return run_to_stop(w, resume_loop, &answer);
}

void
world_stop(struct world *w, enum stop why)
{
	struct actor *self = w->current;

	if (w->stop != STOP_ERROR)
		w->stop = (uint8_t)why;
	if (self)
		actor_abandon(w, self);
}

void
world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->host->error.text, sizeof(w->host->error.text), fmt, ap);
	va_end(ap);
	world_stop(w, STOP_ERROR);
	must(w->host->escape_set); /* else: something was built outside world_setup() and
				      world_run() */
	longjmp(w->host->escape, 1);
}

const struct error *
world_error(const struct world *w)
{
	return &w->host->error;
}
