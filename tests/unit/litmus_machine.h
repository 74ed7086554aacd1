/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An x86-TSO machine for litmus tests that shares nothing with the engine but the parser: it
 * interprets the tree, and visits each state of (program counters, registers, store buffers,
 * memory) once.
 *
 * The machine (Sewell and others, x86-TSO, CACM 2010): a store goes to the end of its processor's
 * buffer; the oldest entry may go to memory at any time; a load takes each byte from the newest
 * entry that has it, else from memory; mfence and locked instructions wait until the buffer is
 * empty.  Under sc a store goes to memory at once.
 */
#ifndef RINGSIDE_TESTS_LITMUS_MACHINE_H
#define RINGSIDE_TESTS_LITMUS_MACHINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/must.h"
#include "script/litmus_run.h"

#define STEPS_MAX 64u
#define TEMPS_MAX 16u
#define COPIES_MAX 256u
#define PROCS_MAX 4u
/* As the engine's, where that is small: when it is full a store makes the oldest one leave. */
#define BUFFER_MAX LIMIT(16u, 4u)
#define MEMORY_BYTES (8 * LITMUS_STRIDE)
#define OUTCOMES_MAX 512u
#define VISITED_SLOTS (1u << 20)

/* --- programs ------------------------------------------------------------------------------- */

/* One step: what a processor does at once. Calls and loads are taken out of expressions. */
enum step_kind { STEP_SET, STEP_LOAD, STEP_STORE, STEP_CALL, STEP_UNLESS, STEP_JUMP };

struct step {
	enum step_kind kind;
	const struct litmus_expr *call;
	const struct litmus_expr *address, *value, *value2;
	struct litmus_type type; /* of what is accessed, or of the register */
	unsigned to; /* register, or the step to jump to */
};

struct program {
	struct litmus_test *t;
	struct step step[PROCS_MAX][STEPS_MAX];
	unsigned steps[PROCS_MAX];
	unsigned temps[PROCS_MAX];
	struct litmus_expr copy[COPIES_MAX]; /* of expressions, without their accesses */
	unsigned copies;
	unsigned proc; /* that is translated */
	bool buffers;
};

static struct step *
add_step(struct program *p, enum step_kind kind)
{
	must(p->steps[p->proc] < STEPS_MAX);
	struct step *s = &p->step[p->proc][p->steps[p->proc]++];

	*s = (struct step){ .kind = kind };
	return s;
}

/* Take the accesses out of @e: what is left computes with registers only. */
static const struct litmus_expr *
flatten(struct program *p, const struct litmus_expr *e);

static const struct litmus_expr *
temporary(struct program *p, struct step *s)
{
	static struct litmus_expr pool[PROCS_MAX][TEMPS_MAX];
	unsigned n = p->temps[p->proc]++;

	must(n < TEMPS_MAX);
	s->to = LITMUS_REGS_MAX + n;
	pool[p->proc][n] =
		(struct litmus_expr){ .kind = LITMUS_REG, .number = s->to, .type = s->type };
	return &pool[p->proc][n];
}

static const struct litmus_expr *
flatten_call(struct program *p, const struct litmus_expr *e)
{
	const struct litmus_expr *address = NULL, *value[2] = { NULL, NULL };
	unsigned values = 0;
	struct step *s;

	for (unsigned i = 0; e->call->args[i]; i++) {
		char a = e->call->args[i];
		const struct litmus_expr *x = flatten(p, a == 'l' ? e->arg[i]->arg[0] : e->arg[i]);

		if (a == 'v')
			value[values++] = x;
		else
			address = x;
	}
	s = add_step(p, STEP_CALL);
	s->call = e;
	s->address = address;
	s->value = value[0];
	s->value2 = value[1];
	s->type = e->type;
	return temporary(p, s);
}

