/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All schedules of a litmus test, depth first, one after another: an odometer over the answers of a
 * run.  Nothing is left out but one thing: a process that was just chosen to begin, and begins with
 * an access, is not asked again whether it goes on to that.  Nothing happens in between, so that to
 * choose another there is to choose it one question earlier.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "script/litmus_run.h"

struct question {
	uint16_t answer, n;
	uint8_t kind;
};

struct search {
	struct strategy base;
	struct question *path;
	size_t count, capacity;
	size_t at; /* the next question of the schedule that runs */
	uint64_t schedules;
	bool begun, exhausted, limited;
};

static uint32_t
search_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct search *s = (struct search *)self;
	struct question *q;

	if (kind == CHOICE_ACTOR && world_at_point(w) && litmus_at_begin(w))
		return 0;
	if (s->at == s->count) {
		if (s->count == s->capacity) {
			s->capacity = s->capacity ? s->capacity * 2 : 64;
			must(s->path = realloc(s->path, s->capacity * sizeof(*s->path)));
		}
		s->path[s->count++] = (struct question){ 0, (uint16_t)n, (uint8_t)kind };
	}
	q = &s->path[s->at++];
	if (q->n != n || q->kind != kind) {
		error_set(&s->base.error, "after the same answers question %zu was another one",
			  s->at);
		world_stop(w, STOP_ASKED);
		return 0;
	}
	return q->answer;
}

static bool
search_begin(struct strategy *base, struct world *w, uint64_t index)
{
	struct search *s = (struct search *)base;

	if (s->begun) {
		while (s->count && s->path[s->count - 1].answer + 1 == s->path[s->count - 1].n)
			s->count--;
		s->exhausted = !s->count;
		base->left_out = s->limited;
		if (s->exhausted)
			return false;
		s->path[s->count - 1].answer++;
	}
	s->begun = true;
	s->at = 0;
	world_set_chooser(w, &base->chooser);
	return true;
}

static void
search_end(struct strategy *base, struct world *w, enum stop stop)
{
	struct search *s = (struct search *)base;

	s->limited |= stop == STOP_STEPS || stop == STOP_TIME;
	s->schedules++;
}

static void
search_state(const struct strategy *base, char *text, size_t size)
{
	const struct search *s = (const struct search *)base;

	snprintf(text, size, "%s%" PRIu64 " schedules",
		 s->exhausted && !s->limited ? "exhausted: all " : "not exhausted: ", s->schedules);
}

static struct strategy *
search_create(const struct strategy_config *config, struct error *err)
{
	struct search *s = calloc(1, sizeof(*s));

	must(s);
	s->base.chooser.choose = search_choose;
	return &s->base;
}

static void
search_destroy(struct strategy *base)
{
	free(((struct search *)base)->path);
	free(base);
}

const struct strategy_ops litmus_search = {
	.name = "all",
	.what = "all schedules, depth first",
	.exhaustive = true,
	.create = search_create,
	.begin = search_begin,
	.end = search_end,
	.state = search_state,
	.destroy = search_destroy,
};
