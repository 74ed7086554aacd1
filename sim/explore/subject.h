/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a finding is about, and which events say something of it: the page that was lost, the queue
 * whose kick was.  lanes.c adds it to what an event of its kind is worth.
 */
#ifndef RINGSIDE_EXPLORE_SUBJECT_H
#define RINGSIDE_EXPLORE_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "explore/event_log.h"
#include "explore/verdict.h"

/* As far as events have it: "gfn=0x2", "dev=blk0 vq=0". */
struct subject {
	bool has_gfn, has_vq;
	bool memory; /* guest memory, and no queue */
	bool maps; /* what a device may reach: how notifications went is not the matter */
	uint64_t gfn;
	int64_t vq;
	char dev[64];
};

/* @f may be null: about nothing. @log: of the same run. */
struct subject
subject_of(const struct finding *f, const struct event_log *log);

/* Above 0: says something of it; below: of something else. */
int32_t
subject_score(const struct event_names *names, const struct event *e, const struct subject *s);

#endif
