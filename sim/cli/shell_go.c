/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/look.h"
#include "cli/shell.h"
#include "explore/wording.h"
#include "memory/guest_memory.h"
#include "script/lua_world.h"

/* --- what there is to see ------------------------------------------------------------------- */

void
shell_print_event(const struct shell *sh, const struct event *e)
{
	struct event_names names = event_names_of_world(sh->s.w);
	char who[64], text[400], place[96];

	event_names_actor(&names, e->actor, who, sizeof(who));
	wording_text(&names, e, text, sizeof(text));
	event_names_place(&names, e, place, sizeof(place));
	printf("%6" PRIu64 "  %-14s %s%s%s\n", e->step, who, text, *place ? "  " : "", place);
}

static void
print_new_events(struct shell *sh)
{
	const struct event_log *log = &sh->h.log;

	world_flush(sh->s.w);
	for (size_t i = sh->shown > log->dropped ? sh->shown - log->dropped : 0; i < log->count;
	     i++)
		shell_print_event(sh, &log->events[i]);
	sh->shown = log->dropped + log->count;
}

static void
print_process(const struct shell *sh, struct process p)
{
	struct world *w = sh->s.w;
	struct next_access next;
	char name[160];

	if (p.kind == PROCESS_CALLBACK) {
		printf("a timer or callback\n");
		return;
	}
	printf("%s%s", p.kind == PROCESS_FLUSH ? "flush of " : "", actor_name(p.id));
	next = world_next_access(w, p);
	if (next.how & (WATCH_LOAD | WATCH_STORE)) {
		gm_name(w, next.offset, name, sizeof(name));
		printf(": %s %s", next.how & WATCH_STORE ? "stores" : "loads", name);
	}
	printf("\n");
}

void
shell_print_choices(const struct shell *sh)
{
	uint32_t n = sh->h.stop == STOP_PARKED ? world_question(sh->s.w) : 0;

	for (uint32_t k = 0; k < n; k++) {
		printf("%c%3u  ", k == by_hand_default(&sh->h) ? '*' : ' ', k);
		print_process(sh, world_question_process(sh->s.w, k));
	}
}

static void
print_end(struct shell *sh)
{
	struct finding f;
	enum verdict v;

	if (sh->h.stop == STOP_ERROR) {
		struct error err;

		script_world_error(sh->s.w, &err);
		printf("error: %s\n", err.text);
		return;
	}
	/* An oracle says what it once saw: that it was mended since is nothing to it. */
	if (sh->h.acted) {
		printf("ended, with acts by hand\n");
	} else {
		v = session_judge(sh->s.w, sh->h.stop, &f, &sh->s);
		printf("verdict: %s%s%s\n", verdict_name[v], v == VERDICT_OK ? "" : ": ",
		       v == VERDICT_OK ? "" : f.message);
	}
	if (!look_blocked(sh->s.w, stdout) && sh->h.acted)
		printf("nobody is blocked\n");
}

/* After each command that goes on or back. */
void
shell_tell(struct shell *sh)
{
	print_new_events(sh);
	if (sh->h.stop != STOP_PARKED)
		print_end(sh);
	else if (sh->terminal)
		shell_print_choices(sh);
}

/* --- going on ------------------------------------------------------------------------------- */

int
shell_check_open(const struct shell *sh, struct error *err)
{
	if (sh->h.stop == STOP_PARKED)
		return 0;
	return error_set(err, "the run has ended; `back` and `restart` go back");
}

int
shell_pick(struct shell *sh, const char *args, struct error *err)
{
	uint64_t k;

	if (shell_check_open(sh, err) || shell_number(args, world_question(sh->s.w) - 1, &k, err))
		return -1;
	by_hand_answer(&sh->h, (uint32_t)k);
	shell_tell(sh);
	return 0;
}

int
shell_step(struct shell *sh, const char *args, struct error *err)
{
	uint64_t n = 1;

	if (shell_check_open(sh, err) || (*args && shell_number(args, UINT32_MAX, &n, err)))
		return -1;
	while (n-- && sh->h.stop == STOP_PARKED && !runner_interrupted)
		by_hand_answer(&sh->h, by_hand_default(&sh->h));
	shell_tell(sh);
	return 0;
}

