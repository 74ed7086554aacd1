/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* Errors quote the user's input: what would break the line, or steer a terminal, becomes a '?'. */
static int
make_one_line(struct error *err)
{
	for (char *c = err->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = *c == '\n' || *c == '\t' ? ' ' : '?';
	return -1;
}

int
error_set(struct error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return make_one_line(err);
}

int
error_at(struct error *err, const char *file, long line, long column, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!err)
		return -1;
	if (line > 0 && column > 0)
		snprintf(err->text, sizeof(err->text), "%s:%ld:%ld: ", file, line, column);
	else if (line > 0)
		snprintf(err->text, sizeof(err->text), "%s:%ld: ", file, line);
	else
		snprintf(err->text, sizeof(err->text), "%s: ", file);
	n = strlen(err->text);
	va_start(ap, fmt);
	vsnprintf(err->text + n, sizeof(err->text) - n, fmt, ap);
	va_end(ap);
	return make_one_line(err);
}

int
error_prefix(struct error *err, const char *fmt, ...)
{
	struct error old;
	va_list ap;
	size_t n;

	if (!err)
		return -1;
	old = *err;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", old.text);
	return make_one_line(err);
}
