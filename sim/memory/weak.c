/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The weak model: histories and views.
 *
 * Guest memory is cut into granules of two bytes, the size of an avail or used index.  A granule
 * that was stored to has a history: its stores in coherence order, by time stamp.  Guest memory
 * itself holds the newest.  An actor has views, each a time stamp a granule:
 *
 *	cur	older than this it does not read, and its stores come later than this
 *	acq	what cur becomes at a read barrier: what the stores it read had brought along
 *	rel	what its next stores bring along: cur at its last write barrier or release
 *
 * A load sees any store from cur on (CHOICE_LOAD, answer 0 the newest); the value is put in place
 * for just that load.  A store goes behind everything its actor knows, not necessarily behind what
 * others have stored meanwhile (CHOICE_STORE, answer 0: the newest).  A full barrier exchanges cur
 * with a view of the whole world, so that of two of them the later one knows what was before the
 * earlier.  This is the view-based form of release-acquire with fences that the literature has for
 * C11 without load buffering; the barriers of Linux map to its fences: smp_rmb() acquire, smp_wmb()
 * release, smp_mb() sequentially consistent.  Two differences, both on the side of fewer outcomes:
 * smp_wmb() carries loads along, too; a read-modify-write reads the newest store only.
 *
 * Accesses of several granules: granules that were last stored together are chosen together.
 */
#include <string.h>

#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/access.h"
#include "memory/gm_impl.h"
#include "memory/race.h"
#include "memory/race_impl.h"

#define GRANULE 2u
#define PAGE_GRANULES (ARENA_PAGE / GRANULE)
#define STAMP_STEP (UINT64_C(1) << 24) /* between neighbours: room for 24 stores in between */
#define ALL_PLACE (UINT64_MAX - 63) /* of struct weak's `all`, to who watches accesses */
#define HISTORY_MAX 64u /* older stores are forgotten: nothing reads them any more */

struct view {
	uint32_t count;
	uint64_t stamp[]; /* by history number; beyond count: 0 */
};

struct message {
	uint64_t stamp;
	const struct view *brings; /* null: nothing */
	struct race_clock *orders; /* the same to the race detector */
	uint32_t id; /* of the store: granules of one store share it */
	uint16_t value;
	bool tight; /* a read-modify-write: nothing comes between its store and the one it read */
};

struct history {
	uint32_t number;
	uint32_t count, capacity;
	struct message *m; /* by stamp */
};

struct actor_view {
	struct view *cur, *acq;
	const struct view *rel;
	bool moved; /* cur or acq, since the last full barrier */
	uint64_t all_version; /* of weak.all, then */
	uint32_t store_id; /* of the pending store, or 0 */
	uint64_t store_offset;
	uint32_t store_size;
};

struct weak {
	struct history ***page; /* [page of guest RAM][granule] */
	uint32_t histories;
	uint32_t last_id;
	struct view *all; /* exchanged by full barriers */
	uint64_t all_version;
	bool order_loads;
};

/* --- views ---------------------------------------------------------------------------------- */

static size_t
view_bytes(uint32_t count)
{
	return sizeof(struct view) + count * sizeof(uint64_t);
}

static uint64_t
view_get(const struct view *v, uint32_t i)
{
	return v && i < v->count ? v->stamp[i] : 0;
}

static void
view_grow(struct world *w, struct view **v, uint32_t count)
{
	uint32_t was = *v ? (*v)->count : 0;

	if (count <= was)
		return;
	count = (count + 15) & ~15u;

	struct view *grown = world_alloc(w, view_bytes(count));

	if (was) {
		memcpy(grown, *v, view_bytes(was));
		world_free(w, *v, view_bytes(was));
	}
	grown->count = count;
	*v = grown;
}

static void
view_raise(struct world *w, struct view **v, uint32_t i, uint64_t stamp)
{
	view_grow(w, v, i + 1);
	if ((*v)->stamp[i] < stamp)
		(*v)->stamp[i] = stamp;
}

