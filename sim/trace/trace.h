/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front door of the room: recordings of real systems, in and replayed.
 *
 *	ringside import FILE	trace_open(), trace_print_import(), recording_print() a record
 *	ringside run FILE	trace_open(), memslot_replay_create() … (replay_memslot.h)
 *
 * A format is an importer: a name, a line of description, a recogniser and a parser.  Another
 * format is another file and an entry in trace_formats[] (trace.c).
 */
#ifndef RINGSIDE_TRACE_TRACE_H
#define RINGSIDE_TRACE_TRACE_H

#include <stddef.h>
#include <stdio.h>

#include "trace/importer.h"
#include "trace/recording.h"
#include "trace/replay_memslot.h"

struct error;

/* A trace is read into memory whole. A host's syslog of a day is a few MiB. */
#define TRACE_BYTES_MAX (UINT64_C(4) << 30)

extern const struct trace_format trace_formats[];
extern const size_t trace_formats_count;

/* The format of that name, or null. */
const struct trace_format *
trace_format_find(const char *name);

/* The format that is surest of @text; null if none knows it. */
const struct trace_format *
trace_recognise(const char *text, size_t size);

/*
 * Read a file into a zeroed @r.  @format names an importer, or is null to recognise one.  0, or
 * -1 and @err (cannot be read; of no format we know, with the list of those; damaged, with the
 * line).  On failure @r is empty.
 */
int
trace_open(const char *path, const char *format, struct recording *r, struct error *err);

/* The same with all that can be said (importer.h). */
int
trace_open_with(const char *path, const struct trace_options *o, struct recording *r,
		struct error *err);

/* The same from memory; @name is for messages. */
int
trace_open_text(const char *name, const char *text, size_t size, const char *format,
		struct recording *r, struct error *err);
int
trace_open_text_with(const char *name, const char *text, size_t size, const struct trace_options *o,
		     struct recording *r, struct error *err);

/* "colo.syslog: format syslog, 57 lines, …" and a line a kind of record with its count. */
void
trace_print_import(const struct recording *r, FILE *to);

#endif
