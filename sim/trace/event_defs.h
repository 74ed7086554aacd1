/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Definitions of QEMU's trace events: from a text in the syntax of QEMU's own trace-events files
 * to a table by name, with a parser for each event's printed form and for its binary one.
 *
 * The text of the events that Ringside understands is built in (qemu-trace-events, which has the
 * syntax in its head).  A user adds others, with a mapping to a kind of record or without one:
 * then the event is a kind of its own, with the arguments that the definition has, pointers named
 * after their argument.  So QEMU's files can be given as they are.  A definition without a mapping
 * of an event that is mapped already takes that mapping, by the names of the arguments.
 *
 * Of definitions without a mapping that are QEMU's and not read here (no format, more than 16
 * arguments, %o or %f) only the name and the place are kept.
 *
 * The table belongs to one recording, whose kinds, classes and texts it uses.
 */
#ifndef RINGSIDE_TRACE_EVENT_DEFS_H
#define RINGSIDE_TRACE_EVENT_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/cursor.h"
#include "trace/recording.h"

struct error;

#define EVENT_ARGS_MAX 16

enum event_arg_type { EVENT_ARG_NUMBER, EVENT_ARG_POINTER, EVENT_ARG_STRING };

/* One conversion of a format with the fixed text in front of it. */
struct event_conversion {
	const char *before;
	uint16_t before_size;
	char how; /* d x # (x with its 0x) p s c; 0: the end */
};

struct event_def {
	const char *name;
	size_t name_size;
	unsigned kind;
	unsigned args; /* of the event */
	char *arg_name[EVENT_ARGS_MAX];
	uint8_t arg_type[EVENT_ARGS_MAX];
	struct event_conversion conversion[EVENT_ARGS_MAX + 1];
	/* What becomes of each argument of the event. */
	uint8_t slot[EVENT_ARGS_MAX]; /* of the record; RECORD_ARGS: dropped */
	uint8_t how[EVENT_ARGS_MAX]; /* d, n or s */
	uint8_t class[EVENT_ARGS_MAX];
	int64_t fixed[RECORD_ARGS]; /* what no argument of the event sets */
	char *text; /* owns the pieces of the format */
	char *owned_name;
	struct event_def *next; /* of the same name */
	uint32_t hash;
	bool opaque; /* of a form that is not read: such events are skipped */
};

struct event_defs;

/* With the built-in ones. */
struct event_defs *
event_defs_create(struct recording *r);
void
event_defs_destroy(struct event_defs *d);

/* Add the definitions of a text; @name is for messages.  0, or -1 and @err with line and column. */
int
event_defs_add(struct event_defs *d, const char *name, const char *text, size_t size,
	       struct error *err);

/* The first definition of that name; null. */
const struct event_def *
event_defs_find(const struct event_defs *d, const char *name, size_t size);

/* Whether some event's name begins so. */
bool
event_defs_prefix(const struct event_defs *d, const char *name, size_t size);

/* By number in the order of the definitions that were added by the user, from 0; null. */
const struct event_def *
event_defs_number(const struct event_defs *d, uint64_t number);

/*
 * The printed arguments of an event: @c is behind its name.  Fills @record's kind and arguments.
 * False: they are not of this form, and @c is where not.
 */
bool
event_def_parse(const struct event_def *def, struct recording *r, struct cursor *c,
		struct record *record);

/* The form of its printed arguments as its definition has it, for messages; cut to fit. */
void
event_def_form(const struct event_def *def, char *text, size_t size);

/* What becomes of argument @i with this value (a text's is its number). */
void
event_def_set(const struct event_def *def, struct recording *r, struct record *record, unsigned i,
	      uint64_t value);

#endif
