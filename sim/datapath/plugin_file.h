/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plugin as a file, before any of its code runs: what it is, how it was compiled, and what in it
 * Ringside could not see.
 *
 * Inline-assembly barriers are the treacherous part.  The compiler reports accesses and atomics to
 * us, but an mfence that somebody wrote into the source is only there on the processor: for a
 * memory model it does not exist.  The machine code tells, so the machine code is read: objdump's
 * reading, which names the line of the source where there is debugging information.
 */
#ifndef RINGSIDE_DATAPATH_PLUGIN_FILE_H
#define RINGSIDE_DATAPATH_PLUGIN_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/*
 * Whether @path is a shared object for this processor, instrumented, and not linked against a
 * sanitizer's run time of its own. 0, or -1 and @err.
 */
int
plugin_file_check(const char *path, struct error *err);

/*
 * One line to @to for each barrier in @path that Ringside cannot see, or one that says why nobody
 * looked.  Returns how many there are, or -1.
 */
int
plugin_file_barriers(const char *path, FILE *to);

/*
 * One line to @to for each variable in @path that is static and may be written: it is the process's
 * and no world's.  Returns how many there are; none in a file without symbols.
 */
int
plugin_file_statics(const char *path, FILE *to);

/* "function at file:line" for an address in @path, or "" where nothing is known of it. */
void
plugin_file_line(const char *path, uint64_t address, char *text, size_t size);

#endif
