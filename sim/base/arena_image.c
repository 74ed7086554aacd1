/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of an arena: see arena.h.
 *
 * Only hot pages can differ from the snapshot, but for what was allocated since: that lies above
 * what the snapshot covers, is not tracked, and is compared with zeros.
 */
#include <stdlib.h>

#include "base/arena_impl.h"
#include "base/must.h"

#define LINE 64u
#define LINES_PER_PAGE (ARENA_PAGE / LINE)

struct line {
	uint64_t number; /* from the arena's base */
	char bytes[LINE];
};

typedef uint64_t line_part __attribute__((vector_size(16), may_alias));

static const char zeros[ARENA_PAGE] __attribute__((aligned(LINE)));

static inline bool
lines_differ(const char *a, const char *b)
{
	const line_part *x = (const void *)a, *y = (const void *)b;
	line_part d = (x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]);

	return (d[0] | d[1]) != 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
sort_hot(struct arena *a)
{
	size_t n = 0;

	if (a->sorted_changes == a->hot_changes)
		return;
	if (a->sorted_capacity < a->hot_count) {
		a->sorted_capacity = a->hot_capacity;
		must(a->sorted = realloc(a->sorted, a->sorted_capacity * sizeof(*a->sorted)));
	}
	memcpy(a->sorted, a->hot, a->hot_count * sizeof(*a->sorted));
	qsort(a->sorted, a->hot_count, sizeof(*a->sorted), by_number);
	for (size_t i = 0; i < a->hot_count; i++)
		if (!n || a->sorted[n - 1] != a->sorted[i])
			a->sorted[n++] = a->sorted[i];
	a->sorted_count = n;
	a->sorted_changes = a->hot_changes;
}

/* Append the lines in which @page, number @number, differs from @was; null: no room. */
static struct line *
take_page(const char *page, const char *was, size_t number, struct line *to, const struct line *end)
{
	if (end - to < (ptrdiff_t)LINES_PER_PAGE)
		return NULL;
	/* Most pages only some other way touched; the library compares with wider registers than we
	 * may take for granted. */
	if (!memcmp(page, was, ARENA_PAGE))
		return to;
	for (size_t i = 0; i < ARENA_PAGE; i += LINE) {
		if (!lines_differ(page + i, was + i))
			continue;
		to->number = number * LINES_PER_PAGE + i / LINE;
		memcpy(to->bytes, page + i, LINE);
		to++;
	}
	return to;
}

/* End of the pages that hold what was allocated since the snapshot, above what it covers. */
static size_t
grown_end(const struct arena *a)
{
	return (arena_header(a)->top + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1);
}

size_t
arena_image_take(struct arena *a, void *to, size_t room)
{
	struct line *line = to;
	const struct line *end = line + room / sizeof(*line);
	size_t grown = grown_end(a);

	must(a->armed);
	/* Above the top stands what other runs left there. */
	if (grown > a->protected_bytes)
		memset(a->base + arena_header(a)->top, 0, grown - arena_header(a)->top);
	sort_hot(a);
	for (size_t i = 0; i < a->sorted_count && line; i++) {
		uint32_t page = a->sorted[i];

		line = take_page(a->base + (size_t)page * ARENA_PAGE,
				 arena_copy_at(a, a->copy_of[page]), page, line, end);
	}
	for (size_t at = a->protected_bytes; at < grown && line; at += ARENA_PAGE)
		line = take_page(a->base + at, zeros, at / ARENA_PAGE, line, end);
	return line ? (size_t)((char *)line - (char *)to) : 0;
}

void
arena_image_load(struct arena *a, const void *image, size_t bytes)
{
	const struct line *line = image, *end = line + bytes / sizeof(*line);
	uint64_t grown = a->protected_bytes / LINE;

	arena_restore(a);
	/* The header is in the first lines: the top is known when what lies above is put back. */
	for (; line < end && line->number < grown; line++)
		memcpy(a->base + line->number * LINE, line->bytes, LINE);
	if (grown_end(a) > a->protected_bytes)
		memset(a->base + a->protected_bytes, 0, grown_end(a) - a->protected_bytes);
	for (; line < end; line++)
		memcpy(a->base + line->number * LINE, line->bytes, LINE);
}
