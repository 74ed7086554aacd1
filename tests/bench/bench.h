/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmarks share: a clock, and the line that `make bench` prints for a figure.  Each
 * figure is the best of BENCH_ROUNDS rounds: on a shared machine the fastest round is the one least
 * disturbed.
 */
#ifndef RINGSIDE_TESTS_BENCH_H
#define RINGSIDE_TESTS_BENCH_H

#include <stdio.h>
#include <time.h>

#define BENCH_ROUNDS 5

static inline double
bench_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static inline void
bench_print(const char *operation, double rate, const char *unit)
{
	printf("%s\t%.4g\t%s\n", operation, rate, unit);
	fflush(stdout);
}

/* The best of BENCH_ROUNDS calls of @round, which returns operations a second. */
static inline double
bench_best(double (*round)(long arg), long arg)
{
	double best = 0;

	for (int i = 0; i < BENCH_ROUNDS; i++) {
		double rate = round(arg);

		best = rate > best ? rate : best;
	}
	return best;
}

#endif
