/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorder: runs, their parameters, events, violations and metrics, into one SQLite file.
 *
 *	record_open()                           once a process
 *	record_run_begin()                      the run's row, committed: a crash keeps seed and
 *	                                        parameters
 *	  world_set_sink(w, record_sink, r)     its events (optional)
 *	  record_violation(), record_metric()…  in any order
 *	  record_names(r, w)                    what the events' numbers stand for
 *	record_run_end()                        verdict and counters, committed
 *	record_close()
 *
 * "none" as the path is the null recorder: the same calls, and nothing is kept.
 *
 * What a crash costs.  The row of a run is committed before its first step, with verdict
 * `unfinished`; violations, metrics and failures are committed as they come, events by tens of
 * thousands, the verdict last.  Once record_run_end() has returned, killing the process at any
 * moment loses nothing of that run (write-ahead log, synchronous=NORMAL: a power failure may take
 * the newest commits, and never damages older ones).  A killed run stays as `unfinished`, with what
 * was committed of it.
 *
 * Many writers.  The file is locked only during a transaction, some tens of milliseconds; others
 * wait up to RECORD_BUSY_MS.  Readers are never in the way.  A process that forks opens the file
 * after the fork. Do not write over a network file system: join shards with record_merge()
 * (merge.h).
 *
 * Errors.  Each call that writes returns -1 and fills @err; the sink cannot, so its first error is
 * kept and returned by each later call of that run up to record_run_end(), after which the next run
 * may be begun.  A run with an error stays `unfinished`.
 *
 * All texts are copied or written at once; a null text is stored as ''.
 */
#ifndef RINGSIDE_RECORD_RECORD_H
#define RINGSIDE_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/event.h"

struct record;
struct world;

#define RECORD_NONE "none"
#define RECORD_BUSY_MS 20000 /* a writer that waits longer than this gives up: "locked" */

/* Open @path to write, making it if it does not exist; upgrades an older schema. Null and @err. */
struct record *
record_open(const char *path, struct error *err);

/*
 * Give everything back, and make the file a single one again (no -wal beside it) if nobody else has
 * it open.  A run that was not ended stays `unfinished`.  Null is allowed.
 */
void
record_close(struct record *r);

/* Whether anything is kept: false for "none". */
bool
record_keeps(const struct record *r);

/* How long to wait for a lock, instead of RECORD_BUSY_MS. */
void
record_set_busy(struct record *r, int busy_ms);

struct run_param {
	const char *name, *value;
};

/* What is known before the first step: enough to do the run again. */
struct run_info {
	const char *scenario; /* path as given, or the trace */
	const char *variant;
	const char *strategy; /* "random", "replay", … ; "run" for a single run */
	const char *memory; /* "sc", "tso", "weak" */
	const char *datapath; /* "native", "linux", or a path */
	const char *expected; /* verdict the scenario expects, "" if it says nothing */
	const char *version; /* "0.1.0 fc96b1b…": of Ringside, with its commit */
	uint64_t seed;
	const struct run_param *params; /* all of them, defaults too */
	size_t param_count;
};

/* Id of the new run (from 1), or -1. The null recorder counts too. */
int64_t
record_run_begin(struct record *r, const struct run_info *info, struct error *err);

/* A sink_fn: world_set_sink(w, record_sink, r). Call record_names() or world_flush() before the
 * end. */
void
record_sink(void *r, const struct event *e, size_t count);

/*
 * Flush @w's events, and keep the names of its actors, strings and of the guest memory that
 * recorded loads and stores touched.  After the run, before the world is restored.
 */
int
record_names(struct record *r, struct world *w, struct error *err);

struct run_violation {
	const char *oracle; /* "lost-kick" */
	const char *statement; /* "INV-KICK", "VIRTIO-2.7.10.1-D2" */
	const char *severity; /* "must" or "should" */
	uint64_t step;
	int64_t time_ns;
	const char *actor;
	const char *subject; /* "vq=0", "gfn=0xca" */
	const char *message;
	const char *schedule; /* one line, schedule_print(); "" where the run has none */
};

int
record_violation(struct record *r, const struct run_violation *v, struct error *err);

/* A figure of the run; the last of a name counts. @unit: "ns", "bytes", "" for a number. */
int
record_metric(struct record *r, const char *name, int64_t value, const char *unit,
	      struct error *err);
int
record_metric_real(struct record *r, const char *name, double value, const char *unit,
		   struct error *err);

/* A failure that an exploration kept; replay and show take it as DB#RUN. */
struct run_failure {
	const char *verdict;
	const char *oracle, *subject, *message; /* of the finding */
	const char *schedule; /* shrunk */
	const char *file; /* the whole failure file (explore/failure.h) */
	uint64_t index; /* number of the schedule that first showed it */
	uint64_t times; /* how often it was met */
	uint64_t signature; /* of the shrunk schedule */
};

int
record_failure(struct record *r, const struct run_failure *f, struct error *err);

/* How many schedules of an exploration ended with @verdict. */
int
record_outcome(struct record *r, const char *verdict, uint64_t schedules, struct error *err);

/* How an exploration went on: a point of a curve over time. */
struct run_progress {
	int64_t elapsed_ns; /* wall clock, since its start */
	uint64_t schedules, failing;
	uint64_t classes; /* distinct so far: equivalence classes or states */
};

int
record_progress(struct record *r, const struct run_progress *p, struct error *err);

struct run_result {
	const char *verdict; /* a word of explore/verdict.h */
	uint64_t schedules; /* 1 for a single run */
	bool complete; /* an exhaustive strategy left nothing out */
	uint64_t steps;
	int64_t sim_time_ns;
	uint64_t digest;
	int64_t wall_ns;
};

/* Ends the run in any case; -1 and @err if it could not be kept. */
int
record_run_end(struct record *r, const struct run_result *result, struct error *err);

/* Id of the run in progress, 0 if there is none. */
int64_t
record_run(const struct record *r);

#endif
