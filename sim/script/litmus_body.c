/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies of processes: the subset of C that litmus tests are written in. */
#include "script/litmus_parse.h"

#include <string.h>

static const struct litmus_expr *const nothing = NULL;

static struct litmus_expr *
parse_expr(struct litmus_parser *p, unsigned level);

/* --- building ------------------------------------------------------------------------------- */

static struct litmus_expr *
new_expr(struct litmus_parser *p, enum litmus_expr_kind kind)
{
	struct litmus_expr *e;

	if (litmus_count(p))
		return NULL;
	e = litmus_alloc(p->t, sizeof(*e));
	e->kind = kind;
	e->line = p->lex.line;
	e->column = p->lex.column;
	e->type = (struct litmus_type){ LITMUS_LONG, 0 };
	return e;
}

static struct litmus_expr *
wrong(struct litmus_parser *p, const struct litmus_expr *e, const char *what)
{
	error_at(p->lex.err, p->lex.path, e->line, e->column, "%s", what);
	return NULL;
}

/* Null, with the error at the current word. */
static struct litmus_expr *
expected(struct litmus_parser *p, const char *what)
{
	litmus_lex_expected(&p->lex, what);
	return (struct litmus_expr *)nothing;
}

/* --- calls ---------------------------------------------------------------------------------- */

static const struct litmus_call *
find_call(const struct litmus_lexer *lex)
{
	for (const struct litmus_call *c = litmus_calls; c->name; c++)
		if (litmus_lex_is_name(lex, c->name))
			return c;
	return NULL;
}

static bool
check_arg(struct litmus_parser *p, const struct litmus_expr *e, char wanted)
{
	if (wanted == 'l' && e->kind != LITMUS_DEREF)
		return wrong(p, e, "expected a variable, as in READ_ONCE(*x)");
	if (wanted == 'p' && !e->type.stars)
		return wrong(p, e, "expected a pointer to a variable, as in smp_load_acquire(x)");
	return true;
}

/* What the call gives has the type of what it reads. */
static struct litmus_type
type_of_call(const struct litmus_expr *e)
{
	for (unsigned i = 0; e->call->args[i]; i++) {
		struct litmus_type t = e->arg[i]->type;

		if (e->call->args[i] == 'l')
			return t;
		if (e->call->args[i] == 'p') {
			t.stars--;
			return t;
		}
	}
	return (struct litmus_type){ LITMUS_INT, 0 };
}

static struct litmus_expr *
parse_call(struct litmus_parser *p, struct litmus_expr *e)
{
	const struct litmus_call *c = e->call;

	if (litmus_expect(p, "("))
		return NULL;
	for (unsigned i = 0; c->args[i]; i++) {
		if (i && litmus_expect(p, ","))
			return NULL;
		e->arg[i] = parse_expr(p, 0);
		if (!e->arg[i] || !check_arg(p, e->arg[i], c->args[i]))
			return NULL;
	}
	e->type = type_of_call(e);
	if (c->op == LITMUS_OP_UNSUPPORTED && !p->t->unsupported)
		p->t->unsupported = c;
	if (c->op == LITMUS_OP_RCU_SYNC)
		p->t->has_rcu_sync = true;
	return litmus_expect(p, ")") ? NULL : e;
}

/* --- primaries ------------------------------------------------------------------------------ */

static struct litmus_expr *
parse_name(struct litmus_parser *p)
{
	struct litmus_expr *e = new_expr(p, LITMUS_REG);
	int reg;

	if (!e)
		return NULL;
	e->text = litmus_word(p);
	e->call = find_call(&p->lex);
	if (e->call) {
		e->kind = LITMUS_CALL_EXPR;
		return litmus_lex_next(&p->lex) ? NULL : parse_call(p, e);
	}
	reg = litmus_find_reg(p, p->proc);
	if (reg >= 0 && p->proc->reg[reg].declared) {
		e->number = reg;
		e->type = p->proc->reg[reg].type;
		return litmus_lex_next(&p->lex) ? NULL : e;
	}
	for (unsigned i = 0; i < p->proc->params; i++) {
		const struct litmus_param *param = &p->proc->param[i];

		if (strcmp(p->t->global[param->global].name, e->text))
			continue;
		e->kind = LITMUS_GLOBAL;
		e->number = param->global;
		e->type = param->type;
		return litmus_lex_next(&p->lex) ? NULL : e;
	}
	if (litmus_lex_next(&p->lex))
		return NULL;
	return wrong(p, e,
		     litmus_lex_is(&p->lex, "(")
			     ? "this function is not one of the memory model's"
			     : "this is neither a parameter nor a declared register here");
}

