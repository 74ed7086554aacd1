/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the running actor may leave and another one go on: what switches stacks, and the ways to
 * get there.
 */
#include <stdlib.h>

#include "base/must.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

/* Bytes above the lowest address of a stack below which a suspended actor may not have come. */
#define STACK_RED_BYTES LIMIT(512u, 1024u)

/* --- switching ------------------------------------------------------------------------------ */

/* List an actor whose stack is about to be used, for restoring. */
void
actor_mark_ran(struct world *w, struct actor *a)
{
	struct world_host *h = w->host;

	a->ran_epoch = h->epoch;
	if (h->ran_count == h->ran_capacity) {
		h->ran_capacity = h->ran_capacity ? h->ran_capacity * 2 : 64;
		must(h->ran = realloc(h->ran, h->ran_capacity * sizeof(*h->ran)));
	}
	h->ran[h->ran_count++] = a->id;
}

static inline void
arrive(struct world *w, struct actor *a)
{
	if (a->ran_epoch != w->host->epoch)
		actor_mark_ran(w, a);
	w->current = a;
	w->step++;
	if (a->wake_ns > w->now)
		w->now = a->wake_ns;
	if (__builtin_expect(a->memory != 0, 0))
		w->memory->arrive(w, a);
	watch_step(w, actor_process(a));
}

/* @self stops running, for whatever reason. */
static inline void
depart(struct world *w, struct actor *self)
{
	if (__builtin_expect(self->memory != 0, 0))
		w->memory->leave(w, self);
}

/* An actor that comes here too deep in its stack has overflowed it, or is about to. */
static inline void
stack_check(const struct actor *a)
{
	must((char *)__builtin_frame_address(0) >= a->stack + STACK_RED_BYTES);
}

static void
switch_to_host(struct world *w, struct actor *self)
{
	stack_check(self);
	w->current = NULL;
#if SWITCH_ASAN
	void *fake;

	__sanitizer_start_switch_fiber(&fake, w->host->asan_bottom, w->host->asan_size);
	switch_stack(&self->sp, w->host->sp);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	switch_stack(&self->sp, w->host->sp);
#endif
}

_Noreturn void
actor_abandon(struct world *w, struct actor *self)
{
	depart(w, self);
	switch_to_host(w, self);
	must(!"an actor that was abandoned was run");
	__builtin_unreachable();
}

static inline void
switch_to_actor(struct actor *self, struct actor *to)
{
	stack_check(self);
#if SWITCH_ASAN
	void *fake;

	__sanitizer_start_switch_fiber(&fake, to->stack, to->stack_bytes);
	switch_stack(&self->sp, to->sp);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	switch_stack(&self->sp, to->sp);
#endif
}

void
actor_enter(struct world *w, struct actor *a)
{
	arrive(w, a);
#if SWITCH_ASAN
	void *fake;

	__sanitizer_start_switch_fiber(&fake, a->stack, a->stack_bytes);
	switch_stack(&w->host->sp, a->sp);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	switch_stack(&w->host->sp, a->sp);
#endif
}

/*
 * Leave a question open for world_resume(): the same way out whoever asks, so that worlds which
 * differ only in who ran last are the same.
 */
static __attribute__((noinline)) void
park(struct world *w, struct actor *self, enum choice_kind kind, bool at_point)
{
	depart(w, self);
	self->pending =
		(struct access_pending){ 0 }; /* settled: it would tell equal worlds apart */
	w->parked_kind = (uint8_t)kind;
	w->parked_at_point = at_point;
	switch_to_host(w, self);
}

/*
 * The host's loop as far as it makes buffered stores visible, without going there: the entry that
 * is picked in the end.  UINT32_MAX: the loop has something else to do.
 */
