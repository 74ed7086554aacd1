/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside explore: schedules until something is lost; then shrunk, shown, recorded, kept as a
 * file.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/run_trace.h"
#include "cli/runner.h"
#include "cli/sweep.h"
#include "cli/watchdog.h"
#include "explore/replay.h"
#include "explore/shrink.h"
#include "script/lua_world.h"

struct exploration {
	const struct options *o;
	struct session *s;
	const struct run_info *info;
	const struct strategy_config *how;
	struct record *r;
	struct progress progress;
	struct error *err;
	unsigned written; /* failure files */
};

/* "lost-wakeup-fails.failure", "lost-wakeup-fails-2.failure" */
static void
file_name(const struct exploration *x, char *name, size_t size)
{
	if (x->o->out && !x->written)
		snprintf(name, size, "%s", x->o->out);
	else if (x->o->out)
		snprintf(name, size, "%s.%u", x->o->out, x->written + 1);
	else if (x->written)
		snprintf(name, size, "%s-%s-%u.failure", x->s->scenario.name, x->s->variant->name,
			 x->written + 1);
	else
		snprintf(name, size, "%s-%s.failure", x->s->scenario.name, x->s->variant->name);
}

/* Replay the shrunk schedule with its events, then write, record and show. */
static int
show_found(struct exploration *x, struct found *found, const struct shrink_result *sr)
{
	struct event_log log = { 0 };
	struct failure f;
	char name[512];
	int ret;

	session_failure(x->s, x->o, &found->finding, &found->schedule, &f);
	f.stop = sr->stop;
	f.steps = sr->steps_after;
	f.time_ns = sr->time_ns;
	file_name(x, name, sizeof(name));
	session_explain(x->s, &f);
	session_explain_barrier(x->o, &f);
	ret = session_replay_log(x->s, &f.schedule, &f.trail, &log, x->err);
	/* A run has one stream of events: that of the first failure. */
	if (!ret && !x->written)
		record_sink(x->r, log.events, log.count);
	if (!ret &&
	    (failure_save(&f, name, x->err) || session_record_failure(x->r, &f, found, x->err) ||
	     session_record_end(x->s, x->r, x->err)))
		ret = -1;
	x->written++;
	if (!ret) {
		struct failure_report r = { &found->finding, &f.schedule, &log, name, &f };

		if (!x->o->quiet && x->written > 1)
			printf("\n");
		if (!x->o->quiet)
			printf("found: schedule %" PRIu64 " of seed %" PRIu64
			       "; %zu picks shrunk to %zu%s; preemptions: %u, delayed stores: %u\n",
			       found->index, x->o->seed, sr->picks_before, sr->picks_after,
			       sr->proven ? ", the fewest possible" : "", sr->preemptions_after,
			       sr->delayed_after);
		failure_report_print(x->s, x->o, &r, stdout);
	}
	event_log_free(&log);
	failure_free(&f);
	return ret;
}

static int
handle_found(struct exploration *x, struct found *found)
{
	struct shrink_config config = { .judge = session_judge,
					.judge_context = x->s,
					.interrupted = &runner_interrupted };
	struct shrink_result sr = { 0 };

	struct session *all = x->s, small;
	int ret;

	if (shrink(x->s->w, &config, &found->schedule, &found->finding, &sr, x->err))
		return -1;
	found->signature = sr.signature;
	if (!session_shrink_buffers(all, x->o, found, &sr, &small))
		return show_found(x, found, &sr);
	/* What is shown and kept is the run with fewer buffers. */
	x->s = &small;
	ret = show_found(x, found, &sr);
	x->s = all;
	session_close(&small);
	return ret;
}

static int
end_status(const struct explorer_result *r)
{
	if (r->end == EXPLORER_INTERRUPTED)
		return EXIT_BUDGET;
	if (r->found)
		return EXIT_BROKEN;
	return r->count[VERDICT_BUDGET] || !r->schedules ? EXIT_BUDGET : EXIT_HELD;
}

/* "3.1e5 ± 0.4e5"; small ones as they are. */
static void
print_estimate(const struct estimate *e)
{
	int power = e->value >= 1e5 ? (int)floor(log10(e->value)) : 0;
	double unit = pow(10, power);

	if (power)
		printf("%.1fe%d ± %.1fe%d", e->value / unit, power, e->error / unit, power);
	else
		printf("%.0f ± %.0f", e->value, e->error);
}

