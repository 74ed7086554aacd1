/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory models against what is known of them: the classic shapes, an x86-TSO machine of its
 * own written here from the published definition, and each model within the next weaker one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/prng.h"
#include "datapath/barrier.h"
#include "engine/world.h"
#include "memory/access.h"
#include "memory/guest_memory.h"
#include "memory/model.h"

#define THREADS 4
#define OPS 5
#define REGS 2
#define LOCATIONS 3
#define BASE 0x1000

enum op { END, W, R, MB, RMB, WMB, WREL, RACQ, XCHG };

struct instruction {
	enum op op;
	uint8_t location, value; /* R, RACQ: value is the register; XCHG: stores 9 */
};

struct program {
	struct instruction thread[THREADS][OPS];
};

/* Registers (a nibble each), then what memory holds at the end. */
struct outcomes {
	uint64_t *seen;
	size_t count, capacity;
};

static void
outcome_add(struct outcomes *o, uint64_t outcome)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->seen[i] == outcome)
			return;
	if (o->count == o->capacity) {
		o->capacity = o->capacity ? 2 * o->capacity : 16;
		o->seen = realloc(o->seen, o->capacity * sizeof(*o->seen));
		assert_non_null(o->seen);
	}
	o->seen[o->count++] = outcome;
}

static bool
outcome_in(const struct outcomes *o, uint64_t outcome)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->seen[i] == outcome)
			return true;
	return false;
}

/* --- on the engine -------------------------------------------------------------------------- */

struct machine {
	struct world *w;
	const struct program *program;
	uint8_t reg[THREADS][REGS];
};

struct thread {
	struct machine *m;
	unsigned number;
};

/* Far enough from each other for any model. */
static volatile uint32_t *
place(const struct machine *m, unsigned location)
{
	return gm_map(m->w, BASE + 16 * location, 4);
}

/* This file is not instrumented: it calls the hook that the compiler would. */
static uint32_t
load(volatile uint32_t *p, const struct machine *m, uint32_t how)
{
	access_shared(m->w, (uint64_t)((char *)p - (char *)gm_map(m->w, 0, 1)), 4,
		      ACCESS_LOAD | how, __builtin_return_address(0));
	return *p;
}

static void
store(volatile uint32_t *p, uint32_t value, const struct machine *m, uint32_t how)
{
	access_shared(m->w, (uint64_t)((char *)p - (char *)gm_map(m->w, 0, 1)), 4,
		      ACCESS_STORE | how, __builtin_return_address(0));
	*p = value;
}

static void
execute(struct machine *m, unsigned t, struct instruction i)
{
	volatile uint32_t *p = place(m, i.location);

	switch (i.op) {
	case W:
		store(p, i.value, m, 0);
		break;
	case WREL:
		store(p, i.value, m, ACCESS_RELEASE);
		break;
	case R:
		m->reg[t][i.value] = (uint8_t)load(p, m, 0);
		break;
	case RACQ:
		m->reg[t][i.value] = (uint8_t)load(p, m, ACCESS_ACQUIRE);
		break;
	case XCHG:
		access_shared(m->w, BASE + 16 * i.location, 4,
			      ACCESS_RMW | ACCESS_ACQUIRE | ACCESS_RELEASE | ACCESS_SEQ_CST,
			      __builtin_return_address(0));
		m->reg[t][i.value] = (uint8_t)*p;
		*p = 9;
		break;
	case MB:
		ringside_fence(DP_FENCE_MB);
		break;
	case RMB:
		ringside_fence(DP_FENCE_RMB);
		break;
	case WMB:
		ringside_fence(DP_FENCE_WMB);
		break;
	case END:
		break;
	}
}

static void
thread_main(struct actor *self, void *arg)
{
	struct thread *t = arg;
	const struct instruction *i = t->m->program->thread[t->number];

	for (unsigned n = 0; n < OPS && i[n].op; n++)
		execute(t->m, t->number, i[n]);
}

struct setup {
	const struct program *program;
	enum memory_model model;
	bool ordered;
	struct machine *m;
};

