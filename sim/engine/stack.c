/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks of actors: slabs of one size, given back when an actor ends. */
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

/* Free stacks are linked through nodes in the arena's objects, so that restoring needs no stack. */
struct free_stack {
	struct free_stack *next;
	char *stack;
};

char *
stack_alloc(struct world *w, size_t bytes)
{
	struct stack_class *c = stack_class(w, bytes);

	if (!c->free) {
		/* Slabs double, up to 16 times: few actors take little, very many take few
		 * mappings. */
		unsigned stacks = STACKS_PER_SLAB << (c->slabs < 4 ? c->slabs : 4);
		char *slab =
			arena_alloc_stacks(w->arena, ARENA_PAGE + bytes * stacks, c->slabs >= 4);

		if (!slab)
			world_fail(w,
				   "out of memory for the stacks of actors (limit of the arena)");
		arena_guard(w->arena, slab);
		c->slabs++;
		for (unsigned i = stacks; i-- > 0;) {
			struct free_stack *f = world_alloc(w, sizeof(*f));

			f->stack = slab + ARENA_PAGE + i * bytes;
			switch_register(f->stack, bytes);
			f->next = c->free;
			c->free = f;
		}
	}

	struct free_stack *f = c->free;
	char *stack = f->stack;

	c->free = f->next;
	world_free(w, f, sizeof(*f));
	return stack;
}

void
stack_release(struct world *w, struct actor *a)
{
	struct stack_class *c = stack_class(w, a->stack_bytes);
	struct free_stack *f = world_alloc(w, sizeof(*f));

	f->stack = a->stack;
	f->next = c->free;
	c->free = f;
	a->stack = NULL;
}
