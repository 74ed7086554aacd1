/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/replay.h"
#include "explore/run_size.h"

/* Steps of a candidate, in those of the best run, at which it is given up: it livelocks. */
#define STEPS_FACTOR 4u
#define STEPS_SLACK 1000u
/* How far from its place a pick is tried. */
#define MOVE_CHOICES 12u

struct candidate {
	const struct pick *picks; /* by position */
	size_t count;
};

struct shrinker {
	struct chooser chooser; /* first */
	struct run_counter counter;
	struct world *w;
	const struct shrink_config *config;
	struct shrink_result *r;
	uint64_t runs_max, steps_max;

	/* the candidate that runs */
	struct candidate c;
	size_t next;
	uint32_t index;
	uint64_t steps_limit; /* of this run */
	bool cut;
	uint64_t cuts; /* runs that were given up, hence not judged */

	/* the smallest so far */
	struct schedule best;
	struct finding target, best_finding;
	struct run_size best_size;
	bool fewer_but_larger; /* met: a run with fewer picks that is larger all the same */

	struct schedule taken; /* what the last candidate really did */
	struct pick *scratch; /* room for one more pick than any candidate has */
	size_t scratch_capacity;
	struct error *err;
	bool broken; /* a run ended with an error of the user's input */
};

/* --- one candidate -------------------------------------------------------------------------- */

static uint32_t
lenient_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct shrinker *s = (struct shrinker *)self;
	uint32_t at = s->index++, pick = 0;

	if (s->next < s->c.count && s->c.picks[s->next].at == at)
		pick = s->c.picks[s->next++].pick;
	if (world_step(w) > s->steps_limit) {
		s->cut = true;
		s->cuts++;
		world_stop(w, STOP_ASKED);
	}
	pick = pick < n ? pick : n - 1;
	run_counter_ask(&s->counter, w, pick, kind);
	return pick;
}

static bool
budget_left(const struct shrinker *s)
{
	return s->r->runs < s->runs_max && s->r->steps_run < s->steps_max && !s->broken &&
	       !(s->config->interrupted && *s->config->interrupted);
}

/* Run the candidate; whether it has the finding. What it did is in @taken, the message in @f. */
static bool
run_candidate(struct shrinker *s, struct candidate c, struct finding *f)
{
	struct world *w = s->w;

	s->c = c;
	s->next = 0;
	s->index = 0;
	s->cut = false;
	world_restore(w);
	world_set_chooser(w, &s->chooser);
	run_counter_start(&s->counter, w);

	enum stop stop = world_run(w);

	run_counter_end(&s->counter, w);
	world_set_chooser(w, NULL);
	s->r->runs++;
	s->r->steps_run += world_step(w);
	if (stop == STOP_ERROR && !s->broken) {
		s->broken = true;
		error_set(s->err, "while shrinking: %s", world_error(w)->text);
	}
	if (s->cut || stop == STOP_ERROR)
		return false;
	*f = (struct finding){ 0 };
	f->verdict = s->config->judge(w, stop, f, s->config->judge_context);
	return verdict_fails(f->verdict) && finding_same(f, &s->target) &&
	       !schedule_take(&s->taken, w, NULL);
}

/* Run the candidate and keep it if it is smaller. */
static bool
try_candidate(struct shrinker *s, const struct pick *picks, size_t count)
{
	struct finding f;
	struct run_size size;

	if (!budget_left(s) || !run_candidate(s, (struct candidate){ picks, count }, &f))
		return false;
	size = run_size_of(&s->counter, &s->taken, world_step(s->w));
	if (!run_size_below(&size, &s->best_size)) {
		s->fewer_but_larger |= size.picks < s->best_size.picks;
		return false;
	}
	schedule_copy(&s->best, &s->taken);
	s->best_finding = f;
	s->best_size = size;
	s->steps_limit = size.steps * STEPS_FACTOR + STEPS_SLACK;
	return true;
}

