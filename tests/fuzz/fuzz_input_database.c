/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damaged databases: read back in all ways, recorded into, and merged. */
#include "explore/event_log.h"
#include "fuzz_input.h"
#include "record/merge.h"
#include "record/reader.h"
#include "record/record.h"

static const char *const words[] = { "SQLite format 3",
				     "RSDB",
				     "CREATE TABLE ",
				     "CREATE VIEW run AS SELECT * FROM run",
				     "INTEGER PRIMARY KEY",
				     "WITHOUT ROWID",
				     "hang",
				     "\x0d",
				     "\x05",
				     "\x02",
				     "\x0a",
				     "\xff\xff\xff\xff",
				     "\x81\x80\x80",
				     "NOT NULL" };
static const char *const names[] = { "good.db",	   "good.db-wal", "good.db-shm",    "bad.db",
				     "bad.db-wal", "bad.db-shm",  "bad.db-journal", "out.db",
				     "out.db-wal", "out.db-shm" };
#define NAMES (sizeof(names) / sizeof(names[0]))
static struct input examples[1];

static int
record_one(struct record *r, uint64_t events, struct error *err)
{
	static const struct run_param params[] = { { "rounds", "1" }, { "recheck", "false" } };
	struct run_info info = { .scenario = "lost-wakeup.lua",
				 .variant = "fails",
				 .strategy = "random",
				 .memory = "sc",
				 .datapath = "native",
				 .expected = "hang",
				 .version = "0 fuzz",
				 .seed = 1,
				 .params = params,
				 .param_count = 2 };
	struct run_violation v = { "hang",   "INV",	     "must",	 6,    7,
				   "waiter", "actor=waiter", "for ever", "rs1" };
	struct run_failure failure = { .verdict = "hang",
				       .oracle = "hang",
				       .subject = "actor=waiter",
				       .message = "for ever",
				       .schedule = "rs1",
				       .file = "ringside-failure: 1\n",
				       .times = 1 };
	struct run_result result = {
		.verdict = "hang", .schedules = 1, .steps = 6, .digest = 0xfa5209ebbd17ffe5
	};

	if (record_run_begin(r, &info, err) < 0)
		return -1;
	for (uint64_t i = 0; i < events; i++)
		record_sink(
			r, &(struct event){ .step = i, .kind = (uint16_t)(1 + i % (EV_COUNT - 1)) },
			1);
	if (record_violation(r, &v, err) || record_failure(r, &failure, err) ||
	    record_metric(r, "rounds", 1, "", err) || record_outcome(r, "hang", 1, err)) {
		record_run_end(r, &result, NULL);
		return -1;
	}
	return record_run_end(r, &result, err);
}

static void
make_good(void)
{
	struct error err = { "" };
	struct record *r = record_open(input_path("good.db"), &err);

	for (unsigned i = 0; r && i < 3; i++)
		if (record_one(r, 200, &err))
			break;
	record_close(r);
	if (err.text[0]) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	examples[0] = input_read(input_path("good.db"));
}

static void
checked(struct fuzz *f, bool failed, struct error *err)
{
	if (failed)
		input_check_error(f, err);
	err->text[0] = 0;
}

static void
read_run(struct fuzz *f, struct reader *rd, int64_t id)
{
	struct error err = { "" };
	struct stored_run run;
	struct stored_names stored;
	struct event_log log = { 0 };
	char *text;

	if (reader_run(rd, id, &run, &err)) {
		checked(f, true, &err);
		return;
	}
	id = run.id;
	stored_run_free(&run);
	text = reader_failure_file(rd, id, &err);
	checked(f, !text, &err);
	free(text);
	text = reader_schedule(rd, id, &err);
	checked(f, !text, &err);
	free(text);
	if (reader_names(rd, id, &stored, &err))
		checked(f, true, &err);
	else
		stored_names_free(&stored);
	checked(f, reader_events(rd, id, event_log_sink, &log, NULL, &err), &err);
	event_log_free(&log);
}

static void
round_one(struct fuzz *f)
{
	const char *merged[1];
	struct error err = { "" };
	struct reader *rd;
	struct record *r;
	struct input in;
	char bad[128];

	input_watch(f);
	for (unsigned i = 3; i < NAMES; i++)
		unlink(input_path(names[i]));
	in = input_damage(f, examples, 1, INPUT_WORDS(words));
	snprintf(bad, sizeof(bad), "%s", input_path("bad.db"));
	merged[0] = bad;
	input_write(bad, &in);
	free(in.data);
	rd = reader_open(bad, &err);
	checked(f, !rd, &err);
	for (int64_t id = 0; rd && id < 4; id++)
		read_run(f, rd, id);
	reader_close(rd);
	checked(f, record_merge(input_path("out.db"), merged, 1, NULL, &err), &err);
	r = record_open(bad, &err);
	checked(f, !r || record_one(r, 5, &err), &err);
	record_close(r);
}

int
main(int argc, char **argv)
{
	int status;

	make_good();
	status = fuzz_main(argc, argv, "input_database", 500, round_one);
	input_remove(names, NAMES);
	return status;
}