static void
view_join(struct world *w, struct view **v, const struct view *other)
{
	if (!other || other == *v)
		return;
	view_grow(w, v, other->count);
	for (uint32_t i = 0; i < other->count; i++)
		if ((*v)->stamp[i] < other->stamp[i])
			(*v)->stamp[i] = other->stamp[i];
}

/* A copy that nobody changes: for messages. */
static const struct view *
view_snapshot(struct world *w, const struct view *v)
{
	struct view *copy;

	if (!v)
		return NULL;
	copy = world_alloc(w, view_bytes(v->count));
	memcpy(copy, v, view_bytes(v->count));
	return copy;
}

static struct actor_view *
view_of(struct world *w, struct actor *a)
{
	if (!a->view)
		a->view = world_alloc(w, sizeof(*a->view));
	return a->view;
}

/* --- histories ------------------------------------------------------------------------------ */

void
weak_create(struct world *w, struct gm *gm)
{
	gm->weak = world_alloc(w, sizeof(*gm->weak));
	gm->weak->page = world_alloc(w, (gm->size / ARENA_PAGE + 1) * sizeof(*gm->weak->page));
}

void
memory_order_loads(struct world *w, bool on)
{
	struct gm *gm = w->room[ROOM_MEMORY];

	must(gm);
	if (!gm->weak)
		weak_create(w, gm);
	gm->weak->order_loads = on;
}

static uint16_t
granule_value(const struct gm *gm, uint64_t g)
{
	uint16_t value;

	memcpy(&value, gm->base + g * GRANULE, GRANULE);
	return value;
}

/* Null if the granule was never stored to. */
static struct history *
history_find(const struct gm *gm, uint64_t g)
{
	struct history **page = gm->weak->page[g / PAGE_GRANULES];

	return page ? page[g % PAGE_GRANULES] : NULL;
}

/* With memory's present value as its first store. */
static struct history *
history_of(struct world *w, const struct gm *gm, uint64_t g)
{
	struct history ***page = &gm->weak->page[g / PAGE_GRANULES];
	struct history *h;

	if (!*page)
		*page = world_alloc(w, PAGE_GRANULES * sizeof(**page));
	h = (*page)[g % PAGE_GRANULES];
	if (h)
		return h;
	h = world_alloc(w, sizeof(*h));
	h->number = gm->weak->histories++;
	h->capacity = 4;
	h->m = world_alloc(w, h->capacity * sizeof(*h->m));
	h->m[h->count++] = (struct message){ .value = granule_value(gm, g) };
	(*page)[g % PAGE_GRANULES] = h;
	return h;
}

/* Room for a message at index @at, and its stamp. */
static struct message *
history_insert(struct world *w, struct history *h, uint32_t at)
{
	uint64_t before = h->m[at - 1].stamp;
	uint64_t stamp =
		at == h->count ? before + STAMP_STEP : before + (h->m[at].stamp - before) / 2;

	if (h->count == HISTORY_MAX) {
		for (uint32_t i = 0; i < HISTORY_MAX / 2; i++)
			race_clock_put(w, h->m[i].orders);
		memmove(h->m, h->m + HISTORY_MAX / 2, HISTORY_MAX / 2 * sizeof(*h->m));
		h->count -= HISTORY_MAX / 2;
		at = at > HISTORY_MAX / 2 ? at - HISTORY_MAX / 2 : 1;
	}
	if (h->count == h->capacity) {
		struct message *grown = world_alloc(w, 2 * h->capacity * sizeof(*grown));

		memcpy(grown, h->m, h->count * sizeof(*grown));
		world_free(w, h->m, h->capacity * sizeof(*grown));
		h->m = grown;
		h->capacity *= 2;
	}
	memmove(&h->m[at + 1], &h->m[at], (h->count - at) * sizeof(*h->m));
	h->count++;
	h->m[at] = (struct message){ .stamp = stamp };
	return &h->m[at];
}

/* Index of the first message that @v may still see. */
static uint32_t
history_floor(const struct history *h, const struct view *v)
{
	uint64_t stamp = view_get(v, h->number);
	uint32_t i = h->count - 1;

	while (i && h->m[i].stamp > stamp)
		i--;
	return i;
}

