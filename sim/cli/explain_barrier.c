/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which barrier would have removed a failure of memory order.  Candidates are places of the failing
 * run: loads while a store of the same actor was late, loads of old values, stores that may have
 * been seen in another order.  Each is tried in a second world, in which the barrier is in place:
 * the failing schedule is followed there, then it is explored, exhaustively if that ends soon, else
 * at random.  What is named has been explored.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/runner.h"
#include "explore/keyed.h"
#include "explore/lanes.h"
#include "memory/access.h"
#include "memory/model.h"

#define CANDIDATES_MAX 48u
#define EXHAUSTIVE_MAX 20000u /* executions, after which it is left to chance */
#define RANDOM_MAX 4000u
#define RANDOM_MIN 200u
#define STEPS_MAX UINT64_C(20000000) /* of all runs of one candidate, about */
#define STEPS_ALL_MAX UINT64_C(60000000) /* after which no further one is tried: some seconds */

struct candidate {
	int64_t site;
	int kind;
	size_t event;
};

struct search {
	struct session s; /* of the second world */
	const struct failure *f;
	struct event_log log;
	struct candidate c[CANDIDATES_MAX];
	unsigned count;
	char result[100]; /* of exploring the last one */
	uint64_t steps; /* of all runs */
};

static void
add(struct search *x, size_t event, int kind)
{
	const struct event *e = &x->log.events[event];

	for (unsigned i = 0; i < x->count; i++)
		if (x->c[i].site == e->arg[3] && x->c[i].kind == kind)
			return;
	if (x->count < CANDIDATES_MAX && e->arg[3])
		x->c[x->count++] = (struct candidate){ e->arg[3], kind, event };
}

static bool
is(const struct event *e, enum event_kind kind, int64_t how)
{
	return e->kind == kind && (!how || (e->arg[4] & how));
}

/* Loads after a store that was late, before its flush. */
static void
add_loads_past_stores(struct search *x, const struct lanes *l)
{
	for (size_t i = 0; i < x->log.count; i++) {
		const struct event *store = &x->log.events[i];

		if (!l->row[i].late || store->kind != EV_STORE)
			continue;
		for (size_t k = i + 1; k < x->log.count; k++) {
			const struct event *e = &x->log.events[k];

			if (e->kind == EV_FLUSH && lanes_actor(e) == store->actor &&
			    e->arg[0] == store->arg[0])
				break;
			if (e->kind == EV_LOAD && e->actor == store->actor)
				add(x, k, FENCE_MB);
		}
	}
}

static void
add_all(struct search *x, enum event_kind what, int64_t how, int kind)
{
	for (size_t i = 0; i < x->log.count; i++)
		if (is(&x->log.events[i], what, how))
			add(x, i, kind);
}

/* The lightest kinds first. Returns whether order of memory had to do with it at all. */
static bool
list_candidates(struct search *x)
{
	struct event_names names = event_names_of_world(x->s.w);
	struct lanes_options lo = { 0 };
	struct lanes l;
	bool weak = memory_model_of(x->s.w) == MEMORY_WEAK, concerned = false;

	lanes_build(&l, &x->log, &names, &lo);
	for (size_t i = 0; i < x->log.count; i++)
		concerned |= l.row[i].late || is(&x->log.events[i], EV_LOAD, ACCESS_STALE) ||
			     is(&x->log.events[i], EV_STORE, ACCESS_LATE);
	if (weak && concerned) {
		add_all(x, EV_LOAD, ACCESS_STALE, FENCE_RMB);
		add_all(x, EV_STORE, 0, FENCE_WMB);
		add_all(x, EV_LOAD, 0, FENCE_RMB);
		add_all(x, EV_LOAD, ACCESS_STALE, FENCE_MB);
		add_all(x, EV_LOAD, 0, FENCE_MB);
	} else {
		add_loads_past_stores(x, &l);
	}
	lanes_free(&l);
	return concerned;
}

/* --- trying --------------------------------------------------------------------------------- */

static void
put_barrier(struct search *x, int64_t site, int kind)
{
	world_restore(x->s.w);
	memory_add_barrier(x->s.w, site, kind);
	world_snapshot(x->s.w);
}

