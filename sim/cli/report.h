/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page of `ringside report`: what was read of a database, and its parts.
 *
 *	report.c		reads, and writes the page from its head to its end
 *	report_failure.c	one failure: swim lanes, pictures
 *	report_table.c		what is a table
 */
#ifndef RINGSIDE_CLI_REPORT_H
#define RINGSIDE_CLI_REPORT_H

#include "cli/runner.h"
#include "record/reader.h"

struct figure {
	char *name, *unit;
	double value;
};

struct row {
	struct stored_run run;
	bool surprising;
	struct figure *figure;
	size_t figures;
};

struct report {
	const struct options *o;
	const char *db;
	struct reader *rd;
	FILE *out;
	struct row *row;
	size_t rows, capacity;
	size_t surprises, failed;
	uint64_t schedules;
	int64_t wall_ns;
	unsigned shown; /* failures as swim lanes */
	struct row *filling;
};

/* Failures as swim lanes, the surprising ones first. */
void
report_failures(struct report *p);

/* Which statements run @id broke, or all runs if it is 0. -1 and @err if they cannot be read. */
int
report_statements(struct report *p, int64_t id, struct error *err);
void
report_surprises(struct report *p);
void
report_runs(struct report *p);
void
report_figures(struct report *p);

bool
report_run_failed(const struct stored_run *run);
/* "scenario:variant" */
void
report_name(const struct stored_run *run, FILE *out);

#endif