static uint32_t
flush_picked(struct world *w, struct actor *self, uint32_t pick)
{
	w->current = NULL;
	while (w->ready[(w->ready_first + pick) & (w->ready_capacity - 1)].fn == actor_flush) {
		struct actor *of = ready_take(w, pick).arg;

		w->step++;
		actor_flush(w, of);
		if (!w->ready_count || w->stop || w->step >= w->steps_max)
			return UINT32_MAX;
		pick = world_choose(w, w->ready_count, CHOICE_ACTOR);
		if (w->stop)
			return UINT32_MAX;
	}
	w->current = self;
	return pick;
}

/*
 * Go on with the @pick-th ready entry, from the running actor's stack: straight into another actor,
 * or, if a callback was picked, by way of the host's loop.
 */
static inline void
switch_away(struct world *w, struct actor *self, uint32_t pick)
{
	struct ready *r = &w->ready[(w->ready_first + pick) & (w->ready_capacity - 1)];
	struct actor *to;

	depart(w, self);
	if (__builtin_expect(r->fn != NULL, 0)) {
		pick = flush_picked(w, self, pick);
		r = &w->ready[(w->ready_first + pick) & (w->ready_capacity - 1)];
		if (pick == UINT32_MAX || r->fn) {
			w->picked = pick + 1;
			switch_to_host(w, self);
			return;
		}
	}
	to = r->arg;
	ready_take(w, pick);
	to->queued = false;
	arrive(w, to);
	if (to != self)
		switch_to_actor(self, to);
}

/* --- points --------------------------------------------------------------------------------- */

void
actor_leave(struct world *w)
{
	struct actor *self = w->current;

	if (__builtin_expect(w->in_setup, 0)) {
		if (self->state != ACTOR_DONE)
			world_fail(w, "set-up may not wait or sleep: do that in an actor");
		switch_to_host(w, self);
	}
	self->access = (struct next_access){ 0 };
	memory_settle(w, self);
	if (w->step >= w->steps_max)
		world_stop(w, STOP_STEPS);
	if ((!w->ready_count && !world_advance(w)) || w->stop) {
		depart(w, self);
		switch_to_host(w, self);
		return;
	}

	enum choice_kind kind = w->mode == WORLD_TIMED ? CHOICE_TIE : CHOICE_ACTOR;

	if (__builtin_expect(w->host->parks, 0)) {
		park(w, self, kind, false);
		return;
	}
	switch_away(w, self, world_choose(w, w->ready_count, kind));
}

__attribute__((noinline)) void
actor_scrub(const struct actor *self)
{
	char dead[STACK_SCRUB_BYTES];

	if (!self || (char *)__builtin_frame_address(0) - self->stack <
			     (ptrdiff_t)(sizeof(dead) + 2 * STACK_RED_BYTES))
		return;
	memset(dead, 0, sizeof(dead));
	__asm__ volatile("" : : "r"(dead) : "memory");
}

void
actor_access_point(struct world *w)
{
	struct actor *self = w->current;
	uint32_t k = 0;

	memory_settle(w, self);
	if (++w->step >= w->steps_max)
		world_stop(w, STOP_STEPS);
	/* With nothing ready but its own flush nobody could tell whether that came first. */
	if (w->ready_count > (self->memory >= ACTOR_BUFFERED)) {
		if (__builtin_expect(w->host->parks, 0)) {
			ready_push_actor(w, self);
			park(w, self, CHOICE_ACTOR, true);
			return;
		}
		k = world_ask(w, w->ready_count + 1, CHOICE_ACTOR);
	}
	if (!k) {
		if (__builtin_expect(w->host->parks, 0))
			actor_scrub(self);
		watch_step(w, actor_process(self));
		return;
	}
	ready_push_actor(w, self);
	switch_away(w, self, k - 1);
}

void
actor_point(struct world *w)
{
	if (!w->current || w->in_setup)
		return;
	memory_sync(w, false);
	w->current->access = (struct next_access){ 0 };
	actor_access_point(w);
	/* What it finds (a lock that is free, a counter that is not 0) others have left before. */
	memory_sync(w, true);
	parked_scrub(w);
}

