/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sparse page bitmaps: against an array of flags, across chunks, and what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/prng.h"
#include "engine/world.h"
#include "kvm/page_bitmap.h"

#define PAGES \
	(3 * PAGE_BITMAP_CHUNK_PAGES + 77) /* a last chunk that is not whole, nor a last word */

static void
in_world(void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

static void
same_as(const struct page_bitmap *b, const bool *want)
{
	uint64_t next = 0, set = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		if (page_bitmap_test(b, i) != want[i])
			fail_msg("page %llu", (unsigned long long)i);
		set += want[i];
	}
	assert_int_equal(b->set, set);
	for (uint64_t i = 0; i < PAGES; i++) {
		if (!want[i])
			continue;
		assert_int_equal(page_bitmap_next(b, next), i);
		next = i + 1;
	}
	assert_int_equal(page_bitmap_next(b, next), PAGES);
}

static bool want[PAGES];

static void
random_steps_body(struct world *w, void *arg)
{
	struct page_bitmap b;
	struct prng p;

	prng_seed(&p, 7);
	memset(want, 0, sizeof(want));
	page_bitmap_init(&b, w, PAGES);
	for (int round = 0; round < 12; round++) {
		if (round % 4 == 1) {
			page_bitmap_fill(&b, w);
			memset(want, 1, sizeof(want));
		} else if (round % 4 == 3) {
			page_bitmap_clear_all(&b, w);
			memset(want, 0, sizeof(want));
		}
		for (int i = 0; i < 2000; i++) {
			uint64_t page = prng_below(&p, PAGES);
			bool set = prng_below(&p, 2);

			assert_int_equal(set ? page_bitmap_test_and_set(&b, w, page)
					     : page_bitmap_test_and_clear(&b, w, page),
					 want[page]);
			want[page] = set;
		}
		same_as(&b, want);
	}
	page_bitmap_free(&b, w);
}

static void
random_steps(void **state)
{
	in_world(random_steps_body);
}

static void
edges_body(struct world *w, void *arg)
{
	struct page_bitmap b;
	static const uint64_t edge[] = {
		0, 63, 64, PAGE_BITMAP_CHUNK_PAGES - 1, PAGE_BITMAP_CHUNK_PAGES, PAGES - 1
	};

	page_bitmap_init(&b, w, PAGES);
	for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++) {
		assert_false(page_bitmap_test_and_set(&b, w, edge[i]));
		assert_true(page_bitmap_test_and_set(&b, w, edge[i]));
		assert_int_equal(b.set, i + 1);
		assert_int_equal(page_bitmap_next(&b, edge[i]), edge[i]);
	}
	/* All ones, then one taken out of the chunk that is not whole. */
	page_bitmap_fill(&b, w);
	assert_int_equal(b.set, PAGES);
	assert_true(page_bitmap_test_and_clear(&b, w, PAGES - 1));
	assert_int_equal(page_bitmap_next(&b, PAGES - 1), PAGES);
	assert_int_equal(b.set, PAGES - 1);
	page_bitmap_free(&b, w);
	page_bitmap_init(&b, w, 1);
	page_bitmap_fill(&b, w);
	assert_int_equal(page_bitmap_next(&b, 0), 0);
	assert_int_equal(page_bitmap_next(&b, 1), 1);
	page_bitmap_free(&b, w);
}

static void
edges(void **state)
{
	in_world(edges_body);
}

static void
move_body(struct world *w, void *arg)
{
	struct page_bitmap from, to;

	page_bitmap_init(&from, w, 100);
	page_bitmap_init(&to, w, PAGES);
	page_bitmap_test_and_set(&from, w, 0);
	page_bitmap_test_and_set(&from, w, 99);
	page_bitmap_test_and_set(&to, w, 32700);
	page_bitmap_test_and_set(&to, w, 5);
	assert_int_equal(page_bitmap_move(&from, &to, 32700, w), 1);
	assert_int_equal(from.set, 0);
	assert_int_equal(page_bitmap_next(&from, 0), 100);
	assert_int_equal(to.set, 3);
	assert_true(page_bitmap_test(&to, 5) && page_bitmap_test(&to, 32700));
	assert_true(page_bitmap_test(&to, 32799));
	/* A whole one, into a part and into its like. */
	page_bitmap_fill(&from, w);
	assert_int_equal(page_bitmap_move(&from, &to, PAGES - 100, w), 100);
	assert_true(page_bitmap_test(&to, PAGES - 1) && !page_bitmap_test(&to, PAGES - 101));
	page_bitmap_free(&from, w);
	page_bitmap_init(&from, w, PAGES);
	page_bitmap_fill(&from, w);
	assert_int_equal(page_bitmap_move(&from, &to, 0, w), PAGES - 103);
	assert_int_equal(to.set, PAGES);
	page_bitmap_free(&from, w);
	page_bitmap_free(&to, w);
}

