/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/by_hand.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/aside.h"
#include "explore/replay.h"

/* ORDER TAKEN */
enum taken_kind {
	TAKEN_ANSWER, /* to who goes on */
	TAKEN_OUTCOME, /* to what was asked within the step */
	TAKEN_ACT
};

struct taken {
	enum taken_kind kind;
	uint32_t answer;
	char *act;
};

static void
keep(struct by_hand *h, enum taken_kind kind, uint32_t answer, const char *act)
{
	if (h->count == h->capacity) {
		h->capacity = h->capacity ? 2 * h->capacity : 64;
		h->taken = realloc(h->taken, h->capacity * sizeof(*h->taken));
		must(h->taken);
	}
	h->taken[h->count++] = (struct taken){ kind, answer, act ? strdup(act) : NULL };
	h->at = h->count;
}

static void
forget(struct by_hand *h, size_t count)
{
	while (h->count > count)
		free(h->taken[--h->count].act);
	if (h->at > count)
		h->at = count;
}

/* --- answers -------------------------------------------------------------------------------- */

/* The plan's answer to the next question; 0 where it has none, or is left. */
static uint32_t
planned(const struct by_hand *h)
{
	size_t asked, low = 0, high = h->plan && !h->departed ? h->plan->count : 0;

	world_choices(h->s->w, &asked);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->plan->picks[middle].at < asked)
			low = middle + 1;
		else
			high = middle;
	}
	if (h->plan && !h->departed && low < h->plan->count && h->plan->picks[low].at == asked)
		return h->plan->picks[low].pick;
	return 0;
}

struct question {
	struct by_hand *h;
	uint32_t n, answer;
	enum choice_kind kind;
};

static void
ask_aside(void *arg)
{
	struct question *q = arg;

	q->answer = q->h->ask(q->h, q->n, q->kind, q->answer);
}

static uint32_t
choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct by_hand *h = (struct by_hand *)self;
	struct question q = { h, n, planned(h), kind };

	if (q.answer >= n)
		q.answer = 0;
	if (h->settling)
		return q.answer;
	if (h->replaying) {
		must(h->at < h->count && h->taken[h->at].kind == TAKEN_OUTCOME);
		return h->taken[h->at++].answer;
	}
	if (h->ask) {
		uint32_t otherwise = q.answer;

		aside_call(ask_aside, &q);
		h->departed |= q.answer != otherwise;
	}
	keep(h, TAKEN_OUTCOME, q.answer, NULL);
	return q.answer;
}

uint32_t
by_hand_default(const struct by_hand *h)
{
	uint32_t answer = planned(h);

	return answer < world_question(h->s->w) ? answer : 0;
}

static void
answer(struct by_hand *h, uint32_t answer)
{
	h->departed |= answer != by_hand_default(h);
	h->stop = world_resume(h->s->w, answer);
}

void
by_hand_answer(struct by_hand *h, uint32_t with)
{
	keep(h, TAKEN_ANSWER, with, NULL);
	answer(h, with);
}

/* --- acts ----------------------------------------------------------------------------------- */

/* An actor whose id is above @old goes first as long as one is ready: an act is one thing. */
static bool
settle_one(struct by_hand *h, size_t old)
{
	for (uint32_t k = 0; k < world_question(h->s->w); k++) {
		struct process p = world_question_process(h->s->w, k);

		if (p.kind == PROCESS_ACTOR && actor_id(p.id) > old) {
			h->stop = world_resume(h->s->w, k);
			return true;
		}
	}
	return false;
}

static int
act(struct by_hand *h, const char *text, struct error *err)
{
	size_t old = world_actors(h->s->w);

	if (h->act(h, text, err))
		return -1;
	h->departed = h->acted = h->settling = true;
	h->stop = world_run(h->s->w);
	while (h->stop == STOP_PARKED && settle_one(h, old))
		;
	h->settling = false;
	return 0;
}

int
by_hand_act(struct by_hand *h, const char *text, struct error *err)
{
	if (act(h, text, err))
		return -1;
	keep(h, TAKEN_ACT, 0, text);
	return 0;
}

/* --- the run -------------------------------------------------------------------------------- */

static void
begin(struct by_hand *h)
{
	world_restore(h->s->w);
	event_log_free(&h->log);
	h->log = (struct event_log){ 0 };
	h->chooser.choose = choose;
	h->departed = h->acted = false;
	h->at = 0;
	world_set_chooser(h->s->w, &h->chooser);
	world_set_sink(h->s->w, event_log_sink, &h->log);
	world_set_parking(h->s->w, true);
	h->stop = world_run(h->s->w);
}

void
by_hand_start(struct by_hand *h)
{
	forget(h, 0);
	begin(h);
}

static void
again(struct by_hand *h)
{
	struct error err;

	h->replaying = true;
	begin(h);
	while (h->at < h->count && (h->stop == STOP_PARKED || h->taken[h->at].kind == TAKEN_ACT)) {
		struct taken *t = &h->taken[h->at++];

		if (t->kind == TAKEN_ANSWER)
			answer(h, t->answer);
		else if (t->kind == TAKEN_ACT)
			must(!act(h, t->act, &err)); /* it could be done before */
	}
	h->replaying = false;
}

int
by_hand_schedule(struct by_hand *h, struct schedule *s, struct error *err)
{
	struct divergence div;
	int ret;

	if (h->acted)
		return error_set(err, "something was done by hand: no schedule leads here");
	if (schedule_take(s, h->s->w, err))
		return -1;
	if (h->stop == STOP_PARKED)
		return 0;
	world_set_parking(h->s->w, false);
	world_set_sink(h->s->w, NULL, NULL);
	ret = replay_learn(h->s->w, s, NULL, NULL, NULL, &div);
	again(h);
	return ret ? error_set(err, "diverged: %s", div.text) : 0;
}

size_t
by_hand_back(struct by_hand *h, size_t n)
{
	size_t left = h->count, back = 0;

	while (left && back < n) {
		left--;
		back += h->taken[left].kind != TAKEN_OUTCOME;
	}
	/* Outcomes before the first answer belong to the start. */
	if (!back)
		return 0;
	forget(h, left);
	again(h);
	return back;
}

void
by_hand_free(struct by_hand *h)
{
	world_set_parking(h->s->w, false);
	world_set_sink(h->s->w, NULL, NULL);
	world_set_chooser(h->s->w, &chooser_first);
	forget(h, 0);
	free(h->taken);
	event_log_free(&h->log);
}
