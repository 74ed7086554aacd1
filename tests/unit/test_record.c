/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is recorded is what happened: through the views, through the reader, and with its names. */
#include "record_util.h"

#include "engine/world.h"
#include "memory/guest_memory.h"

/* All events of a world, kept by an observer, to compare the database with. */
#define KEPT_MAX 2000
static struct event kept[KEPT_MAX];
static size_t kept_count;
static struct record *recorder;

static void
keep_and_record(void *context, const struct event *e, size_t count)
{
	assert_true(kept_count + count <= KEPT_MAX);
	memcpy(kept + kept_count, e, count * sizeof(*e));
	kept_count += count;
	record_sink(recorder, e, count);
}

static void
chatter(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	struct prng p;

	prng_seed(&p, (uintptr_t)arg);
	for (int i = 0; i < 200; i++) {
		struct event e = sample_event(&p, 0);

		/* The name of a string argument: known, unknown and negative numbers. */
		world_emit(w, e.kind, e.arg[0], e.arg[1], e.arg[2], e.arg[3], e.arg[4]);
		if (i % 10 == 0)
			world_emit_detail(w, EV_STORE, 0x2002 + i, 2, -1, INT64_MIN, 0);
		actor_sleep(w, 10);
	}
}

static void
after(struct world *w, void *arg)
{
	emit(w, EV_NOTE, world_name(w, "a timer's note: 100% 'quoted'"));
}

static void
describe(const void *context, uint64_t offset, char *text, size_t size)
{
	snprintf(text, size, "byte[%" PRIu64 "]", offset);
}

static void
setup(struct world *w, void *arg)
{
	gm_create(w, 1 << 20);
	gm_region(w, 0x2000, 0x40, "vq0", describe, NULL);
	for (int i = 0; i < 6; i++)
		world_name(w, (const char *[]){ "x", "%d", "ü", "", "a b", "\"'" }[i]);
	actor_create(w, "driver", chatter, (void *)1, 0);
	actor_create(w, "device", chatter, (void *)2, 0);
	world_after(w, 55, after, NULL);
}

static struct world *
world_recorded(const char *path, int64_t *run)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ 0 }, &err);
	struct run_info info = sample_info(UINT64_MAX - 1);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, NULL, &err), 0);
	recorder = record_open(path, &err);
	assert_non_null(recorder);
	assert_true(record_keeps(recorder));
	*run = record_run_begin(recorder, &info, &err);
	assert_true(*run > 0);
	assert_int_equal(record_run(recorder), *run);
	kept_count = 0;
	world_set_sink(w, keep_and_record, NULL);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_int_equal(record_names(recorder, w, &err), 0);
	assert_int_equal(record_run_end(recorder, &sample_result, &err), 0);
	record_close(recorder);
	world_set_sink(w, NULL, NULL);
	return w;
}

/* Each row of the view against event_format() and the world's own names. */
static void
view_tells_what_happened(void **state)
{
	const char *path = in_folder("view.db");
	int64_t run;
	struct world *w = world_recorded(path, &run);
	sqlite3_stmt *st;
	sqlite3 *db;
	size_t i = 0;
	char text[512];

	sqlite3_open(path, &db);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT step, time_ns, actor, kind, detail FROM event"
					    " WHERE run_id = 1 ORDER BY id",
					    -1, &st, NULL),
			 SQLITE_OK);
	for (; sqlite3_step(st) == SQLITE_ROW; i++) {
		const struct event *e = &kept[i];

		assert_true(i < kept_count);
		assert_int_equal(sqlite3_column_int64(st, 0), e->step);
		assert_int_equal(sqlite3_column_int64(st, 1), e->time_ns);
		assert_string_equal((const char *)sqlite3_column_text(st, 2),
				    e->actor ? actor_name(world_actor(w, e->actor)) : "timers");
		assert_string_equal((const char *)sqlite3_column_text(st, 3),
				    event_info[e->kind].name);
		event_format(w, e, text, sizeof(text));
		assert_string_equal((const char *)sqlite3_column_text(st, 4), text);
	}
	assert_int_equal(i, kept_count);
	assert_true(i > 400);
	sqlite3_finalize(st);
	sqlite3_close(db);
	/* A timer's callback is no actor. */
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event WHERE actor = 'timers'"
					  " AND kind = 'note' AND detail LIKE 'a timer''s%'"),
			 1);
	assert_string_equal(ask(path, "SELECT field || ' ' || value || ' ' || size FROM access"
				      " WHERE gpa = 8194"),
			    "vq0.byte[2] -1 2");
	assert_string_equal(ask(path, "SELECT field FROM access WHERE gpa = 8274"), "gpa 0x2052");
	world_destroy(w);
}

