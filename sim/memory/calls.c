/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/calls.h"

#include <stdlib.h>

#include "base/hash.h"
#include "engine/world_impl.h"
#include "memory/access.h"
#include "memory/site.h"

/* Of one actor. Out of date, hence empty, when the world was restored since. */
struct call_stack {
	uint64_t epoch;
	uint32_t depth; /* may be above CALLS_DEPTH_MAX */
	uint16_t number; /* of what is there now, if it is known */
	bool known;
	const void *caller[CALLS_DEPTH_MAX]; /* the outermost first */
};

struct numbered {
	uint64_t hash;
	uint32_t depth;
	const void **caller;
};

struct calls {
	struct call_stack *of; /* by actor id; 0: callbacks */
	size_t actors;
	struct numbered *stack; /* number - 1 */
	uint32_t stacks, capacity;
	uint32_t *index; /* by hash, open addressing: numbers */
	uint32_t index_capacity;
};

static void
calls_free(void *context)
{
	struct calls *c = context;

	for (uint32_t i = 0; i < c->stacks; i++)
		free(c->stack[i].caller);
	free(c->of);
	free(c->stack);
	free(c->index);
	free(c);
}

static struct call_stack *
stack_of(struct world *w)
{
	struct calls *c = w->host->calls;
	uint32_t id = w->current ? w->current->id : 0;
	struct call_stack *s;

	if (id >= c->actors) {
		size_t actors = (size_t)id * 2 + 8;

		must(c->of = realloc(c->of, actors * sizeof(*c->of)));
		memset(c->of + c->actors, 0, (actors - c->actors) * sizeof(*c->of));
		c->actors = actors;
	}
	s = &c->of[id];
	if (s->epoch != w->host->epoch) {
		s->epoch = w->host->epoch;
		s->depth = 0;
		s->known = false;
	}
	return s;
}

/* --- numbers -------------------------------------------------------------------------------- */

static void
index_grow(struct calls *c)
{
	free(c->index);
	c->index_capacity = c->index_capacity ? c->index_capacity * 2 : 256;
	must(c->index = calloc(c->index_capacity, sizeof(*c->index)));
	for (uint32_t n = 1; n <= c->stacks; n++) {
		uint32_t i = (uint32_t)c->stack[n - 1].hash & (c->index_capacity - 1);

		while (c->index[i])
			i = (i + 1) & (c->index_capacity - 1);
		c->index[i] = n;
	}
}

static uint16_t
number_of(struct calls *c, const struct call_stack *s)
{
	uint32_t depth = s->depth < CALLS_DEPTH_MAX ? s->depth : CALLS_DEPTH_MAX, i;
	size_t bytes = depth * sizeof(*s->caller);
	uint64_t hash = hash_bytes(s->caller, bytes, depth);

	if (!depth)
		return 0;
	if (c->stacks * 2 >= c->index_capacity)
		index_grow(c);
	for (i = (uint32_t)hash & (c->index_capacity - 1); c->index[i];
	     i = (i + 1) & (c->index_capacity - 1)) {
		const struct numbered *n = &c->stack[c->index[i] - 1];

		if (n->hash == hash && n->depth == depth && !memcmp(n->caller, s->caller, bytes))
			return (uint16_t)c->index[i];
	}
	if (c->stacks == CALLS_STACKS_MAX)
		return 0;
	if (c->stacks == c->capacity) {
		c->capacity = c->capacity ? c->capacity * 2 : 64;
		must(c->stack = realloc(c->stack, c->capacity * sizeof(*c->stack)));
	}

	struct numbered *n = &c->stack[c->stacks++];

	*n = (struct numbered){ hash, depth, malloc(bytes) };
	must(n->caller);
	memcpy(n->caller, s->caller, bytes);
	c->index[i] = c->stacks;
	return (uint16_t)c->stacks;
}

/* For the events of the recorder: where the running actor is. */
static uint16_t
calls_now(struct world *w)
{
	struct call_stack *s = stack_of(w);

	if (!s->known) {
		s->number = number_of(w->host->calls, s);
		s->known = true;
	}
	return s->number;
}

/* --- what the compiler tells ---------------------------------------------------------------- */

void
calls_enter(struct world *w, const void *caller)
{
	struct world_host *h = w->host;
	struct call_stack *s;

	if (!h->calls) {
		must(h->calls = calloc(1, sizeof(struct calls)));
		h->calls_free = calls_free;
		h->calls_now = calls_now;
	}
	/* A store belongs to the function that made it. */
	if (w->current)
		memory_settle(w, w->current);
	s = stack_of(w);
	if (s->depth < CALLS_DEPTH_MAX)
		s->caller[s->depth] = caller;
	s->depth++;
	s->known = false;
}

void
calls_leave(struct world *w)
{
	struct call_stack *s;

	if (!w->host->calls)
		return;
	if (w->current)
		memory_settle(w, w->current);
	s = stack_of(w);
	s->depth -= s->depth > 0;
	s->known = false;
}

size_t
calls_sites(const struct world *w, uint16_t number, int64_t *site, size_t max)
{
	const struct calls *c = w->host->calls;
	const struct numbered *n;
	size_t count;

	if (!c || !number || number > c->stacks)
		return 0;
	n = &c->stack[number - 1];
	count = n->depth < max ? n->depth : max;
	for (size_t i = 0; i < count; i++)
		site[i] = site_of(n->caller[n->depth - 1 - i]);
	return count;
}
