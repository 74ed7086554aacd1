/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks of actors: slabs of one size.  An actor that is done keeps its stack until another one
 * takes it over: giving it back allocates nothing.
 */
#include "base/must.h"
#include "engine/switch.h"
#include "engine/world_impl.h"

static struct stack_class *
stack_class(struct world *w, size_t bytes)
{
	struct stack_class *c;

	for (c = w->stacks; c; c = c->next)
		if (c->bytes == bytes)
			return c;
	c = world_alloc(w, sizeof(*c));
	*c = (struct stack_class){ .bytes = bytes, .next = w->stacks };
	w->stacks = c;
	return c;
}

/* Stacks double up to 16 times a slab: few actors take little, very many take few mappings. */
static void
slab_take(struct world *w, struct stack_class *c)
{
	unsigned doubled = c->slabs < 4 ? c->slabs : 4;
	unsigned stacks = STACKS_PER_SLAB << doubled;
	char *slab = arena_alloc_stacks(w->arena, ARENA_PAGE + c->bytes * stacks, c->slabs >= 4);

	if (!slab)
		world_fail(w, "out of memory for the stacks of actors (limit of the arena)");
	arena_guard(w->arena, slab);
	c->slabs++;
	c->fresh = slab + ARENA_PAGE;
	c->fresh_end = c->fresh + c->bytes * stacks;
	for (char *stack = c->fresh; stack < c->fresh_end; stack += c->bytes)
		switch_register(stack, c->bytes);
}

char *
stack_alloc(struct world *w, size_t bytes)
{
	struct stack_class *c = stack_class(w, bytes);
	struct actor *done = c->done;
	char *stack;

	if (done) {
		c->done = done->next;
		done->next = NULL;
		stack = done->stack;
		done->stack = NULL;
		return stack;
	}
	if (c->fresh == c->fresh_end)
		slab_take(w, c);
	stack = c->fresh;
	c->fresh += bytes;
	return stack;
}

void
stack_release(struct world *w, struct actor *a)
{
	struct stack_class *c = stack_class(w, a->stack_bytes);

	a->next = c->done;
	c->done = a;
}