static struct pick *
scratch(struct shrinker *s, size_t count)
{
	if (count > s->scratch_capacity) {
		s->scratch_capacity = count * 2;
		must(s->scratch = realloc(s->scratch, s->scratch_capacity * sizeof(*s->scratch)));
	}
	return s->scratch;
}

/* The best without its picks [from, to). */
static bool
try_without(struct shrinker *s, size_t from, size_t to)
{
	size_t n = s->best.count, left = n - (to - from);
	struct pick *p = scratch(s, n + 1);

	memcpy(p, s->best.picks, from * sizeof(*p));
	memcpy(p + from, s->best.picks + to, (n - to) * sizeof(*p));
	return try_candidate(s, p, left);
}

/* --- the phases ----------------------------------------------------------------------------- */

/* Whether one pick after the other was found necessary, since the last success. */
static bool
drop_single_picks(struct shrinker *s)
{
	size_t i = s->best.count, necessary = 0;

	/* From the end: late picks change little of what comes before. */
	while (necessary < s->best.count) {
		if (!budget_left(s))
			return false;
		i = i ? i - 1 : s->best.count - 1;
		if (try_without(s, i, i + 1)) {
			necessary = 0;
			i = i < s->best.count ? i : s->best.count;
		} else {
			necessary++;
		}
	}
	return budget_left(s);
}

/* ddmin by complements: halves, quarters, … then singles. True: each pick left is necessary. */
static bool
drop_picks(struct shrinker *s)
{
	for (size_t chunk = s->best.count / 2; chunk > 1 && budget_left(s); chunk /= 2) {
		size_t end = s->best.count;

		while (end && budget_left(s)) {
			size_t from = end > chunk ? end - chunk : 0;

			try_without(s, from, end);
			end = from < s->best.count ? from : s->best.count;
		}
	}
	return drop_single_picks(s);
}

/*
 * All schedules that have @left picks after the @count in @p, whose plain continuation has just run
 * (its choices are in the engine's array). Returns 1 if one has the finding, 0 if none, -1 if the
 * budget ended.
 */
static int
search_picks(struct shrinker *s, struct pick *p, size_t count, size_t left)
{
	uint32_t from = count ? p[count - 1].at + 1 : 0;
	size_t choices;
	const struct choice *live = world_choices(s->w, &choices);

	if (from >= choices)
		return 0;
	choices -= from;

	struct choice *c = malloc(choices * sizeof(*c));
	int found = 0;

	must(c);
	memcpy(c, live + from, choices * sizeof(*c));
	for (size_t i = 0; i < choices && !found; i++) {
		for (uint16_t pick = 1; pick < c[i].n && !found; pick++) {
			struct finding f;

			p[count] = (struct pick){ from + (uint32_t)i, pick, c[i].n,
						  SCHEDULE_KIND_UNKNOWN };
			if (!budget_left(s))
				found = -1;
			else if (left == 1)
				found = try_candidate(s, p, count + 1);
			else if (run_candidate(s, (struct candidate){ p, count + 1 }, &f))
				found = -1; /* cannot be: a level above would have met it */
			else
				found = s->cut ? 0 : search_picks(s, p, count + 1, left - 1);
		}
	}
	free(c);
	return found;
}

/* From the plain run upwards. True: nothing with fewer picks than the best has the finding. */
static bool
search_below(struct shrinker *s)
{
	uint64_t cuts = s->cuts;
	struct finding f;
	int found = 0;

	if (!s->best.count || try_candidate(s, NULL, 0))
		return true;
	for (size_t picks = 1; picks < s->best.count && !found; picks++) {
		struct pick *p = malloc(picks * sizeof(*p));

		must(p);
		run_candidate(s, (struct candidate){ NULL, 0 }, &f);
		found = s->cut ? -1 : search_picks(s, p, 0, picks);
		free(p);
	}
	return found >= 0 && budget_left(s) && s->cuts == cuts && !s->fewer_but_larger;
}

