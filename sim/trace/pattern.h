/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importer of free-form logs by the user's patterns, a file in Lua that returns a table:
 *
 *	return {
 *		time = "^(%d+%.%d+) ",		-- seconds; without it the recording is timeless
 *		thread = " Cpu:(%d+) ",		-- without it all lines are one thread's
 *		{ match = " kick vq:(%d+)", key = " kick ", record = "kick", args = { "vq" } },
 *		{ match = " RX %S+ num:(%d+) .* avail_idx:(%d+)", record = "rx",
 *		  args = { "num", "avail_idx" } },
 *	}
 *
 * Of each line the first pattern that matches counts (Lua's string.match); its captures are the
 * arguments called so.  `record` is a kind of records.def, whose arguments are named there, or a
 * kind of the user's own, whose arguments are shown as NAME=NUMBER; NAME:x, NAME:n and NAME:s make
 * that hexadecimal, the number of a name (any text or pointer, first seen first) and a text.  A
 * line that has `key` in it and does not match is damaged: an error with file and line.
 *
 * The file runs with Lua's base, string, table and math libraries, and for a limited time.
 */
#ifndef RINGSIDE_TRACE_PATTERN_H
#define RINGSIDE_TRACE_PATTERN_H

#include "trace/importer.h"

int
pattern_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	       struct error *err);

#endif
