/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/litmus_lex.h"

#include <string.h>

/* Longest first. */
static const char *const marks[] = { "<<",  ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "/\\",
				     "\\/", "=>", "<>", "++", "--", "+=", "-=", "*=", "/=", "|=",
				     "&=",  "^=", "{",	"}",  "(",  ")",  "[",	"]",  ";",  ",",
				     ":",   "=",  "*",	"&",  "~",  "-",  "+",	"/",  "%",  "|",
				     "^",   "<",  ">",	"!",  ".",  "?" };

static bool
starts_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* --- moving --------------------------------------------------------------------------------- */

static bool
looking_at(const struct litmus_lexer *lex, const char *text)
{
	size_t n = strlen(text);

	return lex->size - lex->at >= n && !memcmp(lex->text + lex->at, text, n);
}

static void
step(struct litmus_lexer *lex, size_t n)
{
	for (; n; n--) {
		if (lex->text[lex->at++] == '\n') {
			lex->next_line++;
			lex->next_column = 1;
		} else {
			lex->next_column++;
		}
	}
}

static void
begin(struct litmus_lexer *lex, enum litmus_token token)
{
	lex->token = token;
	lex->word = lex->text + lex->at;
	lex->line = lex->next_line;
	lex->column = lex->next_column;
}

static void
finish(struct litmus_lexer *lex, size_t n)
{
	lex->length = n;
	step(lex, n);
}

/* --- comments ------------------------------------------------------------------------------- */

/* The first "Result: WORD" of a comment says what the memory model allows. */
static void
find_result(struct litmus_lexer *lex, const char *text, size_t size)
{
	static const char key[] = "Result:";
	const char *p = memmem(text, size, key, sizeof(key) - 1), *end = text + size;

	if (!p || lex->result)
		return;
	p += sizeof(key) - 1;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	lex->result = p;
	while (p < end && starts_name(*p))
		p++;
	lex->result_length = (size_t)(p - lex->result);
	if (!lex->result_length)
		lex->result = NULL;
}

static int
skip_comment(struct litmus_lexer *lex, const char *closing, bool nests)
{
	size_t from = lex->at;
	long line = lex->next_line, column = lex->next_column;
	unsigned depth = 1;

	step(lex, 2);
	while (lex->at < lex->size) {
		if (nests && looking_at(lex, "(*")) {
			depth++;
			step(lex, 2);
		} else if (looking_at(lex, closing)) {
			step(lex, 2);
			if (--depth)
				continue;
			find_result(lex, lex->text + from, lex->at - from);
			return 0;
		} else {
			step(lex, 1);
		}
	}
	return error_at(lex->err, lex->path, line, column, "a comment that does not end: no %s",
			closing);
}

static int
skip_blank(struct litmus_lexer *lex)
{
	while (lex->at < lex->size) {
		if (is_blank(lex->text[lex->at])) {
			step(lex, 1);
		} else if (looking_at(lex, "//")) {
			while (lex->at < lex->size && lex->text[lex->at] != '\n')
				step(lex, 1);
		} else if (looking_at(lex, "/*")) {
			if (skip_comment(lex, "*/", false))
				return -1;
		} else if (!lex->in_body && looking_at(lex, "(*")) {
			if (skip_comment(lex, "*)", true))
				return -1;
		} else {
			break;
		}
	}
	return 0;
}

/* --- words ---------------------------------------------------------------------------------- */

static int
bad(struct litmus_lexer *lex, const char *what)
{
	return error_at(lex->err, lex->path, lex->next_line, lex->next_column, "%s", what);
}

static unsigned
digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 99;
}

static int
lex_number(struct litmus_lexer *lex)
{
	unsigned base = looking_at(lex, "0x") || looking_at(lex, "0X") ? 16 : 10;
	size_t n = base == 16 ? 2 : 0, digits = 0;
	uint64_t value = 0;

	begin(lex, TOKEN_NUMBER);
	for (; lex->at + n < lex->size; n++, digits++) {
		unsigned d = digit_value(lex->word[n]);

		if (d >= base)
			break;
		if (value > ((uint64_t)INT64_MAX - d) / base)
			return bad(lex, "a number is at most 9223372036854775807");
		value = value * base + d;
	}
	while (digits && lex->at + n < lex->size && lex->word[n] && strchr("uUlL", lex->word[n]))
		n++;
	if (!digits || (lex->at + n < lex->size && starts_name(lex->word[n])))
		return bad(lex, "this is neither a number nor a name");
	lex->number = (int64_t)value;
	finish(lex, n);
	return 0;
}

static int
lex_string(struct litmus_lexer *lex)
{
	size_t n = 1;

	begin(lex, TOKEN_STRING);
	while (lex->at + n < lex->size && lex->word[n] != '"' && lex->word[n] != '\n')
		n++;
	if (lex->at + n == lex->size || lex->word[n] != '"')
		return bad(lex, "a string that does not end on its line");
	finish(lex, n + 1);
	return 0;
}

int
litmus_lex_next(struct litmus_lexer *lex)
{
	size_t n = 0;

	if (skip_blank(lex))
		return -1;
	begin(lex, TOKEN_END);
	lex->length = 0;
	if (lex->at == lex->size)
		return 0;
	if (starts_name(*lex->word)) {
		begin(lex, TOKEN_NAME);
		while (lex->at + n < lex->size &&
		       (starts_name(lex->word[n]) || is_digit(lex->word[n])))
			n++;
		finish(lex, n);
		return 0;
	}
	if (is_digit(*lex->word))
		return lex_number(lex);
	if (*lex->word == '"')
		return lex_string(lex);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!looking_at(lex, marks[i]))
			continue;
		begin(lex, TOKEN_MARK);
		finish(lex, strlen(marks[i]));
		return 0;
	}
	return bad(lex, "a character that has no meaning here");
}

void
litmus_lex_line(struct litmus_lexer *lex)
{
	size_t n = 0;

	while (lex->at < lex->size && (lex->text[lex->at] == ' ' || lex->text[lex->at] == '\t'))
		step(lex, 1);
	begin(lex, TOKEN_NAME);
	while (lex->at + n < lex->size && lex->word[n] != '\n')
		n++;
	finish(lex, n);
	while (lex->length && is_blank(lex->word[lex->length - 1]))
		lex->length--;
}

/* --- looking -------------------------------------------------------------------------------- */

static bool
same(const struct litmus_lexer *lex, const char *text)
{
	return lex->length == strlen(text) && !memcmp(lex->word, text, lex->length);
}

bool
litmus_lex_is(const struct litmus_lexer *lex, const char *mark)
{
	return lex->token == TOKEN_MARK && same(lex, mark);
}

bool
litmus_lex_is_name(const struct litmus_lexer *lex, const char *name)
{
	return lex->token == TOKEN_NAME && same(lex, name);
}

int
litmus_lex_expected(const struct litmus_lexer *lex, const char *what)
{
	int shown = lex->length > 40 ? 40 : (int)lex->length;

	if (lex->token == TOKEN_END)
		return error_at(lex->err, lex->path, lex->line, lex->column,
				"expected %s, but the file ends", what);
	return error_at(lex->err, lex->path, lex->line, lex->column, "expected %s, not '%.*s'",
			what, shown, lex->word);
}
