/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/critical.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/watch.h"
#include "explore/lanes.h"
#include "explore/replay.h"
#include "explore/track.h"
#include "explore/wording.h"

#define NEVER UINT32_MAX

/* Where a run is on its way: see plan_choose(). */
enum stage { STAGE_PREFIX, STAGE_DELAY, STAGE_OTHER, STAGE_STEP, STAGE_TAIL };

/* One schedule of the family. */
struct plan {
	const struct schedule *s;
	size_t pick; /* the one in question: those before it are kept as they are */
	uint32_t delay; /* points of A before X goes */
	uint32_t ahead; /* steps of X before the one of A; NEVER: X goes as far as it does */
	const struct pick_keys *keys; /* of the picks after it, from pick + 1 on */
};

struct bisector {
	struct chooser chooser; /* first */
	struct world *w;
	const struct critical_config *config;
	struct finding target;
	uint64_t steps_run; /* of all runs */
	struct track track;
	struct event_log log;
	unsigned runs;

	/* the run in hand */
	struct plan plan;
	enum stage stage;
	uint32_t index; /* choices so far */
	struct process a, x; /* A, an actor; X, an actor or the flush of a buffer */
	bool family; /* they are known */
	size_t next; /* of the picks before, then of the keys after */
	uint32_t delayed, steps; /* points of A and steps of X seen */
	uint32_t watch; /* step of X, counted from 0 */
	size_t mark_a, mark_x; /* events so far when A's step, when that step of X began */
};

void
critical_free(struct critical *c)
{
	schedule_free(&c->failing);
	schedule_free(&c->passing);
	*c = (struct critical){ 0 };
}

/* --- one run -------------------------------------------------------------------------------- */

/* The answer by which @p goes on, or 0 and *@there false. */
static uint32_t
answer_of(const struct world *w, uint32_t n, struct process p, bool *there)
{
	*there = true;
	for (uint32_t i = 0; i < n; i++) {
		struct process q = world_alternative_process(w, i);

		if (q.kind == p.kind && q.id == p.id)
			return i;
	}
	*there = false;
	return 0;
}

static bool
at_point_of(const struct world *w, struct process p)
{
	return p.kind == PROCESS_ACTOR && actor_current(w) == p.id && world_at_point(w);
}

static uint32_t
follow_tail(struct bisector *b, uint32_t n, enum choice_kind kind)
{
	const struct pick_key *want;
	struct pick_key now;

	if (!b->plan.keys || b->next >= b->plan.keys->count)
		return 0;
	want = &b->plan.keys->key[b->next];
	track_key(&b->track, b->w, &now);
	if (strcmp(now.asker, want->asker) || now.occurrence != want->occurrence ||
	    now.since != want->since || strcmp(now.after.what, want->after.what) ||
	    strcmp(now.after.function, want->after.function))
		return 0;
	for (uint32_t i = 1; i < n; i++) {
		track_answer(&b->track, b->w, i, n, kind, now.answer, sizeof(now.answer));
		if (!strcmp(now.answer, want->answer)) {
			b->next++;
			return i;
		}
	}
	return 0;
}

/* X goes now. */
static uint32_t
start_other(struct bisector *b, uint32_t n)
{
	bool there;
	uint32_t answer = answer_of(b->w, n, b->x, &there);

	b->stage = there ? STAGE_OTHER : STAGE_TAIL;
	b->steps = 0;
	if (!b->watch)
		b->mark_x = b->log.count;
	return answer;
}

static uint32_t
choose_delay(struct bisector *b, uint32_t n)
{
	bool mine = at_point_of(b->w, b->a) || b->index == b->plan.s->picks[b->plan.pick].at + 1;

	/* At its end, A has left: X goes if it can. */
	if (!mine || b->delayed == b->plan.delay)
		return start_other(b, n);
	b->delayed++;
	if (b->delayed == b->plan.delay)
		b->mark_a = b->log.count;
	return 0;
}

static uint32_t
choose_other(struct bisector *b, uint32_t n)
{
	bool there;
	uint32_t answer;

	if (b->x.kind == PROCESS_FLUSH) {
		/* That was all of it: A goes on. */
		b->stage = STAGE_TAIL;
		return answer_of(b->w, n, b->a, &there);
	}
	if (!at_point_of(b->w, b->x)) {
		b->stage = STAGE_TAIL;
		return 0;
	}
	b->steps++;
	if (b->steps == b->watch)
		b->mark_x = b->log.count;
	if (b->steps != b->plan.ahead)
		return 0;
	answer = answer_of(b->w, n, b->a, &there);
	b->stage = there ? STAGE_STEP : STAGE_TAIL;
	b->mark_a = b->log.count;
	return answer;
}

/* A made its step: back to X. */
static uint32_t
choose_step(struct bisector *b, uint32_t n)
{
	bool there;

	b->stage = STAGE_TAIL;
	return answer_of(b->w, n, b->x, &there);
}

