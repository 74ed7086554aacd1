/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One variant of one scenario against what it expects. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/runner.h"
#include "cli/test.h"
#include "script/lua_world.h"

static void
say(struct test_result *t, enum test_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void
say(struct test_result *t, enum test_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
	t->status = status;
}

static void
keep_schedule(struct test_result *t, const struct schedule *s)
{
	char *line = schedule_print(s);

	if (strlen(line) < sizeof(t->schedule))
		memcpy(t->schedule, line, strlen(line) + 1);
	free(line);
}

static void
judge_failing(struct session *s, const struct explorer_result *r, struct test_result *t)
{
	const char *expect = verdict_name[s->variant->expect];
	const struct finding *f = r->found ? &r->found->finding : NULL;

	if (!f && r->end == EXPLORER_TIME)
		say(t, TEST_SKIPPED, "out of time after %" PRIu64 " schedules without a %s",
		    r->schedules, expect);
	else if (!f)
		say(t, TEST_FAILED, "expected %s, found nothing in %" PRIu64 " schedules", expect,
		    r->schedules);
	else if (f->verdict != s->variant->expect)
		say(t, TEST_FAILED, "expected %s, found %s at schedule %" PRIu64 ": %s (%s): %s",
		    expect, verdict_name[f->verdict], r->found->index, f->oracle, f->subject,
		    f->message);
	else
		say(t, TEST_PASSED, "%s at schedule %" PRIu64 ", %s", expect, r->found->index,
		    f->subject);
}

static void
judge_holding(const struct explorer_result *r, bool complete, struct test_result *t)
{
	const struct finding *f = r->found ? &r->found->finding : NULL;

	if (f)
		say(t, TEST_FAILED, "expected ok, found %s at schedule %" PRIu64 ": %s (%s): %s",
		    verdict_name[f->verdict], r->found->index, f->oracle, f->subject, f->message);
	else if (r->count[VERDICT_BUDGET])
		say(t, TEST_FAILED,
		    "%" PRIu64 " of %" PRIu64 " schedules reached the limit of steps or time: "
		    "no verdict",
		    r->count[VERDICT_BUDGET], r->schedules);
	else if (r->end == EXPLORER_TIME)
		say(t, TEST_SKIPPED, "out of time, nothing found in %" PRIu64 " schedules",
		    r->schedules);
	else if (complete && r->end != EXPLORER_COMPLETE)
		say(t, TEST_SKIPPED, "runs = \"complete\", but: %s", r->statement);
	else
		say(t, TEST_PASSED, "ok in %" PRIu64 " schedules%s", r->schedules,
		    r->end == EXPLORER_COMPLETE ? ", complete" : "");
}

static void
judge_result(struct session *s, const struct explorer_result *r, struct test_result *t)
{
	struct error err;

	t->schedules = r->schedules;
	t->elapsed_ns = r->elapsed_ns;
	if (r->found)
		keep_schedule(t, &r->found->schedule);
	if (s->error.text[0]) {
		say(t, TEST_FAILED, "%s", s->error.text);
	} else if (r->end == EXPLORER_ERROR && world_error(s->w)->text[0]) {
		script_world_error(s->w, &err);
		say(t, TEST_FAILED, "%s", err.text);
	} else if (r->end == EXPLORER_ERROR || r->end == EXPLORER_NONDETERMINISTIC) {
		say(t, TEST_FAILED, "%s", r->error.text);
	} else if (r->end == EXPLORER_INTERRUPTED) {
		t->interrupted = 1;
		say(t, TEST_SKIPPED, "interrupted");
	} else if (s->variant->expect == VERDICT_OK) {
		judge_holding(r, s->variant->complete, t);
	} else {
		judge_failing(s, r, t);
	}
}

/* Away from home a failing variant need not fail, and any failure is one (test_matrix.c). */
static void
judge_cell(struct session *s, const struct explorer_result *r, const struct test_cell *cell,
	   struct test_result *t)
{
	bool ran = r->end == EXPLORER_SCHEDULES || r->end == EXPLORER_COMPLETE ||
		   r->end == EXPLORER_BOUNDED;

	if (t->status == TEST_SKIPPED && s->variant->expect == VERDICT_OK && ran && !r->found &&
	    !r->count[VERDICT_BUDGET])
		say(t, TEST_PASSED, "ok in %" PRIu64 " schedules", r->schedules);
	if (cell->home || t->status != TEST_FAILED || s->variant->expect == VERDICT_OK)
		return;
	if (r->found)
		say(t, TEST_PASSED, "%s at schedule %" PRIu64 ", %s",
		    verdict_name[r->found->finding.verdict], r->found->index,
		    r->found->finding.subject);
	else if (ran)
		say(t, TEST_SKIPPED, "skipped: no %s in %" PRIu64 " schedules, away from home",
		    verdict_name[s->variant->expect], r->schedules);
}

static int
record_case(struct session *s, const struct options *o, struct record *r,
	    const struct explorer_result *x, struct error *err)
{
	enum verdict v = x->found ? x->found->finding.verdict
			 : x->count[VERDICT_BUDGET] || x->end == EXPLORER_INTERRUPTED
				 ? VERDICT_BUDGET
				 : VERDICT_OK;
	struct run_result result = { .verdict = verdict_name[v],
				     .schedules = x->schedules,
				     .complete = x->end == EXPLORER_COMPLETE,
				     .steps = x->steps,
				     .wall_ns = x->elapsed_ns };

	if (x->found) {
		const struct found *f = x->found;
		struct failure failure;
		int ret;

		session_failure(s, o, &f->finding, &f->schedule, &failure);
		failure.stop = f->stop;
		failure.steps = f->steps;
		failure.time_ns = f->time_ns;
		ret = session_record_failure(r, &failure, f, err);
		failure_free(&failure);
		result.digest = f->schedule.digest;
		result.sim_time_ns = f->time_ns;
		if (ret)
			return -1;
	}
	return record_run_end(r, &result, err);
}

static void
explore_case(struct session *s, const struct test_cell *cell, const struct options *o,
	     struct record *r, struct test_result *t)
{
	struct run_info info = session_info(s, o, o->strategy);
	struct error err;
	const struct strategy_ops *ops = strategy_find(o->strategy, &err);
	struct strategy_config how = session_strategy(o);
	struct strategy *strategy = ops ? strategy_create(ops, &how, &err) : NULL;
	struct explorer_config config = {
		.strategy = strategy,
		.judge = session_judge,
		.judge_context = s,
		.schedules_max = cell			? cell->runs
				 : s->variant->complete ? 0
							: s->variant->runs,
		.time_max_ns = o->time_ns ? o->time_ns
			       : cell	  ? TEST_CELL_NS
					  : 0,
		.clock = runner_clock,
		.interrupted = &runner_interrupted,
	};
	struct explorer_result x;

	if (!strategy) {
		say(t, TEST_FAILED, "%s", err.text);
		return;
	}
	if (s->variant->complete && !ops->exhaustive && !cell) {
		say(t, TEST_SKIPPED, "runs = \"complete\" needs an exhaustive strategy, %s is none",
		    ops->name);
	} else if (record_run_begin(r, &info, &err) < 0) {
		say(t, TEST_FAILED, "%s", err.text);
	} else {
		explorer_run(s->w, &config, &x);
		judge_result(s, &x, t);
		if (cell)
			judge_cell(s, &x, cell, t);
		if (record_case(s, o, r, &x, &err))
			say(t, TEST_FAILED, "%s", err.text);
		explorer_result_free(&x);
	}
	strategy_destroy(strategy);
}

/* Ring code that cannot begin where the scenario begins says so when the queue is made. */
static bool
refused(const struct error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "(error %d)", ENOTSUP);
	return strstr(err->text, text);
}

void
test_case_run(const struct test_case *c, const struct options *o, struct record *r,
	      struct test_result *t)
{
	struct options with = *o;
	struct session s;
	struct error err = { "" };

	if (c->cell) {
		with.datapath = c->cell->datapath;
		with.ring = c->cell->ring;
		with.memory = c->cell->memory;
		o = &with;
	}
	if (c->broken) {
		say(t, TEST_FAILED, "%s", c->broken);
	} else if (session_open(&s, c->name, o, &err)) {
		say(t, c->cell && refused(&err) ? TEST_IMPOSSIBLE : TEST_FAILED, "%s%s",
		    c->cell && refused(&err) ? "impossible: " : "", err.text);
	} else {
		explore_case(&s, c->cell, o, r, t);
		session_close(&s);
#ifdef RINGSIDE_HOSTILE
		if (t->status == TEST_PASSED && test_twin(c, o, &err))
			say(t, TEST_FAILED, "%s", err.text);
#endif
	}
}
