/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A priority queue of timed entries: smallest time first, equal times in the order of insertion
 * (a sequence number decides, so the order is total and independent of the heap's shape).
 *
 * A 4-ary heap of 24-byte nodes: one level of four children is 96 bytes, and the height at 100,000
 * entries is nine.  Each entry has a slot that knows the entry's place in the heap, which is what
 * makes heap_remove() O(log n) instead of a search.  A handle is slot and generation: a handle to an
 * entry that has been popped or removed is recognised and refused.
 *
 * Memory comes from an arena and grows by doubling; the caller passes the arena each time, so that
 * the structure holds nothing but itself.
 */
#ifndef RINGSIDE_BASE_HEAP_H
#define RINGSIDE_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct arena;

struct heap_node {
	int64_t time;
	uint64_t seq;
	uint32_t slot;
	uint32_t unused;
};

struct heap_slot {
	uint32_t index; /* place in the heap, or the next free slot */
	uint32_t generation; /* odd while in use */
	void *fn; /* the two words the caller stores with an entry */
	void *arg;
};

struct heap {
	struct heap_node *node;
	struct heap_slot *slot;
	uint32_t count;
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

/* Time of the first entry; the heap must not be empty. */
static inline int64_t
heap_first_time(const struct heap *h)
{
	return h->node[0].time;
}

#endif
