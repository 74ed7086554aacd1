/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/page_bitmap.h"

#include <stddef.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/must.h"
#include "engine/world.h"
#include "kvm/page_chunk.h"

#define CHUNK_BYTES (PAGE_BITMAP_CHUNK_WORDS * sizeof(uint64_t))

/*
 * Bits are counted in every sync of a guest of terabytes.  Without the processor's instruction,
 * which the oldest x86-64 lacks, the count takes three times what memory does.
 */
#if defined(__x86_64__) && defined(__GLIBC__)
#define COUNTS_BITS __attribute__((target_clones("popcnt", "default")))
#else
#define COUNTS_BITS
#endif

/* --- chunks --------------------------------------------------------------------------------- */

static void
chunk_drop(struct page_bitmap *b, struct world *w, uint64_t i)
{
	if (b->chunk[i] && b->chunk[i] != FULL)
		world_free(w, b->chunk[i], CHUNK_BYTES);
	b->chunk[i] = NULL;
}

uint64_t *
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

/* --- the whole, and one page ----------------------------------------------------------------- */

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

/* --- many at once ----------------------------------------------------------------------------- */

COUNTS_BITS static uint64_t
words_ones(const uint64_t *words, unsigned n)
{
	uint64_t ones = 0;

	for (unsigned i = 0; i < n; i++)
		ones += (uint64_t)__builtin_popcountll(words[i]);
	return ones;
}

/* OR @n words of @from into @to. How many bits are new. */
COUNTS_BITS static uint64_t
words_or(uint64_t *restrict to, const uint64_t *restrict from, unsigned n)
{
	uint64_t fresh = 0;

	for (unsigned i = 0; i < n; i++) {
		fresh += (uint64_t)__builtin_popcountll(from[i] & ~to[i]);
		to[i] |= from[i];
	}
	return fresh;
}

/* Clear in @words what is set in @mask. How many bits are gone. */
COUNTS_BITS static uint64_t
words_andnot(uint64_t *restrict words, const uint64_t *restrict mask, unsigned n)
{
	uint64_t gone = 0;

	for (unsigned i = 0; i < n; i++) {
		gone += (uint64_t)__builtin_popcountll(words[i] & mask[i]);
		words[i] &= ~mask[i];
	}
	return gone;
}

/* Ones of chunk @i. */
static uint64_t
chunk_ones(const struct page_bitmap *b, uint64_t i)
{
	if (b->chunk[i] == FULL)
		return chunk_pages(b, i);
	return b->chunk[i] ? words_ones(b->chunk[i], PAGE_BITMAP_CHUNK_WORDS) : 0;
}

/* OR @words into @to from its word @at on; they do not cross the end of a chunk. */
static void
or_words(struct page_bitmap *to, struct world *w, uint64_t at, const uint64_t *words, unsigned n)
{
	uint64_t j = at / PAGE_BITMAP_CHUNK_WORDS;
	unsigned zeros = 0;

	while (zeros < n && !words[zeros])
		zeros++;
	if (zeros < n && to->chunk[j] != FULL)
		to->set += words_or(&chunk_words(to, w, j)[at % PAGE_BITMAP_CHUNK_WORDS], words, n);
}

/* OR chunk @i of @from into @to from page @at on, which is at no word's start. */
static void
or_shifted(const struct page_bitmap *from, uint64_t i, struct page_bitmap *to, uint64_t at,
	   struct world *w)
{
	unsigned shift = at % 64;

	for (unsigned word = 0; word < PAGE_BITMAP_CHUNK_WORDS; word++) {
		uint64_t ones = chunk_word(from, i, word), low = ones << shift;
		uint64_t high = shift ? ones >> (64 - shift) : 0;

		or_words(to, w, at / 64 + word, &low, 1);
		if (high)
			or_words(to, w, at / 64 + word + 1, &high, 1);
	}
}

static void
or_chunk(const struct page_bitmap *from, uint64_t i, struct page_bitmap *to, uint64_t at,
	 struct world *w)
{
	uint64_t j = at / PAGE_BITMAP_CHUNK_PAGES;
	const uint64_t *words = from->chunk[i];

	if (words == FULL && at % PAGE_BITMAP_CHUNK_PAGES == 0 &&
	    chunk_pages(from, i) == chunk_pages(to, j)) {
		to->set += chunk_pages(to, j) - chunk_ones(to, j);
		chunk_drop(to, w, j);
		to->chunk[j] = FULL;
	} else if (words == FULL || at % 64) {
		or_shifted(from, i, to, at, w);
	} else {
		unsigned second = at / 64 % PAGE_BITMAP_CHUNK_WORDS;
		unsigned first = PAGE_BITMAP_CHUNK_WORDS - second;

		or_words(to, w, at / 64, words, first);
		or_words(to, w, at / 64 + first, words + first, second);
	}
}

uint64_t
page_bitmap_or(const struct page_bitmap *from, struct page_bitmap *to, uint64_t offset,
	       struct world *w)
{
	uint64_t before = to->set;

	must(offset <= to->npages && from->npages <= to->npages - offset);
	for (uint64_t i = 0; from->set && i < chunk_count(from); i++)
		if (from->chunk[i])
			or_chunk(from, i, to, offset + i * PAGE_BITMAP_CHUNK_PAGES, w);
	return to->set - before;
}

/* Give chunk @i of @from to @to as it is, where that has nothing there. */
static bool
chunk_handed_over(struct page_bitmap *from, uint64_t i, struct page_bitmap *to, uint64_t at)
{
	uint64_t j = at / PAGE_BITMAP_CHUNK_PAGES;

	if (at % PAGE_BITMAP_CHUNK_PAGES || to->chunk[j] || from->chunk[i] == FULL)
		return false;
	to->set += chunk_ones(from, i);
	to->chunk[j] = from->chunk[i];
	from->chunk[i] = NULL;
	return true;
}

uint64_t
page_bitmap_move(struct page_bitmap *from, struct page_bitmap *to, uint64_t offset, struct world *w)
{
	uint64_t before = to->set;

	must(offset <= to->npages && from->npages <= to->npages - offset);
	for (uint64_t i = 0; from->set && i < chunk_count(from); i++) {
		uint64_t at = offset + i * PAGE_BITMAP_CHUNK_PAGES;

		if (!from->chunk[i] || chunk_handed_over(from, i, to, at))
			continue;
		or_chunk(from, i, to, at, w);
		chunk_drop(from, w, i);
	}
	from->set = 0;
	return to->set - before;
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
		} else {
			b->set -= words_andnot(chunk_words(b, w, i), mask->chunk[i],
					       PAGE_BITMAP_CHUNK_WORDS);
		}
	}
}
