/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside shell: a prompt inside the world.  One table of commands; lines come from a terminal or
 * a pipe.  On a pipe there is no prompt, and the first command that fails ends it with exit status
 * 2, so that a session can be kept as a script.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <editline/readline.h>
#endif

#include "base/must.h"
#include "cli/by_hand.h"
#include "cli/command.h"
#include "cli/look.h"
#include "explore/wording.h"
#include "memory/guest_memory.h"
#include "notify/notifier.h"
#include "script/actor.h"

#define LINE_BYTES 4096
#define EVENTS_DEFAULT 20u

struct shell {
	struct by_hand h; /* first: see shell_of() */
	const struct options *o;
	struct session s;
	struct failure f;
	size_t shown; /* of the log: events printed so far, dropped ones included */
	bool terminal, quit;
	bool running; /* `run`: nobody is asked within a step */
	unsigned long line; /* from 1 */
};

static struct shell *
shell_of(struct by_hand *h)
{
	return h->context;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Without the newline; null at the end. To be freed. */
static char *
read_line(struct shell *sh, const char *prompt)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

#ifdef HAVE_LIBEDIT
	if (sh->terminal) {
		line = readline(prompt);
		if (line && *line)
			add_history(line);
		return line;
	}
#endif
	if (sh->terminal)
		fputs(prompt, stdout);
	fflush(stdout);
	sh->line++;
	n = getline(&line, &size, stdin);
	if (n < 0) {
		free(line);
		return NULL;
	}
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;
	return line;
}

/* A number that fills @text; @max inclusive. */
static int
parse_number(const char *text, uint64_t max, uint64_t *value, struct error *err)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || *value > max)
		return error_set(err, "%s: must be a number from 0 to %" PRIu64, text, max);
	return 0;
}

/* --- what there is to see ------------------------------------------------------------------- */

static void
print_event(const struct shell *sh, const struct event *e)
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
		print_event(sh, &log->events[i]);
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

static void
print_choices(const struct shell *sh)
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
static void
tell(struct shell *sh)
{
	print_new_events(sh);
	if (sh->h.stop != STOP_PARKED)
		print_end(sh);
	else if (sh->terminal)
		print_choices(sh);
}

/* --- going on ------------------------------------------------------------------------------- */

static int
check_open(const struct shell *sh, struct error *err)
{
	if (sh->h.stop == STOP_PARKED)
		return 0;
	return error_set(err, "the run has ended; `back` and `restart` go back");
}

static int
do_pick(struct shell *sh, const char *args, struct error *err)
{
	uint64_t k;

	if (check_open(sh, err) || parse_number(args, world_question(sh->s.w) - 1, &k, err))
		return -1;
	by_hand_answer(&sh->h, (uint32_t)k);
	tell(sh);
	return 0;
}

static int
do_step(struct shell *sh, const char *args, struct error *err)
{
	uint64_t n = 1;

	if (check_open(sh, err) || (*args && parse_number(args, UINT32_MAX, &n, err)))
		return -1;
	while (n-- && sh->h.stop == STOP_PARKED && !runner_interrupted)
		by_hand_answer(&sh->h, by_hand_default(&sh->h));
	tell(sh);
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

static int
do_run(struct shell *sh, const char *args, struct error *err)
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
	if (check_open(sh, err) || (to == TO_STEP && parse_number(rest, UINT64_MAX, &step, err)))
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
	tell(sh);
	return 0;
}

static int
do_back(struct shell *sh, const char *args, struct error *err)
{
	uint64_t n = 1;

	if (*args && parse_number(args, UINT32_MAX, &n, err))
		return -1;
	n = by_hand_back(&sh->h, n);
	sh->shown = sh->h.log.dropped + sh->h.log.count;
	printf("back: %" PRIu64 ", step %" PRIu64 "\n", n, world_step(sh->s.w));
	tell(sh);
	return 0;
}

static int
do_restart(struct shell *sh, const char *args, struct error *err)
{
	by_hand_start(&sh->h);
	sh->shown = 0;
	tell(sh);
	return 0;
}

/* --- looking -------------------------------------------------------------------------------- */

static int
do_choices(struct shell *sh, const char *args, struct error *err)
{
	if (check_open(sh, err))
		return -1;
	print_choices(sh);
	return 0;
}

static int
do_actors(struct shell *sh, const char *args, struct error *err)
{
	look_actors(sh->s.w, stdout);
	return 0;
}

static struct machine *
machine_here(const struct shell *sh, struct error *err)
{
	struct machine *m = machine_of(sh->s.w);

	if (!m)
		error_set(err, "the scenario has no machine; `words` shows its rings");
	return m;
}

