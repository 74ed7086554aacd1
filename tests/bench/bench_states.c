/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long `states` takes to be complete, and states a second: the wake-up ring, whole rings. */
#include <stdlib.h>

#include "bench_complete.h"
#include "datapath/registry.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "oracle/oracle.h"

static const struct datapath *datapath;

static void
setup_rings(struct world *w, void *arg)
{
	struct raw_config config = { .name = "vq0",
				     .driver = datapath,
				     .device = datapath,
				     .size = 4,
				     .buffers = (unsigned)*(const long *)arg };

	oracle_attach(w);
	gm_create(w, 1 << 20);
	oracle_watch_raw(w, raw_pair_create(w, &config));
}

static enum verdict
judge_rings(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return oracle_judge(w, stop, f);
}

static double
round_rate(long n)
{
	uint64_t states;
	double seconds = bench_complete(&strategy_states, setup_wakeup, judge_wakeup, n, &states);

	return (double)states / seconds;
}

static double
round_wakeup(long n)
{
	uint64_t states;

	return 1 / bench_complete(&strategy_states, setup_wakeup, judge_wakeup, n, &states);
}

static double
round_rings(long n)
{
	uint64_t states;

	return 1 / bench_complete(&strategy_states, setup_rings, judge_rings, n, &states);
}

int
main(void)
{
	struct error err;

	bench_print("states, wake-up ring N=8, tso", bench_best(round_rate, 8), "states/s");
	bench_print("states, wake-up ring N=8, tso, complete", 1 / bench_best(round_wakeup, 8),
		    "s");
	bench_print("states, native rings, 3 buffers, tso, complete",
		    1 / bench_best(round_rings, 3), "s");
	datapath = datapath_find("linux", &err);
	if (datapath)
		bench_print("states, Linux virtio_ring.c and vringh.c, 3 buffers, tso, complete",
			    1 / bench_best(round_rings, 3), "s");
	return 0;
}