/* What was not seen, where that is not proved: one line. */
static void
print_left(const struct explorer_result *r)
{
	const struct classes_estimate *e = &r->left;

	if (r->all.value > 0) {
		printf("estimate: ");
		print_estimate(&r->all);
		printf(" schedules in all, %.2g %% done\n",
		       100 * fmin((double)r->schedules / r->all.value, 1));
	}
	if (!e->looked || r->end == EXPLORER_FOUND)
		return;
	printf("classes: %.0f seen in %" PRIu64 " schedules looked at; another schedule is of "
	       "none of them with probability ",
	       e->seen.value, e->looked);
	if (e->once)
		printf("%.2g ± %.1g; at least %.0f ± %.0f classes in all\n", e->unseen.value,
		       e->unseen.error, e->all.value, e->all.error);
	else
		printf("below %.1g (95 %%)\n", 3 * e->unseen.error);
}

static void
print_summary(const struct exploration *x, const struct explorer_result *r, enum verdict v)
{
	double seconds = (double)r->elapsed_ns / 1e9;

	printf("%s%s:%s: %s after %" PRIu64
	       " schedules in %.1f s (%.0f/s), strategy %s, seed %" PRIu64,
	       r->found ? "\n" : "", x->s->scenario.path, x->s->variant->name, verdict_name[v],
	       r->schedules, seconds, seconds > 0 ? (double)r->schedules / seconds : 0.0,
	       x->o->strategy, x->o->seed);
	printf("%s%s\n", r->end == EXPLORER_COMPLETE ? ", complete" : "",
	       r->end == EXPLORER_INTERRUPTED ? ", interrupted" : "");
	if (r->statement[0])
		printf("%s: %s\n", x->o->strategy, r->statement);
	print_left(r);
	if (r->failing > 1)
		printf("failing: %" PRIu64 " schedules\n", r->failing);
	if (r->count[VERDICT_BUDGET])
		printf("cut off: %" PRIu64 " schedules reached the limit of steps or time\n",
		       r->count[VERDICT_BUDGET]);
}

static int
record_real(struct exploration *x, const char *name, const struct estimate *e)
{
	char error[64];

	snprintf(error, sizeof(error), "%s_error", name);
	return record_metric_real(x->r, name, e->value, "", x->err) ||
	       record_metric_real(x->r, error, e->error, "", x->err);
}

/* What is left, by name, and the last point of the curve over time. */
static int
record_left(struct exploration *x, const struct explorer_result *r)
{
	struct run_progress last = { .elapsed_ns = r->elapsed_ns,
				     .schedules = r->schedules,
				     .failing = r->failing,
				     .classes = r->classes };

	if (r->all.value > 0 && record_real(x, "explore.schedules_estimated", &r->all))
		return -1;
	if (r->left.looked &&
	    (record_metric(x->r, "explore.looked", (int64_t)r->left.looked, "", x->err) ||
	     record_real(x, "explore.classes_seen", &r->left.seen) ||
	     record_real(x, "explore.classes_estimated", &r->left.all) ||
	     record_real(x, "explore.unseen", &r->left.unseen)))
		return -1;
	return record_progress(x->r, &last, x->err);
}

static int
record_summary(struct exploration *x, const struct explorer_result *r, enum verdict v)
{
	struct run_result result = { .verdict = verdict_name[v],
				     .schedules = r->schedules,
				     .complete = r->end == EXPLORER_COMPLETE,
				     .steps = r->steps,
				     .wall_ns = r->elapsed_ns,
				     .digest = r->found ? r->found->schedule.digest : 0,
				     .sim_time_ns = r->found ? r->found->time_ns : 0 };

	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		if (r->count[i] && record_outcome(x->r, verdict_name[i], r->count[i], x->err))
			return -1;
	return record_left(x, r) ? -1 : record_run_end(x->r, &result, x->err);
}

static void
on_progress(const struct explorer_progress *p, void *context)
{
	struct exploration *x = context;
	struct run_progress point = { .elapsed_ns = p->elapsed_ns,
				      .schedules = p->schedules,
				      .failing = p->failing,
				      .classes = p->classes };
	struct error ignored;

	progress_show(&x->progress, p->schedules, p->failing, p->per_second, p->left_ns);
	record_progress(x->r, &point, &ignored); /* its error comes back at the end of the run */
}

