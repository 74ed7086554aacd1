/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dependencies, as the source has them: which loads does an address, a stored value or a store's
 * condition come from?  The hooks of sim/memory/ cannot see that, so its weak model orders nothing
 * by it; the Linux kernel's model does.  Where an outcome needs a broken dependency, making
 * acquires of these loads removes it.
 *
 * A register feeds if any assignment to it might: order and branches are not looked at.
 */
#include "base/must.h"
#include "script/litmus_parse.h"

must_static(LITMUS_REGS_MAX <= 64, "a set of registers is a word");

/* All loads and registers in @e feed. */
static void
mark(struct litmus_expr *e, uint64_t *regs)
{
	if (!e)
		return;
	e->feeds = true;
	if (e->kind == LITMUS_REG)
		*regs |= UINT64_C(1) << e->number;
	for (unsigned i = 0; i < 3; i++)
		mark(e->arg[i], regs);
}

/* The accesses in @e: what their addresses and stored values come from. */
static void
mark_accesses(struct litmus_expr *e, uint64_t *regs)
{
	if (!e)
		return;
	if (e->kind == LITMUS_DEREF)
		mark(e->arg[0], regs);
	if (e->kind == LITMUS_CALL_EXPR) {
		for (unsigned i = 0; e->call->args[i]; i++)
			mark(e->call->args[i] == 'l' ? e->arg[i]->arg[0] : e->arg[i], regs);
		return;
	}
	for (unsigned i = 0; i < 3; i++)
		mark_accesses(e->arg[i], regs);
}

/* Whether there is a store in it: a condition does not order loads. */
static bool
stores_in(const struct litmus_expr *e)
{
	return e && ((e->kind == LITMUS_CALL_EXPR && e->call->op != LITMUS_OP_LOAD &&
		      e->call->op != LITMUS_OP_IS_LOCKED) ||
		     stores_in(e->arg[0]) || stores_in(e->arg[1]) || stores_in(e->arg[2]));
}

static bool
stores(const struct litmus_stmt *s)
{
	for (; s; s = s->next)
		if ((s->kind == LITMUS_ASSIGN && s->left->kind == LITMUS_DEREF) ||
		    stores_in(s->right) || stores(s->then) || stores(s->otherwise))
			return true;
	return false;
}

static void
mark_list(struct litmus_stmt *s, uint64_t *regs)
{
	for (; s; s = s->next) {
		mark_accesses(s->right, regs);
		if (s->kind == LITMUS_IF) {
			if (stores(s->then) || stores(s->otherwise))
				mark(s->right, regs);
			mark_list(s->then, regs);
			mark_list(s->otherwise, regs);
		} else if (s->kind == LITMUS_ASSIGN && s->left->kind == LITMUS_DEREF) {
			mark(s->left->arg[0], regs);
			mark(s->right, regs);
		} else if (s->kind == LITMUS_ASSIGN && *regs >> s->left->number & 1) {
			mark(s->right, regs);
		}
	}
}

void
litmus_find_feeds(struct litmus_test *t)
{
	for (unsigned i = 0; i < t->procs; i++) {
		uint64_t regs = 0, before;

		do {
			before = regs;
			mark_list(t->proc[i].body, &regs);
		} while (regs != before);
	}
}
