/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorded migration of a 512 MiB guest: seconds of the guest a second of wall time, as the
 * model predicts it, and as the recording is replayed against the models (of it the migration
 * counts, not the quiet time around it).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "bench.h"
#include "engine/world.h"
#include "script/scenario.h"
#include "trace/replay_machine.h"
#include "trace/trace.h"

static struct recording recording;

static void
fail(const struct error *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(2);
}

/* Setting up is not counted, judging is not either. */
static double
predicted(long unused)
{
	const struct scenario_variant *variant;
	struct scenario_values values;
	struct scenario s;
	struct error err;
	struct world *w = NULL;
	double start, rate;

	if (scenario_load("scenarios/migration/predict-tcg-linux.lua", &s, &err))
		fail(&err);
	variant = scenario_find_variant(&s, "as_recorded", &err);
	scenario_values_init(&values, &s, variant);
	if (variant)
		w = scenario_set_up(&s, variant, &values, NULL, &err);
	if (!w)
		fail(&err);
	start = bench_seconds();
	must(world_run(w) == STOP_QUIESCENT);
	rate = (double)world_now(w) * 1e-9 / (bench_seconds() - start);
	world_destroy(w);
	scenario_values_free(&values);
	scenario_free(&s);
	return rate;
}

static double
replayed(long unused)
{
	struct machine_replay *p;
	struct error err;
	double start = bench_seconds(), rate;

	p = machine_replay_create(&recording, &err);
	if (!p || machine_replay_run(p, &err))
		fail(&err);
	rate = (double)machine_replay_figures(p)->migration_ns * 1e-9 / (bench_seconds() - start);
	machine_replay_destroy(p);
	return rate;
}

int
main(void)
{
	struct trace_options options = { 0 };
	struct error err;

	if (trace_open_with("traces/qemu-migrate-tcg-linux.src.log", &options, &recording, &err))
		fail(&err);
	bench_print("migration: 512 MiB guest as recorded, predicted", bench_best(predicted, 0),
		    "guest s/s");
	bench_print("migration: 512 MiB guest as recorded, replayed", bench_best(replayed, 0),
		    "guest s/s");
	recording_free(&recording);
	return 0;
}
