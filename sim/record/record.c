/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/must.h"
#include "engine/world.h"
#include "memory/guest_memory.h"
#include "record/batch.h"
#include "record/schema.h"
#include "record/sql.h"

/* Events to a transaction: 4 MiB of buffer, some 30 ms of holding the lock. */
#define EVENTS_PER_COMMIT LIMIT(65536u, 64u)
/* Write-ahead log in pages of 8 KiB before it is copied into the file, with two fsync(). */
#define CHECKPOINT_PAGES LIMIT(8192, 4)
/* Distinct addresses of ring fields a run: 8 bytes each in a table half full. More have no names.
 */
#define PLACES_MAX LIMIT(1u << 16, 1u << 6)

enum statement {
	ST_RUN,
	ST_PARAM,
	ST_EVENTS,
	ST_SPAN,
	ST_SPAN_LONGER,
	ST_ACTOR,
	ST_STRING,
	ST_PLACE,
	ST_VIOLATION,
	ST_METRIC,
	ST_FAILURE,
	ST_OUTCOME,
	ST_PROGRESS,
	ST_END,
	ST_COUNT
};

static const char *const statement_text[ST_COUNT] = {
	[ST_RUN] = "INSERT INTO run (scenario, variant, strategy, memory, datapath, expected,"
		   " version, seed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[ST_PARAM] = "INSERT OR REPLACE INTO param VALUES (?1, ?2, ?3)",
	[ST_EVENTS] = "INSERT INTO event_row (" BATCH_COLUMNS ") SELECT " BATCH_COLUMNS
		      " FROM event_batch",
	[ST_SPAN] = "INSERT INTO event_span VALUES (?1, ?2, ?3)",
	[ST_SPAN_LONGER] = "UPDATE event_span SET last_id = ?3 WHERE run_id = ?1 AND first_id = ?2",
	[ST_ACTOR] = "INSERT OR REPLACE INTO actor VALUES (?1, ?2, ?3)",
	[ST_STRING] = "INSERT OR REPLACE INTO string VALUES (?1, ?2, ?3)",
	[ST_PLACE] = "INSERT OR REPLACE INTO place VALUES (?1, ?2, ?3)",
	[ST_VIOLATION] =
		"INSERT INTO violation (run_id, oracle, statement, severity, step, time_ns,"
		" actor, subject, message, schedule)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ST_METRIC] = "INSERT OR REPLACE INTO metric VALUES (?1, ?2, ?3, ?4)",
	[ST_FAILURE] = "INSERT INTO failure (run_id, verdict, oracle, subject, message, schedule,"
		       " file, schedule_no, times, signature)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ST_OUTCOME] = "INSERT OR REPLACE INTO outcome VALUES (?1, ?2, ?3)",
	[ST_PROGRESS] = "INSERT OR REPLACE INTO progress VALUES (?1, ?2, ?3, ?4, ?5)",
	[ST_END] = "UPDATE run SET verdict = ?2, schedules = ?3, complete = ?4, steps = ?5,"
		   " sim_time_ns = ?6, digest = ?7, wall_ns = ?8 WHERE id = ?1",
};

struct record {
	struct sql sql; /* db null: the null recorder */
	sqlite3_stmt *st[ST_COUNT];
	struct batch batch;
	struct event *events; /* EVENTS_PER_COMMIT of them */
	size_t count;
	int64_t run; /* in progress, or 0 */
	int64_t last_run; /* of the null recorder */
	int64_t span_first, span_last; /* the run's newest, 0: none */
	uint64_t *places; /* gpa + 1, open addressing; 0 is free */
	size_t place_count, place_capacity;
	bool failed; /* the run in progress met `error` */
	struct error error;
};

/* --- opening -----------------------------------------------------------------------------------
 */

/* Bit i: argument i of the format is a %s. */
static int64_t
format_texts(const char *format)
{
	int64_t texts = 0;
	int arg = 0;

	for (const char *f = format; *f; f++) {
		if (*f != '%')
			continue;
		texts |= (int64_t)(*++f == 's') << arg++;
	}
	return texts;
}

