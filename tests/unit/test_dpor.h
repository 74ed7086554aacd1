/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random small programs, run under a strategy or under plain depth-first search, and what came out:
 * the set of final states, and the set of traces (who read what, in which order the bytes of each
 * location became what they are), which for programs of accesses alone are the classes that `dpor`
 * counts.
 */
#ifndef TEST_DPOR_H
#define TEST_DPOR_H

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
#include "engine/watch.h"
#include "engine/world.h"
#include "explore/dpor.h"
#include "explore/strategy.h"
#include "memory/access.h"
#include "memory/guest_memory.h"

#define PROGRAM_ACTORS 3u
#define PROGRAM_OPS 5u
#define PROGRAM_BYTES 16u

enum op_kind {
	OP_LOAD,
	OP_STORE,
	OP_RMW,
	OP_FENCE,
	OP_SKIP, /* the next one, if the last load saw an odd byte */
	OP_KINDS_MEMORY,
	OP_MODEL = OP_KINDS_MEMORY, /* a point, and a step of a model */
	OP_WAIT, /* for a token */
	OP_WAKE, /* gives a token */
	OP_WRITE, /* a model writes guest memory */
	OP_CHOICE,
	OP_TIMER,
	OP_SLEEP,
	OP_HOLD, /* another actor, for one point */
	OP_STOP, /* end the run, as an oracle does, if this actor saw something odd */
	OP_KINDS
};

struct op {
	uint8_t kind, at, bytes, value;
};

struct program {
	struct op op[PROGRAM_ACTORS][PROGRAM_OPS];
	unsigned actors, ops[PROGRAM_ACTORS];
	bool models;
};

/* What a run did; in the arena. */
struct program_run {
	const struct program *program;
	uint8_t *memory;
	uint64_t gpa;
	struct waitq tokens_wait;
	unsigned tokens;
	struct actor *actor[PROGRAM_ACTORS];
	uint64_t saw[PROGRAM_ACTORS]; /* by each actor, folded */
	uint64_t order[PROGRAM_BYTES]; /* of stores to each byte, folded */
	uint64_t models; /* order of the steps of models, folded */
};

static struct program_run *program_run; /* of the world under test */

static inline uint64_t
fold(uint64_t into, uint64_t word)
{
	return hash_u64(into * 31 + word + UINT64_C(0x9e3779b97f4a7c15));
}

/* As compiled code does it: the hook, then the access. */
static inline uint8_t *
program_access(struct world *w, uint64_t at, unsigned bytes, enum access_kind kind)
{
	access_shared(w, program_run->gpa + at, bytes, kind, __builtin_return_address(0));
	return program_run->memory + at;
}

static inline uint32_t
program_load(struct world *w, const struct op *o)
{
	uint32_t value = 0;

	memcpy(&value, program_access(w, o->at, o->bytes, ACCESS_LOAD), o->bytes);
	return value;
}

static inline void
program_store(struct world *w, const struct op *o)
{
	memset(program_access(w, o->at, o->bytes, ACCESS_STORE), o->value, o->bytes);
}

static inline uint32_t
program_exchange(struct world *w, const struct op *o)
{
	uint8_t *p = program_access(w, o->at & ~3u, 4, ACCESS_RMW);
	uint32_t value;

	memcpy(&value, p, 4);
	memset(p, o->value, 4);
	return value;
}

static inline void
program_tick(struct world *w, void *arg)
{
	(void)w;
	program_run->models = fold(program_run->models, 1000 + (uintptr_t)arg);
}

static inline void
program_model_op(struct world *w, unsigned self, const struct op *o)
{
	struct program_run *r = program_run;
	struct actor *other = r->actor[(self + 1) % r->program->actors];
	uint8_t bytes[4];

	if (o->kind != OP_CHOICE && o->kind != OP_SLEEP)
		actor_point(w);
	switch (o->kind) {
	case OP_MODEL:
		r->models = fold(r->models, self);
		break;
	case OP_WAIT:
		while (!r->tokens)
			waitq_wait(w, &r->tokens_wait);
		r->tokens--;
		r->saw[self] = fold(r->saw[self], r->models);
		break;
	case OP_WAKE:
		r->tokens++;
		waitq_wake_one(w, &r->tokens_wait);
		break;
	case OP_WRITE:
		memset(bytes, o->value, sizeof(bytes));
		gm_write(w, r->gpa + o->at, bytes, o->bytes);
		break;
	case OP_CHOICE:
		r->saw[self] = fold(r->saw[self], world_choose(w, 2, CHOICE_OUTCOME));
		break;
	case OP_TIMER:
		world_after(w, o->at, program_tick, (void *)(uintptr_t)o->value);
		break;
	case OP_SLEEP:
		actor_sleep(w, o->at);
		r->saw[self] = fold(r->saw[self], r->models);
		break;
	case OP_HOLD:
		actor_hold(other);
		actor_point(w);
		r->models = fold(r->models, self + 10);
		actor_release(other);
		break;
	case OP_STOP:
		if (r->saw[self] & 1)
			world_stop(w, STOP_ASKED);
		break;
	default:
		break;
	}
}

