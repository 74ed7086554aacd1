/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording: what an importer (trace.h) made of a log of a real system.  It is a list of
 * records in the order of the log, in words that do not depend on the log's format, and the
 * figures of the import.
 *
 * Times.  time_ns is the time of the log's own finest clock, absolute (seconds since boot, for a
 * kernel's stamps).  A line that has only a coarser stamp, or none, gets a time between its
 * neighbours and is marked `estimated`.  Times may go backwards (two processors' messages, a
 * reboot); the order of the list counts.  A recording without any stamp is `timeless`: its times
 * count records, and nobody may ask how long something took.
 *
 * Names.  A pointer in a log says which, and nothing else: it is replaced by a number within its
 * class ("vq", "elem"), from 0 in the order of first mention, so that recordings of two runs can
 * be laid beside each other.  Addresses of guest memory in the host stay in hidden arguments,
 * because differences between them mean something.
 *
 * Recordings live outside worlds: plain malloc'ed memory, owned by the struct, given back by
 * recording_free().  A zeroed struct is an empty recording.  80 bytes a record.
 */
#ifndef RINGSIDE_TRACE_RECORDING_H
#define RINGSIDE_TRACE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;

enum record_kind {
#define RECORD(id, name, format, what) RECORD_##id,
#include "trace/records.def"
#undef RECORD
	RECORD_KINDS
};

struct record_info {
	const char *name;
	/* engine/events.def's %d and %x; %n the number of a name, %s a text, %h not shown. */
	const char *format;
	const char *what;
};
extern const struct record_info record_info[RECORD_KINDS];

#define RECORD_ARGS 7

struct record {
	int64_t time_ns;
	uint64_t line; /* of the log, from 1; of a binary one the number of the event */
	uint16_t kind; /* enum record_kind, or RECORD_KINDS and up: recording_kind_add() */
	uint16_t thread; /* number in recording.thread: who said it */
	bool estimated; /* the time */
	int64_t arg[RECORD_ARGS];
};

struct recording_names; /* pointers and texts seen so far */

struct recording {
	char *name; /* the file's, for messages */
	const char *format; /* name of the importer; static */
	struct record *record;
	size_t count, capacity;
	char **thread; /* "kernel", "qemu-system-x86_64": first seen, first listed */
	size_t threads;
	struct record_info *added; /* kinds RECORD_KINDS and up */
	size_t kinds_added;
	struct recording_names *names; /* null until the first */
	uint64_t lines; /* in the file */
	uint64_t lines_skipped; /* said nothing we know; empty ones too */
	uint64_t times_backwards; /* records whose time is before their predecessor's */
	uint64_t events_lost; /* the recorder says that it dropped so many */
	uint64_t gaps; /* places where it dropped some, it does not say how many */
	char **note; /* what else is to be known of the import: lines without file and newline */
	size_t notes;
	bool timeless;
};

void
recording_free(struct recording *r);

/* Append; returns the new record, zeroed but for kind and line. */
struct record *
recording_add(struct recording *r, unsigned kind, uint64_t line);

/* The number of a thread's name (@size bytes, not terminated). */
uint16_t
recording_thread(struct recording *r, const char *name, size_t size);

/* The kind of that name, or RECORD_KINDS + recording.kinds_added if there is none. */
unsigned
recording_kind_find(const struct recording *r, const char *name, size_t size);

/* A kind of the user's own, of that name and format (copied); the same again gives the same. */
unsigned
recording_kind_add(struct recording *r, const char *name, const char *format);

const struct record_info *
recording_kind(const struct recording *r, unsigned kind);

/* The class of names called so, made if need be: below 256. */
uint8_t
recording_class(struct recording *r, const char *name, size_t size);

/* The number of @pointer within a class: the next one at its first mention. */
int64_t
recording_name(struct recording *r, uint8_t class, uint64_t pointer);

/* How many names of a class there are; 0 for a class that is not there. */
uint64_t
recording_names_of(const struct recording *r, const char *class);

/* A text's number, equal texts have equal ones; and back. */
int64_t
recording_text(struct recording *r, const char *text, size_t size);
const char *
recording_text_of(const struct recording *r, int64_t number);

/* How many records there are of a kind. O(n). */
uint64_t
recording_count(const struct recording *r, unsigned kind);

/* Append a note; what is no text in it becomes '?'. */
void
recording_note(struct recording *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Count the times that go backwards: an importer's last act. */
void
recording_times_check(struct recording *r);

/* "15908.524721000 kernel page_dirty gfn=0xcc slot=2 base_gfn=0xc0 npages=524096" and a newline. */
void
recording_print(const struct recording *r, const struct record *record, FILE *to);

#endif
