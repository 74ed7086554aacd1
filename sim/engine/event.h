/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: what a world says of itself.  One event is 64 bytes, fixed, numbers only; its text is
 * made by whoever shows it.  All events of a run, in order, are its digest; observers (oracles) and
 * the recorder see the same stream.
 *
 * engine/events.def is the one table: enum, name, format of the detail column, SQL and reference
 * all come from it (ORDER EVENT).  The format is printf-like over the five arguments in order and
 * may use only %d %u %x %s, without widths: %s names a string of the world's name table
 * (world_name()).  The same format serves SQLite's printf() in the `event` view.
 */
#ifndef RINGSIDE_ENGINE_EVENT_H
#define RINGSIDE_ENGINE_EVENT_H

#include <stddef.h>
#include <stdint.h>

enum event_kind {
#define EVENT(id, name, format, what) EV_##id,
#include "engine/events.def"
#undef EVENT
	EV_COUNT
};

#define EVENT_ARGS 5

struct event {
	uint64_t step;
	int64_t time_ns;
	uint32_t actor; /* id, 0 where no actor runs: set-up, timer callbacks */
	uint16_t kind; /* enum event_kind */
	uint16_t stack; /* for the recorder alone: calls_sites() of memory/, 0: none */
	int64_t arg[EVENT_ARGS];
};

_Static_assert(sizeof(struct event) == 64, "an event is one cache line");

struct event_info {
	const char *name; /* as stored in the database: stable */
	const char *format; /* "vq=%d avail_idx=%d" */
	const char *what; /* one line for the reference */
};

extern const struct event_info event_info[EV_COUNT];

struct world;

/* The detail column ("key=value …") into @text; returns its length, cut to @size - 1. */
size_t
event_format(const struct world *w, const struct event *e, char *text, size_t size);

#endif
