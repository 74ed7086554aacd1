/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Total store order: store buffers by difference.
 *
 * While an actor runs, guest memory holds what that actor sees: its buffered stores are in place,
 * and each entry of its buffer keeps the bytes it covered.  When the actor stops running they are
 * undone, newest first, and what they wrote is kept; when it comes back they are redone, oldest
 * first.  Compiled code therefore makes its stores where it always does, and forwarding needs
 * nothing.
 *
 * Stores are no choice points: nobody else sees them.  What others see is the flush of the oldest
 * entry, which stands in the ready queue beside the actors (actor_flush()).
 */
#include <string.h>

#include "base/limits.h"
#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/access.h"
#include "memory/gm_impl.h"

/* Stores a buffer holds before the oldest must go. Processors have 40 to 70. */
#define STORE_BUFFER_MAX LIMIT(64u, 4u)
#define STORE_BUFFER_FIRST 4u

struct store {
	uint64_t offset;
	const void *site;
	uint32_t size;
	/* While its actor runs: what memory holds without it. Else: what it stores. */
	uint8_t bytes[ACCESS_BYTES_MAX];
};

/* It grows to STORE_BUFFER_MAX. */
struct store_buffer {
	uint32_t capacity; /* ACTOR_BUFFERED in struct actor counts */
	struct store store[]; /* oldest first, zeroes behind: equal buffers are equal bytes */
};

static inline uint32_t
buffered(const struct actor *a)
{
	return a->memory / ACTOR_BUFFERED;
}

static inline struct store *
store_at(const struct actor *a, uint32_t i)
{
	return &a->buffer->store[i];
}

/* The sizes compilers make: constant copies for the usual ones. */
static inline void
copy(void *to, const void *from, uint32_t size)
{
	switch (size) {
	case 2:
		memcpy(to, from, 2);
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	default:
		memcpy(to, from, size);
	}
}

static inline void
exchange(const struct gm *gm, struct store *s)
{
	uint8_t was[ACCESS_BYTES_MAX];

	copy(was, gm->base + s->offset, s->size);
	copy(gm->base + s->offset, s->bytes, s->size);
	copy(s->bytes, was, s->size);
}

static void
tso_undo(const struct gm *gm, struct actor *a)
{
	for (uint32_t i = buffered(a); i-- > 0;)
		exchange(gm, store_at(a, i));
}

static void
tso_redo(const struct gm *gm, struct actor *a)
{
	uint32_t n = buffered(a);

	for (uint32_t i = 0; i < n; i++)
		exchange(gm, store_at(a, i));
}

static void
tso_leave(struct world *w, struct actor *a)
{
	memory_settle(w, a);
	tso_undo(w->room[ROOM_MEMORY], a);
}

static void
tso_arrive(struct world *w, struct actor *a)
{
	tso_redo(w->room[ROOM_MEMORY], a);
}

/* The oldest entry leaves the buffer. The actor's flush does not stand in the ready queue. */
static void
tso_flush(struct world *w, struct actor *a)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct actor *self = w->current;
	struct store s = *store_at(a, 0);

	/* Of the running actor: it is in memory already. The recorder wants to see it by itself. */
	bool in_place = self == a && !w->host->sink;

	if (self && !in_place) {
		tso_undo(gm, self);
		s = *store_at(a, 0);
	}
	if (!in_place)
		copy(gm->base + s.offset, s.bytes, s.size);
	for (uint32_t i = 1; i < buffered(a); i++)
		*store_at(a, i - 1) = *store_at(a, i);
	*store_at(a, buffered(a) - 1) = (struct store){ 0 };
	actor_buffered_less(w, a);
	access_flushed(w, a, s.offset, s.size, s.site);
	if (self && !in_place)
		tso_redo(gm, self);
}

static void
tso_flush_all(struct world *w, struct actor *a)
{
	if (!buffered(a))
		return;
	must(ready_remove(w, actor_flush, a));
	/* Of the running step, in which the actor's buffer does nothing by itself. */
	while (buffered(a)) {
		tso_flush(w, a);
		if (buffered(a))
			must(ready_remove(w, actor_flush, a));
	}
}

static void
tso_sync(struct world *w, bool at_once)
{
	struct actor *self = w->current;

	memory_settle(w, self);
	if (!buffered(self))
		return;
	if (at_once)
		tso_flush_all(w, self);
	else
		actor_drain(w);
}

