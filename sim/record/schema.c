/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/schema.h"

#include <inttypes.h>

#include "base/must.h"

/*
 * Events are plain rows, one an event, in the order of recording; a run owns the spans of row ids
 * that were written for it.  Rows without run_id are shorter and are written faster, and a run is
 * still one range scan (usually of one span).  `run.seed` has no affinity: a seed above INT64_MAX
 * is text.
 */
/* clang-format off */
static const char schema_1[] =
	"CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" scenario TEXT NOT NULL, variant TEXT NOT NULL, strategy TEXT NOT NULL,"
	" memory TEXT NOT NULL, datapath TEXT NOT NULL, seed NOT NULL,"
	" verdict TEXT NOT NULL DEFAULT 'unfinished', expected TEXT NOT NULL,"
	" schedules INTEGER, complete INTEGER, steps INTEGER, sim_time_ns INTEGER,"
	" digest TEXT, wall_ns INTEGER, version TEXT NOT NULL,"
	" uid TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(8)))));"
	"CREATE TABLE param (run_id INTEGER NOT NULL REFERENCES run, name TEXT NOT NULL,"
	" value TEXT NOT NULL, PRIMARY KEY (run_id, name)) WITHOUT ROWID;"
	"CREATE TABLE violation (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" run_id INTEGER NOT NULL REFERENCES run, oracle TEXT NOT NULL, statement TEXT NOT NULL,"
	" severity TEXT NOT NULL, step INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
	" actor TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL,"
	" schedule TEXT NOT NULL);"
	"CREATE INDEX violation_run ON violation (run_id);"
	"CREATE TABLE metric (run_id INTEGER NOT NULL REFERENCES run, name TEXT NOT NULL,"
	" value NUMERIC NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (run_id, name)) WITHOUT ROWID;"
	"CREATE TABLE failure (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" run_id INTEGER NOT NULL REFERENCES run, verdict TEXT NOT NULL, oracle TEXT NOT NULL,"
	" subject TEXT NOT NULL, message TEXT NOT NULL, schedule TEXT NOT NULL,"
	" file TEXT NOT NULL, schedule_no INTEGER NOT NULL, times INTEGER NOT NULL,"
	" signature TEXT NOT NULL);"
	"CREATE INDEX failure_run ON failure (run_id);"
	"CREATE TABLE outcome (run_id INTEGER NOT NULL REFERENCES run, verdict TEXT NOT NULL,"
	" schedules INTEGER NOT NULL, PRIMARY KEY (run_id, verdict)) WITHOUT ROWID;"
	"CREATE TABLE progress (run_id INTEGER NOT NULL REFERENCES run,"
	" elapsed_ns INTEGER NOT NULL, schedules INTEGER NOT NULL, failing INTEGER NOT NULL,"
	" classes INTEGER NOT NULL, PRIMARY KEY (run_id, schedules, elapsed_ns)) WITHOUT ROWID;"
	"CREATE TABLE actor (run_id INTEGER NOT NULL REFERENCES run, id INTEGER NOT NULL,"
	" name TEXT NOT NULL, PRIMARY KEY (run_id, id)) WITHOUT ROWID;"
	"CREATE TABLE string (run_id INTEGER NOT NULL REFERENCES run, number INTEGER NOT NULL,"
	" text TEXT NOT NULL, PRIMARY KEY (run_id, number)) WITHOUT ROWID;"
	"CREATE TABLE place (run_id INTEGER NOT NULL REFERENCES run, gpa INTEGER NOT NULL,"
	" name TEXT NOT NULL, PRIMARY KEY (run_id, gpa)) WITHOUT ROWID;"
	"CREATE TABLE event_kind (id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" format TEXT NOT NULL, texts INTEGER NOT NULL, what TEXT NOT NULL,"
	" UNIQUE (name, format));"
	"CREATE TABLE event_row (id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER,"
	" time_ns INTEGER, actor INTEGER, kind INTEGER,"
	" a0 INTEGER, a1 INTEGER, a2 INTEGER, a3 INTEGER, a4 INTEGER);"
	"CREATE TABLE event_span (run_id INTEGER NOT NULL REFERENCES run,"
	" first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,"
	" PRIMARY KEY (run_id, first_id)) WITHOUT ROWID;"

#define ARG(n) \
	" CASE WHEN k.texts >> " #n " & 1 THEN coalesce((SELECT text FROM string t" \
	" WHERE t.run_id = s.run_id AND t.number = r.a" #n "), '?') ELSE r.a" #n " END"
#define ACTOR \
	" CASE r.actor WHEN 0 THEN 'timers' ELSE coalesce((SELECT name FROM actor a" \
	" WHERE a.run_id = s.run_id AND a.id = r.actor), 'actor ' || r.actor) END AS actor,"