static void
begin_family(struct bisector *b)
{
	b->a = world_alternative_process(b->w, 0);
	b->x = world_alternative_process(b->w, b->plan.s->picks[b->plan.pick].pick);
	b->family = b->a.kind == PROCESS_ACTOR && b->x.kind != PROCESS_CALLBACK;
	b->stage = b->family ? STAGE_DELAY : STAGE_TAIL;
	b->next = 0;
}

static uint32_t
plan_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct bisector *b = (struct bisector *)self;
	const struct schedule *s = b->plan.s;
	uint32_t at = b->index++, answer = 0;
	bool order = kind == CHOICE_ACTOR || kind == CHOICE_TIE;

	track_choice(&b->track, w);
	if (b->stage == STAGE_PREFIX && at < s->picks[b->plan.pick].at) {
		if (b->next < b->plan.pick && s->picks[b->next].at == at)
			answer = s->picks[b->next++].pick;
		return answer < n ? answer : n - 1;
	}
	if (b->stage == STAGE_PREFIX && order)
		begin_family(b);
	else if (b->stage == STAGE_PREFIX)
		b->stage = STAGE_TAIL;
	if (order && b->stage == STAGE_DELAY)
		return choose_delay(b, n);
	if (order && b->stage == STAGE_OTHER)
		return choose_other(b, n);
	if (order && b->stage == STAGE_STEP)
		return choose_step(b, n);
	return follow_tail(b, n, kind);
}

/* Whether this member of the family has the finding; *@clean: nothing at all is wrong with it. */
static bool
run_plan(struct bisector *b, uint32_t delay, uint32_t ahead, bool *clean)
{
	struct finding f = { 0 };
	enum stop stop;

	b->plan.delay = delay;
	b->plan.ahead = ahead;
	b->stage = STAGE_PREFIX;
	b->index = b->delayed = b->steps = 0;
	b->family = false;
	b->next = 0;
	b->mark_a = b->mark_x = 0;
	b->track.log = &b->log;
	stop = track_run(&b->track, b->w, &b->chooser);
	b->runs++;
	b->steps_run += world_step(b->w);
	f.verdict = b->config->judge(b->w, stop, &f, b->config->judge_context);
	if (clean)
		*clean = f.verdict == VERDICT_OK;
	return verdict_fails(f.verdict) && finding_same(&f, &b->target);
}

static bool
tired(const struct bisector *b)
{
	return b->steps_run > CRITICAL_STEPS_ALL_MAX ||
	       (b->config->interrupted && *b->config->interrupted);
}

/* --- what the two events were --------------------------------------------------------------- */

static const struct event *
event_by(const struct bisector *b, struct process p, size_t from)
{
	for (size_t i = from; i < b->log.count; i++) {
		const struct event *e = &b->log.events[i];

		if ((e->kind == EV_FLUSH) == (p.kind == PROCESS_FLUSH) &&
		    lanes_actor(e) == actor_id(p.id))
			return e;
	}
	return NULL;
}

/* The store that a flush makes visible: there is its stack. */
static const struct event *
store_of(const struct bisector *b, const struct event *flush)
{
	for (const struct event *e = flush; e-- > b->log.events;)
		if (e->kind == EV_STORE && e->actor == lanes_actor(flush) &&
		    e->arg[0] == flush->arg[0] && e->arg[3] == flush->arg[3])
			return e;
	return flush;
}

static void
tell_event(struct bisector *b, struct process p, size_t from, const struct event *e,
	   struct critical_event *ce)
{
	const struct event_names *names = &b->track.names;
	char last[160] = "";

	event_names_actor(names, actor_id(p.id), ce->actor, sizeof(ce->actor));
	if (!e) {
		/* A step that says nothing: known by what was before it. */
		for (size_t i = from < b->log.count ? from : b->log.count; i-- > 0 && !e;)
			if (b->log.events[i].actor == actor_id(p.id))
				e = &b->log.events[i];
		if (e)
			wording_text(names, e, last, sizeof(last));
		snprintf(ce->what, sizeof(ce->what), e ? "goes on after: %s" : "begins", last);
		return;
	}
	wording_text(names, e, ce->what, sizeof(ce->what));
	event_names_place(names, e, ce->place, sizeof(ce->place));
	if (e->kind == EV_FLUSH)
		e = store_of(b, e);
	event_names_stack(names, e, ce->stack, sizeof(ce->stack));
}

/* The failing run has just been done: @x_first says which of its two marks is the earlier. */
static void
tell_pair(struct bisector *b, bool x_first, struct critical *c)
{
	struct process one = x_first ? b->x : b->a, two = x_first ? b->a : b->x;
	size_t from = x_first ? b->mark_x : b->mark_a;
	const struct event *first = event_by(b, one, from), *second;

	tell_event(b, one, from, first, &c->first);
	if (first)
		from = (size_t)(first - b->log.events) + 1;
	second = event_by(b, two, from);
	tell_event(b, two, from, second, &c->second);
}

/* --- bisecting ------------------------------------------------------------------------------ */

/*
 * Steps of X before A's step, from @low, where the outcome is that of @ahead 0, to @high, where it
 * is that of X going as far as it does.  Both neighbours are run again, for their schedules.
 */
