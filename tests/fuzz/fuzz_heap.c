/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The priority queue against an unsorted list that is searched. */
#include "base/arena.h"
#include "base/heap.h"
#include "base/must.h"
#include "fuzz.h"

#define ENTRIES 512

struct model {
	int64_t time;
	uint64_t order;
	bool used;
	struct heap_handle handle;
};

static struct fuzz *told;
static unsigned told_next, told_soon;

/* What is told of is in the heap. */
static void
near(void *fn, void *arg, bool next)
{
	const struct model *m = arg;

	fuzz_check(told, m->used);
	told_next += next;
	told_soon += !next;
}

static int
model_first(const struct model *m)
{
	int best = -1;

	for (int i = 0; i < ENTRIES; i++)
		if (m[i].used && (best < 0 || m[i].time < m[best].time ||
				  (m[i].time == m[best].time && m[i].order < m[best].order)))
			best = i;
	return best;
}

static int
model_ties(const struct model *m, int64_t time)
{
	int n = 0;

	for (int i = 0; i < ENTRIES; i++)
		n += m[i].used && m[i].time == time;
	return n;
}

static void
push(struct fuzz *f, struct heap *h, struct arena *a, struct model *m)
{
	int i = (int)fuzz_below(f, ENTRIES);

	if (m[i].used)
		return;
	m[i] = (struct model){ .time = fuzz_below(f, 40), .order = f->operation, .used = true };
	fuzz_check(f, heap_push(h, a, m[i].time, NULL, &m[i], &m[i].handle));
}

static void
pop(struct fuzz *f, struct heap *h, struct model *m)
{
	int first = model_first(m);
	struct heap_entry e;
	bool single = fuzz_below(f, 2);

	if (first >= 0 && single && model_ties(m, m[first].time) > 1) {
		fuzz_check(f, !heap_pop_single(h, &e));
		return;
	}
	fuzz_check(f, (single ? heap_pop_single(h, &e) : heap_pop(h, &e)) == (first >= 0));
	if (first < 0)
		return;
	fuzz_check(f, e.time == m[first].time && e.arg == &m[first]);
	m[first].used = false;
}

static void
take_out(struct fuzz *f, struct heap *h, struct model *m)
{
	int i = (int)fuzz_below(f, ENTRIES);

	fuzz_check(f, heap_remove(h, m[i].handle) == m[i].used);
	m[i].used = false;
}

static void
fuzz_round(struct fuzz *f)
{
	static struct model m[ENTRIES];
	struct arena *a = arena_create((size_t)64 << 20, 0, NULL);
	uint32_t bias = 1 + fuzz_below(f, 8);
	struct heap h;

	must(a);
	heap_init(&h);
	told = f;
	h.near = near;
	for (int i = 0; i < ENTRIES; i++)
		m[i] = (struct model){ 0 };
	for (f->operation = 1; f->operation <= 3000; f->operation++) {
		uint32_t what = fuzz_below(f, bias + 4);

		if (what < bias)
			push(f, &h, a, m);
		else if (what < bias + 3)
			pop(f, &h, m);
		else
			take_out(f, &h, m);
		if (h.count)
			fuzz_check(f, heap_first_time(&h) == m[model_first(m)].time);
		else
			fuzz_check(f, model_first(m) < 0);
	}
	fuzz_check(f, told_next && told_soon);
	arena_destroy(a);
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "heap", 20, fuzz_round);
}
