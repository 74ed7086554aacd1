/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joining shards: nothing is lost, mixed up, or there twice. */
#include "record_util.h"

static void
shard_write(const char *path, const char *version, int runs, uint64_t seed)
{
	struct error err;
	struct record *r = record_open(path, &err);

	assert_non_null(r);
	for (int i = 0; i < runs; i++) {
		struct run_info info = sample_info(seed + (uint64_t)i);
		struct event e = { .kind = EV_FENCE };

		info.version = version;
		assert_true(record_run_begin(r, &info, &err) > 0);
		for (e.step = 0; e.step < 40; e.step++) {
			e.arg[1] = (int64_t)(seed * 1000 + e.step) + i * 100;
			record_sink(r, &e, 1);
		}
		assert_int_equal(record_metric(r, "exits", i, "", &err), 0);
		assert_int_equal(record_run_end(r, &sample_result, &err), 0);
	}
	record_close(r);
}

/* A digest of all events by uid, so that databases with other ids can be compared. */
static uint64_t
events_hash(const char *path, const char *where)
{
	char query[512];
	sqlite3_stmt *st;
	sqlite3 *db;
	uint64_t hash = 0;

	snprintf(query, sizeof(query),
		 "SELECT u.uid, e.step, e.time_ns, e.actor, e.kind, e.detail FROM event e"
		 " JOIN run u ON u.id = e.run_id WHERE %s ORDER BY u.uid, e.id",
		 where);
	sqlite3_open(path, &db);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		for (int i = 0; i < 6; i++)
			for (const unsigned char *c = sqlite3_column_text(st, i); *c; c++)
				hash = hash * 1099511628211u + *c;
	sqlite3_finalize(st);
	sqlite3_close(db);
	return hash;
}

static void
shards_become_one(void **state)
{
	const char *a = in_folder("a.db"), *b = in_folder("b.db"), *out = in_folder("out.db");
	const char *in[] = { a, b };
	struct error err = { "" };
	uint64_t merged, hash_a;
	char where[200];

	shard_write(a, "1", 5, 10);
	shard_write(b, "1", 3, 20);
	/* b numbers the kinds of events otherwise, as another program version may. */
	ask(b, "UPDATE event_kind SET id = id + 1000");
	ask(b, "UPDATE event_row SET kind = kind + 1000");
	shard_write(out, "1", 2, 30);
	hash_a = events_hash(a, "1");
	assert_int_equal(record_merge(out, in, 2, &merged, &err), 0);
	assert_int_equal(merged, 8);
	assert_int_equal(ask_number(out, "SELECT count(*) FROM run"), 10);
	assert_string_equal(ask(out, "SELECT group_concat(seed) FROM (SELECT seed FROM run"
				     " ORDER BY id)"),
			    "30,31,10,11,12,13,14,20,21,22");
	assert_int_equal(ask_number(out, "SELECT count(*) FROM event"), 400);
	assert_int_equal(ask_number(out, "SELECT count(*) FROM param"), 20);
	assert_int_equal(ask_number(out, "SELECT count(*) FROM metric m JOIN run r ON"
					 " r.id = m.run_id WHERE m.value = r.seed % 10"),
			 10);
	snprintf(where, sizeof(where), "u.seed BETWEEN 10 AND 14");
	assert_true(events_hash(out, where) == hash_a);
	assert_true(events_hash(out, "u.seed >= 20 AND u.seed < 30") == events_hash(b, "1"));

	/* Again: nothing new. And through a third file: still nothing. */
	assert_int_equal(record_merge(out, in, 2, &merged, &err), 0);
	assert_int_equal(merged, 0);
	in[0] = out;
	assert_int_equal(record_merge(in_folder("third.db"), in, 2, &merged, &err), 0);
	assert_int_equal(merged, 10);
	assert_string_equal(ask(out, "PRAGMA integrity_check"), "ok");
	assert_string_equal(ask(out, "PRAGMA foreign_key_check"), "");
}

/* A run with all kinds of rows, merged, equals itself. */
static void
all_rows_come_along(void **state)
{
	const char *from = in_folder("full.db"), *out = in_folder("joined.db");
	const char *in[] = { from };
	struct error err;
	struct record *r = record_open(from, &err);

	assert_int_equal(sample_run(r, 1, 100, &err), 1);
	record_close(r);
	r = record_open(out, &err);
	assert_int_equal(sample_run(r, 2, 100, &err), 1);
	record_close(r);
	assert_int_equal(record_merge(out, in, 1, NULL, &err), 0);
	for (const char *const *t =
		     (const char *const[]){ "param", "violation", "metric", "failure", "outcome",
					    "progress", "event", NULL };
	     *t; t++) {
		char query[200];
		long count;

		snprintf(query, sizeof(query), "SELECT count(*) FROM %s", *t);
		count = ask_number(from, query);
		assert_true(count > 0);
		snprintf(query, sizeof(query), "SELECT count(*) FROM %s WHERE run_id = 2", *t);
		assert_int_equal(ask_number(out, query), count);
	}
}

static void
what_does_not_fit_is_refused(void **state)
{
	const char *old = in_folder("old.db"), *new = in_folder("new.db"),
		   *out = in_folder("refuse.db");
	struct error err = { "" };
	const char *in[] = { old, new };
	uint64_t merged;

	shard_write(old, "1", 2, 1);
	shard_write(new, "2", 2, 1);
	assert_int_equal(record_merge(out, in, 2, &merged, &err), -1);
	assert_non_null(strstr(err.text, "recorded by Ringside 2, the runs before it by 1"));
	assert_int_equal(merged, 2); /* the first input is in, the second is not */
	assert_int_equal(ask_number(out, "SELECT count(*) FROM run"), 2);
	in[0] = out;
	assert_int_equal(record_merge(out, in, 1, &merged, &err), -1);
	assert_non_null(strstr(err.text, "is the output too"));
	in[0] = in_folder("nowhere.db");
	assert_int_equal(record_merge(out, in, 1, &merged, &err), -1);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(access(in[0], F_OK), -1);
	in[0] = folder;
	assert_int_equal(record_merge(out, in, 1, &merged, &err), -1);
	assert_int_equal(record_merge(folder, in, 0, &merged, &err), -1);
	assert_non_null(strstr(err.text, "a directory"));
	assert_int_equal(ask_number(out, "SELECT count(*) FROM run"), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shards_become_one),
		cmocka_unit_test(all_rows_come_along),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
