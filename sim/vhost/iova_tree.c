/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/iova_tree.h"

#include <string.h>

#include "base/must.h"
#include "engine/world.h"

#define ROOM_FIRST 8u

/* --- one tree ------------------------------------------------------------------------------- */

void
iova_tree_free(struct iova_tree *t)
{
	if (t->room)
		world_free(t->w, t->map, t->room * sizeof(*t->map));
	t->map = NULL;
	t->count = t->room = 0;
}

static uint64_t
last_of(const struct dma_map *m)
{
	return m->iova + m->size;
}

/* Whether the last byte comes before the first. */
static bool
wraps(uint64_t start, uint64_t size)
{
	return start + size < start;
}

/* Index of the first map that does not end before @iova. */
static size_t
lower_bound(const struct iova_tree *t, uint64_t iova)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (last_of(&t->map[mid]) < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct dma_map *
iova_tree_find(const struct iova_tree *t, uint64_t iova, uint64_t size)
{
	size_t i = lower_bound(t, iova);

	if (i == t->count || (t->map[i].iova > iova && t->map[i].iova - iova > size))
		return NULL;
	return &t->map[i];
}

const struct dma_map *
iova_tree_find_iova(const struct iova_tree *t, uint64_t addr, uint64_t size)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct dma_map *m = &t->map[i];

		if (m->translated_addr + m->size >= addr && addr + size >= m->translated_addr)
			return m;
	}
	return NULL;
}

static void
make_room(struct iova_tree *t)
{
	size_t room = t->room ? 2 * t->room : ROOM_FIRST;
	struct dma_map *map;

	if (t->count < t->room)
		return;
	map = world_alloc(t->w, room * sizeof(*map));
	if (t->room) {
		memcpy(map, t->map, t->count * sizeof(*map));
		world_free(t->w, t->map, t->room * sizeof(*map));
	}
	t->map = map;
	t->room = room;
}

int
iova_tree_insert(struct iova_tree *t, const struct dma_map *map)
{
	struct dma_map copy = *map;
	size_t at = lower_bound(t, copy.iova);

	if (wraps(copy.iova, copy.size) || copy.perm == IOVA_NONE)
		return IOVA_ERR_INVALID;
	if (iova_tree_find(t, copy.iova, copy.size))
		return IOVA_ERR_OVERLAP;
	make_room(t);
	memmove(&t->map[at + 1], &t->map[at], (t->count - at) * sizeof(copy));
	t->map[at] = copy;
	t->count++;
	return IOVA_OK;
}

size_t
iova_tree_remove(struct iova_tree *t, uint64_t iova, uint64_t size)
{
	const struct dma_map *m;
	size_t removed = 0;

	while ((m = iova_tree_find(t, iova, size))) {
		size_t at = (size_t)(m - t->map);

		t->count--;
		memmove(&t->map[at], &t->map[at + 1], (t->count - at) * sizeof(*m));
		removed++;
	}
	return removed;
}

/* First fit, from @first up. */
int
iova_tree_alloc_map(struct iova_tree *t, struct dma_map *map, uint64_t first, uint64_t last)
{
	uint64_t start = first;

	if (last < first || map->perm == IOVA_NONE)
		return IOVA_ERR_INVALID;
	for (size_t i = lower_bound(t, first); i < t->count; i++) {
		const struct dma_map *m = &t->map[i];

		if (m->iova > start && m->iova - start > map->size)
			break;
		if (last_of(m) == UINT64_MAX)
			return IOVA_ERR_NOMEM;
		start = last_of(m) + 1;
	}
	if (start > last || last - start < map->size)
		return IOVA_ERR_NOMEM;
	map->iova = start;
	return iova_tree_insert(t, map);
}

/* --- for virtqueues ------------------------------------------------------------------------- */

struct vhost_iova_tree *
vhost_iova_tree_new(struct world *w, uint64_t first, uint64_t last, bool split)
{
	struct vhost_iova_tree *t = world_alloc(w, sizeof(*t));

	t->first = first < IOVA_MIN_ADDR ? IOVA_MIN_ADDR : first;
	t->last = last;
	t->split = split;
	t->taddr.w = t->iova.w = t->gpa.w = w;
	return t;
}

void
vhost_iova_tree_delete(struct vhost_iova_tree *t)
{
	struct world *w = t->taddr.w;

	iova_tree_free(&t->taddr);
	iova_tree_free(&t->iova);
	iova_tree_free(&t->gpa);
	world_free(w, t, sizeof(*t));
}

/* Into @t->iova and @tree, or into the one tree there is. */
static int
map_alloc(struct vhost_iova_tree *t, struct iova_tree *tree, struct dma_map *map)
{
	int ret;

	if (wraps(map->translated_addr, map->size) || map->perm == IOVA_NONE)
		return IOVA_ERR_INVALID;
	if (!t->split)
		return iova_tree_alloc_map(&t->taddr, map, t->first, t->last);
	ret = iova_tree_alloc_map(&t->iova, map, t->first, t->last);
	if (ret != IOVA_OK)
		return ret;
	must(iova_tree_insert(tree, map) == IOVA_OK); /* what is there is in t->iova too */
	return IOVA_OK;
}

int
vhost_iova_tree_map_alloc(struct vhost_iova_tree *t, struct dma_map *map)
{
	return map_alloc(t, &t->taddr, map);
}

int
vhost_iova_tree_map_alloc_gpa(struct vhost_iova_tree *t, struct dma_map *map, uint64_t gpa)
{
	struct dma_map by_gpa = *map;
	int ret;

	if (!t->split)
		return map_alloc(t, &t->taddr, map);
	by_gpa.translated_addr = gpa;
	ret = map_alloc(t, &t->gpa, &by_gpa);
	map->iova = by_gpa.iova;
	return ret;
}

const struct dma_map *
vhost_iova_tree_find_iova(const struct vhost_iova_tree *t, uint64_t hva, uint64_t size)
{
	return iova_tree_find_iova(&t->taddr, hva, size);
}

const struct dma_map *
vhost_iova_tree_find_guest(const struct vhost_iova_tree *t, uint64_t gpa, uint64_t hva,
			   uint64_t size, uint64_t *offset)
{
	uint64_t addr = t->split ? gpa : hva;
	const struct dma_map *m = iova_tree_find_iova(t->split ? &t->gpa : &t->taddr, addr, size);

	if (m)
		*offset = addr - m->translated_addr;
	return m;
}

static void
remove_from(struct vhost_iova_tree *t, struct iova_tree *tree, struct dma_map map)
{
	iova_tree_remove(tree, map.iova, map.size);
	if (t->split)
		iova_tree_remove(&t->iova, map.iova, map.size);
}

void
vhost_iova_tree_remove(struct vhost_iova_tree *t, struct dma_map map)
{
	remove_from(t, &t->taddr, map);
}

void
vhost_iova_tree_remove_guest(struct vhost_iova_tree *t, struct dma_map map)
{
	remove_from(t, t->split ? &t->gpa : &t->taddr, map);
}

size_t
vhost_iova_tree_count(const struct vhost_iova_tree *t)
{
	return t->taddr.count + t->gpa.count;
}