static int
kinds_insert(struct record *r, struct error *err)
{
	sqlite3_stmt *st = sql_prepare(&r->sql,
				       "INSERT OR IGNORE INTO event_kind"
				       " (name, format, texts, what) VALUES (?1, ?2, ?3, ?4)",
				       err);
	int status = st ? sql_begin(&r->sql, err) : -1;

	for (int k = 0; !status && k < EV_COUNT; k++)
		status = sql_run(&r->sql, st, err, "ttit", event_info[k].name, event_info[k].format,
				 format_texts(event_info[k].format), event_info[k].what);
	if (!status)
		status = sql_commit(&r->sql, err);
	sql_rollback(&r->sql);
	sqlite3_finalize(st);
	return status;
}

/* Returns how many kinds the database does not have yet, or -1. */
static int
kinds_find(struct record *r, struct error *err)
{
	sqlite3_stmt *st = sql_prepare(
		&r->sql, "SELECT id FROM event_kind WHERE name = ?1 AND format = ?2", err);
	int missing = 0, rc;

	if (!st)
		return -1;
	for (int k = 0; missing >= 0 && k < EV_COUNT; k++) {
		sql_bind(st, "tt", event_info[k].name, event_info[k].format);
		rc = sqlite3_step(st);
		r->batch.kind_id[k] = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
		missing += rc == SQLITE_DONE;
		if (rc != SQLITE_ROW && rc != SQLITE_DONE)
			missing = sql_fail(&r->sql, err);
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return missing;
}

static int
kinds_map(struct record *r, struct error *err)
{
	int missing = kinds_find(r, err);

	if (missing > 0)
		missing = kinds_insert(r, err) ? -1 : kinds_find(r, err);
	if (missing > 0) /* it was just inserted */
		return error_set(err, "%s: the table of event kinds is damaged", r->sql.path);
	return missing;
}

/*
 * Write-ahead log: readers are not in the way, a commit is no fsync().  Changing to it needs the
 * file for itself and does not wait by itself; a file system that cannot do it stays with the
 * rollback journal, which is as safe.
 */
static int
journal_open(struct sql *s, struct error *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	char text[64];
	int rc = SQLITE_OK;

	for (int i = 0; i < 200; i++) {
		rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
		if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
			break;
		nanosleep(&pause, NULL);
	}
	if (rc && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
		return sql_fail(s, err);
	sqlite3_snprintf(sizeof(text), text,
			 "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = %d",
			 CHECKPOINT_PAGES);
	return sql_exec(s, text, err);
}

static int
record_prepare(struct record *r, struct error *err)
{
	if (schema_prepare(&r->sql, err) || journal_open(&r->sql, err) || kinds_map(r, err) ||
	    batch_register(&r->sql, &r->batch, err))
		return -1;
	for (int i = 0; i < ST_COUNT; i++) {
		r->st[i] = sql_prepare(&r->sql, statement_text[i], err);
		if (!r->st[i])
			return -1;
	}
	must(r->events = malloc(EVENTS_PER_COMMIT * sizeof(*r->events)));
	r->batch.events = r->events;
	return 0;
}

struct record *
record_open(const char *path, struct error *err)
{
	struct record *r = calloc(1, sizeof(*r));

	must(r);
	if (!strcmp(path, RECORD_NONE))
		return r;
	if (sql_open(&r->sql, path, true, err)) {
		free(r);
		return NULL;
	}
	if (record_prepare(r, err)) {
		record_close(r);
		return NULL;
	}
	return r;
}

void
record_close(struct record *r)
{
	if (!r)
		return;
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(r->st[i]);
	if (r->sql.db) {
		sqlite3_busy_timeout(r->sql.db, 0);
		/* Fails while others have the file open: then the last of them does it. */
		sqlite3_exec(r->sql.db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
		sql_close(&r->sql);
	}
	free(r->events);
	free(r->places);
	free(r);
}

bool
record_keeps(const struct record *r)
{
	return r->sql.db != NULL;
}

void
record_set_busy(struct record *r, int busy_ms)
{
	r->sql.busy_ms = busy_ms;
	if (r->sql.db)
		sqlite3_busy_timeout(r->sql.db, busy_ms);
}

int64_t
record_run(const struct record *r)
{
	return r->run;
}

/* --- runs --------------------------------------------------------------------------------------
 */

static int
run_insert(struct record *r, const struct run_info *info, int64_t *id, struct error *err)
{
	if (sql_run(&r->sql, r->st[ST_RUN], err, "tttttttu", info->scenario, info->variant,
		    info->strategy, info->memory, info->datapath, info->expected, info->version,
		    info->seed))
		return -1;
	*id = sqlite3_last_insert_rowid(r->sql.db);
	for (size_t i = 0; i < info->param_count; i++)
		if (sql_run(&r->sql, r->st[ST_PARAM], err, "itt", *id, info->params[i].name,
			    info->params[i].value))
			return -1;
	return 0;
}

int64_t
record_run_begin(struct record *r, const struct run_info *info, struct error *err)
{
	int64_t id = ++r->last_run;
	int status = 0;

	must(!r->run);
	if (r->sql.db) {
		status = sql_begin(&r->sql, err);
		if (!status)
			status = run_insert(r, info, &id, err);
		if (!status)
			status = sql_commit(&r->sql, err);
		sql_rollback(&r->sql);
	}
	if (status)
		return -1;
	r->run = id;
	r->count = 0;
	r->span_first = r->span_last = 0;
	r->failed = false;
	r->place_count = 0;
	if (r->places)
		memset(r->places, 0, r->place_capacity * sizeof(*r->places));
	return id;
}

/*
 * Every writing call begins with this.  1: go on; 0: the null recorder, there is nothing to do; -1:
 * the run has failed before.
 */
static int
run_ready(struct record *r, struct error *err)
{
	must(r->run);
	if (!r->sql.db)
		return 0;
	if (r->failed && err)
		*err = r->error;
	return r->failed ? -1 : 1;
}

/* Keep the first error of a run, so that it cannot be ended as if all of it were there. */
static int
run_failed(struct record *r, const struct error *own, struct error *err)
{
	r->error = *own;
	r->failed = true;
	if (err)
		*err = *own;
	return -1;
}

/* --- events ------------------------------------------------------------------------------------
 */

static int
events_insert(struct record *r, struct error *err)
{
	int64_t last, first;

	r->batch.count = r->count;
	if (sql_run(&r->sql, r->st[ST_EVENTS], err, ""))
		return -1;
	last = sqlite3_last_insert_rowid(r->sql.db);
	first = last - (int64_t)r->count + 1;
	if (r->span_last && first == r->span_last + 1) {
		first = r->span_first;
		if (sql_run(&r->sql, r->st[ST_SPAN_LONGER], err, "iii", r->run, first, last))
			return -1;
	} else if (sql_run(&r->sql, r->st[ST_SPAN], err, "iii", r->run, first, last)) {
		return -1;
	}
	r->span_first = first;
	r->span_last = last;
	return 0;
}

static int
events_commit(struct record *r, struct error *err)
{
	int status;

	if (!r->count)
		return 0;
	status = sql_begin(&r->sql, err);
	if (!status)
		status = events_insert(r, err);
	if (!status)
		status = sql_commit(&r->sql, err);
	sql_rollback(&r->sql);
	r->count = 0;
	return status;
}

static void
places_put(uint64_t *table, size_t capacity, uint64_t key)
{
	size_t at = hash_u64(key) & (capacity - 1);

	while (table[at])
		at = (at + 1) & (capacity - 1);
	table[at] = key;
}

static void
places_grow(struct record *r)
{
	size_t capacity = r->place_capacity ? r->place_capacity * 2 : 64;
	uint64_t *table = calloc(capacity, sizeof(*table));

	must(table);
	for (size_t i = 0; i < r->place_capacity; i++)
		if (r->places[i])
			places_put(table, capacity, r->places[i]);
	free(r->places);
	r->places = table;
	r->place_capacity = capacity;
}

/* Remember that ring code touched @gpa: record_names() asks for its name. */
static void
place_note(struct record *r, uint64_t gpa)
{
	uint64_t key = gpa + 1;

	if (r->place_count * 2 >= r->place_capacity)
		places_grow(r);
	for (size_t at = hash_u64(key);; at++) {
		uint64_t *slot = &r->places[at & (r->place_capacity - 1)];

		if (*slot == key)
			return;
		if (*slot)
			continue;
		if (r->place_count < PLACES_MAX) {
			*slot = key;
			r->place_count++;
		}
		return;
	}
}

void
record_sink(void *recorder, const struct event *e, size_t count)
{
	struct record *r = recorder;
	struct error err;

	if (!r->sql.db || !r->run || r->failed)
		return;
	for (size_t i = 0; i < count; i++) {
		r->events[r->count++] = e[i];
		if (e[i].kind == EV_LOAD || e[i].kind == EV_STORE)
			place_note(r, (uint64_t)e[i].arg[0]);
		if (r->count == EVENTS_PER_COMMIT && events_commit(r, &err)) {
			run_failed(r, &err, NULL);
			return;
		}
	}
}

/* --- names -------------------------------------------------------------------------------------
 */

static int
names_insert(struct record *r, const struct world *w, struct error *err)
{
	char text[128];

	for (uint32_t id = 1; id <= world_actors(w); id++) {
		const struct actor *a = world_actor(w, id);

		if (a && sql_run(&r->sql, r->st[ST_ACTOR], err, "iit", r->run, (int64_t)id,
				 actor_name(a)))
			return -1;
	}
	for (size_t i = 0; i < world_names(w); i++)
		if (sql_run(&r->sql, r->st[ST_STRING], err, "iit", r->run, (int64_t)i,
			    world_name_text(w, (int64_t)i)))
			return -1;
	for (size_t i = 0; i < r->place_capacity; i++) {
		if (!r->places[i])
			continue;
		gm_name(w, r->places[i] - 1, text, sizeof(text));
		if (sql_run(&r->sql, r->st[ST_PLACE], err, "iit", r->run,
			    (int64_t)(r->places[i] - 1), text))
			return -1;
	}
	return 0;
}

int
record_names(struct record *r, struct world *w, struct error *err)
{
	struct error own = { "" };
	int ready, status;

	world_flush(w);
	ready = run_ready(r, err);
	if (ready <= 0)
		return ready;
	status = sql_begin(&r->sql, &own);
	if (!status)
		status = names_insert(r, w, &own);
	if (!status)
		status = sql_commit(&r->sql, &own);
	sql_rollback(&r->sql);
	return status ? run_failed(r, &own, err) : 0;
}

/* --- rows --------------------------------------------------------------------------------------
 */

/* A row of the run in progress, whose id is the first argument. */
static int
row_write(struct record *r, struct error *err, enum statement st, const char *types, ...)
{
	struct error own = { "" };
	int status = run_ready(r, err);
	va_list ap;

	if (status <= 0)
		return status;
	va_start(ap, types);
	status = sql_vrun(&r->sql, r->st[st], &own, types, ap);
	va_end(ap);
	return status ? run_failed(r, &own, err) : 0;
}

int
record_violation(struct record *r, const struct run_violation *v, struct error *err)
{
	return row_write(r, err, ST_VIOLATION, "itttuitttt", r->run, v->oracle, v->statement,
			 v->severity, v->step, v->time_ns, v->actor, v->subject, v->message,
			 v->schedule);
}

int
record_metric(struct record *r, const char *name, int64_t value, const char *unit,
	      struct error *err)
{
	return row_write(r, err, ST_METRIC, "itit", r->run, name, value, unit);
}

int
record_metric_real(struct record *r, const char *name, double value, const char *unit,
		   struct error *err)
{
	return row_write(r, err, ST_METRIC, "itft", r->run, name, value, unit);
}

int
record_failure(struct record *r, const struct run_failure *f, struct error *err)
{
	return row_write(r, err, ST_FAILURE, "ittttttuux", r->run, f->verdict, f->oracle,
			 f->subject, f->message, f->schedule, f->file, f->index, f->times,
			 f->signature);
}

int
record_outcome(struct record *r, const char *verdict, uint64_t schedules, struct error *err)
{
	return row_write(r, err, ST_OUTCOME, "itu", r->run, verdict, schedules);
}

int
record_progress(struct record *r, const struct run_progress *p, struct error *err)
{
	return row_write(r, err, ST_PROGRESS, "iiuuu", r->run, p->elapsed_ns, p->schedules,
			 p->failing, p->classes);
}

static int
run_finish(struct record *r, const struct run_result *result, struct error *err)
{
	if (events_commit(r, err) ||
	    sql_run(&r->sql, r->st[ST_END], err, "ituiuixi", r->run, result->verdict,
		    result->schedules, (int64_t)result->complete, result->steps,
		    result->sim_time_ns, result->digest, result->wall_ns))
		return -1;
	if (sqlite3_changes(r->sql.db) != 1)
		return error_set(err, "%s: somebody deleted run %" PRId64 " while it ran",
				 r->sql.path, r->run);
	return 0;
}

int
record_run_end(struct record *r, const struct run_result *result, struct error *err)
{
	int ready = run_ready(r, err);
	int status = ready > 0 ? run_finish(r, result, err) : ready;

	r->run = 0;
	return status;
}
