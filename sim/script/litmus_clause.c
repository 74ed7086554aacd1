/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows the processes: locations, filter, and the condition. */
#include "script/litmus_parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* --- places --------------------------------------------------------------------------------- */

static int
add_shown(struct litmus_parser *p, struct litmus_shown place)
{
	struct litmus_test *t = p->t;

	for (unsigned i = 0; i < t->shows; i++)
		if (t->shown[i].proc == place.proc && t->shown[i].index == place.index)
			return (int)i;
	if (t->shows == LITMUS_SHOWN_MAX)
		return error_at(p->lex.err, p->lex.path, p->lex.line, p->lex.column,
				"at most %u registers and variables in the condition",
				LITMUS_SHOWN_MAX);
	t->shown[t->shows] = place;
	return (int)t->shows++;
}

static int
parse_reg_place(struct litmus_parser *p)
{
	int64_t n = p->lex.number;
	int reg;

	if (n >= p->t->procs)
		return litmus_lex_expected(&p->lex, "the number of a process");
	if (litmus_lex_next(&p->lex) || litmus_expect(p, ":"))
		return -1;
	reg = p->lex.token == TOKEN_NAME ? litmus_find_reg(p, &p->t->proc[n]) : -1;
	if (reg < 0)
		return litmus_lex_expected(&p->lex, "a register of that process");
	reg = add_shown(p, (struct litmus_shown){ (int)n, (unsigned)reg });
	return reg < 0 || litmus_lex_next(&p->lex) ? -1 : reg;
}

/* 0:r1, x, [x], *x: its index in shown, or -1 and the error. */
static int
parse_place(struct litmus_parser *p)
{
	int bracket, star, index;

	if (p->lex.token == TOKEN_NUMBER)
		return parse_reg_place(p);
	bracket = litmus_accept(p, "[");
	star = bracket ? 0 : litmus_accept(p, "*");
	if (bracket < 0 || star < 0)
		return -1;
	if (p->lex.token != TOKEN_NAME)
		return litmus_lex_expected(&p->lex, "0:register or a variable");
	index = litmus_find_global(p);
	if (index < 0)
		return -1;
	index = add_shown(p, (struct litmus_shown){ -1, (unsigned)index });
	if (index < 0 || litmus_lex_next(&p->lex) || (bracket && litmus_expect(p, "]")))
		return -1;
	return index;
}

/* --- propositions --------------------------------------------------------------------------- */

static struct litmus_prop *
new_prop(struct litmus_parser *p, enum litmus_prop_kind kind, struct litmus_prop *a,
	 struct litmus_prop *b)
{
	struct litmus_prop *prop;

	if (litmus_count(p))
		return NULL;
	prop = litmus_alloc(p->t, sizeof(*prop));
	*prop = (struct litmus_prop){ .kind = kind, .global = -1, .arg = { a, b } };
	return prop;
}

static struct litmus_prop *
parse_atom(struct litmus_parser *p)
{
	struct litmus_prop *prop = new_prop(p, LITMUS_ATOM, NULL, NULL);
	int shown, amp;

	if (!prop || (shown = parse_place(p)) < 0)
		return NULL;
	prop->shown = (unsigned)shown;
	prop->unequal = litmus_lex_is(&p->lex, "!=") || litmus_lex_is(&p->lex, "<>");
	if (!prop->unequal && !litmus_lex_is(&p->lex, "=") && !litmus_lex_is(&p->lex, "==")) {
		litmus_lex_expected(&p->lex, "'=' or '!='");
		return NULL;
	}
	if (litmus_lex_next(&p->lex))
		return NULL;
	amp = litmus_accept(p, "&");
	if (amp < 0)
		return NULL;
	if (p->lex.token == TOKEN_NAME) {
		prop->global = litmus_find_global(p);
		return prop->global < 0 || litmus_lex_next(&p->lex) ? NULL : prop;
	}
	return litmus_parse_integer(p, &prop->number) ? NULL : prop;
}

static struct litmus_prop *
parse_prop(struct litmus_parser *p, bool with_or);

