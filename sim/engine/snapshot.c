/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each schedule starts from: the arena's pages, and what is live of the actors' stacks. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

__attribute__((no_sanitize("address"))) void
stack_copy(void *to, const void *from, size_t bytes)
{
#if SWITCH_ASAN
	typedef uint64_t word __attribute__((may_alias));

	for (size_t i = 0; i < bytes / 8; i++)
		((word *)to)[i] = ((const word *)from)[i];
#else
	memcpy(to, from, bytes);
#endif
}

static void
stacks_save(struct world *w)
{
	struct world_host *h = w->host;
	size_t total = 0;

	free(h->saved);
	free(h->saved_bytes);
	must(h->saved = calloc(w->actor_count + 1, sizeof(*h->saved)));
	h->saved_count = w->actor_count;
	for (uint32_t i = 0; i < w->actor_count; i++) {
		struct actor *a = w->actors[i];
		struct saved_stack *s = &h->saved[i];

		if (a->state == ACTOR_DONE)
			continue;
		s->from = a->sp;
		s->bytes = stack_live_bytes(a);
		s->offset = total;
		total += s->bytes;
	}
	must(h->saved_bytes = malloc(total + 8));
	for (uint32_t i = 0; i < w->actor_count; i++)
		if (h->saved[i].bytes)
			stack_copy(h->saved_bytes + h->saved[i].offset, h->saved[i].from,
				   h->saved[i].bytes);
}

void
world_snapshot(struct world *w)
{
	must(!w->current);
	if (w->memory && w->memory->snapshot)
		w->memory->snapshot(w);
	w->digest = hash_bytes(w->host->buffer, w->buffered * sizeof(struct event), w->digest);
	w->buffered = 0;
	w->host->ran_count = 0;
	w->host->epoch++;
	for (uint32_t i = 0; i < w->actor_count; i++)
		w->actors[i]->ran_epoch = 0; /* the same in all worlds that begin here */
	stacks_save(w);
	arena_snapshot(w->arena);
}

void
world_restore(struct world *w)
{
	struct world_host *h = w->host;

	world_flush(w);
	arena_restore(w->arena);
	for (size_t i = 0; i < h->ran_count; i++) {
		uint32_t id = h->ran[i];
		struct saved_stack *s = &h->saved[id - 1];

		if (id > h->saved_count || !s->bytes)
			continue;
#if SWITCH_ASAN
		__asan_unpoison_memory_region(w->actors[id - 1]->stack,
					      w->actors[id - 1]->stack_bytes);
#endif
		stack_copy(s->from, h->saved_bytes + s->offset, s->bytes);
	}
	h->ran_count = 0;
	h->epoch++;
	h->error.text[0] = 0;
}