/* Whether nothing is found. */
static bool
explore(struct search *x, const struct strategy_ops *ops, uint64_t schedules_max)
{
	struct strategy_config how = { .seed = x->f->seed,
				       .depth = STRATEGY_DEPTH_DEFAULT,
				       .bound = STRATEGY_BOUND_DEFAULT };
	struct error err;
	struct strategy *strategy = strategy_create(ops, &how, &err);
	struct explorer_config config = { .strategy = strategy,
					  .judge = session_judge,
					  .judge_context = &x->s,
					  .schedules_max = schedules_max,
					  .interrupted = &runner_interrupted };
	struct explorer_result r;
	bool holds;

	if (!strategy)
		return false;
	holds = !explorer_run(x->s.w, &config, &r) && !r.failing && !r.count[VERDICT_BUDGET] &&
		(r.end == EXPLORER_COMPLETE || (!ops->exhaustive && r.end == EXPLORER_SCHEDULES));
	snprintf(x->result, sizeof(x->result), "%" PRIu64 " schedules, %s", r.schedules,
		 r.end == EXPLORER_COMPLETE ? "complete" : ops->name);
	x->steps += r.steps;
	explorer_result_free(&r);
	strategy_destroy(strategy);
	return holds;
}

/* The world as it is now: does the failing schedule hold, and all that is explored? */
static bool
holds(struct search *x)
{
	uint64_t runs = STEPS_MAX / (x->f->steps + 1);
	struct keyed_result kr;
	struct finding f = { 0 };

	keyed_run(x->s.w, &x->f->keys, &kr);
	f.verdict = session_judge(x->s.w, kr.stop, &f, &x->s);
	if (verdict_fails(f.verdict))
		return false;
	runs = runs < RANDOM_MIN ? RANDOM_MIN : runs;
	/* By chance first: what does not hold is mostly seen at once. */
	return explore(x, &strategy_random, runs < RANDOM_MAX ? runs : RANDOM_MAX) &&
	       (explore(x, &strategy_dpor, runs < EXHAUSTIVE_MAX ? runs : EXHAUSTIVE_MAX) ||
		explore(x, &strategy_random, runs < RANDOM_MAX ? runs : RANDOM_MAX));
}

static bool
removes(struct search *x, const struct candidate *c)
{
	put_barrier(x, c->site, c->kind);
	return holds(x);
}

/*
 * weak knows of no dependencies: would it fail if each load were ordered before what follows it, as
 * a load is on which all that depends?
 */
static void
look_at_dependencies(struct search *x, struct failure *f)
{
	world_restore(x->s.w);
	memory_order_loads(x->s.w, true);
	world_snapshot(x->s.w);
	if (holds(x))
		failure_set(&f->order, "needs loads that come out of order, which an address "
				       "dependency between them would forbid");
	world_restore(x->s.w);
	memory_order_loads(x->s.w, false);
	world_snapshot(x->s.w);
}

static void
tell(struct search *x, const struct candidate *c, char *text, size_t size)
{
	const struct event *e = &x->log.events[c->event];
	struct event_names names = event_names_of_world(x->s.w);
	struct site_frame frame;
	char field[96] = "", code[160] = "";

	names.gpa(names.context, (uint64_t)e->arg[0], field, sizeof(field));
	site_frame(c->site, &frame);
	site_frame_text(&frame, code, sizeof(code));
	snprintf(text, size, "%s before the %s of %s (%s) removes it: ok in %s",
		 fence_name[c->kind], e->kind == EV_LOAD ? "load" : "store", field, code,
		 x->result);
}

static void
find_barrier(struct search *x, struct failure *f)
{
	char text[500];
	bool found = false;
	unsigned i = 0;

	/* A store that is late without a load after it is late by chance: no barrier is missing. */
	if (!list_candidates(x) || !x->count)
		return;
	if (memory_model_of(x->s.w) == MEMORY_WEAK)
		look_at_dependencies(x, f);
	while (i < x->count && x->steps < STEPS_ALL_MAX && !runner_interrupted &&
	       !(found = removes(x, &x->c[i])))
		i++;
	if (runner_interrupted)
		return;
	if (found)
		tell(x, &x->c[i], text, sizeof(text));
	else if (i < x->count)
		snprintf(text, sizeof(text), "none found so far: %u of %u places tried", i,
			 x->count);
	else
		snprintf(text, sizeof(text), "no single one removes it (%u tried)", x->count);
	failure_set(&f->barrier, text);
}

void
session_explain_barrier(const struct options *o, struct failure *f)
{
	struct search x = { .f = f };
	struct trail trail = { 0 };
	struct options with = *o;
	struct error err;

	with.sets = 0; /* the failure has all parameters */
	if (f->keys.count != f->schedule.count || session_open_failure(&x.s, f, &with, &err))
		return;
	if (memory_model_of(x.s.w) != MEMORY_SC &&
	    !session_replay_log(&x.s, &f->schedule, &trail, &x.log, &err))
		find_barrier(&x, f);
	trail_free(&trail);
	event_log_free(&x.log);
	session_close(&x.s);
}