static int
do_queues(struct shell *sh, const char *args, struct error *err)
{
	struct machine *m = machine_here(sh, err);
	struct debug_queue_status s;

	if (!m)
		return -1;
	for (struct machine_device *d = m->devices; d; d = d->next)
		for (unsigned k = 0; k < d->vdev.queue_count; k++)
			if (debug_queue_status(d, k, &s))
				look_queue(&s, stdout);
	return 0;
}

static int
do_notifiers(struct shell *sh, const char *args, struct error *err)
{
	struct machine *m = machine_here(sh, err);

	if (m)
		look_notifiers(m, stdout);
	return m ? 0 : -1;
}

static int
do_words(struct shell *sh, const char *args, struct error *err)
{
	unsigned n;

	if (*args) {
		n = look_words(sh->s.w, args, stdout);
		return n ? 0 : error_set(err, "%s: no word of memory has such a name", args);
	}
	n = look_words(sh->s.w, "*.idx", stdout) + look_words(sh->s.w, "*avail.flags", stdout) +
	    look_words(sh->s.w, "*used.flags", stdout) + look_words(sh->s.w, "*_event*", stdout);
	return n ? 0 : error_set(err, "no ring here");
}

static int
do_events(struct shell *sh, const char *args, struct error *err)
{
	const struct event_log *log = &sh->h.log;
	uint64_t n = EVENTS_DEFAULT;

	if (*args && parse_number(args, UINT32_MAX, &n, err))
		return -1;
	for (size_t i = log->count > n ? log->count - n : 0; i < log->count; i++)
		print_event(sh, &log->events[i]);
	return 0;
}

/* --- acting --------------------------------------------------------------------------------- */

/* In the world: it may wait for a lock, and be looked at by then. */
struct deed {
	struct machine_device *dev;
	unsigned queue;
	enum debug_level level;
	uint32_t notifier;
	int (*fn)(struct machine_device *d, unsigned queue, enum debug_level level);
};

static void
do_deed(struct machine *m, void *arg)
{
	struct deed *d = arg;
	int ret = d->fn ? d->fn(d->dev, d->queue, d->level)
			: notifier_write(m->notifiers, d->notifier);
	char text[80];

	if (!ret)
		return;
	snprintf(text, sizeof(text), "not possible: %s", strerrorname_np(-ret));
	emit(m->w, EV_NOTE, world_name(m->w, text));
}

/* "blk0.vq1 eventfd" */
static int
parse_queue(struct machine *m, const char *args, struct deed *d, struct error *err)
{
	const char *dot = strchr(args, '.'), *end;
	uint64_t queue = 0;

	for (d->dev = m->devices; dot && d->dev; d->dev = d->dev->next)
		if (!strncmp(d->dev->config.name, args, (size_t)(dot - args)) &&
		    !d->dev->config.name[dot - args])
			break;
	if (!dot || !d->dev || strncmp(dot, ".vq", 3))
		return error_set(err, "%s: must be DEVICE.vqN, and may say a level", args);
	queue = strtoull(dot + 3, (char **)&end, 10);
	if (end == dot + 3 || (*end && *end != ' ') || queue >= d->dev->vdev.queue_count)
		return error_set(err, "%s: the device has %u queues", args,
				 d->dev->vdev.queue_count);
	d->queue = (unsigned)queue;
	end += strspn(end, " ");
	d->level = DEBUG_EVENTFD;
	for (unsigned l = 0; *end; l++) {
		if (!debug_level_name[l])
			return error_set(err, "%s: must be ring, eventfd, doorbell or msi", end);
		if (!strcmp(debug_level_name[l], end)) {
			d->level = (enum debug_level)l;
			break;
		}
	}
	return 0;
}

static int
act_notify(struct shell *sh, const char *what, const char *args, struct error *err)
{
	struct machine *m = machine_here(sh, err);
	struct deed *d, parsed = { 0 };
	uint64_t id;

	if (!m)
		return -1;
	if (!strcmp(what, "write")) {
		if (parse_number(args, UINT32_MAX, &id, err))
			return -1;
		if (!notifier_find(m->notifiers, (uint32_t)id))
			return error_set(err, "%s: there is no notifier of that id", args);
		parsed.notifier = (uint32_t)id;
	} else if (parse_queue(m, args, &parsed, err)) {
		return -1;
	} else {
		parsed.fn = !strcmp(what, "kick") ? debug_kick : debug_call;
	}
	d = world_alloc(sh->s.w, sizeof(*d));
	*d = parsed;
	debug_run(m, do_deed, d);
	return 0;
}

