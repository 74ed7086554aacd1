/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the record room needs around SQLite: one place that turns its result codes into sentences,
 * and calls that prepare, bind and step in one go.  For files of this room only.
 */
#ifndef RINGSIDE_RECORD_SQL_H
#define RINGSIDE_RECORD_SQL_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A connection and the path that its errors name. */
struct sql {
	sqlite3 *db;
	char *path;
	int busy_ms; /* how long it waits for a lock */
};

/* Open; @write makes the file if it is not there. On -1 nothing is left open. */
int
sql_open(struct sql *s, const char *path, bool write, struct error *err);
void
sql_close(struct sql *s);

/* Fill @err with why the last call on @s failed, in words for the user. Always -1. */
int
sql_fail(struct sql *s, struct error *err);

/* Run statements that give no rows. */
int
sql_exec(struct sql *s, const char *text, struct error *err);

/* The first column of the first row of @text, or @otherwise if there is no row. */
int
sql_int(struct sql *s, const char *text, int64_t otherwise, int64_t *value, struct error *err);

/* Null and @err on failure. */
sqlite3_stmt *
sql_prepare(struct sql *s, const char *text, struct error *err);

/*
 * Bind from ?1 on: one letter of @types an argument.
 *	i int64_t   u uint64_t (as text above INT64_MAX)   f double   t const char * (null: '')
 *	x uint64_t as 16 hexadecimal digits
 * Texts must live until the statement is reset.
 */
void
sql_bind(sqlite3_stmt *st, const char *types, ...);

/* Bind, step to the end, reset: for statements without rows. */
int
sql_run(struct sql *s, sqlite3_stmt *st, struct error *err, const char *types, ...);
int
sql_vrun(struct sql *s, sqlite3_stmt *st, struct error *err, const char *types, va_list ap);

/* BEGIN IMMEDIATE; a rollback never fails, and does nothing outside a transaction. */
int
sql_begin(struct sql *s, struct error *err);
int
sql_commit(struct sql *s, struct error *err);
void
sql_rollback(struct sql *s);

/* A copy of a text column, to be freed; "" for NULL. Never null. */
char *
sql_column_copy(sqlite3_stmt *st, int column);
/* What "u" and "x" stored. */
uint64_t
sql_column_u64(sqlite3_stmt *st, int column);
uint64_t
sql_column_hex(sqlite3_stmt *st, int column);

#endif