static void
move(void **state)
{
	in_world(move_body);
}

/* A 4 TiB guest: 1 Gi pages, made and dropped often, written in few places. */
static void
cost_body(struct world *w, void *arg)
{
	uint64_t npages = UINT64_C(1) << 30;
	size_t once = 0;

	for (int i = 0; i < 100; i++) {
		struct page_bitmap b;

		page_bitmap_init(&b, w, npages);
		page_bitmap_fill(&b, w);
		page_bitmap_clear_all(&b, w);
		page_bitmap_test_and_set(&b, w, npages - 1);
		page_bitmap_test_and_set(&b, w, npages / 2);
		assert_int_equal(page_bitmap_next(&b, 0), npages / 2);
		page_bitmap_free(&b, w);
		if (!i)
			once = arena_used(world_arena(w));
	}
	assert_int_equal(arena_used(world_arena(w)), once);
	assert_true(once < 4u << 20);
}

static void
cost(void **state)
{
	in_world(cost_body);
}

/* Bits of each density and whole chunks, at offsets that are aligned to all or nothing. */
static void
or_body(struct world *w, void *arg)
{
	static const uint64_t offsets[] = {
		0, 1, 63, 64, 77, PAGE_BITMAP_CHUNK_PAGES, PAGE_BITMAP_CHUNK_PAGES + 5
	};
	struct prng p;

	prng_seed(&p, 3);
	for (unsigned round = 0; round < 70; round++) {
		uint64_t offset = offsets[round % 7];
		struct page_bitmap from, to, moved, mask;
		uint64_t fresh = 0;

		page_bitmap_init(&from, w, PAGES - offset);
		page_bitmap_init(&mask, w, PAGES);
		page_bitmap_init(&to, w, PAGES);
		page_bitmap_init(&moved, w, PAGES);
		memset(want, 0, sizeof(want));
		if (round % 3 == 1)
			page_bitmap_fill(&from, w);
		if (round % 5 == 1)
			page_bitmap_fill(&mask, w);
		for (unsigned i = 0; i < 30u << round % 10; i++) {
			uint64_t page = prng_below(&p, (uint32_t)(PAGES - offset));

			/* Chunks that have nothing in them, too. */
			if (round % 4 && !(round % 2 && page < PAGE_BITMAP_CHUNK_PAGES))
				want[page] |= !page_bitmap_test_and_set(&to, w, page);
			page = prng_below(&p, (uint32_t)(PAGES - offset));
			page_bitmap_test_and_set(&from, w, page);
			page_bitmap_test_and_set(&mask, w, prng_below(&p, PAGES));
		}
		for (uint64_t i = 0; i < PAGES - offset; i++) {
			if (!page_bitmap_test(&from, i))
				continue;
			fresh += !want[offset + i];
			want[offset + i] = true;
		}
		page_bitmap_or(&to, &moved, 0, w);
		assert_int_equal(page_bitmap_or(&from, &to, offset, w), fresh);
		same_as(&to, want);
		assert_int_equal(page_bitmap_move(&from, &moved, offset, w), fresh);
		same_as(&moved, want);
		assert_int_equal(from.set, 0);
		assert_int_equal(page_bitmap_next(&from, 0), PAGES - offset);
		for (uint64_t i = 0; i < PAGES; i++)
			want[i] &= !page_bitmap_test(&mask, i);
		page_bitmap_andnot(&to, &mask, w);
		same_as(&to, want);
		page_bitmap_free(&from, w);
		page_bitmap_free(&mask, w);
		page_bitmap_free(&to, w);
	}
}

static void
or_and_andnot(void **state)
{
	in_world(or_body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps),	 cmocka_unit_test(edges), cmocka_unit_test(move),
		cmocka_unit_test(or_and_andnot), cmocka_unit_test(cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
