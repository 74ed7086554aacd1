/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of pages that costs what is in it: one bit a page, in chunks of 4 KiB (32,768 pages, 128
 * MiB of guest) that exist only where some but not all bits are set.
 *
 *	chunk[]   | null | 4 KiB of words | null | FULL | FULL | ...
 *	           all 0   mixed            all 0  all 1
 *
 * KVM gives a slot one flat bitmap, 1/32768 of its size, on each switch of
 * KVM_MEM_LOG_DIRTY_PAGES.  A model that re-creates the slots of a 4 TiB guest thousands of times
 * must not pay 128 MiB for each: here such a bitmap is a directory of 256 KiB, and 4 KiB for each
 * 128 MiB of guest that was written.
 *
 * Used for a slot's dirty bitmap (memslot.h) and for QEMU's side of it (vmm/memory_listener.h).
 * The struct is its owner's; the words are the world's.  Invariant: `set` is the number of ones,
 * and no bit at or past npages is ever one (in a FULL last chunk they do not count).
 */
#ifndef RINGSIDE_KVM_PAGE_BITMAP_H
#define RINGSIDE_KVM_PAGE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

struct world;

#define PAGE_BITMAP_CHUNK_WORDS 512u
#define PAGE_BITMAP_CHUNK_PAGES (PAGE_BITMAP_CHUNK_WORDS * 64u)

struct page_bitmap {
	uint64_t npages;
	uint64_t set;
	uint64_t **chunk;
};

/* All zeros. */
void
page_bitmap_init(struct page_bitmap *b, struct world *w, uint64_t npages);
void
page_bitmap_free(struct page_bitmap *b, struct world *w);

/* @page < npages in all of these; the answer is what the bit was before. O(1). */
bool
page_bitmap_test(const struct page_bitmap *b, uint64_t page);
bool
page_bitmap_test_and_set(struct page_bitmap *b, struct world *w, uint64_t page);
bool
page_bitmap_test_and_clear(struct page_bitmap *b, struct world *w, uint64_t page);

/* All ones (a migration's first round), all zeros. O(chunks). */
void
page_bitmap_fill(struct page_bitmap *b, struct world *w);
void
page_bitmap_clear_all(struct page_bitmap *b, struct world *w);

/* The first one at or after @from, or npages. */
uint64_t
page_bitmap_next(const struct page_bitmap *b, uint64_t from);

/*
 * OR @from into @to, page 0 of @from at page @offset of @to.  Pages that do not fit into @to are an
 * error of the caller.  Returns how many bits of @to became one.  Reads and writes, at the speed of
 * memory if @offset is a multiple of 64, the words of @from's chunks that are mixed; a FULL one
 * that covers one of @to is a step.
 */
uint64_t
page_bitmap_or(const struct page_bitmap *from, struct page_bitmap *to, uint64_t offset,
	       struct world *w);

/* The same, and clear @from.  Where @to has no ones, and chunks stand at the same places, it takes
 * over those of @from. */
uint64_t
page_bitmap_move(struct page_bitmap *from, struct page_bitmap *to, uint64_t offset,
		 struct world *w);

/* Clear in @b what is set in @mask, which has as many pages. */
void
page_bitmap_andnot(struct page_bitmap *b, const struct page_bitmap *mask, struct world *w);

#endif
