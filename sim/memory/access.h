/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared accesses of instrumented code, under sequential consistency: each takes effect at once.
 *
 * The compiler calls a hook *before* each load, store and atomic of code built with
 *-fsanitize=thread. A hook outside guest RAM returns after two comparisons.  Inside, it is
 *	1. a choice point: other actors may go first;
 *	2. folded into the digest: who, where, how wide, load or store;
 *	3. when the run is recorded, an EV_LOAD or EV_STORE event with the value.  The value of a
 *store is known only once the compiled code has made it: it is kept as pending and settled at the
 *	   actor's next hook, point, event or block.
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

/* ORDER ACCESS */
enum access_kind { ACCESS_LOAD, ACCESS_STORE, ACCESS_RMW };

/* An access of the running actor to shared memory at @offset from its base; @site: the caller's
 * place. */
void
access_shared(struct world *w, uint64_t offset, uint32_t size, enum access_kind kind,
	      const void *site);

/* Emit the actor's pending store, if there is one. */
void
access_settle(struct world *w, struct actor *a);

/* What the barriers of datapath/barrier.h call; @kind: ORDER FENCE. */
void
ringside_fence(int kind);

/* A place in code, independent of where the program was loaded: bytes from the start of its image.
 */
int64_t
access_site(const void *site);

#endif