/* Whether @b offers the same stores as @a: from the floor to the newest. */
static bool
history_same(const struct history *a, const struct history *b, const struct view *v)
{
	uint32_t i = history_floor(a, v), j = history_floor(b, v);

	if (a->count - i != b->count - j)
		return false;
	for (; i < a->count; i++, j++)
		if (a->m[i].id != b->m[j].id)
			return false;
	return true;
}

/* --- barriers ------------------------------------------------------------------------------- */

static void
full_barrier(struct world *w, struct actor *a)
{
	struct weak *weak = ((struct gm *)w->room[ROOM_MEMORY])->weak;
	struct actor_view *v = view_of(w, a);

	world_effect(w); /* two of them are in some order */
	if (!v->moved && v->all_version == weak->all_version)
		return;
	view_join(w, &v->cur, v->acq);
	view_join(w, &v->cur, weak->all);
	if (v->moved) {
		view_join(w, &weak->all, v->cur);
		weak->all_version++;
	}
	view_join(w, &v->acq, v->cur);
	v->rel = view_snapshot(w, v->cur);
	v->moved = false;
	v->all_version = weak->all_version;
}

void
weak_fence(struct world *w, int kind)
{
	struct actor *a = w->current;
	struct actor_view *v = view_of(w, a);

	switch (kind) {
	case FENCE_MB:
		/* Which of two is first matters to both, as for a location that both write. */
		actor_access_point(w);
		access_tell_watch(w, ALL_PLACE, 8, ACCESS_RMW, 0);
		full_barrier(w, a);
		break;
	case FENCE_RMB:
	case FENCE_ACQUIRE:
		view_join(w, &v->cur, v->acq);
		break;
	default: /* wmb, release */
		v->rel = view_snapshot(w, v->cur);
	}
}

static void
weak_settle(struct world *w, struct actor *a)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct actor_view *v = a->view;
	struct access_pending p = a->pending;

	if (v && v->store_id) {
		uint64_t end = (v->store_offset + v->store_size - 1) / GRANULE;

		for (uint64_t g = v->store_offset / GRANULE; g <= end; g++) {
			struct history *h = history_find(gm, g);

			for (uint32_t i = h ? h->count : 0; i-- > 0;)
				if (h->m[i].id == v->store_id) {
					h->m[i].value = granule_value(gm, g);
					break;
				}
		}
		v->store_id = 0;
	}
	access_emit_pending(w, a);
	if (p.restore)
		memcpy(gm->base + p.offset, p.saved, p.restore);
	a->pending.restore = 0;
}

static void
weak_sync(struct world *w, bool at_once)
{
	memory_settle(w, w->current);
	full_barrier(w, w->current);
}

static void
weak_woke(struct world *w, struct actor *by, struct actor *a)
{
	struct actor_view *from = view_of(w, by), *to = view_of(w, a);

	memory_settle(w, by);
	full_barrier(w, by);
	if (to->all_version == from->all_version && !to->moved)
		return; /* it knows what the world knows */
	view_join(w, &to->cur, from->cur);
	view_join(w, &to->acq, from->cur);
	to->moved = true;
}

static void
weak_hold(struct world *w, struct actor *a)
{
	struct weak *weak = ((struct gm *)w->room[ROOM_MEMORY])->weak;

	if (view_of(w, a)->moved) {
		view_join(w, &weak->all, view_of(w, a)->cur);
		weak->all_version++;
	}
}

static void
weak_nothing(struct world *w, struct actor *a)
{
}

const struct memory_ops weak_ops = {
	.settle = weak_settle,
	.leave = weak_settle,
	.arrive = weak_nothing,
	.sync = weak_sync,
	.woke = weak_woke,
	.hold = weak_hold,
};

/* --- loads ---------------------------------------------------------------------------------- */

