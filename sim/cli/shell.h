/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The prompt of `ringside shell`: its state, and its commands by the file that has them.
 *
 *	shell.c		lines, the table of commands, the conversation
 *	shell_go.c	going on and back, and saying what came of it
 *	shell_look.c	what only looks
 *	shell_act.c	what acts: a kick, a call, a write, Lua
 */
#ifndef RINGSIDE_CLI_SHELL_H
#define RINGSIDE_CLI_SHELL_H

#include "cli/by_hand.h"

#define SHELL_LINE_BYTES 4096

struct shell {
	struct by_hand h; /* its context is this */
	const struct options *o;
	struct session s;
	struct failure f;
	size_t shown; /* of the log: events printed so far, dropped ones included */
	bool terminal, quit;
	bool running; /* `run`: nobody is asked within a step */
	unsigned long line; /* from 1 */
};

/* A command: 0, or -1 and what is wrong with @args in @err. */
typedef int
shell_fn(struct shell *sh, const char *args, struct error *err);

shell_fn shell_pick, shell_step, shell_run, shell_back, shell_restart;
shell_fn shell_choices, shell_actors, shell_queues, shell_notifiers, shell_words, shell_events;
shell_fn shell_kick, shell_call, shell_write, shell_lua;
shell_fn shell_schedule, shell_save;

/* A number that fills @text; @max inclusive. */
int
shell_number(const char *text, uint64_t max, uint64_t *value, struct error *err);

/* 0 if a question is open. */
int
shell_check_open(const struct shell *sh, struct error *err);

/* What came since the last time: events, then the open question or the end. */
void
shell_tell(struct shell *sh);
void
shell_print_event(const struct shell *sh, const struct event *e);
void
shell_print_choices(const struct shell *sh);

/* The scenario's machine, or null and @err. */
struct machine *
shell_machine(const struct shell *sh, struct error *err);

/* by_hand's act(): "kick blk0.vq0", as it was typed. */
int
shell_act_line(struct by_hand *h, const char *line, struct error *err);

#endif
