/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload that dirties memory, for timed mode: a vCPU that writes so many pages a second.  It
 * does not cost an event a page: it runs in slices of DIRTIER_SLICE_NS, which is also the slice of
 * auto-converge (cpu-throttle.c, CPU_THROTTLE_TIMESLICE_NS), and what it wrote in one is there at
 * its end.
 *
 *	uniform   each write to a page at random
 *	sweep     one page after the other, round and round
 *	hot       nine writes in ten to the first tenth of the pages
 *
 * With a dirty limit (vcpu-dirty-limit) it sleeps for each time its dirty ring was full in a slice,
 * and how long is adjusted once a second, as in QEMU's softmmu/dirtylimit.c (7.1; for
 * migrations since 8.1, acac51ba24).  The machine must have rings.
 */
#ifndef RINGSIDE_MIGRATION_DIRTIER_H
#define RINGSIDE_MIGRATION_DIRTIER_H

#include <stdint.h>

#include "migration/vm.h"

#define DIRTIER_SLICE_NS INT64_C(10000000)

/* ORDER DIRTIER_PATTERN */
enum dirtier_pattern { DIRTIER_UNIFORM, DIRTIER_SWEEP, DIRTIER_HOT, DIRTIER_PATTERNS };
extern const char *const dirtier_pattern_word[DIRTIER_PATTERNS];

struct dirtier_config {
	uint64_t first, pages; /* where it writes */
	uint64_t pages_per_second;
	enum dirtier_pattern pattern;
	uint64_t seed;
};

struct dirtier;

/* Its actor is a daemon and runs until dirtier_stop(); it rests while the machine is stopped. */
struct dirtier *
dirtier_create(struct migration_vm *vm, const char *name, const struct dirtier_config *config);
/* It ends with its slice. */
void
dirtier_stop(struct dirtier *d);

/* Writes done so far. */
uint64_t
dirtier_writes(const struct dirtier *d);

#endif
