/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/around.h"

#include <stdlib.h>

#include "base/must.h"
#include "engine/choice.h"
#include "engine/watch.h"
#include "engine/world.h"

struct entry {
	bool late; /* passed over before */
	int64_t due_ns;
	uint32_t answer;
};

struct around {
	struct chooser chooser; /* first: the engine's pointer is ours */
	struct chooser *inner;
	struct entry *entry;
	uint32_t capacity;
	struct process *late; /* passed over in this run */
	size_t late_count, late_capacity;
};

static struct process *
find_late(const struct around *a, struct process p)
{
	for (size_t i = 0; i < a->late_count; i++)
		if (a->late[i].kind == p.kind && a->late[i].id == p.id && a->late[i].code == p.code)
			return &a->late[i];
	return NULL;
}

static void
pass_over(struct around *a, struct process p)
{
	if (find_late(a, p))
		return;
	if (a->late_count == a->late_capacity) {
		a->late_capacity = a->late_capacity ? 2 * a->late_capacity : 16;
		must(a->late = realloc(a->late, a->late_capacity * sizeof(*a->late)));
	}
	a->late[a->late_count++] = p;
}

static void
take(struct around *a, struct process p)
{
	struct process *late = find_late(a, p);

	if (late)
		*late = a->late[--a->late_count];
}

/* By time; those of one time in the order of the queue. */
static int
compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->late != y->late)
		return x->late ? 1 : -1;
	if (x->due_ns != y->due_ns)
		return x->due_ns < y->due_ns ? -1 : 1;
	return x->answer < y->answer ? -1 : x->answer > y->answer;
}

static uint32_t
around_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct around *a = (struct around *)self;
	uint32_t first = world_at_point(w); /* who runs goes on: that is answer 0 already */
	uint32_t answer;

	if (kind != CHOICE_ACTOR && kind != CHOICE_TIE)
		return a->inner->choose(a->inner, w, n, kind);
	if (n > a->capacity) {
		a->capacity = 2 * n;
		must(a->entry = realloc(a->entry, a->capacity * sizeof(*a->entry)));
	}
	/* Who runs was not left behind, whether somebody asked for it or not. */
	if (a->late_count && actor_current(w))
		take(a, (struct process){ .kind = PROCESS_ACTOR, .id = actor_current(w) });
	for (uint32_t i = 0; i < n; i++)
		a->entry[i] = (struct entry){
			.late = a->late_count && find_late(a, world_alternative_process(w, i)),
			.due_ns = i < first ? 0 : world_alternative_due(w, i),
			.answer = i,
		};
	qsort(a->entry + first, n - first, sizeof(*a->entry), compare);
	answer = a->inner->choose(a->inner, w, n, kind);
	for (uint32_t i = 0; !first && !a->entry[answer].late && i < answer; i++)
		pass_over(a, world_alternative_process(w, a->entry[i].answer));
	if (a->late_count)
		take(a, world_alternative_process(w, a->entry[answer].answer));
	return a->entry[answer].answer;
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
	if (a) {
		free(a->entry);
		free(a->late);
	}
	free(a);
}

void
around_begin(struct around *a, struct world *w)
{
	a->late_count = 0;
	a->inner = world_chooser(w);
	world_set_chooser(w, &a->chooser);
}
