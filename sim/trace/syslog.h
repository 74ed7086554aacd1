/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importer of a host's syslog: KVM and QEMU that log dirty bitmaps with printk() and syslog(), as
 * in the mail of 31 March 2015 (traces/README.md).  A line is
 *
 *	Mar 31 18:32:53 master kernel: [15908.524721] memslot dirty bitmap of '4' was destroyed, …
 *	`-- month day time host process: [kernel's seconds] message
 *
 * where only a kernel's line has the seconds, and a line of dmesg has nothing in front of them.
 * Messages:
 *
 *	memslot dirty bitmap of 'ID' was destroyed, base_gfn 0xHEX, npages N
 *	+++ gfn=0xHEX is marked dirty, id=ID, base_gfn=0xHEX, npages=N
 *	== migration_bitmap_sync ==
 *	====qemu: The N times do checkpoing===			(sic)
 *	qemu:  --- addr=0xHEX (hva=…), who's bitmap not set ---
 *	qemu: +++ OK, addr=0xHEX (hva=…) , who's bitap is set +++	(sic)
 *
 * Other lines are skipped and counted.  A line that begins like one of these and does not go on
 * like it, or whose numbers are not numbers, is an error that names file and line: a recording
 * with a hole in it cannot be replayed.  So is a message cut off by the end of the file.
 *
 * Bytes are not trusted: lines may be of any length, hold NUL bytes or end with CR LF.
 */
#ifndef RINGSIDE_TRACE_SYSLOG_H
#define RINGSIDE_TRACE_SYSLOG_H

#include <stddef.h>

#include "trace/importer.h"

/* 100 if a message we know is near the beginning, else how many in 100 lines look like syslog. */
int
syslog_recognise(const char *text, size_t size);

/* Append @text to @r; 0, or -1 and @err. */
int
syslog_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	      struct error *err);

#endif
