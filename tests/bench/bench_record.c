/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recorded events a second into SQLite, all of it: from record_open() to the closed file. */
#include "bench.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "record/record.h"

#define BATCH 1024
#define PATH "bench-record.db" /* in the current folder: a disk, as results are */

static struct event events[BATCH];

/* The mix of a recorded ring run: mostly loads and stores with four arguments. */
static void
events_fill(uint64_t from)
{
	for (uint64_t i = 0; i < BATCH; i++) {
		uint64_t n = from + i;

		events[i] = (struct event){
			.step = n / 2,
			.time_ns = (int64_t)n * 60,
			.actor = 1 + n % 3,
			.kind = n % 4 == 0   ? EV_ACTOR_WAKE
				: n % 4 == 1 ? EV_STORE
					     : EV_LOAD,
			.arg = { (int64_t)(0x1000 + n % 512 * 2), 2, (int64_t)(n % 65536),
				 (int64_t)(0x21a40 + n % 64 * 4), 0 },
		};
		if (n % 4 == 0)
			events[i].arg[3] = 0;
	}
}

static double
recorded_events(long count)
{
	struct run_info info = { .scenario = "bench", .version = "bench" };
	struct run_result result = { .verdict = "ok" };
	struct error err;
	double start, generate = 0;
	struct record *r;

	unlink(PATH);
	start = bench_seconds();
	r = record_open(PATH, &err);
	if (!r || record_run_begin(r, &info, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	for (long i = 0; i < count; i += BATCH) {
		double t = bench_seconds();

		events_fill((uint64_t)i);
		generate += bench_seconds() - t;
		record_sink(r, events, BATCH);
	}
	if (record_run_end(r, &result, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	record_close(r);

	double seconds = bench_seconds() - start - generate;

	unlink(PATH);
	return (double)count / seconds;
}

int
main(void)
{
	bench_print("recorded events into SQLite", bench_best(recorded_events, 2 << 20),
		    "events/s");
	return 0;
}
