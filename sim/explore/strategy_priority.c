/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/strategy_priority.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

void
priorities_free(struct priorities *p)
{
	free(p->of);
	*p = (struct priorities){ 0 };
}

void
priorities_begin(struct priorities *p, uint64_t seed)
{
	prng_seed(&p->prng, seed);
	p->drawn = p->returns = 0;
	p->lowest = 0;
	if (p->capacity)
		memset(p->of, 0, p->capacity * sizeof(*p->of));
}

uint32_t
priority_key(struct process p)
{
	if (p.kind == PROCESS_CALLBACK)
		return 0;
	return 2 * actor_id(p.id) + (p.kind == PROCESS_FLUSH);
}

static void
grow(struct priorities *p, uint32_t key)
{
	size_t capacity = p->capacity ? p->capacity : 16;

	while (capacity <= key)
		capacity *= 2;
	must(p->of = realloc(p->of, capacity * sizeof(*p->of)));
	memset(p->of + p->capacity, 0, (capacity - p->capacity) * sizeof(*p->of));
	p->capacity = capacity;
}

int64_t *
priorities_of(struct priorities *p, uint32_t key)
{
	if (key >= p->capacity)
		grow(p, key);
	if (!p->of[key]) {
		/* 62 bits: two that are equal are not met in practice, and would do no harm. */
		p->of[key] = PRIORITY_DRAWN + (int64_t)(prng_next(&p->prng) >> 2);
		p->drawn++;
	}
	return &p->of[key];
}

void
priorities_drop(struct priorities *p, uint32_t key)
{
	if (key < p->capacity)
		p->of[key] = 0;
}

void
priorities_be_patient(struct priorities *p, const struct world *w)
{
	const struct actor *self = actor_current(w);

	if (!self || world_at_point(w) || actor_state(self) != ACTOR_READY)
		return;
	if (++p->returns % RETURNS_MAX == 0)
		*priorities_of(p, 2 * actor_id(self)) = --p->lowest;
}

struct favourite
priorities_favourite(struct priorities *p, const struct world *w, uint32_t n)
{
	struct favourite best = { 0, 0 };
	int64_t highest = INT64_MIN;
	uint32_t callbacks = 0; /* met since a callback is the best */

	for (uint32_t k = 0; k < n; k++) {
		uint32_t key = priority_key(world_alternative_process(w, k));
		int64_t priority = *priorities_of(p, key);

		if (priority > highest) {
			highest = priority;
			best = (struct favourite){ k, key };
			callbacks = !key;
		} else if (!key && callbacks && !best.key) {
			if (!prng_below(&p->prng, ++callbacks))
				best.answer = k;
		}
	}
	return best;
}
