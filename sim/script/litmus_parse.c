/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame of a litmus test: header, initial state, processes' heads. */
#include "script/litmus_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "script/source.h"

/* --- memory of the test --------------------------------------------------------------------- */

struct litmus_chunk {
	struct litmus_chunk *next;
	_Alignas(16) char bytes[];
};

void *
litmus_alloc(struct litmus_test *t, size_t size)
{
	struct litmus_chunk *c = calloc(1, sizeof(*c) + size);

	must(c);
	c->next = t->chunks;
	t->chunks = c;
	return c->bytes;
}

static char *
copy_text(struct litmus_test *t, const char *text, size_t n)
{
	char *copy = litmus_alloc(t, n + 1);

	memcpy(copy, text, n);
	return copy;
}

const char *
litmus_word(struct litmus_parser *p)
{
	return copy_text(p->t, p->lex.word, p->lex.length);
}

void
litmus_free(struct litmus_test *t)
{
	while (t && t->chunks) {
		struct litmus_chunk *c = t->chunks;

		t->chunks = c->next;
		free(c);
	}
	free(t);
}

/* --- small steps ---------------------------------------------------------------------------- */

int
litmus_accept(struct litmus_parser *p, const char *mark)
{
	if (!litmus_lex_is(&p->lex, mark))
		return 0;
	return litmus_lex_next(&p->lex) ? -1 : 1;
}

int
litmus_expect(struct litmus_parser *p, const char *mark)
{
	char what[8] = "'";

	if (litmus_lex_is(&p->lex, mark))
		return litmus_lex_next(&p->lex);
	strncat(what, mark, 4);
	strncat(what, "'", 2);
	return litmus_lex_expected(&p->lex, what);
}

int
litmus_enter(struct litmus_parser *p)
{
	if (p->depth++ < LITMUS_DEPTH_MAX)
		return 0;
	return error_at(p->lex.err, p->lex.path, p->lex.line, p->lex.column,
			"nested deeper than %u", LITMUS_DEPTH_MAX);
}

int
litmus_count(struct litmus_parser *p)
{
	if (p->nodes++ < LITMUS_NODES_MAX)
		return 0;
	return error_at(p->lex.err, p->lex.path, p->lex.line, p->lex.column,
			"more than %u operators and operands", LITMUS_NODES_MAX);
}

int
litmus_parse_integer(struct litmus_parser *p, int64_t *number)
{
	int minus = litmus_accept(p, "-");

	if (minus < 0)
		return -1;
	if (p->lex.token != TOKEN_NUMBER)
		return litmus_lex_expected(&p->lex, "a number");
	*number = minus ? -p->lex.number : p->lex.number;
	return litmus_lex_next(&p->lex);
}

/* --- names ---------------------------------------------------------------------------------- */

static bool
is_word(const struct litmus_parser *p, const char *name)
{
	return name && strlen(name) == p->lex.length && !memcmp(name, p->lex.word, p->lex.length);
}

int
litmus_find_global(struct litmus_parser *p)
{
	struct litmus_test *t = p->t;

	for (unsigned i = 0; i < t->globals; i++)
		if (is_word(p, t->global[i].name))
			return (int)i;
	if (t->globals == LITMUS_GLOBALS_MAX)
		return error_at(p->lex.err, p->lex.path, p->lex.line, p->lex.column,
				"at most %u variables", LITMUS_GLOBALS_MAX);
	t->global[t->globals] = (struct litmus_global){ .name = litmus_word(p),
							.type = { LITMUS_INT, 0 },
							.init_global = -1,
							.line = p->lex.line,
							.column = p->lex.column };
	return (int)t->globals++;
}

int
litmus_find_reg(const struct litmus_parser *p, const struct litmus_proc *proc)
{
	for (unsigned i = 0; i < proc->regs; i++)
		if (is_word(p, proc->reg[i].name))
			return (int)i;
	return -1;
}

int
litmus_add_reg(struct litmus_parser *p, struct litmus_proc *proc, struct litmus_type type)
{
	if (proc->regs == LITMUS_REGS_MAX)
		return error_at(p->lex.err, p->lex.path, p->lex.line, p->lex.column,
				"at most %u registers in a process", LITMUS_REGS_MAX);
	proc->reg[proc->regs] = (struct litmus_reg){ .name = litmus_word(p),
						     .type = type,
						     .init_global = -1,
						     .line = p->lex.line,
						     .column = p->lex.column };
	return (int)proc->regs++;
}

/* --- initial state -------------------------------------------------------------------------- */