static bool
bisect_steps(struct bisector *b, uint32_t delay, bool low_fails, struct critical *c)
{
	uint32_t low = 0, high;
	bool clean, failed[2];

	run_plan(b, delay, NEVER, NULL);
	high = b->steps + 1;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (run_plan(b, delay, middle, NULL) == low_fails)
			low = middle;
		else
			high = middle;
	}
	b->watch = low;
	/* The passing one first: the failing one's events are told. */
	for (int i = 0; i < 2; i++) {
		bool want_low = (i == 1) == low_fails;

		if (want_low)
			failed[i] = low ? run_plan(b, delay, low, &clean)
					: run_plan(b, delay + 1, NEVER, &clean);
		else
			failed[i] = run_plan(b, delay, high, &clean);
		if ((i == 0 && !clean) || schedule_take(i ? &c->failing : &c->passing, b->w, NULL))
			return false;
		if (i == 1)
			tell_pair(b, !want_low, c);
	}
	return !failed[0] && failed[1];
}

/* @with: whether the schedule with the pick in question is the failing one. */
static bool
bisect_pick(struct bisector *b, bool with, struct critical *c)
{
	uint32_t low = 0, high;

	b->watch = NEVER;
	if (run_plan(b, 0, NEVER, NULL) != with || !b->family)
		return false;
	if (run_plan(b, NEVER, NEVER, NULL) == with)
		return false;
	high = b->delayed + 1;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (run_plan(b, middle, NEVER, NULL) == with)
			low = middle;
		else
			high = middle;
	}
	return bisect_steps(b, low, !with, c);
}

static void
rest_of_keys(const struct pick_keys *all, size_t from, struct pick_keys *rest)
{
	rest->key = all->key ? all->key + from : NULL;
	rest->count = all->count > from ? all->count - from : 0;
}

/* @s with one more pick, its later picks by their keys: whether that passes and a pair is found. */
static bool
try_passing(struct bisector *b, const struct schedule *s, const struct pick_keys *keys,
	    struct pick more, struct critical *c)
{
	struct schedule one = { 0 };
	struct pick_keys rest;
	size_t before = 0;
	bool found;

	for (; before < s->count && s->picks[before].at < more.at; before++)
		schedule_add(&one, s->picks[before]);
	schedule_add(&one, more);
	rest_of_keys(keys, before, &rest);
	b->plan = (struct plan){ .s = &one, .pick = before, .keys = &rest };
	b->watch = NEVER;
	found = !run_plan(b, 0, NEVER, NULL) && b->family && bisect_pick(b, false, c);
	schedule_free(&one);
	return found;
}

/* No pick of @s decides: with which one more does it pass? The last that does is the nearest. */
static bool
find_passing(struct bisector *b, const struct schedule *s, const struct pick_keys *keys,
	     struct critical *c)
{
	struct choice *choice;
	size_t choices, next = s->count;
	const struct choice *live;
	bool found = false;

	replay_run(b->w, s, NULL, NULL, NULL);
	live = world_choices(b->w, &choices);
	must(choice = malloc((choices + 1) * sizeof(*choice)));
	memcpy(choice, live, choices * sizeof(*choice));
	for (size_t i = choices; i-- > 0 && !found && !tired(b);) {
		if (next && s->picks[next - 1].at == i) {
			next--;
			continue;
		}
		for (uint16_t k = 1; k < choice[i].n && !found && !tired(b); k++) {
			struct pick more = { (uint32_t)i, k, choice[i].n, SCHEDULE_KIND_UNKNOWN };

			found = try_passing(b, s, keys, more, c);
		}
	}
	free(choice);
	return found;
}

void
critical_find(struct world *w, const struct critical_config *config, const struct schedule *s,
	      const struct finding *f, struct critical *c)
{
	struct bisector b = { .chooser = { plan_choose }, .w = w, .config = config, .target = *f };
	struct pick_keys keys = { 0 }, rest = { 0 };

	critical_free(c);
	if (s->choices > CRITICAL_STEPS_MAX || replay_run(w, s, NULL, NULL, NULL) ||
	    world_step(w) > CRITICAL_STEPS_MAX || keyed_learn(w, s, &keys))
		return;
	for (size_t i = s->count; i-- > 0 && !c->found && !tired(&b);) {
		rest_of_keys(&keys, i + 1, &rest);
		b.plan = (struct plan){ .s = s, .pick = i, .keys = &rest };
		c->found = bisect_pick(&b, true, c);
	}
	if (!c->found && !tired(&b))
		c->found = find_passing(&b, s, &keys, c);
	c->runs = b.runs;
	pick_keys_free(&keys);
	track_free(&b.track);
	event_log_free(&b.log);
}

void
critical_text(const struct critical *c, char *text, size_t size)
{
	const struct critical_event *one = &c->first, *two = &c->second;

	snprintf(text, size, "%s (%s%s%s) before %s (%s%s%s)", one->what, one->actor,
		 *one->place ? ", " : "", one->place, two->what, two->actor,
		 *two->place ? ", " : "", two->place);
}
