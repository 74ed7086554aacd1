/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The race detector: who is ordered before whom. */
#include "memory/race.h"

#include "base/hash.h"
#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/gm_impl.h"
#include "memory/access.h"
#include "memory/race_impl.h"

static struct races *
races_of(const struct world *w)
{
	const struct gm *gm = w->room[ROOM_MEMORY];

	return gm ? gm->races : NULL;
}

/* --- actors --------------------------------------------------------------------------------- */

struct race_actor *
race_actor_of(struct world *w, struct races *r, struct actor *a)
{
	if (!a)
		return &r->callbacks;
	if (!a->race) {
		a->race = world_alloc(w, sizeof(*a->race));
		a->race->slot = RACE_SLOT_NONE;
	}
	return a->race;
}

uint16_t
race_slot_of(struct races *r, struct race_actor *a)
{
	if (a->slot == RACE_SLOT_NONE) {
		/* Slot 0 is the callbacks'. */
		a->slot = (uint16_t)(1 + r->slots++ % (RACE_SLOTS - 1));
		if (!r->epoch[a->slot])
			r->epoch[a->slot] = 1;
	}
	return a->slot;
}

struct race_clock *
race_so_far(struct world *w, struct races *r, struct race_actor *a)
{
	if (a->accessed) {
		a->accessed = false;
		race_clock_set(w, &a->now, a->slot, r->epoch[a->slot]++);
	}
	return race_clock_share(a->now);
}

/* --- what the engine tells ------------------------------------------------------------------ */

/* What @from did is before what @to does from now on. Null: callbacks. */
static void
race_ordered(struct world *w, struct actor *from, struct actor *to)
{
	struct races *r = races_of(w);
	struct race_clock *c;

	if (w->in_setup || from == to)
		return;
	if (from)
		memory_settle(w, from);
	c = race_so_far(w, r, race_actor_of(w, r, from));
	race_clock_join(w, &race_actor_of(w, r, to)->now, c);
	race_clock_put(w, c);
}

/* The points of models are full barriers. */
static void
race_point(struct world *w)
{
	race_fence(w, FENCE_MB);
}

static const struct race_ops race_ops = {
	.ordered = race_ordered,
	.release = race_release,
	.point = race_point,
};

/* --- barriers ------------------------------------------------------------------------------- */

void
race_fence(struct world *w, int kind)
{
	struct races *r = races_of(w);
	struct race_actor *a = race_actor_of(w, r, w->current);
	bool acquire = kind != FENCE_WMB && kind != FENCE_RELEASE;
	bool release = kind != FENCE_RMB && kind != FENCE_ACQUIRE;

	if (acquire)
		race_clock_join(w, &a->now, a->read);
	if (release) {
		race_clock_put(w, a->fenced);
		a->fenced = race_so_far(w, r, a);
	}
}

/* --- objects -------------------------------------------------------------------------------- */

static struct race_object *
object_at(const struct races *r, const void *object)
{
	uint32_t i = (uint32_t)hash_u64((uintptr_t)object) & (r->objects_capacity - 1);

	while (r->object[i].object && r->object[i].object != object)
		i = (i + 1) & (r->objects_capacity - 1);
	return &r->object[i];
}

static void
objects_grow(struct world *w, struct races *r)
{
	struct race_object *was = r->object;
	uint32_t capacity = r->objects_capacity;

	r->objects_capacity = capacity ? capacity * 2 : 64;
	r->object = world_alloc(w, r->objects_capacity * sizeof(*r->object));
	for (uint32_t i = 0; i < capacity; i++)
		if (was[i].object)
			*object_at(r, was[i].object) = was[i];
	if (was)
		world_free(w, was, capacity * sizeof(*was));
}

void
race_release(struct world *w, const void *object)
{
	struct races *r = races_of(w);
	struct race_object *o;
	struct race_clock *c;

	if (__builtin_expect(!r, 1) || w->in_setup)
		return;
	if (r->objects * 2 >= r->objects_capacity)
		objects_grow(w, r);
	o = object_at(r, object);
	if (!o->object) {
		o->object = object;
		r->objects++;
	}
	c = race_so_far(w, r, race_actor_of(w, r, w->current));
	race_clock_join(w, &o->clock, c);
	race_clock_put(w, c);
}

void
race_acquire(struct world *w, const void *object)
{
	struct races *r = races_of(w);

	if (__builtin_expect(!r, 1) || w->in_setup || !r->objects)
		return;
	race_clock_join(w, &race_actor_of(w, r, w->current)->now, object_at(r, object)->clock);
}

void
race_sync(struct world *w, const void *object)
{
	race_acquire(w, object);
	race_release(w, object);
}

/* --- life ----------------------------------------------------------------------------------- */

void
race_detect(struct world *w)
{
	struct gm *gm = w->room[ROOM_MEMORY];

	must(gm);
	if (gm->races)
		return;
	gm->races = world_alloc(w, sizeof(*gm->races));
	gm->races->page = world_alloc(w, (gm->size / ARENA_PAGE + 1) * sizeof(*gm->races->page));
	gm->races->epoch[0] = 1;
	w->race = &race_ops;
}

bool
race_detecting(const struct world *w)
{
	return races_of(w) != NULL;
}

void
race_on_found(struct world *w, race_fn fn, void *context)
{
	struct races *r = races_of(w);

	must(r);
	r->found = fn;
	r->context = context;
}

uint64_t
race_count(const struct world *w)
{
	const struct races *r = races_of(w);

	return r ? r->count : 0;
}
