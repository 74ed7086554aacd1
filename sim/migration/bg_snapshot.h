/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Background snapshot: the guest runs while its memory is saved as it was (QEMU 8.2,
 * bg_migration_thread(); capability background-snapshot).
 *
 *	populate all pages ── stop ── device state into a buffer ── write-protect all ── start
 *	then, page after page and faults first:
 *	save ── flush the stream ── remove the protection ── wake who waits to write
 *	at the end: the buffer with the device state behind the pages
 *
 * Nobody writes a page before it was saved: userfaultfd's write protection makes vCPUs, devices of
 * QEMU and vhost wait alike.  What the kernel cannot protect is what is not there: pages never
 * touched are populated first, and a balloon may not discard any.  The machine is started by the
 * main loop, not by the thread: a device that starts writes its rings, which are protected, and the
 * thread would wait for itself.
 *
 * Timed: populating, saving and the file take time; a writer waits for the thread, which sees its
 * fault behind the page it is at, saves that page and goes on from there.
 */
#ifndef RINGSIDE_MIGRATION_BG_SNAPSHOT_H
#define RINGSIDE_MIGRATION_BG_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "migration/vm.h"

struct bg_snapshot;

#define BG_SNAPSHOT_NO_PAGE UINT64_MAX

struct bg_snapshot_config {
	int64_t file_bandwidth; /* bytes a second; 0: it costs nothing */
	uint64_t state_bytes; /* of the devices */
	/* What virtio-mem has unplugged: neither populated nor saved (QEMU 6fee3a1fd9). */
	uint64_t unplugged_first, unplugged_pages;
	uint64_t ring_page; /* that a device writes when it starts, or BG_SNAPSHOT_NO_PAGE */
};
struct bg_snapshot_config
bg_snapshot_config_default(void);

struct bg_snapshot_stats {
	uint64_t pages, zero_pages, faults, populated;
	int64_t total_ns, populate_ns, downtime_ns, wait_ns, wait_max_ns;
	uint64_t differing; /* pages of the file that are not as they were */
};

/* What the memory of a guest is. ORDER BG_SNAPSHOT_MEMORY */
enum bg_snapshot_memory { BG_SNAPSHOT_ANONYMOUS, BG_SNAPSHOT_SHMEM, BG_SNAPSHOT_HUGETLB };
extern const char *const bg_snapshot_memory_word[];

/*
 * migrate_caps_check(): why QEMU 8.2 refuses the capability, or null.  @capabilities: other ones
 * that are on, by QEMU's names, ended by null; @linux_version: 507 for 5.7.
 */
const char *
bg_snapshot_refused(const char *const *capabilities, enum bg_snapshot_memory memory,
		    unsigned linux_version);

/* @file: memory of the same blocks.  @vm runs and is in no migration.  @c may be null: defaults. */
struct bg_snapshot *
bg_snapshot_start(struct migration_vm *vm, struct ram *file, const struct bg_snapshot_config *c);
/* Wait for the end; an actor's call. */
void
bg_snapshot_wait(struct bg_snapshot *s);
const struct bg_snapshot_stats *
bg_snapshot_stats(const struct bg_snapshot *s);

/* A balloon gives @page back to the host. False where it is inhibited. */
bool
bg_snapshot_discard(struct bg_snapshot *s, uint64_t page);

/* @page is about to be written: an actor's call, which waits until it may be. */
void
bg_snapshot_write(struct bg_snapshot *s, uint64_t page);
/* The same for who cannot wait: it is saved at once, and the thread pays for it. */
void
bg_snapshot_write_now(struct bg_snapshot *s, uint64_t page);

#endif
