/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside explore TRACE: other orders between the threads of a recording, in which something is
 * lost although the recording lost nothing.  The order of each thread is the recorded one
 * (explore/around.h, trace/replay_memslot.h).
 *
 * What is found is not shrunk: `bounded`, which is the default here, meets the fewest deviations
 * first, and fewest from the recording is what is wanted.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/run_trace.h"
#include "cli/runner.h"
#include "cli/watchdog.h"
#include "explore/replay.h"
#include "trace/trace.h"

#define ORDER_LINES 10u

struct search {
	const struct options *o;
	struct memslot_replay *p;
	const struct run_info *info;
	struct record *r;
	struct progress progress;
	struct error *err;
};

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	const struct search *x = context;
	const struct memslot_replay_result *result = memslot_replay_result(x->p);
	const struct lost_page *page = result->lost_page;

	(void)w;
	if (stop != STOP_QUIESCENT)
		return VERDICT_BUDGET;
	if (!result->lost)
		return VERDICT_OK;
	snprintf(f->oracle, sizeof(f->oracle), "dirty-page-lost");
	snprintf(f->subject, sizeof(f->subject), "gfn=0x%" PRIx64, page->gfn);
	snprintf(f->message, sizeof(f->message),
		 "%" PRIu64 " pages lost; this one was dirtied %" PRIu64
		 " times since the last sync, and its bit died with slot %u (line %" PRIu64 ")",
		 result->lost, page->dirtied, page->slot, page->died_line);
	return VERDICT_DIRTY_PAGE_LOST;
}

static int
on_ready(void *context, struct error *err)
{
	struct search *x = context;

	x->r = record_open(x->o->db, err);
	return x->r && record_run_begin(x->r, x->info, err) >= 0 ? 0 : -1;
}

static void
on_forked(void *context)
{
	watchdog_start();
}

static void
on_progress(const struct explorer_progress *p, void *context)
{
	struct search *x = context;

	progress_show(&x->progress, p->schedules, p->failing, p->per_second, p->left_ns);
}

static int
show_found(struct search *x, const struct found *f)
{
	struct world *w = memslot_replay_world(x->p);
	char *line = schedule_print(&f->schedule);
	struct run_violation v = { .oracle = f->finding.oracle,
				   .statement = f->finding.oracle,
				   .severity = "must",
				   .step = f->steps,
				   .time_ns = f->time_ns,
				   .actor = "qemu",
				   .subject = f->finding.subject,
				   .message = f->finding.message,
				   .schedule = line };
	struct divergence div;
	int ret = 0;

	if (replay_run(w, &f->schedule, NULL, NULL, &div))
		ret = error_set(x->err, "diverged: %s", div.text);
	if (!ret && !x->o->quiet) {
		printf("found: schedule %" PRIu64 "%s\n", f->index,
		       f->index ? "" : ", the recorded order itself");
		memslot_replay_report_order(x->p, stdout, ORDER_LINES);
	}
	if (!ret) {
		printf("verdict: %s\nsubject: %s\nmessage: %s\nschedule: %s\n",
		       verdict_name[f->finding.verdict], f->finding.subject, f->finding.message,
		       line);
		printf("again: ringside run %s --set removal=%s --schedule %s\n\n", x->o->args[0],
		       x->info->variant, line);
		ret = record_violation(x->r, &v, x->err);
	}
	free(line);
	return ret;
}

static int
end(struct search *x, const struct explorer_result *r)
{
	int status = r->end == EXPLORER_INTERRUPTED		 ? EXIT_BUDGET
		     : r->found					 ? EXIT_BROKEN
		     : r->count[VERDICT_BUDGET] || !r->schedules ? EXIT_BUDGET
								 : EXIT_HELD;
	enum verdict v = r->found	       ? r->found->finding.verdict
			 : status == EXIT_HELD ? VERDICT_OK
					       : VERDICT_BUDGET;
	struct run_result result = { .verdict = verdict_name[v],
				     .schedules = r->schedules,
				     .complete = r->end == EXPLORER_COMPLETE,
				     .steps = r->steps,
				     .wall_ns = r->elapsed_ns,
				     .digest = r->found ? r->found->schedule.digest : 0,
				     .sim_time_ns = r->found ? r->found->time_ns : 0 };

	for (const struct found *f = r->found; f; f = f->next)
		if (show_found(x, f))
			return EXIT_USAGE;
	if (record_run_end(x->r, &result, x->err))
		return EXIT_USAGE;
	if (!x->o->quiet) {
		printf("%s: %s after %" PRIu64 " orders in %.1f s%s%s\n", x->info->scenario,
		       verdict_name[v], r->schedules, (double)r->elapsed_ns / 1e9,
		       r->end == EXPLORER_COMPLETE ? ", complete" : "",
		       r->end == EXPLORER_INTERRUPTED ? ", interrupted" : "");
		if (r->statement[0])
			printf("%s: %s\n", x->info->strategy, r->statement);
	}
	return status;
}

static int
search(struct search *x, struct strategy *strategy)
{
	const struct options *o = x->o;
	struct explorer_config config = {
		.strategy = strategy,
		.judge = judge,
		.judge_context = x,
		.schedules_max = o->runs				   ? o->runs
				 : o->time_ns || strategy->ops->exhaustive ? 0
									   : 1000,
		.time_max_ns = o->time_ns,
		.shard = o->shard,
		.shards = o->shards,
		.clock = runner_clock,
		.around = true,
		.jobs = o->jobs,
		.ready = on_ready,
		.forked = on_forked,
		.interrupted = &runner_interrupted,
		.progress = on_progress,
		.context = x,
	};
	struct explorer_result r;
	int ret = explorer_run(memslot_replay_world(x->p), &config, &r), status;

	progress_clear(&x->progress);
	if (ret) {
		error_set(x->err, "%s", r.error.text);
		status = r.end == EXPLORER_NONDETERMINISTIC ? EXIT_DIVERGED
			 : r.end == EXPLORER_CRASHED	    ? EXIT_BUG
							    : EXIT_USAGE;
	} else {
		status = end(x, &r);
	}
	explorer_result_free(&r);
	return status;
}

int
explore_trace(const struct options *o, struct error *err)
{
	struct options with = *o;
	struct recording recording = { 0 };
	struct memslot_replay_config config = { .around = true };
	struct run_param param;
	struct run_info info;
	struct search x = { .o = o, .info = &info, .err = err };
	struct strategy_config how;
	struct strategy *strategy = NULL;
	const struct strategy_ops *ops;
	int status = EXIT_USAGE;

	with.around = true;
	how = session_strategy(&with);
	ops = strategy_find(o->strategy_given ? o->strategy : "bounded", err);
	if (ops && !trace_removal(o, &config.removal, err) &&
	    !trace_of(o, &recording, err))
		x.p = memslot_replay_create(&recording, &config, err);
	if (x.p)
		strategy = strategy_create(ops, &how, err);
	if (strategy) {
		info = trace_info(o, &config, ops->name, &param);
		progress_init(&x.progress, o->quiet);
		fflush(stdout);
		status = search(&x, strategy);
	}
	strategy_destroy(strategy);
	record_close(x.r);
	memslot_replay_destroy(x.p);
	recording_free(&recording);
	return status;
}
