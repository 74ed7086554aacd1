/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xoshiro256++ seeded by splitmix64 (Blackman and Vigna, 2019).  The one source of randomness:
 * every user owns its state, so that two worlds never share a stream.
 */
#ifndef RINGSIDE_BASE_PRNG_H
#define RINGSIDE_BASE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t s[4];
};

static inline uint64_t
prng_splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline void
prng_seed(struct prng *p, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		p->s[i] = prng_splitmix(&seed);
}

static inline uint64_t
prng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t
prng_next(struct prng *p)
{
	uint64_t *s = p->s;
	uint64_t result = prng_rotl(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = prng_rotl(s[3], 45);
	return result;
}

/*
 * A number in [0, n), n > 0.  Multiply-shift without rejection: the bias is below n / 2^32, far
 * under what any test of ours could see, and the cost is one multiplication.
 */
static inline uint32_t
prng_below(struct prng *p, uint32_t n)
{
	return (uint32_t)(((prng_next(p) >> 32) * n) >> 32);
}

#endif