/* @v reads message @m of @h. */
static void
view_reads(struct world *w, struct actor_view *v, const struct history *h, const struct message *m,
	   bool acquire)
{
	v->moved = true;
	view_raise(w, &v->cur, h->number, m->stamp);
	view_raise(w, &v->acq, h->number, m->stamp);
	view_join(w, &v->acq, m->brings);
	if (acquire)
		view_join(w, &v->cur, m->brings);
	if (m->orders)
		race_read(w, m->orders, acquire);
}

/* Put what the load is to see in place; what memory holds is put back when it is settled. */
static void
show_stale(const struct gm *gm, struct actor *a, uint64_t offset, uint32_t size, uint64_t g,
	   uint16_t value)
{
	if (!a->pending.restore) {
		a->pending.offset = offset;
		a->pending.restore = (uint8_t)size;
		memcpy(a->pending.saved, gm->base + offset, size);
		a->memory |= ACTOR_PENDING;
	}
	for (uint32_t i = 0; i < GRANULE; i++)
		if (g * GRANULE + i - offset < size)
			gm->base[g * GRANULE + i] = (char)(value >> (8 * i));
}

/* The last granule up to @end that offers the same stores as @g does: they are one location. */
static uint64_t
group_end(const struct gm *gm, const struct actor_view *v, uint64_t g, uint64_t end)
{
	const struct history *first = history_find(gm, g), *next;

	while (g < end && (next = history_find(gm, g + 1)) && history_same(first, next, v->cur))
		g++;
	return g;
}

static uint32_t
weak_load(struct world *w, uint64_t offset, uint32_t size, uint32_t how)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct actor *a = w->current;
	struct actor_view *v = view_of(w, a);
	uint64_t end = (offset + size - 1) / GRANULE, last;
	bool acquire = how & ACCESS_ACQUIRE || gm->weak->order_loads;
	bool newest = (how & ACCESS_KIND_MASK) != ACCESS_LOAD || size > ACCESS_BYTES_MAX;
	uint32_t flags = 0;

	for (uint64_t g = offset / GRANULE; g <= end; g = last + 1) {
		struct history *h = history_find(gm, g);
		uint32_t pick = 0;

		last = g;
		if (!h)
			continue;
		last = group_end(gm, v, g, end);
		if (!newest)
			pick = world_choose(w, h->count - history_floor(h, v->cur), CHOICE_LOAD);
		for (; g <= last; g++) {
			const struct message *m;

			h = history_find(gm, g);
			m = &h->m[h->count - 1 - pick];
			if (pick) {
				flags = ACCESS_STALE;
				show_stale(gm, a, offset, size, g, m->value);
			}
			view_reads(w, v, h, m, acquire);
		}
	}
	return flags;
}

/* --- stores --------------------------------------------------------------------------------- */

/*
 * How many places for a store there are: behind the newest, and before it what the actor does not
 * know of, newest first.  All granules of the store must offer the same.
 */
static uint32_t
store_places(struct world *w, uint64_t offset, uint32_t size, const struct actor_view *v)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	uint64_t g = offset / GRANULE, end = (offset + size - 1) / GRANULE;
	struct history *h = history_of(w, gm, g);
	uint32_t places = 1, at = h->count - 1;

	for (uint64_t i = g + 1; i <= end; i++)
		history_of(w, gm, i);
	if (offset % GRANULE || size % GRANULE || group_end(gm, v, g, end) != end)
		return 1;
	for (; at > history_floor(h, v->cur) && !h->m[at].tight; at--, places++)
		if (h->m[at].stamp - h->m[at - 1].stamp < 2)
			break;
	return places;
}

