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

enum test_status { TEST_NONE, TEST_PASSED, TEST_FAILED, TEST_SKIPPED, TEST_IMPOSSIBLE };

#define TEST_CELL_NS 1000000000 /* of a cell, where --time does not say */

/* A cell of the conformance matrix: what a variant is run with beside what it says itself. */
struct test_cell {
	char datapath[208]; /* "linux,native" */
	char ring[64]; /* "packed,event_idx" */
	const char *memory;
	char impossible[240]; /* why the cell cannot be; "" if it can */
	uint64_t runs; /* schedules at most */
	bool home; /* as the variant is by itself: what it expects must be found */
};

struct test_case {
	const char *name; /* "path.lua:variant" */
	const char *broken; /* why the scenario cannot be loaded, or null */
	bool corpus; /* @name is a failure file */
	const struct test_cell *cell; /* null outside of the matrix */
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
	unsigned tally[TEST_IMPOSSIBLE + 1];
};

/* "path.lua:variant", with the cell in brackets. Returns @text. */
#define TEST_LABEL_MAX 600
char *
test_case_label(const struct test_case *c, char text[TEST_LABEL_MAX]);
/* The command that explores it again. */
void
test_print_repro(const struct test_report *t, const struct test_case *c, FILE *to);

/* Print what can be printed in order. */
void
test_report_flush(struct test_report *t);
/* Plan, last line, JUnit file. 0, or -1 and @err. */
int
test_report_end(struct test_report *t, struct error *err);

/* --- the conformance matrix ------------------------------------------------------------------- */

/*
 * Cells of all variants of the scenarios in @files: driver x device x ring x memory model, in
 * blocks of TEST_MATRIX_COLUMNS that differ in the kind of ring.  Each goes to @add, which takes
 * the strings and the cell (malloc); a scenario that cannot be set up gets one case without a cell.
 * 0, or -1 and @err.
 */
#define TEST_MATRIX_COLUMNS 16u
typedef int (*test_add_fn)(void *arg, char *name, char *broken, struct test_cell *cell,
			   struct error *err);
int
test_matrix_list(const struct options *o, const char *const *path, size_t count, test_add_fn add,
		 void *arg, struct error *err);

/* The table, one line a block, and why cells are impossible. */
void
test_matrix_print(const struct test_report *t);

#endif
