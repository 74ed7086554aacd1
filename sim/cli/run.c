/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside run: one run of a scenario, or of a recording through the models (run_trace.c). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/run_trace.h"
#include "cli/runner.h"
#include "cli/sweep.h"
#include "explore/replay.h"
#include "oracle/oracle.h"
#include "script/lua_world.h"

/* Run the world once by the options' choices. */
static int
run_once(struct session *s, const struct options *o, enum stop *stop, struct error *err)
{
	uint64_t index = o->index ? o->index : o->seed_given ? 1 : 0;
	const struct strategy_ops *ops = strategy_find(o->strategy, err);
	struct strategy_config how = session_strategy(o);
	struct strategy *strategy = ops ? strategy_create(ops, &how, err) : NULL;

	if (!strategy)
		return -1;
	world_set_chooser(s->w, &strategy->chooser);
	if (strategy->ops->begin(strategy, s->w, index))
		*stop = world_run(s->w);
	else
		*stop = STOP_NONE;
	world_set_chooser(s->w, NULL);
	strategy_destroy(strategy);
	if (*stop == STOP_NONE)
		return error_set(err, "--index %" PRIu64 ": there is no such schedule", index);
	if (*stop == STOP_ERROR) {
		script_world_error(s->w, err);
		return -1;
	}
	return 0;
}

/* Run by --schedule. Returns an exit status: EXIT_HELD, or what went wrong. */
static int
run_schedule(struct session *s, const struct options *o, enum stop *stop, struct error *err)
{
	struct schedule schedule = { 0 };
	struct divergence div;
	int status = EXIT_HELD;

	if (schedule_parse(&schedule, o->schedule, strlen(o->schedule), err)) {
		error_prefix(err, "--schedule");
		return EXIT_USAGE;
	}
	if (replay_run(s->w, &schedule, NULL, stop, &div)) {
		if (world_error(s->w)->text[0])
			script_world_error(s->w, err);
		else
			error_set(err, "diverged: %s", div.text);
		status = world_error(s->w)->text[0] ? EXIT_USAGE : EXIT_DIVERGED;
	}
	schedule_free(&schedule);
	return status;
}

static void
print_blocked(const struct world *w)
{
	for (uint32_t id = 1; id <= world_actors(w); id++) {
		const struct actor *a = world_actor(w, id);

		if (actor_state(a) == ACTOR_BLOCKED && !actor_is_daemon(a))
			printf("blocked: %s waits for %s\n", actor_name(a), actor_waits_for(a));
	}
}

static void
print_result(struct session *s, const struct finding *f, const struct schedule *schedule)
{
	char *line = schedule_print(schedule);
	const struct script *script = script_of_world(s->w);

	printf("scenario: %s:%s\nverdict: %s\n", s->scenario.path, s->variant->name,
	       verdict_name[f->verdict]);
	if (verdict_fails(f->verdict))
		printf("oracle: %s\nsubject: %s\nmessage: %s\n", f->oracle, f->subject, f->message);
	print_blocked(s->w);
	for (unsigned i = 0; i < script->metrics; i++)
		printf("metric: %s %" PRId64 " %s\n", script->metric[i].name,
		       script->metric[i].value, script->metric[i].unit);
	for (int o = 0; o < ORACLE_COUNT; o++)
		if (oracle_counted(s->w, (enum oracle)o))
			printf("broken: %s %" PRIu64 "\n", oracle_info[o].name,
			       oracle_counted(s->w, (enum oracle)o));
	printf("steps: %" PRIu64 "\ntime_ns: %" PRId64 "\nschedule: %s\ndigest: %016" PRIx64 "\n",
	       world_step(s->w), world_now(s->w), line, world_digest(s->w));
	free(line);
}

static int
record_result(struct session *s, const struct options *o, struct record *r, const struct finding *f,
	      const struct schedule *schedule, int64_t wall_ns, struct error *err)
{
	struct run_result result = { .verdict = verdict_name[f->verdict],
				     .schedules = 1,
				     .steps = world_step(s->w),
				     .sim_time_ns = world_now(s->w),
				     .digest = world_digest(s->w),
				     .wall_ns = wall_ns };
	struct failure failure;
	int ret = 0;

	if (verdict_fails(f->verdict)) {
		session_failure(s, o, f, schedule, &failure);
		failure.steps = result.steps;
		failure.time_ns = result.sim_time_ns;
		ret = session_record_failure(r, &failure, NULL, err);
		failure_free(&failure);
	}
	if (ret || session_record_end(s, r, err))
		return -1;
	return record_run_end(r, &result, err);
}

int
session_run(struct session *s, const struct options *o, struct record *r, struct finding *f,
	    struct error *err)
{
	struct run_info info = session_info(s, o, "run");
	struct schedule schedule = { 0 };
	struct event_tap tap;
	enum stop stop = STOP_NONE;
	int64_t began = runner_clock(NULL);
	int status = EXIT_USAGE;

	*f = (struct finding){ 0 };
	if (record_run_begin(r, &info, err) < 0)
		return EXIT_USAGE;
	event_tap_open(&tap, s->w, o, record_keeps(r) ? record_sink : NULL, r);
	if (o->schedule)
		status = run_schedule(s, o, &stop, err);
	else if (!run_once(s, o, &stop, err))
		status = EXIT_HELD;
	world_flush(s->w);
	if (status != EXIT_HELD)
		return status;
	f->verdict = session_judge(s->w, stop, f, s);
	if (s->error.text[0]) {
		*err = s->error;
		return EXIT_USAGE;
	}
	if (schedule_take(&schedule, s->w, err))
		return EXIT_USAGE;
	if (!o->quiet)
		print_result(s, f, &schedule);
	status = runner_exit(f->verdict);
	if (record_result(s, o, r, f, &schedule, runner_clock(NULL) - began, err))
		status = EXIT_USAGE;
	schedule_free(&schedule);
	return status;
}

static int
run_point(const struct options *o, struct error *err)
{
	struct session s;
	struct finding f;
	struct record *r;
	int status = EXIT_USAGE;

	if (session_open(&s, o->args[0], o, err))
		return EXIT_USAGE;
	r = record_open(o->db, err);
	if (r)
		status = session_run(&s, o, r, &f, err);
	session_close(&s);
	record_close(r);
	return status;
}

int
command_run(const struct options *o, struct error *err)
{
	if (is_trace(o->args[0]))
		return run_trace(o, err);
	if (o->arg_count > 1)
		return error_set(err, "run: one scenario at a time; %s is another", o->args[1]),
		       EXIT_USAGE;
	return o->sweep ? sweep_run(o, run_point, err) : run_point(o, err);
}
