/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actors: made, done, asleep, held back. */
#include "base/hash.h"
#include "base/must.h"
#include "engine/image.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

/* Tops of stacks differ by up to this, lest all of them meet in the same cache sets. */
#define STACK_COLOURS 16u
#define STACK_COLOUR_BYTES 64u

/* --- life ----------------------------------------------------------------------------------- */

static void
actor_main(void *arg)
{
	struct actor *a = arg;

#if SWITCH_ASAN
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
	a->fn(a, a->arg);

	struct world *w = a->world;

	emit(w, EV_ACTOR_EXIT);
	a->state = ACTOR_DONE;
	stack_release(w, a);
	actor_leave(w);
	must(!"an actor that is done was run");
}

static void
actor_list(struct world *w, struct actor *a)
{
	if (w->actor_count == w->actor_capacity) {
		uint32_t capacity = w->actor_capacity ? w->actor_capacity * 2 : 16;
		struct actor **grown = world_alloc(w, capacity * sizeof(struct actor *));

		if (w->actor_count)
			memcpy(grown, w->actors, w->actor_count * sizeof(struct actor *));
		world_free(w, w->actors, w->actor_capacity * sizeof(struct actor *));
		w->actors = grown;
		w->actor_capacity = capacity;
	}
	w->actors[w->actor_count++] = a;
	a->id = w->actor_count;
	a->id_hash = hash_u64(a->id);
}

/* On a cache line of its own; actors are never freed. */
static struct actor *
actor_alloc(struct world *w)
{
	uintptr_t block = (uintptr_t)world_alloc(w, sizeof(struct actor) + 48);

	return (struct actor *)((block + 63) & ~(uintptr_t)63);
}

struct actor *
actor_create(struct world *w, const char *name, actor_fn fn, void *arg, size_t stack_bytes)
{
	struct actor *a = actor_alloc(w);
	size_t bytes = stack_bytes ? stack_bytes : STACK_BYTES_C;

	bytes = (bytes + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1);
#if SWITCH_ASAN
	bytes *= 4; /* red zones make frames several times larger */
#endif
	a->world = w;
	a->fn = fn;
	a->arg = arg;
	a->name = world_name(w, name);
	a->name_text = world_name_text(w, a->name);
	a->stack_bytes = bytes;
	a->stack = stack_alloc(w, bytes);
	actor_list(w, a);
#if SWITCH_ASAN
	__asan_unpoison_memory_region(a->stack, bytes);
#endif
#ifdef RINGSIDE_HOSTILE
	memset(a->stack, 0xdb, bytes);
#endif
	a->sp = switch_prepare(a->stack, bytes, a->id % STACK_COLOURS * STACK_COLOUR_BYTES,
			       actor_main, a);
	a->state = ACTOR_READY;
	memory_sync(w, true);
	memory_woke(w, a);
	ready_push_actor(w, a);
	watch_woke(w, actor_process(a));
	emit(w, EV_ACTOR_CREATE, a->id, a->name);
	return a;
}

/* --- blocking ------------------------------------------------------------------------------- */

void
actor_make_ready(struct actor *a)
{
	a->state = ACTOR_READY;
	if (a->world->mode == WORLD_AROUND)
		a->wake_ns = a->world->now;
	watch_woke(a->world, actor_process(a));
	memory_woke(a->world, a);
	if (a->holds)
		a->woken_held = true;
	else
		ready_push_actor(a->world, a);
}

/*
 * A hundred thousand sleepers are in no cache.  First the actor, which says where its stack is;
 * then of the stack what a sleeper returns through, and what the calls use that put it to sleep
 * again.
 */
void
actor_comes_near(void *fn, void *arg, bool next)
{
	const struct actor *a = arg;

	if (fn)
		return;
	if (next) {
		for (int line = -2; line <= 2; line++)
			__builtin_prefetch((char *)a->sp + 64 * line, 1);
	} else {
		__builtin_prefetch(a, 1);
		__builtin_prefetch(&a->access, 1);
	}
}

