/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside shell: a prompt inside the world.  One table of commands; lines come from a terminal or
 * a pipe.  On a pipe there is no prompt, and the first command that fails ends it with exit status
 * 2, so that a session can be kept as a script.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <editline/readline.h>
#endif

#include "base/must.h"
#include "cli/command.h"
#include "cli/look.h"
#include "cli/shell.h"

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
int
shell_number(const char *text, uint64_t max, uint64_t *value, struct error *err)
{
	if (options_number(text, max, value))
		return 0;
	return error_set(err, "%s: must be a number from 0 to %" PRIu64, text, max);
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
	{ "choices", "", "who can go on; * is who would", shell_choices },
	{ "pick", "K", "let that one go on; the number alone does, too", shell_pick },
	{ "step", "[N]", "take the answer marked *, N times", shell_step },
	{ "run", "[step N | event PATTERN | actor NAME]",
	  "the same, up to that step, such an event, that actor's turn, or the end", shell_run },
	{ "back", "[N]", "take back the last N answers and acts", shell_back },
	{ "restart", "", "take back all", shell_restart },
	{ "actors", "", "all threads, and what they wait for", shell_actors },
	{ "words", "[PATTERN]", "named words of guest memory; indices, flags and events if none",
	  shell_words },
	{ "queues", "", "each queue, in the words of x-query-virtio-queue-status", shell_queues },
	{ "notifiers", "", "each eventfd: what it is bound to, its counter", shell_notifiers },
	{ "events", "[N]", "the last N events", shell_events },
	{ "kick", "DEV.vqN [ring|eventfd|doorbell]", "notify the device on purpose", shell_kick },
	{ "call", "DEV.vqN [ring|eventfd|msi]", "interrupt the driver on purpose", shell_call },
	{ "write", "ID", "write 1 to the notifier of that id", shell_write },
	{ "lua", "CODE", "run it as an actor of the world; a value is printed", shell_lua },
	{ "schedule", "", "the choices so far, for `ringside run --schedule`", shell_schedule },
	{ "save", "FILE", "a run that failed as a file, for `ringside replay`", shell_save },
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
	if (end - line >= SHELL_LINE_BYTES)
		return error_set(err, "a line has at most %d characters", SHELL_LINE_BYTES - 1);
	if (*line == '#')
		return 0;
	if (!*line)
		return sh->terminal ? shell_step(sh, "", err) : 0;
	if (isdigit((unsigned char)*line))
		return shell_pick(sh, line, err);
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
	struct shell *sh = h->context;
	uint32_t answer = otherwise;
	char prompt[96], *line;
	struct error err;
	uint64_t k;

	if (sh->running || !sh->terminal)
		return otherwise;
	snprintf(prompt, sizeof(prompt), "%s, 0 to %u [%u]: ", choice_kind_name[kind], n - 1,
		 otherwise);
	while ((line = read_line(sh, prompt)) && *line) {
		bool bad = shell_number(line, n - 1, &k, &err);

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
				  .act = shell_act_line,
				  .context = sh };
	by_hand_start(&sh->h);
	shell_tell(sh);
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

int
command_shell(const struct options *o, struct error *err)
{
	struct shell *sh = calloc(1, sizeof(*sh));
	struct finding f;
	int status = EXIT_USAGE;

	must(sh);
	sh->o = o;
	sh->terminal = isatty(STDIN_FILENO);
	if (session_open_either(&sh->s, &sh->f, o->args[0], o, err)) {
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
