/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside run TRACE of a recording of a machine: figures, and where the models disagree; with
 * --schedule, the order that `explore` has found.
 */
#include <string.h>

#include "cli/command.h"
#include "cli/run_trace.h"
#include "cli/runner.h"
#include "cli/trace_around.h"
#include "explore/replay.h"
#include "trace/replay_machine.h"

struct metrics {
	struct record *r;
	struct error *err;
	int failed;
};

static void
record_figure(void *context, const char *name, int64_t value, const char *unit)
{
	struct metrics *m = context;

	if (!m->failed)
		m->failed = record_metric(m->r, name, value, unit, m->err);
}

static int
record_disagreements(struct record *r, const struct machine_replay *p,
		     const struct recording *recording, struct error *err)
{
	const struct disagreements *d = machine_replay_disagreements(p);

	for (uint64_t i = 0; i < d->kept; i++) {
		const struct disagreement *x = &d->item[i];
		char message[256];
		struct run_violation v = { .oracle = x->oracle,
					   .statement = x->oracle,
					   .severity = "must",
					   .time_ns = x->time_ns,
					   .actor = recording->thread[x->thread],
					   .subject = x->subject,
					   .message = message,
					   .schedule = "" };

		snprintf(message, sizeof(message), "line %llu: %s", (unsigned long long)x->line,
			 x->message);
		if (record_violation(r, &v, err))
			return -1;
	}
	return 0;
}

static int
replay(const struct options *o, struct machine_replay *p, const struct recording *recording,
       struct record *r, struct error *err)
{
	struct run_info info = { .scenario = o->args[0],
				 .variant = recording->format,
				 .strategy = "run",
				 .memory = "sc",
				 .datapath = "",
				 .expected = "",
				 .version = runner_version(),
				 .seed = o->seed };
	struct run_result run = { .schedules = 1 };
	struct world *w = machine_replay_world(p);
	struct metrics m = { r, err, 0 };
	int64_t began = runner_clock(NULL);
	struct event_tap tap;

	if (record_run_begin(r, &info, err) < 0)
		return EXIT_USAGE;
	event_tap_open(&tap, w, o, record_keeps(r) ? record_sink : NULL, r);
	if (machine_replay_run(p, err))
		return EXIT_USAGE;
	world_flush(w);
	if (!o->quiet)
		machine_replay_report(p, stdout);
	run.verdict = verdict_name[machine_replay_verdict(p)];
	run.steps = world_step(w);
	run.sim_time_ns = world_now(w);
	run.digest = world_digest(w);
	run.wall_ns = runner_clock(NULL) - began;
	machine_replay_each(p, record_figure, &m);
	if (m.failed || record_disagreements(r, p, recording, err) || record_names(r, w, err) ||
	    record_run_end(r, &run, err))
		return EXIT_USAGE;
	return machine_replay_verdict(p) == VERDICT_OK ? EXIT_HELD : EXIT_BROKEN;
}

/* --- another order ---------------------------------------------------------------------------- */

static int
record_order(const struct trace_around *t, const struct options *o, const struct finding *f,
	     bool lost, struct record *r, struct error *err)
{
	struct run_result run = { .verdict =
					  verdict_name[lost ? VERDICT_DIRTY_PAGE_LOST : VERDICT_OK],
				  .schedules = 1,
				  .steps = world_step(t->world),
				  .sim_time_ns = world_now(t->world),
				  .digest = world_digest(t->world) };
	struct run_violation v = { .oracle = "dirty-page-lost",
				   .statement = "dirty-page-lost",
				   .severity = "must",
				   .step = run.steps,
				   .time_ns = run.sim_time_ns,
				   .actor = "qemu",
				   .subject = f->subject,
				   .message = f->message,
				   .schedule = o->schedule };

	if ((lost && record_violation(r, &v, err)) || record_names(r, t->world, err))
		return -1;
	return record_run_end(r, &run, err);
}

/* By the schedule that `explore` has printed. */
static int
replay_order(const struct options *o, const struct trace_around *t, struct record *r,
	     struct error *err)
{
	struct run_info info = trace_around_info(o, t, "replay");
	struct schedule schedule = { 0 };
	struct finding f = { 0 };
	struct divergence div;
	struct event_tap tap;
	bool lost;

	if (schedule_parse(&schedule, o->schedule, strlen(o->schedule), err)) {
		error_prefix(err, "--schedule");
		return EXIT_USAGE;
	}
	if (record_run_begin(r, &info, err) < 0)
		return EXIT_USAGE;
	event_tap_open(&tap, t->world, o, record_keeps(r) ? record_sink : NULL, r);
	if (replay_run(t->world, &schedule, NULL, NULL, &div)) {
		schedule_free(&schedule);
		error_set(err, "diverged: %s", div.text);
		return EXIT_DIVERGED;
	}
	schedule_free(&schedule);
	world_flush(t->world);
	lost = t->lost(t->p, &f);
	if (!o->quiet) {
		t->print_head(t, stdout);
		t->report_order(t->p, stdout, UINT32_MAX);
		if (lost)
			printf("subject: %s\nmessage: %s\n", f.subject, f.message);
		printf("verdict: %s\n", verdict_name[lost ? VERDICT_DIRTY_PAGE_LOST : VERDICT_OK]);
	}
	if (record_order(t, o, &f, lost, r, err))
		return EXIT_USAGE;
	return lost ? EXIT_BROKEN : EXIT_HELD;
}

static int
run_order(const struct options *o, const struct recording *recording, struct error *err)
{
	enum qemu_era from, to;
	struct trace_around t;
	struct record *r;
	int status = EXIT_USAGE;

	if (trace_era(o, &from, &to, err))
		return EXIT_USAGE;
	if (from != to || !o->schedule) {
		error_set(err,
			  "%s: --set qemu=NAME and --schedule LINE go together; see: ringside "
			  "explore",
			  o->args[0]);
		return EXIT_USAGE;
	}
	if (trace_around_precopy(&t, recording, from, err))
		return EXIT_USAGE;
	r = record_open(o->db, err);
	if (r)
		status = replay_order(o, &t, r, err);
	trace_around_close(&t);
	record_close(r);
	return status;
}

int
run_trace_machine(const struct options *o, const struct recording *recording, struct error *err)
{
	struct machine_replay *p;
	struct record *r = NULL;
	int status = EXIT_USAGE;

	if (o->sets || o->schedule)
		return run_order(o, recording, err);
	p = machine_replay_create(recording, err);
	if (p)
		r = record_open(o->db, err);
	if (r)
		status = replay(o, p, recording, r, err);
	machine_replay_destroy(p);
	record_close(r);
	return status;
}
