/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an arena is made of; for arena.c and arena_image.c only. */
#ifndef RINGSIDE_BASE_ARENA_IMPL_H
#define RINGSIDE_BASE_ARENA_IMPL_H

#include <string.h>

#include "base/arena.h"

#define CLASS_SMALL 512u /* up to here classes are 16 bytes apart, above four to a power of two */
#define CLASSES (CLASS_SMALL / 16 + 1 + 4 * 8)
#define CLASS_MAX (UINT64_C(512) << 8) /* 128 KiB: larger blocks are kept in one list by size */

#define COPIES_PER_CHUNK 256u
#define COOL_MIN_HOT 16u /* fewer hot pages than this are cheaper to copy than to fault again */

struct free_block {
	struct free_block *next;
	size_t size; /* used in the list of large blocks only: the smallest class has 16 bytes */
};

/* The part that restoring puts back: it lives at the arena's base. */
struct arena_header {
	size_t top; /* offset of the first byte never allocated */
	size_t gap, gap_end; /* offsets: left below whole pages, zeroed; objects fill it */
	size_t stack_top; /* the same in the stack half, from its start */
	size_t live_bytes; /* allocated and not freed, for the limit */
	struct free_block *class_free[CLASSES];
	struct free_block *large_free;
};

struct arena {
	char *base;
	size_t reserve;
	size_t committed; /* bytes of the tracked half made accessible */
	size_t stack_committed;
	size_t high_water; /* offset above which memory was never handed out, hence is zero */
	size_t limit;
	uint64_t fail_countdown;
	bool fail_forever;

	bool armed; /* a snapshot exists */
	size_t protected_bytes; /* what the snapshot covers */
	uint32_t *hot; /* page numbers, in the order of their first write */
	size_t hot_count, hot_capacity;
	uint32_t *copy_of; /* page number -> index of its copy, by mmap: untouched parts take
			      nothing */
	size_t copy_of_bytes;
	char **copy_chunk;
	uint32_t copies;
	uint32_t chunks_capacity;
	unsigned restores_since_cooling;

	/* arena_image.c */
	uint64_t hot_changes; /* counts what was done to `hot` */
	uint32_t *sorted; /* `hot` as of sorted_changes, going up, each page once */
	size_t sorted_count, sorted_capacity;
	uint64_t sorted_changes;
};

static inline struct arena_header *
arena_header(const struct arena *a)
{
	return (struct arena_header *)(void *)a->base;
}

/* A page as it was at the snapshot. */
static inline char *
arena_copy_at(const struct arena *a, uint32_t copy)
{
	return a->copy_chunk[copy / COPIES_PER_CHUNK] +
	       (size_t)(copy % COPIES_PER_CHUNK) * ARENA_PAGE;
}

static inline void
arena_page_copy(void *to, const void *from)
{
	memcpy(to, from, ARENA_PAGE);
}

/* Write-protect what the snapshot covers, and begin a new list of hot pages. */
void
arena_protect(struct arena *a);

#endif
