/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Litmus tests to C: the operations become macros of litmus_prelude.h, everything else stays what
 * it is.  Names get a prefix, so that no register is a keyword or a macro; #line says where each
 * statement stands in the test.
 */
#include "script/litmus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct emitter {
	FILE *to;
	const struct litmus_test *t;
	unsigned number; /* of the test, in the names of functions */
	const struct litmus_proc *proc;
	bool ordered; /* loads that feed are acquires */
};

/* By enum litmus_order, litmus_fun, litmus_fence. */
static const char *const order_name[] = { "ONCE", "ACQUIRE", "RELEASE", "FULL" };
static const char *const fun_name[] = { "LK_EXCHANGE", "LK_ADD", "LK_SUB",
					"LK_AND",      "LK_OR",	 "LK_XOR" };
static const char *const fun_operator[] = { "", "+", "-", "&", "|", "^" };
static const char *const fence_name[] = { "LK_COMPILER_BARRIER()", "LK_FULL()",
					  "LK_FENCE(LK_RMB)", "LK_FENCE(LK_WMB)" };

static void
emit_expr(struct emitter *m, const struct litmus_expr *e);

static void
emit_type(struct emitter *m, struct litmus_type t)
{
	fputs(litmus_base_name(t.base), m->to);
	fputc(' ', m->to);
	for (unsigned i = 0; i < t.stars; i++)
		fputc('*', m->to);
}

/* --- calls ---------------------------------------------------------------------------------- */

/* "type *, pointer": of the lvalue or the pointer that the operation takes. */
static void
emit_pointer(struct emitter *m, const struct litmus_expr *e)
{
	unsigned i = strcspn(e->call->args, "lp");
	const struct litmus_expr *pointer = e->call->args[i] == 'l' ? e->arg[i]->arg[0] : e->arg[i];

	emit_type(m, e->type);
	fputs(", ", m->to);
	emit_expr(m, pointer);
}

static void
emit_values(struct emitter *m, const struct litmus_expr *e)
{
	if (e->call->one)
		fputs(", 1", m->to);
	for (unsigned i = 0; e->call->args[i]; i++) {
		if (e->call->args[i] != 'v')
			continue;
		fputs(", ", m->to);
		emit_expr(m, e->arg[i]);
	}
}

/* LK_RMW_FULL(LK_ADD, int, x, 1), or with the new value LK_NEW(FULL, LK_ADD, +, int, x, 1) */
static void
emit_rmw(struct emitter *m, const struct litmus_expr *e, const char *order)
{
	const struct litmus_call *c = e->call;

	if (c->gives == LITMUS_NOTHING || c->gives == LITMUS_OLD)
		fprintf(m->to, "LK_RMW_%s(%s, ", order, fun_name[c->fun]);
	else
		fprintf(m->to, "(LK_NEW(%s, %s, %s, ", order, fun_name[c->fun],
			fun_operator[c->fun]);
	emit_pointer(m, e);
	emit_values(m, e);
	fputs(c->gives == LITMUS_IS_ZERO       ? ") == 0)"
	      : c->gives == LITMUS_IS_NEGATIVE ? ") < 0)"
	      : c->gives == LITMUS_NEW	       ? "))"
					       : ")",
	      m->to);
}

static void
emit_access(struct emitter *m, const struct litmus_expr *e, const char *macro, const char *order)
{
	fprintf(m->to, "%s%s(", macro, order);
	emit_pointer(m, e);
	emit_values(m, e);
	fputc(')', m->to);
}

static void
emit_lock(struct emitter *m, const struct litmus_expr *e, const char *macro)
{
	fprintf(m->to, "%s(", macro);
	emit_expr(m, e->arg[0]);
	fputc(')', m->to);
}

static void
emit_rcu(struct emitter *m, const struct litmus_expr *e)
{
	/* Without a grace period in the test a reader orders nothing. */
	if (e->call->op == LITMUS_OP_RCU_SYNC)
		fputs("LK_RCU_SYNC()", m->to);
	else if (m->t->has_rcu_sync)
		fprintf(m->to, "LK_RCU_READ(%d)", e->call->op == LITMUS_OP_RCU_LOCK);
	else
		fputs(fence_name[LITMUS_NO_FENCE], m->to);
}

static void
emit_call(struct emitter *m, const struct litmus_expr *e)
{
	bool acquire = m->ordered && e->feeds && e->call->order == LITMUS_ONCE;
	const char *order = order_name[acquire ? LITMUS_ACQUIRE : e->call->order];

	switch ((enum litmus_op)e->call->op) {
	case LITMUS_OP_LOAD:
		emit_access(m, e, "LK_LOAD_", order);
		break;
	case LITMUS_OP_STORE:
		emit_access(m, e, "LK_STORE_", order_name[e->call->order]);
		break;
	case LITMUS_OP_FENCE:
		fputs(fence_name[e->call->fun], m->to);
		break;
	case LITMUS_OP_RMW:
		emit_rmw(m, e, order);
		break;
	case LITMUS_OP_CMPXCHG:
		emit_access(m, e, "LK_CMPXCHG_", order);
		break;
	case LITMUS_OP_ADD_UNLESS:
		emit_access(m, e, "LK_ADD_UNLESS", "");
		break;
	case LITMUS_OP_LOCK:
		emit_lock(m, e, "LK_LOCK");
		break;
	case LITMUS_OP_UNLOCK:
		emit_lock(m, e, "LK_UNLOCK");
		break;
	case LITMUS_OP_TRYLOCK:
		emit_lock(m, e, "LK_TRYLOCK");
		break;
	case LITMUS_OP_IS_LOCKED:
		emit_lock(m, e, "LK_IS_LOCKED");
		break;
	case LITMUS_OP_RCU_LOCK:
	case LITMUS_OP_RCU_UNLOCK:
	case LITMUS_OP_RCU_SYNC:
		emit_rcu(m, e);
		break;
	case LITMUS_OP_UNSUPPORTED:
		must(!"a test with an operation that is not modelled is skipped");
	}
}

