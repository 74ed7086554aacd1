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

struct next_access
world_next_access(const struct world *w, struct process p)
{
	struct next_access next = { 0 };

	if (p.kind == PROCESS_ACTOR)
		return ((const struct actor *)p.id)->access;
	if (p.kind == PROCESS_FLUSH) {
		next.how = WATCH_STORE;
		w->memory->oldest(p.id, &next.offset, &next.size);
	}
	return next;
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

struct process
world_question_process(const struct world *w, uint32_t answer)
{
	uint32_t at_point = w->parked_at_point, last = w->ready_count - 1, k = answer - at_point;

	must(answer < world_question(w));
	if (answer < at_point) /* who asked goes on: it stands last (world_resume()) */
		k = last;
	return ready_process(&w->ready[(w->ready_first + k) & (w->ready_capacity - 1)]);
}