static uint32_t
weak_store(struct world *w, uint64_t offset, uint32_t size, uint32_t how)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct actor *a = w->current;
	struct actor_view *v = view_of(w, a);
	uint64_t first = offset / GRANULE, end = (offset + size - 1) / GRANULE;
	bool rmw = (how & ACCESS_KIND_MASK) == ACCESS_RMW;
	const struct view *brings = v->rel;
	uint32_t pick = rmw ? 0 : world_choose(w, store_places(w, offset, size, v), CHOICE_STORE);
	uint32_t id = ++gm->weak->last_id;

	v->moved = true;
	for (uint64_t g = first; g <= end; g++) {
		struct history *h = history_of(w, gm, g);
		struct message *m = history_insert(w, h, h->count - pick);

		m->id = id;
		m->tight = rmw;
		view_raise(w, &v->cur, h->number, m->stamp);
		view_raise(w, &v->acq, h->number, m->stamp);
	}
	if (how & ACCESS_RELEASE)
		brings = view_snapshot(w, v->cur);
	for (uint64_t g = first; g <= end; g++) {
		struct history *h = history_of(w, gm, g);
		struct message *m = &h->m[h->count - 1 - pick];

		m->brings = brings;
		if (__builtin_expect(gm->races != NULL, 0))
			m->orders = race_brings(w, how, m[-1].orders);
		/* A release sequence goes on through a read-modify-write. */
		if (rmw && m[-1].brings) {
			struct view *both = NULL;

			view_join(w, &both, brings);
			view_join(w, &both, m[-1].brings);
			m->brings = both;
		}
	}
	v->store_id = id;
	v->store_offset = offset;
	v->store_size = size;
	a->memory |= ACTOR_PENDING;
	if (!pick)
		return 0;
	/* Overwritten already: nobody but those who look back sees it. */
	a->pending.offset = offset;
	a->pending.restore = (uint8_t)size;
	memcpy(a->pending.saved, gm->base + offset, size);
	return ACCESS_LATE;
}

/* A range: what is tracked of it gets a newest store; nobody sees older values of the rest. */
static void
store_newest(struct world *w, struct actor *a, uint64_t offset, uint64_t size)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct actor_view *v = a ? view_of(w, a) : NULL;
	const struct view *brings = v ? view_snapshot(w, v->cur) : NULL;
	uint32_t id = ++gm->weak->last_id;

	for (uint64_t g = offset / GRANULE; g <= (offset + size - 1) / GRANULE; g++) {
		struct history *h = history_find(gm, g);
		struct message *m;

		if (!h)
			continue;
		m = history_insert(w, h, h->count);
		m->id = id;
		m->brings = brings;
		m->value = granule_value(gm, g);
		if (v) {
			v->moved = true;
			view_raise(w, &v->cur, h->number, m->stamp);
			view_raise(w, &v->acq, h->number, m->stamp);
		}
	}
	if (!v)
		return;
	v->store_id = id;
	v->store_offset = offset;
	v->store_size = (uint32_t)size;
	a->memory |= ACTOR_PENDING;
}

void
weak_model_write(struct world *w, uint64_t gpa, uint64_t len)
{
	struct actor *a = w->in_setup ? NULL : w->current;

	if (!len)
		return;
	if (a)
		memory_settle(w, a);
	store_newest(w, a, gpa, len);
}

uint32_t
weak_access(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site)
{
	struct actor *a = w->current;
	uint32_t flags = 0;

	actor_access_point(w);
	access_tell_watch(w, offset, size, how, WATCH_CHOICE);
	if (how & ACCESS_SEQ_CST)
		full_barrier(w, a);
	if ((how & ACCESS_KIND_MASK) != ACCESS_STORE)
		flags = weak_load(w, offset, size, how);
	/* Of a load, when it is recorded. */
	if (__builtin_expect(((struct gm *)w->room[ROOM_MEMORY])->races != NULL, 0) &&
	    (how & ACCESS_KIND_MASK) != ACCESS_LOAD)
		race_access(w, offset, size, how, site);
	if ((how & ACCESS_KIND_MASK) != ACCESS_LOAD) {
		if (size <= ACCESS_BYTES_MAX)
			flags |= weak_store(w, offset, size, how);
		else
			store_newest(w, a, offset, size);
	}
	/* Of a store, when it is made: access_full_barrier(). */
	if (how & ACCESS_SEQ_CST && (how & ACCESS_KIND_MASK) == ACCESS_RMW)
		full_barrier(w, a);
	return flags;
}
