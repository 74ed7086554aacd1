/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text that the user wrote: read whole and bounded, and searched for the place of what is wrong
 * in it.
 */
#ifndef RINGSIDE_SCRIPT_SOURCE_H
#define RINGSIDE_SCRIPT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Read a file of at most @max bytes; free(*@text). It is followed by a zero byte. 0, or -1 and
 * @err.
 */
int
source_read(const char *path, size_t max, char **text, size_t *size, struct error *err);

/*
 * Find the key @path[0 … count) in the table that the Lua source returns: "variants", "fails",
 * "expect".  A small scan of tokens, not a parser: a table that is put together by statements is
 * not found.  If the last key is not there, the place of the one before it is found.
 */
bool
source_locate(const char *text, size_t size, const char *const *path, unsigned count, long *line,
	      long *column);

#endif
