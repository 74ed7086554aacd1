/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What reads a trace.dat: libtracecmd, in a process of its own, as it trusts the files that it is
 * given.  It is there only where libtracecmd was there when Ringside was built: the name is weak,
 * and null otherwise.
 *
 * The records of all CPUs and buffers go to the other process in the order of their times, those
 * that it wants (kvm_events.def) printed by the formats in the file, as trace-cmd report does.
 */
#ifndef RINGSIDE_TRACE_TRACECMD_WALK_H
#define RINGSIDE_TRACE_TRACECMD_WALK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRACECMD_OPTIONAL __attribute__((weak))

#define WALK_TEXT_MAX 8192u /* bytes of each text of a message; longer ones are cut */

enum walk_type {
	WALK_EVENT = 1, /* thread, event's name, arguments */
	WALK_NOTE, /* to be said, in args: recording_note() */
	WALK_TICKS, /* the clock, named in args, does not count ns */
	WALK_FAILED, /* why, in args; the last */
	WALK_END, /* the last */
};

/* In front of each message; its texts follow, without ends. */
struct walk_message {
	uint32_t type; /* enum walk_type */
	uint32_t gaps; /* since the message before */
	uint64_t number; /* events so far, wanted or not: this one's, from 1 */
	uint64_t lost; /* since the message before */
	int64_t ns;
	uint32_t thread_size, name_size, args_size;
	uint32_t zero;
};

/*
 * Read the file open at @fd, write messages to @to.  @said is where what the library prints can be
 * read without waiting: what it says of formats that nobody may need is read away.  Memory and the
 * library's own files are left to the end of the process.  0, or -1, if it can be told after a
 * message WALK_FAILED.
 */
int
tracecmd_walk(int fd, int said, FILE *to) TRACECMD_OPTIONAL;

#endif