static inline void
program_actor(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	unsigned number = (unsigned)(uintptr_t)arg;
	const struct program *p = program_run->program;
	uint64_t *saw = &program_run->saw[number];
	uint32_t last = 0;

	for (unsigned i = 0; i < p->ops[number]; i++) {
		const struct op *o = &p->op[number][i];

		switch (o->kind) {
		case OP_LOAD:
			last = program_load(w, o);
			*saw = fold(*saw, last);
			break;
		case OP_STORE:
			program_store(w, o);
			break;
		case OP_RMW:
			last = program_exchange(w, o);
			*saw = fold(*saw, last);
			break;
		case OP_FENCE:
			ringside_fence(0);
			break;
		case OP_SKIP:
			i += last & 1;
			break;
		default:
			program_model_op(w, number, o);
			break;
		}
	}
}

static inline void
program_setup(struct world *w, void *arg)
{
	struct program_run *r = world_alloc(w, sizeof(*r));
	char name[16];

	r->program = arg;
	program_run = r;
	gm_create(w, 1 << 16);
	r->gpa = gm_alloc(w, PROGRAM_BYTES, 64);
	r->memory = gm_map(w, r->gpa, PROGRAM_BYTES);
	waitq_init(&r->tokens_wait, w, "tokens");
	for (unsigned i = 0; i < r->program->actors; i++) {
		snprintf(name, sizeof(name), "a%u", i);
		r->actor[i] = actor_create(w, name, program_actor, (void *)(uintptr_t)i, 0);
		actor_set_ring_only(r->actor[i], !r->program->models);
	}
}

/* Each value is stored once, so that what a load saw names the store. */
static inline void
program_random(struct program *p, struct prng *prng, bool models)
{
	unsigned value = 1;

	memset(p, 0, sizeof(*p));
	p->models = models;
	p->actors = 2 + (unsigned)prng_below(prng, 2);
	for (unsigned a = 0; a < p->actors; a++) {
		unsigned most = p->actors == 2 ? 4 : 3;

		p->ops[a] = 2 + (unsigned)prng_below(prng, most - 1);
		for (unsigned i = 0; i < p->ops[a]; i++) {
			struct op *o = &p->op[a][i];
			unsigned size = (unsigned)prng_below(prng, 8);

			o->kind = (uint8_t)prng_below(prng, models ? OP_KINDS : OP_KINDS_MEMORY);
			if (o->kind == OP_SKIP && prng_below(prng, 2))
				o->kind = OP_STORE;
			o->bytes = size ? 4 : prng_below(prng, 2) ? 2 : 1;
			o->at = (uint8_t)(4 * prng_below(prng, 1 + prng_below(prng, 3)));
			if (o->bytes < 4)
				o->at = (uint8_t)(o->at + 2 * prng_below(prng, 2));
			o->value = (uint8_t)value++;
		}
	}
}

static inline void
program_print(const struct program *p)
{
	static const char *const name[] = { "load",  "store", "rmw",  "fence", "skip",
					    "model", "wait",  "wake", "write", "choice",
					    "timer", "sleep", "hold", "stop" };

	for (unsigned a = 0; a < p->actors; a++) {
		printf("  a%u:", a);
		for (unsigned i = 0; i < p->ops[a]; i++)
			printf(" %s[%u+%u]=%u", name[p->op[a][i].kind], p->op[a][i].at,
			       p->op[a][i].bytes, p->op[a][i].value);
		printf("\n");
	}
}

/* --- sets ----------------------------------------------------------------------------------- */

struct set {
	uint64_t *word;
	size_t count, capacity;
};

