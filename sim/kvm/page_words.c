/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/page_words.h"

#include "base/must.h"
#include "kvm/page_chunk.h"

#define WORDS PAGE_BITMAP_CHUNK_WORDS

uint64_t
page_words_get(const struct page_bitmap *b, uint64_t word)
{
	must(word * 64 < b->npages);
	return chunk_word(b, word / WORDS, word % WORDS);
}

uint64_t
page_words_take(struct page_bitmap *b, struct world *w, uint64_t word, uint64_t mask)
{
	uint64_t got = page_words_get(b, word) & mask;

	if (got) {
		chunk_words(b, w, word / WORDS)[word % WORDS] &= ~got;
		b->set -= (uint64_t)__builtin_popcountll(got);
	}
	return got;
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
