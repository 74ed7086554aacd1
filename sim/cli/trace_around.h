/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording that is replayed in other orders than its own, whatever it is a recording of: what
 * `explore TRACE` and `run TRACE --schedule` need of it.
 */
#ifndef RINGSIDE_CLI_TRACE_AROUND_H
#define RINGSIDE_CLI_TRACE_AROUND_H

#include "cli/options.h"
#include "explore/verdict.h"
#include "record/record.h"
#include "trace/replay_memslot.h"
#include "trace/replay_precopy.h"

struct trace_around {
	void *p; /* the replay */
	struct world *world;
	/*
	 * Null, or all pages that are lost are wanted: those of a run, at most @max.  Then of all
	 * orders the one with the fewest moves is shown.
	 */
	size_t (*pages)(const void *p, uint64_t *gfn, size_t max);
	struct run_param param;
	/* After a run: whether something is lost, then with subject and message. */
	bool (*lost)(const void *p, struct finding *f);
	/* Returns how many writes were moved, where `pages` is not null. */
	unsigned (*report_order)(const void *p, FILE *to, unsigned lines);
	/* What is about to be explored; may be null. */
	void (*print_head)(const struct trace_around *t, FILE *to);
	void (*destroy)(void *p);
};

/* Fill @t; 0, or -1 and @err. */
int
trace_around_memslot(struct trace_around *t, const struct recording *r, enum slot_removal removal,
		     struct error *err);
int
trace_around_precopy(struct trace_around *t, const struct recording *r, enum qemu_era era,
		     struct error *err);
void
trace_around_close(struct trace_around *t);

/* --set qemu=NAME: that era, or all from the first to the last. */
int
trace_era(const struct options *o, enum qemu_era *from, enum qemu_era *to, struct error *err);

/* What the database keeps of a run; @t must live as long. */
struct run_info
trace_around_info(const struct options *o, const struct trace_around *t, const char *strategy);

#endif
