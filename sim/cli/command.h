/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subcommands, git style: one file each, and one table (main.c) from which dispatch, `--help`, the
 * manual page and the suggestions for a mistyped name come.
 */
#ifndef RINGSIDE_CLI_COMMAND_H
#define RINGSIDE_CLI_COMMAND_H

#include "base/error.h"
#include "cli/options.h"

/* Exit status, for shells, CI and git bisect. */
enum exit_status {
	EXIT_HELD = 0, /* every property held */
	EXIT_BROKEN = 1, /* a property was broken */
	EXIT_USAGE = 2, /* usage, script, machine, trace, database */
	EXIT_DIVERGED = 3, /* a replay was not the recorded run */
	EXIT_SKIPPED = 77,
	EXIT_BUDGET = 124, /* no verdict within the budget, or interrupted */
	EXIT_BUG = 134 /* Ringside's own: what abort() gives */
};

struct command {
	const char *name;
	const char *args; /* "SCENARIO.lua[:VARIANT] | TRACE" */
	const char *what; /* one line */
	const char *help; /* paragraphs for --help and the manual */
	const char *options; /* names of the options it takes, blank between */
	int args_min, args_max; /* -1: any number */
	/* Returns an exit status; for EXIT_USAGE with a text in @err. */
	int (*run)(const struct options *o, struct error *err);
};

/* All of them, ended by a null name. */
extern const struct command command_table[];

int
command_run(const struct options *o, struct error *err);
int
command_explore(const struct options *o, struct error *err);
int
command_replay(const struct options *o, struct error *err);
int
command_show(const struct options *o, struct error *err);
int
command_test(const struct options *o, struct error *err);
int
command_diagnose(const struct options *o, struct error *err);
int
command_audit(const struct options *o, struct error *err);
int
command_litmus(const struct options *o, struct error *err);
int
command_bisect(const struct options *o, struct error *err);
int
command_import(const struct options *o, struct error *err);
int
command_merge(const struct options *o, struct error *err);
int
command_plot(const struct options *o, struct error *err);
int
command_compare(const struct options *o, struct error *err);
int
command_report(const struct options *o, struct error *err);
int
command_shell(const struct options *o, struct error *err);
/* A file of analysis/: here, or where `make install` puts it, beside the program's folder. */
int
find_analysis(const char *name, char *path, size_t size, struct error *err);
/*
 * Draw a picture ("rings", "exploration") of a run into a file .svg, .png or .txt; what was drawn
 * stays beside it as .dat.  Without @err silently: -1 if there is nothing to draw, or no gnuplot.
 */
int
plot_draw(const char *picture, const char *db, int64_t run, const char *out, struct error *err);

int
command_faults(const struct options *o, struct error *err);
int
command_oracles(const struct options *o, struct error *err);
int
command_scenarios(const struct options *o, struct error *err);
int
command_api(const struct options *o, struct error *err);
int
command_man(const struct options *o, struct error *err);

#endif
