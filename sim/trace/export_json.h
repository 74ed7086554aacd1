/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run as JSON, for scripts.  One object:
 *
 *	{"ringside":1,
 *	 "failure":{"scenario":…,"verdict":…,"oracle":…,"subject":…,"message":…,"schedule":…, …} or
 * null, "dropped":0, "actors":[{"id":1,"name":"driver"}, …], "events":[
 *	{"step":7,"time_ns":0,"actor":1,"kind":"store","text":"vq0.avail.idx =
 * 1","args":{"gpa":"0x1042",…}}, …]}
 *
 * One line an event.  Arguments are named as in events.def: %d and %u are numbers, %x strings with
 * 0x, %s texts; an argument without a name is "text".
 */
#ifndef RINGSIDE_TRACE_EXPORT_JSON_H
#define RINGSIDE_TRACE_EXPORT_JSON_H

#include <stdio.h>

#include "explore/event_log.h"
#include "explore/failure.h"

/* @failure may be null. Errors of writing are left in ferror(@out). */
void
export_json(const struct event_log *log, const struct event_names *names,
	    const struct failure *failure, FILE *out);

/* {"key":value,…} of one event, for the other exporters. */
void
export_json_args(const struct event_names *names, const struct event *e, FILE *out);

/* ,"access":"once","place":"file:line","stack":[…] of an event of linked code; nothing for others.
 */
void
export_json_stack(const struct event_names *names, const struct event *e, FILE *out);

#endif
