/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in a line, for importers: what is taken is stepped over.  Bytes are not trusted; nothing
 * here reads at or past `end`, allocates, or depends on the locale.
 */
#ifndef RINGSIDE_TRACE_CURSOR_H
#define RINGSIDE_TRACE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const char *at, *end;
};

static inline bool
cursor_take(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static inline bool
cursor_spaces(struct cursor *c)
{
	const char *from = c->at;

	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
	return c->at != from;
}

static inline unsigned
cursor_digit(char c)
{
	unsigned digit = (unsigned)(unsigned char)c - '0';

	if (digit < 10)
		return digit;
	digit = ((unsigned)(unsigned char)c | 0x20) - 'a';
	return digit < 6 ? digit + 10 : 16;
}

/* Decimal digits that fit 64 bits; false if there is none, or too many. */
static inline bool
cursor_decimal(struct cursor *c, uint64_t *value)
{
	const char *from = c->at;
	uint64_t v = 0;

	while (c->at < c->end && (unsigned)(unsigned char)*c->at - '0' < 10) {
		unsigned digit = (unsigned)(unsigned char)*c->at - '0';

		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
		c->at++;
	}
	*value = v;
	return c->at != from;
}

/* Hexadecimal digits without 0x: at most 16 that count. */
static inline bool
cursor_hex(struct cursor *c, uint64_t *value)
{
	const char *from = c->at;
	uint64_t v = 0;

	for (; c->at < c->end && cursor_digit(*c->at) < 16; c->at++) {
		if (v >> 60)
			return false;
		v = v << 4 | cursor_digit(*c->at);
	}
	*value = v;
	return c->at != from;
}

/* "1466862.728742": seconds, and a fraction of 1 to 9 digits. In ns. */
static inline bool
cursor_seconds(struct cursor *c, int64_t *ns)
{
	uint64_t seconds, fraction;
	const char *digits;

	if (!cursor_decimal(c, &seconds) || seconds > UINT64_C(9000000000) || !cursor_take(c, '.'))
		return false;
	digits = c->at;
	if (!cursor_decimal(c, &fraction) || c->at - digits > 9)
		return false;
	for (int i = (int)(c->at - digits); i < 9; i++)
		fraction *= 10;
	*ns = (int64_t)(seconds * 1000000000 + fraction);
	return true;
}

/*
 * The line at *@at, without its end (LF or CR LF); *@at goes to the next.  @cut if the text ends
 * before the line does.
 */
static inline struct cursor
cursor_line(const char **at, const char *end, bool *cut)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	struct cursor line = { *at, newline ? newline : end };

	*cut = !newline;
	*at = newline ? newline + 1 : end;
	if (newline && line.end > line.at && line.end[-1] == '\r')
		line.end--;
	return line;
}

#endif