static void
tso_hold(struct world *w, struct actor *a)
{
	tso_flush_all(w, a);
}

#define BUFFER_BYTES(capacity) (sizeof(struct store_buffer) + (capacity) * sizeof(struct store))

/* @b is zeroed; null: there is no room, the run will say so. */
static void
buffer_first(struct actor *a, struct store_buffer *b)
{
	if (b)
		b->capacity = STORE_BUFFER_FIRST;
	a->buffer = b;
}

static void
buffer_grow(struct world *w, struct actor *a)
{
	uint32_t was = a->buffer->capacity;
	struct store_buffer *b = world_alloc(w, BUFFER_BYTES(2 * was));

	memcpy(b, a->buffer, BUFFER_BYTES(was));
	b->capacity = 2 * was;
	world_free(w, a->buffer, BUFFER_BYTES(was));
	a->buffer = b;
}

/* Of worlds with very many actors most have none. */
#define BUFFERS_AT_SNAPSHOT 64u

static void
tso_snapshot(struct world *w)
{
	for (uint32_t i = 0; i < w->actor_count && i < BUFFERS_AT_SNAPSHOT; i++) {
		struct actor *a = w->actors[i];

		if (a->state != ACTOR_DONE && !a->buffer)
			buffer_first(a, arena_alloc(w->arena, BUFFER_BYTES(STORE_BUFFER_FIRST)));
	}
}

static void
tso_oldest(const struct actor *a, uint64_t *offset, uint32_t *size)
{
	*offset = store_at(a, 0)->offset;
	*size = store_at(a, 0)->size;
}

const struct memory_ops tso_ops = {
	.settle = access_emit_pending,
	.leave = tso_leave,
	.arrive = tso_arrive,
	.flush = tso_flush,
	.oldest = tso_oldest,
	.sync = tso_sync,
	.hold = tso_hold,
	.snapshot = tso_snapshot,
};

/* --- accesses ------------------------------------------------------------------------------- */

static bool
forwarded(const struct actor *a, uint64_t offset, uint32_t size)
{
	for (uint32_t i = buffered(a); i-- > 0;) {
		const struct store *s = store_at(a, i);

		if (offset < s->offset + s->size && s->offset < offset + size)
			return true;
	}
	return false;
}

/* A larger buffer, or without its oldest store. */
static void
make_room(struct world *w, struct actor *a)
{
	if (!a->buffer) {
		buffer_first(a, world_alloc(w, BUFFER_BYTES(STORE_BUFFER_FIRST)));
	} else if (a->buffer->capacity < STORE_BUFFER_MAX) {
		buffer_grow(w, a);
	} else {
		must(ready_remove(w, actor_flush, a));
		tso_flush(w, a);
	}
}

static void
buffer_store(struct world *w, struct actor *a, uint64_t offset, uint32_t size, const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct store *s;

	if (__builtin_expect(!a->buffer || buffered(a) == a->buffer->capacity, 0))
		make_room(w, a);
	s = store_at(a, buffered(a));
	s->offset = offset;
	s->size = size;
	s->site = site;
	copy(s->bytes, gm->base + offset, size);
	actor_buffered_more(w, a);
}

uint32_t
tso_access(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site)
{
	struct actor *a = w->current;
	uint32_t flags = 0;

	bool range = size > ACCESS_BYTES_MAX; /* no single store, thus never in a buffer */

	if ((how & ACCESS_KIND_MASK) == ACCESS_LOAD) {
		actor_access_point(w);
		if (a->memory >= ACTOR_BUFFERED && forwarded(a, offset, size))
			flags = ACCESS_FORWARDED;
	} else if ((how & ACCESS_KIND_MASK) == ACCESS_STORE && !range) {
		memory_settle(w, a);
		if (++w->step >= w->steps_max)
			world_stop(w, STOP_STEPS);
		buffer_store(w, a, offset, size, site);
		flags = ACCESS_BUFFERED;
	} else {
		actor_drain(w);
		actor_access_point(w);
	}
	return flags;
}

void
tso_fence(struct world *w, int kind)
{
	/* x86 keeps the order of all accesses but that of a store and a later load. */
	if (kind != FENCE_MB)
		return;
	actor_drain(w);
	access_tell_watch(w, 0, 0, ACCESS_LOAD, WATCH_FENCE);
}

void
tso_model_write(struct world *w)
{
	if (w->current && !w->in_setup)
		tso_sync(w, true);
}
