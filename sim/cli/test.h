/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Testing scenarios: cases, their results, and how results are told.
 *
 * test.c makes the list and hands cases to worker processes; test_case.c runs one case;
 * test_report.c prints results in the order of the list, whatever order they came in.
 */
#ifndef RINGSIDE_CLI_TEST_H
#define RINGSIDE_CLI_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/options.h"
#include "record/record.h"

#define TEST_CASES_MAX 8192u /* their numbers fit a pipe */

enum test_status { TEST_NONE, TEST_PASSED, TEST_FAILED, TEST_SKIPPED };

struct test_case {
	const char *name; /* "path.lua:variant" */
	const char *broken; /* why the scenario cannot be loaded, or null */
	bool corpus; /* @name is a failure file */
};

/* Comes through a pipe in one piece: at most PIPE_BUF bytes. */
struct test_result {
	uint32_t index;
	uint32_t status; /* enum test_status */
	uint64_t schedules;
	int64_t elapsed_ns;
	int32_t interrupted;
	char text[1200]; /* one line: what was found, or why not */
	char schedule[2400]; /* of a failing run, "" if there is none or it is too long */
};

/* Run one case; never fails but in its result. */
void
test_case_run(const struct test_case *c, const struct options *o, struct record *r,
	      struct test_result *result);

/* The same of a failure file. */
void
test_corpus_run(const struct test_case *c, const struct options *o, struct record *r,
		struct test_result *result);

/*
 * Set the case up at two places of the address space and run the same schedules: -1 and @err if the
 * digests differ.  Worlds are at different places in the hostile build only (world_create()).
 */
int
test_twin(const struct test_case *c, const struct options *o, struct error *err);

struct test_report {
	const struct options *o;
	const struct test_case *cases;
	const struct test_result *results; /* by index, TEST_NONE where it has not come */
	unsigned count, printed;
	unsigned tally[TEST_SKIPPED + 1];
};

/* Print what can be printed in order. */
void
test_report_flush(struct test_report *t);
/* Plan, last line, JUnit file. 0, or -1 and @err. */
int
test_report_end(struct test_report *t, struct error *err);

#endif
