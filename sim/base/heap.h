/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A priority queue of timed entries: smallest time first, equal times in the order of insertion
 * (a sequence number decides, so the order is total and independent of the heap's shape).
 *
 * A 4-ary heap of 16-byte nodes: four siblings are one cache line, and the height at 100,000
 * entries is nine.  Each entry has a slot that knows the entry's place in the heap, which is what
 * makes heap_remove() O(log n) instead of a search.  A handle is slot and generation: a handle to
 * an entry that has been popped or removed is recognised and refused.
 *
 * Popping leaves a hole at the root.  What is popped in a simulation mostly pushes something again,
 * and that fills the hole: one walk through the heap instead of two.  Every other operation closes
 * it first.
 *
 * Memory comes from an arena and grows by doubling; the caller passes the arena each time, so that
 * the structure holds nothing but itself.
 */
#ifndef RINGSIDE_BASE_HEAP_H
#define RINGSIDE_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct arena;

#define HEAP_SLOT_BITS 24 /* 16.7 million pending entries; 2^40 insertions in a world's life */

struct heap_node {
	int64_t time;
	uint64_t key; /* insertion's number << HEAP_SLOT_BITS | slot */
};

struct heap_slot {
	uint32_t index; /* place in the heap, or the next free slot */
	uint32_t generation; /* odd while in use */
	void *fn; /* the two words the caller stores with an entry */
	void *arg;
};

/*
 * Told of an entry that moves up to the second row below the front, and again, with @next, when it
 * is in the first: memory can fetch meanwhile what it will need.  A hint: what is pushed straight
 * to the front is not told of, and what is told of may wait for long.
 */
typedef void (*heap_near_fn)(void *fn, void *arg, bool next);

struct heap {
	heap_near_fn near; /* null: nobody */
	struct heap_node
		*node; /* in `block`, so that the siblings 4i + 1 … 4i + 4 share a cache line */
	void *block;
	struct heap_slot *slot;
	uint32_t count; /* entries, not counting the hole */
	bool hole; /* the root is empty; count + 1 places are used */
	uint32_t capacity;
	uint32_t free_slot; /* head of the free list, HEAP_NONE if empty */
	uint32_t slots; /* slots ever used */
	uint64_t seq;
};

#define HEAP_NONE UINT32_MAX

/* Names an entry; {0} never names one. */
struct heap_handle {
	uint32_t slot;
	uint32_t generation;
};

struct heap_entry {
	int64_t time;
	void *fn;
	void *arg;
};

void
heap_init(struct heap *h);

/* Returns false if the arena is full. O(log n). */
bool
heap_push(struct heap *h, struct arena *arena, int64_t time, void *fn, void *arg,
	  struct heap_handle *handle);

/* Remove the first entry; false if there is none. O(log n). */
bool
heap_pop(struct heap *h, struct heap_entry *out);

/* Remove the first entry if no other has its time; false otherwise. O(log n). */
bool
heap_pop_single(struct heap *h, struct heap_entry *out);

/* Remove the entry that @handle names; false if it is gone already. O(log n). */
bool
heap_remove(struct heap *h, struct heap_handle handle);

/* Fill the hole with the last entry. */
void
heap_close(struct heap *h);

/* Time of the first entry; the heap must not be empty. */
static inline int64_t
heap_first_time(struct heap *h)
{
	if (h->hole)
		heap_close(h);
	return h->node[0].time;
}

#endif
