/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "record/schema.h"
#include "record/sql.h"

#define EVENTS_PER_BATCH 1024u
/* Of a damaged file: numbers of names and actors above this are not believed. 8 bytes each. */
#define NAMES_MAX (1 << 24)
#define LATEST "latest"

struct reader {
	struct sql sql;
};

struct reader *
reader_open(const char *path, struct error *err)
{
	struct reader *rd = calloc(1, sizeof(*rd));

	must(rd);
	if (sql_open(&rd->sql, path, false, err)) {
		free(rd);
		return NULL;
	}
	if (schema_check(&rd->sql, err)) {
		reader_close(rd);
		return NULL;
	}
	return rd;
}

void
reader_close(struct reader *rd)
{
	if (!rd)
		return;
	sql_close(&rd->sql);
	free(rd);
}

bool
reader_parse_ref(const char *text, size_t *path_len, int64_t *id)
{
	const char *hash = strrchr(text, '#');
	size_t digits = hash ? strspn(hash + 1, "0123456789") : 0;

	if (!hash || hash == text)
		return false;
	*path_len = (size_t)(hash - text);
	*id = 0;
	if (!strcmp(hash + 1, LATEST))
		return true;
	if (!digits || digits > 18 || hash[1 + digits])
		return false;
	*id = strtoll(hash + 1, NULL, 10);
	return *id > 0;
}

/* --- runs --------------------------------------------------------------------------------------
 */

#define RUN_COLUMNS \
	"id, scenario, variant, strategy, memory, datapath, verdict, expected, version, seed," \
	" schedules, complete, steps, sim_time_ns, digest, wall_ns"

static void
run_columns(sqlite3_stmt *st, struct stored_run *run)
{
	run->id = sqlite3_column_int64(st, 0);
	run->scenario = sql_column_copy(st, 1);
	run->variant = sql_column_copy(st, 2);
	run->strategy = sql_column_copy(st, 3);
	run->memory = sql_column_copy(st, 4);
	run->datapath = sql_column_copy(st, 5);
	run->verdict = sql_column_copy(st, 6);
	run->expected = sql_column_copy(st, 7);
	run->version = sql_column_copy(st, 8);
	run->seed = sql_column_u64(st, 9);
	run->schedules = sql_column_u64(st, 10);
	run->complete = sqlite3_column_int(st, 11);
	run->steps = sql_column_u64(st, 12);
	run->sim_time_ns = sqlite3_column_int64(st, 13);
	run->digest = sql_column_hex(st, 14);
	run->wall_ns = sqlite3_column_int64(st, 15);
}

/*
 * Step @st; 1 with a row, 0 at the end, -1 and @err.  On other answers than 1 it is finalized.
 */
static int
row_next(struct reader *rd, sqlite3_stmt *st, struct error *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		sql_fail(&rd->sql, err);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Prepare @text and bind the run to ?1. */
static sqlite3_stmt *
rows_of(struct reader *rd, const char *text, int64_t id, struct error *err)
{
	sqlite3_stmt *st = sql_prepare(&rd->sql, text, err);

	if (st)
		sql_bind(st, "i", id);
	return st;
}

static int
run_params(struct reader *rd, struct stored_run *run, struct error *err)
{
	sqlite3_stmt *st =
		rows_of(rd, "SELECT name, value FROM param WHERE run_id = ?1", run->id, err);
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0) {
		run->params = realloc(run->params, (run->param_count + 1) * sizeof(*run->params));
		must(run->params);
		run->params[run->param_count++] = (struct stored_param){
			.name = sql_column_copy(st, 0),
			.value = sql_column_copy(st, 1),
		};
	}
	return more;
}

static int
run_missing(struct reader *rd, int64_t id, struct error *err)
{
	if (!id)
		return error_set(err, "%s: no run of it failed", rd->sql.path);
	return error_set(err, "%s: there is no run %" PRId64, rd->sql.path, id);
}

int
reader_run(struct reader *rd, int64_t id, struct stored_run *run, struct error *err)
{
	const char *text = id ? "SELECT " RUN_COLUMNS " FROM run WHERE id = ?1"
			      : "SELECT " RUN_COLUMNS " FROM run WHERE ?1 = 0 AND verdict NOT IN"
				" ('ok', 'budget', 'unfinished') ORDER BY id DESC LIMIT 1";
	sqlite3_stmt *st = rows_of(rd, text, id, err);
	int row = st ? row_next(rd, st, err) : -1;

	*run = (struct stored_run){ 0 };
	if (row < 0)
		return -1;
	if (!row)
		return run_missing(rd, id, err);
	run_columns(st, run);
	sqlite3_finalize(st);
	if (!run_params(rd, run, err))
		return 0;
	stored_run_free(run);
	return -1;
}

void
stored_run_free(struct stored_run *run)
{
	for (size_t i = 0; i < run->param_count; i++) {
		free(run->params[i].name);
		free(run->params[i].value);
	}
	free(run->params);
	free(run->scenario);
	free(run->variant);
	free(run->strategy);
	free(run->memory);
	free(run->datapath);
	free(run->verdict);
	free(run->expected);
	free(run->version);
	*run = (struct stored_run){ 0 };
}

