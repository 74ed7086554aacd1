/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside replay: the same run again, bit for bit, or where it left the recorded one. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/look.h"
#include "cli/replay.h"
#include "cli/runner.h"
#include "explore/replay.h"
#include "script/lua_world.h"

#define LAST_EVENTS 12

/* --- stopping on the way -------------------------------------------------------------------- */

/* Answers by a schedule, without comparing: for a run that ends before its time. */
struct player {
	struct chooser chooser;
	const struct schedule *schedule;
	size_t next;
	uint32_t at;
};

static uint32_t
play(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct player *p = (struct player *)self;
	const struct schedule *s = p->schedule;
	uint32_t pick = 0;

	if (p->next < s->count && s->picks[p->next].at == p->at)
		pick = s->picks[p->next++].pick;
	p->at++;
	return pick < n ? pick : n - 1;
}

static void
print_state(const struct world *w, const struct event_log *log)
{
	size_t first = log->count > LAST_EVENTS ? log->count - LAST_EVENTS : 0;

	printf("step: %" PRIu64 "\ntime_ns: %" PRId64 "\n", world_step(w), world_now(w));
	look_actors(w, stdout);
	for (size_t i = first; i < log->count; i++)
		event_print(w, &log->events[i], stdout);
}

/* The step in which the @n-th event of the run happens, or 0. */
static uint64_t
step_of_event(struct session *s, struct failure *f, uint64_t n, struct error *err)
{
	struct event_log log = { 0 };
	uint64_t step = 0;

	if (!session_replay_log(s, &f->schedule, NULL, &log, err)) {
		if (n <= log.dropped || n > log.dropped + log.count)
			error_set(err, "--to-event %" PRIu64 ": the run has %" PRIu64 " events", n,
				  log.dropped + log.count);
		else
			step = log.events[n - 1 - log.dropped].step;
	}
	event_log_free(&log);
	return step;
}

/* The world's limit of steps is where to stop: session_open_failure() took it from --until. */
static int
replay_until(struct session *s, struct failure *f, const struct options *o)
{
	struct player p = { .chooser = { play }, .schedule = &f->schedule };
	struct event_log log = { 0 };
	struct event_tap tap;

	event_tap_open(&tap, s->w, o, event_log_sink, &log);
	world_set_chooser(s->w, &p.chooser);
	world_run(s->w);
	world_set_chooser(s->w, NULL);
	world_flush(s->w);
	print_state(s->w, &log);
	event_log_free(&log);
	return EXIT_HELD;
}

/* Two sessions: the first learns in which step the event is. */
static int
replay_to_event(struct failure *f, const struct options *o, struct error *err)
{
	struct options until = *o;
	struct session s;
	int status = EXIT_USAGE;

	if (session_open_failure(&s, f, o, err))
		return EXIT_USAGE;
	until.until = step_of_event(&s, f, o->to_event, err);
	session_close(&s);
	if (!until.until || session_open_failure(&s, f, &until, err))
		return EXIT_USAGE;
	status = replay_until(&s, f, &until);
	session_close(&s);
	return status;
}

/* --- the whole run -------------------------------------------------------------------------- */

static int
compare(struct session *s, struct failure *f, enum stop stop, const struct options *o,
	struct error *err)
{
	struct finding again = { 0 };

	again.verdict = session_judge(s->w, stop, &again, s);
	if (s->error.text[0]) {
		*err = s->error;
		return EXIT_USAGE;
	}
	if (!finding_same(&again, &f->finding)) {
		error_set(err, "diverged: the same run, but judged %s (%s, %s) and not %s (%s, %s)",
			  verdict_name[again.verdict], again.oracle, again.subject,
			  verdict_name[f->finding.verdict], f->finding.oracle, f->finding.subject);
		return EXIT_DIVERGED;
	}
	if (!o->quiet)
		printf("scenario: %s:%s\nverdict: %s\noracle: %s\nsubject: %s\nmessage: %s\n"
		       "steps: %" PRIu64 "\ntime_ns: %" PRId64 "\ndigest: %016" PRIx64 "\n",
		       s->scenario.path, s->variant->name, verdict_name[again.verdict],
		       again.oracle, again.subject, again.message, world_step(s->w),
		       world_now(s->w), world_digest(s->w));
	if (!o->quiet && f->critical)
		printf("critical pair: %s\n", f->critical);
	if (!o->quiet && f->barrier)
		printf("barrier: %s\n", f->barrier);
	if (!o->quiet && f->order)
		printf("order: %s\n", f->order);
	return runner_exit(again.verdict);
}

/* A schedule between single accesses belongs to one build of the linked code. */
static const char *
build_note(const struct failure *f)
{
	char build[1000];

	session_build(build, sizeof(build));
	return f->build && strcmp(f->build, build)
		       ? "; it was recorded with another build of the linked code, which "
			 "`replay --tolerant` allows for"
		       : "";
}

static int
replay_all(struct session *s, struct failure *f, struct record *r, const struct options *o,
	   struct error *err)
{
	struct run_info info = session_info(s, o, "replay");
	struct run_result result = { .schedules = 1 };
	struct divergence div;
	struct event_tap tap;
	int64_t began = runner_clock(NULL);
	enum stop stop;
	int status;

	info.seed = f->seed;
	if (record_run_begin(r, &info, err) < 0)
		return EXIT_USAGE;
	event_tap_open(&tap, s->w, o, record_keeps(r) ? record_sink : NULL, r);
	if (replay_run(s->w, &f->schedule, &f->trail, &stop, &div)) {
		if (world_error(s->w)->text[0]) {
			script_world_error(s->w, err);
			return EXIT_USAGE;
		}
		error_set(err, "diverged: %s%s", div.text, build_note(f));
		return EXIT_DIVERGED;
	}
	status = compare(s, f, stop, o, err);
	if (status == EXIT_USAGE || status == EXIT_DIVERGED)
		return status;
	result.verdict = verdict_name[f->finding.verdict];
	result.steps = world_step(s->w);
	result.sim_time_ns = world_now(s->w);
	result.digest = world_digest(s->w);
	result.wall_ns = runner_clock(NULL) - began;
	if (session_record_failure(r, f, NULL, err) || session_record_end(s, r, err) ||
	    record_run_end(r, &result, err))
		return EXIT_USAGE;
	return status;
}

int
command_replay(const struct options *o, struct error *err)
{
	struct record *r = NULL;
	struct session s;
	struct failure f;
	int status = EXIT_USAGE;

	if (failure_open(o->args[0], &f, err))
		return EXIT_USAGE;
	if (o->to_event) {
		status = replay_to_event(&f, o, err);
	} else if (!session_open_failure(&s, &f, o, err)) {
		if (o->until)
			status = replay_until(&s, &f, o);
		else if ((r = record_open(o->db, err)))
			status = o->tolerant ? replay_tolerant(&s, &f, r, o, err)
					     : replay_all(&s, &f, r, o, err);
		session_close(&s);
		record_close(r);
	}
	failure_free(&f);
	return status;
}
