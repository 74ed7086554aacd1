/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of sim/record/ share: a temporary folder, sample runs, questions to a database. */
#ifndef RINGSIDE_TESTS_RECORD_UTIL_H
#define RINGSIDE_TESTS_RECORD_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/prng.h"
#include "record/merge.h"
#include "record/reader.h"
#include "record/record.h"

static char folder[64];

/* Path of a file in the folder; a few may be in use at a time. */
static inline const char *
in_folder(const char *name)
{
	static char text[8][128];
	static unsigned at;

	at = (at + 1) % 8;
	snprintf(text[at], sizeof(text[at]), "%s/%s", folder, name);
	return text[at];
}

static inline int
folder_make(void **state)
{
	int n = snprintf(folder, sizeof(folder), "/tmp/ringside-record-");

	memset(folder + n, 'X', 6);
	return mkdtemp(folder) ? 0 : -1;
}

static inline int
folder_remove(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* First column of the first row, as text; "" if there is none. */
static inline const char *
ask(const char *path, const char *query)
{
	static char answer[4096];
	sqlite3_stmt *st;
	sqlite3 *db;
	int rc;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	rc = sqlite3_prepare_v2(db, query, -1, &st, NULL);
	if (rc)
		fail_msg("%s: %s", query, sqlite3_errmsg(db));
	rc = sqlite3_step(st);
	answer[0] = 0;
	if (rc == SQLITE_ROW && sqlite3_column_text(st, 0))
		snprintf(answer, sizeof(answer), "%s", sqlite3_column_text(st, 0));
	else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		fail_msg("%s: %s", query, sqlite3_errmsg(db));
	sqlite3_finalize(st);
	sqlite3_close(db);
	return answer;
}

static inline long
ask_number(const char *path, const char *query)
{
	return atol(ask(path, query));
}

static inline struct run_info
sample_info(uint64_t seed)
{
	static const struct run_param params[] = { { "ring_size", "4" }, { "buffers", "3" } };

	return (struct run_info){
		.scenario = "scenarios/lost-kick.lua",
		.variant = "no-barrier",
		.strategy = "random",
		.memory = "sc",
		.datapath = "native",
		.expected = "lost-kick",
		.version = "0.1.0 test",
		.seed = seed,
		.params = params,
		.param_count = 2,
	};
}

static inline struct event
sample_event(struct prng *p, uint64_t step)
{
	struct event e = {
		.step = step,
		.time_ns = (int64_t)step * 137,
		.actor = prng_below(p, 4),
		.kind = (uint16_t)(1 + prng_below(p, EV_COUNT - 1)),
	};

	for (int i = 0; i < EVENT_ARGS; i++)
		e.arg[i] = prng_below(p, 4) ? (int64_t)prng_below(p, 20) : (int64_t)prng_next(p);
	return e;
}

static const struct run_result sample_result = {
	.verdict = "lost-kick",
	.schedules = 17,
	.steps = 1000,
	.sim_time_ns = 123456789,
	.digest = 0x00ab000000000001,
	.wall_ns = 42,
};

/* A whole run of @events events, without names. Its id, or -1 and @err. */
static inline int64_t
sample_run(struct record *r, uint64_t seed, uint64_t events, struct error *err)
{
	struct run_info info = sample_info(seed);
	struct run_violation v = { .oracle = "lost-kick",
				   .statement = "INV-KICK",
				   .severity = "must",
				   .step = 93,
				   .actor = "driver",
				   .subject = "vq=0",
				   .message = "the device sleeps",
				   .schedule = "rs1:1a1/2:9:00ab000000000001" };
	struct run_failure f = { .verdict = "lost-kick",
				 .oracle = "INV-KICK",
				 .subject = "vq=0",
				 .schedule = "rs1:1a1/2:9:00ab000000000001",
				 .file = "ringside-failure: 1\n",
				 .index = 16,
				 .times = 2,
				 .signature = UINT64_MAX };
	struct run_progress progress = { 1000, 10, 1, 5 };
	int64_t id = record_run_begin(r, &info, err);
	int bad = id < 0;
	struct prng p;

	if (bad)
		return -1;
	prng_seed(&p, seed);
	for (uint64_t i = 0; i < events; i++) {
		struct event e = sample_event(&p, i);

		record_sink(r, &e, 1);
	}
	bad |= record_violation(r, &v, bad ? NULL : err);
	bad |= record_failure(r, &f, bad ? NULL : err);
	bad |= record_metric(r, "exits", 12, "", bad ? NULL : err);
	bad |= record_metric_real(r, "load", 0.5, "ratio", bad ? NULL : err);
	bad |= record_outcome(r, "ok", 16, bad ? NULL : err);
	bad |= record_progress(r, &progress, bad ? NULL : err);
	bad |= record_run_end(r, &sample_result, bad ? NULL : err);
	return bad ? -1 : id;
}

#endif