int
reader_runs(struct reader *rd, reader_run_fn fn, void *context, struct error *err)
{
	sqlite3_stmt *st =
		sql_prepare(&rd->sql, "SELECT " RUN_COLUMNS " FROM run ORDER BY id", err);
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0) {
		struct stored_run run = { 0 };

		run_columns(st, &run);
		if (run_params(rd, &run, err)) {
			stored_run_free(&run);
			sqlite3_finalize(st);
			return -1;
		}
		fn(context, &run);
	}
	return more;
}

int
reader_statements(struct reader *rd, int64_t id, reader_statement_fn fn, void *context,
		  struct error *err)
{
	/* With min() alone, SQLite takes the bare columns from the row that has the minimum. */
	sqlite3_stmt *st =
		rows_of(rd,
			"SELECT oracle, statement, severity, runs, run_id, message FROM"
			" (SELECT *, count(DISTINCT run_id) AS runs, min(id) FROM violation"
			" WHERE ?1 IN (0, run_id) GROUP BY oracle, statement, severity)"
			" ORDER BY runs DESC, statement, oracle",
			id, err);
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0) {
		struct stored_statement row = {
			.oracle = (const char *)sqlite3_column_text(st, 0),
			.statement = (const char *)sqlite3_column_text(st, 1),
			.severity = (const char *)sqlite3_column_text(st, 2),
			.runs = sqlite3_column_int64(st, 3),
			.first_run = sqlite3_column_int64(st, 4),
			.message = (const char *)sqlite3_column_text(st, 5),
		};

		fn(context, &row);
	}
	return more;
}

/* First column of the first row as a copy; null and @err if there is none, whose name is @what. */
static char *
text_of(struct reader *rd, const char *text, int64_t id, const char *what, struct error *err)
{
	struct stored_run run;
	sqlite3_stmt *st;
	char *copy = NULL;
	int row;

	if (reader_run(rd, id, &run, err))
		return NULL;
	id = run.id;
	stored_run_free(&run);
	st = rows_of(rd, text, id, err);
	row = st ? row_next(rd, st, err) : -1;
	if (row > 0) {
		copy = sql_column_copy(st, 0);
		sqlite3_finalize(st);
	} else if (!row) {
		error_set(err, "%s: run %" PRId64 " has no %s", rd->sql.path, id, what);
	}
	return copy;
}

char *
reader_failure_file(struct reader *rd, int64_t id, struct error *err)
{
	return text_of(rd, "SELECT file FROM failure WHERE run_id = ?1 ORDER BY id LIMIT 1", id,
		       "failure", err);
}

char *
reader_schedule(struct reader *rd, int64_t id, struct error *err)
{
	return text_of(rd,
		       "SELECT schedule FROM (SELECT 0 AS part, id, schedule FROM failure"
		       " WHERE run_id = ?1 UNION ALL SELECT 1, id, schedule FROM violation"
		       " WHERE run_id = ?1) WHERE schedule <> '' ORDER BY part, id LIMIT 1",
		       id, "schedule", err);
}

int
reader_metrics(struct reader *rd, int64_t id, reader_metric_fn fn, void *context, struct error *err)
{
	sqlite3_stmt *st = rows_of(rd,
				   "SELECT name, value, unit FROM metric WHERE run_id = ?1"
				   " ORDER BY name",
				   id, err);
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0)
		fn(context, (const char *)sqlite3_column_text(st, 0), sqlite3_column_double(st, 1),
		   (const char *)sqlite3_column_text(st, 2));
	return more;
}

/* --- names -------------------------------------------------------------------------------------
 */

/* Rows (number, text) into an array by number. */
static int
names_array(struct reader *rd, const char *query, int64_t id, char ***array, size_t *count,
	    struct error *err)
{
	sqlite3_stmt *st = rows_of(rd, query, id, err);
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0) {
		int64_t n = sqlite3_column_int64(st, 0);

		if (n < 0 || n >= NAMES_MAX) {
			sqlite3_finalize(st);
			return error_set(err, "%s: run %" PRId64 ": number %" PRId64 " of a name",
					 rd->sql.path, id, n);
		}
		if ((size_t)n >= *count) {
			*array = realloc(*array, ((size_t)n + 1) * sizeof(**array));
			must(*array);
			memset(*array + *count, 0, ((size_t)n + 1 - *count) * sizeof(**array));
			*count = (size_t)n + 1;
		}
		free((*array)[n]);
		(*array)[n] = sql_column_copy(st, 1);
	}
	return more;
}

static int
names_places(struct reader *rd, int64_t id, struct stored_names *names, struct error *err)
{
	sqlite3_stmt *st = rows_of(
		rd, "SELECT gpa, name FROM place WHERE run_id = ?1 AND gpa >= 0 ORDER BY gpa", id,
		err);
	size_t capacity = 0;
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0) {
		if (names->place_count == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			names->place = realloc(names->place, capacity * sizeof(*names->place));
			must(names->place);
		}
		names->place[names->place_count++] = (struct stored_place){
			.gpa = (uint64_t)sqlite3_column_int64(st, 0),
			.name = sql_column_copy(st, 1),
		};
	}
	return more;
}

