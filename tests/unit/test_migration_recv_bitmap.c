/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The destination's word of what it received: sizes, byte order, end mark, damaged messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "migration/recv_bitmap.h"

#define PAGES 1000u

static void
in_world(void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

/* Any part of a bitmap, from any page on, of any length: the same bits come out. */
static void
round_trip(struct world *w, void *arg)
{
	static const uint64_t lengths[] = { 1, 7, 8, 63, 64, 65, 128, 500 };
	struct page_bitmap b;
	struct prng r;

	prng_seed(&r, 7);
	page_bitmap_init(&b, w, PAGES);
	for (unsigned i = 0; i < PAGES / 3; i++)
		page_bitmap_test_and_set(&b, w, prng_next(&r) % PAGES);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint64_t first = prng_next(&r) % (PAGES - lengths[i]);
		uint8_t message[256];
		size_t size = recv_bitmap_bytes(lengths[i]);

		assert_true(size <= sizeof(message));
		assert_int_equal(size % 8, 0);
		recv_bitmap_encode(&b, first, lengths[i], false, message);
		assert_int_equal(recv_bitmap_check(message, size, lengths[i]), RECV_BITMAP_OK);
		for (uint64_t page = 0; page < lengths[i]; page++)
			assert_int_equal(recv_bitmap_test(message, page),
					 page_bitmap_test(&b, first + page));
	}
}

static void
damaged(struct world *w, void *arg)
{
	struct page_bitmap b;
	uint8_t message[64];
	size_t size = recv_bitmap_bytes(66);

	page_bitmap_init(&b, w, 66);
	page_bitmap_test_and_set(&b, w, 0);
	page_bitmap_test_and_set(&b, w, 65);
	recv_bitmap_encode(&b, 0, 66, false, message);
	assert_int_equal(size, 32);
	/* The wire, byte for byte: size, bit 0, bit 65, mark. */
	assert_memory_equal(message,
			    "\0\0\0\0\0\0\0\x10\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
			    "\x01\x23\x45\x67\x89\xab\xcd\xef",
			    32);
	/* Of a block that grew or shrank by a word. */
	assert_int_equal(recv_bitmap_check(message, size, 64), RECV_BITMAP_SIZE);
	assert_int_equal(recv_bitmap_check(message, size, 129), RECV_BITMAP_SIZE);
	assert_int_equal(recv_bitmap_check(message, size, 128), RECV_BITMAP_OK);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(recv_bitmap_check(message, n, 66), RECV_BITMAP_SHORT);
	for (size_t n = size - 8; n < size; n++) {
		message[n] ^= 1;
		assert_int_equal(recv_bitmap_check(message, size, 66), RECV_BITMAP_MARK);
		message[n] ^= 1;
	}
}

/* Words of a big-endian host as they are: bits move within their word, and none is lost. */
static void
native(struct world *w, void *arg)
{
	struct page_bitmap b;
	uint8_t right[32], wrong[32];

	page_bitmap_init(&b, w, 66);
	page_bitmap_test_and_set(&b, w, 3);
	recv_bitmap_encode(&b, 0, 66, false, right);
	recv_bitmap_encode(&b, 0, 66, true, wrong);
	assert_int_equal(recv_bitmap_check(wrong, sizeof(wrong), 66), RECV_BITMAP_OK);
	assert_true(recv_bitmap_test(right, 3) && !recv_bitmap_test(wrong, 3));
	assert_true(recv_bitmap_test(wrong, 59));
}

static void
test_round_trip(void **state)
{
	in_world(round_trip);
}

static void
test_damaged(void **state)
{
	in_world(damaged);
}

static void
test_native(void **state)
{
	in_world(native);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_native),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