static void
run_row_holds(void **state)
{
	const char *path = in_folder("view.db"); /* of the test before */

	assert_string_equal(
		ask(path, "SELECT scenario||'|'||variant||'|'||strategy||'|'||memory||'|'||datapath"
			  "||'|'||seed||'|'||verdict||'|'||expected||'|'||schedules||'|'||complete"
			  "||'|'||steps||'|'||sim_time_ns||'|'||digest||'|'||wall_ns||'|'||version"
			  " FROM run WHERE id = 1"),
		"scenarios/lost-kick.lua|no-barrier|random|sc|native|18446744073709551614|"
		"lost-kick|lost-kick|17|0|1000|123456789|00ab000000000001|42|0.1.0 test");
	assert_string_equal(ask(path, "SELECT group_concat(name||'='||value) FROM param"),
			    "buffers=3,ring_size=4");
	/* It is one file again, and no longer needs a -wal or -shm beside it. */
	assert_string_equal(ask(path, "PRAGMA journal_mode"), "delete");
	assert_int_equal(access(in_folder("view.db-wal"), F_OK), -1);
}

static size_t back_at;

static void
compare_back(void *context, const struct event *e, size_t count)
{
	assert_memory_equal(e, kept + back_at, count * sizeof(*e));
	back_at += count;
}

static void
reader_gives_back(void **state)
{
	const char *path = in_folder("back.db");
	int64_t id;
	struct world *w = world_recorded(path, &id);
	struct stored_names names;
	struct stored_run run;
	struct error err;
	struct reader *rd = reader_open(path, &err);
	uint64_t skipped;
	char text[64];

	assert_non_null(rd);
	assert_int_equal(reader_run(rd, id, &run, &err), 0);
	assert_true(run.seed == UINT64_MAX - 1 && run.digest == sample_result.digest);
	assert_true(run.steps == 1000 && run.schedules == 17 && !run.complete);
	assert_string_equal(run.verdict, "lost-kick");
	assert_int_equal(run.param_count, 2);
	assert_string_equal(run.params[1].value, "4");
	stored_run_free(&run);

	back_at = 0;
	assert_int_equal(reader_events(rd, id, compare_back, NULL, &skipped, &err), 0);
	assert_int_equal(back_at, kept_count);
	assert_int_equal(skipped, 0);

	assert_int_equal(reader_names(rd, id, &names, &err), 0);
	assert_int_equal(names.text_count, world_names(w));
	for (size_t i = 0; i < world_names(w); i++)
		assert_string_equal(stored_names_text(&names, (int64_t)i),
				    world_name_text(w, (int64_t)i));
	assert_string_equal(stored_names_text(&names, -1), "?");
	assert_string_equal(stored_names_actor(&names, 2), actor_name(world_actor(w, 2)));
	assert_null(stored_names_actor(&names, 77));
	stored_names_gpa(&names, 0x2002, text, sizeof(text));
	assert_string_equal(text, "vq0.byte[2]");
	stored_names_gpa(&names, 0x2003, text, sizeof(text));
	assert_string_equal(text, "gpa 0x2003");
	stored_names_free(&names);

	assert_int_equal(reader_run(rd, 99, &run, &err), -1);
	assert_non_null(strstr(err.text, "there is no run 99"));
	reader_close(rd);
	world_destroy(w);
}

/* A kind that was renamed, or whose arguments changed, since: skipped and counted, and still in the
 * view. */
