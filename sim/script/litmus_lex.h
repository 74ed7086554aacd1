/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of a litmus test.  One word is looked at a time; comments are left out.
 *
 * The comments (* … *) of the frame would swallow `READ_ONCE(*x)`: inside a body they are no
 * comments.  Whoever parses sets in_body before it goes on from the brace.
 */
#ifndef RINGSIDE_SCRIPT_LITMUS_LEX_H
#define RINGSIDE_SCRIPT_LITMUS_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum litmus_token {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_MARK /* an operator or a bracket: its spelling is the text */
};

struct litmus_lexer {
	const char *path;
	const char *text; /* all of it */
	size_t size, at; /* at: after the current word */
	long next_line, next_column; /* of `at` */
	bool in_body;
	struct error *err;

	/* the current word */
	enum litmus_token token;
	const char *word; /* in the text; not ended by a zero */
	size_t length;
	int64_t number;
	long line, column;

	/* of comments so far */
	const char *result; /* after "Result:", in the text, or null */
	size_t result_length;
};

/* To the next word. 0, or -1 and the error. */
int
litmus_lex_next(struct litmus_lexer *lex);

/* The rest of the current line as one word, without blanks around it; for the header. */
void
litmus_lex_line(struct litmus_lexer *lex);

/* Whether the current word is this mark. */
bool
litmus_lex_is(const struct litmus_lexer *lex, const char *mark);
bool
litmus_lex_is_name(const struct litmus_lexer *lex, const char *name);

/* An error at the current word: "…, not `word`" is added. Returns -1. */
int
litmus_lex_expected(const struct litmus_lexer *lex, const char *what);

#endif