static void
build(struct world *w, void *arg)
{
	struct setup *s = arg;

	gm_create(w, 1 << 16);
	memory_set_model(w, s->model);
	if (s->ordered)
		memory_order_loads(w, true);
	s->m = world_alloc(w, sizeof(*s->m));
	s->m->w = w;
	s->m->program = s->program;
	for (unsigned i = 0; i < THREADS; i++) {
		struct thread *t = world_alloc(w, sizeof(*t));
		char name[8];

		if (!s->program->thread[i][0].op)
			continue;
		*t = (struct thread){ s->m, i };
		snprintf(name, sizeof(name), "P%u", i);
		actor_create(w, name, thread_main, t, 0);
	}
}

/* Every schedule, by depth-first search over all answers. */
struct search {
	struct chooser chooser;
	struct choice stack[4096];
	size_t depth, length;
};

static uint32_t
search_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct search *s = (struct search *)self;

	if (s->depth == s->length) {
		assert_true(s->length < 4096);
		s->stack[s->length++] = (struct choice){ 0, (uint16_t)n };
	}
	assert_int_equal(s->stack[s->depth].n, n);
	return s->stack[s->depth++].pick;
}

static bool
search_next(struct search *s)
{
	while (s->length && s->stack[s->length - 1].pick + 1u == s->stack[s->length - 1].n)
		s->length--;
	if (!s->length)
		return false;
	s->stack[s->length - 1].pick++;
	s->depth = 0;
	return true;
}

static uint64_t
outcome_of(const struct machine *m)
{
	uint64_t o = 0;

	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned r = 0; r < REGS; r++)
			o = o << 4 | m->reg[t][r];
	for (unsigned l = 0; l < LOCATIONS; l++)
		o = o << 4 | *place(m, l);
	return o;
}

static struct outcomes
explore(const struct program *p, enum memory_model model, bool ordered)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct setup s = { p, model, ordered, NULL };
	static struct search search;
	struct outcomes o = { 0 };
	struct error err = { 0 };
	struct world *w = world_create(&config, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, build, &s, &err), 0);
	search = (struct search){ .chooser = { search_choose } };
	world_set_chooser(w, &search.chooser);
	world_snapshot(w);
	do {
		world_restore(w);
		search.depth = 0;
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		outcome_add(&o, outcome_of(s.m));
	} while (search_next(&search));
	world_destroy(w);
	return o;
}

/* --- the x86-TSO machine -------------------------------------------------------------------- */

struct tso {
	uint8_t pc[THREADS], reg[THREADS][REGS], memory[LOCATIONS];
	uint8_t buffer[THREADS][OPS][2], buffered[THREADS];
};

static uint8_t
tso_read(const struct tso *s, unsigned t, uint8_t location)
{
	for (unsigned i = s->buffered[t]; i-- > 0;)
		if (s->buffer[t][i][0] == location)
			return s->buffer[t][i][1];
	return s->memory[location];
}

static void
tso_search(const struct program *p, struct tso s, struct outcomes *o, struct outcomes *visited);

static void
tso_instruction(const struct program *p, struct tso s, unsigned t, struct outcomes *o,
		struct outcomes *visited)
{
	struct instruction i = p->thread[t][s.pc[t]];

	if ((i.op == MB || i.op == XCHG) && s.buffered[t])
		return;
	s.pc[t]++;
	if (i.op == W || i.op == WREL) {
		s.buffer[t][s.buffered[t]][0] = i.location;
		s.buffer[t][s.buffered[t]++][1] = i.value;
	} else if (i.op == R || i.op == RACQ) {
		s.reg[t][i.value] = tso_read(&s, t, i.location);
	} else if (i.op == XCHG) {
		s.reg[t][i.value] = s.memory[i.location];
		s.memory[i.location] = 9;
	}
	tso_search(p, s, o, visited);
}

