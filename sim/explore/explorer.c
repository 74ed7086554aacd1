/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/explorer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/around.h"
#include "explore/explorer_impl.h"
#include "explore/replay.h"
#include "explore/shrink.h"

#define FOUND_MAX_DEFAULT 64u
#define PROGRESS_DEFAULT_NS INT64_C(500000000)
#define PROGRESS_MIN_NS INT64_C(10000000)
/* The clock is read after so many schedules as take about this long. */
#define CLOCK_PERIOD_NS INT64_C(1000000)
#define CLOCK_STRIDE_MAX 4096u

/* Runs to estimate what a stopped search left: a part of its schedules, so that it costs little. */
#define PROBES_PART 32u
#define PROBES_MIN 32u
#define PROBES_MAX 4096u

/* How often a finding was shrunk in vain, by finding_key(). */
struct patience {
	uint64_t key;
	unsigned in_vain;
	struct found *latest; /* counted up once patience is gone */
	struct patience *next;
};

void
explorer_end(struct exploration *x, enum explorer_end why)
{
	x->ended = true;
	x->r->end = why;
}

/* --- time ----------------------------------------------------------------------------------- */

uint64_t
explorer_classes(const struct exploration *x, uint64_t schedules)
{
	const struct strategy *s = x->c->strategy;

	if (!s->ops->exhaustive)
		return classes_seen(&x->classes);
	return s->tally.classes ? s->tally.classes : schedules;
}

/* More often at the start, where a curve over time is steep. */
static int64_t
progress_period(const struct exploration *x, int64_t now)
{
	int64_t ns = (now - x->began_ns) / 8;

	if (x->c->progress_ns)
		return x->c->progress_ns;
	return ns < PROGRESS_MIN_NS	  ? PROGRESS_MIN_NS
	       : ns > PROGRESS_DEFAULT_NS ? PROGRESS_DEFAULT_NS
					  : ns;
}

void
explorer_report(struct exploration *x, int64_t now, uint64_t schedules, uint64_t failing)
{
	const struct explorer_config *c = x->c;
	struct explorer_progress p = { .schedules = schedules,
				       .failing = failing,
				       .classes = explorer_classes(x, schedules),
				       .elapsed_ns = now - x->began_ns,
				       .left_ns = -1 };
	uint64_t since = schedules - x->progress_schedules;
	int64_t ns = now - x->progress_ns;

	if (!c->progress || ns < progress_period(x, now))
		return;
	p.per_second = (uint64_t)((double)since * 1e9 / (double)(ns ? ns : 1));
	if (c->time_max_ns)
		p.left_ns = c->time_max_ns - p.elapsed_ns;
	if (c->schedules_max && p.per_second) {
		uint64_t all = (c->schedules_max - c->first) / (c->shards ? c->shards : 1);
		uint64_t left = all > schedules ? all - schedules : 0;
		int64_t left_ns = (int64_t)((double)left / (double)p.per_second * 1e9);

		if (p.left_ns < 0 || left_ns < p.left_ns)
			p.left_ns = left_ns;
	}
	x->progress_ns = now;
	x->progress_schedules = schedules;
	c->progress(&p, c->context);
}

/* Look at the clock, and choose when to do so next: about once in CLOCK_PERIOD_NS. */
static void
check_time(struct exploration *x)
{
	int64_t now, took;

	if (!x->c->clock) {
		x->until_check = UINT32_MAX;
		return;
	}
	now = x->c->clock(x->c->clock_context);
	took = now - x->checked_ns;
	if (took > 2 * CLOCK_PERIOD_NS)
		x->stride = 1;
	else if (took < CLOCK_PERIOD_NS / 2 && x->stride < CLOCK_STRIDE_MAX)
		x->stride *= 2;
	x->until_check = x->stride;
	x->checked_ns = now;
	x->r->elapsed_ns = now - x->began_ns;
	if (x->c->time_max_ns && x->r->elapsed_ns >= x->c->time_max_ns)
		explorer_end(x, EXPLORER_TIME);
	else
		explorer_report(x, now, x->r->schedules, x->r->failing);
}

