/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "record/record.h"

int
sql_fail(struct sql *s, struct error *err)
{
	int os = s->db ? sqlite3_system_errno(s->db) : 0;

	switch (s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM) {
	case SQLITE_NOTADB:
		return error_set(err, "%s: not a database", s->path);
	case SQLITE_CORRUPT:
		return error_set(err,
				 "%s: the database is damaged or cut off; `sqlite3 %s .recover` "
				 "prints what can be saved",
				 s->path, s->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, "%s: locked by another program for more than %d ms", s->path,
				 s->busy_ms);
	case SQLITE_READONLY:
		return error_set(err, "%s: cannot be written, it is read-only", s->path);
	case SQLITE_FULL:
		return error_set(err, "%s: the disk is full", s->path);
	case SQLITE_CANTOPEN:
		return error_set(err, "%s: cannot be opened: %s", s->path,
				 os ? strerror(os) : sqlite3_errmsg(s->db));
	case SQLITE_IOERR:
		return error_set(err, "%s: reading or writing failed: %s", s->path,
				 os ? strerror(os) : sqlite3_errmsg(s->db));
	default:
		return error_set(err, "%s: %s", s->path,
				 s->db ? sqlite3_errmsg(s->db) : "out of memory");
	}
}

static bool
beside(const char *path, const char *suffix)
{
	char *name = sqlite3_mprintf("%s%s", path, suffix);
	bool there = name && access(name, F_OK) == 0;

	sqlite3_free(name);
	return there;
}

/*
 * Whether the file ends within a page.  SQLite takes the rest of that page for zeros and notices
 * only whole pages that are missing.  With a journal beside it, that is SQLite's to put right.
 */
static bool
file_cut(const char *path, off_t size)
{
	unsigned char head[18];
	FILE *f = fopen(path, "r");
	size_t got = f ? fread(head, 1, sizeof(head), f) : 0;
	unsigned page;

	if (f)
		fclose(f);
	if (got < sizeof(head) || memcmp(head, "SQLite format 3", 16))
		return false; /* SQLite says what it is */
	page = head[16] * 256u + head[17];
	page = page == 1 ? 65536 : page;
	return page && size % page && !beside(path, "-journal") && !beside(path, "-wal");
}

int
sql_open(struct sql *s, const char *path, bool write, struct error *err)
{
	int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	struct stat st;

	*s = (struct sql){ 0 };
	if (!*path)
		return error_set(err, "the name of the database is empty");
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, "%s: %s, not a database", path,
				 S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
	if (stat(path, &st) == 0 && file_cut(path, st.st_size))
		return error_set(err, "%s: the database is damaged: it ends within a page", path);
	if (!write && stat(path, &st))
		return error_set(err, "%s: %s", path, strerror(errno));
	must(s->path = strdup(path));
	if (sqlite3_open_v2(path, &s->db, flags, NULL)) {
		sql_fail(s, err);
		sql_close(s);
		return -1;
	}
	s->busy_ms = RECORD_BUSY_MS;
	sqlite3_busy_timeout(s->db, s->busy_ms);
	return 0;
}

void
sql_close(struct sql *s)
{
	int rc = sqlite3_close(s->db);

	must(rc == SQLITE_OK); /* anything else: a statement was not finalized */
	free(s->path);
	*s = (struct sql){ 0 };
}

int
sql_exec(struct sql *s, const char *text, struct error *err)
{
	return sqlite3_exec(s->db, text, NULL, NULL, NULL) ? sql_fail(s, err) : 0;
}

sqlite3_stmt *
sql_prepare(struct sql *s, const char *text, struct error *err)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL)) {
		sql_fail(s, err);
		return NULL;
	}
	return st;
}

int
sql_int(struct sql *s, const char *text, int64_t otherwise, int64_t *value, struct error *err)
{
	sqlite3_stmt *st = sql_prepare(s, text, err);
	int rc;

	if (!st)
		return -1;
	rc = sqlite3_step(st);
	*value = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : otherwise;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sql_fail(s, err);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static void
bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text ? text : "", -1, SQLITE_STATIC);
}

static void
bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
	char text[24];

	if (v <= INT64_MAX) {
		sqlite3_bind_int64(st, at, (int64_t)v);
		return;
	}
	sqlite3_snprintf(sizeof(text), text, "%llu", (unsigned long long)v);
	sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

static void
bind_list(sqlite3_stmt *st, const char *types, va_list ap)
{
	char hex[17];

	for (int at = 1; *types; types++, at++) {
		switch (*types) {
		case 'i':
			sqlite3_bind_int64(st, at, va_arg(ap, int64_t));
			break;
		case 'u':
			bind_u64(st, at, va_arg(ap, uint64_t));
			break;
		case 'f':
			sqlite3_bind_double(st, at, va_arg(ap, double));
			break;
		case 't':
			bind_text(st, at, va_arg(ap, const char *));
			break;
		case 'x':
			sqlite3_snprintf(sizeof(hex), hex, "%016llx",
					 (unsigned long long)va_arg(ap, uint64_t));
			sqlite3_bind_text(st, at, hex, 16, SQLITE_TRANSIENT);
			break;
		default:
			must(!"a type of sql_bind()");
		}
	}
}

void
sql_bind(sqlite3_stmt *st, const char *types, ...)
{
	va_list ap;

	va_start(ap, types);
	bind_list(st, types, ap);
	va_end(ap);
}

int
sql_vrun(struct sql *s, sqlite3_stmt *st, struct error *err, const char *types, va_list ap)
{
	int rc;

	bind_list(st, types, ap);
	rc = sqlite3_step(st);
	must(rc != SQLITE_ROW);
	if (rc != SQLITE_DONE)
		sql_fail(s, err);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
sql_run(struct sql *s, sqlite3_stmt *st, struct error *err, const char *types, ...)
{
	va_list ap;
	int status;

	va_start(ap, types);
	status = sql_vrun(s, st, err, types, ap);
	va_end(ap);
	return status;
}

int
sql_begin(struct sql *s, struct error *err)
{
	return sql_exec(s, "BEGIN IMMEDIATE", err);
}

int
sql_commit(struct sql *s, struct error *err)
{
	return sql_exec(s, "COMMIT", err);
}

void
sql_rollback(struct sql *s)
{
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

char *
sql_column_copy(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column);
	char *copy = strdup(text ? text : "");

	must(copy);
	return copy;
}

uint64_t
sql_column_u64(sqlite3_stmt *st, int column)
{
	if (sqlite3_column_type(st, column) == SQLITE_TEXT)
		return strtoull((const char *)sqlite3_column_text(st, column), NULL, 10);
	return (uint64_t)sqlite3_column_int64(st, column);
}

uint64_t
sql_column_hex(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column);

	return text ? strtoull(text, NULL, 16) : 0;
}