static void
sleep_for(struct world *w, int64_t ns, bool bound)
{
	struct actor *self = w->current;

	must(self); /* a callback cannot sleep */
	world_effect(w);
	if (ns < 0)
		ns = 0;
	if (w->mode != WORLD_TIMED && !bound) {
		self->wake_ns = w->now + ns;
		if (w->mode == WORLD_AROUND)
			world_check_time(w);
		if (!w->in_setup) {
			ready_push_actor(w, self);
			actor_leave(w);
		}
		return;
	}
	self->wake_ns = w->now + ns;
	w->host->looked |= IMAGE_TIME;
	/* Nothing else comes before: no need to leave. */
	if (!w->ready_count && !w->in_setup && w->step + 1 < w->steps_max && !w->time_max &&
	    (!w->heap.count || heap_first_time(&w->heap) > self->wake_ns)) {
		w->now = self->wake_ns;
		w->step++;
		watch_advanced(w);
		return;
	}
	self->state = ACTOR_SLEEPING;
	if (!heap_push(&w->heap, w->arena, self->wake_ns, NULL, self, NULL))
		world_fail(w, "out of memory for sleeping actors");
	actor_leave(w);
}

void
actor_sleep(struct world *w, int64_t ns)
{
	sleep_for(w, ns, false);
}

void
actor_sleep_bound(struct world *w, int64_t ns)
{
	sleep_for(w, ns, true);
}

void
actor_work(struct world *w, int64_t ns)
{
	if (w->mode != WORLD_RELAXED && ns > 0)
		sleep_for(w, ns, false);
	else if (w->current && !w->in_setup) {
		w->current->access = (struct next_access){ 0 };
		actor_access_point(w);
	}
}

void
actor_hold(struct actor *a)
{
	struct world *w = a->world;

	world_effect(w);
	/* Same CPU: what runs in its place comes after it in program order. */
	if (w->memory && w->memory->hold)
		w->memory->hold(w, a);
	race_order(w, a, w->current);
	if (a->holds++)
		return;
	watch_stopped(w, actor_process(a));
	if (a->queued) {
		must(ready_remove(w, NULL, a));
		a->queued = false;
		a->woken_held = true;
	}
}

void
actor_release(struct actor *a)
{
	must(a->holds);
	world_effect(a->world);
	memory_sync(a->world, true);
	memory_woke(a->world, a);
	if (--a->holds == 0 && a->woken_held) {
		a->woken_held = false;
		watch_woke(a->world, actor_process(a));
		ready_push_actor(a->world, a);
	}
}

/* --- to look at ----------------------------------------------------------------------------- */

void
actor_set_daemon(struct actor *a, bool daemon)
{
	a->daemon = daemon;
}

bool
actor_is_daemon(const struct actor *a)
{
	return a->daemon;
}

void
actor_set_ring_only(struct actor *a, bool ring_only)
{
	a->ring_only = ring_only;
}

bool
actor_is_ring_only(const struct actor *a)
{
	return a->ring_only;
}

uint32_t
actor_id(const struct actor *a)
{
	return a->id;
}

const char *
actor_name(const struct actor *a)
{
	return a->name_text;
}

enum actor_state
actor_state(const struct actor *a)
{
	return (enum actor_state)a->state;
}

const char *
actor_waits_for(const struct actor *a)
{
	if (a->state != ACTOR_BLOCKED || !a->waitq)
		return "";
	return world_name_text(a->world, a->waitq->name);
}

struct world *
actor_world(const struct actor *a)
{
	return a->world;
}

void
actor_set_data(struct actor *a, void *data)
{
	a->data = data;
}

void *
actor_data(const struct actor *a)
{
	return a->data;
}

size_t
world_actors(const struct world *w)
{
	return w->actor_count;
}

struct actor *
world_actor(const struct world *w, uint32_t id)
{
	return id && id <= w->actor_count ? w->actors[id - 1] : NULL;
}

struct actor *
actor_current(const struct world *w)
{
	return w->current;
}
