/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The race detector: accesses, and the shadow of memory.
 *
 * A cell keeps records of accesses.  A new access drops each record that it is ordered after and
 * that can race with nothing it could not race with itself (a load where it stores, a marked access
 * where it is plain); so a byte has at most one record for each of the four kinds and slot.
 */
#include <string.h>

#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/access.h"
#include "memory/gm_impl.h"
#include "memory/race_impl.h"

#define PAGE_CELLS (ARENA_PAGE / RACE_CELL)

static struct races *
races_of(const struct world *w)
{
	return ((const struct gm *)w->room[ROOM_MEMORY])->races;
}

/* --- cells ---------------------------------------------------------------------------------- */

static void
learn_roles(const struct world *w, struct race_cell *cell, uint64_t offset)
{
	cell->roles_known = true;
	cell->words = cell->contents = 0;
	for (unsigned i = 0; i < RACE_CELL; i++) {
		enum gm_role role = gm_role_of(w, offset + i);

		if (role == GM_WORD)
			cell->words |= (uint8_t)(1u << i);
		else if (role == GM_CONTENT)
			cell->contents |= (uint8_t)(1u << i);
	}
}

/* Of the 8 bytes at @offset, a multiple of 8. */
static struct race_cell *
cell_at(struct world *w, struct races *r, uint64_t offset)
{
	struct race_cell **page = &r->page[offset / ARENA_PAGE], *cell;

	if (!*page)
		*page = world_alloc(w, PAGE_CELLS * sizeof(**page));
	cell = &(*page)[offset % ARENA_PAGE / RACE_CELL];
	if (!cell->roles_known)
		learn_roles(w, cell, offset);
	return cell;
}

void
race_forget_roles(struct world *w, uint64_t offset, uint64_t size)
{
	struct races *r = races_of(w);
	uint64_t end = offset + size;

	for (uint64_t at = offset & ~(uint64_t)(RACE_CELL - 1); r && at < end; at += RACE_CELL) {
		struct race_cell *page = r->page[at / ARENA_PAGE];

		if (page)
			page[at % ARENA_PAGE / RACE_CELL].roles_known = false;
	}
}

/* Room for one more in an array of the arena. */
static void *
grown(struct world *w, void *array, uint16_t count, uint16_t *capacity, size_t size)
{
	uint16_t was = *capacity;
	void *to;

	if (count < was)
		return array;
	must(was <= UINT16_MAX / 2);
	*capacity = was ? (uint16_t)(was * 2) : 2;
	to = world_alloc(w, *capacity * size);
	if (was) {
		memcpy(to, array, was * size);
		world_free(w, array, was * size);
	}
	return to;
}

/* The bytes of [offset, end) in the cell at @at. */
static uint8_t
mask_of(uint64_t at, uint64_t offset, uint64_t end)
{
	unsigned from = offset > at ? (unsigned)(offset - at) : 0;
	unsigned to = end < at + RACE_CELL ? (unsigned)(end - at) : RACE_CELL;

	return (uint8_t)((1u << to) - (1u << from));
}

/* --- what stores bring along ---------------------------------------------------------------- */

static void
cell_bring(struct world *w, struct race_cell *cell, uint8_t mask, struct race_clock *brings)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < cell->messages; i++) {
		struct race_message m = cell->message[i];

		m.mask &= (uint8_t)~mask;
		if (m.mask)
			cell->message[kept++] = m;
		else
			race_clock_put(w, m.brings);
	}
	cell->messages = kept;
	if (!brings)
		return;
	cell->message =
		grown(w, cell->message, kept, &cell->messages_capacity, sizeof(*cell->message));
	cell->message[cell->messages++] = (struct race_message){ race_clock_share(brings), mask };
}

static void
bring(struct world *w, struct races *r, uint64_t offset, uint64_t size, struct race_clock *brings)
{
	uint64_t end = offset + size;

	for (uint64_t at = offset & ~(uint64_t)(RACE_CELL - 1); at < end; at += RACE_CELL)
		cell_bring(w, cell_at(w, r, at), mask_of(at, offset, end), brings);
}