int
reader_names(struct reader *rd, int64_t id, struct stored_names *names, struct error *err)
{
	*names = (struct stored_names){ 0 };
	if (!names_array(rd, "SELECT number, text FROM string WHERE run_id = ?1", id, &names->text,
			 &names->text_count, err) &&
	    !names_array(rd, "SELECT id, name FROM actor WHERE run_id = ?1", id, &names->actor,
			 &names->actor_count, err) &&
	    !names_places(rd, id, names, err))
		return 0;
	stored_names_free(names);
	return -1;
}

void
stored_names_free(struct stored_names *names)
{
	for (size_t i = 0; i < names->text_count; i++)
		free(names->text[i]);
	for (size_t i = 0; i < names->actor_count; i++)
		free(names->actor[i]);
	for (size_t i = 0; i < names->place_count; i++)
		free(names->place[i].name);
	free(names->text);
	free(names->actor);
	free(names->place);
	*names = (struct stored_names){ 0 };
}

const char *
stored_names_text(const void *context, int64_t number)
{
	const struct stored_names *names = context;

	if (number < 0 || (size_t)number >= names->text_count || !names->text[number])
		return "?";
	return names->text[number];
}

const char *
stored_names_actor(const void *context, uint32_t id)
{
	const struct stored_names *names = context;

	return id < names->actor_count ? names->actor[id] : NULL;
}

void
stored_names_gpa(const void *context, uint64_t gpa, char *text, size_t size)
{
	const struct stored_names *names = context;
	size_t low = 0, high = names->place_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->place[middle].gpa < gpa)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < names->place_count && names->place[low].gpa == gpa)
		snprintf(text, size, "%s", names->place[low].name);
	else
		snprintf(text, size, "gpa 0x%" PRIx64, gpa);
}

/* --- events ------------------------------------------------------------------------------------
 */

/* The kind of that name whose arguments mean the same here, or EV_NONE. */
static enum event_kind
kind_find(const char *name, const char *format)
{
	for (int k = 0; name && format && k < EV_COUNT; k++)
		if (!strcmp(event_info[k].name, name) && !strcmp(event_info[k].format, format))
			return (enum event_kind)k;
	return EV_NONE;
}

/* Kinds by their id in this file; ids are small, the rest is unknown. */
struct kind_map {
	uint16_t kind[UINT16_MAX];
};

static int
kinds_load(struct reader *rd, struct kind_map *map, struct error *err)
{
	sqlite3_stmt *st = sql_prepare(&rd->sql, "SELECT id, name, format FROM event_kind", err);
	int more = -1;

	while (st && (more = row_next(rd, st, err)) > 0) {
		int64_t id = sqlite3_column_int64(st, 0);

		if (id >= 0 && id < UINT16_MAX)
			map->kind[id] = kind_find((const char *)sqlite3_column_text(st, 1),
						  (const char *)sqlite3_column_text(st, 2));
	}
	return more;
}

static void
event_columns(sqlite3_stmt *st, const struct kind_map *map, struct event *e)
{
	int64_t kind = sqlite3_column_int64(st, 3);

	*e = (struct event){
		.step = sql_column_u64(st, 0),
		.time_ns = sqlite3_column_int64(st, 1),
		.actor = (uint32_t)sqlite3_column_int64(st, 2),
		.kind = kind >= 0 && kind < UINT16_MAX ? map->kind[kind] : EV_NONE,
	};
	for (int i = 0; i < EVENT_ARGS; i++)
		e->arg[i] = sqlite3_column_int64(st, 4 + i);
}

int
reader_events(struct reader *rd, int64_t id,
	      void (*sink)(void *context, const struct event *e, size_t count), void *context,
	      uint64_t *skipped, struct error *err)
{
	struct kind_map *map = calloc(1, sizeof(*map));
	struct event *batch = malloc(EVENTS_PER_BATCH * sizeof(*batch));
	uint64_t unknown = 0;
	sqlite3_stmt *st = NULL;
	size_t n = 0;
	int more = -1;

	must(map && batch);
	if (!kinds_load(rd, map, err))
		st = rows_of(rd,
			     "SELECT step, time_ns, actor, kind, a0, a1, a2, a3, a4"
			     " FROM event_span s CROSS JOIN event_row r"
			     " ON r.id BETWEEN s.first_id AND s.last_id"
			     " WHERE s.run_id = ?1 ORDER BY s.first_id, r.id",
			     id, err);
	while (st && (more = row_next(rd, st, err)) > 0) {
		event_columns(st, map, &batch[n]);
		if (batch[n].kind == EV_NONE)
			unknown++;
		else if (++n == EVENTS_PER_BATCH)
			sink(context, batch, n), n = 0;
	}
	if (n)
		sink(context, batch, n);
	if (skipped)
		*skipped = unknown;
	free(map);
	free(batch);
	return more;
}
