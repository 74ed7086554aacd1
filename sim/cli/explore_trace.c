/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside explore TRACE: other orders between the threads of a recording, in which something is
 * lost although the recording lost nothing.  The order of each thread is the recorded one
 * (explore/around.h, trace/replay_memslot.h, trace/replay_precopy.h).
 *
 * What is found is not shrunk: `bounded`, which is the default here, meets the fewest deviations
 * first, and fewest from the recording is what is wanted.
 *
 * A recording of a migration is explored under each era of QEMU in turn, or the one of --set
 * qemu=NAME, and all pages that an order can lose are wanted: it goes on after the first.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/run_trace.h"
#include "cli/runner.h"
#include "cli/trace_around.h"
#include "cli/watchdog.h"
#include "explore/lanes.h"
#include "explore/replay.h"
#include "trace/trace.h"

#define ORDER_LINES 10u
#define PAGES_MAX 256u

/* What all orders together have lost. */
struct lost_pages {
	uint64_t gfn[PAGES_MAX]; /* rising */
	size_t pages;
	uint64_t orders; /* that lost something */
	struct found best; /* fewest moves; of found.schedule the text is owned */
	unsigned best_moves;
};

struct search {
	const struct options *o;
	const struct trace_around *t;
	const struct run_info *info;
	struct record *r;
	struct progress progress;
	struct lost_pages lost;
	uint64_t judged;
	struct error *err;
};

static void
add_page(struct lost_pages *l, uint64_t gfn)
{
	size_t i = l->pages;

	while (i && l->gfn[i - 1] > gfn)
		i--;
	if ((i && l->gfn[i - 1] == gfn) || l->pages == PAGES_MAX)
		return;
	memmove(&l->gfn[i + 1], &l->gfn[i], (l->pages - i) * sizeof(l->gfn[0]));
	l->gfn[i] = gfn;
	l->pages++;
}