/* Whether one of the events since @from is of a kind that matches. */
static bool
event_came(const struct shell *sh, size_t from, const char *pattern)
{
	const struct event_log *log = &sh->h.log;

	for (size_t i = from > log->dropped ? from - log->dropped : 0; i < log->count; i++)
		if (event_matches(pattern, event_info[log->events[i].kind].name))
			return true;
	return false;
}

static bool
actor_can_go(const struct shell *sh, const char *name)
{
	for (uint32_t k = 0; k < world_question(sh->s.w); k++) {
		struct process p = world_question_process(sh->s.w, k);

		if (p.kind == PROCESS_ACTOR && !strcmp(actor_name(p.id), name))
			return true;
	}
	return false;
}

int
shell_run(struct shell *sh, const char *args, struct error *err)
{
	const char *rest = args + strcspn(args, " ");
	size_t from = sh->h.log.dropped + sh->h.log.count;
	enum { TO_END, TO_STEP, TO_EVENT, TO_ACTOR } to = TO_END;
	uint64_t step = 0;

	rest += strspn(rest, " ");
	if (!strncmp(args, "step ", 5))
		to = TO_STEP;
	else if (!strncmp(args, "event ", 6))
		to = TO_EVENT;
	else if (!strncmp(args, "actor ", 6))
		to = TO_ACTOR;
	else if (*args)
		return error_set(
			err, "run %s: must be step N, event PATTERN, actor NAME or nothing", args);
	if (shell_check_open(sh, err) ||
	    (to == TO_STEP && shell_number(rest, UINT64_MAX, &step, err)))
		return -1;
	sh->running = true;
	do {
		by_hand_answer(&sh->h, by_hand_default(&sh->h));
	} while (sh->h.stop == STOP_PARKED && !runner_interrupted &&
		 !(to == TO_STEP && world_step(sh->s.w) >= step) &&
		 !(to == TO_EVENT && event_came(sh, from, rest)) &&
		 !(to == TO_ACTOR && actor_can_go(sh, rest)));
	sh->running = false;
	runner_interrupted = 0;
	shell_tell(sh);
	return 0;
}

int
shell_back(struct shell *sh, const char *args, struct error *err)
{
	uint64_t n = 1;

	if (*args && shell_number(args, UINT32_MAX, &n, err))
		return -1;
	n = by_hand_back(&sh->h, n);
	sh->shown = sh->h.log.dropped + sh->h.log.count;
	printf("back: %" PRIu64 ", step %" PRIu64 "\n", n, world_step(sh->s.w));
	shell_tell(sh);
	return 0;
}

int
shell_restart(struct shell *sh, const char *args, struct error *err)
{
	by_hand_start(&sh->h);
	sh->shown = 0;
	shell_tell(sh);
	return 0;
}

/* --- keeping -------------------------------------------------------------------------------- */

int
shell_schedule(struct shell *sh, const char *args, struct error *err)
{
	struct schedule s = { 0 };
	char *line;

	if (by_hand_schedule(&sh->h, &s, err))
		return -1;
	line = schedule_print(&s);
	printf("schedule: %s\n", line);
	free(line);
	schedule_free(&s);
	return 0;
}

int
shell_save(struct shell *sh, const char *args, struct error *err)
{
	struct schedule s = { 0 };
	struct finding finding;
	struct failure f;
	int ret;

	if (!*args)
		return error_set(err, "save: into which file?");
	if (sh->h.stop == STOP_PARKED || sh->h.stop == STOP_ERROR ||
	    session_judge(sh->s.w, sh->h.stop, &finding, &sh->s) == VERDICT_OK)
		return error_set(err, "save: only a run that has failed; `schedule` prints any");
	if (by_hand_schedule(&sh->h, &s, err))
		return -1;
	session_failure(&sh->s, sh->o, &finding, &s, &f);
	f.stop = sh->h.stop;
	f.steps = world_step(sh->s.w);
	f.time_ns = world_now(sh->s.w);
	ret = failure_save(&f, args, err);
	failure_free(&f);
	schedule_free(&s);
	if (!ret)
		printf("replay: ringside replay %s\n", args);
	return ret;
}
