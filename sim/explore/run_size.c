/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/run_size.h"

#include <string.h>

bool
run_size_below(const struct run_size *a, const struct run_size *b)
{
	const uint64_t x[] = { a->preemptions, a->delayed, a->picks, a->sum, a->steps };
	const uint64_t y[] = { b->preemptions, b->delayed, b->picks, b->sum, b->steps };

	for (size_t i = 0; i < sizeof(x) / sizeof(*x); i++)
		if (x[i] != y[i])
			return x[i] < y[i];
	return false;
}

/* --- what the world tells ------------------------------------------------------------------- */

static void
on_step(struct step_watch *watch, struct world *w, struct process p)
{
	struct run_counter *c = (struct run_counter *)watch;

	if (p.kind == PROCESS_FLUSH)
		return;
	c->preemptions += c->left && p.id != c->left;
	c->left = NULL;
	c->others += p.id != c->last;
	c->last = p.id;
}

static void
on_access(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
	  uint32_t size, unsigned how)
{
	struct run_counter *c = (struct run_counter *)watch;

	if (!(how & WATCH_BUFFERED) || c->stores == RUN_SIZE_STORES_MAX)
		return;
	c->store[c->stores].actor = a;
	c->store[c->stores].offset = offset;
	c->store[c->stores].size = size;
	c->store[c->stores++].others = c->others;
}

static void
on_flush(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset, uint32_t size)
{
	struct run_counter *c = (struct run_counter *)watch;

	for (unsigned i = 0; i < c->stores; i++) {
		if (c->store[i].actor != a || c->store[i].offset != offset ||
		    c->store[i].size != size)
			continue;
		c->delayed += c->store[i].others != c->others;
		memmove(&c->store[i], &c->store[i + 1], (--c->stores - i) * sizeof(*c->store));
		return;
	}
}

static void
on_touch(struct step_watch *watch, struct world *w, uint64_t offset, uint64_t size, unsigned how)
{
}

static void
on_process(struct step_watch *watch, struct world *w, struct process p)
{
}

static void
on_advance(struct step_watch *watch, struct world *w)
{
}

/* --- counting ------------------------------------------------------------------------------- */

void
run_counter_start(struct run_counter *c, struct world *w)
{
	*c = (struct run_counter){ .watch = { .step = on_step,
					      .access = on_access,
					      .touch = on_touch,
					      .flush = on_flush,
					      .woke = on_process,
					      .stopped = on_process,
					      .advanced = on_advance } };
	world_set_watch(w, &c->watch);
}

/* What is still in a buffer was never seen by who went on. */
void
run_counter_end(struct run_counter *c, struct world *w)
{
	world_set_watch(w, NULL);
	for (unsigned i = 0; i < c->stores; i++)
		c->delayed += c->store[i].others != c->others;
}

void
run_counter_ask(struct run_counter *c, const struct world *w, uint32_t pick, enum choice_kind kind)
{
	if (pick && kind == CHOICE_ACTOR && world_at_point(w))
		c->left = actor_current(w);
}

struct run_size
run_size_of(const struct run_counter *c, const struct schedule *s, uint64_t steps)
{
	struct run_size size = { c->preemptions, c->delayed, s->count, 0, steps };

	for (size_t i = 0; i < s->count; i++)
		size.sum += s->picks[i].pick;
	return size;
}
