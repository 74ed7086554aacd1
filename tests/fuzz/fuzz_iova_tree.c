/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IOVA trees against an unsorted list of intervals, byte by byte: every return value, every
 * look-up, every address given out; one tree and split trees.
 */
#include <string.h>

#include "base/must.h"
#include "engine/world.h"
#include "fuzz.h"
#include "vhost/iova_tree.h"

#define IOVAS 160u /* of the tree that is alone; its addresses are small, so that it fills up */
#define MAPS 64u
#define PAGE 4096u

/* --- one tree ------------------------------------------------------------------------------- */

struct model {
	struct dma_map map[MAPS];
	unsigned count;
};

static bool
model_free_range(const struct model *m, uint64_t iova, uint64_t size)
{
	for (uint64_t at = iova; at <= iova + size; at++)
		for (unsigned i = 0; i < m->count; i++)
			if (at >= m->map[i].iova && at <= m->map[i].iova + m->map[i].size)
				return false;
	return true;
}

/* The lowest that overlaps, in IOVA or in translated addresses. */
static const struct dma_map *
model_find(const struct model *m, uint64_t start, uint64_t size, bool translated)
{
	const struct dma_map *found = NULL;

	for (unsigned i = 0; i < m->count; i++) {
		const struct dma_map *e = &m->map[i];
		uint64_t at = translated ? e->translated_addr : e->iova;
		bool meets = false;

		for (uint64_t byte = start; byte <= start + size; byte++)
			meets |= byte >= at && byte <= at + e->size;
		if (meets && (!found || e->iova < found->iova))
			found = e;
	}
	return found;
}

static size_t
model_remove(struct model *m, uint64_t iova, uint64_t size)
{
	const struct dma_map *e;
	size_t n = 0;

	while ((e = model_find(m, iova, size, false))) {
		m->map[e - m->map] = m->map[--m->count];
		n++;
	}
	return n;
}

static int
model_alloc(const struct model *m, const struct dma_map *map, uint64_t first, uint64_t last,
	    uint64_t *iova)
{
	if (last < first || map->perm == IOVA_NONE)
		return IOVA_ERR_INVALID;
	for (*iova = first; *iova + map->size <= last; ++*iova)
		if (model_free_range(m, *iova, map->size))
			return IOVA_OK;
	return IOVA_ERR_NOMEM;
}

static bool
same(const struct dma_map *a, const struct dma_map *b)
{
	return !a == !b && (!a || (a->iova == b->iova && a->size == b->size &&
				   a->translated_addr == b->translated_addr && a->perm == b->perm));
}

static void
step(struct fuzz *f, struct iova_tree *t, struct model *m)
{
	struct dma_map map = { fuzz_below(f, IOVAS), fuzz_below(f, IOVAS), fuzz_below(f, 12),
			       (enum iova_access)fuzz_below(f, 4) };
	uint64_t first = fuzz_below(f, 20), last = fuzz_below(f, IOVAS), want = 0;
	int ret;

	switch (fuzz_below(f, 4)) {
	case 0:
		ret = map.perm == IOVA_NONE			? IOVA_ERR_INVALID
		      : model_free_range(m, map.iova, map.size) ? IOVA_OK
								: IOVA_ERR_OVERLAP;
		if (m->count == MAPS)
			return;
		fuzz_check(f, iova_tree_insert(t, &map) == ret);
		break;
	case 1:
		if (m->count == MAPS)
			return;
		ret = model_alloc(m, &map, first, last, &want);
		fuzz_check(f, iova_tree_alloc_map(t, &map, first, last) == ret);
		fuzz_check(f, ret || map.iova == want);
		break;
	default:
		fuzz_check(f, iova_tree_remove(t, map.iova, map.size) ==
				      model_remove(m, map.iova, map.size));
		return;
	}
	if (!ret)
		m->map[m->count++] = map;
}