void
race_read(struct world *w, struct race_clock *brings, bool acquire)
{
	struct race_actor *a = race_actor_of(w, races_of(w), w->current);

	race_clock_join(w, &a->read, brings);
	if (acquire)
		race_clock_join(w, &a->now, brings);
}

/* A load: what the last stores to its bytes had brought along. Returns that of all of them. */
static struct race_clock *
read_cells(struct world *w, struct races *r, uint64_t offset, uint64_t size, bool acquire)
{
	uint64_t end = offset + size;
	struct race_clock *all = NULL;

	for (uint64_t at = offset & ~(uint64_t)(RACE_CELL - 1); at < end; at += RACE_CELL) {
		const struct race_cell *cell = cell_at(w, r, at);
		uint8_t mask = mask_of(at, offset, end);

		for (uint16_t i = 0; i < cell->messages; i++) {
			if (!(cell->message[i].mask & mask))
				continue;
			race_read(w, cell->message[i].brings, acquire);
			race_clock_join(w, &all, cell->message[i].brings);
		}
	}
	return all;
}

struct race_clock *
race_brings(struct world *w, uint32_t how, struct race_clock *read)
{
	struct races *r = races_of(w);
	struct race_actor *a = race_actor_of(w, r, w->current);
	struct race_clock *brings =
		how & ACCESS_RELEASE ? race_so_far(w, r, a) : race_clock_share(a->fenced);

	if ((how & ACCESS_KIND_MASK) == ACCESS_RMW)
		race_clock_join(w, &brings, read);
	return brings;
}

static void
buffer(struct world *w, struct race_actor *a, uint64_t offset, uint32_t size,
       struct race_clock *brings)
{
	if (a->buffer_count == a->buffer_capacity) {
		uint32_t capacity = a->buffer_capacity ? a->buffer_capacity * 2 : 4;
		struct race_buffered *to = world_alloc(w, capacity * sizeof(*to));

		for (uint32_t i = 0; i < a->buffer_count; i++)
			to[i] = a->buffer[(a->buffer_first + i) % a->buffer_capacity];
		if (a->buffer)
			world_free(w, a->buffer, a->buffer_capacity * sizeof(*to));
		a->buffer = to;
		a->buffer_first = 0;
		a->buffer_capacity = capacity;
	}
	a->buffer[(a->buffer_first + a->buffer_count++) % a->buffer_capacity] =
		(struct race_buffered){ offset, size, brings };
}

void
race_flushed(struct world *w, struct actor *a)
{
	struct races *r = races_of(w);
	struct race_actor *of = race_actor_of(w, r, a);
	struct race_buffered b;

	if (!of->buffer_count)
		return; /* it was buffered before races were looked for */
	b = of->buffer[of->buffer_first];
	of->buffer_count--;
	of->buffer_first = of->buffer_count ? (of->buffer_first + 1) % of->buffer_capacity : 0;
	bring(w, r, b.offset, b.size, b.brings);
	race_clock_put(w, b.brings);
}

/* --- races ---------------------------------------------------------------------------------- */

static struct race_access
access_of(const struct race_record *record)
{
	return (struct race_access){ record->actor, record->site, record->offset, record->size,
				     record->how };
}

static void
found(struct world *w, struct races *r, uint64_t at, const struct race_record *old,
      const struct race_record *new)
{
	struct race race = { .first = access_of(old), .second = access_of(new) };

	for (uint32_t i = 0; i < r->pairs; i++)
		if (r->pair[i].first == old->site && r->pair[i].second == new->site)
			return;
	r->count++;
	if (r->pairs == RACE_PAIRS)
		return; /* whoever was told of so many has heard enough */
	r->pair[r->pairs].first = old->site;
	r->pair[r->pairs++].second = new->site;
	race.offset = at + (unsigned)__builtin_ctz(old->mask & new->mask);
	if (r->found)
		r->found(w, &race, r->context);
}

static inline bool
stores(const struct race_record *record)
{
	return (record->how & ACCESS_KIND_MASK) != ACCESS_LOAD;
}