/* An expression is printed, as if it were print()'s argument; else it is run as statements. */
static int
act_lua(struct shell *sh, const char *code, struct error *err)
{
	struct script *script = script_of_world(sh->s.w);
	char text[LINE_BYTES + 16];
	lua_State *L = script->L;

	snprintf(text, sizeof(text), "print(%s\n)", code);
	if (luaL_loadbufferx(L, text, strlen(text), "=shell", "t")) {
		lua_pop(L, 1);
		if (luaL_loadbufferx(L, code, strlen(code), "=shell", "t")) {
			error_set(err, "%s", lua_tostring(L, -1));
			lua_pop(L, 1);
			return -1;
		}
	}
	script_actor_create(L, "shell", true);
	return 0;
}

/* An act_fn: "kick blk0.vq0", as it was typed. */
static int
act_line(struct by_hand *h, const char *line, struct error *err)
{
	struct shell *sh = shell_of(h);
	size_t n = strcspn(line, " ");
	char what[16];

	snprintf(what, sizeof(what), "%.*s", (int)n, line);
	line += n;
	line += strspn(line, " ");
	return strcmp(what, "lua") ? act_notify(sh, what, line, err) : act_lua(sh, line, err);
}

static int
act_and_tell(struct shell *sh, const char *what, const char *args, struct error *err)
{
	char line[LINE_BYTES + 16];

	snprintf(line, sizeof(line), "%s %s", what, args);
	if (sh->h.stop == STOP_ERROR)
		return error_set(err, "the run has ended; `back` and `restart` go back");
	if (by_hand_act(&sh->h, line, err))
		return -1;
	tell(sh);
	return 0;
}

static int
do_kick(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "kick", args, err);
}

static int
do_call(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "call", args, err);
}

static int
do_write(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "write", args, err);
}

static int
do_lua(struct shell *sh, const char *args, struct error *err)
{
	return act_and_tell(sh, "lua", args, err);
}

/* --- keeping -------------------------------------------------------------------------------- */

static int
do_schedule(struct shell *sh, const char *args, struct error *err)
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

static int
do_save(struct shell *sh, const char *args, struct error *err)
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

static int
do_quit(struct shell *sh, const char *args, struct error *err)
{
	sh->quit = true;
	return 0;
}

/* --- commands ------------------------------------------------------------------------------- */

static int
do_help(struct shell *sh, const char *args, struct error *err);

static const struct shell_command {
	const char *name, *args, *what;
	int (*fn)(struct shell *sh, const char *args, struct error *err);
} shell_commands[] = {
	{ "choices", "", "who can go on; * is who would", do_choices },
	{ "pick", "K", "let that one go on; the number alone does, too", do_pick },
	{ "step", "[N]", "take the answer marked *, N times", do_step },
	{ "run", "[step N | event PATTERN | actor NAME]",
	  "the same, up to that step, such an event, that actor's turn, or the end", do_run },
	{ "back", "[N]", "take back the last N answers and acts", do_back },
	{ "restart", "", "take back all", do_restart },
	{ "actors", "", "all threads, and what they wait for", do_actors },
	{ "words", "[PATTERN]", "named words of guest memory; indices, flags and events if none",
	  do_words },
	{ "queues", "", "each queue, in the words of x-query-virtio-queue-status", do_queues },
	{ "notifiers", "", "each eventfd: what it is bound to, its counter", do_notifiers },
	{ "events", "[N]", "the last N events", do_events },
	{ "kick", "DEV.vqN [ring|eventfd|doorbell]", "notify the device on purpose", do_kick },
	{ "call", "DEV.vqN [ring|eventfd|msi]", "interrupt the driver on purpose", do_call },
	{ "write", "ID", "write 1 to the notifier of that id", do_write },
	{ "lua", "CODE", "run it as an actor of the world; a value is printed", do_lua },
	{ "schedule", "", "the choices so far, for `ringside run --schedule`", do_schedule },
	{ "save", "FILE", "a run that failed as a file, for `ringside replay`", do_save },
	{ "help", "", "this list", do_help },
	{ "quit", "", "end; so does the end of input", do_quit },
};

#define SHELL_COMMANDS (sizeof(shell_commands) / sizeof(shell_commands[0]))

static int
do_help(struct shell *sh, const char *args, struct error *err)
{
	char both[80];

	for (size_t i = 0; i < SHELL_COMMANDS; i++) {
		snprintf(both, sizeof(both), "%s %s", shell_commands[i].name,
			 shell_commands[i].args);
		printf("%-42s %s\n", both, shell_commands[i].what);
	}
	printf("A command may be cut short; an empty line is `step`.\n");
	return 0;
}

static int
find_command(const char *name, size_t n, const struct shell_command **found, struct error *err)
{
	*found = NULL;
	for (size_t i = 0; i < SHELL_COMMANDS; i++) {
		if (strncmp(shell_commands[i].name, name, n))
			continue;
		if (!*found || strlen(shell_commands[i].name) == n)
			*found = &shell_commands[i];
		else if (strlen((*found)->name) != n)
			return error_set(err, "%.*s: %s or %s?", (int)n, name, (*found)->name,
					 shell_commands[i].name);
	}
	return *found ? 0 : error_set(err, "%.*s: no such command; see help", (int)n, name);
}

