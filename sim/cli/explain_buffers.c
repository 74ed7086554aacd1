/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last step of shrinking: fewer buffers.  Where the scenario says which parameter is their
 * number, smaller ones are tried, the smallest first: does the shrunk schedule fail there too, by
 * its keys, or does exploring find the same finding?  It is taken if it needs no more preemptions
 * and late stores.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runner.h"
#include "explore/keyed.h"
#include "explore/shrink.h"

#define TRIES_MAX 8 /* numbers of buffers */
#define SCHEDULES_MAX 4000u /* of each */

/* Its keyed picks in the smaller world; @s gets what was really done. */
static bool
fails_by_keys(struct session *small, const struct failure *f, struct schedule *s,
	      struct finding *found)
{
	struct keyed_result kr;

	if (f->keys.count != f->schedule.count)
		return false;
	keyed_run(small->w, &f->keys, &kr);
	*found = (struct finding){ 0 };
	found->verdict = session_judge(small->w, kr.stop, found, small);
	return finding_same(found, &f->finding) && !schedule_take(s, small->w, NULL);
}

static bool
fails_by_chance(struct session *small, const struct failure *f, struct schedule *s,
		struct finding *found)
{
	struct strategy_config how = { .seed = f->seed };
	struct error err;
	struct strategy *random = strategy_create(&strategy_random, &how, &err);
	struct explorer_config config = { .strategy = random,
					  .judge = session_judge,
					  .judge_context = small,
					  .schedules_max = SCHEDULES_MAX,
					  .interrupted = &runner_interrupted };
	struct explorer_result r;
	bool same = false;

	if (!random)
		return false;
	if (!explorer_run(small->w, &config, &r) && r.found) {
		same = finding_same(&r.found->finding, &f->finding);
		schedule_copy(s, &r.found->schedule);
		*found = r.found->finding;
	}
	explorer_result_free(&r);
	strategy_destroy(random);
	return same;
}

/* In @small, which has fewer buffers. */
static bool
shrink_there(struct session *small, const struct failure *f, struct found *found,
	     struct shrink_result *sr)
{
	struct shrink_config config = { .judge = session_judge,
					.judge_context = small,
					.interrupted = &runner_interrupted };
	struct schedule s = { 0 };
	struct finding finding;
	struct shrink_result r;
	struct error err;
	bool taken = false;

	if ((fails_by_keys(small, f, &s, &finding) || fails_by_chance(small, f, &s, &finding)) &&
	    !shrink(small->w, &config, &s, &finding, &r, &err) &&
	    (r.preemptions_after < sr->preemptions_after ||
	     (r.preemptions_after == sr->preemptions_after &&
	      r.delayed_after <= sr->delayed_after))) {
		r.picks_before = sr->picks_before;
		*sr = r;
		schedule_copy(&found->schedule, &s);
		found->finding = finding;
		found->signature = r.signature;
		taken = true;
	}
	schedule_free(&s);
	return taken;
}

bool
session_shrink_buffers(struct session *s, const struct options *o, struct found *found,
		       struct shrink_result *sr, struct session *small)
{
	const struct scenario *sc = &s->scenario;
	const struct scenario_param *p = sc->buffers >= 0 ? &sc->param[sc->buffers] : NULL;
	int64_t now = p ? strtoll(s->values.value[sc->buffers], NULL, 10) : 0;
	bool taken = false;
	struct options with = *o;
	struct failure f;
	struct error err;
	char text[32];

	with.sets = 0; /* the failure has all parameters */

	if (!p || now <= p->min)
		return false;
	session_failure(s, o, &found->finding, &found->schedule, &f);
	keyed_learn(s->w, &f.schedule, &f.keys);
	for (int64_t n = p->min; n < now && n < p->min + TRIES_MAX && !taken; n++) {
		snprintf(text, sizeof(text), "%" PRId64, n);
		failure_set(&f.params[sc->buffers].value, text);
		if (session_open_failure(small, &f, &with, &err))
			continue; /* the scenario cannot be built so small */
		taken = shrink_there(small, &f, found, sr);
		if (!taken)
			session_close(small);
	}
	failure_free(&f);
	return taken;
}
