/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bitmaps of 64-bit words, bit i in word i / 64 at position i % 64: the layout in which KVM returns
 * a dirty log on a little-endian host.  The caller owns the words.
 */
#ifndef RINGSIDE_BASE_BITMAP_H
#define RINGSIDE_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t
bitmap_words(uint64_t bits)
{
	return (size_t)((bits + 63) / 64);
}

static inline void
bitmap_set(uint64_t *map, uint64_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void
bitmap_clear(uint64_t *map, uint64_t bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static inline bool
bitmap_test(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline bool
bitmap_test_and_set(uint64_t *map, uint64_t bit)
{
	bool old = bitmap_test(map, bit);

	bitmap_set(map, bit);
	return old;
}

static inline bool
bitmap_test_and_clear(uint64_t *map, uint64_t bit)
{
	bool old = bitmap_test(map, bit);

	bitmap_clear(map, bit);
	return old;
}

/* Number of set bits among the first @bits. Bits past the end must be clear. */
static inline uint64_t
bitmap_count(const uint64_t *map, uint64_t bits)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bitmap_words(bits); i++)
		n += (uint64_t)__builtin_popcountll(map[i]);
	return n;
}

/* The first set bit at or after @from, or @bits if there is none. */
static inline uint64_t
bitmap_next(const uint64_t *map, uint64_t bits, uint64_t from)
{
	if (from >= bits)
		return bits;
	uint64_t word = map[from / 64] & (~UINT64_C(0) << (from % 64));
	size_t i = (size_t)(from / 64);

	while (!word) {
		if (++i >= bitmap_words(bits))
			return bits;
		word = map[i];
	}
	uint64_t bit = i * 64 + (uint64_t)__builtin_ctzll(word);
	return bit < bits ? bit : bits;
}

#endif