static void
compare(struct fuzz *f, const struct iova_tree *t, const struct model *m)
{
	uint64_t at = fuzz_below(f, IOVAS), size = fuzz_below(f, 20);

	fuzz_check(f, t->count == m->count);
	fuzz_check(f, same(iova_tree_find(t, at, size), model_find(m, at, size, false)));
	fuzz_check(f, same(iova_tree_find_iova(t, at, size), model_find(m, at, size, true)));
	for (size_t i = 1; i < t->count; i++)
		fuzz_check(f, t->map[i - 1].iova + t->map[i - 1].size < t->map[i].iova);
}

/* --- for virtqueues ------------------------------------------------------------------------- */

/* Guest memory, possibly twice at one host address, and buffers of the VMM's. */
struct area {
	struct dma_map map;
	uint64_t gpa;
	bool guest, used;
};

#define AREAS 12u

static bool
iova_taken(const struct area *area, const struct dma_map *map)
{
	for (unsigned i = 0; i < AREAS; i++)
		if (area[i].used && area[i].map.iova <= map->iova + map->size &&
		    map->iova <= area[i].map.iova + area[i].map.size)
			return true;
	return false;
}

static void
vhost_step(struct fuzz *f, struct vhost_iova_tree *t, struct area *area)
{
	struct area *a = &area[fuzz_below(f, AREAS)];
	uint64_t offset;
	const struct dma_map *m;

	if (!a->used) {
		unsigned pages = 1 + fuzz_below(f, 8);

		a->guest = fuzz_below(f, 2);
		a->gpa = (uint64_t)(a - area) << 24;
		a->map = (struct dma_map){ 0, (uint64_t)(a - area) << 32, pages * PAGE - 1,
					   IOVA_RW };
		/* An alias: the host address of the area before it. Only a split tree bears it. */
		if (t->split && a->guest && a > area && a[-1].used && a[-1].guest)
			a->map.translated_addr = a[-1].map.translated_addr;
		if ((a->guest ? vhost_iova_tree_map_alloc_gpa(t, &a->map, a->gpa)
			      : vhost_iova_tree_map_alloc(t, &a->map)) != IOVA_OK)
			return;
		fuzz_check(f, !iova_taken(area, &a->map) && a->map.iova >= t->first &&
				      a->map.iova + a->map.size <= t->last);
		a->used = true;
		return;
	}
	m = a->guest ? vhost_iova_tree_find_guest(t, a->gpa + 5, a->map.translated_addr + 5, 10,
						  &offset)
		     : vhost_iova_tree_find_iova(t, a->map.translated_addr, 0);
	fuzz_check(f, m && m->iova == a->map.iova && (!a->guest || offset == 5));
	if (fuzz_below(f, 2))
		return;
	if (a->guest)
		vhost_iova_tree_remove_guest(t, a->map);
	else
		vhost_iova_tree_remove(t, a->map);
	a->used = false;
}

static void
vhost_compare(struct fuzz *f, const struct vhost_iova_tree *t, const struct area *area)
{
	size_t used = 0;

	for (unsigned i = 0; i < AREAS; i++)
		used += area[i].used;
	fuzz_check(f, vhost_iova_tree_count(t) == used);
	fuzz_check(f, !t->split || t->iova.count == used);
}

static void
round_of(struct fuzz *f)
{
	struct world *w;
	struct area area[AREAS];
	struct vhost_iova_tree *t;
	struct iova_tree one = { 0 };
	struct model m = { .count = 0 };
	struct error err;

	must(w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err));
	memset(area, 0, sizeof(area));
	one.w = w;
	/* Room for 24 of 54 pages: it is full at times. */
	t = vhost_iova_tree_new(w, fuzz_below(f, 2) * 8192, 28 * PAGE - 1, fuzz_below(f, 2));
	for (f->operation = 0; f->operation < 300; f->operation++) {
		step(f, &one, &m);
		compare(f, &one, &m);
		vhost_step(f, t, area);
		vhost_compare(f, t, area);
	}
	iova_tree_free(&one);
	vhost_iova_tree_delete(t);
	world_destroy(w);
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "iova_tree", 3000, round_of);
}
