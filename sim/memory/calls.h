/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call stacks of actors in instrumented code, while the run is recorded.
 *
 * The compiler calls __tsan_func_entry() and __tsan_func_exit() in each function; what they tell is
 * kept for each actor, and an event of an access carries the number of the stack it happened in.
 * Stacks are numbered in the order in which they are met, from 1; the same stack has the same
 * number for as long as the world lives.
 *
 * All of it is host memory: recording changes nothing in the world.  Not recorded, a call costs
 * three loads and a branch.
 */
#ifndef RINGSIDE_MEMORY_CALLS_H
#define RINGSIDE_MEMORY_CALLS_H

#include <stddef.h>
#include <stdint.h>

struct world;

#define CALLS_DEPTH_MAX \
	24u /* callers beyond it are not kept; they are counted, so that exits match */
#define CALLS_STACKS_MAX UINT16_MAX /* further ones are number 0, none */

/* The running actor entered a function that returns to @caller, and left one. */
void
calls_enter(struct world *w, const void *caller);
void
calls_leave(struct world *w);

/* Call sites (site.h) of stack @number, the innermost first; returns how many, at most @max. */
size_t
calls_sites(const struct world *w, uint16_t number, int64_t *site, size_t max);

#endif
