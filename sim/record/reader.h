/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading back: what a run was, how it failed, and its events with their names.
 *
 * The file is opened read-only: it may be on a medium that cannot be written, or be written to at
 * the same time by somebody else.  Kinds of events are stored by name, so that a file of another
 * version of Ringside can be read; an event of a kind that this program does not know is skipped
 * and counted.
 */
#ifndef RINGSIDE_RECORD_READER_H
#define RINGSIDE_RECORD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/event.h"

struct reader;

/* Null and @err: no file, not a database, not Ringside's, of a newer Ringside, damaged, … */
struct reader *
reader_open(const char *path, struct error *err);
void
reader_close(struct reader *rd); /* null is allowed */

/*
 * "results.db#12": *@id is 12 and *@path_len the length of the path; "results.db#latest" gives 0,
 * the newest run that failed.  False if @text has no such form: then it is a file of its own.
 */
bool
reader_parse_ref(const char *text, size_t *path_len, int64_t *id);

struct stored_param {
	char *name, *value;
};

/* A row of `run`, and its parameters. Texts are owned (malloc), never null. */
struct stored_run {
	int64_t id;
	char *scenario, *variant, *strategy, *memory, *datapath, *verdict, *expected, *version;
	uint64_t seed, schedules, steps, digest;
	bool complete;
	int64_t sim_time_ns, wall_ns;
	struct stored_param *params;
	size_t param_count;
};

/* @id 0: the newest run whose verdict is a failure. */
int
reader_run(struct reader *rd, int64_t id, struct stored_run *run, struct error *err);
void
stored_run_free(struct stored_run *run);

/* Each run, oldest first; @run is @fn's to free. -1 and @err if they cannot be read. */
typedef void (*reader_run_fn)(void *context, const struct stored_run *run);
int
reader_runs(struct reader *rd, reader_run_fn fn, void *context, struct error *err);

/* A statement that was broken. Texts live until the function returns. */
struct stored_statement {
	const char *oracle, *statement, *severity;
	int64_t runs; /* that broke it */
	int64_t first_run; /* whose message is @message */
	const char *message;
};
/* Each statement that run @id broke, or any run if it is 0; most often broken first. */
typedef void (*reader_statement_fn)(void *context, const struct stored_statement *row);
int
reader_statements(struct reader *rd, int64_t id, reader_statement_fn fn, void *context,
		  struct error *err);

/*
 * The failure of run @id, as a failure file (explore/failure.h); the first one if there are more.
 * To be freed by the caller; null and @err if the run kept none.
 */
char *
reader_failure_file(struct reader *rd, int64_t id, struct error *err);

/* The schedule of the run's first violation or failure; null and @err if it has none. */
char *
reader_schedule(struct reader *rd, int64_t id, struct error *err);

/* Each metric of run @id, in the order of their names; -1 and @err if they cannot be read. */
typedef void (*reader_metric_fn)(void *context, const char *name, double value, const char *unit);
int
reader_metrics(struct reader *rd, int64_t id, reader_metric_fn fn, void *context,
	       struct error *err);

/* Names of a run, for struct event_names: @context is a struct stored_names. */
struct stored_names {
	char **text; /* by number; null where unknown */
	size_t text_count;
	char **actor; /* by id */
	size_t actor_count;
	struct stored_place {
		uint64_t gpa;
		char *name;
	} * place; /* by gpa */
	size_t place_count;
};

int
reader_names(struct reader *rd, int64_t id, struct stored_names *names, struct error *err);
void
stored_names_free(struct stored_names *names);
const char *
stored_names_text(const void *names, int64_t number);
const char *
stored_names_actor(const void *names, uint32_t id);
void
stored_names_gpa(const void *names, uint64_t gpa, char *text, size_t size);

/*
 * The events of run @id, oldest first, in batches to @sink (event_log_sink(), for one).  *@skipped,
 * if not null, is how many were of an unknown kind.
 */
int
reader_events(struct reader *rd, int64_t id,
	      void (*sink)(void *context, const struct event *e, size_t count), void *context,
	      uint64_t *skipped, struct error *err);

#endif