/* 1, &y, y, ATOMIC_INIT(1) */
static int
parse_initial(struct litmus_parser *p, int64_t *number, int *global)
{
	int ret;

	if (litmus_lex_is_name(&p->lex, "ATOMIC_INIT"))
		return litmus_lex_next(&p->lex) || litmus_expect(p, "(") ||
				       litmus_parse_integer(p, number) || litmus_expect(p, ")")
			       ? -1
			       : 0;
	ret = litmus_accept(p, "&");
	if (ret < 0)
		return -1;
	if (!ret && p->lex.token != TOKEN_NAME)
		return litmus_parse_integer(p, number);
	if (p->lex.token != TOKEN_NAME)
		return litmus_lex_expected(&p->lex, "a variable");
	*global = litmus_find_global(p);
	return *global < 0 ? -1 : litmus_lex_next(&p->lex);
}

/* 0:r1=x */
static int
parse_initial_reg(struct litmus_parser *p)
{
	int64_t n = p->lex.number, number = 0;
	int global = -1, reg;
	struct litmus_proc *proc;

	if (n >= LITMUS_PROCS_MAX)
		return litmus_lex_expected(&p->lex, "the number of a process");
	proc = &p->t->proc[n];
	if (litmus_lex_next(&p->lex) || litmus_expect(p, ":"))
		return -1;
	if (p->lex.token != TOKEN_NAME)
		return litmus_lex_expected(&p->lex, "a register");
	reg = litmus_find_reg(p, proc);
	if (reg < 0)
		reg = litmus_add_reg(p, proc, (struct litmus_type){ LITMUS_INT, 0 });
	if (reg < 0 || litmus_lex_next(&p->lex) || litmus_expect(p, "=") ||
	    parse_initial(p, &number, &global))
		return -1;
	proc->reg[reg].init = number;
	proc->reg[reg].init_global = global;
	return 0;
}

/* [int *]x[=…], [x]=… */
static int
parse_initial_global(struct litmus_parser *p)
{
	struct litmus_type type = { LITMUS_INT, 0 };
	int typed = litmus_parse_base(p, &type), bracket, index, equal;
	struct litmus_global *g;

	if (typed < 0 || litmus_parse_stars(p, &type))
		return -1;
	bracket = typed ? 0 : litmus_accept(p, "[");
	if (bracket < 0)
		return -1;
	if (p->lex.token != TOKEN_NAME)
		return litmus_lex_expected(&p->lex, "a variable");
	index = litmus_find_global(p);
	if (index < 0 || litmus_lex_next(&p->lex) || (bracket && litmus_expect(p, "]")))
		return -1;
	g = &p->t->global[index];
	if (typed) {
		g->type = type;
		g->typed = true;
	}
	if (litmus_lex_is(&p->lex, "["))
		return litmus_lex_expected(&p->lex, "'=' or ';' (arrays are not supported)");
	equal = litmus_accept(p, "=");
	return equal <= 0 ? equal : parse_initial(p, &g->init, &g->init_global);
}

static int
parse_initial_state(struct litmus_parser *p)
{
	if (litmus_expect(p, "{"))
		return -1;
	while (!litmus_lex_is(&p->lex, "}")) {
		if (litmus_lex_is(&p->lex, ";")) {
			if (litmus_lex_next(&p->lex))
				return -1;
			continue;
		}
		if (p->lex.token == TOKEN_NUMBER ? parse_initial_reg(p) : parse_initial_global(p))
			return -1;
		if (!litmus_lex_is(&p->lex, "}") && litmus_expect(p, ";"))
			return -1;
	}
	return litmus_lex_next(&p->lex);
}

/* --- processes ------------------------------------------------------------------------------ */

static int
parse_param(struct litmus_parser *p)
{
	struct litmus_proc *proc = p->proc;
	struct litmus_type type, points;
	int ret = litmus_parse_base(p, &type), index;
	struct litmus_global *g;

	if (!ret)
		return litmus_lex_expected(&p->lex, "a type");
	if (ret < 0 || litmus_parse_stars(p, &type))
		return -1;
	if (!type.stars)
		return litmus_lex_expected(&p->lex, "'*' (a parameter is a pointer to a variable)");
	if (p->lex.token != TOKEN_NAME)
		return litmus_lex_expected(&p->lex, "the name of a variable");
	index = litmus_find_global(p);
	if (index < 0)
		return -1;
	for (unsigned i = 0; i < proc->params; i++)
		if (proc->param[i].global == (unsigned)index)
			return litmus_lex_expected(&p->lex, "another name (this is twice there)");
	points = type;
	points.stars--;
	g = &p->t->global[index];
	/* Where processes take it for different types it is as large as the largest. */
	if (!g->typed || litmus_type_size(points) > litmus_type_size(g->type))
		g->type = points;
	g->typed = true;
	proc->param[proc->params++] = (struct litmus_param){ (unsigned)index, type };
	return litmus_lex_next(&p->lex);
}