static int
execute(struct shell *sh, char *line, struct error *err)
{
	const struct shell_command *c;
	size_t n;
	char *end;

	line += strspn(line, " \t");
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = 0;
	if (end - line >= LINE_BYTES)
		return error_set(err, "a line has at most %d characters", LINE_BYTES - 1);
	if (*line == '#')
		return 0;
	if (!*line)
		return sh->terminal ? do_step(sh, "", err) : 0;
	if (isdigit((unsigned char)*line))
		return do_pick(sh, line, err);
	n = strcspn(line, " ");
	if (find_command(line, n, &c, err))
		return -1;
	line += n;
	line += strspn(line, " ");
	if (*line && !*c->args)
		return error_set(err, "%s: takes nothing", c->name);
	return c->fn(sh, line, err);
}

/* --- the command ---------------------------------------------------------------------------- */

/* An ask function: what a load sees, how a modelled fault ends. */
static uint32_t
ask_outcome(struct by_hand *h, uint32_t n, enum choice_kind kind, uint32_t otherwise)
{
	struct shell *sh = shell_of(h);
	uint32_t answer = otherwise;
	char prompt[96], *line;
	struct error err;
	uint64_t k;

	if (sh->running || !sh->terminal)
		return otherwise;
	snprintf(prompt, sizeof(prompt), "%s, 0 to %u [%u]: ", choice_kind_name[kind], n - 1,
		 otherwise);
	while ((line = read_line(sh, prompt)) && *line) {
		bool bad = parse_number(line, n - 1, &k, &err);

		free(line);
		line = NULL;
		if (!bad) {
			answer = (uint32_t)k;
			break;
		}
		printf("%s\n", err.text);
	}
	free(line);
	return answer;
}

static void
prompt_of(const struct shell *sh, char *text, size_t size)
{
	if (sh->h.stop == STOP_PARKED)
		snprintf(text, size, "step %" PRIu64 ", %u choices> ", world_step(sh->s.w),
			 world_question(sh->s.w));
	else
		snprintf(text, size, "ended> ");
}

static int
converse(struct shell *sh, struct error *err)
{
	char prompt[64], *line;

	sh->h = (struct by_hand){ .s = &sh->s,
				  .plan = sh->f.scenario ? &sh->f.schedule : NULL,
				  .ask = ask_outcome,
				  .act = act_line,
				  .context = sh };
	by_hand_start(&sh->h);
	tell(sh);
	prompt_of(sh, prompt, sizeof(prompt));
	while (!sh->quit && (line = read_line(sh, prompt))) {
		struct error bad;
		int ret = execute(sh, line, &bad);

		free(line);
		if (ret && !sh->terminal)
			return error_set(err, "line %lu: %s", sh->line, bad.text);
		if (ret)
			printf("%s\n", bad.text);
		prompt_of(sh, prompt, sizeof(prompt));
	}
	return 0;
}

static bool
is_scenario(const char *text)
{
	size_t n;

	scenario_split(text, &n);
	return n >= 4 && !strncmp(text + n - 4, ".lua", 4);
}

static int
open_world(struct shell *sh, const char *text, struct error *err)
{
	if (is_scenario(text))
		return session_open(&sh->s, text, sh->o, err);
	if (failure_open(text, &sh->f, err))
		return -1;
	if (!session_open_failure(&sh->s, &sh->f, sh->o, err))
		return 0;
	failure_free(&sh->f);
	return -1;
}

int
command_shell(const struct options *o, struct error *err)
{
	struct shell *sh = calloc(1, sizeof(*sh));
	struct finding f;
	int status = EXIT_USAGE;

	must(sh);
	sh->o = o;
	sh->terminal = isatty(STDIN_FILENO);
	failure_init(&sh->f);
	if (open_world(sh, o->args[0], err)) {
		free(sh);
		return EXIT_USAGE;
	}
	if (!converse(sh, err)) {
		status = EXIT_HELD;
		if (sh->h.stop == STOP_ERROR)
			error_set(err, "the world ended with an error"), status = EXIT_USAGE;
		else if (sh->h.acted)
			status = look_blocked(sh->s.w, NULL) ? EXIT_BROKEN : EXIT_HELD;
		else if (sh->h.stop != STOP_PARKED)
			status = runner_exit(session_judge(sh->s.w, sh->h.stop, &f, &sh->s));
	}
	by_hand_free(&sh->h);
	session_close(&sh->s);
	failure_free(&sh->f);
	free(sh);
	return status;
}
