/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a page_bitmap is made of; for page_bitmap.c and page_words.c only. */
#ifndef RINGSIDE_KVM_PAGE_CHUNK_H
#define RINGSIDE_KVM_PAGE_CHUNK_H

#include "kvm/page_bitmap.h"

/* A directory entry that stands for 4 KiB of ones. No allocation has this address. */
#define FULL ((uint64_t *)UINTPTR_MAX)

static inline uint64_t
chunk_count(const struct page_bitmap *b)
{
	return (b->npages + PAGE_BITMAP_CHUNK_PAGES - 1) / PAGE_BITMAP_CHUNK_PAGES;
}

/* Pages that chunk @i stands for: fewer in the last one. */
static inline uint64_t
chunk_pages(const struct page_bitmap *b, uint64_t i)
{
	uint64_t left = b->npages - i * PAGE_BITMAP_CHUNK_PAGES;

	return left < PAGE_BITMAP_CHUNK_PAGES ? left : PAGE_BITMAP_CHUNK_PAGES;
}

/* Word @word of chunk @i, of which pages past the end are no part. */
static inline uint64_t
chunk_word(const struct page_bitmap *b, uint64_t i, unsigned word)
{
	uint64_t pages = chunk_pages(b, i), first = word * UINT64_C(64);

	if (b->chunk[i] != FULL)
		return b->chunk[i] ? b->chunk[i][word] : 0;
	if (pages >= first + 64)
		return UINT64_MAX;
	return pages > first ? (UINT64_C(1) << (pages % 64)) - 1 : 0;
}

/* The words of chunk @i, made real. */
uint64_t *
chunk_words(struct page_bitmap *b, struct world *w, uint64_t i);

#endif
