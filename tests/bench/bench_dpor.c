/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Executions of `dpor` a second, and how long it takes to be complete: the wake-up ring. */
#include <stdlib.h>

#include "bench_complete.h"

static double
round_rate(long n)
{
	uint64_t executions;
	double seconds = bench_complete(&strategy_dpor, setup_wakeup, judge_wakeup, n, &executions);

	return (double)executions / seconds;
}

static double
round_runs(long n)
{
	uint64_t executions;

	return 1 / bench_complete(&strategy_dpor, setup_wakeup, judge_wakeup, n, &executions);
}

int
main(void)
{
	bench_print("dpor, wake-up ring n = 4, tso", bench_best(round_rate, 4), "executions/s");
	bench_print("dpor, wake-up ring n = 5, tso, complete", 1 / bench_best(round_runs, 5), "s");
	return 0;
}
