/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared accesses of instrumented code.
 *
 * The compiler calls a hook *before* each load, store and atomic of code built with
 * -fsanitize=thread.  A hook outside guest RAM returns after two comparisons.  Inside, it is
 *	1. a choice point: other actors may go first;
 *	2. folded into the digest: who, where, how wide, load or store;
 *	3. what the memory model (model.h) makes of it;
 *	4. when the run is recorded, an EV_LOAD or EV_STORE event with the value.
 *
 * The compiled code then makes the access itself.  What is left to be done after that (take the
 * value of a store, put back what a stale load covered) is done at the actor's next hook, point,
 * event or switch: it is settled.
 *
 * The functions the compiler calls (__tsan_read4(), …) are in access_tsan.c.
 */
#ifndef RINGSIDE_MEMORY_ACCESS_H
#define RINGSIDE_MEMORY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct actor;

/* Kinds of barriers. ORDER FENCE: as in datapath/barrier.h, which stands alone, above this room. */
enum fence_kind { FENCE_MB, FENCE_RMB, FENCE_WMB, FENCE_ACQUIRE, FENCE_RELEASE, FENCE_KINDS };
extern const char *const fence_name[FENCE_KINDS]; /* "mb", "rmb", … */

/* What an access is: a kind, and flags beside it. ORDER ACCESS */
enum access_kind { ACCESS_LOAD, ACCESS_STORE, ACCESS_RMW };
#define ACCESS_KIND_MASK 3u

#define ACCESS_ONCE (1u << 2) /* volatile: READ_ONCE(), WRITE_ONCE() */
#define ACCESS_ATOMIC (1u << 3) /* by an __atomic builtin */
#define ACCESS_ACQUIRE (1u << 4)
#define ACCESS_RELEASE (1u << 5)
#define ACCESS_SEQ_CST (1u << 6)
/* What became of it; in events only. */
#define ACCESS_BUFFERED (1u << 7) /* a store that others do not see yet */
#define ACCESS_FORWARDED (1u << 8) /* a load of the actor's own buffered store */
#define ACCESS_STALE (1u << 9) /* a load of an older value than memory holds */
#define ACCESS_LATE (1u << 10) /* a store that another one had overwritten already */

/* Wider accesses are ranges (memcpy(), memset()): no model delays or ages them. */
#define ACCESS_BYTES_MAX 16u

/*
 * An access of the running actor to shared memory at @offset from its base.  @how: a kind and
 * flags.  @site: the caller's place.
 */
void
access_shared(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site);

/*
 * What the barriers of datapath/barrier.h call; @kind: ORDER FENCE.
 */
void
ringside_fence(int kind);

/* Same for a place that the caller knows; of the running actor, in a run. */
void
access_fence(struct world *w, int kind, const void *site);

/* After a sequentially consistent store, of the running actor in a run. */
void
access_full_barrier(struct world *w, const void *site);

/* Whether the barrier of @kind at @site is left out (model.h); @w has guest memory. */
bool
access_ignored_here(const struct world *w, const void *site, int kind);

/* A place in code, independent of where the program was loaded: bytes from the start of its image.
 */
int64_t
access_site(const void *site);

#endif
