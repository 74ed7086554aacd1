/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/batch.h"

#include <stdlib.h>

struct batch_table {
	sqlite3_vtab base;
	const struct batch *batch;
};

struct batch_cursor {
	sqlite3_vtab_cursor base;
	const struct batch *batch;
	size_t at;
};

static int
batch_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **table,
	      char **message)
{
	int rc = sqlite3_declare_vtab(db, "CREATE TABLE event_batch (" BATCH_COLUMNS ")");
	struct batch_table *t;

	if (rc)
		return rc;
	t = sqlite3_malloc(sizeof(*t));
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct batch_table){ .batch = aux };
	*table = &t->base;
	return SQLITE_OK;
}

static int
batch_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int
batch_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	info->estimatedCost = 1e6; /* always a full scan */
	return SQLITE_OK;
}

static int
batch_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
	struct batch_cursor *c = sqlite3_malloc(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct batch_cursor){ .batch = ((struct batch_table *)table)->batch };
	*cursor = &c->base;
	return SQLITE_OK;
}

static int
batch_close(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int
batch_filter(sqlite3_vtab_cursor *cursor, int index, const char *text, int argc,
	     sqlite3_value **argv)
{
	((struct batch_cursor *)cursor)->at = 0;
	return SQLITE_OK;
}

static int
batch_next(sqlite3_vtab_cursor *cursor)
{
	((struct batch_cursor *)cursor)->at++;
	return SQLITE_OK;
}

static int
batch_eof(sqlite3_vtab_cursor *cursor)
{
	const struct batch_cursor *c = (const struct batch_cursor *)cursor;

	return c->at >= c->batch->count;
}

static int
batch_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct batch_cursor *c = (const struct batch_cursor *)cursor;
	const struct event *e = &c->batch->events[c->at];
	int64_t v;

	switch (column) {
	case 0:
		v = (int64_t)e->step;
		break;
	case 1:
		v = e->time_ns;
		break;
	case 2:
		v = e->actor;
		break;
	case 3:
		v = c->batch->kind_id[e->kind];
		break;
	default:
		v = e->arg[column - 4];
		break;
	}
	sqlite3_result_int64(context, v);
	return SQLITE_OK;
}

static int
batch_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
	*id = (sqlite3_int64)((struct batch_cursor *)cursor)->at;
	return SQLITE_OK;
}

/* No xCreate: the table is there without CREATE VIRTUAL TABLE and in no file. */
static const sqlite3_module batch_module = {
	.xConnect = batch_connect,
	.xBestIndex = batch_best_index,
	.xDisconnect = batch_disconnect,
	.xOpen = batch_open,
	.xClose = batch_close,
	.xFilter = batch_filter,
	.xNext = batch_next,
	.xEof = batch_eof,
	.xColumn = batch_column,
	.xRowid = batch_rowid,
};

int
batch_register(struct sql *s, struct batch *b, struct error *err)
{
	if (sqlite3_create_module(s->db, "event_batch", &batch_module, b))
		return sql_fail(s, err);
	return 0;
}
