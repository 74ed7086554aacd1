/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/merge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "record/record.h"
#include "record/reader.h"
#include "record/schema.h"
#include "record/sql.h"

/*
 * `take` says which runs come in and what their new ids are; ids of rows go up by the highest that
 * the output ever had, so that they keep their order and distances (spans of events need that).
 */
/* clang-format off */
static const char prepare_text[] =
	"CREATE TEMP TABLE IF NOT EXISTS take (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
	"CREATE TEMP TABLE IF NOT EXISTS kinds (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
	"CREATE TEMP TABLE IF NOT EXISTS base (row INTEGER NOT NULL);"
	"DELETE FROM take; DELETE FROM kinds; DELETE FROM base;"
	"INSERT INTO take SELECT id, row_number() OVER (ORDER BY id)"
	" + coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'run'), 0)"
	" FROM shard.run WHERE uid NOT IN (SELECT uid FROM main.run);"
	"INSERT INTO base SELECT"
	" coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'event_row'), 0);"
	"INSERT OR IGNORE INTO main.event_kind (name, format, texts, what)"
	" SELECT name, format, texts, what FROM shard.event_kind ORDER BY id;"
	"INSERT INTO kinds SELECT o.id, n.id FROM shard.event_kind o"
	" JOIN main.event_kind n USING (name, format);";

/* Tables whose rows only need the new id of their run. */
#define BY_RUN(table, columns) \
	"INSERT INTO main." table " (run_id, " columns ") SELECT t.new, " columns \
	" FROM take t JOIN shard." table " s ON s.run_id = t.old ORDER BY t.new;"

static const char copy_text[] =
	"INSERT INTO main.run (id, scenario, variant, strategy, memory, datapath, seed, verdict,"
	" expected, schedules, complete, steps, sim_time_ns, digest, wall_ns, version, uid)"
	" SELECT t.new, scenario, variant, strategy, memory, datapath, seed, verdict, expected,"
	" schedules, complete, steps, sim_time_ns, digest, wall_ns, version, uid"
	" FROM take t JOIN shard.run s ON s.id = t.old ORDER BY t.new;"
	"INSERT INTO main.event_row (id, step, time_ns, actor, kind, a0, a1, a2, a3, a4)"
	" SELECT r.id + b.row, step, time_ns, actor, k.new, a0, a1, a2, a3, a4"
	" FROM take t CROSS JOIN shard.event_span s ON s.run_id = t.old CROSS JOIN base b"
	" CROSS JOIN shard.event_row r ON r.id BETWEEN s.first_id AND s.last_id"
	" CROSS JOIN kinds k ON k.old = r.kind;"
	"INSERT INTO main.event_span SELECT t.new, s.first_id + b.row, s.last_id + b.row"
	" FROM take t JOIN shard.event_span s ON s.run_id = t.old CROSS JOIN base b;"
	BY_RUN("param", "name, value")
	BY_RUN("violation", "oracle, statement, severity, step, time_ns, actor, subject, message,"
			    " schedule")
	BY_RUN("metric", "name, value, unit")
	BY_RUN("failure", "verdict, oracle, subject, message, schedule, file, schedule_no, times,"
			  " signature")
	BY_RUN("outcome", "verdict, schedules")
	BY_RUN("progress", "elapsed_ns, schedules, failing, classes")
	BY_RUN("actor", "id, name")
	BY_RUN("string", "number, text")
	BY_RUN("place", "gpa, name");
/* clang-format on */

/* The version of all runs of a database; "" if it has none; null and @err if there are several. */
static char *
version_of(struct sql *s, const char *file, struct error *err)
{
	sqlite3_stmt *st = sql_prepare(s, "SELECT min(version), max(version) FROM run", err);
	char *low = NULL, *high = NULL;
	bool ok = st && sqlite3_step(st) == SQLITE_ROW;

	if (ok) {
		low = sql_column_copy(st, 0);
		high = sql_column_copy(st, 1);
	} else if (st) {
		sql_fail(s, err);
	}
	sqlite3_finalize(st);
	if (ok && strcmp(low, high)) {
		error_set(err, "%s: has runs of Ringside %s and of %s: cannot be merged", file, low,
			  high);
		ok = false;
	}
	free(high);
	if (!ok) {
		free(low);
		return NULL;
	}
	return low;
}

/* Open an input alone, see that it is sound, and compare its version with *@version. */
static int
input_check(const char *path, char **version, struct error *err)
{
	struct sql s;
	char *own = NULL;
	int status;

	if (sql_open(&s, path, false, err))
		return -1;
	status = schema_check(&s, err);
	if (!status) {
		own = version_of(&s, path, err);
		status = own ? 0 : -1;
	}
	sql_close(&s);
	if (!status && **version && *own && strcmp(*version, own))
		status = error_set(err,
				   "%s: recorded by Ringside %s, the runs before it by %s: merge "
				   "runs of one version",
				   path, own, *version);
	if (!status && *own) {
		free(*version);
		*version = own;
		return 0;
	}
	free(own);
	return status;
}

static int
same_file(struct sql *s, const char *path)
{
	char *a = realpath(s->path, NULL), *b = realpath(path, NULL);
	int same = a && b && !strcmp(a, b);

	free(a);
	free(b);
	return same;
}

static int
input_copy(struct sql *s, uint64_t *merged, struct error *err)
{
	int64_t taken = 0;
	int status = sql_begin(s, err);

	if (!status)
		status = sql_exec(s, prepare_text, err);
	if (!status)
		status = sql_exec(s, copy_text, err);
	if (!status)
		status = sql_int(s, "SELECT count(*) FROM take", 0, &taken, err);
	if (!status)
		status = sql_commit(s, err);
	sql_rollback(s);
	if (!status)
		*merged += (uint64_t)taken;
	return status;
}

static int
input_merge(struct sql *s, const char *path, char **version, uint64_t *merged, struct error *err)
{
	sqlite3_stmt *st;
	int status;

	if (same_file(s, path))
		return error_set(err, "%s: is the output too", path);
	if (input_check(path, version, err))
		return -1;
	st = sql_prepare(s, "ATTACH ?1 AS shard", err);
	if (!st)
		return -1;
	status = sql_run(s, st, err, "t", path);
	sqlite3_finalize(st);
	if (status)
		return error_prefix(err, "%s", path);
	status = input_copy(s, merged, err);
	if (status)
		error_prefix(err, "merging %s", path);
	if (sql_exec(s, "DETACH shard", status ? NULL : err))
		status = -1;
	return status;
}

int
record_merge(const char *out, const char *const *in, size_t count, uint64_t *merged,
	     struct error *err)
{
	struct record *r = record_open(out, err);
	uint64_t own = 0;
	struct sql s;
	char *version;
	int status = 0;

	if (merged)
		*merged = 0;
	if (!r)
		return -1;
	record_close(r); /* it has made or upgraded the file */
	if (sql_open(&s, out, true, err))
		return -1;
	version = version_of(&s, out, err);
	status = version ? 0 : -1;
	for (size_t i = 0; !status && i < count; i++)
		status = input_merge(&s, in[i], &version, &own, err);
	free(version);
	sql_close(&s);
	if (merged)
		*merged = own;
	return status;
}
