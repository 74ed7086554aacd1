/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of each page that was dirtied: a watcher of KVM's events that knows, for the pages
 * of a recording, in which slot's bitmap a bit is waiting and with which slot it died.
 *
 *	        kvm_page_dirty            kvm_get_dirty_log
 *	 clean ----------------> waiting -------------------> fetched
 *	                            |  kvm_dirty_bitmap_destroyed
 *	                            +--------------------------> died (slot, time, line)
 *
 * It only watches: whether a page is lost is read from the migration's bitmap of the model by the
 * replay; this tells the story of it.  Memory is the world's: O(pages + ids).  A mark costs O(log
 * pages), a fetch or a death what the bitmap holds.
 */
#ifndef RINGSIDE_TRACE_PAGE_FATE_H
#define RINGSIDE_TRACE_PAGE_FATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/page_bitmap.h"

struct world;

struct page_fate {
	uint64_t gfn;
	uint64_t dirtied; /* marks since page_fates_next_round() */
	int64_t dirtied_ns; /* the last of them */
	uint32_t waiting; /* 1 + id of the slot whose bitmap has the bit; 0: none */
	uint32_t next; /* 1 + index of the next page that waits in the same bitmap */
	bool died; /* the last bit of this round, with: */
	uint32_t slot;
	uint64_t base_gfn, npages;
	int64_t died_ns;
	uint64_t died_line;
	bool died_assumed;
};

struct page_fates {
	struct page_fate *page; /* by gfn */
	size_t pages;
	struct page_bitmap round; /* indices of pages with dirtied > 0 */
	uint32_t *waiting; /* by slot id: 1 + index of the first page that waits */
	uint32_t ids;
	/* Where in the recording we are: set by the replay, kept with deaths. */
	uint64_t line;
	bool assumed;
	/* Figures */
	uint64_t marks, bitmaps_destroyed, bits_destroyed, logs_read;
};

/* At set-up. @gfn: @pages numbers, each once, in order; slot ids are below @ids. */
struct page_fates *
page_fates_create(struct world *w, const uint64_t *gfn, size_t pages, uint32_t ids);

/* Forget marks and deaths; bits that wait go on waiting. */
void
page_fates_next_round(struct page_fates *f, struct world *w);

#endif