/* --- failures ------------------------------------------------------------------------------- */

static void
found_free(struct found *f)
{
	if (f)
		schedule_free(&f->schedule);
	free(f);
}

/* Replay @f on the spot and judge it: the same run, with the same finding, or the end of all. */
static int
confirm(struct exploration *x, struct found *f)
{
	struct divergence div;
	struct finding again = { 0 };
	enum stop stop;

	if (replay_learn(x->w, &f->schedule, NULL, &f->signature, &stop, &div)) {
		explorer_end(x, EXPLORER_NONDETERMINISTIC);
		return error_set(&x->r->error,
				 "schedule %" PRIu64 " is not the same when run again: %s",
				 f->index, div.text);
	}
	again.verdict = x->c->judge(x->w, stop, &again, x->c->judge_context);
	if (finding_same(&again, &f->finding))
		return 0;
	explorer_end(x, EXPLORER_NONDETERMINISTIC);
	return error_set(
		&x->r->error,
		"schedule %" PRIu64 " was judged %s (%s, %s), and %s (%s, %s) when run again "
		"with the same digest",
		f->index, verdict_name[f->finding.verdict], f->finding.oracle, f->finding.subject,
		verdict_name[again.verdict], again.oracle, again.subject);
}

static struct patience *
patience_of(struct exploration *x, uint64_t key)
{
	struct patience *p = x->patience;

	while (p && p->key != key)
		p = p->next;
	if (!p) {
		must(p = calloc(1, sizeof(*p)));
		*p = (struct patience){ .key = key, .next = x->patience };
		x->patience = p;
	}
	return p;
}

/* The kept failure with this finding and signature, or null. */
static struct found *
known(struct exploration *x, const struct found *f)
{
	struct found *k = x->r->found;

	while (k && !(k->signature == f->signature && finding_same(&k->finding, &f->finding)))
		k = k->next;
	return k;
}

static void
keep(struct exploration *x, struct found *f)
{
	*x->tail = f;
	x->tail = &f->next;
	x->found_count++;
}

static int
shrink_found(struct exploration *x, struct found *f)
{
	struct shrink_config config = { x->c->judge, x->c->judge_context, 0, 0, x->c->interrupted };
	struct shrink_result sr;

	if (shrink(x->w, &config, &f->schedule, &f->finding, &sr, &x->r->error)) {
		explorer_end(x, EXPLORER_ERROR);
		return -1;
	}
	f->signature = sr.signature;
	f->stop = sr.stop;
	f->steps = sr.steps_after;
	f->time_ns = sr.time_ns;
	return 0;
}

bool
explorer_only_counts(struct exploration *x, uint64_t key)
{
	struct patience *p = patience_of(x, key);

	if (p->in_vain < DISTINCT_PATIENCE)
		return false;
	p->latest->times++;
	x->r->failing++;
	return true;
}

/* One of many: keep it if it is new. @f is kept or freed. */
static void
collect(struct exploration *x, struct found *f)
{
	uint32_t max = x->c->found_max ? x->c->found_max : FOUND_MAX_DEFAULT;
	struct patience *p = patience_of(x, finding_key(&f->finding));
	struct found *same;

	if (confirm(x, f) || shrink_found(x, f)) {
		found_free(f);
		return;
	}
	same = known(x, f);
	if (same) {
		same->times++;
		p->in_vain++;
		p->latest = same;
		found_free(f);
		return;
	}
	p->in_vain = 0;
	p->latest = f;
	keep(x, f);
	if (x->found_count >= max)
		explorer_end(x, EXPLORER_FOUND);
}

void
explorer_failed(struct exploration *x, uint64_t index, enum stop stop,
		const struct finding *finding)
{
	struct found *f;

	if (x->c->keep_going && explorer_only_counts(x, finding_key(finding)))
		return;
	must(f = calloc(1, sizeof(*f)));
	*f = (struct found){ .index = index,
			     .finding = *finding,
			     .stop = stop,
			     .times = 1,
			     .steps = world_step(x->w),
			     .time_ns = world_now_shown(x->w) };
	x->r->failing++;
	if (schedule_take(&f->schedule, x->w, &x->r->error)) {
		explorer_end(x, EXPLORER_ERROR);
		found_free(f);
	} else if (x->c->keep_going) {
		collect(x, f);
	} else if (confirm(x, f)) {
		found_free(f);
	} else {
		keep(x, f);
		explorer_end(x, EXPLORER_FOUND);
	}
}

