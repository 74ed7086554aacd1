/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest kernel's page allocator, as small as a balloon needs it: a range of page frames, each in
 * one place at a time.
 *
 *	FREE ◀──▶ USED            guest_page_alloc(), guest_page_free()
 *	  ▲─────▶ BALLOON         inflated: the host may have taken what it held
 *	  ▲─────▶ HINTED          given to the host as a hint, kept by the driver
 *	  ▲─────▶ REPORTED        isolated while it is reported
 *
 * The first 8 bytes of a page stand for its content.  With poisoning a page is filled when it is
 * freed, and looked at when it is allocated (mm/page_poison.c): one that holds something else was
 * changed while nobody owned it, which is an event and counted.
 *
 * The frame freed last is given out first.  When none is free the shrinkers are asked in the order
 * of their registration; an allocation fails when none of them has helped.
 *
 * Writes go through gm_write(), so that dirty logs see them.  Memory: the world's.
 */
#ifndef RINGSIDE_GUEST_PAGE_ALLOC_H
#define RINGSIDE_GUEST_PAGE_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/cpu.h"

#define GUEST_PAGE_BYTES 4096u
#define GUEST_NO_PAGE UINT64_MAX
#define GUEST_PAGES_MAX 65536u /* 256 MiB; 4 bytes each beside the RAM itself */

/* ORDER GUEST_PAGE_STATE */
enum guest_page_state {
	GUEST_PAGE_FREE,
	GUEST_PAGE_USED,
	GUEST_PAGE_BALLOON,
	GUEST_PAGE_HINTED,
	GUEST_PAGE_REPORTED,
	GUEST_PAGE_STATES
};
extern const char *const guest_page_state_name[GUEST_PAGE_STATES];

/* Frees some pages if it can: whether it did. By the task that needs one; may wait. */
struct guest_shrinker {
	bool (*shrink)(struct guest_shrinker *s, struct guest_cpu *cpu);
	void *arg;
	struct guest_shrinker *next;
};

struct guest_pages {
	struct world *w;
	uint64_t first; /* gfn */
	uint32_t count;
	uint8_t *state; /* enum guest_page_state of each */
	uint32_t *stack; /* free ones, numbered from 0 */
	uint32_t free;
	bool poisoning;
	uint64_t poison; /* of 8 bytes */
	struct guest_shrinker *shrinkers;
	int64_t state_name[GUEST_PAGE_STATES];
	uint64_t poison_errors, failed; /* wrong content found; allocations that failed */
};

/* @count frames of guest RAM; with @poisoning each free one is filled with @poison_val. */
struct guest_pages *
guest_pages_create(struct world *w, uint32_t count, bool poisoning, uint32_t poison_val);
void
guest_pages_add_shrinker(struct guest_pages *p, struct guest_shrinker *s);

/* A frame for @state, from the free list alone: GUEST_NO_PAGE if it is empty. */
uint64_t
guest_page_take(struct guest_pages *p, enum guest_page_state state);
/*
 * Same for an aligned block of 1 << @order frames, the lowest that is free as a whole: its first
 * frame.  Alignment counts from the first frame of the range.  O(count).
 */
uint64_t
guest_block_take(struct guest_pages *p, enum guest_page_state state, unsigned order);
/* Same for a user, who makes the shrinkers work for it. */
uint64_t
guest_page_alloc(struct guest_pages *p, struct guest_cpu *cpu);
/* @gfn goes back, from whatever state it is in but FREE. */
void
guest_page_free(struct guest_pages *p, uint64_t gfn);

void
guest_block_free(struct guest_pages *p, uint64_t gfn, unsigned order);

enum guest_page_state
guest_page_state(const struct guest_pages *p, uint64_t gfn);
static inline bool
guest_pages_has(const struct guest_pages *p, uint64_t gfn)
{
	return gfn - p->first < p->count;
}

/* A user's access to a page it has; a point. */
void
guest_page_write(struct guest_pages *p, uint64_t gfn, uint64_t value);
uint64_t
guest_page_read(const struct guest_pages *p, uint64_t gfn);

#endif
