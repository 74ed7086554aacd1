/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/heap.h"

#include <string.h>

#include "base/arena.h"
#include "base/must.h"

#define HEAP_FIRST_CAPACITY 16u
#define ARITY 4u
#define NEAR (ARITY + ARITY * ARITY) /* the last place in the second row below the root */

void
heap_init(struct heap *h)
{
	memset(h, 0, sizeof(*h));
	h->free_slot = HEAP_NONE;
}

static inline bool
node_before(const struct heap_node *a, const struct heap_node *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	return a->key < b->key;
}

static inline uint32_t
slot_of(const struct heap_node *n)
{
	return (uint32_t)n->key & ((1u << HEAP_SLOT_BITS) - 1);
}

static inline void
place(struct heap *h, uint32_t index, const struct heap_node *node)
{
	h->node[index] = *node;
	h->slot[slot_of(node)].index = index;
}

static void
sift_up(struct heap *h, uint32_t index, struct heap_node node)
{
	while (index > 0) {
		uint32_t parent = (index - 1) / ARITY;

		if (!node_before(&node, &h->node[parent]))
			break;
		place(h, index, &h->node[parent]);
		index = parent;
	}
	place(h, index, &node);
}

static void
tell_near(const struct heap *h, uint32_t index)
{
	const struct heap_slot *slot = &h->slot[slot_of(&h->node[index])];

	h->near(slot->fn, slot->arg, index <= ARITY);
}

/* Where there are none, too: an address alone is no access. */
static inline void
children_fetch(const struct heap *h, uint32_t index)
{
	size_t offset = ((size_t)index * ARITY + 1) * sizeof(*h->node);

	__builtin_prefetch((const void *)((uintptr_t)h->node + offset));
}

/*
 * @places: how many places of the heap are in use.  Which way the walk goes on is known when all
 * four children are read: memory fetches the lines of all their children meanwhile.
 */
static void
sift_down(struct heap *h, uint32_t index, struct heap_node node, uint32_t places)
{
	for (;;) {
		uint32_t first = index * ARITY + 1, best = first;
		uint32_t end = first + ARITY < places ? first + ARITY : places;

		if (first >= places)
			break;
		for (uint32_t i = 0; i < ARITY; i++)
			children_fetch(h, first + i);
		for (uint32_t i = first + 1; i < end; i++)
			best = node_before(&h->node[i], &h->node[best]) ? i : best;
		if (!node_before(&h->node[best], &node))
			break;
		place(h, index, &h->node[best]);
		if (h->near && index && index <= NEAR)
			tell_near(h, index);
		index = best;
	}
	place(h, index, &node);
}

void
heap_close(struct heap *h)
{
	if (!h->hole)
		return;
	h->hole = false;
	if (h->count)
		sift_down(h, 0, h->node[h->count], h->count);
}

/* Bytes of the block for @capacity nodes: three nodes of padding put node 1 on a cache line. */
static size_t
block_bytes(uint32_t capacity)
{
	return (capacity + 3 + 4) * sizeof(struct heap_node);
}

static bool
grow(struct heap *h, struct arena *arena)
{
	uint32_t capacity = h->capacity ? h->capacity * 2 : HEAP_FIRST_CAPACITY;
	void *block = arena_alloc(arena, block_bytes(capacity));
	struct heap_slot *slot = arena_alloc(arena, capacity * sizeof(*slot));

	if (!block || !slot || capacity > 1u << HEAP_SLOT_BITS)
		return false;

	/* 48 bytes past a multiple of 64: the root ends its line, its children begin the next. */
	uintptr_t line = ((uintptr_t)block + 63) & ~(uintptr_t)63;
	struct heap_node *node = (struct heap_node *)(line + 48);

	if (h->capacity) {
		memcpy(node, h->node, h->count * sizeof(*node));
		memcpy(slot, h->slot, h->slots * sizeof(*slot));
		arena_free(arena, h->block, block_bytes(h->capacity));
		arena_free(arena, h->slot, h->capacity * sizeof(*slot));
	}
	h->block = block;
	h->node = node;
	h->slot = slot;
	h->capacity = capacity;
	return true;
}

bool
heap_push(struct heap *h, struct arena *arena, int64_t time, void *fn, void *arg,
	  struct heap_handle *handle)
{
	uint32_t s;

	if (h->count == h->capacity && !grow(h, arena))
		return false;
	if (h->free_slot != HEAP_NONE) {
		s = h->free_slot;
		h->free_slot = h->slot[s].index;
	} else {
		s = h->slots++;
		h->slot[s].generation = 0;
	}
	h->slot[s].generation++;
	h->slot[s].fn = fn;
	h->slot[s].arg = arg;
	if (handle)
		*handle = (struct heap_handle){ s, h->slot[s].generation };

	struct heap_node node = { .time = time, .key = h->seq++ << HEAP_SLOT_BITS | s };

	h->count++;
	if (h->hole) {
		h->hole = false;
		sift_down(h, 0, node, h->count);
	} else {
		sift_up(h, h->count - 1, node);
	}
	return true;
}

static void
slot_release(struct heap *h, uint32_t s)
{
	h->slot[s].generation++;
	h->slot[s].index = h->free_slot;
	h->free_slot = s;
}

bool
heap_pop(struct heap *h, struct heap_entry *out)
{
	heap_close(h);
	if (!h->count)
		return false;

	uint32_t s = slot_of(&h->node[0]);

	*out = (struct heap_entry){ h->node[0].time, h->slot[s].fn, h->slot[s].arg };
	slot_release(h, s);
	h->count--;
	h->hole = true;
	return true;
}

bool
heap_pop_single(struct heap *h, struct heap_entry *out)
{
	heap_close(h);
	/* The second smallest is among the root's children. */
	for (uint32_t i = 1; i <= ARITY && i < h->count; i++)
		if (h->node[i].time == h->node[0].time)
			return false;
	return heap_pop(h, out);
}

bool
heap_remove(struct heap *h, struct heap_handle handle)
{
	uint32_t s = handle.slot;

	if (!(handle.generation & 1) || s >= h->slots || h->slot[s].generation != handle.generation)
		return false;
	heap_close(h);

	uint32_t index = h->slot[s].index;

	must(index < h->count && slot_of(&h->node[index]) == s);
	slot_release(h, s);
	if (index == --h->count)
		return true;

	struct heap_node last = h->node[h->count];

	if (index > 0 && node_before(&last, &h->node[(index - 1) / ARITY]))
		sift_up(h, index, last);
	else
		sift_down(h, index, last, h->count);
	return true;
}