static inline bool
set_add(struct set *s, uint64_t word)
{
	size_t i;

	word |= 1; /* 0 is an empty place */
	if (s->count * 2 >= s->capacity) {
		struct set grown = { NULL, 0, s->capacity ? s->capacity * 2 : 64 };

		grown.word = calloc(grown.capacity, sizeof(*grown.word));
		assert_non_null(grown.word);
		for (i = 0; i < s->capacity; i++)
			if (s->word[i])
				set_add(&grown, s->word[i]);
		free(s->word);
		*s = grown;
	}
	for (i = word * UINT64_C(0x9e3779b97f4a7c15) % s->capacity; s->word[i];
	     i = (i + 1) % s->capacity)
		if (s->word[i] == word)
			return false;
	s->word[i] = word;
	s->count++;
	return true;
}

static inline bool
set_has(const struct set *s, uint64_t word)
{
	word |= 1;
	if (!s->capacity)
		return false;
	for (size_t i = word * UINT64_C(0x9e3779b97f4a7c15) % s->capacity; s->word[i];
	     i = (i + 1) % s->capacity)
		if (s->word[i] == word)
			return true;
	return false;
}

static inline bool
set_same(const struct set *a, const struct set *b)
{
	for (size_t i = 0; i < a->capacity; i++)
		if (a->word[i] && !set_has(b, a->word[i]))
			return false;
	return a->count == b->count;
}

/* --- exploring ------------------------------------------------------------------------------ */

struct outcome {
	struct set states, traces;
	uint64_t executions;
	bool complete;
};

static inline void
outcome_free(struct outcome *o)
{
	free(o->states.word);
	free(o->traces.word);
}

static inline void
outcome_add(struct outcome *o, struct world *w, enum stop stop)
{
	const struct program_run *r = program_run;
	uint64_t state = fold(r->models, (uint64_t)stop), trace;

	for (unsigned i = 0; i < r->program->actors; i++) {
		state = fold(state, r->saw[i]);
		state = fold(state, actor_state(r->actor[i]));
	}
	state = fold(state, r->tokens);
	trace = state;
	for (unsigned i = 0; i < PROGRAM_BYTES; i++) {
		state = fold(state, r->memory[i]);
		trace = fold(trace, r->order[i]);
	}
	(void)w;
	set_add(&o->states, state);
	set_add(&o->traces, trace);
	o->executions++;
}

/* --- the order in which stores become visible ------------------------------------------------- */

/*
 * By each byte, whose store it was: an actor's own are in program order.  Passes on to the
 * strategy's watch, if there is one.
 */
static struct {
	struct step_watch base, *next;
} order_watch;

static inline void
order_store(const struct actor *a, uint64_t gpa, uint64_t bytes)
{
	for (uint64_t at = gpa - program_run->gpa; bytes-- && at < PROGRAM_BYTES; at++)
		program_run->order[at] = fold(program_run->order[at], actor_id(a));
}

static inline void
order_step(struct step_watch *watch, struct world *w, struct process p)
{
	if (order_watch.next)
		order_watch.next->step(order_watch.next, w, p);
}

static inline void
order_access(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
	     uint32_t size, unsigned how)
{
	if (how & WATCH_STORE && !(how & WATCH_BUFFERED))
		order_store(a, offset, size);
	if (order_watch.next)
		order_watch.next->access(order_watch.next, w, a, offset, size, how);
}

static inline void
order_touch(struct step_watch *watch, struct world *w, uint64_t offset, uint64_t size, unsigned how)
{
	if (how & WATCH_STORE)
		order_store(actor_current(w), offset, size);
	if (order_watch.next)
		order_watch.next->touch(order_watch.next, w, offset, size, how);
}

static inline void
order_flush(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
	    uint32_t size)
{
	order_store(a, offset, size);
	if (order_watch.next)
		order_watch.next->flush(order_watch.next, w, a, offset, size);
}

static inline void
order_woke(struct step_watch *watch, struct world *w, struct process p)
{
	if (order_watch.next)
		order_watch.next->woke(order_watch.next, w, p);
}

static inline void
order_stopped(struct step_watch *watch, struct world *w, struct process p)
{
	if (order_watch.next)
		order_watch.next->stopped(order_watch.next, w, p);
}

static inline void
order_advanced(struct step_watch *watch, struct world *w)
{
	if (order_watch.next)
		order_watch.next->advanced(order_watch.next, w);
}

static inline void
order_install(struct world *w, struct step_watch *next)
{
	order_watch.base =
		(struct step_watch){ order_step, order_access,	order_touch,   order_flush,
				     order_woke, order_stopped, order_advanced };
	order_watch.next = next;
	world_set_watch(w, &order_watch.base);
}

#endif