static void
cell_access(struct world *w, struct races *r, uint64_t at, struct race_cell *cell,
	    const struct race_record *new, const struct race_clock *now)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < cell->records; i++) {
		struct race_record *old = &cell->record[i];
		bool before =
			old->slot == new->slot || old->epoch <= race_clock_get(now, old->slot);

		if (old->mask & new->mask) {
			if (!before && (stores(old) || stores(new)) && (old->plain || new->plain))
				found(w, r, at, old, new);
			if (before && (stores(new) || !stores(old)) && (new->plain || !old->plain))
				old->mask &= (uint8_t) ~new->mask;
		}
		if (old->mask)
			cell->record[kept++] = *old;
	}
	cell->records = kept;
	cell->record = grown(w, cell->record, kept, &cell->records_capacity, sizeof(*cell->record));
	cell->record[cell->records++] = *new;
}

/*
 * Some bytes of an access may be plain and others not: words that two sides synchronise through
 * are, as long as a processor accesses them at once, and contents are not, however careful the
 * access is.
 */
static void
record(struct world *w, struct races *r, uint64_t offset, uint64_t size, uint32_t how,
       const void *site)
{
	struct race_actor *a = race_actor_of(w, r, w->current);
	uint16_t slot = race_slot_of(r, a);
	uint64_t end = offset + size;
	bool plain = !(how & (ACCESS_ONCE | ACCESS_ATOMIC));
	bool at_once = size <= 8 && !(size & (size - 1)) && !(offset & (size - 1));
	struct race_record new = {
		.site = site,
		.actor = w->current,
		.offset = offset,
		.size = (uint32_t)size,
		.how = how,
		.epoch = r->epoch[slot],
		.slot = slot,
	};

	a->accessed = true;
	for (uint64_t at = offset & ~(uint64_t)(RACE_CELL - 1); at < end; at += RACE_CELL) {
		struct race_cell *cell = cell_at(w, r, at);
		uint8_t mask = mask_of(at, offset, end), as_plain;

		as_plain = plain ? (uint8_t)(mask & ~(at_once ? cell->words : 0))
				 : (uint8_t)(mask & cell->contents);
		if ((new.mask = as_plain)) {
			new.plain = true;
			cell_access(w, r, at, cell, &new, a->now);
		}
		if ((new.mask = (uint8_t)(mask & ~as_plain))) {
			new.plain = false;
			cell_access(w, r, at, cell, &new, a->now);
		}
	}
}

/* --- accesses ------------------------------------------------------------------------------- */

void
race_access(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct races *r = gm->races;
	enum access_kind kind = how & ACCESS_KIND_MASK;
	bool full = kind == ACCESS_RMW && how & ACCESS_SEQ_CST;
	struct race_clock *read = NULL, *brings;

	/* A callback has no barriers: its step is one. */
	if (!w->current)
		how |= ACCESS_ACQUIRE | ACCESS_RELEASE;
	if (kind != ACCESS_STORE && gm->model != MEMORY_WEAK)
		read = read_cells(w, r, offset, size, how & ACCESS_ACQUIRE);
	if (full)
		race_fence(w, FENCE_MB);
	record(w, r, offset, size, how, site);
	if (kind != ACCESS_LOAD && gm->model != MEMORY_WEAK) {
		brings = race_brings(w, how, read);
		if (how & ACCESS_BUFFERED) {
			buffer(w, race_actor_of(w, r, w->current), offset, size, brings);
		} else {
			bring(w, r, offset, size, brings);
			race_clock_put(w, brings);
		}
	}
	race_clock_put(w, read);
	if (full)
		race_fence(w, FENCE_MB);
}

void
race_touch(struct world *w, uint64_t offset, uint64_t size, bool store, const void *site)
{
	struct races *r = races_of(w);

	if (w->in_setup || !size)
		return;
	record(w, r, offset, size, store ? ACCESS_STORE : ACCESS_LOAD, site);
	if (store)
		bring(w, r, offset, size, NULL);
}
