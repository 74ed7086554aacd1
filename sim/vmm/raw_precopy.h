/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest precopy that can lose a page: KVM's dirty log, the migration's bitmap, and a copy of
 * each page.  One range of guest RAM, one slot, no link and no time: whoever drives it says when a
 * sync comes and when a page goes.  For what devices do to a migration (precopy_notify.h), byte by
 * byte in the RAM that a guest's drivers use.
 *
 *	begin   bitmap := all pages, dirty logging on, notify SETUP, sync
 *	sync    notify BEFORE_BITMAP_SYNC, KVM_GET_DIRTY_LOG, notify AFTER_BITMAP_SYNC
 *	send    under bitmap_mutex: clear what the last GET left to clear (manual protection), clear
 *	        the bit; then read, then send
 *	end     notify COMPLETE unless cancelled, notify CLEANUP, dirty logging off
 *
 * What a page holds is its first 8 bytes.  Memory: the world's.
 */
#ifndef RINGSIDE_VMM_RAW_PRECOPY_H
#define RINGSIDE_VMM_RAW_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/page_bitmap.h"
#include "vmm/precopy_notify.h"

struct kvm;

#define RAW_PRECOPY_NOTHING UINT64_MAX /* at a destination that got nothing of the page */

struct raw_precopy {
	struct world *w;
	struct kvm *kvm;
	uint64_t first, pages; /* gfn */
	bool manual_protect, active;
	struct page_bitmap bitmap; /* to be sent */
	struct page_bitmap handed; /* the slot's bits as the last GETs left them, not cleared yet */
	struct page_bitmap dropped; /* hinted, and not sent since */
	uint64_t *destination; /* what each page holds there */
	uint64_t dirty_pages; /* migration_dirty_pages: what the thread believes is left */
	uint64_t rounds, sent, skipped;
	struct precopy_target target;
};

/* [first, first + pages) frames; writes there are noted from now on. At set-up, once a world. */
struct raw_precopy *
raw_precopy_create(struct world *w, uint64_t first, uint64_t pages, bool manual_protect);

/* A migration to a destination that has nothing yet; actors' calls from here on. */
void
raw_precopy_begin(struct raw_precopy *m, bool postcopy);
/* Returns how many pages are to be sent after it. */
uint64_t
raw_precopy_sync(struct raw_precopy *m);
/* The first page that is to be sent at or after @gfn, round the range once; false: there is none.
 */
bool
raw_precopy_send(struct raw_precopy *m, uint64_t gfn);
void
raw_precopy_end(struct raw_precopy *m, bool cancelled);

/* Whether the destination has what the source has. */
bool
raw_precopy_same(const struct raw_precopy *m, uint64_t gfn);

#endif