/* After the parenthesis: a cast, or an expression in parentheses. */
static struct litmus_expr *
parse_parens(struct litmus_parser *p)
{
	struct litmus_expr *e = new_expr(p, LITMUS_CAST);
	int ret;

	if (!e)
		return NULL;
	if (litmus_lex_is_name(&p->lex, "void")) {
		if (litmus_lex_next(&p->lex) || litmus_expect(p, ")"))
			return NULL;
		return parse_expr(p, 99); /* who does not want a value says so */
	}
	ret = litmus_parse_base(p, &e->type);
	if (ret < 0)
		return NULL;
	if (!ret) {
		e = parse_expr(p, 0);
		return !e || litmus_expect(p, ")") ? NULL : e;
	}
	if (litmus_parse_stars(p, &e->type) || litmus_expect(p, ")"))
		return NULL;
	e->arg[0] = parse_expr(p, 99);
	return e->arg[0] ? e : NULL;
}

static struct litmus_expr *
parse_deref(struct litmus_parser *p)
{
	struct litmus_expr *e = new_expr(p, LITMUS_DEREF);

	if (!e || litmus_lex_next(&p->lex))
		return NULL;
	e->arg[0] = parse_expr(p, 99);
	if (!e->arg[0])
		return NULL;
	if (!e->arg[0]->type.stars)
		return wrong(p, e, "only a pointer can be dereferenced");
	e->type = e->arg[0]->type;
	e->type.stars--;
	return e;
}

static struct litmus_expr *
parse_unary(struct litmus_parser *p)
{
	static const char *const operators[] = { "-", "!", "~", "+" };
	struct litmus_expr *e;
	int ret;

	if (litmus_lex_is(&p->lex, "*"))
		return parse_deref(p);
	if (p->lex.token == TOKEN_NAME)
		return parse_name(p);
	if ((ret = litmus_accept(p, "(")))
		return ret < 0 ? NULL : parse_parens(p);
	if ((ret = litmus_accept(p, "&"))) {
		e = ret < 0 ? NULL : parse_expr(p, 99);
		if (e && e->kind != LITMUS_DEREF)
			return wrong(p, e, "expected '*' (of a variable, as in &*x)");
		return e ? e->arg[0] : NULL;
	}
	e = new_expr(p, LITMUS_UNARY);
	if (!e)
		return NULL;
	for (unsigned i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (!litmus_lex_is(&p->lex, operators[i]))
			continue;
		e->text = operators[i];
		if (litmus_lex_next(&p->lex) || !(e->arg[0] = parse_expr(p, 99)))
			return NULL;
		return e;
	}
	if (p->lex.token != TOKEN_NUMBER)
		return expected(p, "an expression");
	e->kind = LITMUS_NUMBER;
	e->number = p->lex.number;
	return litmus_lex_next(&p->lex) ? NULL : e;
}

/* --- operators ------------------------------------------------------------------------------ */

static const struct {
	const char *text;
	unsigned level;
} binaries[] = { { "||", 1 }, { "&&", 2 }, { "|", 3 }, { "^", 4 },  { "&", 5 },	 { "==", 6 },
		 { "!=", 6 }, { "<", 7 },  { ">", 7 }, { "<=", 7 }, { ">=", 7 }, { "<<", 8 },
		 { ">>", 8 }, { "+", 9 },  { "-", 9 }, { "*", 10 }, { "/", 10 }, { "%", 10 } };