/* --- expressions ---------------------------------------------------------------------------- */

static void
emit_deref(struct emitter *m, const struct litmus_expr *e)
{
	fputs(m->ordered && e->feeds ? "LK_LOAD_ACQUIRE(" : "LK_PLAIN(", m->to);
	emit_type(m, e->type);
	fputs(", ", m->to);
	emit_expr(m, e->arg[0]);
	fputc(')', m->to);
}

static void
emit_expr(struct emitter *m, const struct litmus_expr *e)
{
	switch (e->kind) {
	case LITMUS_NUMBER:
		fprintf(m->to, "%" PRId64 "L", e->number);
		break;
	case LITMUS_REG:
		fprintf(m->to, "r_%s", m->proc->reg[e->number].name);
		break;
	case LITMUS_GLOBAL:
		fprintf(m->to, "v_%s", m->t->global[e->number].name);
		break;
	case LITMUS_DEREF:
		emit_deref(m, e);
		break;
	case LITMUS_UNARY:
		fprintf(m->to, "(%s ", e->text);
		emit_expr(m, e->arg[0]);
		fputc(')', m->to);
		break;
	case LITMUS_BINARY:
		fputc('(', m->to);
		emit_expr(m, e->arg[0]);
		fprintf(m->to, " %s ", e->text);
		emit_expr(m, e->arg[1]);
		fputc(')', m->to);
		break;
	case LITMUS_CAST:
		fputs("((", m->to);
		emit_type(m, e->type);
		fputs(")(", m->to);
		emit_expr(m, e->arg[0]);
		fputs("))", m->to);
		break;
	case LITMUS_CALL_EXPR:
		emit_call(m, e);
		break;
	}
}

/* --- statements ----------------------------------------------------------------------------- */

static void
emit_list(struct emitter *m, const struct litmus_stmt *s);

static void
emit_if(struct emitter *m, const struct litmus_stmt *s)
{
	fputs("if (", m->to);
	emit_expr(m, s->right);
	fputs(") {\n", m->to);
	emit_list(m, s->then);
	fputs("} else {\n", m->to);
	emit_list(m, s->otherwise);
	fputs("}\n", m->to);
}

static void
emit_assign(struct emitter *m, const struct litmus_stmt *s)
{
	if (s->left->kind == LITMUS_DEREF) {
		fputs("LK_PLAIN(", m->to);
		emit_type(m, s->left->type);
		fputs(", ", m->to);
		emit_expr(m, s->left->arg[0]);
		fputs(") = (", m->to);
	} else {
		emit_expr(m, s->left);
		fputs(" = (", m->to);
	}
	emit_type(m, s->left->type);
	fputs(")(", m->to);
	emit_expr(m, s->right);
	fputs(");\n", m->to);
}

static void
emit_list(struct emitter *m, const struct litmus_stmt *s)
{
	for (; s; s = s->next) {
		fprintf(m->to, "#line %ld\n", s->line);
		if (s->kind == LITMUS_IF) {
			emit_if(m, s);
		} else if (s->kind == LITMUS_ASSIGN) {
			emit_assign(m, s);
		} else {
			emit_expr(m, s->right);
			fputs(";\n", m->to);
		}
	}
}

/* --- processes ------------------------------------------------------------------------------ */

static void
emit_register(struct emitter *m, const struct litmus_reg *r)
{
	emit_type(m, r->type);
	fprintf(m->to, "r_%s = (", r->name);
	emit_type(m, r->type);
	if (r->init_global < 0)
		fprintf(m->to, ")%" PRId64 "L;\n", r->init);
	else
		fprintf(m->to, ")(base + %u);\n", (unsigned)r->init_global * LITMUS_STRIDE);
}

static void
emit_process(struct emitter *m, unsigned number)
{
	const struct litmus_proc *proc = &m->t->proc[number];

	m->proc = proc;
	fprintf(m->to, "void litmus_%u_P%u(char *base, long *out)\n{\n", m->number, number);
	for (unsigned i = 0; i < proc->params; i++) {
		emit_type(m, proc->param[i].type);
		fprintf(m->to, "const v_%s = (void *)(base + %u);\n",
			m->t->global[proc->param[i].global].name,
			proc->param[i].global * LITMUS_STRIDE);
	}
	for (unsigned i = 0; i < proc->regs; i++)
		emit_register(m, &proc->reg[i]);
	emit_list(m, proc->body);
	for (unsigned i = 0; i < proc->regs; i++)
		fprintf(m->to, "out[%u] = (long)r_%s;\n", i, proc->reg[i].name);
	fputs("}\n", m->to);
}

char *
litmus_emit(const struct litmus_test *t, unsigned number, bool order_dependencies)
{
	struct emitter m = { .t = t, .number = number, .ordered = order_dependencies };
	char *text;
	size_t size;

	m.to = open_memstream(&text, &size);
	must(m.to);
	fputs("#line 1 \"", m.to);
	for (const char *c = t->path; *c; c++)
		fprintf(m.to, strchr("\"\\\n", *c) ? "\\%03o" : "%c", (unsigned char)*c);
	fputs("\"\n", m.to);
	for (unsigned i = 0; i < t->procs; i++)
		emit_process(&m, i);
	must(!fclose(m.to));
	return text;
}
