/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory by versions, and sets of pages by words, against plain arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "kvm/page_words.h"
#include "migration/md5.h"
#include "migration/ram.h"
#include "migration/xbzrle.h"

#define PAGES 2000u /* four chunks, the last one short */

static void
in_world(void (*body)(struct world *w, void *arg))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, body, NULL, &err), 0);
	world_destroy(w);
}

static struct ram *
make(struct world *w, uint64_t pages)
{
	return ram_create(w, &(struct ram_block){ .name = "pc.ram", .pages = pages }, 1);
}

static void
against_array_body(struct world *w, void *arg)
{
	static ram_content slow[PAGES], slow_dst[PAGES];
	struct ram *r = make(w, PAGES), *dst = make(w, PAGES);
	struct prng prng;

	memset(slow, 0, sizeof(slow));
	memset(slow_dst, 0, sizeof(slow_dst));
	prng_seed(&prng, 1);
	for (int i = 0; i < 20000; i++) {
		uint32_t page = prng_below(&prng, PAGES), n = prng_below(&prng, PAGES - page) + 1;
		uint64_t word = page / 64, mask = prng_next(&prng);

		switch (prng_below(&prng, 8)) {
		case 0: {
			ram_content c = ram_fill(r, page, n, prng_below(&prng, 2));

			for (uint32_t p = page; p < page + n; p++)
				slow[p] = c;
			break;
		}
		case 1:
			ram_store(r, page, slow[page] = RAM_ZERO);
			break;
		case 2:
		case 3:
			if ((word + 1) * 64 > PAGES)
				break;
			if (prng_below(&prng, 2))
				mask = UINT64_MAX;

			unsigned zeros = 0, touched = 0;
			uint64_t before = ram_touched(dst);

			for (unsigned b = 0; b < 64; b++) {
				if (!(mask >> b & 1))
					continue;
				touched += slow[word * 64 + b] && !slow_dst[word * 64 + b];
				slow_dst[word * 64 + b] = slow[word * 64 + b];
				zeros += !slow[word * 64 + b];
			}
			assert_int_equal(ram_copy_word(dst, r, word, mask), zeros);
			assert_int_equal(ram_touched(dst) - before, touched);
			break;
		default:
			slow[page] = ram_write(r, page, 7);
			assert_int_equal(ram_writer_of(slow[page]), 7);
		}
		assert_int_equal(ram_read(r, page), slow[page]);
		if (i % 100)
			continue;
		for (uint32_t p = 0; p < PAGES; p++) {
			assert_int_equal(ram_read(r, p), slow[p]);
			assert_int_equal(ram_read(dst, p), slow_dst[p]);
		}
		for (n = page; n < PAGES && slow[n] == slow_dst[n];)
			n++;
		assert_int_equal(ram_next_difference(r, dst, page), n);
	}
}

static void
test_against_array(void **state)
{
	in_world(against_array_body);
}

/* The same memory has the same digest, however its chunks came to be. */
static void
digest_body(struct world *w, void *arg)
{
	struct ram *a = make(w, PAGES), *b = make(w, PAGES);
	char x[64], y[64];

	ram_content c = ram_fill(a, 0, PAGES, 1);

	for (uint64_t p = 0; p < PAGES; p++)
		ram_store(b, p, c);
	assert_string_equal(ram_block_digest_text(a, 0, x, sizeof(x)),
			    ram_block_digest_text(b, 0, y, sizeof(y)));
	assert_int_equal(strncmp(x, "xxh3 : pc.ram: ", 15), 0);
	ram_write(b, PAGES - 1, 2);
	assert_true(ram_block_digest(a, 0) != ram_block_digest(b, 0));
}

static void
test_digest(void **state)
{
	in_world(digest_body);
}

/* A guest of 4 TiB, full, in less than what its directory takes and a little. */
static void
sparse_body(struct world *w, void *arg)
{
	uint64_t pages = UINT64_C(1) << 30;
	struct ram *a = make(w, pages), *b = make(w, pages);

	ram_fill(a, 0, pages, 1);
	for (uint64_t word = 0; word < pages / 64; word += pages / 64 / 4096 * 8)
		for (uint64_t n = 0; n < 8; n++)
			ram_copy_word(b, a, word + n, UINT64_MAX);
	assert_int_equal(ram_bytes_used(a), pages / RAM_CHUNK_PAGES * 16);
	assert_int_equal(ram_bytes_used(b), pages / RAM_CHUNK_PAGES * 16);
	assert_int_equal(ram_next_difference(a, b, 0), 512);
}

