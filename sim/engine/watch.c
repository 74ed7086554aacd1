/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/watch.h"

#include "engine/world_impl.h"

void
world_set_watch(struct world *w, struct step_watch *watch)
{
	w->host->watch = watch;
	w->host->effect = false;
}

void
world_effect(struct world *w)
{
	w->host->effect = true;
}

bool
world_take_effect(struct world *w)
{
	bool effect = w->host->effect;

	w->host->effect = false;
	return effect;
}

struct process
world_alternative_process(const struct world *w, uint32_t answer)
{
	uint32_t self = w->host->asked_at_point;

	if (answer < self)
		return actor_process(w->current);
	answer -= self;
	must(answer < w->ready_count);
	return ready_process(&w->ready[(w->ready_first + answer) & (w->ready_capacity - 1)]);
}