void
actor_yield(struct world *w)
{
	struct actor *self = w->current;

	if (!self || w->in_setup)
		return;
	self->access = (struct next_access){ 0 };
	memory_settle(w, self);
	if (w->step + 1 >= w->steps_max) {
		w->step++;
		world_stop(w, STOP_STEPS);
	}
	/* A busy wait takes time: with nothing else to run it lets the next timed thing come. */
	if (!w->ready_count)
		world_advance(w);
	if (w->stop)
		world_stop(w, w->stop);
	if (w->mode == WORLD_AROUND)
		self->wake_ns = world_yield_time(w);
	ready_push_actor(w, self);
	if (__builtin_expect(w->host->parks, 0)) {
		park(w, self, CHOICE_ACTOR, false);
		return;
	}
	switch_away(w, self, world_choose(w, w->ready_count, CHOICE_ACTOR));
}

/* --- buffered stores ------------------------------------------------------------------------ */

/* Bring the flush of @self to the head of the queue: it is what an actor that waits for it does. */
static void
flush_first(struct world *w, const struct actor *self)
{
	uint32_t mask = w->ready_capacity - 1;
	struct ready *head = &w->ready[w->ready_first & mask];

	for (uint32_t i = 0; i < w->ready_count; i++) {
		struct ready *r = &w->ready[(w->ready_first + i) & mask];

		if (r->fn == actor_flush && r->arg == self) {
			struct ready flush = *r;

			*r = *head;
			*head = flush;
			return;
		}
	}
	must(!"an actor with buffered stores has no flush in the queue");
}

void
actor_drain(struct world *w)
{
	struct actor *self = w->current;

	memory_settle(w, self);
	if (self->memory < ACTOR_BUFFERED)
		return;
	if (++w->step >= w->steps_max)
		world_stop(w, STOP_STEPS);
	flush_first(w, self);
	self->draining = true;
	if (__builtin_expect(w->host->parks, 0) && w->ready_count > 1)
		park(w, self, CHOICE_ACTOR, false);
	else
		switch_away(w, self, world_choose(w, w->ready_count, CHOICE_ACTOR));
	self->draining = false;
}

void
actor_flush(struct world *w, void *actor)
{
	watch_step(w, ready_process(&(struct ready){ actor_flush, actor }));
	/* What comes next is no tie: somebody ran, and can go on. */
	w->parked_kind = CHOICE_ACTOR;
	w->memory->flush(w, actor);
}

/* Without an effect: what a flush does to others shows as its access. */
#define watch_flush(w, p) watch_tell(w, woke, p)

void
actor_buffered_more(struct world *w, struct actor *a)
{
	if (a->memory < ACTOR_BUFFERED) {
		ready_push(w, actor_flush, a);
		watch_flush(w, ready_process(&(struct ready){ actor_flush, a }));
	}
	a->memory += ACTOR_BUFFERED;
}

/* What an actor that drains does next is the dullest answer. */
static void
ready_push_head(struct world *w, ready_fn fn, struct actor *a)
{
	if (w->ready_count == w->ready_capacity)
		ready_grow(w);
	w->ready[--w->ready_first & (w->ready_capacity - 1)] = (struct ready){ fn, a };
	w->ready_count++;
	w->ready_hash += ready_hash_of(fn, a);
}

void
actor_buffered_less(struct world *w, struct actor *a)
{
	a->memory -= ACTOR_BUFFERED;
	if (a->memory >= ACTOR_BUFFERED) {
		if (a->draining)
			ready_push_head(w, actor_flush, a);
		else
			ready_push(w, actor_flush, a);
	} else if (a->draining) {
		watch_flush(w, actor_process(a));
		if (a->holds) {
			a->woken_held = true;
		} else {
			a->queued = true;
			ready_push_head(w, NULL, a);
		}
	}
}
