/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/image.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

_Thread_local struct world *world_tls;

/* --- life ----------------------------------------------------------------------------------- */

static void
host_free(struct world_host *h)
{
	free(h->buffer);
	free(h->choice);
	free(h->sink_buffer);
	if (h->calls)
		h->calls_free(h->calls);
	free(h->ran);
	free(h->saved);
	free(h->saved_bytes);
	free(h);
}

static struct world_host *
host_create(void)
{
	struct world_host *h = aligned_alloc(_Alignof(struct world_host), sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct world_host){ 0 };
	h->buffer = calloc(EVENT_BUFFER_COUNT, sizeof(*h->buffer));
	h->chooser = &chooser_first;
	event_digest_kinds(h->digest_kind);
	h->epoch = 1;
	if (!h->buffer) {
		host_free(h);
		return NULL;
	}
	return h;
}

/* The hostile build puts each world elsewhere: where a pointer leaks into an order, digests differ.
 */
static unsigned
moved_places(void)
{
#ifdef RINGSIDE_HOSTILE
	static _Atomic unsigned worlds;

	return worlds++;
#else
	return 0;
#endif
}

struct world *
world_create(const struct world_config *config, struct error *err)
{
	size_t reserve = config->reserve_bytes ? config->reserve_bytes : ARENA_RESERVE_BYTES;
	struct world_host *h = host_create();
	struct arena *arena = h ? arena_create(reserve, config->place + moved_places(), err) : NULL;

	if (!arena) {
		if (h)
			host_free(h);
		else
			error_set(err, "out of memory");
		return NULL;
	}

	struct world *w = arena_alloc(arena, sizeof(*w));

	must(w); /* the first megabyte is there */
	w->host = h;
	w->arena = arena;
	w->mode = (uint8_t)config->mode;
	w->steps_max = config->steps_max ? config->steps_max : STEPS_MAX_DEFAULT;
	w->time_max = config->time_max_ns;
	heap_init(&w->heap);
	w->heap.near = actor_comes_near;
	if (config->alloc_max_bytes)
		arena_limit(arena, config->alloc_max_bytes);
	return w;
}

void
world_destroy(struct world *w)
{
	if (!w)
		return;

	struct world_host *h = w->host;

	arena_destroy(w->arena);
	host_free(h);
}

struct setup {
	void (*fn)(struct world *w, void *arg);
	void *arg;
};

static void
setup_main(struct actor *self, void *arg)
{
	struct setup *s = arg;

	s->fn(self->world, s->arg);
}

static void
setup_body(struct world *w, void *arg)
{
	actor_create(w, "setup", setup_main, arg, STACK_BYTES_SETUP);
	/* The set-up actor was queued last; actors that it creates wait until world_run(). */
	world_run_one(w, w->ready_count - 1);
}

int
world_setup(struct world *w, void (*fn)(struct world *w, void *arg), void *arg, struct error *err)
{
	struct setup s = { fn, arg };

	w->in_setup = true;
	world_run_in(w, setup_body, &s);
	w->in_setup = false;
	if (w->stop) {
		error_set(err, "%s",
			  w->stop == STOP_ERROR ? w->host->error.text : "set-up was stopped");
		return -1;
	}
	return 0;
}

/* --- small things --------------------------------------------------------------------------- */

struct world *
world_current(void)
{
	return world_tls;
}

int64_t
world_now(const struct world *w)
{
	w->host->looked |= IMAGE_TIME;
	return w->now;
}

uint64_t
world_step(const struct world *w)
{
	return w->step;
}

int64_t
world_now_shown(const struct world *w)
{
	return w->now;
}

enum world_mode
world_mode_of(const struct world *w)
{
	return (enum world_mode)w->mode;
}

struct arena *
world_arena(const struct world *w)
{
	return w->arena;
}

void *
world_alloc(struct world *w, size_t size)
{
	void *block = arena_alloc(w->arena, size);

	if (!block)
		world_fail(w, "out of memory in the world: an object of %zu bytes, %zu in use",
			   size, arena_used(w->arena));
	return block;
}

void
world_free(struct world *w, void *block, size_t size)
{
	arena_free(w->arena, block, size);
}

char *
world_strdup(struct world *w, const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(world_alloc(w, n), text, n);
}

bool
fault_on(const struct world *w, enum fault f)
{
	return w->faults[f / 64] >> (f % 64) & 1;
}

void
fault_set(struct world *w, enum fault f, bool on)
{
	if (on)
		w->faults[f / 64] |= UINT64_C(1) << (f % 64);
	else
		w->faults[f / 64] &= ~(UINT64_C(1) << (f % 64));
}

void *
world_room(const struct world *w, enum room_data room)
{
	return w->room[room];
}

void
world_set_room(struct world *w, enum room_data room, void *data)
{
	w->room[room] = data;
}