static struct litmus_prop *
parse_not(struct litmus_parser *p)
{
	struct litmus_prop *prop = NULL;
	int ret;

	if (litmus_enter(p))
		return NULL;
	if (litmus_lex_is(&p->lex, "~") || litmus_lex_is_name(&p->lex, "not")) {
		if (!litmus_lex_next(&p->lex) && (prop = parse_not(p)))
			prop = new_prop(p, LITMUS_NOT, prop, NULL);
	} else if ((ret = litmus_accept(p, "("))) {
		prop = ret < 0 ? NULL : parse_prop(p, true);
		if (prop && litmus_expect(p, ")"))
			prop = NULL;
	} else if (litmus_lex_is_name(&p->lex, "true") || litmus_lex_is_name(&p->lex, "false")) {
		prop = new_prop(p, litmus_lex_is_name(&p->lex, "true") ? LITMUS_TRUE : LITMUS_FALSE,
				NULL, NULL);
		if (prop && litmus_lex_next(&p->lex))
			prop = NULL;
	} else {
		prop = parse_atom(p);
	}
	p->depth--;
	return prop;
}

/* a /\ b \/ c: and binds closer. */
static struct litmus_prop *
parse_prop(struct litmus_parser *p, bool with_or)
{
	struct litmus_prop *prop = with_or ? parse_prop(p, false) : parse_not(p), *right;
	enum litmus_prop_kind kind = with_or ? LITMUS_EITHER : LITMUS_BOTH;
	int more;

	while (prop && (more = litmus_accept(p, with_or ? "\\/" : "/\\"))) {
		right = more < 0 ? NULL : with_or ? parse_prop(p, false) : parse_not(p);
		prop = right ? new_prop(p, kind, prop, right) : NULL;
	}
	return prop;
}

bool
litmus_holds(const struct litmus_prop *p, const int64_t *value)
{
	switch (p->kind) {
	case LITMUS_TRUE:
		return true;
	case LITMUS_FALSE:
		return false;
	case LITMUS_ATOM:
		return (value[p->shown] ==
			(p->global < 0 ? p->number : LITMUS_ADDRESS(p->global))) != p->unequal;
	case LITMUS_NOT:
		return !litmus_holds(p->arg[0], value);
	case LITMUS_BOTH:
		return litmus_holds(p->arg[0], value) && litmus_holds(p->arg[1], value);
	case LITMUS_EITHER:
		return litmus_holds(p->arg[0], value) || litmus_holds(p->arg[1], value);
	}
	return false;
}

/* --- text ----------------------------------------------------------------------------------- */

void
litmus_shown_name(const struct litmus_test *t, unsigned shown, char *text, size_t size)
{
	const struct litmus_shown *s = &t->shown[shown];

	if (s->proc < 0)
		snprintf(text, size, "%s", t->global[s->index].name);
	else
		snprintf(text, size, "%d:%s", s->proc, t->proc[s->proc].reg[s->index].name);
}

static void
print_prop(const struct litmus_test *t, const struct litmus_prop *p, bool inside, FILE *to)
{
	char name[256];
	bool parens = inside && (p->kind == LITMUS_EITHER || p->kind == LITMUS_BOTH);

	if (parens)
		fputc('(', to);
	switch (p->kind) {
	case LITMUS_TRUE:
	case LITMUS_FALSE:
		fputs(p->kind == LITMUS_TRUE ? "true" : "false", to);
		break;
	case LITMUS_ATOM:
		litmus_shown_name(t, p->shown, name, sizeof(name));
		fprintf(to, "%s%s", name, p->unequal ? "!=" : "=");
		if (p->global < 0)
			fprintf(to, "%" PRId64, p->number);
		else
			fputs(t->global[p->global].name, to);
		break;
	case LITMUS_NOT:
		fputc('~', to);
		print_prop(t, p->arg[0], true, to);
		break;
	case LITMUS_BOTH:
	case LITMUS_EITHER:
		print_prop(t, p->arg[0], p->arg[0]->kind != p->kind, to);
		fputs(p->kind == LITMUS_BOTH ? " /\\ " : " \\/ ", to);
		print_prop(t, p->arg[1], p->arg[1]->kind != p->kind, to);
		break;
	}
	if (parens)
		fputc(')', to);
}

