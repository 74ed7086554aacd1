/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int
source_read(const char *path, size_t max, char **text, size_t *size, struct error *err)
{
	FILE *f = fopen(path, "rb");
	struct stat st;

	*text = NULL;
	if (!f)
		return error_set(err, "%s: %s", path, strerror(errno));
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode)) {
		fclose(f);
		return error_set(err, "%s: is a directory", path);
	}
	*text = malloc(max + 2);
	if (!*text) {
		fclose(f);
		return error_set(err, "%s: out of memory", path);
	}
	*size = fread(*text, 1, max + 1, f);

	int failed = ferror(f);

	fclose(f);
	if (!failed && *size <= max) {
		char *fit;

		(*text)[*size] = 0;
		fit = realloc(*text, *size + 1);
		if (fit)
			*text = fit;
		return 0;
	}
	free(*text);
	*text = NULL;
	if (failed)
		return error_set(err, "%s: cannot be read", path);
	return error_set(err, "%s: is larger than %zu KiB", path, max >> 10);
}

/* --- tokens of Lua -------------------------------------------------------------------------- */

enum token { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

struct scan {
	const char *at, *end, *line_start;
	long line;
	/* The last token. */
	enum token token;
	const char *text;
	size_t size;
	long token_line, token_column;
};

static void
step(struct scan *s)
{
	if (*s->at == '\n') {
		s->line++;
		s->line_start = s->at + 1;
	}
	s->at++;
}

/* "[==[": the number of = and 1, or 0 if there is no long bracket here. */
static unsigned
long_bracket(const struct scan *s)
{
	const char *p = s->at;
	unsigned level = 1;

	if (p >= s->end || *p++ != '[')
		return 0;
	for (; p < s->end && *p == '='; p++)
		level++;
	return p < s->end && *p == '[' ? level : 0;
}

static void
skip_long(struct scan *s, unsigned level)
{
	for (unsigned i = 0; i < level + 1; i++)
		step(s);
	while (s->at < s->end) {
		const char *p = s->at;

		step(s);
		if (*p++ != ']')
			continue;
		while (p < s->end && *p == '=')
			p++;
		if (p < s->end && *p == ']' && (size_t)(p - s->at) == level - 1) {
			while (s->at <= p)
				step(s);
			return;
		}
	}
}

static void
skip_blanks(struct scan *s)
{
	while (s->at < s->end) {
		if (isspace((unsigned char)*s->at)) {
			step(s);
		} else if (s->end - s->at >= 2 && s->at[0] == '-' && s->at[1] == '-') {
			unsigned level;

			s->at += 2;
			level = long_bracket(s);
			if (level)
				skip_long(s, level);
			else
				while (s->at < s->end && *s->at != '\n')
					s->at++;
		} else {
			return;
		}
	}
}

static void
scan_string(struct scan *s)
{
	char quote = *s->at;

	step(s);
	s->text = s->at;
	while (s->at < s->end && *s->at != quote && *s->at != '\n') {
		if (*s->at == '\\' && s->at + 1 < s->end)
			step(s);
		step(s);
	}
	s->size = (size_t)(s->at - s->text);
	if (s->at < s->end)
		step(s);
}

static bool
scan_next(struct scan *s)
{
	skip_blanks(s);
	s->token_line = s->line;
	s->token_column = s->at - s->line_start + 1;
	s->text = s->at;
	if (s->at >= s->end) {
		s->token = TOKEN_END;
		s->size = 0;
		return false;
	}
	if (isalnum((unsigned char)*s->at) || *s->at == '_') {
		while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '_'))
			s->at++;
		s->token = TOKEN_NAME;
		s->size = (size_t)(s->at - s->text);
	} else if (*s->at == '"' || *s->at == '\'') {
		s->token = TOKEN_STRING;
		scan_string(s);
	} else if (long_bracket(s)) {
		s->token = TOKEN_STRING;
		skip_long(s, long_bracket(s));
		s->size = (size_t)(s->at - s->text);
	} else {
		s->token = TOKEN_OTHER;
		s->size = s->end - s->at > 1 && s->at[1] == '=' && strchr("=~<>", *s->at) ? 2 : 1;
		s->at += s->size;
	}
	return true;
}

static bool
is(const struct scan *s, const char *text)
{
	return (s->token == TOKEN_NAME || s->token == TOKEN_OTHER) && strlen(text) == s->size &&
	       !memcmp(s->text, text, s->size);
}

/* How a token changes the depth of brackets and blocks. */
static int
nesting(const struct scan *s)
{
	if (is(s, "{") || is(s, "(") || is(s, "[") || is(s, "function") || is(s, "do") ||
	    is(s, "if") || is(s, "repeat"))
		return 1;
	if (is(s, "}") || is(s, ")") || is(s, "]") || is(s, "end") || is(s, "until"))
		return -1;
	return 0;
}

/* Stand after the "{" of the last "return {" outside of all blocks. */
static bool
find_returned(struct scan *s)
{
	struct scan found = *s;
	bool any = false, after_return = false;
	int depth = 0;

	while (scan_next(s)) {
		if (after_return && is(s, "{")) {
			found = *s;
			any = true;
		}
		after_return = depth == 0 && is(s, "return");
		depth += nesting(s);
	}
	*s = found;
	return any;
}

/* In a table constructor: find `key =`; stand after the "=". */
static bool
find_key(struct scan *s, const char *key)
{
	struct scan before;
	int depth = 0;

	while (depth >= 0 && scan_next(s)) {
		bool bracket = depth == 0 && is(s, "[");

		before = *s;
		if (bracket)
			scan_next(s);
		if (depth == 0 &&
		    (s->token == TOKEN_NAME || (bracket && s->token == TOKEN_STRING)) &&
		    s->size == strlen(key) && !memcmp(s->text, key, s->size)) {
			struct scan here = *s;

			if (bracket)
				scan_next(s);
			scan_next(s);
			if (is(s, "=")) {
				s->token_line = here.token_line;
				s->token_column = here.token_column;
				return true;
			}
		}
		*s = before;
		depth += nesting(s);
	}
	return false;
}

bool
source_locate(const char *text, size_t size, const char *const *path, unsigned count, long *line,
	      long *column)
{
	struct scan s = { .at = text, .end = text + size, .line_start = text, .line = 1 };

	if (!find_returned(&s))
		return false;
	*line = s.token_line;
	*column = s.token_column;
	for (unsigned i = 0; i < count; i++) {
		if (!find_key(&s, path[i]))
			return true;
		*line = s.token_line;
		*column = s.token_column;
		if (i + 1 < count && (!scan_next(&s) || !is(&s, "{")))
			return true;
	}
	return true;
}