/* Index of the current word as an operator of at least this level, or -1. */
static int
find_binary(const struct litmus_parser *p, unsigned level)
{
	for (unsigned i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
		if (binaries[i].level >= level && litmus_lex_is(&p->lex, binaries[i].text))
			return (int)i;
	return -1;
}

static struct litmus_expr *
parse_binary(struct litmus_parser *p, struct litmus_expr *left, unsigned k)
{
	struct litmus_expr *e = new_expr(p, LITMUS_BINARY);

	if (!e || litmus_lex_next(&p->lex))
		return NULL;
	e->text = binaries[k].text;
	e->arg[0] = left;
	e->arg[1] = parse_expr(p, binaries[k].level + 1);
	if (!e->arg[1])
		return NULL;
	if (strchr("/%", *e->text) && (e->arg[1]->kind != LITMUS_NUMBER || !e->arg[1]->number))
		return wrong(p, e, "division is by a number above 0 only");
	if (strchr("+-", *e->text))
		e->type = left->type.stars || !e->arg[1]->type.stars ? left->type : e->arg[1]->type;
	return e;
}

/* All that binds at least as close as @level; 99: unary. */
static struct litmus_expr *
parse_expr(struct litmus_parser *p, unsigned level)
{
	struct litmus_expr *e;
	int k;

	if (litmus_enter(p))
		return NULL;
	e = parse_unary(p);
	while (e && (k = find_binary(p, level ? level : 1)) >= 0)
		e = parse_binary(p, e, (unsigned)k);
	p->depth--;
	return e;
}

/* --- statements ----------------------------------------------------------------------------- */

static int
parse_statement(struct litmus_parser *p, struct litmus_stmt ***end);

static struct litmus_stmt *
new_stmt(struct litmus_parser *p, enum litmus_stmt_kind kind, struct litmus_stmt ***end)
{
	struct litmus_stmt *s;

	if (litmus_count(p))
		return NULL;
	s = litmus_alloc(p->t, sizeof(*s));
	s->kind = kind;
	s->line = p->lex.line;
	s->column = p->lex.column;
	**end = s;
	*end = &s->next;
	return s;
}

static int
parse_block(struct litmus_parser *p, struct litmus_stmt ***end)
{
	if (litmus_expect(p, "{"))
		return -1;
	while (!litmus_lex_is(&p->lex, "}")) {
		if (p->lex.token == TOKEN_END)
			return litmus_lex_expected(&p->lex, "'}'");
		if (parse_statement(p, end))
			return -1;
	}
	return 0; /* the caller goes on from the brace */
}

static int
parse_if(struct litmus_parser *p, struct litmus_stmt ***end)
{
	struct litmus_stmt *s = new_stmt(p, LITMUS_IF, end);
	struct litmus_stmt **inner;

	if (!s || litmus_lex_next(&p->lex) || litmus_expect(p, "("))
		return -1;
	s->right = parse_expr(p, 0);
	inner = &s->then;
	if (!s->right || litmus_expect(p, ")") || parse_statement(p, &inner))
		return -1;
	if (!litmus_lex_is_name(&p->lex, "else"))
		return 0;
	inner = &s->otherwise;
	return litmus_lex_next(&p->lex) || parse_statement(p, &inner) ? -1 : 0;
}

/* The name of a declaration: a register of the whole body. */
static int
declare(struct litmus_parser *p, struct litmus_type type)
{
	struct litmus_proc *proc = p->proc;
	int reg;

	if (p->lex.token != TOKEN_NAME)
		return litmus_lex_expected(&p->lex, "the name of a register");
	if (find_call(&p->lex))
		return litmus_lex_expected(&p->lex, "a name that is no function's");
	for (unsigned i = 0; i < proc->params; i++)
		if (litmus_lex_is_name(&p->lex, p->t->global[proc->param[i].global].name))
			return litmus_lex_expected(&p->lex, "a name that is no parameter's");
	reg = litmus_find_reg(p, proc);
	if (reg >= 0 && proc->reg[reg].declared)
		return litmus_lex_expected(&p->lex, "a name that was not declared before");
	if (reg < 0)
		reg = litmus_add_reg(p, proc, type);
	if (reg < 0)
		return -1;
	proc->reg[reg].type = type;
	proc->reg[reg].declared = true;
	return reg;
}

/* int r0, *r1 = 0; */
static int
parse_declaration(struct litmus_parser *p, struct litmus_type base, struct litmus_stmt ***end)
{
	int more;

	do {
		struct litmus_type type = base;
		struct litmus_expr *left = new_expr(p, LITMUS_REG);
		int reg, equal;

		if (!left || litmus_parse_stars(p, &type))
			return -1;
		left->line = p->lex.line;
		left->column = p->lex.column;
		reg = declare(p, type);
		if (reg < 0 || litmus_lex_next(&p->lex) || (equal = litmus_accept(p, "=")) < 0)
			return -1;
		if (equal) {
			struct litmus_stmt *s = new_stmt(p, LITMUS_ASSIGN, end);

			left->number = reg;
			left->type = type;
			if (!s || !(s->right = parse_expr(p, 0)))
				return -1;
			s->left = left;
			s->line = left->line;
		}
		more = litmus_accept(p, ",");
	} while (more > 0);
	return more < 0 ? -1 : litmus_expect(p, ";");
}

static int
parse_expression_statement(struct litmus_parser *p, struct litmus_stmt ***end)
{
	struct litmus_stmt *s = new_stmt(p, LITMUS_CALL_STMT, end);
	struct litmus_expr *e = s ? parse_expr(p, 0) : NULL;
	int equal;

	if (!e)
		return -1;
	if (!litmus_lex_is(&p->lex, "=") && e->kind != LITMUS_CALL_EXPR)
		return litmus_lex_expected(&p->lex, "'='");
	equal = litmus_accept(p, "=");
	if (equal < 0)
		return -1;
	s->right = e;
	if (equal) {
		s->kind = LITMUS_ASSIGN;
		s->left = e;
		if (e->kind != LITMUS_REG && e->kind != LITMUS_DEREF)
			return wrong(p, e, "only a register or a variable can be assigned to") ? 0
											       : -1;
		s->right = parse_expr(p, 0);
		if (!s->right)
			return -1;
	}
	return litmus_expect(p, ";");
}

static int
parse_simple(struct litmus_parser *p, struct litmus_stmt ***end)
{
	static const char *const no[] = { "while",  "for",    "do",	  "goto",
					  "return", "switch", "continue", "break" };
	struct litmus_type base;
	int ret;

	for (unsigned i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (litmus_lex_is_name(&p->lex, no[i]))
			return litmus_lex_expected(
				&p->lex, "a declaration, an assignment, a call, if, or a block");
	if (litmus_lex_is_name(&p->lex, "if"))
		return parse_if(p, end);
	if (litmus_lex_is(&p->lex, "{"))
		return parse_block(p, end) || litmus_lex_next(&p->lex) ? -1 : 0;
	if ((ret = litmus_accept(p, ";")))
		return ret < 0 ? -1 : 0;
	ret = litmus_parse_base(p, &base);
	if (ret)
		return ret < 0 ? -1 : parse_declaration(p, base, end);
	return parse_expression_statement(p, end);
}

static int
parse_statement(struct litmus_parser *p, struct litmus_stmt ***end)
{
	int ret;

	if (litmus_enter(p))
		return -1;
	ret = parse_simple(p, end);
	p->depth--;
	return ret;
}

int
litmus_parse_body(struct litmus_parser *p)
{
	struct litmus_stmt **end = &p->proc->body;

	if (!litmus_lex_is(&p->lex, "{"))
		return litmus_lex_expected(&p->lex, "'{'");
	p->lex.in_body = true;
	if (parse_block(p, &end))
		return -1;
	p->lex.in_body = false;
	return litmus_lex_next(&p->lex);
}
