/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failures kept as regression tests: each is followed by its keys and must end as it says. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/replay.h"
#include "cli/runner.h"
#include "cli/test.h"

static void
judge(const struct failure *f, const struct keyed_result *kr, const struct finding *found,
      struct test_result *t)
{
	const char *expect = f->expect ? f->expect : verdict_name[f->finding.verdict];
	const char *is = verdict_name[found->verdict];
	char guess[KEYED_TEXT_MAX + 300];
	bool same = f->expect ? !strcmp(expect, is) : finding_same(found, &f->finding);

	replay_guess_text(f, kr, guess, sizeof(guess));
	t->status = same ? TEST_PASSED : TEST_FAILED;
	if (same)
		snprintf(t->text, sizeof(t->text), "%s%s%s", is, *guess ? "; " : "", guess);
	else if (verdict_fails(found->verdict))
		snprintf(t->text, sizeof(t->text), "expected %s, got %s: %s (%s): %s%s%s", expect,
			 is, found->oracle, found->subject, found->message, *guess ? "; " : "",
			 guess);
	else
		snprintf(t->text, sizeof(t->text), "expected %s, got %s%s%s", expect, is,
			 *guess ? "; " : "", guess);
}

static int
run(struct session *s, const struct failure *f, const struct options *o, struct record *r,
    struct test_result *t, struct error *err)
{
	struct run_info info = session_info(s, o, "replay");
	struct run_result result = { .schedules = 1 };
	int64_t began = runner_clock(NULL);
	struct keyed_result kr;
	struct finding found;

	info.seed = f->seed;
	info.expected = f->expect ? f->expect : verdict_name[f->finding.verdict];
	if (record_run_begin(r, &info, err) < 0 || replay_keyed(s, f, &kr, &found, err))
		return -1;
	judge(f, &kr, &found, t);
	t->schedules = kr.runs;
	t->elapsed_ns = result.wall_ns = runner_clock(NULL) - began;
	result.verdict = verdict_name[found.verdict];
	result.steps = world_step(s->w);
	result.digest = world_digest(s->w);
	return record_run_end(r, &result, err);
}

void
test_corpus_run(const struct test_case *c, const struct options *o, struct record *r,
		struct test_result *t)
{
	struct session s;
	struct failure f;
	struct error err = { "" };
	int ret = failure_load(&f, c->name, &err);

	if (!ret && !(ret = session_open_failure(&s, &f, o, &err))) {
		ret = run(&s, &f, o, r, t, &err);
		session_close(&s);
	}
	if (ret) {
		t->status = TEST_FAILED;
		snprintf(t->text, sizeof(t->text), "%s", err.text);
	}
	failure_free(&f);
}
