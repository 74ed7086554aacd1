/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of pages (kvm/page_bitmap.h) 64 pages at a time.
 *
 * A migration walks the bitmap of a guest of terabytes again and again: by words it costs an eighth
 * of a byte a page, and chunks that are all zeros or all ones cost nothing but their entry in the
 * directory.  Word n stands for pages 64 n … 64 n + 63.
 */
#ifndef RINGSIDE_KVM_PAGE_WORDS_H
#define RINGSIDE_KVM_PAGE_WORDS_H

#include <stdint.h>

#include "kvm/page_bitmap.h"

struct world;

/* The pages of word @word. O(1). */
uint64_t
page_words_get(const struct page_bitmap *b, uint64_t word);

/* The same, and clear those of @mask; returns which of them were set. O(1). */
uint64_t
page_words_take(struct page_bitmap *b, struct world *w, uint64_t word, uint64_t mask);

/* Clear pages [first, first + count); returns how many were set. */
uint64_t
page_words_clear_range(struct page_bitmap *b, struct world *w, uint64_t first, uint64_t count);

#endif
