/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena against a plain copy of its memory: blocks are zeroed, do not overlap and keep what was
 * written; after each restore all of it is as it was at the snapshot, cooling included; after an
 * image is loaded, as it was when the image was taken.
 */
#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "fuzz.h"

#define BLOCKS 200

struct block {
	unsigned char *p;
	size_t size;
	unsigned char fill;
	bool pages; /* by arena_alloc_pages(): not to be freed */
};

static bool
filled(const struct block *b)
{
	for (size_t i = 0; i < b->size; i++)
		if (b->p[i] != b->fill)
			return false;
	return true;
}

static size_t
some_size(struct fuzz *f)
{
	static const uint32_t most[] = { 16, 100, 600, 5000, 70000, 400000 };

	return 1 + fuzz_below(f, most[fuzz_below(f, 6)]);
}

static void
step(struct fuzz *f, struct arena *a, struct block *blocks)
{
	struct block *b = &blocks[fuzz_below(f, BLOCKS)];

	if (!b->p) {
		size_t size = some_size(f), align = 16;

		b->pages = !fuzz_below(f, 16);
		if (b->pages)
			align = ARENA_PAGE;
		b->p = b->pages ? arena_alloc_pages(a, size) : arena_alloc(a, size);
		fuzz_check(f, b->p && (uintptr_t)b->p % align == 0);
		b->size = size;
		b->fill = 0;
		fuzz_check(f, filled(b));
		b->fill = (unsigned char)(1 + fuzz_below(f, 255));
		memset(b->p, b->fill, size);
	} else if (!b->pages && fuzz_below(f, 2)) {
		fuzz_check(f, filled(b));
		arena_free(a, b->p, b->size);
		b->p = NULL;
	} else {
		fuzz_check(f, filled(b));
		b->fill = (unsigned char)(1 + fuzz_below(f, 255));
		memset(b->p, b->fill, b->size);
	}
}

#define IMAGES 4
#define IMAGE_ROOM ((size_t)96 << 20)

static struct kept {
	char *image; /* IMAGE_ROOM bytes of address space */
	size_t bytes, used;
	unsigned char *copy;
	struct block blocks[BLOCKS];
} kept[IMAGES];

static void
image_keep(struct fuzz *f, struct arena *a, struct kept *k, const struct block *now)
{
	if (!k->image)
		must(k->image = malloc(IMAGE_ROOM));
	k->bytes = arena_image_take(a, k->image, IMAGE_ROOM);
	k->used = arena_used(a);
	fuzz_check(f, k->bytes && !arena_image_take(a, k->image, 100));
	must(arena_image_take(a, k->image, IMAGE_ROOM) == k->bytes);
	must(k->copy = realloc(k->copy, k->used));
	memcpy(k->copy, arena_base(a), k->used);
	memcpy(k->blocks, now, sizeof(k->blocks));
}

static void
image_back(struct fuzz *f, struct arena *a, const struct kept *k, struct block *now)
{
	char *again;

	arena_image_load(a, k->image, k->bytes);
	fuzz_check(f, arena_used(a) == k->used && !memcmp(k->copy, arena_base(a), k->used));
	must(again = malloc(IMAGE_ROOM));
	fuzz_check(f, arena_image_take(a, again, IMAGE_ROOM) == k->bytes &&
			      !memcmp(again, k->image, k->bytes));
	free(again);
	memcpy(now, k->blocks, sizeof(k->blocks));
}

/* Some steps of a schedule, and images of what they lead to. */
static void
schedule(struct fuzz *f, struct arena *a, struct block *now)
{
	bool images = !fuzz_below(f, 8);

	for (uint32_t i = fuzz_below(f, 30); i > 0; i--) {
		struct kept *k = &kept[fuzz_below(f, IMAGES)];

		f->operation++;
		step(f, a, now);
		if (!images || fuzz_below(f, 4))
			continue;
		if (k->bytes && fuzz_below(f, 2))
			image_back(f, a, k, now);
		else
			image_keep(f, a, k, now);
	}
}

static void
fuzz_round(struct fuzz *f)
{
	static struct block at_snapshot[BLOCKS], now[BLOCKS];
	struct arena *a = arena_create((size_t)256 << 20, fuzz_below(f, 4), NULL);

	must(a);
	memset(now, 0, sizeof(now));
	for (uint32_t i = fuzz_below(f, 400); i > 0; i--)
		step(f, a, now);
	memcpy(at_snapshot, now, sizeof(now));

	size_t used = arena_used(a);
	unsigned char *copy = malloc(used);

	must(copy);
	arena_snapshot(a);
	for (unsigned i = 0; i < IMAGES; i++)
		kept[i].bytes = 0;
	memcpy(copy, arena_base(a), used);
	for (uint32_t schedules = fuzz_below(f, 20) ? 5 : ARENA_COOL_PERIOD + 5; schedules > 0;
	     schedules--) {
		schedule(f, a, now);
		arena_restore(a);
		memcpy(now, at_snapshot, sizeof(now));
		if (schedules % 64 < 6)
			fuzz_check(f, arena_used(a) == used && !memcmp(copy, arena_base(a), used));
	}
	free(copy);
	arena_destroy(a);
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "arena", 60, fuzz_round);
}
