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

/* Ones of the words of chunk @i. */
static uint64_t
chunk_ones(const struct page_bitmap *b, uint64_t i)
{
	uint64_t n = 0;

	if (!b->chunk[i])
		return 0;
	if (b->chunk[i] == FULL)
		return chunk_pages(b, i);
	for (unsigned word = 0; word < PAGE_BITMAP_CHUNK_WORDS; word++)
		n += (uint64_t)__builtin_popcountll(b->chunk[i][word]);
	return n;
}

/* Word @word of chunk @i, of which pages past the end are no part. */
static uint64_t
chunk_word(const struct page_bitmap *b, uint64_t i, unsigned word)
{
	uint64_t pages = chunk_pages(b, i);

	if (b->chunk[i] != FULL)
		return b->chunk[i][word];
	if (pages >= (word + 1) * UINT64_C(64))
		return UINT64_MAX;
	return pages > word * UINT64_C(64) ? (UINT64_C(1) << (pages % 64)) - 1 : 0;
}

/* OR @ones into the word of @page, a multiple of 64. */
static void
or_word(struct page_bitmap *to, struct world *w, uint64_t page, uint64_t ones)
{
	uint64_t i = page / PAGE_BITMAP_CHUNK_PAGES;

	if (!ones || to->chunk[i] == FULL)
		return;

	uint64_t *word = &chunk_words(to, w, i)[page % PAGE_BITMAP_CHUNK_PAGES / 64];

	to->set += (uint64_t)__builtin_popcountll(ones & ~*word);
	*word |= ones;
}

uint64_t
page_bitmap_or(const struct page_bitmap *from, struct page_bitmap *to, uint64_t offset,
	       struct world *w)
{
	uint64_t before = to->set;
	unsigned shift = offset % 64;

	must(offset <= to->npages && from->npages <= to->npages - offset);
	for (uint64_t i = 0; from->set && i < chunk_count(from); i++) {
		uint64_t at = offset + i * PAGE_BITMAP_CHUNK_PAGES;
		uint64_t j = at / PAGE_BITMAP_CHUNK_PAGES;

		if (!from->chunk[i])
			continue;
		if (from->chunk[i] == FULL && at % PAGE_BITMAP_CHUNK_PAGES == 0 &&
		    chunk_pages(from, i) == chunk_pages(to, j)) {
			to->set += chunk_pages(to, j) - chunk_ones(to, j);
			chunk_drop(to, w, j);
			to->chunk[j] = FULL;
			continue;
		}
		for (unsigned word = 0; word < PAGE_BITMAP_CHUNK_WORDS; word++) {
			uint64_t ones = chunk_word(from, i, word);
			uint64_t page = (at & ~UINT64_C(63)) + word * UINT64_C(64);

			if (!ones)
				continue;
			or_word(to, w, page, ones << shift);
			if (shift && ones >> (64 - shift))
				or_word(to, w, page + 64, ones >> (64 - shift));
		}
	}
	return to->set - before;
}

uint64_t
page_bitmap_move(struct page_bitmap *from, struct page_bitmap *to, uint64_t offset, struct world *w)
{
	uint64_t fresh = page_bitmap_or(from, to, offset, w);

	page_bitmap_clear_all(from, w);
	return fresh;
}

void
page_bitmap_andnot(struct page_bitmap *b, const struct page_bitmap *mask, struct world *w)
{
	must(b->npages == mask->npages);
	for (uint64_t i = 0; b->set && mask->set && i < chunk_count(b); i++) {
		if (!b->chunk[i] || !mask->chunk[i])
			continue;
		if (mask->chunk[i] == FULL) {
			b->set -= chunk_ones(b, i);
			chunk_drop(b, w, i);
			continue;
		}

		uint64_t *words = chunk_words(b, w, i);

		for (unsigned word = 0; word < PAGE_BITMAP_CHUNK_WORDS; word++) {
			uint64_t gone = words[word] & mask->chunk[i][word];

			b->set -= (uint64_t)__builtin_popcountll(gone);
			words[word] &= ~gone;
		}
	}
}