static int
parse_params(struct litmus_parser *p)
{
	if (litmus_expect(p, "("))
		return -1;
	if (litmus_lex_is_name(&p->lex, "void")) {
		if (litmus_lex_next(&p->lex))
			return -1;
	} else if (!litmus_lex_is(&p->lex, ")")) {
		int more;

		do {
			if (parse_param(p))
				return -1;
			more = litmus_accept(p, ",");
		} while (more > 0);
		if (more < 0)
			return -1;
	}
	return litmus_expect(p, ")");
}

static bool
at_process(const struct litmus_parser *p)
{
	const struct litmus_lexer *lex = &p->lex;

	return lex->token == TOKEN_NAME && lex->length >= 2 && lex->word[0] == 'P' &&
	       lex->word[1] >= '0' && lex->word[1] <= '9';
}

static int
parse_process(struct litmus_parser *p)
{
	char want[16];

	if (p->t->procs == LITMUS_PROCS_MAX)
		return error_at(p->lex.err, p->lex.path, p->lex.line, p->lex.column,
				"at most %u processes", LITMUS_PROCS_MAX);
	snprintf(want, sizeof(want), "P%u", p->t->procs);
	if (!litmus_lex_is_name(&p->lex, want))
		return litmus_lex_expected(&p->lex, want);
	p->proc = &p->t->proc[p->t->procs++];
	return litmus_lex_next(&p->lex) || parse_params(p) || litmus_parse_body(p) ? -1 : 0;
}

/* Registers of the initial state that no body has. */
static int
check_regs(struct litmus_parser *p)
{
	for (unsigned i = 0; i < LITMUS_PROCS_MAX; i++) {
		const struct litmus_proc *proc = &p->t->proc[i];

		for (unsigned k = 0; k < proc->regs; k++)
			if (!proc->reg[k].declared)
				return error_at(p->lex.err, p->lex.path, proc->reg[k].line,
						proc->reg[k].column,
						"there is no register %s in P%u", proc->reg[k].name,
						i);
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int
parse_header(struct litmus_parser *p)
{
	if (litmus_lex_next(&p->lex))
		return -1;
	if (!litmus_lex_is_name(&p->lex, "C"))
		return litmus_lex_expected(&p->lex, "'C' and the test's name (other languages' "
						    "tests cannot be run)");
	litmus_lex_line(&p->lex);
	if (!p->lex.length)
		return litmus_lex_expected(&p->lex, "the test's name");
	p->t->name = copy_text(p->t, p->lex.word, p->lex.length);
	do {
		if (litmus_lex_next(&p->lex))
			return -1;
	} while (p->lex.token == TOKEN_STRING);
	/* Lines of KEY=VALUE, which other tools leave there. */
	while (p->lex.token == TOKEN_NAME) {
		litmus_lex_line(&p->lex);
		if (litmus_lex_next(&p->lex))
			return -1;
	}
	return 0;
}

static int
parse_test(struct litmus_parser *p)
{
	if (parse_header(p) || parse_initial_state(p))
		return -1;
	if (!at_process(p))
		return litmus_lex_expected(&p->lex, "P0");
	while (at_process(p))
		if (parse_process(p))
			return -1;
	if (check_regs(p) || litmus_parse_clauses(p))
		return -1;
	if (p->lex.result)
		p->t->result = copy_text(p->t, p->lex.result, p->lex.result_length);
	litmus_find_feeds(p->t);
	return 0;
}

struct litmus_test *
litmus_parse(const char *path, const char *text, size_t size, struct error *err)
{
	struct litmus_test *t = calloc(1, sizeof(*t));
	struct litmus_parser p = { .lex = { .path = path,
					    .text = text,
					    .size = size,
					    .next_line = 1,
					    .next_column = 1,
					    .err = err },
				   .t = t };

	must(t);
	t->path = copy_text(t, path, strlen(path));
	t->proc = litmus_alloc(t, LITMUS_PROCS_MAX * sizeof(*t->proc));
	if (!parse_test(&p))
		return t;
	litmus_free(t);
	return NULL;
}

struct litmus_test *
litmus_load(const char *path, struct error *err)
{
	struct litmus_test *t;
	char *text;
	size_t size;

	if (source_read(path, LITMUS_FILE_MAX, &text, &size, err))
		return NULL;
	t = litmus_parse(path, text, size, err);
	free(text);
	return t;
}
