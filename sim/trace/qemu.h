/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importer of QEMU's -trace in text, as its log back end prints it:
 *
 *	9750@1795168139.096198:virtqueue_pop vq 0x7fc1cc254010 elem 0x55aa… in_num 2 out_num 1
 *	`-- thread @ seconds since 1970 : event, and its arguments
 *
 * with -msg timestamp=on; without, a line begins with the event's name, and the recording is
 * timeless.  Events are those of event_defs.h.  A line whose event is known and whose arguments
 * are not of any form that the event has is an error with file, line and column; a line of
 * another event, or of something else (warnings go the same way), is skipped and counted.
 *
 * Lines are taken where they lie: nothing is allocated for one, but the room of records doubles.
 */
#ifndef RINGSIDE_TRACE_QEMU_H
#define RINGSIDE_TRACE_QEMU_H

#include "trace/importer.h"

struct event_defs;

int
qemu_recognise(const char *text, size_t size);
int
qemu_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	    struct error *err);

/* The table for @r: built-in definitions and those of the options. Null and @err. */
struct event_defs *
qemu_event_defs(struct recording *r, const struct trace_options *o, struct error *err);

/* What all importers of QEMU's events do to a record last. */
void
qemu_record_finish(struct record *record);

#endif
