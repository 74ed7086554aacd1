/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/heap.h"

#include <string.h>

#include "base/arena.h"
#include "base/must.h"

#define HEAP_FIRST_CAPACITY 16u
#define ARITY 4u

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
	return a->seq < b->seq;
}

static inline void
place(struct heap *h, uint32_t index, const struct heap_node *node)
{
	h->node[index] = *node;
	h->slot[node->slot].index = index;
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
sift_down(struct heap *h, uint32_t index, struct heap_node node)
{
	for (;;) {
		uint32_t first = index * ARITY + 1, best = first;
		uint32_t end = first + ARITY < h->count ? first + ARITY : h->count;

		if (first >= h->count)
			break;
		for (uint32_t i = first + 1; i < end; i++)
			if (node_before(&h->node[i], &h->node[best]))
				best = i;
		if (!node_before(&h->node[best], &node))
			break;
		place(h, index, &h->node[best]);
		index = best;
	}
	place(h, index, &node);
}

static bool
grow(struct heap *h, struct arena *arena)
{
	uint32_t capacity = h->capacity ? h->capacity * 2 : HEAP_FIRST_CAPACITY;
	struct heap_node *node = arena_alloc(arena, capacity * sizeof(*node));
	struct heap_slot *slot = arena_alloc(arena, capacity * sizeof(*slot));

	if (!node || !slot)
		return false;
	if (h->capacity) {
		memcpy(node, h->node, h->count * sizeof(*node));
		memcpy(slot, h->slot, h->slots * sizeof(*slot));
		arena_free(arena, h->node, h->capacity * sizeof(*node));
		arena_free(arena, h->slot, h->capacity * sizeof(*slot));
	}
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
	sift_up(h, h->count++, (struct heap_node){ .time = time, .seq = h->seq++, .slot = s });
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
	if (!h->count)
		return false;

	uint32_t s = h->node[0].slot;

	*out = (struct heap_entry){ h->node[0].time, h->slot[s].fn, h->slot[s].arg };
	slot_release(h, s);
	if (--h->count)
		sift_down(h, 0, h->node[h->count]);
	return true;
}

bool
heap_pop_single(struct heap *h, struct heap_entry *out)
{
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

	uint32_t index = h->slot[s].index;

	must(index < h->count && h->node[index].slot == s);
	slot_release(h, s);
	if (index == --h->count)
		return true;

	struct heap_node last = h->node[h->count];

	if (index > 0 && node_before(&last, &h->node[(index - 1) / ARITY]))
		sift_up(h, index, last);
	else
		sift_down(h, index, last);
	return true;
}
