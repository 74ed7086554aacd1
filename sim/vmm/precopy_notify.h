/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam between a migration and the devices that help it (QEMU include/migration/misc.h):
 * notifiers around each bitmap sync, and hints that pages are free.
 *
 *	migration thread (migration/precopy.h)        a device (vmm/balloon_hint.h)
 *	  notify(SETUP)
 *	  each sync:  notify(BEFORE_BITMAP_SYNC)  ──▶   stop taking hints
 *	              logs into the bitmap
 *	              notify(AFTER_BITMAP_SYNC)   ──▶   ask the guest for hints
 *	  sends pages                              ◀──   precopy_free_page_hint(range)
 *	  notify(COMPLETE), notify(CLEANUP)       ──▶   the guest may have its pages back
 *
 * A hint takes the range's pages out of the migration's bitmap, as if they had been sent: it must
 * therefore speak of what they hold since the last sync, or a page that was written in between is
 * lost.
 *
 * One migration at a time: it announces itself as the target of hints, and takes that back.
 * Memory: the target and notifiers are the caller's, in the world.
 */
#ifndef RINGSIDE_VMM_PRECOPY_NOTIFY_H
#define RINGSIDE_VMM_PRECOPY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"

/* ORDER PRECOPY_REASON: precopy_notify.c names them. */
enum precopy_reason {
	PRECOPY_NOTIFY_SETUP,
	PRECOPY_NOTIFY_BEFORE_BITMAP_SYNC,
	PRECOPY_NOTIFY_AFTER_BITMAP_SYNC,
	PRECOPY_NOTIFY_COMPLETE,
	PRECOPY_NOTIFY_CLEANUP, /* also when it failed or was cancelled */
	PRECOPY_NOTIFY_REASONS
};
extern const char *const precopy_reason_name[PRECOPY_NOTIFY_REASONS];

/* Embedded in its owner; called by the migration thread, which holds the big lock or none. */
struct precopy_notifier {
	void (*fn)(struct precopy_notifier *n, enum precopy_reason reason);
	/* What the migration thread itself does after its first sync, as posted in 2018; or null */
	void (*poll)(struct precopy_notifier *n);
	void *arg; /* the owner's */
	struct precopy_notifier *next;
};

/* Added last is called last; there is no removal but the world's end. */
void
precopy_add_notifier(struct world *w, struct precopy_notifier *n);

/* precopy_notify(): returns when all notifiers have. An actor's call. */
void
precopy_notify(struct world *w, enum precopy_reason reason);
/* After the first sync, without the big lock; returns when all that poll are done. */
void
precopy_poll(struct world *w);

/* RAM as the migration numbers it. */
struct precopy_target {
	uint64_t base_gpa; /* of page 0 of the bitmap */
	uint64_t pages; /* from there on; what lies outside is no RAM */
	bool postcopy; /* the postcopy-ram capability is on */
	/* These pages are free: how many need not be sent for it. Any thread's call. */
	uint64_t (*hint)(void *arg, uint64_t first, uint64_t count);
	void *arg;
};

/* A migration begins, or with null has ended: hints have no effect then. */
void
precopy_set_target(struct world *w, struct precopy_target *target);
struct precopy_target *
precopy_target(const struct world *w);

/*
 * qemu_guest_free_page_hint(): what lies outside of RAM is left alone.  Returns how many pages were
 * taken out of the bitmap.
 */
uint64_t
precopy_free_page_hint(struct world *w, uint64_t gpa, uint64_t bytes);

#endif