static void
unknown_kinds_are_skipped(void **state)
{
	const char *path = in_folder("back.db"); /* of the test before */
	struct error err;
	struct record *none = record_open("none", &err);
	struct reader *rd;
	uint64_t skipped;
	long notes = ask_number(path, "SELECT count(*) FROM event WHERE kind = 'note'");

	assert_true(notes > 0);
	ask(path, "UPDATE event_kind SET format = 'text=%s' WHERE name = 'note'");
	rd = reader_open(path, &err);
	assert_int_equal(reader_events(rd, 1, record_sink, none, &skipped, &err), 0);
	record_close(none);
	assert_int_equal(skipped, notes);
	reader_close(rd);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event WHERE detail LIKE 'text=%'"),
			 notes);
	/* A recorder that knows the other format adds it, and old runs keep theirs. */
	record_close(record_open(path, &err));
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event_kind WHERE name = 'note'"),
			 2);
}

static void
failures_are_found_by_reference(void **state)
{
	const char *path = in_folder("fail.db");
	struct error err;
	struct record *r = record_open(path, &err);
	struct reader *rd;
	struct run_info info = sample_info(3);
	struct run_result fine = sample_result;
	size_t len;
	int64_t id;
	char *text;

	assert_int_equal(sample_run(r, 1, 10, &err), 1);
	assert_int_equal(record_run_begin(r, &info, &err), 2);
	fine.verdict = "ok";
	assert_int_equal(record_run_end(r, &fine, &err), 0);
	record_close(r);

	rd = reader_open(path, &err);
	text = reader_failure_file(rd, 0, &err); /* the newest that failed */
	assert_string_equal(text, "ringside-failure: 1\n");
	free(text);
	text = reader_schedule(rd, 1, &err);
	assert_string_equal(text, "rs1:1a1/2:9:00ab000000000001");
	free(text);
	assert_null(reader_failure_file(rd, 2, &err));
	assert_non_null(strstr(err.text, "run 2 has no failure"));
	assert_null(reader_schedule(rd, 2, &err));
	reader_close(rd);
	assert_string_equal(ask(path, "SELECT signature FROM failure"), "ffffffffffffffff");

	assert_true(reader_parse_ref("a#b.db#12", &len, &id) && len == 6 && id == 12);
	assert_true(reader_parse_ref("r.db#latest", &len, &id) && len == 4 && id == 0);
	assert_false(reader_parse_ref("#1", &len, &id));
	assert_false(reader_parse_ref("r.db", &len, &id));
	assert_false(reader_parse_ref("r.db#", &len, &id));
	assert_false(reader_parse_ref("r.db#0", &len, &id));
	assert_false(reader_parse_ref("r.db#12x", &len, &id));
	assert_false(reader_parse_ref("r.db#99999999999999999999", &len, &id));
}

/* More events than one transaction takes, and all that belongs to a run goes with it. */
static void
deleting_a_run_takes_all(void **state)
{
	const char *path = in_folder("delete.db");
	struct error err;
	struct record *r = record_open(path, &err);

	for (int i = 1; i <= 3; i++)
		assert_int_equal(sample_run(r, (uint64_t)i, 70000, &err), i);
	record_close(r);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event WHERE run_id = 2"), 70000);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event_span"), 3);
	ask(path, "DELETE FROM run WHERE id IN (2, 3)");
	for (const char *const *t =
		     (const char *const[]){ "param", "violation", "metric", "failure", "outcome",
					    "progress", "event_span", NULL };
	     *t; t++) {
		char query[96];

		snprintf(query, sizeof(query), "SELECT group_concat(DISTINCT run_id) FROM %s", *t);
		assert_string_equal(ask(path, query), "1");
	}
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event_row"), 70000);
	/* Numbers are not given out again: DB#3 never means another run. */
	r = record_open(path, &err);
	assert_int_equal(sample_run(r, 9, 100, &err), 4);
	record_close(r);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event WHERE run_id = 4"), 100);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM event"), 70100);
}

static void
none_keeps_nothing(void **state)
{
	struct error err;
	struct record *r = record_open("none", &err);

	assert_non_null(r);
	assert_false(record_keeps(r));
	assert_int_equal(sample_run(r, 1, 10, &err), 1);
	assert_int_equal(sample_run(r, 2, 10, &err), 2);
	record_close(r);
	record_close(NULL);
	assert_int_equal(access("none", F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(view_tells_what_happened),
		cmocka_unit_test(run_row_holds),
		cmocka_unit_test(reader_gives_back),
		cmocka_unit_test(unknown_kinds_are_skipped),
		cmocka_unit_test(failures_are_found_by_reference),
		cmocka_unit_test(deleting_a_run_takes_all),
		cmocka_unit_test(none_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
