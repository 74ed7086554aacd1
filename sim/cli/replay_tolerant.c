/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside replay --tolerant: a failure in code that has changed since. */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/replay.h"
#include "explore/keyed.h"
#include "script/lua_world.h"

int
replay_keyed(struct session *s, const struct failure *f, struct keyed_result *kr,
	     struct finding *found, struct error *err)
{
	if (f->keys.count != f->schedule.count)
		return error_set(err, "no \"at:\" lines: this failure has only the exact form; "
				      "explore again, or replay it without --tolerant");
	keyed_run(s->w, &f->keys, kr);
	if (kr->stop == STOP_ERROR) {
		script_world_error(s->w, err);
		return -1;
	}
	*found = (struct finding){ 0 };
	found->verdict = session_judge(s->w, kr->stop, found, s);
	if (s->error.text[0]) {
		*err = s->error;
		return -1;
	}
	return 0;
}

void
replay_guess_text(const struct failure *f, const struct keyed_result *kr, char *text, size_t size)
{
	*text = 0;
	if (kr->guessed < f->schedule.count)
		snprintf(text, size, "guessed from choice %" PRIu32 " on: %s",
			 f->schedule.picks[kr->guessed].at, kr->how);
}

static void
print_result(struct session *s, const struct failure *f, const struct keyed_result *kr,
	     const struct finding *found)
{
	char guess[KEYED_TEXT_MAX + 300];

	printf("scenario: %s:%s\nverdict: %s\n", s->scenario.path, s->variant->name,
	       verdict_name[found->verdict]);
	if (verdict_fails(found->verdict))
		printf("oracle: %s\nsubject: %s\nmessage: %s\n", found->oracle, found->subject,
		       found->message);
	if (!finding_same(found, &f->finding))
		printf("recorded: %s (%s, %s)\n", verdict_name[f->finding.verdict],
		       f->finding.oracle, f->finding.subject);
	printf("steps: %" PRIu64 "\ntime_ns: %" PRId64 "\npicks: %zu, guessed %u, left out %u\n",
	       world_step(s->w), world_now(s->w), f->keys.count, kr->guesses, kr->left_out);
	replay_guess_text(f, kr, guess, sizeof(guess));
	if (*guess)
		printf("%s\n", guess);
}

int
replay_tolerant(struct session *s, struct failure *f, struct record *r, const struct options *o,
		struct error *err)
{
	struct run_info info = session_info(s, o, "replay");
	struct run_result result = { .schedules = 1 };
	int64_t began = runner_clock(NULL);
	struct keyed_result kr;
	struct finding found;

	info.seed = f->seed;
	if (record_run_begin(r, &info, err) < 0 || replay_keyed(s, f, &kr, &found, err))
		return EXIT_USAGE;
	if (!o->quiet)
		print_result(s, f, &kr, &found);
	result.verdict = verdict_name[found.verdict];
	result.steps = world_step(s->w);
	result.sim_time_ns = world_now(s->w);
	result.digest = world_digest(s->w);
	result.wall_ns = runner_clock(NULL) - began;
	if (session_record_end(s, r, err) || record_run_end(r, &result, err))
		return EXIT_USAGE;
	return runner_exit(found.verdict);
}
