/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracles: what may never happen.  An oracle only watches.  It gets the event stream, looks at the
 * models, keeps a shadow state of its own, and reports; no model knows that it is there.
 *
 *	oracle_attach(w)            at set-up, before machines are made
 *	oracle_watch_driver(…)      tell it which driver uses which device (a script binding does)
 *	world_run(w)
 *	oracle_judge(w, stop, &f)   what the finished world amounts to: a verdict and a finding
 *
 * Three kinds:
 *	end of run   what is stuck when nothing can run, and why: lost-kick, lost-interrupt,
 *	             hang; what never gets anywhere: livelock (quiescence.c)
 *	statements   sentences of the specification that one run decides: automata over events with
 *	             a state of their own (shadow.h), and the rings as they stand in guest memory
 *	             (ring.h)
 *	reported     by the models of other rooms in their own events (dirty_page_lost), and by
 *	             scenarios
 *
 * oracles.def is the one table: enum, id, level, verdict, whether it is checked and if not why,
 * one-line statement, `ringside oracles`. A violation of level `must` ends the run at the step
 * where it happened; one of level `should` is kept and the run goes on: a warning, and no verdict.
 *
 * Rules that keep the oracles sound: suppression is a window, so a notification is owed only if the
 * suppression word that was visible after the publish and a full barrier asked for it, and it is
 * looked at when nothing runs any more; batches use the crossing form; "available", "observed" and
 * "being processed" are three different sets.
 *
 * Memory: the world's.  Cost: a registered observer is a function call an event of its kind.
 */
#ifndef RINGSIDE_ORACLE_ORACLE_H
#define RINGSIDE_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "explore/verdict.h"

struct guest_virtio;
struct raw_pair;
struct virtio_device;

/* ORDER ORACLE */
enum oracle {
#define ORACLE(id, name, level, verdict, unchecked, text) ORACLE_##id,
#include "oracle/oracles.def"
#undef ORACLE
	ORACLE_COUNT
};

enum oracle_level { ORACLE_MUST, ORACLE_SHOULD };

struct oracle_info {
	const char *name; /* stable: "lost-kick", "VIRTIO-2.7.10.1-R6" */
	enum oracle_level level;
	enum verdict verdict; /* of a run in which it is broken */
	const char *unchecked; /* null: it is checked; else why one run cannot decide it */
	const char *text; /* the statement in one line */
};

extern const struct oracle_info oracle_info[ORACLE_COUNT];

/* The oracle of that name, or ORACLE_COUNT. */
enum oracle
oracle_find(const char *name);

struct violation {
	enum oracle oracle; /* who noticed */
	enum oracle statement; /* what was broken: often the same; lost-kick: VIRTIO-2.7.10.1-R6 */
	enum verdict verdict; /* the oracle's, or what the scenario said */
	uint64_t step;
	int64_t time_ns;
	int64_t actor; /* world_name() number */
	char subject[64]; /* "vq=0", "gfn=0xca" */
	char message[320];
	struct violation *next;
};

/* Kept of one run; more are counted. 500 bytes each. */
#define VIOLATIONS_MAX 256u

/* Begin to watch. Once a world, at set-up. */
void
oracle_attach(struct world *w);

/* A guest driver, whose queues are to be looked at when nothing runs any more. */
void
oracle_watch_driver(struct world *w, struct guest_virtio *driver);
void
oracle_watch_raw(struct world *w, struct raw_pair *pair);
/* Look for data races (memory/race.h); after guest RAM was made. */
void
oracle_watch_races(struct world *w);

/*
 * A device that is not the machine's: where to find its queues' addresses.  Devices of a machine
 * need not be named.
 */
void
oracle_watch_device(struct world *w, const struct virtio_device *vdev);

/* Switch one off (a scenario that breaks a rule on purpose) or on again. */
void
oracle_enable(struct world *w, enum oracle o, bool on);

/*
 * From now on its violations are counted and are no finding: the run goes on, to show what else
 * comes of a design that breaks rules.
 */
void
oracle_count(struct world *w, enum oracle o);
/* How many were counted. */
uint64_t
oracle_counted(const struct world *w, enum oracle o);

/*
 * Report.  A `must` ends the run (and does not return when called from an actor) unless it is off.
 * @subject null: "-".
 */
void
oracle_report(struct world *w, enum oracle o, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same of a page: the subject is "gfn=0x2". */
void
oracle_report_page(struct world *w, enum oracle o, int64_t gfn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, noticed by @o, of a statement that @o stands for at this place. */
void
oracle_report_statement(struct world *w, enum oracle o, enum oracle statement, const char *subject,
			const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* By a scenario: any verdict. */
void
oracle_report_as(struct world *w, enum verdict verdict, const char *subject, const char *message);

/* The scenario got something done: what the livelock oracle looks for. */
void
oracle_progress(struct world *w);

/* First violation of the run so far, in order; null if there is none. Total count in *@count if
 * given. */
const struct violation *
oracle_violations(const struct world *w, uint64_t *count);

/*
 * Judge the finished world: what was reported, else what is stuck.  @f may be null.  STOP_STEPS is
 * livelock or budget, STOP_TIME is budget.
 */
enum verdict
oracle_judge(struct world *w, enum stop stop, struct finding *f);

#endif