static const struct litmus_expr *
flatten(struct program *p, const struct litmus_expr *e)
{
	struct litmus_expr *copy;
	struct step *s;

	if (e->kind == LITMUS_CALL_EXPR)
		return flatten_call(p, e);
	if (e->kind == LITMUS_DEREF) {
		const struct litmus_expr *address = flatten(p, e->arg[0]);

		s = add_step(p, STEP_LOAD);
		s->address = address;
		s->type = e->type;
		return temporary(p, s);
	}
	must(p->copies < COPIES_MAX);
	copy = &p->copy[p->copies++];
	*copy = *e;
	for (unsigned i = 0; i < 2; i++)
		if (e->arg[i])
			copy->arg[i] = (struct litmus_expr *)flatten(p, e->arg[i]);
	return copy;
}

static void
translate(struct program *p, const struct litmus_stmt *s)
{
	for (; s; s = s->next) {
		const struct litmus_expr *right = flatten(p, s->right);

		if (s->kind == LITMUS_IF) {
			unsigned unless = p->steps[p->proc], jump;

			add_step(p, STEP_UNLESS)->value = right;
			translate(p, s->then);
			jump = p->steps[p->proc];
			add_step(p, STEP_JUMP);
			p->step[p->proc][unless].to = p->steps[p->proc];
			translate(p, s->otherwise);
			p->step[p->proc][jump].to = p->steps[p->proc];
		} else if (s->kind == LITMUS_ASSIGN && s->left->kind == LITMUS_REG) {
			struct step *set = add_step(p, STEP_SET);

			set->value = right;
			set->to = (unsigned)s->left->number;
			set->type = s->left->type;
		} else if (s->kind == LITMUS_ASSIGN) {
			const struct litmus_expr *address = flatten(p, s->left->arg[0]);
			struct step *store = add_step(p, STEP_STORE);

			store->address = address;
			store->value = right;
			store->type = s->left->type;
		}
	}
}

/* --- the machine ---------------------------------------------------------------------------- */

struct entry {
	uint32_t offset, size;
	uint64_t value;
};

struct state {
	struct {
		uint32_t at; /* the next step */
		uint32_t buffered;
		int64_t reg[LITMUS_REGS_MAX + TEMPS_MAX];
		struct entry entry[BUFFER_MAX];
	} p[PROCS_MAX];
	uint8_t memory[MEMORY_BYTES];
};

struct outcomes {
	int64_t value[OUTCOMES_MAX][LITMUS_SHOWN_MAX];
	unsigned count;
};

struct search {
	const struct program *p;
	uint64_t *visited;
	struct outcomes *o;
	size_t states;
};

static int64_t
evaluate_binary(const char *op, int64_t a, int64_t b)
{
	static const char *const two[] = { "==", "!=", "<=", ">=", "<<", ">>", "&&", "||" };

	for (unsigned i = 0; op[1] && i < sizeof(two) / sizeof(two[0]); i++) {
		if (strcmp(op, two[i]))
			continue;
		const int64_t r[] = { a == b,	     a != b,	    a <= b, a >= b,
				      a << (b & 63), a >> (b & 63), a && b, a || b };

		return r[i];
	}
	switch (*op) {
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	case '&':
		return a & b;
	case '|':
		return a | b;
	case '^':
		return a ^ b;
	case '<':
		return a < b;
	case '>':
		return a > b;
	case '/':
		return a / b;
	default:
		return a % b;
	}
}

static int64_t
evaluate(const struct program *p, const int64_t *reg, const struct litmus_expr *e)
{
	int64_t a, b;

	switch (e->kind) {
	case LITMUS_NUMBER:
		return e->number;
	case LITMUS_REG:
		return reg[e->number];
	case LITMUS_GLOBAL:
		return LITMUS_ADDRESS(e->number);
	case LITMUS_CAST:
		return litmus_type_value(e->type, (uint64_t)evaluate(p, reg, e->arg[0]));
	case LITMUS_UNARY:
		a = evaluate(p, reg, e->arg[0]);
		return *e->text == '-' ? -a : *e->text == '!' ? !a : *e->text == '~' ? ~a : a;
	case LITMUS_BINARY:
		a = evaluate(p, reg, e->arg[0]);
		b = evaluate(p, reg, e->arg[1]);
		if (e->type.stars && e->arg[0]->type.stars) {
			struct litmus_type to = e->type;

			to.stars--;
			b *= litmus_type_size(to);
		}
		return evaluate_binary(e->text, a, b);
	default:
		must(!"an access is no part of an expression here");
		return 0;
	}
}