/* --- the loop ------------------------------------------------------------------------------- */

bool
explorer_try(struct exploration *x, uint64_t index, struct finding *f, enum stop *stop)
{
	const struct explorer_config *c = x->c;
	struct strategy *s = c->strategy;
	struct explorer_result *r = x->r;
	struct world *w = x->w;

	if (!s->ops->run)
		world_restore(w);
	if (!s->ops->begin(s, w, index)) {
		explorer_end(x, s->left_out ? EXPLORER_BOUNDED : EXPLORER_COMPLETE);
		return false;
	}
	if (x->around)
		around_begin(x->around, w);
	x->class = 0;
	if (x->watch && class_watched(index, c->classes_every)) {
		class_watch_begin(x->watch, w);
		*stop = world_run(w);
		x->class = class_watch_end(x->watch);
	} else {
		*stop = s->ops->run ? s->ops->run(s, w) : world_run(w);
	}
	if (s->ops->end)
		s->ops->end(s, w, *stop);
	if (s->error.text[0]) {
		explorer_end(x, EXPLORER_NONDETERMINISTIC);
		error_set(&r->error, "schedule %" PRIu64 ": %s", index, s->error.text);
		return false;
	}
	x->unfinished = *stop == STOP_NONE;
	if (x->unfinished)
		x->until_check = 1;
	if ((s->repeated && *stop != STOP_ERROR) || x->unfinished)
		return false;
	r->schedules++;
	r->steps += world_step(w);
	if (*stop == STOP_ERROR) {
		explorer_end(x, EXPLORER_ERROR);
		error_set(&r->error, "schedule %" PRIu64 ": %s", index, world_error(w)->text);
		return false;
	}
	/* Texts only: a judge that says nothing but its verdict leaves empty ones. */
	f->oracle[0] = f->statement[0] = f->subject[0] = f->message[0] = 0;
	f->verdict = c->judge(w, *stop, f, c->judge_context);
	must(f->verdict < VERDICT_COUNT);
	r->count[f->verdict]++;
	return verdict_fails(f->verdict);
}

void
explorer_schedule(struct exploration *x, uint64_t index)
{
	struct finding f;
	enum stop stop;
	uint64_t before = x->r->schedules;
	bool failed = explorer_try(x, index, &f, &stop);

	if (x->class)
		classes_add(&x->classes, x->class);
	if (x->c->strategy->ops->explored && x->r->schedules > before &&
	    stretches_due(&x->stretches, x->r->schedules))
		stretches_note(&x->stretches, x->c->strategy->ops->explored(x->c->strategy));
	if (__builtin_expect(failed, 0))
		explorer_failed(x, index, stop, &f);
}

static int
check_config(const struct explorer_config *c, struct error *err)
{
	const struct strategy_ops *ops = c->strategy->ops;

	if ((c->shards || c->shard) && c->shard >= c->shards)
		return error_set(err, "shard %u of %u: shards count from 0", c->shard, c->shards);
	if (c->shards > 1 && !ops->indexed && !ops->partitions)
		return error_set(err,
				 "strategy %s cannot be sharded: each schedule depends on the ones "
				 "before",
				 ops->name);
	if (!c->schedules_max && !c->time_max_ns && !ops->exhaustive && c->keep_going)
		return error_set(err,
				 "strategy %s never ends: give it a number of schedules or a time",
				 ops->name);
	if (c->around && !ops->numbered)
		return error_set(
			err, "strategy %s has no plain run to depart from: use random or bounded",
			ops->name);
	if (c->time_max_ns && !c->clock)
		return error_set(err, "a time budget needs a clock");
	return 0;
}

