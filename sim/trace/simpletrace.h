/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importer of QEMU's simpletrace files, versions 2 to 4, of either byte order:
 *
 *	header   ~0, 0xf2b177cb0aa429b4, version: 8 bytes each
 *	record   event number 8, ns 8, length of all 4, pid 4; then the arguments: a number or a
 *	         pointer 8 bytes, a text 4 bytes of length and that many more
 *
 * Since version 4 a record has 8 more bytes in front: 1 for an event, 0 for a mapping: event
 * number 8, length 4, name.  Before, the numbers are places in the list of all events of that
 * build: --events must name its trace-events-all.  The event number ~0 - 1 says how many events
 * were dropped.
 *
 * The line of a record is the number of the event in the file; a message names the byte, too.
 */
#ifndef RINGSIDE_TRACE_SIMPLETRACE_H
#define RINGSIDE_TRACE_SIMPLETRACE_H

#include "trace/importer.h"

int
simpletrace_recognise(const char *text, size_t size);
int
simpletrace_import(struct recording *r, const char *text, size_t size,
		   const struct trace_options *o, struct error *err);

#endif
