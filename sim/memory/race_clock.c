/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "engine/world_impl.h"
#include "memory/race_impl.h"

static size_t
clock_bytes(uint32_t count)
{
	return sizeof(struct race_clock) + count * sizeof(uint32_t);
}

void
race_clock_put(struct world *w, struct race_clock *c)
{
	if (c && !--c->refs)
		world_free(w, c, clock_bytes(c->count));
}

/* One's own, with room for @count slots. */
static struct race_clock *
own(struct world *w, struct race_clock **c, uint32_t count)
{
	struct race_clock *was = *c, *copy;

	if (was && was->refs == 1 && was->count >= count)
		return was;
	count = (count + 7) & ~7u;
	if (was && was->count > count)
		count = was->count;
	copy = world_alloc(w, clock_bytes(count));
	copy->refs = 1;
	copy->count = count;
	if (was)
		memcpy(copy->t, was->t, was->count * sizeof(*was->t));
	race_clock_put(w, was);
	*c = copy;
	return copy;
}

/* Most joins bring nothing new: a clock that is shared stays shared. */
static bool
is_before(const struct race_clock *a, const struct race_clock *b)
{
	uint32_t both = a->count < b->count ? a->count : b->count, i;

	for (i = 0; i < both; i++)
		if (a->t[i] > b->t[i])
			return false;
	for (; i < a->count; i++)
		if (a->t[i])
			return false;
	return true;
}

void
race_clock_join(struct world *w, struct race_clock **to, struct race_clock *from)
{
	struct race_clock *c;

	if (!from || from == *to)
		return;
	if (!*to) {
		*to = race_clock_share(from);
		return;
	}
	if (is_before(from, *to))
		return;
	c = own(w, to, from->count);
	for (uint32_t i = 0; i < from->count; i++)
		if (c->t[i] < from->t[i])
			c->t[i] = from->t[i];
}

void
race_clock_set(struct world *w, struct race_clock **to, uint32_t slot, uint32_t epoch)
{
	own(w, to, slot + 1)->t[slot] = epoch;
}