/* Keep the pages, and the order if it is the plainest so far. */
static void
collect(struct search *x, struct world *w, const struct finding *f)
{
	struct lost_pages *l = &x->lost;
	uint64_t gfn[PAGES_MAX];
	size_t n = x->t->pages(x->t->p, gfn, PAGES_MAX);
	unsigned moves = x->t->report_order(x->t->p, NULL, 0);
	struct error ignored;

	for (size_t i = 0; i < n; i++)
		add_page(l, gfn[i]);
	if (!l->orders++ || moves < l->best_moves) {
		schedule_free(&l->best.schedule);
		l->best = (struct found){ .finding = *f,
					  .index = x->judged - 1,
					  .steps = world_step(w),
					  .time_ns = world_now(w) };
		l->best_moves = moves;
		schedule_take(&l->best.schedule, w, &ignored);
	}
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	struct search *x = context;

	x->judged++;
	if (stop != STOP_QUIESCENT)
		return VERDICT_BUDGET;
	if (!x->t->lost(x->t->p, f))
		return VERDICT_OK;
	snprintf(f->oracle, sizeof(f->oracle), "dirty-page-lost");
	f->verdict = VERDICT_DIRTY_PAGE_LOST;
	if (!x->t->pages)
		return VERDICT_DIRTY_PAGE_LOST;
	collect(x, w, f);
	return VERDICT_OK; /* go on: all pages are wanted */
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

static void
print_lanes(struct search *x, const struct found *f, const struct event_log *log)
{
	struct event_names names = event_names_of_world(x->t->world);
	struct lanes_options lo = { .lines_max = x->o->lines,
				    .columns_max = x->o->columns,
				    .colour = isatty(STDOUT_FILENO),
				    .finding = &f->finding };
	struct lanes lanes;

	lanes_build(&lanes, log, &names, &lo);
	printf("\n");
	lanes_print(&lanes, stdout);
	printf("\n");
	lanes_free(&lanes);
}

static void
print_found(struct search *x, const struct found *f, const struct event_log *log, const char *line)
{
	printf("found: schedule %" PRIu64 "%s\n", f->index,
	       f->index ? "" : ", the recorded order itself");
	x->t->report_order(x->t->p, stdout, ORDER_LINES);
	printf("verdict: %s\nsubject: %s\nmessage: %s\n", verdict_name[f->finding.verdict],
	       f->finding.subject, f->finding.message);
	print_lanes(x, f, log);
	report_folded(stdout, "schedule", line);
	printf("again: ringside run %s --set %s=%s --schedule LINE\n", x->o->args[0],
	       x->info->params->name, x->info->params->value);
}

static int
show_found(struct search *x, const struct found *f)
{
	struct world *w = x->t->world;
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
	struct event_log log = { 0 };
	struct divergence div;
	int ret = 0;

	world_set_sink(w, event_log_sink, &log);
	if (replay_run(w, &f->schedule, NULL, NULL, &div))
		ret = error_set(x->err, "diverged: %s", div.text);
	world_flush(w);
	world_set_sink(w, NULL, NULL);
	if (!ret && !x->o->quiet)
		print_found(x, f, &log, line);
	if (!ret)
		ret = record_violation(x->r, &v, x->err);
	event_log_free(&log);
	free(line);
	return ret;
}

static void
say_end(const struct search *x, const struct explorer_result *r, enum verdict v)
{
	const struct lost_pages *l = &x->lost;

	if (x->t->pages && l->orders) {
		printf("pages that an order loses:");
		for (size_t i = 0; i < l->pages; i++)
			printf(" 0x%" PRIx64, l->gfn[i]);
		printf("\n%" PRIu64 " of the orders lose something\n", l->orders);
	}
	printf("%s: %s after %" PRIu64 " orders in %.1f s%s%s\n", x->info->scenario,
	       verdict_name[v], r->schedules, (double)r->elapsed_ns / 1e9,
	       r->end == EXPLORER_COMPLETE ? ", complete" : "",
	       r->end == EXPLORER_INTERRUPTED ? ", interrupted" : "");
	if (r->statement[0])
		printf("%s: %s\n", x->info->strategy, r->statement);
}

static int
end(struct search *x, const struct explorer_result *r)
{
	const struct found *found = x->lost.orders ? &x->lost.best : r->found;
	int status = r->end == EXPLORER_INTERRUPTED		 ? EXIT_BUDGET
		     : found					 ? EXIT_BROKEN
		     : r->count[VERDICT_BUDGET] || !r->schedules ? EXIT_BUDGET
								 : EXIT_HELD;
	enum verdict v = found		       ? found->finding.verdict
			 : status == EXIT_HELD ? VERDICT_OK
					       : VERDICT_BUDGET;
	struct run_result result = { .verdict = verdict_name[v],
				     .schedules = r->schedules,
				     .complete = r->end == EXPLORER_COMPLETE,
				     .steps = r->steps,
				     .wall_ns = r->elapsed_ns,
				     .digest = found ? found->schedule.digest : 0,
				     .sim_time_ns = found ? found->time_ns : 0 };

	for (const struct found *f = found; f; f = f->next)
		if (show_found(x, f))
			return EXIT_USAGE;
	if ((x->t->pages &&
	     record_metric(x->r, "pages_lost", (int64_t)x->lost.pages, "pages", x->err)) ||
	    record_run_end(x->r, &result, x->err))
		return EXIT_USAGE;
	if (!x->o->quiet)
		say_end(x, r, v);
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
		.jobs = x->t->pages ? 1 : o->jobs, /* what all have lost is kept here */
		.ready = on_ready,
		.forked = on_forked,
		.interrupted = &runner_interrupted,
		.progress = on_progress,
		.context = x,
	};
	struct explorer_result r;
	int ret = explorer_run(x->t->world, &config, &r), status;

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

/* Search around one replay. */
static int
explore_around(const struct options *o, const struct trace_around *t, struct error *err)
{
	struct options with = *o;
	struct run_info info;
	struct search x = { .o = o, .t = t, .info = &info, .err = err };
	struct strategy_config how;
	struct strategy *strategy = NULL;
	const struct strategy_ops *ops;
	int status = EXIT_USAGE;

	with.around = true;
	/* With an actor for each page, one deviation from the recording is what it takes. */
	if (t->pages && !o->bound_given)
		with.bound = 1;
	how = session_strategy(&with);
	ops = strategy_find(o->strategy_given ? o->strategy : "bounded", err);
	if (ops)
		strategy = strategy_create(ops, &how, err);
	if (strategy) {
		info = trace_around_info(o, t, ops->name);
		progress_init(&x.progress, o->quiet);
		fflush(stdout);
		status = search(&x, strategy);
	}
	schedule_free(&x.lost.best.schedule);
	strategy_destroy(strategy);
	record_close(x.r);
	return status;
}

/* Each era in turn: broken if one is, else what the last other one said. */
static int
explore_eras(const struct options *o, const struct recording *r, struct error *err)
{
	enum qemu_era from, to;
	int status = EXIT_HELD;

	if (trace_era(o, &from, &to, err))
		return EXIT_USAGE;
	for (enum qemu_era era = from; era <= to; era++) {
		struct trace_around t;
		int one;

		if (trace_around_precopy(&t, r, era, err))
			return EXIT_USAGE;
		if (!o->quiet)
			t.print_head(&t, stdout);
		one = explore_around(o, &t, err);
		trace_around_close(&t);
		if (one == EXIT_USAGE || one == EXIT_DIVERGED || one == EXIT_BUG)
			return one;
		if (one != EXIT_HELD && status != EXIT_BROKEN)
			status = one;
		if (!o->quiet && era < to)
			printf("\n");
	}
	return status;
}

int
explore_trace(const struct options *o, struct error *err)
{
	struct recording recording = { 0 };
	struct trace_around t;
	enum slot_removal removal;
	int status = EXIT_USAGE;

	if (trace_of(o, &recording, err))
		return EXIT_USAGE;
	if (!trace_of_bitmaps(&recording)) {
		status = explore_eras(o, &recording, err);
	} else if (!trace_removal(o, &removal, err) &&
		   !trace_around_memslot(&t, &recording, removal, err)) {
		status = explore_around(o, &t, err);
		trace_around_close(&t);
	}
	recording_free(&recording);
	return status;
}
