/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operation-list fuzzers share.  A fuzzer is `fuzz_NOUN [rounds] [seed]`: each round makes
 * a list of operations from (seed, round), applies it to the real thing and to a slow obvious
 * model, and compares after each operation.  A mismatch prints what reproduces it and exits with 1.
 */
#ifndef RINGSIDE_TESTS_FUZZ_H
#define RINGSIDE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"

struct fuzz {
	const char *name;
	uint64_t seed, round;
	uint64_t operation;
	struct prng prng;
};

static inline uint32_t
fuzz_below(struct fuzz *f, uint32_t n)
{
	return prng_below(&f->prng, n);
}

#define fuzz_check(f, condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, \
				"%s:%d: %s: round %llu, operation %llu: %s does not hold\n" \
				"repeat with: fuzz_%s 1 %llu\n", \
				__FILE__, __LINE__, (f)->name, (unsigned long long)(f)->round, \
				(unsigned long long)(f)->operation, #condition, (f)->name, \
				(unsigned long long)((f)->seed + (f)->round)); \
			exit(1); \
		} \
	} while (0)

/* Round r of seed s is round 0 of seed s + r: a failing round is repeated alone. */
static inline int
fuzz_main(int argc, char **argv, const char *name, uint64_t rounds, void (*round)(struct fuzz *f))
{
	struct fuzz f = { .name = name, .seed = 1 };

	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		f.seed = strtoull(argv[2], NULL, 0);
	for (f.round = 0; f.round < rounds; f.round++) {
		prng_seed(&f.prng, f.seed + f.round);
		f.operation = 0;
		round(&f);
	}
	printf("fuzz_%s: %llu rounds from seed %llu agree\n", name, (unsigned long long)rounds,
	       (unsigned long long)f.seed);
	return 0;
}

#endif