static void
loop(struct exploration *x)
{
	const struct explorer_config *c = x->c;
	uint64_t max = c->schedules_max ? c->schedules_max : UINT64_MAX;

	for (uint64_t place = 0; !x->ended; place += !x->unfinished) {
		uint64_t index = explorer_index(c, place);

		if (index >= max) {
			explorer_end(x, EXPLORER_SCHEDULES);
		} else if (c->interrupted && *c->interrupted) {
			explorer_end(x, EXPLORER_INTERRUPTED);
		} else {
			explorer_schedule(x, index);
			if (!--x->until_check && !x->ended)
				check_time(x);
		}
	}
}

int
explorer_ready(struct exploration *x)
{
	const struct explorer_config *c = x->c;

	if (c->ready && c->ready(c->context, &x->r->error))
		return -1;
	if (c->clock)
		x->began_ns = x->checked_ns = x->progress_ns = c->clock(c->clock_context);
	return 0;
}

bool
explorer_shares(const struct explorer_config *c)
{
	/* A number of schedules is counted by one process. */
	return c->jobs > 1 &&
	       (c->strategy->ops->indexed || (c->strategy->ops->partitions && c->strategy_config &&
					      c->shards <= 1 && !c->schedules_max));
}

static void
explore_all(struct exploration *x)
{
	const struct explorer_config *c = x->c;

	if (c->jobs > 1 && c->strategy->ops->indexed)
		explorer_jobs(x);
	else if (explorer_shares(c)) {
		if (!explorer_parts(x))
			loop(x);
	} else if (explorer_ready(x))
		explorer_end(x, EXPLORER_ERROR);
	else
		loop(x);
}

/* What is left to be seen, where that was not proved. */
static void
estimate(struct exploration *x)
{
	const struct explorer_config *c = x->c;
	const struct strategy_ops *ops = c->strategy->ops;
	struct explorer_result *r = x->r;
	uint64_t probes = r->schedules / PROBES_PART;

	r->classes = explorer_classes(x, r->schedules);
	if (!ops->exhaustive)
		classes_estimate(&x->classes, &r->left);
	else if (ops->explored && r->end != EXPLORER_COMPLETE && r->end != EXPLORER_BOUNDED)
		stretches_estimate(&x->stretches, r->schedules, ops->explored(c->strategy),
				   &r->all);
	else if (ops->estimate && !x->around &&
		 (r->end == EXPLORER_SCHEDULES || r->end == EXPLORER_TIME))
		ops->estimate(c->strategy, x->w,
			      probes < PROBES_MIN   ? PROBES_MIN
			      : probes > PROBES_MAX ? PROBES_MAX
						    : (unsigned)probes,
			      &r->all);
	class_watch_destroy(x->watch);
	around_destroy(x->around);
	classes_free(&x->classes);
}

int
explorer_run(struct world *w, const struct explorer_config *config, struct explorer_result *r)
{
	struct exploration x = {
		.w = w,
		.c = config,
		.r = r,
		.tail = &r->found,
		.stride = 1,
		.until_check = 1,
		.stretches = { .length = 1 },
	};

	*r = (struct explorer_result){ 0 };
	if (check_config(config, &r->error)) {
		r->end = EXPLORER_ERROR;
		return -1;
	}
	if (config->around)
		x.around = around_create();
	if (config->classes && config->strategy->ops->classes)
		x.watch = class_watch_create();
	explore_all(&x);
	if (config->clock)
		r->elapsed_ns = config->clock(config->clock_context) - x.began_ns;
	estimate(&x);
	world_set_chooser(w, NULL);
	if (config->strategy->ops->state)
		config->strategy->ops->state(config->strategy, r->statement, sizeof(r->statement));
	while (x.patience) {
		struct patience *p = x.patience;

		x.patience = p->next;
		free(p);
	}
	return r->end >= EXPLORER_NONDETERMINISTIC ? -1 : 0;
}

void
explorer_result_free(struct explorer_result *r)
{
	while (r->found) {
		struct found *f = r->found;

		r->found = f->next;
		found_free(f);
	}
}
