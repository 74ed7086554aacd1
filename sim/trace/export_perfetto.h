/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run in the Chrome trace event format, which ui.perfetto.dev and chrome://tracing open.
 *
 *	one track an actor (thread_name, thread_sort_index)
 *	slices     "runs" while it is the one that goes on, "waits for kick0" while it is blocked
 *	instants   each event, with its arguments
 *	arrows     from what woke an actor to its next step; from an eventfd's signal to the read
 *	           that takes it or the interrupt it raises; from a doorbell's match to the signal;
 *	           from a message to the interrupt it becomes
 *
 * Time stamps are microseconds of simulated time; where time stands still (relaxed mode, order-only
 * recordings) one step is one microsecond.
 */
#ifndef RINGSIDE_TRACE_EXPORT_PERFETTO_H
#define RINGSIDE_TRACE_EXPORT_PERFETTO_H

#include <stdio.h>

#include "explore/event_log.h"

/* @title names the process, may be null. Errors of writing are left in ferror(@out). */
void
export_perfetto(const struct event_log *log, const struct event_names *names, const char *title,
		FILE *out);

#endif