/*
 * All processes are forked, none has begun: the database belongs to this one alone, and has seed
 * and parameters before the first schedule runs.
 */
static int
on_ready(void *context, struct error *err)
{
	struct exploration *x = context;

	x->r = record_open(x->o->db, err);
	return x->r && record_run_begin(x->r, x->info, err) >= 0 ? 0 : -1;
}

static void
on_forked(void *context)
{
	watchdog_start();
}

static int
explore(struct exploration *x, struct strategy *strategy)
{
	const struct options *o = x->o;
	struct explorer_config config = {
		.strategy = strategy,
		.judge = session_judge,
		.judge_context = x->s,
		.schedules_max = o->runs				   ? o->runs
				 : o->time_ns || strategy->ops->exhaustive ? 0
									   : x->s->variant->runs,
		.time_max_ns = o->time_ns,
		.shard = o->shard,
		.shards = o->shards,
		.clock = runner_clock,
		.keep_going = o->keep_going,
		.around = o->around,
		.classes = true,
		.classes_every = o->classes ? 1 : 0,
		.jobs = o->jobs,
		.strategy_config = x->how,
		.ready = on_ready,
		.forked = on_forked,
		.interrupted = &runner_interrupted,
		.progress = on_progress,
		.context = x,
	};
	struct explorer_result r;
	int ret, status;
	enum verdict v;

	if (o->jobs > 1 && !explorer_shares(&config))
		fprintf(stderr,
			"ringside: --jobs %u: strategy %s learns from one schedule for the next%s, "
			"one process is used\n",
			o->jobs, strategy->ops->name,
			strategy->ops->partitions ? ", and shards cannot share --runs or a --shard"
						  : "");
	ret = explorer_run(x->s->w, &config, &r);
	progress_clear(&x->progress);
	status = end_status(&r);
	v = r.found ? r.found->finding.verdict : status == EXIT_HELD ? VERDICT_OK : VERDICT_BUDGET;
	if (x->s->error.text[0])
		ret = error_set(x->err, "%s", x->s->error.text);
	else if (ret && r.end == EXPLORER_ERROR && world_error(x->s->w)->text[0])
		script_world_error(x->s->w, x->err);
	else if (ret && r.end == EXPLORER_CRASHED)
		error_set(x->err, "bug in Ringside: %s; strategy %s, seed %" PRIu64, r.error.text,
			  o->strategy, o->seed);
	else if (ret)
		error_set(x->err, "%s", r.error.text);
	for (struct found *f = r.found; f && !ret; f = f->next)
		ret = handle_found(x, f);
	if (!ret)
		ret = record_summary(x, &r, v);
	if (!ret && !o->quiet)
		print_summary(x, &r, v);
	explorer_result_free(&r);
	if (!ret)
		return status;
	return r.end == EXPLORER_NONDETERMINISTIC ? EXIT_DIVERGED
	       : r.end == EXPLORER_CRASHED	  ? EXIT_BUG
						  : EXIT_USAGE;
}

static int
explore_session(struct session *s, const struct options *o, struct error *err)
{
	struct run_info info = session_info(s, o, o->strategy);
	struct exploration x = { .o = o, .s = s, .info = &info, .err = err };
	const struct strategy_ops *ops = strategy_find(o->strategy, err);
	struct strategy_config how = session_strategy(o);
	struct strategy *strategy = ops ? strategy_create(ops, &how, err) : NULL;
	int status;

	if (!strategy)
		return EXIT_USAGE;
	progress_init(&x.progress, o->quiet);
	x.how = &how;
	fflush(stdout);
	status = explore(&x, strategy);
	record_close(x.r);
	strategy_destroy(strategy);
	return status;
}

static int
explore_point(const struct options *o, struct error *err)
{
	struct session s;
	int status;

	if (session_open(&s, o->args[0], o, err))
		return EXIT_USAGE;
	status = explore_session(&s, o, err);
	session_close(&s);
	return status;
}

int
command_explore(const struct options *o, struct error *err)
{
	if (is_trace(o->args[0]))
		return explore_trace(o, err);
	return o->sweep ? sweep_run(o, explore_point, err) : explore_point(o, err);
}
