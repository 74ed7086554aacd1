/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors of the *user's input*: a script, a trace, a schedule, a database, the command line.
 *
 * There are three kinds of wrong in Ringside and they never mix:
 *   - our bug:                 must() in base/must.h, aborts (exit 134);
 *   - the user's input:        struct error, returned upwards, printed once by cli/ (exit 2);
 *   - the modelled system's:   an event and a verdict (exit 1), never an error.
 *
 * A function that can meet bad input takes a `struct error *` as its last argument, fills it and
 * returns -1 (or NULL).  The error is a value: the caller owns it, nothing is allocated.
 */
#ifndef RINGSIDE_BASE_ERROR_H
#define RINGSIDE_BASE_ERROR_H

#include <stdarg.h>

#define ERROR_TEXT_MAX 1024 /* bytes, so that an error fits on a stack of an actor */

struct error {
	/* One line without the newline, "" while there is no error; no control characters. */
	char text[ERROR_TEXT_MAX];
};

/* Set the text.  A null @err is allowed and ignored.  Always returns -1, for `return error_set(…)`.
 */
int
error_set(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Same, in front of it "file:line:column: ".  @line and @column count from 1; 0 means unknown and
 * is left out.
 */
int
error_at(struct error *err, const char *file, long line, long column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Put "context: " in front of a text that is already there. */
int
error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
