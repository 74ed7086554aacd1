/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/image.h"
#include "oracle/oracle_impl.h"

const struct oracle_info oracle_info[ORACLE_COUNT] = {
#define ORACLE(id, name, level, verdict, unchecked, text) \
	[ORACLE_##id] = { name, ORACLE_##level, VERDICT_##verdict, unchecked, text },
#include "oracle/oracles.def"
#undef ORACLE
};

enum oracle
oracle_find(const char *name)
{
	for (int i = 0; i < ORACLE_COUNT; i++)
		if (!strcmp(oracle_info[i].name, name))
			return (enum oracle)i;
	return ORACLE_COUNT;
}

struct oracles *
oracles_of(const struct world *w)
{
	return world_room(w, ROOM_ORACLE);
}

static void
on_dirty_page_lost(struct world *w, const struct event *e, void *context)
{
	oracle_report_page(w, ORACLE_DIRTY_PAGE_LOST, e->arg[0],
			   "page 0x%" PRIx64 " was dirtied %" PRId64
			   " times, and its bit died with slot %" PRId64 " at %" PRId64
			   " ns before anybody fetched it",
			   e->arg[0], e->arg[2], e->arg[1], e->arg[3]);
}

void
oracle_attach(struct world *w)
{
	must(!oracles_of(w));
	world_set_room(w, ROOM_ORACLE, world_alloc(w, sizeof(struct oracles)));
	world_ignore(w, &oracles_of(w)->progress_step, 1,
		     "it is looked at by who was cut off by the limit of steps");
	world_observe(w, EV_DIRTY_PAGE_LOST, on_dirty_page_lost, NULL);
	quiescence_attach(w);
	shadow_attach(w);
	migration_attach(w);
	postcopy_attach(w);
	colo_attach(w);
	snapshot_attach(w);
	memslot_attach(w);
	vdpa_attach(w);
}

void
oracle_enable(struct world *w, enum oracle o, bool on)
{
	oracles_of(w)->off[o] = !on;
}

void
oracle_count(struct world *w, enum oracle o)
{
	oracles_of(w)->counts[o] = true;
}

uint64_t
oracle_counted(const struct world *w, enum oracle o)
{
	return oracles_of(w)->counted[o];
}

void
oracle_watch_driver(struct world *w, struct guest_virtio *driver)
{
	struct watched_driver *d = world_alloc(w, sizeof(*d));

	*d = (struct watched_driver){ driver, oracles_of(w)->drivers };
	oracles_of(w)->drivers = d;
}

void
oracle_watch_raw(struct world *w, struct raw_pair *pair)
{
	struct watched_pair *p = world_alloc(w, sizeof(*p));

	*p = (struct watched_pair){ pair, oracles_of(w)->pairs };
	oracles_of(w)->pairs = p;
}

/* --- reporting ------------------------------------------------------------------------------ */

static struct violation *
keep(struct world *w, enum oracle o, enum oracle statement, const char *subject)
{
	struct oracles *os = oracles_of(w);
	struct actor *self = actor_current(w);
	struct violation *v;

	if (os->count++ >= VIOLATIONS_MAX)
		return NULL;
	v = world_alloc(w, sizeof(*v));
	v->oracle = o;
	v->statement = statement;
	v->verdict = oracle_info[o].verdict;
	v->step = world_step(w);
	v->time_ns = world_now_shown(w);
	v->actor = world_name(w, self ? actor_name(self) : NULL);
	snprintf(v->subject, sizeof(v->subject), "%s", subject ? subject : "-");
	if (os->last)
		os->last->next = v;
	else
		os->first = v;
	os->last = v;
	return v;
}

static void
announce(struct world *w, enum oracle o, const char *subject)
{
	int64_t oracle, what;

	if (oracles_of(w)->judging)
		return;
	/* One after the other: names are numbered as they come, and C orders no arguments. */
	oracle = world_name(w, oracle_info[o].name);
	what = world_name(w, subject ? subject : "-");
	emit(w, EV_VIOLATION, oracle, what);
}

static void
report(struct world *w, enum oracle o, enum oracle statement, const char *subject, const char *fmt,
       va_list ap)
{
	struct violation *v;

	if (oracles_of(w)->off[o] || oracles_of(w)->off[statement])
		return;
	if (oracles_of(w)->counts[statement]) {
		oracles_of(w)->counted[statement]++;
		announce(w, o, subject);
		return;
	}
	v = keep(w, o, statement, subject);
	if (v)
		vsnprintf(v->message, sizeof(v->message), fmt, ap);
	announce(w, o, subject);
}

static void
stop_if_must(struct world *w, enum oracle o)
{
	if (!oracles_of(w)->judging && !oracles_of(w)->off[o] && !oracles_of(w)->counts[o] &&
	    oracle_info[o].level == ORACLE_MUST)
		world_stop(w, STOP_ASKED);
}

void
oracle_report(struct world *w, enum oracle o, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(w, o, o, subject, fmt, ap);
	va_end(ap);
	stop_if_must(w, o);
}

void
oracle_report_page(struct world *w, enum oracle o, int64_t gfn, const char *fmt, ...)
{
	char subject[32];
	va_list ap;

	snprintf(subject, sizeof(subject), "gfn=0x%" PRIx64, gfn);
	va_start(ap, fmt);
	report(w, o, o, subject, fmt, ap);
	va_end(ap);
	stop_if_must(w, o);
}

void
oracle_report_statement(struct world *w, enum oracle o, enum oracle statement, const char *subject,
			const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(w, o, statement, subject, fmt, ap);
	va_end(ap);
	if (!oracles_of(w)->off[statement] && !oracles_of(w)->counts[statement])
		stop_if_must(w, o);
}

void
oracle_report_as(struct world *w, enum verdict verdict, const char *subject, const char *message)
{
	struct violation *v = keep(w, ORACLE_SCENARIO, ORACLE_SCENARIO, subject);

	if (v) {
		v->verdict = verdict;
		snprintf(v->message, sizeof(v->message), "%s", message);
	}
	announce(w, ORACLE_SCENARIO, subject);
	world_stop(w, STOP_ASKED);
}

void
oracle_progress(struct world *w)
{
	oracles_of(w)->progress_step = world_step(w);
}

const struct violation *
oracle_violations(const struct world *w, uint64_t *count)
{
	const struct oracles *os = oracles_of(w);

	if (count)
		*count = os ? os->count : 0;
	return os ? os->first : NULL;
}

/* --- judging -------------------------------------------------------------------------------- */

static const struct violation *
first_must(const struct oracles *os)
{
	const struct violation *v = os->first;

	while (v && oracle_info[v->oracle].level != ORACLE_MUST)
		v = v->next;
	return v;
}

enum verdict
oracle_judge(struct world *w, enum stop stop, struct finding *f)
{
	struct oracles *os = oracles_of(w);
	const struct violation *v;
	uint64_t step = world_step(w);

	must(os);
	os->judging = true;
	if (!first_must(os) && stop == STOP_QUIESCENT)
		shadow_judge(w);
	if (!first_must(os) && stop == STOP_QUIESCENT)
		quiescence_judge(w);
	if (!first_must(os) && stop == STOP_STEPS && step - os->progress_step > step / 2)
		oracle_report(w, ORACLE_LIVELOCK, "-",
			      "the last %" PRIu64 " of %" PRIu64 " steps got nothing done",
			      step - os->progress_step, step);
	if (!first_must(os))
		memslot_judge(w);
	v = first_must(os);
	if (f) {
		*f = (struct finding){ .verdict = VERDICT_OK };
		if (v) {
			f->verdict = v->verdict;
			snprintf(f->oracle, sizeof(f->oracle), "%s", oracle_info[v->oracle].name);
			snprintf(f->statement, sizeof(f->statement), "%s",
				 oracle_info[v->statement].name);
			snprintf(f->subject, sizeof(f->subject), "%s", v->subject);
			snprintf(f->message, sizeof(f->message), "%s", v->message);
		} else if (stop == STOP_STEPS || stop == STOP_TIME) {
			f->verdict = VERDICT_BUDGET;
		}
	}
	if (v)
		return v->verdict;
	return stop == STOP_STEPS || stop == STOP_TIME ? VERDICT_BUDGET : VERDICT_OK;
}
