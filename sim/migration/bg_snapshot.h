/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Background snapshot: the guest runs while its memory is saved as it was (QEMU 8.2,
 * bg_migration_thread(); capability background-snapshot).
 *
 *	populate all pages ── stop ── device state into a buffer ── write-protect all ── start
 *	then, page after page and faults first:
 *	save ── flush the stream ── remove the protection ── wake who waits to write
 *
 * Nobody writes a page before it was saved: userfaultfd's write protection makes vCPUs, devices of
 * QEMU and vhost wait alike.  What the kernel cannot protect is what is not there: pages never
 * touched are populated first, and a balloon may not discard any.
 */
#ifndef RINGSIDE_MIGRATION_BG_SNAPSHOT_H
#define RINGSIDE_MIGRATION_BG_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "migration/vm.h"

struct bg_snapshot;

struct bg_snapshot_stats {
	uint64_t pages, zero_pages, faults;
	int64_t total_ns, downtime_ns, wait_ns, wait_max_ns;
	uint64_t differing; /* pages of the file that are not as they were */
};

/* @file: memory of the same blocks.  @vm runs and is in no migration. */
struct bg_snapshot *
bg_snapshot_start(struct migration_vm *vm, struct ram *file);
/* Wait for the end; an actor's call. */
void
bg_snapshot_wait(struct bg_snapshot *s);
const struct bg_snapshot_stats *
bg_snapshot_stats(const struct bg_snapshot *s);

/* A balloon gives @page back to the host. False where it is inhibited. */
bool
bg_snapshot_discard(struct bg_snapshot *s, uint64_t page);

/* For vm.c: @page is about to be written. Waits until it may be; now: saves it at once. */
void
bg_snapshot_write(struct bg_snapshot *s, uint64_t page);
void
bg_snapshot_write_now(struct bg_snapshot *s, uint64_t page);

#endif
