/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options.  One table (options.c) has every option of every command with its type and its line of
 * help; a command lists by name which of them it takes.  Parsing, `--help` and the manual page come
 * from it.
 */
#ifndef RINGSIDE_CLI_OPTIONS_H
#define RINGSIDE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define OPTIONS_SETS_MAX 64

struct command;

struct options {
	const char *strategy, *memory, *datapath, *ring;
	const char *db, *machine, *of, *trace, *out, *format, *junit, *schedule, *sweep, *corpus,
		*events, *pattern, *over, *beside;
	uint64_t seed, runs, index, until, to_event;
	int64_t time_ns; /* of the wall clock */
	unsigned jobs, shard, shards, lines, columns, failures;
	unsigned depth, bound; /* of strategies */
	bool bound_delays;
	bool matrix;
	bool quiet, tap, keep_going, classes, around, help, globals, tolerant;
	bool expect, races;
	bool seed_given, strategy_given, memory_given, bound_given;
	const char *set_name[OPTIONS_SETS_MAX]; /* --set, in order; the strings are changed argv */
	const char *set_value[OPTIONS_SETS_MAX];
	unsigned sets;
	char **args; /* what is no option */
	int arg_count;
};

/* Parse argv[1 …] of a command. 0, or -1 and @err. */
int
options_parse(struct options *o, const struct command *c, int argc, char **argv, struct error *err);

/* A number of C, not negative, that fills @text and is at most @max. */
bool
options_number(const char *text, uint64_t max, uint64_t *value);

/* "  --seed N    …" lines of the options in a command's list; in roff for the manual. */
void
options_print(const char *list, FILE *to, bool roff);

/* Text for the manual: dashes and dots as roff wants them. */
void
options_print_roff(const char *text, FILE *to);

#endif