static void
tso_search(const struct program *p, struct tso s, struct outcomes *o, struct outcomes *visited)
{
	uint64_t key = hash_bytes(&s, sizeof(s), 0), outcome = 0;
	bool end = true;

	if (outcome_in(visited, key))
		return;
	outcome_add(visited, key);
	for (unsigned t = 0; t < THREADS; t++) {
		if (s.pc[t] < OPS && p->thread[t][s.pc[t]].op) {
			end = false;
			tso_instruction(p, s, t, o, visited);
		}
		if (s.buffered[t]) {
			struct tso next = s;

			end = false;
			next.memory[s.buffer[t][0][0]] = s.buffer[t][0][1];
			memmove(next.buffer[t][0], next.buffer[t][1], (OPS - 1) * 2);
			memset(next.buffer[t][--next.buffered[t]], 0, 2);
			tso_search(p, next, o, visited);
		}
	}
	if (!end)
		return;
	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned r = 0; r < REGS; r++)
			outcome = outcome << 4 | s.reg[t][r];
	for (unsigned l = 0; l < LOCATIONS; l++)
		outcome = outcome << 4 | s.memory[l];
	outcome_add(o, outcome);
}

/* --- the classic shapes --------------------------------------------------------------------- */

enum { x, y, z };

/* What each register is to be, 0xf: anything; then what x, y, z hold. */
struct shape {
	const char *name;
	struct program program;
	uint8_t wants[THREADS][REGS];
	uint8_t final[LOCATIONS];
	bool sc, tso, weak; /* whether the outcome can be seen */
};

#define MB_ \
	{ \
		MB, 0, 0 \
	}
#define RMB_ \
	{ \
		RMB, 0, 0 \
	}
#define WMB_ \
	{ \
		WMB, 0, 0 \
	}
#define ANY 0xf
#define ANYS \
	{ \
		ANY, ANY \
	}
#define ANY3 \
	{ \
		ANY, ANY, ANY \
	}

