/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live migration: what the watch over covers found (migration/precopy.h), memories at switch-over,
 * how long stopping took, how the throttle was raised.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/world.h"
#include "migration/ram.h"
#include "oracle/oracle.h"
#include "oracle/oracle_impl.h"

#define STOP_MAX_NS INT64_C(100000000)
/* Two evaluations of more than a second each. */
#define RAISE_MIN_NS INT64_C(2000000000)

struct throttle_watch {
	int64_t raised_ns;
	int64_t percent;
	bool colo; /* checkpoints: each begins a period of its own */
	bool in_sync; /* the last event of the migration but for this was a sync */
};

/* What "why" of EV_MIG_PAGE_UNCOVERED says, as a statement and in words. */
struct cause {
	const char *why;
	enum oracle oracle, statement;
	const char *text;
};

static const struct cause causes[] = {
	{ "write", ORACLE_DIRTY_PAGE_LOST, ORACLE_C_O4, "the write was noted in no log" },
	{ "clear", ORACLE_DIRTY_PAGE_LOST, ORACLE_C_O1,
	  "its note was cleared after the page had been read" },
	{ "stale", ORACLE_C_O2, ORACLE_C_O2,
	  "what was sent earlier arrived later than what was sent last" },
	{ "base", ORACLE_C_O2, ORACLE_C_O2,
	  "a difference was sent to what the destination does not have" },
	{ "log-destroyed", ORACLE_DIRTY_PAGE_LOST, ORACLE_C_O4,
	  "its note went with the log that had it" },
	{ "last-sync", ORACLE_DIRTY_PAGE_LOST, ORACLE_C_O4,
	  "its note is in a log that nobody asks any more" },
	{ "sent", ORACLE_DIRTY_PAGE_LOST, ORACLE_C_O4, "an older content was sent" },
	{ "discard", ORACLE_C_O5, ORACLE_C_O5,
	  "it was dirtied after it was sent, and the destination was not told to throw the old "
	  "content away" },
	{ "seen", ORACLE_C_O5, ORACLE_C_O5, "its guest has just read that" },
	{ "never", ORACLE_DIRTY_PAGE_LOST, ORACLE_C_O4,
	  "the first pass leaves it out and nothing was noted" },
};

static const struct cause *
cause_of(const struct world *w, int64_t why)
{
	const char *word = world_name_text(w, why);
	size_t i = 0;

	while (i + 1 < sizeof(causes) / sizeof(causes[0]) && strcmp(causes[i].why, word))
		i++;
	return &causes[i];
}

/* Devices are told by their names: vCPUs' begin with that word. */
static bool
is_device(const char *writer)
{
	return strncmp(writer, "vcpu", 4) != 0 && strcmp(writer, "-") != 0;
}

static void
on_uncovered(struct world *w, const struct event *e, void *context)
{
	const struct cause *c = cause_of(w, e->arg[4]);
	const char *writer = world_name_text(w, e->arg[1]);
	enum oracle statement = c->statement;
	char subject[32], has[32];

	snprintf(has, sizeof(has), "version %" PRId64, e->arg[3]);
	if (e->arg[3] == (int64_t)ram_version(RAM_GARBAGE))
		snprintf(has, sizeof(has), "garbage");
	if (statement == ORACLE_C_O4 && is_device(writer))
		statement = ORACLE_C_O6;
	snprintf(subject, sizeof(subject), "gfn=0x%" PRIx64, e->arg[0]);
	oracle_report_statement(w, c->oracle, statement, subject,
				"page 0x%" PRIx64 ", version %" PRId64
				" by %s: the destination has %s, and %s",
				e->arg[0], e->arg[2], writer, has, c->text);
}

static void
on_differs(struct world *w, const struct event *e, void *context)
{
	oracle_report_page(w, ORACLE_C_O5, e->arg[0],
			   "%" PRId64 " pages differ at switch-over; the first, 0x%" PRIx64
			   ", has version %" PRId64 " at the source and %" PRId64
			   " at the destination",
			   e->arg[3], e->arg[0], e->arg[1], e->arg[2]);
}

static void
on_stop(struct world *w, const struct event *e, void *context)
{
	if (e->arg[1] > STOP_MAX_NS)
		oracle_report(w, ORACLE_C_O7, "vm_stop", "stopping the vCPUs took %" PRId64 " ns",
			      e->arg[1]);
}

static void
on_sync(struct world *w, const struct event *e, void *context)
{
	struct throttle_watch *t = context;

	t->in_sync = true;
}

static void
on_iterate(struct world *w, const struct event *e, void *context)
{
	struct throttle_watch *t = context;

	t->in_sync = false;
	if (e->arg[0])
		oracle_progress(w);
}

static void
on_checkpoint(struct world *w, const struct event *e, void *context)
{
	((struct throttle_watch *)context)->colo = true;
}

static void
on_alone(struct world *w, const struct event *e, void *context)
{
	((struct throttle_watch *)context)->colo = false;
}

static void
on_throttle(struct world *w, const struct event *e, void *context)
{
	struct throttle_watch *t = context;
	int64_t since = e->time_ns - t->raised_ns;

	if (t->colo)
		oracle_report(w, ORACLE_C_O9, "throttle",
			      "raised to %" PRId64 " %% by a checkpoint of COLO: %" PRId64
			      " bytes were dirtied since an earlier one, and %" PRId64 " sent",
			      e->arg[0], e->arg[1], e->arg[2]);
	else if (!t->in_sync)
		oracle_report(w, ORACLE_C_O9, "throttle", "raised to %" PRId64 " %% without a sync",
			      e->arg[0]);
	else if (t->percent && e->arg[0] > t->percent && since < RAISE_MIN_NS)
		oracle_report(w, ORACLE_C_O9, "throttle",
			      "raised to %" PRId64 " %% only %" PRId64 " ns after the last time",
			      e->arg[0], since);
	t->raised_ns = e->time_ns;
	t->percent = e->arg[0];
}

static void
on_vmstate_wrong(struct world *w, const struct event *e, void *context)
{
	oracle_report(w, ORACLE_INV_VMSTATE, world_name_text(w, e->arg[0]),
		      "loaded without an error: %" PRId64
		      " fields hold what was another field's, %" PRId64
		      " subsections that were in use were not sent",
		      e->arg[1], e->arg[2]);
}

static void
on_request(struct world *w, const struct event *e, void *context)
{
	if (e->arg[3] > 1)
		oracle_report(w, ORACLE_INV_REQUEST_ONCE, world_name_text(w, e->arg[0]),
			      "request %" PRId64 " was done %" PRId64
			      " times, the last time at the %s",
			      e->arg[1], e->arg[3], e->arg[2] ? "destination" : "source");
}

void
migration_attach(struct world *w)
{
	struct throttle_watch *t = world_alloc(w, sizeof(*t));

	world_observe(w, EV_MIG_PAGE_UNCOVERED, on_uncovered, NULL);
	world_observe(w, EV_MIG_PAGE_DIFFERS, on_differs, NULL);
	world_observe(w, EV_MIG_STOP, on_stop, NULL);
	world_observe(w, EV_MIG_SYNC, on_sync, t);
	world_observe(w, EV_MIG_ITERATE, on_iterate, t);
	world_observe(w, EV_MIG_THROTTLE, on_throttle, t);
	world_observe(w, EV_COLO_RECEIVED, on_checkpoint, t);
	world_observe(w, EV_COLO_ALONE, on_alone, t);
	world_observe(w, EV_MIG_VMSTATE_WRONG, on_vmstate_wrong, NULL);
	world_observe(w, EV_MIG_REQUEST, on_request, NULL);
}
