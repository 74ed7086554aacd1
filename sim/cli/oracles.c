/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside oracles: the properties, which of them are checked, and what has tripped them in a
 * database.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "explore/verdict.h"
#include "oracle/oracle.h"
#include "record/reader.h"

#define SHOWN_MAX 5

static const char tripped_sql[] =
	"SELECT DISTINCT r.scenario || CASE r.variant WHEN '' THEN '' ELSE ':' || r.variant END "
	"FROM violation v JOIN run r ON r.id = v.run_id "
	"WHERE v.oracle = ?1 OR v.statement = ?1 ORDER BY 1";

static void
print_tripped(sqlite3_stmt *st, const char *oracle)
{
	unsigned shown = 0, more = 0;

	sqlite3_bind_text(st, 1, oracle, -1, SQLITE_STATIC);
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (shown++ < SHOWN_MAX)
			printf("    tripped by %s\n", (const char *)sqlite3_column_text(st, 0));
		else
			more++;
	}
	if (more)
		printf("    and by %u more\n", more);
	sqlite3_reset(st);
}

static void
print_oracle(const struct oracle_info *info, sqlite3_stmt *st)
{
	printf("%s\n    %s\n    %s, %s; %s%s\n", info->name, info->text,
	       info->level == ORACLE_MUST ? "must" : "should", verdict_name[info->verdict],
	       info->unchecked ? "not checked: " : "checked",
	       info->unchecked ? info->unchecked : "");
	if (st)
		print_tripped(st, info->name);
}

/* A database of ours to ask, or null: then only the table is printed. */
static int
open_db(const char *path, sqlite3 **db, sqlite3_stmt **st, struct error *err)
{
	struct reader *rd;

	if (access(path, R_OK))
		return 0;
	rd = reader_open(path, err); /* it says what is wrong with it */
	if (!rd)
		return -1;
	reader_close(rd);
	if (sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(*db, tripped_sql, -1, st, NULL) != SQLITE_OK)
		return error_set(err, "%s: %s", path, sqlite3_errmsg(*db));
	return 0;
}

int
command_oracles(const struct options *o, struct error *err)
{
	const char *name = o->arg_count ? o->args[0] : "";
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	unsigned printed = 0;
	int status = open_db(o->db, &db, &st, err) ? EXIT_USAGE : EXIT_HELD;

	for (unsigned i = 0; status == EXIT_HELD && i < ORACLE_COUNT; i++) {
		if (!strstr(oracle_info[i].name, name))
			continue;
		print_oracle(&oracle_info[i], st);
		printed++;
	}
	if (status == EXIT_HELD && !printed) {
		error_set(err, "there is no oracle with '%s' in its name", name);
		status = EXIT_USAGE;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return status;
}
