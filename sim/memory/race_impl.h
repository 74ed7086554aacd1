/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the race detector; for the files of sim/memory/ only. */
#ifndef RINGSIDE_MEMORY_RACE_IMPL_H
#define RINGSIDE_MEMORY_RACE_IMPL_H

#include "memory/race.h"

#define RACE_SLOT_NONE UINT16_MAX
#define RACE_CELL 8u /* bytes */
#define RACE_PAIRS 64u /* of places that were reported */

/*
 * A vector clock: t[s] is the last epoch of slot s that is before.  Shared by counting, and then
 * not changed any more.
 */
struct race_clock {
	uint32_t refs, count;
	uint32_t t[];
};

/* A store that is in its actor's buffer: what it will bring along. */
struct race_buffered {
	uint64_t offset;
	uint32_t size;
	struct race_clock *brings;
};

struct race_actor {
	struct race_clock *now; /* what is before */
	struct race_clock *read; /* what is, after an acquire fence */
	struct race_clock *fenced; /* what stores bring along since the last release fence */
	struct race_buffered *buffer; /* a ring */
	uint32_t buffer_first, buffer_count, buffer_capacity;
	uint16_t slot; /* RACE_SLOT_NONE: no access of it can race */
	bool accessed; /* since its clock was last passed on */
};

struct race_record {
	const void *site;
	const struct actor *actor;
	uint64_t offset;
	uint32_t size, how;
	uint32_t epoch;
	uint16_t slot;
	uint8_t mask; /* bytes of the cell */
	bool plain;
};

/* What the last store to some bytes of a cell brought along. */
struct race_message {
	struct race_clock *brings;
	uint8_t mask;
};

struct race_cell {
	struct race_record *record;
	struct race_message *message;
	uint16_t records, records_capacity, messages, messages_capacity;
	uint8_t words, contents; /* bytes with a role */
	bool roles_known;
};

struct race_object {
	const void *object;
	struct race_clock *clock;
};

struct races {
	struct race_actor callbacks;
	uint32_t epoch[RACE_SLOTS];
	uint32_t slots; /* given out, counting on where they are shared */
	struct race_cell **page; /* [page of guest RAM][cell] */
	struct race_object *object; /* open addressing */
	uint32_t objects, objects_capacity;
	race_fn found;
	void *context;
	uint64_t count;
	struct {
		const void *first, *second;
	} pair[RACE_PAIRS];
	uint32_t pairs;
};

/* --- clocks: race_clock.c --------------------------------------------------------------------- */

static inline uint32_t
race_clock_get(const struct race_clock *c, uint32_t slot)
{
	return c && slot < c->count ? c->t[slot] : 0;
}

static inline struct race_clock *
race_clock_share(struct race_clock *c)
{
	if (c)
		c->refs++;
	return c;
}

void
race_clock_put(struct world *w, struct race_clock *c);
/* *@to becomes the later of both, slot by slot. */
void
race_clock_join(struct world *w, struct race_clock **to, struct race_clock *from);
void
race_clock_set(struct world *w, struct race_clock **to, uint32_t slot, uint32_t epoch);

/* --- actors: race.c --------------------------------------------------------------------------- */

/* @a null: callbacks. */
struct race_actor *
race_actor_of(struct world *w, struct races *r, struct actor *a);
/* All that @a did so far, as a clock with one count for the caller. May be null. */
struct race_clock *
race_so_far(struct world *w, struct races *r, struct race_actor *a);
/* Its slot, which it has from its first access on. */
uint16_t
race_slot_of(struct races *r, struct race_actor *a);

/* --- accesses: race_access.c ------------------------------------------------------------------ */

/*
 * An instrumented access of the running actor, or of a callback, after its point.  Under sc and
 * tso it reads and leaves what stores bring along in the cells; weak.c keeps that in its messages.
 */
void
race_access(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site);
/* A plain access of a model, of any size. */
void
race_touch(struct world *w, uint64_t offset, uint64_t size, bool store, const void *site);
/* The oldest store in the buffer of @a became visible. */
void
race_flushed(struct world *w, struct actor *a);
/* ORDER FENCE */
void
race_fence(struct world *w, int kind);
/* Other bytes may have roles now. */
void
race_forget_roles(struct world *w, uint64_t offset, uint64_t size);

/* weak: the running actor read a store that brought @brings along. */
void
race_read(struct world *w, struct race_clock *brings, bool acquire);
/* weak: what a store of the running actor brings along, with one count for the caller. May be null.
 * @read: what a read-modify-write read. */
struct race_clock *
race_brings(struct world *w, uint32_t how, struct race_clock *read);

#endif
