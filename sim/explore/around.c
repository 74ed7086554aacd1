/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/around.h"

#include <stdlib.h>

#include "base/must.h"
#include "engine/choice.h"
#include "engine/world.h"

struct entry {
	int64_t due_ns;
	uint32_t answer;
};

struct around {
	struct chooser chooser; /* first: the engine's pointer is ours */
	struct chooser *inner;
	struct entry *entry;
	uint32_t capacity;
};

/* By time; those of one time in the order of the queue. */
static int
compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->due_ns != y->due_ns)
		return x->due_ns < y->due_ns ? -1 : 1;
	return x->answer < y->answer ? -1 : x->answer > y->answer;
}

static uint32_t
around_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct around *a = (struct around *)self;
	uint32_t first = world_at_point(w); /* who runs goes on: that is answer 0 already */

	if (kind != CHOICE_ACTOR && kind != CHOICE_TIE)
		return a->inner->choose(a->inner, w, n, kind);
	if (n > a->capacity) {
		a->capacity = 2 * n;
		must(a->entry = realloc(a->entry, a->capacity * sizeof(*a->entry)));
	}
	for (uint32_t i = 0; i < n; i++)
		a->entry[i] = (struct entry){ i < first ? 0 : world_alternative_due(w, i), i };
	qsort(a->entry + first, n - first, sizeof(*a->entry), compare);
	return a->entry[a->inner->choose(a->inner, w, n, kind)].answer;
}

struct around *
around_create(void)
{
	struct around *a = calloc(1, sizeof(*a));

	must(a);
	a->chooser.choose = around_choose;
	return a;
}

void
around_destroy(struct around *a)
{
	if (a)
		free(a->entry);
	free(a);
}

void
around_begin(struct around *a, struct world *w)
{
	a->inner = world_chooser(w);
	world_set_chooser(w, &a->chooser);
}
