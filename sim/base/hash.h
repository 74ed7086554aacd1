/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XXH3, inlined into its few users.  Digests are 64 bits, computed over little-endian records, and
 * printed as 16 hexadecimal digits.
 */
#ifndef RINGSIDE_BASE_HASH_H
#define RINGSIDE_BASE_HASH_H

#include <stdint.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t
hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, size, seed);
}

/* A bijection on 64 bits (the finalizer of splitmix64): for keys that are numbers. */
static inline uint64_t
hash_u64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

#endif
