/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are something else, damaged, locked or shared, and writers that are killed. */
#include "record_util.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void
file_write(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	fclose(f);
}

static size_t
file_read(const char *path, char **bytes)
{
	FILE *f = fopen(path, "r");
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*bytes = malloc((size_t)st.st_size);
	assert_int_equal(fread(*bytes, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	return (size_t)st.st_size;
}

static void
sample_file(const char *path, int runs, uint64_t events)
{
	struct error err;
	struct record *r = record_open(path, &err);

	assert_non_null(r);
	for (int i = 1; i <= runs; i++)
		assert_int_equal(sample_run(r, (uint64_t)i, events, &err), i);
	record_close(r);
}

/* Both opening to write and to read are refused, for reasons that say @write and @read. */
static void
refused(const char *path, const char *write, const char *read)
{
	struct error err = { "" };

	assert_null(record_open(path, &err));
	if (!strstr(err.text, write) || !strstr(err.text, path))
		fail_msg("writing %s: %s", path, err.text);
	assert_null(reader_open(path, &err));
	if (!strstr(err.text, read) || !strstr(err.text, path))
		fail_msg("reading %s: %s", path, err.text);
}

static void
other_things_are_refused(void **state)
{
	const char *text =
		"This is a text of more than a hundred bytes, so that it is long enough for "
		"a header, and yet it is none at all.\n";
	const char *foreign = in_folder("foreign.db"), *newer = in_folder("newer.db");
	struct error err = { "" };
	sqlite3 *db;

	refused(folder, "a directory", "a directory");
	refused("/dev/null", "not a regular file", "not a regular file");
	refused("", "empty", "empty");
	refused(in_folder("no/such/folder.db"), "No such file", "No such file");
	file_write(in_folder("text.db"), text, strlen(text));
	refused(in_folder("text.db"), "not a database", "not a database");

	sqlite3_open(foreign, &db);
	sqlite3_exec(db, "CREATE TABLE run (id)", NULL, NULL, NULL);
	sqlite3_close(db);
	refused(foreign, "not one of Ringside's", "not one of Ringside's");
	/* … and it was left alone. */
	assert_string_equal(ask(foreign, "SELECT group_concat(name) FROM sqlite_schema"), "run");

	sample_file(newer, 1, 10);
	ask(newer, "PRAGMA user_version = 99");
	refused(newer, "newer Ringside (schema 99", "newer Ringside (schema 99");

	assert_null(reader_open(in_folder("missing.db"), &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(access(in_folder("missing.db"), F_OK), -1);
	/* An empty file is a fresh one to a writer, and nothing to a reader. */
	file_write(in_folder("empty.db"), "", 0);
	assert_null(reader_open(in_folder("empty.db"), &err));
	assert_non_null(strstr(err.text, "empty"));
	sample_file(in_folder("empty.db"), 1, 10);
}

/* Read everything there is; whatever comes of it must be an answer or an error. */
static bool
read_all(const char *path)
{
	struct error err = { "" };
	struct reader *rd = reader_open(path, &err);
	struct record *none = record_open("none", &err);
	struct stored_names names;
	struct stored_run run;
	bool ok = rd != NULL;

	if (rd && reader_run(rd, 1, &run, &err) == 0)
		stored_run_free(&run);
	else
		ok = false;
	if (rd && reader_names(rd, 1, &names, &err) == 0)
		stored_names_free(&names);
	else
		ok = false;
	if (rd && reader_events(rd, 1, record_sink, none, NULL, &err))
		ok = false;
	if (!ok)
		assert_true(err.text[0]);
	reader_close(rd);
	record_close(none);
	return ok;
}

/* From two bytes on: to SQLite a file of one byte is an empty one. */
static void
cut_files_are_refused(void **state)
{
	const char *path = in_folder("whole.db"), *cut = in_folder("cut.db");
	char *bytes;
	size_t size;

	sample_file(path, 2, 3000);
	size = file_read(path, &bytes);
	for (size_t n = 2; n < size; n += 4099) {
		struct error err = { "" };
		struct record *r;

		file_write(cut, bytes, n);
		assert_false(read_all(cut));
		r = record_open(cut, &err);
		if (r)
			fail_msg("cut at %zu of %zu", n, size);
		assert_true(strstr(err.text, "damaged") || strstr(err.text, "not a database"));
	}
	free(bytes);
}

static void
damaged_files_crash_nothing(void **state)
{
	const char *path = in_folder("sound.db"), *bad = in_folder("bad.db");
	unsigned noticed = 0;
	struct prng p;
	char *bytes, *copy;
	size_t size;

	sample_file(path, 2, 3000);
	size = file_read(path, &bytes);
	copy = malloc(size);
	prng_seed(&p, 1);
	for (int round = 0; round < 150; round++) {
		struct error err = { "" };
		struct record *r;

		memcpy(copy, bytes, size);
		for (uint32_t i = 0; i < 1 + prng_below(&p, 200); i++)
			copy[prng_below(&p, (uint32_t)size)] = (char)prng_next(&p);
		file_write(bad, copy, size);
		noticed += !read_all(bad);
		r = record_open(bad, &err);
		if (r && sample_run(r, 5, 200, &err) < 0)
			assert_true(err.text[0]);
		record_close(r);
		unlink(bad);
		unlink(in_folder("bad.db-wal"));
		unlink(in_folder("bad.db-shm"));
		unlink(in_folder("bad.db-journal"));
	}
	assert_true(noticed > 20);
	free(bytes);
	free(copy);
}

/* Each of the processes gets all of its runs in, while others come and go. */
static void
writers_share_a_file(void **state)
{
	const char *path = in_folder("shared.db");
	int status;

	for (int child = 0; child < 4; child++) {
		if (fork())
			continue;
		for (int round = 0; round < 5; round++) {
			struct error err;
			struct record *r = record_open(path, &err);
			bool ok = r != NULL;

			for (int run = 0; ok && run < 4; run++)
				ok = sample_run(r, (uint64_t)child, 1500, &err) > 0;
			if (!ok) {
				fprintf(stderr, "child %d: %s\n", child, err.text);
				_exit(1);
			}
			record_close(r);
		}
		_exit(0);
	}
	for (int child = 0; child < 4; child++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(ask_number(path, "SELECT count(*) FROM run WHERE verdict = 'lost-kick'"),
			 80);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM (SELECT run_id FROM event"
					  " GROUP BY run_id HAVING count(*) = 1500)"),
			 80);
	assert_string_equal(ask(path, "PRAGMA integrity_check"), "ok");
}

/* The spans of runs that were recorded at the same time interleave, and each run finds its own
 * events. */
static void
runs_at_the_same_time(void **state)
{
	const char *path = in_folder("both.db");
	struct record *r[2];
	struct error err;
	struct run_info info = sample_info(1);

	for (int i = 0; i < 2; i++) {
		r[i] = record_open(path, &err);
		assert_non_null(r[i]);
		assert_int_equal(record_run_begin(r[i], &info, &err), i + 1);
	}
	for (uint64_t step = 0; step < 150000; step++)
		for (int i = 0; i < 2; i++) {
			struct event e = { .step = step, .kind = EV_ACTOR_WAKE, .arg = { i } };

			record_sink(r[i], &e, 1);
		}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(record_run_end(r[i], &sample_result, &err), 0);
		record_close(r[i]);
	}
	assert_true(ask_number(path, "SELECT count(*) FROM event_span") >= 4);
	for (int i = 0; i < 2; i++) {
		char query[160];

		snprintf(query, sizeof(query),
			 "SELECT count(*) = 150000 AND count(DISTINCT step) = 150000"
			 " AND min(detail LIKE 'id=%d %%') FROM event WHERE run_id = %d",
			 i, i + 1);
		assert_int_equal(ask_number(path, query), 1);
	}
}

static void
locked_file_is_said_to_be(void **state)
{
	const char *path = in_folder("locked.db");
	struct error err = { "" };
	sqlite3 *db;
	struct record *r;
	struct run_info info = sample_info(1);

	sample_file(path, 1, 10);
	r = record_open(path, &err);
	record_set_busy(r, 50);
	sqlite3_open(path, &db);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(record_run_begin(r, &info, &err), -1);
	assert_non_null(strstr(err.text, "locked by another program"));
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(record_run_begin(r, &info, &err), 2);
	assert_int_equal(record_run_end(r, &sample_result, &err), 0);
	record_close(r);
	sqlite3_close(db);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM run"), 2);
}

static void
read_only_file_is_said_to_be(void **state)
{
	const char *path = in_folder("ro.db");
	struct error err = { "" };
	struct record *r;

	bool root = geteuid() == 0; /* who may write anything: be somebody else */

	sample_file(path, 1, 10);
	chmod(path, 0444);
	chmod(folder, 0755);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	r = record_open(path, &err);
	assert_null(r);
	assert_non_null(strstr(err.text, "read-only"));
	assert_true(read_all(path));
	if (root)
		assert_int_equal(seteuid(0), 0);
}

/* A writer that says on @out which runs are done, until it is killed. */
static void
write_until_killed(const char *path, int out)
{
	struct error err;
	struct record *r = record_open(path, &err);

	for (uint64_t i = 0; r; i++) {
		int64_t id = sample_run(r, i, i % 7 * 400, &err);

		if (id < 0 || write(out, &id, sizeof(id)) != sizeof(id))
			break;
	}
	fprintf(stderr, "writer: %s\n", err.text);
	_exit(1);
}

static long
runs_with(const char *path, const char *verdict)
{
	char query[96];

	if (access(path, F_OK) || !ask_number(path, "PRAGMA user_version"))
		return 0; /* killed before the file was made */
	snprintf(query, sizeof(query), "SELECT count(*) FROM run WHERE verdict = '%s'", verdict);
	return ask_number(path, query);
}

/*
 * Kill a writer at random moments: every run that it has reported is whole, the file is sound, and
 * the next writer goes on in it.
 */
static void
killed_writers_lose_only_their_run(void **state)
{
	const char *path = in_folder("killed.db");
	int64_t reported = 0, id;
	char query[160];
	struct prng p;

	prng_seed(&p, 7);
	for (int round = 0; round < 30; round++) {
		int out[2], status;
		pid_t pid;
		long before = runs_with(path, "lost-kick");

		assert_int_equal(pipe(out), 0);
		pid = fork();
		if (!pid)
			write_until_killed(path, out[1]);
		close(out[1]);
		usleep(2000 + prng_below(&p, 60000) * (1 + round % 2));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(out[0], &id, sizeof(id)) == sizeof(id)) {
			reported++;
			before++;
			snprintf(query, sizeof(query),
				 "SELECT (SELECT verdict FROM run WHERE id = %" PRId64 ") || "
				 "(SELECT count(*) FROM violation WHERE run_id = %" PRId64 ")",
				 id, id);
			assert_string_equal(ask(path, query), "lost-kick1");
		}
		close(out[0]);
		if (before)
			assert_string_equal(ask(path, "PRAGMA integrity_check"), "ok");
		/* At most one more than reported was finished, and each round left at most one
		 * unfinished. */
		assert_in_range(runs_with(path, "lost-kick"), before, before + 1);
		assert_in_range(runs_with(path, "unfinished"), 0, round + 1);
	}
	assert_true(reported > 10);
	/* An unfinished run tells how to do it again. */
	assert_int_equal(ask_number(path, "SELECT count(*) FROM run r WHERE seed IS NULL OR 2 <>"
					  " (SELECT count(*) FROM param WHERE run_id = r.id)"),
			 0);
	assert_int_equal(ask_number(path, "SELECT count(*) FROM run r WHERE verdict = 'lost-kick'"
					  " AND seed % 7 * 400 <> (SELECT count(*) FROM event e"
					  " WHERE e.run_id = r.id)"),
			 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_things_are_refused),
		cmocka_unit_test(cut_files_are_refused),
		cmocka_unit_test(damaged_files_crash_nothing),
		cmocka_unit_test(writers_share_a_file),
		cmocka_unit_test(runs_at_the_same_time),
		cmocka_unit_test(locked_file_is_said_to_be),
		cmocka_unit_test(read_only_file_is_said_to_be),
		cmocka_unit_test(killed_writers_lose_only_their_run),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
