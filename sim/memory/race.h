/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data races in guest memory, by happens-before.
 *
 * Two accesses race if they share a byte, at least one stores, at least one is plain, different
 * actors make them, and nothing orders one before the other.  A marked access (READ_ONCE(),
 * WRITE_ONCE(), an atomic) does not race with another marked one.  What orders is what the code and
 * the models do, not how the run happened to go: a race is found in a schedule in which nothing
 * went wrong, under each memory model, sc included.
 *
 *	program order       of one actor
 *	release → acquire   a release store, or any store after a release fence, smp_wmb() or
 *	                    smp_mb(); and a load of the value it stored that is an acquire, or has
 *	                    an acquire fence, smp_rmb() or smp_mb() between itself and the access.
 *	                    The value read is memory's; under weak that of the store the load saw.
 *	                    A read-modify-write passes on what it reads.
 *	waking, creating    what the one who wakes did comes before what the woken does
 *	holding, releasing  a CPU's tasks and its interrupt handlers follow each other
 *	timers              arming comes before firing; callbacks are one actor, number 0
 *	objects             race_release(), race_acquire(): locks, eventfds, work lists, vCPUs; to
 *	                    wake a wait queue, even an empty one, releases it
 *
 * Full barriers alone order nothing: as in C11, two of them order the accesses around them only
 * where a load between them sees a store.  Simpler than Linux's model, and what follows: smp_wmb()
 * orders loads before it, too, and smp_rmb() stores behind it, so that less is reported; address,
 * data and control dependencies order nothing, so that code which relies on one is reported.
 *
 * Whether bytes are contents or the words that two sides synchronise through is known better than
 * the code says: see gm_region_roles().
 *
 * A shadow of 8-byte cells, made where memory is touched, keeps the accesses that a later one could
 * still race with: at most four a byte and actor.  All of it is in the arena.  Beyond RACE_SLOTS
 * actors that access guest memory, several share one clock and do not race with each other.
 *
 * Strategies that keep worlds apart by their hash keep those apart in which other things were
 * ordered, too: `states` finds fewer of them equal.
 *
 * Off, an access costs one branch more.  On, one costs 50 to 100 ns more.
 */
#ifndef RINGSIDE_MEMORY_RACE_H
#define RINGSIDE_MEMORY_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct actor;
struct world;

/* Clocks are this long at most: 1 KiB, up to three an actor. */
#define RACE_SLOTS LIMIT(256u, 16u)

struct race_access {
	const struct actor *actor; /* null: a callback */
	const void *site; /* access_site() */
	uint64_t offset; /* in guest memory: the gpa */
	uint32_t size;
	uint32_t how; /* a kind and flags: ORDER ACCESS */
};

struct race {
	uint64_t offset; /* the first byte of both */
	struct race_access first,
		second; /* in the order of the run; the second is about to be made */
};

/* A pair of places is told once a run, 64 of them. May stop the run. */
typedef void (*race_fn)(struct world *w, const struct race *r, void *context);

/* Look for races from now on. After gm_create(), before the world's snapshot. */
void
race_detect(struct world *w);
bool
race_detecting(const struct world *w);

/* Whom to tell; one a world. Without, a race is only counted. Kept until race_detect(). */
void
race_on_found(struct world *w, race_fn fn, void *context);
uint64_t
race_count(const struct world *w);

/*
 * For what the models synchronise through.  What the running actor did comes before whatever an
 * actor does that acquires the object later.  @object: an address, never looked at.  No-ops while
 * races are not looked for, and in set-up.
 */
void
race_release(struct world *w, const void *object);
void
race_acquire(struct world *w, const void *object);
/* Both: an operation that looks and changes. */
void
race_sync(struct world *w, const void *object);

#endif