/* Make pick @i smaller or move it, keeping the order of the others. */
static bool
improve_pick(struct shrinker *s, size_t i)
{
	size_t n = s->best.count;
	struct pick *p = scratch(s, n + 1), was = s->best.picks[i];
	uint32_t low = i ? s->best.picks[i - 1].at + 1 : 0;
	uint32_t high = i + 1 < n ? s->best.picks[i + 1].at : s->best.choices;

	memcpy(p, s->best.picks, n * sizeof(*p));
	for (uint16_t pick = 1; pick < was.pick; pick++) {
		p[i].pick = pick;
		if (try_candidate(s, p, n))
			return true;
	}
	p[i] = was;
	low = was.at > low + MOVE_CHOICES ? was.at - MOVE_CHOICES : low;
	high = high > was.at + MOVE_CHOICES ? was.at + MOVE_CHOICES + 1 : high;
	for (p[i].at = low; p[i].at < high; p[i].at++) {
		for (p[i].pick = 1; p[i].pick <= was.pick; p[i].pick++)
			if (p[i].at != was.at && try_candidate(s, p, n))
				return true;
	}
	return false;
}

static bool
improve_picks(struct shrinker *s)
{
	bool improved = false;

	for (size_t i = 0; i < s->best.count; i++)
		while (budget_left(s) && i < s->best.count && improve_pick(s, i))
			improved = true;
	return improved;
}

/* --- stores that need not be late ------------------------------------------------------------ */

/* An answer that was not taken and makes a buffered store visible. */
struct early {
	uint32_t at;
	uint16_t answer, n;
	bool resumes; /* asked at a point, whose actor is to go on after it */
};

struct early_list {
	struct chooser chooser; /* first */
	const struct schedule *s;
	size_t next;
	uint32_t index;
	struct early *early;
	size_t count, capacity;
};

static void
list_early(struct early_list *l, const struct world *w, uint32_t at, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (world_alternative_process(w, i).kind != PROCESS_FLUSH)
			continue;
		if (l->count == l->capacity) {
			l->capacity = l->capacity * 2 + 64;
			must(l->early = realloc(l->early, l->capacity * sizeof(*l->early)));
		}
		l->early[l->count++] =
			(struct early){ at, (uint16_t)i, (uint16_t)n, world_at_point(w) };
	}
}

static uint32_t
early_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct early_list *l = (struct early_list *)self;
	uint32_t at = l->index++;

	if (l->next < l->s->count && l->s->picks[l->next].at == at)
		return l->s->picks[l->next++].pick;
	if (kind == CHOICE_ACTOR || kind == CHOICE_TIE)
		list_early(l, w, at, n);
	return 0;
}

/*
 * The best with this one more pick.  After a flush it is asked who goes on: the actor at whose
 * point it was stands last in the queue, before a next flush of the same buffer.
 */
static bool
try_early(struct shrinker *s, const struct early *e)
{
	struct pick *p = scratch(s, s->best.count + 3);

	for (unsigned back = 1; back <= 2; back++) {
		size_t n = 0, i = 0;

		for (; i < s->best.count && s->best.picks[i].at < e->at; i++)
			p[n++] = s->best.picks[i];
		p[n++] = (struct pick){ e->at, e->answer, e->n, SCHEDULE_KIND_UNKNOWN };
		if (e->resumes && e->n > back + 1)
			p[n++] = (struct pick){ e->at + 1, (uint16_t)(e->n - 1 - back), e->n,
						SCHEDULE_KIND_UNKNOWN };
		for (; i < s->best.count; i++) {
			p[n] = s->best.picks[i];
			p[n++].at += 1;
		}
		if (try_candidate(s, p, n))
			return true;
	}
	return false;
}

