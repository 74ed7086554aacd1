/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importer of trace.dat, the file of trace-cmd record, versions 6 and 7 (compressed, too), by
 * libtracecmd.  Where Ringside was built without it, an error says so and what to do.
 *
 * The kvm:* events of all CPUs and of all buffers come in the order of their times, in ns, and
 * become records as from the text that `trace-cmd report` makes of the file (kvm_events.h); of
 * other events the number is known.  A record's line is the event's number.  Events that were lost
 * are added up.  A clock that does not count time (counter, x86-tsc not converted) makes a
 * timeless recording.
 *
 * The file is checked before the library sees it as far as its layout is plain (tracedat_check()).
 * The library reads it in a process of its own with little memory and time, so that a file that
 * brings it down is an error like another.
 */
#ifndef RINGSIDE_TRACE_TRACEDAT_H
#define RINGSIDE_TRACE_TRACEDAT_H

#include <stdbool.h>

#include "trace/importer.h"

int
tracedat_recognise(const char *text, size_t size);
int
tracedat_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
		struct error *err);

/* Whether Ringside was built with libtracecmd. */
bool
tracedat_built_in(void);

/*
 * Whether all that a file says of its own layout is within it: the parts in front and the data of
 * each CPU (version 6), or where its options are (7).  0, or -1 and what is wrong at which byte;
 * @name is for that.
 */
int
tracedat_check(const char *name, const char *text, size_t size, struct error *err);

#endif
