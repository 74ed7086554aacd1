/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who goes on, which of several: the one function through which all choices go, and their log. */
#include <stdlib.h>

#include "base/must.h"
#include "engine/world_impl.h"

/* ORDER CHOICE */
const char *const choice_kind_name[CHOICE_KINDS] = { "actor", "tie", "outcome", "store", "load" };

static uint32_t
choose_first(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	(void)self;
	(void)w;
	(void)n;
	(void)kind;
	return 0;
}

struct chooser chooser_first = { choose_first };

static void
choices_grow(struct world *w)
{
	struct world_host *h = w->host;

	h->choice_capacity = h->choice_capacity ? h->choice_capacity * 2 : 1024;
	must(h->choice = realloc(h->choice, h->choice_capacity * sizeof(*h->choice)));
}

/* Inline for the one caller that counts. */
inline void
choice_log(struct world *w, uint32_t n, enum choice_kind kind, uint32_t pick, uint64_t ready_hash)
{
	struct world_host *h = w->host;

	if (w->choices == h->choice_capacity && w->choices < CHOICES_MAX)
		choices_grow(w);
	if (w->choices < h->choice_capacity)
		h->choice[w->choices] = (struct choice){ (uint16_t)pick, (uint16_t)n };
	w->choices++;
	w->trail = trail_mix(w->trail, ready_hash + ((uint64_t)kind << 32 | n << 16 | pick));
}

uint32_t
world_ask(struct world *w, uint32_t n, enum choice_kind kind)
{
	struct world_host *h = w->host;

	/* Only a point offers more than what is ready: the actor that runs. */
	h->asked_at_point = n > w->ready_count;
	if (n > CHOICE_N_MAX)
		n = CHOICE_N_MAX;

	uint32_t pick = h->chooser->choose(h->chooser, w, n, kind);

	must(pick < n);
	choice_log(w, n, kind, pick, w->ready_hash);
	return pick;
}

uint32_t
world_choose(struct world *w, uint32_t n, enum choice_kind kind)
{
	must(n);
	if (kind == CHOICE_OUTCOME)
		world_effect(w);
	return n == 1 ? 0 : world_ask(w, n, kind);
}

bool
world_at_point(const struct world *w)
{
	return w->host->asked_at_point;
}

struct actor *
world_alternative(const struct world *w, uint32_t answer)
{
	uint32_t self = w->host->asked_at_point;

	if (answer < self)
		return w->current;
	answer -= self;
	must(answer < w->ready_count);

	const struct ready *r = &w->ready[(w->ready_first + answer) & (w->ready_capacity - 1)];

	return r->fn ? NULL : r->arg;
}

static int64_t
ready_due(const struct world *w, uint32_t k)
{
	const struct ready *r = &w->ready[(w->ready_first + k) & (w->ready_capacity - 1)];

	if (!r->fn)
		return ((const struct actor *)r->arg)->wake_ns;
	return r->fn == timer_due ? ((const struct timer *)r->arg)->at_ns : 0;
}

int64_t
world_alternative_due(const struct world *w, uint32_t answer)
{
	uint32_t self = w->host->asked_at_point;

	return answer < self ? w->now : ready_due(w, answer - self);
}

int64_t
world_yield_time(const struct world *w)
{
	int64_t first = INT64_MAX;

	for (uint32_t k = 0; k < w->ready_count; k++)
		if (ready_due(w, k) < first)
			first = ready_due(w, k);
	return w->ready_count && first > w->now ? first : w->now;
}

void
world_check_time(struct world *w)
{
	if (w->time_max && w->now > w->time_max)
		world_stop(w, STOP_TIME);
}

void
ready_close_gap(struct world *w, uint32_t k)
{
	uint32_t mask = w->ready_capacity - 1;

	for (; k; k--)
		w->ready[(w->ready_first + k) & mask] = w->ready[(w->ready_first + k - 1) & mask];
}

void
world_set_chooser(struct world *w, struct chooser *c)
{
	w->host->chooser = c ? c : &chooser_first;
}

struct chooser *
world_chooser(const struct world *w)
{
	return w->host->chooser;
}

const struct choice *
world_choices(const struct world *w, size_t *count)
{
	*count = w->choices;
	return w->host->choice;
}

void
world_log_choices(struct world *w, const struct choice *choices, size_t count)
{
	struct world_host *h = w->host;

	if (count > CHOICES_MAX)
		count = CHOICES_MAX;
	while (h->choice_capacity < count)
		choices_grow(w);
	if (count)
		memcpy(h->choice, choices, count * sizeof(*choices));
}
