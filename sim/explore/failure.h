/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A failure file: everything that is needed to meet the same failure again, as text for a mail.
 *
 *	ringside-failure: 1
 *	version: 0.1.0 28f4e31dcaf4
 *	scenario: scenarios/suppression/lost-kick.lua
 *	variant: no-barrier
 *	param: ring_size=4                  (any number of them)
 *	seed: 7
 *	strategy: random
 *	memory: sc
 *	races: yes                          data races were looked for; left out where not
 *	datapath: native
 *	ring: packed,event_idx              (where the scenario's own kind was overridden)
 *	mode: relaxed
 *	verdict: lost-kick
 *	oracle: INV-KICK
 *	subject: vq=0
 *	message: the device sleeps while a buffer is available
 *	stop: quiescent
 *	steps: 93
 *	time_ns: 0
 *	schedule: rs1:12a1/3,5a1/2:61:9f3c0d6b5a3e1f77
 *	trail: 1:Qm0fZ…
 *	build: 5f3c0d6b…                    (build ids of the linked code, site.h)
 *	at: device | store vq0.used.flags | …   (one for each pick: keyed.h)
 *	critical: vq0.used.flags = 0 (device, ring_split_device.c:88) before …
 *	critical-stack: split_enable_notify ring_split_device.c:88 <- …   (two)
 *	barrier: mb before the load of …    (of a failure of memory order)
 *	order: needs loads that come …      (weak: what a dependency would forbid)
 *	passing: rs1:…                      (the other order of the critical pair)
 *	expect: ok                          (of a corpus: what a tolerant replay ends with)
 *	end: ringside-failure
 *
 * One `key: value` a line.  A line that begins with a space goes on with the value before it: long
 * values are folded at 72 columns.  Lines that begin with # say nothing.  In values \\ is a
 * backslash, \n a newline, \r, \t, and \s a space where it would be lost (at either end of the
 * value, beside another).
 *
 * A whole mail can be read: what stands before the first line and after the last is skipped, and if
 * the first line is quoted ("> > "), that prefix is taken off every line.  Carriage returns are
 * ignored.
 *
 * Required: ringside-failure, scenario, verdict, schedule.  Unknown keys are errors: a file of a
 * newer Ringside must not be half understood.  Errors name file:line:column.  At most
 * FAILURE_BYTES_MAX are read.
 */
#ifndef RINGSIDE_EXPLORE_FAILURE_H
#define RINGSIDE_EXPLORE_FAILURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "engine/world.h"
#include "explore/keyed.h"
#include "explore/replay.h"
#include "explore/schedule.h"
#include "explore/verdict.h"

#define FAILURE_FORMAT 1
#define FAILURE_BYTES_MAX (16u << 20)
#define FAILURE_PARAMS_MAX 256u

struct failure_param {
	char *name;
	char *value;
};

/* Texts are owned (malloc) and null where the file has none. */
struct failure {
	char *version; /* of the Ringside that wrote it, and its commit */
	char *build;
	char *scenario; /* path, as given on the command line */
	char *variant;
	struct failure_param *params;
	size_t param_count;
	uint64_t seed;
	char *strategy;
	char *memory; /* "sc", "tso", "weak" */
	bool races; /* were looked for */
	char *datapath; /* "native", "linux", or a path */
	char *ring; /* words of datapath_ring_parse() */
	enum world_mode mode;
	struct finding finding;
	enum stop stop;
	uint64_t steps;
	int64_t time_ns;
	struct schedule schedule; /* with the digest */
	struct trail trail;
	struct pick_keys keys; /* none, or one for each pick */
	char *critical; /* critical_text() */
	char *critical_stack[2];
	char *barrier; /* which would remove it: "mb before the load of … (…) removes it: …" */
	char *order; /* what else the memory model is to be trusted with, for a sentence */
	struct schedule passing; /* has choices if there is one */
	char *expect; /* a verdict's word; null: the recorded one */
};

void
failure_init(struct failure *f);
void
failure_free(struct failure *f);

/* Set a text field: failure_set(&f->scenario, path). */
void
failure_set(char **field, const char *text);
void
failure_add_param(struct failure *f, const char *name, const char *value);

/* "timed", "relaxed", "around". ORDER MODE */
extern const char *const mode_name[];
/* Words for enum stop: "quiescent", "steps", "time", "asked", "error", "none". ORDER STOP */
extern const char *const stop_name[];

/* Write to @out; -1 and @err if writing failed. */
int
failure_write(const struct failure *f, FILE *out, struct error *err);
/* To a file, by way of a temporary one beside it: the name never holds half a failure.  What is
 * there and no regular file (a pipe, /dev/null, a link) is written to as it is. */
int
failure_save(const struct failure *f, const char *path, struct error *err);

/* Read @len bytes; @file is the name for errors. On -1 @f is empty. */
int
failure_parse(struct failure *f, const char *text, size_t len, const char *file, struct error *err);
int
failure_load(struct failure *f, const char *path, struct error *err);

#endif