static void
keep_text(struct litmus_test *t)
{
	static const char *const words[] = { "exists", "~exists", "forall" };
	char *text, *kept;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	must(to);
	fprintf(to, "%s (", words[t->quantifier]);
	print_prop(t, t->condition, false, to);
	fputc(')', to);
	must(!fclose(to));
	kept = litmus_alloc(t, size + 1);
	memcpy(kept, text, size);
	t->condition_text = kept;
	free(text);
}

/* --- order of printing ---------------------------------------------------------------------- */

static void
renumber(struct litmus_prop *p, const unsigned *to)
{
	if (!p)
		return;
	if (p->kind == LITMUS_ATOM)
		p->shown = to[p->shown];
	renumber(p->arg[0], to);
	renumber(p->arg[1], to);
}

static int
compare_shown(const struct litmus_test *t, const struct litmus_shown *a,
	      const struct litmus_shown *b)
{
	if (a->proc != b->proc)
		return (unsigned)a->proc < (unsigned)b->proc ? -1 : 1; /* variables (-1) last */
	if (a->proc < 0)
		return strcmp(t->global[a->index].name, t->global[b->index].name);
	return strcmp(t->proc[a->proc].reg[a->index].name, t->proc[b->proc].reg[b->index].name);
}

/* As herd does: registers by process and name, then variables by name. */
static void
sort_shown(struct litmus_test *t)
{
	struct litmus_shown sorted[LITMUS_SHOWN_MAX];
	unsigned to[LITMUS_SHOWN_MAX];

	for (unsigned i = 0; i < t->shows; i++) {
		to[i] = 0;
		for (unsigned k = 0; k < t->shows; k++)
			to[i] += compare_shown(t, &t->shown[k], &t->shown[i]) < 0;
		sorted[to[i]] = t->shown[i];
	}
	if (t->shows)
		memcpy(t->shown, sorted, t->shows * sizeof(sorted[0]));
	renumber(t->filter, to);
	renumber(t->condition, to);
}

/* --- clauses -------------------------------------------------------------------------------- */

/* locations [0:r1; x; y] */
static int
parse_locations(struct litmus_parser *p)
{
	if (litmus_expect(p, "["))
		return -1;
	while (!litmus_lex_is(&p->lex, "]")) {
		if (parse_place(p) < 0 || (!litmus_lex_is(&p->lex, "]") && litmus_expect(p, ";")))
			return -1;
	}
	return litmus_lex_next(&p->lex);
}

static int
parse_quantifier(struct litmus_parser *p)
{
	int negated = litmus_accept(p, "~");

	if (negated < 0)
		return -1;
	if (litmus_lex_is_name(&p->lex, "exists"))
		p->t->quantifier = negated ? LITMUS_NOT_EXISTS : LITMUS_EXISTS;
	else if (!negated && litmus_lex_is_name(&p->lex, "forall"))
		p->t->quantifier = LITMUS_FORALL;
	else
		return litmus_lex_expected(
			&p->lex, "a process, locations, filter, exists, ~exists or forall");
	return litmus_lex_next(&p->lex);
}

int
litmus_parse_clauses(struct litmus_parser *p)
{
	for (;;) {
		if (litmus_lex_is_name(&p->lex, "locations")) {
			if (litmus_lex_next(&p->lex) || parse_locations(p))
				return -1;
		} else if (litmus_lex_is_name(&p->lex, "filter") && !p->t->filter) {
			if (litmus_lex_next(&p->lex) || !(p->t->filter = parse_prop(p, true)))
				return -1;
		} else {
			break;
		}
	}
	if (parse_quantifier(p))
		return -1;
	p->t->condition = parse_prop(p, true);
	if (!p->t->condition)
		return -1;
	if (p->lex.token != TOKEN_END)
		return litmus_lex_expected(&p->lex, "the end of the file");
	sort_shown(p->t);
	keep_text(p->t);
	return 0;
}
