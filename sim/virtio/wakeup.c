/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/wakeup.h"

#include <stdio.h>

#include "base/must.h"
#include "engine/world.h"
#include "memory/guest_memory.h"

#define RAM_BYTES (UINT64_C(1) << 16)

static void
describe(const void *context, uint64_t offset, char *text, size_t size)
{
	static const char *const field[] = { "idx", "flag", "kick" };
	uint64_t word = offset / sizeof(uint32_t);

	if (word < 3)
		snprintf(text, size, "%s", field[word]);
	else
		snprintf(text, size, "data[%u]", (unsigned)(word - 3));
}

static void
producer(struct actor *self, void *arg)
{
	const struct wakeup *u = arg;

	ring_wakeup_produce(u->ring, u->items, &u->quirks);
}

static void
consumer(struct actor *self, void *arg)
{
	struct wakeup *u = arg;

	ring_wakeup_consume(u->ring, u->items, &u->quirks, &u->end);
}

struct wakeup *
wakeup_create(struct world *w, unsigned items, const struct ring_wakeup_quirks *quirks)
{
	struct wakeup *u = world_alloc(w, sizeof(*u));
	uint64_t gpa;

	must(items && items <= RING_WAKEUP_ITEMS_MAX);
	if (!gm_size(w))
		gm_create(w, RAM_BYTES);
	gpa = gm_alloc(w, sizeof(*u->ring), 64);
	gm_region(w, gpa, sizeof(*u->ring), "ring", describe, NULL);
	u->ring = gm_map(w, gpa, sizeof(*u->ring));
	u->items = items;
	u->quirks = *quirks;
	actor_set_ring_only(actor_create(w, "producer", producer, u, 0), true);
	actor_set_ring_only(actor_create(w, "consumer", consumer, u, 0), true);
	return u;
}

bool
wakeup_lost(const struct wakeup *u)
{
	return ring_wakeup_lost(u->ring, u->items, &u->end);
}