static void
test_sparse(void **state)
{
	in_world(sparse_body);
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void
assert_md5(const char *text, size_t size, const char *hex)
{
	uint8_t digest[MD5_BYTES];
	char got[2 * MD5_BYTES + 1];
	struct md5 m;

	md5_init(&m);
	for (size_t at = 0, n = 1; at < size; at += n, n = n * 3 % 71) {
		n = n < size - at ? n : size - at;
		md5_add(&m, text + at, n);
	}
	md5_end(&m, digest);
	for (unsigned i = 0; i < MD5_BYTES; i++)
		snprintf(got + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(got, hex);
}

/* RFC 1321 A.5. */
static void
test_md5(void **state)
{
	const char *digits =
		"1234567890123456789012345678901234567890123456789012345678901234567890"
		"1234567890";

	assert_md5("", 0, "d41d8cd98f00b204e9800998ecf8427e");
	assert_md5("abc", 3, "900150983cd24fb0d6963f7d28e17f72");
	assert_md5("message digest", 14, "f96b697d7cb7938d525a2f31aaf161d0");
	assert_md5(digits, 80, "57edf4a22be3c955ac49da2e2107b67a");
}

static void
bytes_body(struct world *w, void *arg)
{
	struct ram *r = make(w, 300), *dst = make(w, 300);
	uint8_t bytes[RAM_PAGE_BYTES], zero[RAM_PAGE_BYTES] = { 0 };
	char text[96];

	ram_share_bytes(dst, r);
	/* MD5 of 300 zero pages, as md5sum says. */
	assert_string_equal(ram_block_md5_text(dst, 0, text, sizeof(text)),
			    "md5 : pc.ram: cf2ef71f4a9e90c2f6013ba3b2257ed2");
	for (uint64_t p = 0; p < 300; p++) {
		ram_content c = ram_store_bytes(r, p, (unsigned)p, "kvmvapic", 8, 1);

		assert_true(ram_has_bytes(r, c));
		/* Page and place differ, or all is the same. */
		assert_int_equal(ram_store_bytes(r, p, (unsigned)p, "kvmvapic", 8, 2), c);
		ram_store(dst, p, c);
		ram_bytes_of(dst, c, bytes);
		assert_memory_equal(bytes + p, "kvmvapic", 8);
		assert_true(!p || !bytes[p - 1]);
	}
	assert_int_equal(ram_store_bytes(r, 0, 0, zero, 8, 1), RAM_ZERO);
	assert_int_equal(ram_store_bytes(r, 1, 0, "\0kvmvapic", 9, 1), ram_read(dst, 1));
	assert_int_equal(ram_next_difference(r, dst, 0), 0);
	/* A write that did not say what has bytes, too, and keeps the rest of them. */
	ram_content c = ram_write(r, 5, 1);

	ram_bytes_of(r, c, bytes);
	assert_memory_not_equal(bytes, zero, sizeof(zero));
	ram_store_bytes(r, 5, 0, zero, 1, 1);

	uint8_t changed[RAM_PAGE_BYTES];

	ram_bytes_of(r, ram_read(r, 5), changed);
	assert_memory_equal(bytes + 1, changed + 1, sizeof(bytes) - 1);
}

static void
test_bytes(void **state)
{
	in_world(bytes_body);
}

static void
test_xbzrle(void **state)
{
	uint8_t a[RAM_PAGE_BYTES] = { 0 }, b[RAM_PAGE_BYTES] = { 0 };

	assert_int_equal(xbzrle_encoded_bytes(a, b, sizeof(a)), 0);
	b[0] = 1; /* zrun 0, nzrun 1, the byte */
	assert_int_equal(xbzrle_encoded_bytes(a, b, sizeof(a)), 3);
	b[1000] = 1; /* zrun 999 takes two */
	assert_int_equal(xbzrle_encoded_bytes(a, b, sizeof(a)), 3 + 4);
	memset(b, 1, sizeof(b));
	assert_int_equal(xbzrle_encoded_bytes(a, b, sizeof(a)), -1);
	memset(b, 0, 1000); /* zrun 1000, nzrun 3096: two each */
	assert_int_equal(xbzrle_encoded_bytes(a, b, sizeof(a)), 2 + 2 + 3096);
}

/* --- sets by words -------------------------------------------------------------------------- */

#define BITS (3 * PAGE_BITMAP_CHUNK_PAGES + 100)

static uint64_t
count(const bool *slow)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < BITS; i++)
		n += slow[i];
	return n;
}

static void
words_body(struct world *w, void *arg)
{
	static bool from_slow[BITS], to_slow[BITS];
	struct page_bitmap from, to;
	struct prng prng;

	page_bitmap_init(&from, w, BITS);
	page_bitmap_init(&to, w, BITS);
	prng_seed(&prng, 2);
	for (int i = 0; i < 300; i++) {
		uint64_t first = prng_below(&prng, BITS), n = prng_below(&prng, 5000), added = 0;
		uint64_t cleared = 0, before = count(to_slow);

		n = n < BITS - first ? n : BITS - first;
		for (uint64_t p = first; p < first + n; p++) {
			page_bitmap_test_and_set(&from, w, p);
			from_slow[p] = true;
		}
		if (i % 50 == 49) {
			page_bitmap_fill(&from, w);
			memset(from_slow, true, sizeof(from_slow));
		}
		for (uint64_t p = 0; p < BITS; p++)
			to_slow[p] |= from_slow[p];
		if (i % 3) {
			added = page_bitmap_move(&from, &to, 0, w);
			memset(from_slow, false, sizeof(from_slow));
		} else {
			page_bitmap_or(&from, &to, 0, w);
			added = count(to_slow) - before;
		}
		assert_int_equal(added, count(to_slow) - before);
		assert_int_equal(from.set, count(from_slow));
		first = prng_below(&prng, BITS);
		n = prng_below(&prng, (uint32_t)(BITS - first));
		for (uint64_t p = first; p < first + n; p++) {
			cleared += to_slow[p];
			to_slow[p] = false;
		}
		assert_int_equal(page_words_clear_range(&to, w, first, n), cleared);
		assert_int_equal(to.set, count(to_slow));
		for (uint64_t p = 0; p < BITS; p += 61)
			assert_int_equal(page_words_get(&to, p / 64) >> p % 64 & 1, to_slow[p]);
	}
	for (uint64_t p = 0; p < BITS; p++)
		assert_int_equal(page_bitmap_test(&to, p), to_slow[p]);
}

static void
test_words(void **state)
{
	in_world(words_body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array), cmocka_unit_test(test_digest),
		cmocka_unit_test(test_sparse),	      cmocka_unit_test(test_md5),
		cmocka_unit_test(test_bytes),	      cmocka_unit_test(test_xbzrle),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
