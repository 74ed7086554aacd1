/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/page_bitmap.h"

#include <stddef.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/must.h"
#include "engine/world.h"

#define CHUNK_BYTES (PAGE_BITMAP_CHUNK_WORDS * sizeof(uint64_t))
/* A directory entry that stands for 4 KiB of ones. No allocation has this address. */
#define FULL ((uint64_t *)UINTPTR_MAX)

static uint64_t
chunk_count(const struct page_bitmap *b)
{
	return (b->npages + PAGE_BITMAP_CHUNK_PAGES - 1) / PAGE_BITMAP_CHUNK_PAGES;
}

/* Pages that chunk @i stands for: fewer in the last one. */
static uint64_t
chunk_pages(const struct page_bitmap *b, uint64_t i)
{
	uint64_t left = b->npages - i * PAGE_BITMAP_CHUNK_PAGES;

	return left < PAGE_BITMAP_CHUNK_PAGES ? left : PAGE_BITMAP_CHUNK_PAGES;
}

static void
chunk_drop(struct page_bitmap *b, struct world *w, uint64_t i)
{
	if (b->chunk[i] && b->chunk[i] != FULL)
		world_free(w, b->chunk[i], CHUNK_BYTES);
	b->chunk[i] = NULL;
}

/* The words of chunk @i, made real. */
static uint64_t *
chunk_words(struct page_bitmap *b, struct world *w, uint64_t i)
{
	bool full = b->chunk[i] == FULL;

	if (b->chunk[i] && !full)
		return b->chunk[i];
	b->chunk[i] = world_alloc(w, CHUNK_BYTES);
	if (full) {
		uint64_t pages = chunk_pages(b, i);

		memset(b->chunk[i], 0xff, pages / 64 * sizeof(uint64_t));
		if (pages % 64)
			b->chunk[i][pages / 64] = (UINT64_C(1) << (pages % 64)) - 1;
	}
	return b->chunk[i];
}

void
page_bitmap_init(struct page_bitmap *b, struct world *w, uint64_t npages)
{
	must(npages > 0);
	b->npages = npages;
	b->set = 0;
	b->chunk = world_alloc(w, chunk_count(b) * sizeof(*b->chunk));
}

void
page_bitmap_free(struct page_bitmap *b, struct world *w)
{
	for (uint64_t i = 0; i < chunk_count(b); i++)
		chunk_drop(b, w, i);
	world_free(w, b->chunk, chunk_count(b) * sizeof(*b->chunk));
	*b = (struct page_bitmap){ 0 };
}

bool
page_bitmap_test(const struct page_bitmap *b, uint64_t page)
{
	must(page < b->npages);

	const uint64_t *words = b->chunk[page / PAGE_BITMAP_CHUNK_PAGES];

	return words == FULL || (words && bitmap_test(words, page % PAGE_BITMAP_CHUNK_PAGES));
}

bool
page_bitmap_test_and_set(struct page_bitmap *b, struct world *w, uint64_t page)
{
	if (page_bitmap_test(b, page))
		return true;
	bitmap_set(chunk_words(b, w, page / PAGE_BITMAP_CHUNK_PAGES),
		   page % PAGE_BITMAP_CHUNK_PAGES);
	b->set++;
	must(b->set <= b->npages);
	return false;
}

bool
page_bitmap_test_and_clear(struct page_bitmap *b, struct world *w, uint64_t page)
{
	if (!page_bitmap_test(b, page))
		return false;
	bitmap_clear(chunk_words(b, w, page / PAGE_BITMAP_CHUNK_PAGES),
		     page % PAGE_BITMAP_CHUNK_PAGES);
	must(b->set > 0);
	b->set--;
	return true;
}

void
page_bitmap_fill(struct page_bitmap *b, struct world *w)
{
	for (uint64_t i = 0; i < chunk_count(b); i++) {
		chunk_drop(b, w, i);
		b->chunk[i] = FULL;
	}
	b->set = b->npages;
}

void
page_bitmap_clear_all(struct page_bitmap *b, struct world *w)
{
	for (uint64_t i = 0; b->set && i < chunk_count(b); i++)
		chunk_drop(b, w, i);
	b->set = 0;
}

uint64_t
page_bitmap_next(const struct page_bitmap *b, uint64_t from)
{
	while (from < b->npages) {
		uint64_t i = from / PAGE_BITMAP_CHUNK_PAGES, base = i * PAGE_BITMAP_CHUNK_PAGES;
		uint64_t pages = chunk_pages(b, i);

		if (b->chunk[i] == FULL)
			return from;
		if (b->chunk[i]) {
			uint64_t bit = bitmap_next(b->chunk[i], pages, from - base);

			if (bit < pages)
				return base + bit;
		}
		from = base + pages;
	}
	return b->npages;
}

uint64_t
page_bitmap_move(struct page_bitmap *from, struct page_bitmap *to, uint64_t offset, struct world *w)
{
	uint64_t before = to->set;

	must(offset <= to->npages && from->npages <= to->npages - offset);
	if (from->set == from->npages && from->npages == to->npages) {
		page_bitmap_fill(to, w);
	} else if (from->set) {
		for (uint64_t page = 0; (page = page_bitmap_next(from, page)) < from->npages;
		     page++)
			page_bitmap_test_and_set(to, w, offset + page);
	}
	page_bitmap_clear_all(from, w);
	return to->set - before;
}
