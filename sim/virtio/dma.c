/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/dma.h"

#include "base/must.h"
#include "engine/world.h"
#include "memory/guest_memory.h"

#define MARK (UINT64_C(1) << 63)
#define IOVA_MASK ((UINT64_C(1) << DMA_IOVA_BITS) - 1)

struct dma_domains {
	unsigned count;
	const struct dma_domain *domain[DMA_DOMAINS_MAX];
	const struct dma_domain *writing; /* now, or null */
	dma_note_fn note;
	void *note_ctx;
};

static struct dma_domains *
domains(struct world *w)
{
	struct dma_domains *all = world_room(w, ROOM_DMA);

	if (!all) {
		all = world_alloc(w, sizeof(*all));
		world_set_room(w, ROOM_DMA, all);
	}
	return all;
}

void
dma_domain_add(struct world *w, struct dma_domain *d)
{
	struct dma_domains *all = domains(w);

	if (all->count == DMA_DOMAINS_MAX)
		world_fail(w, "a world has at most %u DMA domains", DMA_DOMAINS_MAX);
	d->number = all->count;
	all->domain[all->count++] = d;
}

enum dma_writer
dma_writer(const struct world *w)
{
	const struct dma_domains *all = world_room(w, ROOM_DMA);

	if (!all || !all->writing)
		return DMA_NOBODY;
	return all->writing->noted_later ? DMA_NOTED_LATER : DMA_UNNOTED;
}

void
dma_on_note(struct world *w, dma_note_fn fn, void *ctx)
{
	domains(w)->note = fn;
	domains(w)->note_ctx = ctx;
}

void
dma_note(struct world *w, uint64_t gpa, uint64_t len)
{
	const struct dma_domains *all = world_room(w, ROOM_DMA);

	if (len && all && all->note)
		all->note(w, gpa, len, all->note_ctx);
}

uint64_t
dma_mark(const struct dma_domain *d, uint64_t iova)
{
	/* What is no IOVA stays no address of any kind. */
	return MARK | (uint64_t)d->number << DMA_IOVA_BITS | (iova & IOVA_MASK);
}

static uint64_t
copy_plain(struct world *w, uint64_t gpa, void *to, const void *from, uint64_t size)
{
	return (to ? gm_read(w, gpa, to, size) : gm_write(w, gpa, from, size)) ? size : 0;
}

uint64_t
dma_copy(struct world *w, uint64_t addr, void *to, const void *from, uint64_t size)
{
	struct dma_domains *all = world_room(w, ROOM_DMA);
	uint64_t iova = addr & IOVA_MASK, done = 0;
	unsigned number = (unsigned)(addr >> DMA_IOVA_BITS) & 127;
	const struct dma_domain *d;

	if (!(addr & MARK))
		return copy_plain(w, addr, to, from, size);
	if (!all || number >= all->count)
		return 0;
	d = all->domain[number];
	while (done < size) {
		uint64_t len = size - done, gpa;

		if (!d->translate(d->ctx, iova + done, &len, !to, false, &gpa))
			break;
		must(len && len <= size - done);
		all->writing = to ? NULL : d;
		len = copy_plain(w, gpa, to ? (char *)to + done : NULL,
				 from ? (const char *)from + done : NULL, len);
		all->writing = NULL;
		if (!len)
			break;
		done += len;
	}
	return done;
}

bool
dma_touch(const struct dma_domain *d, uint64_t iova, bool write)
{
	uint64_t len = 1, gpa;

	return d->translate(d->ctx, iova, &len, write, false, &gpa);
}

void *
dma_map(struct world *w, const struct dma_domain *d, uint64_t iova, uint64_t len)
{
	uint64_t piece = len, gpa;

	if (!d->translate(d->ctx, iova, &piece, false, true, &gpa) || piece < len)
		return NULL;
	return gm_map(w, gpa, len);
}
