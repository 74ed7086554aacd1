/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/page_words.h"

#include <string.h>

#include "base/must.h"
#include "engine/world.h"

#define WORDS PAGE_BITMAP_CHUNK_WORDS
#define CHUNK_BYTES (WORDS * sizeof(uint64_t))
/* What a directory entry of all ones is: page_bitmap.h says FULL. */
#define FULL ((uint64_t *)UINTPTR_MAX)

static uint64_t
chunks(const struct page_bitmap *b)
{
	return (b->npages + PAGE_BITMAP_CHUNK_PAGES - 1) / PAGE_BITMAP_CHUNK_PAGES;
}

/* Ones for the pages of @word that exist. */
static uint64_t
word_pages(const struct page_bitmap *b, uint64_t word)
{
	uint64_t left = b->npages - word * 64;

	return left >= 64 ? UINT64_MAX : (UINT64_C(1) << left) - 1;
}

static uint64_t *
make_real(struct page_bitmap *b, struct world *w, uint64_t i)
{
	uint64_t *words = b->chunk[i];

	if (words && words != FULL)
		return words;
	b->chunk[i] = world_alloc(w, CHUNK_BYTES);
	if (words == FULL)
		for (uint64_t n = 0; n < WORDS && (i * WORDS + n) * 64 < b->npages; n++)
			b->chunk[i][n] = word_pages(b, i * WORDS + n);
	return b->chunk[i];
}

uint64_t
page_words_get(const struct page_bitmap *b, uint64_t word)
{
	const uint64_t *words = b->chunk[word / WORDS];

	must(word * 64 < b->npages);
	if (words == FULL)
		return word_pages(b, word);
	return words ? words[word % WORDS] : 0;
}

uint64_t
page_words_take(struct page_bitmap *b, struct world *w, uint64_t word, uint64_t mask)
{
	uint64_t got = page_words_get(b, word) & mask;

	if (got) {
		make_real(b, w, word / WORDS)[word % WORDS] &= ~got;
		b->set -= (uint64_t)__builtin_popcountll(got);
	}
	return got;
}

/*
 * OR @from into @have; how many bits are new.  Bits are counted in every sync of a guest of
 * terabytes: without the processor's instruction the count takes three times what memory does.
 */
static inline __attribute__((always_inline)) uint64_t
merge_words(uint64_t *restrict have, const uint64_t *restrict from)
{
	uint64_t added = 0;

	for (unsigned n = 0; n < WORDS; n++) {
		added += (uint64_t)__builtin_popcountll(from[n] & ~have[n]);
		have[n] |= from[n];
	}
	return added;
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static uint64_t
merge_words_popcnt(uint64_t *have, const uint64_t *from)
{
	return merge_words(have, from);
}
#endif

/* Move @words into chunk @i of @to. How many are new. */
static uint64_t
merge_chunk(struct page_bitmap *to, struct world *w, uint64_t i, uint64_t *words)
{
	uint64_t *have = make_real(to, w, i), added;

#ifdef __x86_64__
	if (__builtin_cpu_supports("popcnt"))
		added = merge_words_popcnt(have, words);
	else
#endif
		added = merge_words(have, words);
	memset(words, 0, CHUNK_BYTES);
	return added;
}

static uint64_t
fill_chunk(struct page_bitmap *b, struct world *w, uint64_t i)
{
	uint64_t first = i * PAGE_BITMAP_CHUNK_PAGES, pages = b->npages - first, had = 0;

	if (pages > PAGE_BITMAP_CHUNK_PAGES)
		pages = PAGE_BITMAP_CHUNK_PAGES;
	if (b->chunk[i] == FULL)
		return 0;
	for (unsigned n = 0; b->chunk[i] && n < WORDS; n++)
		had += (uint64_t)__builtin_popcountll(b->chunk[i][n]);
	if (b->chunk[i])
		world_free(w, b->chunk[i], CHUNK_BYTES);
	b->chunk[i] = FULL;
	return pages - had;
}

uint64_t
page_words_move(struct page_bitmap *from, struct page_bitmap *to, struct world *w)
{
	uint64_t added = 0;

	must(from->npages == to->npages);
	for (uint64_t i = 0; from->set && i < chunks(from); i++) {
		if (from->chunk[i] == FULL) {
			added += fill_chunk(to, w, i);
			from->chunk[i] = NULL;
		} else if (from->chunk[i] && to->chunk[i] != FULL) {
			added += merge_chunk(to, w, i, from->chunk[i]);
		} else if (from->chunk[i]) {
			memset(from->chunk[i], 0, CHUNK_BYTES);
		}
	}
	to->set += added;
	from->set = 0;
	return added;
}

uint64_t
page_words_clear_range(struct page_bitmap *b, struct world *w, uint64_t first, uint64_t count)
{
	uint64_t end = first + count, cleared = 0;

	must(first <= b->npages && count <= b->npages - first);
	while (b->set && first < end) {
		uint64_t word = first / 64, stop = (word + 1) * 64 < end ? (word + 1) * 64 : end;
		uint64_t n = stop - first;
		uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << first % 64;

		if (!b->chunk[word / WORDS]) {
			first = (word / WORDS + 1) * PAGE_BITMAP_CHUNK_PAGES;
			continue;
		}
		cleared += (uint64_t)__builtin_popcountll(page_words_take(b, w, word, mask));
		first = stop;
	}
	return cleared;
}