static const struct shape shapes[] = {
	{ "SB",
	  { { { { W, x, 1 }, { R, y, 0 } }, { { W, y, 1 }, { R, x, 0 } } } },
	  { { 0, ANY }, { 0, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  true,
	  true },
	{ "SB+mbs",
	  { { { { W, x, 1 }, MB_, { R, y, 0 } }, { { W, y, 1 }, MB_, { R, x, 0 } } } },
	  { { 0, ANY }, { 0, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "SB+mb+po",
	  { { { { W, x, 1 }, MB_, { R, y, 0 } }, { { W, y, 1 }, { R, x, 0 } } } },
	  { { 0, ANY }, { 0, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  true,
	  true },
	{ "SB+wmb+rmb: neither is a full barrier",
	  { { { { W, x, 1 }, WMB_, { R, y, 0 } }, { { W, y, 1 }, RMB_, { R, x, 0 } } } },
	  { { 0, ANY }, { 0, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  true,
	  true },
	{ "SB+xchgs",
	  { { { { XCHG, x, 1 }, { R, y, 0 } }, { { XCHG, y, 1 }, { R, x, 0 } } } },
	  { { 0, ANY }, { 0, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "SB+rfi: each reads its own store first",
	  { { { { W, x, 1 }, { R, x, 0 }, { R, y, 1 } },
	      { { W, y, 1 }, { R, y, 0 }, { R, x, 1 } } } },
	  { { 1, 0 }, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  true,
	  true },
	{ "MP",
	  { { { { W, x, 1 }, { W, y, 1 } }, { { R, y, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  true },
	{ "MP+wmb+po",
	  { { { { W, x, 1 }, WMB_, { W, y, 1 } }, { { R, y, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  true },
	{ "MP+po+rmb",
	  { { { { W, x, 1 }, { W, y, 1 } }, { { R, y, 0 }, RMB_, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  true },
	{ "MP+wmb+rmb",
	  { { { { W, x, 1 }, WMB_, { W, y, 1 } }, { { R, y, 0 }, RMB_, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "MP+rel+acq",
	  { { { { W, x, 1 }, { WREL, y, 1 } }, { { RACQ, y, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "LB",
	  { { { { R, x, 0 }, { W, y, 1 } }, { { R, y, 0 }, { W, x, 1 } } } },
	  { { 1, ANY }, { 1, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "2+2W",
	  { { { { W, x, 1 }, { W, y, 2 } }, { { W, y, 1 }, { W, x, 2 } } } },
	  { ANYS, ANYS, ANYS, ANYS },
	  { 1, 1, ANY },
	  false,
	  false,
	  true },
	{ "2+2W+mbs",
	  { { { { W, x, 1 }, MB_, { W, y, 2 } }, { { W, y, 1 }, MB_, { W, x, 2 } } } },
	  { ANYS, ANYS, ANYS, ANYS },
	  { 1, 1, ANY },
	  false,
	  false,
	  false },
	{ "R",
	  { { { { W, x, 1 }, { W, y, 1 } }, { { W, y, 2 }, { R, x, 0 } } } },
	  { ANYS, { 0, ANY }, ANYS, ANYS },
	  { ANY, 2, ANY },
	  false,
	  true,
	  true },
	{ "R+mbs",
	  { { { { W, x, 1 }, MB_, { W, y, 1 } }, { { W, y, 2 }, MB_, { R, x, 0 } } } },
	  { ANYS, { 0, ANY }, ANYS, ANYS },
	  { ANY, 2, ANY },
	  false,
	  false,
	  false },
	{ "S",
	  { { { { W, x, 2 }, { W, y, 1 } }, { { R, y, 0 }, { W, x, 1 } } } },
	  { ANYS, { 1, ANY }, ANYS, ANYS },
	  { 2, ANY, ANY },
	  false,
	  false,
	  true },
	{ "S+wmb+acq",
	  { { { { W, x, 2 }, WMB_, { W, y, 1 } }, { { RACQ, y, 0 }, { W, x, 1 } } } },
	  { ANYS, { 1, ANY }, ANYS, ANYS },
	  { 2, ANY, ANY },
	  false,
	  false,
	  false },
	{ "IRIW",
	  { { { { W, x, 1 } },
	      { { R, x, 0 }, { R, y, 1 } },
	      { { W, y, 1 } },
	      { { R, y, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, { 1, 0 } },
	  ANY3,
	  false,
	  false,
	  true },
	{ "IRIW+mbs",
	  { { { { W, x, 1 } },
	      { { R, x, 0 }, MB_, { R, y, 1 } },
	      { { W, y, 1 } },
	      { { R, y, 0 }, MB_, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, { 1, 0 } },
	  ANY3,
	  false,
	  false,
	  false },
	{ "WRC",
	  { { { { W, x, 1 } }, { { R, x, 0 }, { W, y, 1 } }, { { R, y, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, ANY }, { 1, 0 }, ANYS },
	  ANY3,
	  false,
	  false,
	  true },
	{ "WRC+rel+rmb",
	  { { { { W, x, 1 } },
	      { { R, x, 0 }, { WREL, y, 1 } },
	      { { R, y, 0 }, RMB_, { R, x, 1 } } } },
	  { ANYS, { 1, ANY }, { 1, 0 }, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "Z6.0+rel+acq-rel+mb: coherence is not causality",
	  { { { { W, x, 1 }, { WREL, y, 1 } },
	      { { RACQ, y, 0 }, { WREL, z, 1 } },
	      { { W, z, 2 }, MB_, { R, x, 0 } } } },
	  { ANYS, { 1, ANY }, { 0, ANY }, ANYS },
	  { ANY, ANY, 2 },
	  false,
	  false,
	  true },
	{ "ISA2+rel+acq-rel+acq",
	  { { { { W, x, 1 }, { WREL, y, 1 } },
	      { { RACQ, y, 0 }, { WREL, z, 1 } },
	      { { RACQ, z, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, ANY }, { 1, 0 }, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "CoRR",
	  { { { { W, x, 1 } }, { { R, x, 0 }, { R, x, 1 } } } },
	  { ANYS, { 1, 0 }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "CoWR",
	  { { { { W, x, 1 }, { R, x, 0 } }, { { W, x, 2 } } } },
	  { { 0, ANY }, ANYS, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
	{ "CoRW",
	  { { { { R, x, 0 }, { W, x, 1 } }, { { W, x, 2 } } } },
	  { { 2, ANY }, ANYS, ANYS, ANYS },
	  { 2, ANY, ANY },
	  false,
	  false,
	  false },
	{ "two exchanges never read the same",
	  { { { { XCHG, x, 0 } }, { { XCHG, x, 0 } } } },
	  { { 0, ANY }, { 0, ANY }, ANYS, ANYS },
	  ANY3,
	  false,
	  false,
	  false },
};

static bool
shape_seen(const struct shape *s, const struct outcomes *o)
{
	for (size_t i = 0; i < o->count; i++) {
		uint64_t v = o->seen[i];
		bool is = true;

		for (unsigned l = LOCATIONS; l-- > 0; v >>= 4)
			is &= s->final[l] == ANY || s->final[l] == (v & 0xf);
		for (unsigned r = THREADS * REGS; r-- > 0; v >>= 4)
			is &= s->wants[r / REGS][r % REGS] == ANY ||
			      s->wants[r / REGS][r % REGS] == (v & 0xf);
		if (is)
			return true;
	}
	return false;
}

static void
the_classic_shapes(void **state)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		const bool want[] = { s->sc, s->tso, s->weak };

		for (int m = 0; m < MEMORY_MODELS; m++) {
			struct outcomes o = explore(&s->program, m, false);

			if (shape_seen(s, &o) != want[m])
				fail_msg("%s under %s: %s", s->name, memory_model_name[m],
					 want[m] ? "not seen" : "seen");
			free(o.seen);
		}
	}
}

/* --- models against each other -------------------------------------------------------------- */

static void
random_program(struct program *p, struct prng *prng)
{
	static const enum op ops[] = { W, R, W, R, W, R, MB, XCHG, WREL, RACQ };

	memset(p, 0, sizeof(*p));
	for (unsigned t = 0; t < 2 + prng_below(prng, 2); t++) {
		unsigned regs = 0, length = t == 2 ? 2 : 3;

		for (unsigned i = 0; i < length; i++) {
			struct instruction *n = &p->thread[t][i];

			n->op = ops[prng_below(prng, sizeof(ops) / sizeof(ops[0]))];
			n->location = (uint8_t)prng_below(prng, 2);
			n->value = (uint8_t)(1 + t * OPS + i) % 9;
			if (n->op == R || n->op == RACQ || n->op == XCHG) {
				if (regs == REGS)
					n->op = W;
				else
					n->value = (uint8_t)regs++;
			}
		}
	}
}

static void
tso_is_x86_tso(void **state)
{
	struct prng prng;

	prng_seed(&prng, 1);
	for (int n = 0; n < 150; n++) {
		struct program p;
		struct outcomes want = { 0 }, visited = { 0 }, o;

		random_program(&p, &prng);
		tso_search(&p, (struct tso){ 0 }, &want, &visited);
		o = explore(&p, MEMORY_TSO, false);
		for (size_t i = 0; i < want.count; i++)
			if (!outcome_in(&o, want.seen[i]))
				fail_msg("program %d: x86-TSO allows %llx, the engine does not", n,
					 (unsigned long long)want.seen[i]);
		assert_int_equal(o.count, want.count);
		free(o.seen);
		free(want.seen);
		free(visited.seen);
	}
}

static void
each_model_is_within_the_next(void **state)
{
	struct prng prng;

	prng_seed(&prng, 2);
	for (int n = 0; n < 60; n++) {
		struct program p;
		struct outcomes o[MEMORY_MODELS + 1];

		random_program(&p, &prng);
		memset(p.thread[2], 0, sizeof(p.thread[2]));
		for (int m = 0; m < MEMORY_MODELS; m++)
			o[m] = explore(&p, m, false);
		o[MEMORY_MODELS] = explore(&p, MEMORY_WEAK, true);
		for (int m = 0; m + 1 < MEMORY_MODELS; m++)
			for (size_t i = 0; i < o[m].count; i++)
				assert_true(outcome_in(&o[m + 1], o[m].seen[i]));
		/* Ordered loads take outcomes away only. */
		for (size_t i = 0; i < o[MEMORY_MODELS].count; i++)
			assert_true(outcome_in(&o[MEMORY_WEAK], o[MEMORY_MODELS].seen[i]));
		for (int m = 0; m <= MEMORY_MODELS; m++)
			free(o[m].seen);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_classic_shapes),
		cmocka_unit_test(tso_is_x86_tso),
		cmocka_unit_test(each_model_is_within_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
