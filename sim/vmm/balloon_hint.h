/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Free page hinting, the VMM's half (5.5.6.5; QEMU hw/virtio/virtio-balloon.c): the guest tells
 * which pages are free, and the migration does not send them.
 *
 *	          AFTER_BITMAP_SYNC                 out-buffer with this id
 *	  STOP ───────────────────────▶ REQUESTED ───────────────────────────▶ START ─┐ hints count
 *	   ▲    id + 1, the driver is       │                                    │ ◀────┘
 *	   │    told                        │  BEFORE_BITMAP_SYNC                │
 *	   └────────────────────────────────┴────────────────────────────────────┘
 *	         also an out-buffer while START: the guest has no more, or the id is stale
 *
 *	  DONE: at AFTER_BITMAP_SYNC with the machine stopped, and at CLEANUP; the guest may free
 *
 * The configuration reads id in REQUESTED and START, 0 in STOP, 1 in DONE.  QEMU's reads 0 in
 * START, too (qemu.fph.start_reads_stop): a driver that looks for another reason meanwhile stops
 * hinting, which loses time and nothing else.
 *
 * Merged form (QEMU 4.0, c13c4153f7, with the fixes since): the queue is read by an iothread;
 * free_page_lock keeps a change of the state from coming between the look at the state and the
 * hint's effect.  While in START the iothread polls the queue.
 *
 * As posted (v2 1/3, February 2018): no notifiers.  The migration thread itself polls the queue
 * once, after its first sync, until the guest ends the round or the time limit is over (3/3, a real
 * bound). An out-buffer with another id ends the round, whose ever it is: what a round that
 * ran out of time left in the queue ends the next one before it began.  Hints are ignored as soon
 * as PAGE_POISON is negotiated, and the configuration keeps the id when the round is over.
 *
 * Firecracker's form (1a431856d, 2025; balloon_discard.c) has no part in migrations: an operator
 * asks for a run, what is hinted is discarded at once, in the thread of all devices, and the
 * driver's stop id is answered with DONE.
 *
 * With the postcopy-ram capability nothing is hinted (fd51e54fa1).
 *
 * Memory: the world's.
 */
#ifndef RINGSIDE_VMM_BALLOON_HINT_H
#define RINGSIDE_VMM_BALLOON_HINT_H

#include "virtio/balloon.h"
#include "vmm/iothread.h"
#include "vmm/main_loop.h"
#include "vmm/precopy_notify.h"

/* ORDER HINT_STATUS: balloon_hint.c names them. */
enum hint_status { HINT_S_STOP, HINT_S_REQUESTED, HINT_S_START, HINT_S_DONE, HINT_STATUSES };
extern const char *const hint_status_name[HINT_STATUSES];

struct balloon_hint {
	struct virtio_balloon *b;
	struct main_loop *loop;
	struct iothread *iothread;
	bool posted; /* as posted in 2018; else as merged */
	int64_t limit_ns; /* posted: how long the migration thread polls, 0: no limit */
	bool block; /* block_iothread: the queues are not run */
	bool discards; /* Firecracker's: of what is below only status, cmd_id and counts are used */
	uint32_t host_cmd, guest_cmd; /* and these */
	enum hint_status status;
	uint32_t cmd_id;
	struct actor *lock; /* free_page_lock */
	struct waitq lock_wait;
	struct waitq kicked; /* posted: who polls waits here */
	struct virtio_work bh; /* free_page_bh */
	struct virtio_work wake; /* the main loop, when it drains */
	struct precopy_notifier notifier;
	uint64_t hints, skipped; /* pages that came; those that left the bitmap by it */
	uint64_t rounds; /* that reached START */
};

/* For a balloon whose features have FREE_PAGE_HINT, at set-up. */
struct balloon_hint *
balloon_hint_create(struct virtio_balloon *b, struct main_loop *loop, bool posted);
/* The same of Firecracker's form. */
struct balloon_hint *
balloon_discard_create(struct virtio_balloon *b, struct main_loop *loop);
/* start_hinting(): the driver is asked for a run. With the big lock; false if there is no driver.
 */
bool
balloon_discard_start(struct balloon_hint *h);
static inline struct balloon_hint *
balloon_hint_of(const struct virtio_balloon *b)
{
	return b->hinting;
}

#endif