static uint64_t
machine_read(const struct state *s, unsigned proc, uint32_t offset, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size; i++) {
		uint8_t byte = s->memory[offset + i];

		for (uint32_t k = 0; k < s->p[proc].buffered; k++) {
			const struct entry *e = &s->p[proc].entry[k];

			if (offset + i - e->offset < e->size)
				byte = (uint8_t)(e->value >> 8 * (offset + i - e->offset));
		}
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

static void
machine_flush(struct state *s, unsigned proc)
{
	struct entry e = s->p[proc].entry[0];

	memcpy(s->memory + e.offset, &e.value, e.size);
	s->p[proc].buffered--;
	memmove(s->p[proc].entry, s->p[proc].entry + 1, s->p[proc].buffered * sizeof(e));
	memset(&s->p[proc].entry[s->p[proc].buffered], 0, sizeof(e));
}

static void
machine_store(const struct program *p, struct state *s, unsigned proc, uint32_t offset,
	      uint32_t size, uint64_t value)
{
	must(p->buffers || !s->p[proc].buffered);
	if (s->p[proc].buffered == BUFFER_MAX)
		machine_flush(s, proc);
	s->p[proc].entry[s->p[proc].buffered++] = (struct entry){ offset, size, value };
	if (!p->buffers)
		machine_flush(s, proc);
}

static int64_t
new_value(const struct litmus_call *c, int64_t old, int64_t operand)
{
	const int64_t r[] = { operand,	     old + operand, old - operand,
			      old & operand, old | operand, old ^ operand };

	return r[c->fun];
}

/* A locked instruction, the buffer being empty. False: it cannot be made now. */
static bool
machine_locked(const struct program *p, struct state *s, unsigned proc, const struct step *st,
	       uint32_t offset, int64_t *gives)
{
	const struct litmus_call *c = st->call->call;
	uint32_t size = c->op == LITMUS_OP_LOCK || c->op == LITMUS_OP_TRYLOCK
				? 4
				: litmus_type_size(st->type);
	int64_t old = litmus_type_value(st->type, machine_read(s, proc, offset, size));
	const int64_t *reg = s->p[proc].reg;
	int64_t operand = st->value ? evaluate(p, reg, st->value) : 1, new;
	bool store = true;

	*gives = old;
	if (c->op == LITMUS_OP_LOCK || c->op == LITMUS_OP_TRYLOCK) {
		if (old && c->op == LITMUS_OP_LOCK)
			return false;
		*gives = !old;
		store = !old;
		new = 1;
	} else if (c->op == LITMUS_OP_CMPXCHG) {
		store = old == litmus_type_value(st->type, (uint64_t)operand);
		new = evaluate(p, reg, st->value2);
	} else {
		new = litmus_type_value(st->type, (uint64_t)new_value(c, old, operand));
		if (c->gives == LITMUS_NEW)
			*gives = new;
		else if (c->gives == LITMUS_IS_ZERO)
			*gives = !new;
		else if (c->gives == LITMUS_IS_NEGATIVE)
			*gives = new < 0;
	}
	if (store)
		memcpy(s->memory + offset, &new, size);
	return true;
}

/* Whether it waits for an empty buffer. */
static bool
drains(const struct litmus_call *c)
{
	return c->op == LITMUS_OP_RMW || c->op == LITMUS_OP_CMPXCHG || c->op == LITMUS_OP_LOCK ||
	       c->op == LITMUS_OP_TRYLOCK ||
	       (c->op == LITMUS_OP_STORE && c->order == LITMUS_FULL) ||
	       (c->op == LITMUS_OP_FENCE && c->fun == LITMUS_MB);
}

static bool
machine_call(const struct program *p, struct state *s, unsigned proc, const struct step *st)
{
	const struct litmus_call *c = st->call->call;
	int64_t *reg = s->p[proc].reg, gives = 0, operand;
	uint32_t offset = 0, size = litmus_type_size(st->type);

	if (st->address) {
		offset = (uint32_t)(evaluate(p, reg, st->address) - LITMUS_ADDRESS(0));
		must(offset <= MEMORY_BYTES - 8);
	}
	if (drains(c) && s->p[proc].buffered)
		return false;
	switch ((enum litmus_op)c->op) {
	case LITMUS_OP_LOAD:
	case LITMUS_OP_IS_LOCKED:
		gives = litmus_type_value(st->type, machine_read(s, proc, offset, size));
		break;
	case LITMUS_OP_STORE:
		machine_store(p, s, proc, offset, size, (uint64_t)evaluate(p, reg, st->value));
		if (c->order == LITMUS_FULL && s->p[proc].buffered)
			machine_flush(s, proc); /* xchg: the buffer was empty, and is */
		break;
	case LITMUS_OP_UNLOCK:
		machine_store(p, s, proc, offset, 4, 0);
		break;
	case LITMUS_OP_FENCE:
	case LITMUS_OP_RCU_LOCK:
	case LITMUS_OP_RCU_UNLOCK:
		break;
	case LITMUS_OP_ADD_UNLESS:
		gives = litmus_type_value(st->type, machine_read(s, proc, offset, size));
		operand = gives + evaluate(p, reg, st->value);
		gives = gives != evaluate(p, reg, st->value2);
		if (gives && s->p[proc].buffered)
			return false;
		if (gives)
			memcpy(s->memory + offset, &operand, size);
		break;
	default:
		if (!machine_locked(p, s, proc, st, offset, &gives))
			return false;
	}
	reg[st->to] = gives;
	return true;
}

/* The next step of @proc, in place; false if it has to wait. */
static bool
machine_step(const struct program *p, struct state *s, unsigned proc)
{
	const struct step *st = &p->step[proc][s->p[proc].at];
	int64_t *reg = s->p[proc].reg;
	uint32_t size = litmus_type_size(st->type), offset;
	unsigned next = s->p[proc].at + 1;

	switch (st->kind) {
	case STEP_SET:
		reg[st->to] = litmus_type_value(st->type, (uint64_t)evaluate(p, reg, st->value));
		break;
	case STEP_LOAD:
		offset = (uint32_t)(evaluate(p, reg, st->address) - LITMUS_ADDRESS(0));
		reg[st->to] = litmus_type_value(st->type, machine_read(s, proc, offset, size));
		break;
	case STEP_STORE:
		offset = (uint32_t)(evaluate(p, reg, st->address) - LITMUS_ADDRESS(0));
		machine_store(p, s, proc, offset, size, (uint64_t)evaluate(p, reg, st->value));
		break;
	case STEP_CALL:
		if (!machine_call(p, s, proc, st))
			return false;
		break;
	case STEP_UNLESS:
		if (!evaluate(p, reg, st->value))
			next = st->to;
		break;
	case STEP_JUMP:
		next = st->to;
		break;
	}
	s->p[proc].at = next;
	return true;
}

/* --- all states ----------------------------------------------------------------------------- */

static bool
seen(struct search *x, const struct state *s)
{
	uint64_t key = hash_bytes(s, sizeof(*s), 1) | 1;
	size_t slot = key >> 1 & (VISITED_SLOTS - 1);

	while (x->visited[slot] && x->visited[slot] != key)
		slot = (slot + 1) & (VISITED_SLOTS - 1);
	if (x->visited[slot])
		return true;
	must(++x->states < VISITED_SLOTS / 2);
	x->visited[slot] = key;
	return false;
}

static void
final_state(struct search *x, const struct state *s)
{
	const struct litmus_test *t = x->p->t;
	int64_t value[LITMUS_SHOWN_MAX] = { 0 };
	struct outcomes *o = x->o;

	for (unsigned i = 0; i < t->shows; i++) {
		const struct litmus_shown *sh = &t->shown[i];
		uint64_t raw = 0;

		if (sh->proc >= 0) {
			value[i] = s->p[sh->proc].reg[sh->index];
			continue;
		}
		memcpy(&raw, s->memory + sh->index * LITMUS_STRIDE, 8);
		value[i] = litmus_type_value(t->global[sh->index].type, raw);
	}
	if (t->filter && !litmus_holds(t->filter, value))
		return;
	for (unsigned i = 0; i < o->count; i++)
		if (!memcmp(o->value[i], value, sizeof(value)))
			return;
	must(o->count < OUTCOMES_MAX);
	memcpy(o->value[o->count++], value, sizeof(value));
}

static void
visit(struct search *x, const struct state *s)
{
	bool end = true;

	if (seen(x, s))
		return;
	for (unsigned i = 0; i < x->p->t->procs; i++) {
		struct state next = *s;

		if (s->p[i].buffered) {
			end = false;
			machine_flush(&next, i);
			visit(x, &next);
			next = *s;
		}
		if (s->p[i].at == x->p->steps[i])
			continue;
		end = false;
		if (machine_step(x->p, &next, i))
			visit(x, &next);
	}
	if (end)
		final_state(x, s);
}

static int64_t
initial(int64_t number, int global)
{
	return global < 0 ? number : LITMUS_ADDRESS(global);
}

/* All outcomes of @t on the machine. */
static void
machine_outcomes(struct litmus_test *t, bool buffers, struct outcomes *o)
{
	struct program *p = calloc(1, sizeof(*p));
	struct state *s = calloc(1, sizeof(*s));
	struct search x = { .p = p, .o = o };

	must(p && s && (x.visited = calloc(VISITED_SLOTS, sizeof(*x.visited))));
	must(t->procs <= PROCS_MAX && t->globals * LITMUS_STRIDE <= MEMORY_BYTES);
	p->t = t;
	p->buffers = buffers;
	for (unsigned i = 0; i < t->globals; i++) {
		const struct litmus_global *g = &t->global[i];
		int64_t v = initial(g->init, g->init_global);

		memcpy(s->memory + i * LITMUS_STRIDE, &v, litmus_type_size(g->type));
	}
	for (p->proc = 0; p->proc < t->procs; p->proc++) {
		translate(p, t->proc[p->proc].body);
		for (unsigned k = 0; k < t->proc[p->proc].regs; k++)
			s->p[p->proc].reg[k] = initial(t->proc[p->proc].reg[k].init,
						       t->proc[p->proc].reg[k].init_global);
	}
	o->count = 0;
	visit(&x, s);
	free(x.visited);
	free(s);
	free(p);
}

/* --- comparing ------------------------------------------------------------------------------ */

/* Null, or what is wrong with the outcomes @r of @t: each is the machine's, and there is no other.
 */
static inline const char *
machine_compare(struct litmus_test *t, const struct litmus_result *r, bool buffers)
{
	static struct outcomes want;

	machine_outcomes(t, buffers, &want);
	for (size_t i = 0; i < r->outcomes; i++) {
		unsigned k = 0;

		while (k < want.count &&
		       memcmp(want.value[k], r->outcome[i].value, t->shows * sizeof(int64_t)) != 0)
			k++;
		if (k == want.count)
			return "it shows an outcome that there is not";
	}
	return r->outcomes == want.count ? NULL : "it lacks an outcome";
}

/* Whether @b has each outcome that @a has. */
static inline bool
outcomes_within(const struct litmus_test *t, const struct litmus_result *a,
		const struct litmus_result *b)
{
	for (size_t i = 0; i < a->outcomes; i++) {
		size_t k = 0;

		while (k < b->outcomes && memcmp(a->outcome[i].value, b->outcome[k].value,
						 t->shows * sizeof(int64_t)) != 0)
			k++;
		if (k == b->outcomes)
			return false;
	}
	return true;
}

#endif
