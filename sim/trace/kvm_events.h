/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What importers of the host kernel's kvm:* events share: from an event's name, its thread and its
 * arguments as the kernel prints them to a record.  ftrace.c has them from lines of text,
 * tracedat.c from libtraceevent, which prints a binary event by the format that stands in its file.
 *
 * Arguments are found by their names (kvm_events.def), wherever they stand, as kernels differ;
 * those that a kernel does not print are -1.  Without one that matters the event is damaged.
 */
#ifndef RINGSIDE_TRACE_KVM_EVENTS_H
#define RINGSIDE_TRACE_KVM_EVENTS_H

#include "trace/cursor.h"
#include "trace/recording.h"

struct error;

#define KVM_THREAD_MAX 128 /* bytes of "comm-pid" that are looked at */

struct kvm_field {
	const char *name, *other;
	uint8_t name_size, other_size;
	char how; /* d x v s; '(' and '^': where it stands instead of a name */
	char place;
	bool required;
};

struct kvm_event {
	const char *name;
	size_t name_size;
	unsigned kind;
	const char *spec;
	struct kvm_field field[RECORD_ARGS];
	unsigned fields;
};

enum {
#define EVENT(name, kind, spec) KVM_EVENT_##kind,
#include "trace/kvm_events.def"
#undef EVENT
	KVM_EVENTS
};

/* The table, ready for use, and what was met last.  Plain memory, nothing to give back. */
struct kvm_events {
	struct recording *r;
	struct error *err;
	const char *unit; /* what is damaged: "line", "event" */
	struct kvm_event event[KVM_EVENTS];
	size_t last; /* found again first */
	char thread[KVM_THREAD_MAX]; /* the last one's, as it was given */
	size_t thread_size;
	uint16_t thread_number;
};

/* An event that somebody recorded. */
struct kvm_said {
	const char *thread; /* "CPU 0/KVM-7289", "CPU 0/KVM 7289", "CPU 0/KVM-7289   ( 7280)" */
	size_t thread_size;
	int64_t ns;
	uint64_t line; /* of the file, or the number of the event */
	const char *start; /* of the line, for the column in an error; null: there is none */
	struct cursor args; /* "gsi 4 level 0 source 0" */
	bool cut; /* the file ends in this line: a number may have lost digits */
};

void
kvm_events_init(struct kvm_events *k, struct recording *r, const char *unit, struct error *err);

/* The event of that name, or null: none that we take in. */
const struct kvm_event *
kvm_event_find(struct kvm_events *k, const char *name, size_t size);

/* Append its record; 0, or -1 and the error. */
int
kvm_event_add(struct kvm_events *k, const struct kvm_event *e, const struct kvm_said *said);

/* Fill the error: "damaged line: what", at a place in the line. Always -1. */
int
kvm_event_damaged(const struct kvm_events *k, const struct kvm_said *said, const char *at,
		  const char *what);

#endif
