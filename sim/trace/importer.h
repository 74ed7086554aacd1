/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an importer is, and what it is told.  trace.h is the front door; this is for the files that
 * stand behind it.
 */
#ifndef RINGSIDE_TRACE_IMPORTER_H
#define RINGSIDE_TRACE_IMPORTER_H

#include <stddef.h>

#include "trace/recording.h"

struct error;

struct trace_options {
	const char *format; /* name of the importer; null: recognise it */
	const char *events; /* file of event definitions (event_defs.h); null: the built-in ones */
	const char *pattern; /* file of patterns in Lua (pattern.h); null */
};

struct trace_format {
	const char *name; /* "syslog" */
	const char *title;
	/* How sure it is from the first bytes of a file: 0 not mine … 100. */
	int (*recognise)(const char *text, size_t size);
	/* Append to @r, which has its name; 0, or -1 and @err. */
	int (*import)(struct recording *r, const char *text, size_t size,
		      const struct trace_options *o, struct error *err);
};

/* All of a file, malloc'ed, or null and @err. */
char *
trace_read_file(const char *path, size_t *size, struct error *err);

#endif
