/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Postcopy: the guest goes on at the destination before its memory is there (QEMU 8.2,
 * postcopy_start(), ram.c, postcopy-ram.c).
 *
 *	source                          destination
 *	precopy, any number of rounds ▶ pages; receivedmap
 *	migrate_start_postcopy
 *	stop; last sync
 *	discard bitmap ───────────────▶ what was received and is dirty again is thrown away
 *	package: LISTEN devices RUN ──▶ userfaultfd on; fault thread; vCPUs run
 *	background push ──────────────▶ UFFDIO_COPY
 *	◀────────────── REQ_PAGES ───── a vCPU touched a page that is missing
 *	that page first ──────────────▶ UFFDIO_COPY, vCPU wakes
 *
 * A page is sent once: its bit is cleared and the source's guest stands, so the destination, whose
 * guest may have written the page since, refuses a second copy (-EEXIST).  With the preempt
 * channel the return path thread sends requested pages itself, over a channel of their own, and
 * walks the same bitmap under bitmap_mutex.
 *
 * When the link fails both sides pause.  What was on the wire is gone, and only the destination
 * knows: on recovery its receivedmap comes back, and its complement is the new dirty bitmap; then
 * the requests that were never answered are made again.
 *
 * Free page hints: postcopy_hint() is where a balloon says that a page is of no worth.  With
 * postcopy enabled QEMU ignores it (since 6.2), as a hinted page is neither sent nor received:
 * whoever touches it at the destination waits for a page that nobody will send.
 *
 * Everything is the world's memory; calls are actors' unless said otherwise.
 */
#ifndef RINGSIDE_MIGRATION_POSTCOPY_H
#define RINGSIDE_MIGRATION_POSTCOPY_H

#include <stdbool.h>
#include <stdint.h>

#include "migration/precopy.h"

/* A vCPU of the destination: writer numbers of contents from here on. */
#define POSTCOPY_WRITER_FIRST 0x8000u

struct postcopy;
struct postcopy_vcpu;

struct postcopy_stats {
	uint64_t discarded, pushed, requested, urgent, recovered;
	uint64_t faults; /* of vCPUs that waited */
	int64_t blocktime_ns, blocktime_max_ns; /* all of them, the longest */
	uint64_t pauses;
};

/*
 * The capability postcopy-ram, and postcopy-preempt with @preempt; before the migration's thread
 * has run.  Not with multifd or XBZRLE.
 */
struct postcopy *
postcopy_enable(struct precopy *m, bool preempt);
bool
postcopy_possible(const struct precopy *m);
struct postcopy *
postcopy_of(const struct precopy *m);
struct precopy *
postcopy_migration(const struct postcopy *p);

/* migrate_start_postcopy: the switch comes with the thread's next look. Any time. */
void
postcopy_start(struct postcopy *p);

/* The link fails: both sides pause. False if the guest is not between RUN and the end. */
bool
postcopy_break_link(struct postcopy *p);
/* migrate_recover over a new link; waits until both sides paused. False if there is no pause. */
bool
postcopy_recover(struct postcopy *p);

/* The balloon's hint of free pages: see above. Returns how many need not be sent for it. */
uint64_t
postcopy_hint(struct precopy *m, uint64_t first, uint64_t count);

/* A vCPU of the machine at the destination; @name constant or world_strdup()ed. */
struct postcopy_vcpu *
postcopy_add_vcpu(struct postcopy *p, const char *name);

struct postcopy *
postcopy_vcpu_of(const struct postcopy_vcpu *v);

/*
 * The vCPU reads or writes @page: waits until the guest runs there, and for the page.  False if the
 * migration ended and the guest never ran there.
 */
bool
postcopy_access(struct postcopy_vcpu *v, uint64_t page, bool write);

/* Whether the guest runs at the destination. */
bool
postcopy_running(const struct postcopy *p);
const struct postcopy_stats *
postcopy_stats(const struct postcopy *p);

/* --- for precopy*.c ------------------------------------------------------------------------- */

/* start_postcopy was asked for. */
bool
postcopy_wanted(const struct precopy *m);
/* The switch and all that follows, in the migration thread. */
void
postcopy_run(struct precopy *m);
/* The destination loaded pages of @mask of word @word. */
void
postcopy_received(struct postcopy *p, uint64_t word, uint64_t mask);

#endif
