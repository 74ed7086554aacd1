/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands share: a scenario's variant set up and ready to be run, judged, recorded,
 * shown.
 *
 *	session_open()      scenario, variant, parameters -> world with its snapshot
 *	session_judge()     a judge_fn for explorer and shrinker
 *	session_info()      what the database keeps of it
 *	session_close()
 *
 * One session a process at a time is enough for every command; `test` has one for each variant.
 */
#ifndef RINGSIDE_CLI_RUNNER_H
#define RINGSIDE_CLI_RUNNER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/options.h"
#include "engine/world.h"
#include "explore/event_log.h"
#include "explore/explorer.h"
#include "explore/failure.h"
#include "explore/lanes.h"
#include "explore/shrink.h"
#include "record/record.h"
#include "script/scenario.h"

/* Set by SIGINT and SIGTERM; the second one kills. */
extern volatile sig_atomic_t runner_interrupted;
/* @restart: system calls go on; else they end with EINTR, for who must act at once. */
void
runner_catch_signals(bool restart);

/* CLOCK_MONOTONIC. A clock_fn: decides nothing but when to end. */
int64_t
runner_clock(void *context);

/* "0.1.0 fc96b1b…" */
const char *
runner_version(void);

struct session {
	struct scenario scenario;
	const struct scenario_variant *variant;
	struct scenario_values values;
	struct world *w;
	struct error error; /* of check(), which cannot be returned through a judge; "" if there is
			       none */
	struct run_param param[SCENARIO_PARAMS_MAX + 1];
	char ring[64]; /* --ring; "" where there was none */
};

/* @text: "SCENARIO.lua" or "SCENARIO.lua:VARIANT". 0, or -1 and @err. */
int
session_open(struct session *s, const char *text, const struct options *o, struct error *err);
/* The same from a failure file: its parameters, its variant. */
int
session_open_failure(struct session *s, const struct failure *f, const struct options *o,
		     struct error *err);
/*
 * "SCENARIO.lua[:VARIANT] | FAILURE | DB#ID".  Of a scenario @f is left empty, else it is that
 * failure, failure_free()d by the caller. On -1 and @err neither is open.
 */
int
session_open_either(struct session *s, struct failure *f, const char *text, const struct options *o,
		    struct error *err);
void
session_close(struct session *s);

/* What the options say to the strategy. */
struct strategy_config
session_strategy(const struct options *o);

/* A judge_fn; @context is the session. */
enum verdict
session_judge(struct world *w, enum stop stop, struct finding *f, void *context);

/* Valid as long as session and options. */
struct run_info
session_info(struct session *s, const struct options *o, const char *strategy);

/* What is known of a failing run, as a failure file has it. failure_free() afterwards. */
void
session_failure(struct session *s, const struct options *o, const struct finding *finding,
		const struct schedule *schedule, struct failure *f);

/*
 * Explain a failure: its keyed picks, its critical pair, the build of the linked code.  What @f has
 * of it already stays.  Runs the world: names of another run's events come before or are lost.
 */
void
session_explain(struct session *s, struct failure *f);
/*
 * Shrink further by fewer buffers (scenario.h: buffers).  True: @found and @sr are those of a run
 * in @small, a session with fewer, which the caller closes.
 */
bool
session_shrink_buffers(struct session *s, const struct options *o, struct found *found,
		       struct shrink_result *sr, struct session *small);
/* Which barrier would remove it, by exploring in another world (of @o); after session_explain(). */
void
session_explain_barrier(const struct options *o, struct failure *f);

/* Build ids of the program and of the plugins that were met. */
void
session_build(char *text, size_t size);

/*
 * What `run` does: one run by the options' choices, recorded, and printed unless they say --quiet.
 * Returns an exit status; *@f is the verdict.
 */
int
session_run(struct session *s, const struct options *o, struct record *r, struct finding *f,
	    struct error *err);

/* Exit status of a verdict. */
int
runner_exit(enum verdict v);

/* --- output --------------------------------------------------------------------------------- */

/* Print events that match a pattern, live; and hand them on. Zeroed: prints nothing. */
struct event_tap {
	const char *pattern; /* null: nothing */
	struct world *w;
	sink_fn next; /* may be null */
	void *next_context;
	FILE *to;
};
void
event_tap_sink(void *tap, const struct event *e, size_t count);
/* Install it if there is anything to do. */
void
event_tap_open(struct event_tap *tap, struct world *w, const struct options *o, sink_fn next,
	       void *next_context);

/* One event as a line: "   vcpu0-2 [vm0] ..... 0.000012345: eventfd_write: fd=kick0 …". */
void
event_print(const struct world *w, const struct event *e, FILE *to);

/* Whether an event's name matches "virtio_*,-virtio_pop". */
bool
event_matches(const char *pattern, const char *name);

/* Lanes of a run of the session's world, as @o wants them; @to in colour if it is a terminal, null
 * for other media. lanes_free() afterwards. */
void
session_lanes(struct session *s, const struct options *o, const struct finding *f,
	      const struct event_log *log, FILE *to, struct lanes *lanes);

/* "file.lua:fails: hang: …" in lines of key: value, lanes, schedule, and how to replay. */
struct failure_report {
	const struct finding *finding;
	const struct schedule *schedule;
	const struct event_log *log;
	const char *file; /* the failure file, null if there is none */
	const struct failure *failure; /* explained */
};
void
failure_report_print(struct session *s, const struct options *o, const struct failure_report *r,
		     FILE *to);

/*
 * "key: value" with the value folded: mail programs break long lines, schedule_parse() skips
 * blanks.
 */
void
report_folded(FILE *to, const char *key, const char *value);

/* Replay @schedule in the session's world with its events into @log and @learned filled. */
int
session_replay_log(struct session *s, struct schedule *schedule, struct trail *trail,
		   struct event_log *log, struct error *err);

/* The argument of replay and show: a file or DB#ID. 0, or -1 and @err. */
int
failure_open(const char *text, struct failure *f, struct error *err);

/*
 * The failure of the run in progress, so that DB#ID can be replayed. @found: where it was met, or
 * null.
 */
int
session_record_failure(struct record *r, const struct failure *f, const struct found *found,
		       struct error *err);

/* Metrics and names of the run that just ended, into the database. */
int
session_record_end(struct session *s, struct record *r, struct error *err);

#endif