/* CROSS JOIN keeps the order: a run's spans, its rows, each row's kind. */
#define ROWS \
	" FROM event_span s CROSS JOIN event_row r ON r.id BETWEEN s.first_id AND s.last_id" \
	" CROSS JOIN event_kind k ON k.id = r.kind"

	"CREATE VIEW event AS SELECT s.run_id, r.step, r.time_ns," ACTOR " k.name AS kind,"
	/* printf() of nothing is NULL */
	" coalesce(printf(k.format," ARG(0) "," ARG(1) "," ARG(2) "," ARG(3) "," ARG(4) "), '')"
	" AS detail, r.id AS id" ROWS ";"
	/* Loads and stores of ring code, by the name of the field. ORDER EVENT: load, store */
	"CREATE VIEW access AS SELECT s.run_id, r.step, r.time_ns," ACTOR " k.name AS kind,"
	" coalesce((SELECT name FROM place p WHERE p.run_id = s.run_id AND p.gpa = r.a0),"
	" printf('gpa 0x%x', r.a0)) AS field, r.a0 AS gpa, r.a1 AS size, r.a2 AS value,"
	" r.a3 AS site, r.id AS id" ROWS " WHERE k.name IN ('load', 'store');"

	/* `DELETE FROM run WHERE …` takes with it all that belongs to the run. */
	"CREATE TRIGGER run_delete AFTER DELETE ON run BEGIN"
	" DELETE FROM event_row WHERE id IN (SELECT r.id FROM event_span s JOIN event_row r"
	"  ON r.id BETWEEN s.first_id AND s.last_id WHERE s.run_id = old.id);"
	" DELETE FROM event_span WHERE run_id = old.id; DELETE FROM param WHERE run_id = old.id;"
	" DELETE FROM violation WHERE run_id = old.id; DELETE FROM metric WHERE run_id = old.id;"
	" DELETE FROM failure WHERE run_id = old.id; DELETE FROM outcome WHERE run_id = old.id;"
	" DELETE FROM progress WHERE run_id = old.id; DELETE FROM actor WHERE run_id = old.id;"
	" DELETE FROM string WHERE run_id = old.id; DELETE FROM place WHERE run_id = old.id;"
	"END;";
/* clang-format on */

/* steps[v] makes schema v + 1 out of schema v. */
static const char *const steps[] = { schema_1 };

must_static(sizeof(steps) / sizeof(steps[0]) == SCHEMA_VERSION, "one step a version");

static int
schema_version(struct sql *s, int64_t *version, bool *empty, struct error *err)
{
	bool own = sqlite3_get_autocommit(s->db); /* one transaction: another may be creating it */
	int64_t id = 0, tables = 0;
	int status = own ? sql_exec(s, "BEGIN", err) : 0;

	if (!status)
		status = sql_int(s, "PRAGMA application_id", 0, &id, err);
	if (!status)
		status = sql_int(s, "PRAGMA user_version", 0, version, err);
	if (!status)
		status = sql_int(s, "SELECT count(*) FROM sqlite_schema", 0, &tables, err);
	if (own)
		sql_rollback(s);
	if (status)
		return -1;
	*empty = !id && !*version && !tables;
	if (!*empty && id != SCHEMA_APPLICATION_ID)
		return error_set(err, "%s: a database, but not one of Ringside's", s->path);
	if (!*empty && *version < 1)
		return error_set(err, "%s: the database has no schema version", s->path);
	if (*version > SCHEMA_VERSION)
		return error_set(err,
				 "%s: written by a newer Ringside (schema %" PRId64
				 ", this one knows %d)",
				 s->path, *version, SCHEMA_VERSION);
	return 0;
}

int
schema_check(struct sql *s, struct error *err)
{
	int64_t version;
	bool empty;

	if (schema_version(s, &version, &empty, err))
		return -1;
	if (empty)
		return error_set(err, "%s: an empty database", s->path);
	if (version < SCHEMA_VERSION)
		return error_set(err,
				 "%s: has schema %" PRId64 ", this Ringside needs %d: "
				 "`ringside run --db %s …` upgrades it",
				 s->path, version, SCHEMA_VERSION, s->path);
	return 0;
}

static int
schema_upgrade(struct sql *s, int64_t version, struct error *err)
{
	char text[96];

	for (int64_t v = version; v < SCHEMA_VERSION; v++)
		if (sql_exec(s, steps[v], err))
			return -1;
	sqlite3_snprintf(sizeof(text), text, "PRAGMA application_id = %d; PRAGMA user_version = %d",
			 SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
	return sql_exec(s, text, err);
}

int
schema_prepare(struct sql *s, struct error *err)
{
	int64_t version;
	bool empty;
	int status;

	/* Has an effect on new files only. */
	if (sql_exec(s, "PRAGMA page_size = 8192", err) || schema_version(s, &version, &empty, err))
		return -1;
	if (version == SCHEMA_VERSION)
		return 0;
	if (sql_begin(s, err))
		return -1;
	/* Another program may have done it meanwhile: look again, now that the file is locked. */
	status = schema_version(s, &version, &empty, err);
	if (!status && version < SCHEMA_VERSION)
		status = schema_upgrade(s, version, err);
	if (!status)
		status = sql_commit(s, err);
	sql_rollback(s);
	return status;
}