/* From the beginning: what is visible early no longer is in the way later. */
static bool
flush_early(struct shrinker *s)
{
	uint32_t from = 0;
	bool improved = false, again = true;

	while (again && s->best_size.delayed && budget_left(s)) {
		struct early_list l = { .chooser = { early_choose }, .s = &s->best };

		again = false;
		world_restore(s->w);
		world_set_chooser(s->w, &l.chooser);
		world_run(s->w);
		world_set_chooser(s->w, NULL);
		s->r->runs++;
		for (size_t i = 0; i < l.count && !again && budget_left(s); i++) {
			if (l.early[i].at < from || !try_early(s, &l.early[i]))
				continue;
			from = l.early[i].at + 1;
			again = improved = true;
		}
		free(l.early);
	}
	return improved;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int
start(struct shrinker *s, const struct schedule *from, const struct finding *target)
{
	struct divergence div;
	enum stop stop;

	s->chooser.choose = lenient_choose;
	s->target = s->best_finding = *target;
	if (replay_run(s->w, from, NULL, &stop, &div))
		return error_set(s->err, "the schedule to shrink does not replay: %s", div.text);

	struct finding f = { 0 };

	f.verdict = s->config->judge(s->w, stop, &f, s->config->judge_context);
	if (!finding_same(&f, target))
		return error_set(
			s->err,
			"the schedule to shrink ends with %s (%s, %s), not with %s (%s, %s)",
			verdict_name[f.verdict], f.oracle, f.subject, verdict_name[target->verdict],
			target->oracle, target->subject);
	schedule_copy(&s->best, from);
	s->best_finding = f;
	s->steps_limit = UINT64_MAX;
	if (!run_candidate(s, (struct candidate){ from->picks, from->count }, &f))
		return error_set(s->err,
				 "the schedule to shrink does not replay: the judge depends "
				 "on more than the run");
	s->best_size = run_size_of(&s->counter, from, world_step(s->w));
	/* If the finding is that the run does not end, so may its candidates. */
	s->steps_limit =
		stop == STOP_STEPS ? UINT64_MAX : s->best_size.steps * STEPS_FACTOR + STEPS_SLACK;
	s->r->picks_before = from->count;
	s->r->steps_before = s->best_size.steps;
	s->r->preemptions_before = (uint32_t)s->best_size.preemptions;
	s->r->delayed_before = (uint32_t)s->best_size.delayed;
	return 0;
}

/* Strictly, and learning: what is handed out has been seen to replay. */
static int
finish(struct shrinker *s, struct schedule *out, struct finding *f)
{
	struct shrink_result *r = s->r;
	struct divergence div;
	struct finding again = { 0 };

	if (s->broken)
		return -1;
	if (replay_learn(s->w, &s->best, NULL, &r->signature, &r->stop, &div))
		return error_set(s->err, "the shrunk schedule does not replay: %s", div.text);
	again.verdict = s->config->judge(s->w, r->stop, &again, s->config->judge_context);
	if (!finding_same(&again, &s->target))
		return error_set(s->err,
				 "the shrunk schedule replays to another finding (%s): the judge "
				 "depends on more than the run",
				 verdict_name[again.verdict]);
	r->picks_after = s->best.count;
	r->preemptions_after = (uint32_t)s->best_size.preemptions;
	r->delayed_after = (uint32_t)s->best_size.delayed;
	r->steps_after = world_step(s->w);
	r->time_ns = world_now_shown(s->w);
	schedule_copy(out, &s->best);
	*f = again;
	return 0;
}

int
shrink(struct world *w, const struct shrink_config *config, struct schedule *schedule,
       struct finding *f, struct shrink_result *r, struct error *err)
{
	struct shrinker s = { .w = w, .config = config, .r = r, .err = err };
	int result = -1;

	*r = (struct shrink_result){ 0 };
	s.runs_max = config->runs_max ? config->runs_max : SHRINK_RUNS_MAX;
	s.steps_max = config->steps_max ? config->steps_max : SHRINK_STEPS_MAX;
	if (!start(&s, schedule, f)) {
		r->minimal = drop_picks(&s);
		r->proven = r->minimal && search_below(&s);

		size_t fewest = s.best.count;

		/* A moved pick may have made another one unnecessary. */
		for (bool improved = true; improved;) {
			improved = flush_early(&s);
			improved |= improve_picks(&s);
			if (improved)
				r->minimal = drop_single_picks(&s);
		}
		r->proven &= s.best.count <= fewest;
		r->minimal |= r->proven;
		result = finish(&s, schedule, f);
	}
	schedule_free(&s.best);
	schedule_free(&s.taken);
	free(s.scratch);
	return result;
}
