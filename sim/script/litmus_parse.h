/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of litmus tests, for the files litmus_*.c only. */
#ifndef RINGSIDE_SCRIPT_LITMUS_PARSE_H
#define RINGSIDE_SCRIPT_LITMUS_PARSE_H

#include "script/litmus.h"
#include "script/litmus_lex.h"

struct litmus_parser {
	struct litmus_lexer lex;
	struct litmus_test *t;
	struct litmus_proc *proc; /* whose body is read */
	unsigned depth; /* of nesting: at most LITMUS_DEPTH_MAX */
	unsigned nodes; /* of the tree so far: at most LITMUS_NODES_MAX */
};

/* Zeroed memory of the test. Never null: ends the program when there is none left. */
void *
litmus_alloc(struct litmus_test *t, size_t size);
/* The current word as a string of the test. */
const char *
litmus_word(struct litmus_parser *p);

/* If the current word is this mark, go on. 1, 0 if it is not, -1 and the error. */
int
litmus_accept(struct litmus_parser *p, const char *mark);
/* The current word must be this mark: go on. 0, or -1 and the error. */
int
litmus_expect(struct litmus_parser *p, const char *mark);

/* One deeper, or one node more: 0, or -1 and the error. */
int
litmus_enter(struct litmus_parser *p);
int
litmus_count(struct litmus_parser *p);

/* The words of a type without its stars. 1, 0 if the current word begins none, -1 and the error. */
int
litmus_parse_base(struct litmus_parser *p, struct litmus_type *type);
int
litmus_parse_stars(struct litmus_parser *p, struct litmus_type *type);

/* An optional minus and a number. */
int
litmus_parse_integer(struct litmus_parser *p, int64_t *number);

/* The global named by the current word, made if need be; -1 and the error if there are too many. */
int
litmus_find_global(struct litmus_parser *p);
/* Index of the register named by the current word, or -1. */
int
litmus_find_reg(const struct litmus_parser *p, const struct litmus_proc *proc);
/* Makes it; -1 and the error if there are too many. */
int
litmus_add_reg(struct litmus_parser *p, struct litmus_proc *proc, struct litmus_type type);

/* { … } of a process, the current word being the brace. */
int
litmus_parse_body(struct litmus_parser *p);
/* locations, filter, and the condition, to the end of the file. */
int
litmus_parse_clauses(struct litmus_parser *p);

/* Mark the loads from which an address, a stored value or a condition comes. */
void
litmus_find_feeds(struct litmus_test *t);

#endif
