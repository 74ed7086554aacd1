/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording: what an importer (syslog.h) made of a log of a real system.  It is a list of
 * records in the order of the log, in words that do not depend on the log's format, and the
 * figures of the import.
 *
 * Times.  time_ns is the time of the log's own finest clock, absolute (seconds since boot, for a
 * kernel's stamps).  A line that has only a coarser stamp gets a time between its neighbours and
 * is marked `estimated`.  Times may go backwards (two processors' messages, a reboot); the order
 * of the list counts.
 *
 * Recordings live outside worlds: plain malloc'ed memory, owned by the struct, given back by
 * recording_free().  A zeroed struct is an empty recording.  64 bytes a record.
 */
#ifndef RINGSIDE_TRACE_RECORDING_H
#define RINGSIDE_TRACE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;

/*
 * ORDER RECORD.  RECORD(ID, "name", "format of the arguments", "what the system said")
 * The format is that of engine/events.def.
 */
#define RECORDS(RECORD) \
	RECORD(PAGE_DIRTY, "page_dirty", "gfn=0x%x slot=%d base_gfn=0x%x npages=%d", \
	       "KVM marked a page dirty in the bitmap of this slot") \
	RECORD(BITMAP_DESTROYED, "bitmap_destroyed", "slot=%d base_gfn=0x%x npages=%d", \
	       "KVM freed the dirty bitmap of this slot") \
	RECORD(MIGRATION_SYNC, "migration_sync", "", "QEMU finished migration_bitmap_sync()") \
	RECORD(CHECKPOINT, "checkpoint", "number=%d", "COLO begins a checkpoint") \
	RECORD(BIT_SEEN, "bit_seen", "gfn=0x%x set=%d", \
	       "the recording's own look at a page's bit in the migration's bitmap")

enum record_kind {
#define RECORD(id, name, format, what) RECORD_##id,
	RECORDS(RECORD)
#undef RECORD
		RECORD_KINDS
};

struct record_info {
	const char *name;
	const char *format;
	const char *what;
};
extern const struct record_info record_info[RECORD_KINDS];

#define RECORD_ARGS 4

struct record {
	int64_t time_ns;
	uint64_t line; /* of the log, from 1 */
	uint16_t kind; /* enum record_kind */
	uint16_t thread; /* number in recording.thread: who said it */
	bool estimated; /* the time */
	int64_t arg[RECORD_ARGS];
};

struct recording {
	char *name; /* the file's, for messages */
	const char *format; /* name of the importer; static */
	struct record *record;
	size_t count, capacity;
	char **thread; /* "kernel", "qemu-system-x86_64": first seen, first listed */
	size_t threads;
	uint64_t lines; /* in the file */
	uint64_t lines_skipped; /* said nothing we know; empty ones too */
	uint64_t times_backwards; /* records whose time is before their predecessor's */
};

void
recording_free(struct recording *r);

/* Append; returns the new record, zeroed but for kind and line. */
struct record *
recording_add(struct recording *r, enum record_kind kind, uint64_t line);

/* The number of a thread's name (@size bytes, not terminated). */
uint16_t
recording_thread(struct recording *r, const char *name, size_t size);

/* How many records there are of a kind. O(n). */
uint64_t
recording_count(const struct recording *r, enum record_kind kind);

/* "15908.524721000 kernel page_dirty gfn=0xcc slot=2 base_gfn=0xc0 npages=524096" and a newline. */
void
recording_print(const struct recording *r, const struct record *record, FILE *to);

#endif
