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
 * What is discarded, asked for and placed are pages of the host (ram.h: host_pages).  The source
 * sends all pages of one without another in between, and the destination gathers them, a channel at
 * a time, until it is whole: so bits of the bitmap are rounded to host pages before the discard.
 *
 * A page is sent once: its bit is cleared and the source's guest stands, so the destination, whose
 * guest may have written the page since, refuses a second copy (-EEXIST).
 *
 * When the link fails both sides pause.  What was on the wire is gone, and only the destination
 * knows: on recovery its receivedmap comes back, and its complement is the new dirty bitmap; then
 * the requests that were never answered are made again.  A link that fails meanwhile leads back to
 * the pause.
 *
 * Free page hints: postcopy_hint() is where a balloon says that a page is of no worth.  With
 * postcopy enabled QEMU ignores it (since 6.2), as a hinted page is neither sent nor received:
 * whoever touches it at the destination waits for a page that nobody will send.
 *
 * Timed: pages are under way (postcopy_wire.c), and requests take half a round trip.
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

/*
 * Who sends what is asked for.  ORDER POSTCOPY_PREEMPT
 *
 *	NONE	the migration thread, before it goes on, by the channel that all pages take
 *	BREAK	QEMU 7.1: the same thread by a channel of its own; it leaves a host page half sent
 *		for that, and goes on with it when nothing else is asked for (c01b16edf6)
 *	THREAD	QEMU 8.0: the return path's thread, beside the migration thread, which leaves
 *		no host page (9358982744, b062106d3a)
 *	HINT	QEMU 10.1: and the migration thread goes on behind what was asked for (20d8262281)
 */
enum postcopy_preempt {
	POSTCOPY_PREEMPT_NONE,
	POSTCOPY_PREEMPT_BREAK,
	POSTCOPY_PREEMPT_THREAD,
	POSTCOPY_PREEMPT_HINT,
	POSTCOPY_PREEMPTS
};
extern const char *const postcopy_preempt_word[POSTCOPY_PREEMPTS];

struct postcopy_config {
	enum postcopy_preempt preempt;
	bool release_ram; /* the source drops a page when it is handed to the socket */
	bool big_endian; /* the destination's host */
	bool load_touches; /* loading a device reads @load_page (virtio_load(): its ring) */
	uint64_t load_page;
	/* Timed: what the sockets of both sides hold of a channel. 0: POSTCOPY_SOCKET_BYTES. */
	uint64_t socket_bytes;
};

/* Linux: 4 MiB, tcp_wmem's maximum, and 6 MiB, tcp_rmem's, half of which is for data. */
#define POSTCOPY_SOCKET_BYTES (UINT64_C(7) << 20)

struct postcopy_stats {
	uint64_t discarded, pushed, requested, urgent, recovered;
	uint64_t broken; /* host pages that were left half sent */
	uint64_t faults; /* of vCPUs that waited */
	int64_t blocktime_ns, blocktime_max_ns; /* all of them, the longest */
	int64_t blocktime_all_ns; /* postcopy-blocktime: no vCPU ran */
	uint64_t pauses;
};

struct postcopy_vcpu_stats {
	uint64_t faults;
	int64_t blocktime_ns, blocktime_max_ns; /* postcopy-vcpu-blocktime */
};

/*
 * The capability postcopy-ram; before the migration's thread has run.  Not with multifd (QEMU
 * b405dfff1e, 8.1) but as 8.1 would be without that refusal.  @c may be null: all zeros.
 */
struct postcopy *
postcopy_enable(struct precopy *m, const struct postcopy_config *c);
bool
postcopy_possible(const struct precopy *m);
struct postcopy *
postcopy_of(const struct precopy *m);
struct precopy *
postcopy_migration(const struct postcopy *p);

/* migrate_start_postcopy: the switch comes with the thread's next look. Any time. */
void
postcopy_start(struct postcopy *p);

/* The link fails: both sides pause. False if the guest is not between RUN and the end, or the link
 * is down already.  It may come while a recovery is under way. */
bool
postcopy_break_link(struct postcopy *p);
/* Only the preempt channel fails.  The source learns of it when it next sends something there, or
 * at the end. False if there is none. */
bool
postcopy_break_preempt(struct postcopy *p);
/* migrate_pause: the user shuts the sockets down, in postcopy-active and postcopy-recover. */
bool
postcopy_pause(struct postcopy *p);
/*
 * migrate_recover over a new link; waits until both sides paused.  False if there is no pause, if
 * the link failed again meanwhile, if what the destination says of its pages is not to be used, or
 * with release_ram (QEMU 97ca211c62).
 */
bool
postcopy_recover(struct postcopy *p);
/* Wait for a state of the postcopy part, or for the migration's end. Whether it is that state. */
bool
postcopy_wait_state(struct postcopy *p, enum precopy_state state);
/* Whether migrate_cancel has any effect from postcopy-active on. Not since QEMU 646119088f. */
bool
postcopy_may_cancel(const struct precopy *m);

/* The firmware at the destination gives @block another size (a reset; QEMU 898ba906cc). */
void
postcopy_resize_block(struct postcopy *p, unsigned block, uint64_t pages);

/* The balloon's hint of free pages: see above. Returns how many need not be sent for it. */
uint64_t
postcopy_hint(struct precopy *m, uint64_t first, uint64_t count);

/* A vCPU of the machine at the destination; @name constant or world_strdup()ed. */
struct postcopy_vcpu *
postcopy_add_vcpu(struct postcopy *p, const char *name);

struct postcopy *
postcopy_vcpu_of(const struct postcopy_vcpu *v);
const struct postcopy_vcpu_stats *
postcopy_vcpu_stats(const struct postcopy_vcpu *v);

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
