/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a recording of a precopy migration under KVM to what three parties did: QEMU changed memory
 * slots, the migration synced, cleared and sent, and vCPUs wrote pages.
 *
 * The first two stand in the recording.  Writes do not, and follow from it: a page that is sent
 * again after a sync was written since its dirty log was last cleared, unless its slot was made
 * anew in between (KVM sets all bits of a new log then, so that its being sent says nothing).  Each
 * such page is *tracked*: its last write is placed right before the first sync that could see it,
 * and where it really was is what exploring around the recording asks.
 *
 * QEMU does not say when it sends a page of zeros.  Tracked pages are sent in each pass in the
 * order of their addresses: at the recorded time if the pass has one, else between their
 * neighbours.
 *
 *	slots      memslot_update of threads that do not sync; others (the log is switched on), and
 *	           all before the migration begins, are the migration's: their order to it is not
 *	           open
 *	passes     what follows a sync, until the next; the first sends everything
 *	stop       vm_stop: the vCPUs write no more, and what pends after the next sync is sent
 *	changes    deletions, and additions that follow them: one transaction of the memory API
 */
#ifndef RINGSIDE_TRACE_PRECOPY_PLAN_H
#define RINGSIDE_TRACE_PRECOPY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/memslot.h"
#include "trace/recording.h"

enum precopy_op_kind {
	PRECOPY_OP_SLOT, /* KVM_SET_USER_MEMORY_REGION */
	PRECOPY_OP_WRITE, /* vCPU: page */
	PRECOPY_OP_SYNC,
	PRECOPY_OP_CLEAR, /* the dirty log of all slots */
	PRECOPY_OP_SEND, /* page, if it pends */
	PRECOPY_OP_STOP
};

enum precopy_actor { PRECOPY_VCPU, PRECOPY_QEMU, PRECOPY_MIGRATION, PRECOPY_ACTORS };

struct precopy_op {
	int64_t time_ns; /* since the first record; each later than the one before */
	uint64_t line; /* for a write: of the page that was sent; for a send: of its pass's sync */
	/* SLOT. Guest addresses are the replay's: pages that no slot begins or ends at and nobody
	 * watches are one page, so that the model's bitmaps are small. */
	struct kvm_userspace_memory_region mem;
	uint32_t page; /* WRITE, SEND: number in plan.page */
	uint32_t transaction; /* SLOT: number, from 1; 0: none */
	uint8_t kind, actor;
	bool estimated; /* the time */
	bool overlaps; /* SLOT: what its transaction adds overlaps what it deletes */
	bool last; /* SLOT: of its transaction */
};

struct precopy_plan {
	struct precopy_op *op; /* in recorded order */
	size_t count, capacity;
	uint64_t *page; /* gfns, rising: the tracked pages */
	uint64_t *page_line; /* where each was last sent */
	size_t pages;
	uint64_t *place; /* their gfns in the replay's guest, see op.mem */
	uint64_t gfn_end; /* of all slots, in the replay's guest */
	uint64_t passes;
	uint64_t pages_elsewhere; /* sent, but of no slot that can be written */
};

/*
 * Fill a zeroed @plan; 0, or -1 and @err where the recording has no memory slots, no migration, no
 * time stamps, or no page from which a write follows.
 */
int
precopy_plan_make(struct precopy_plan *plan, const struct recording *r, struct error *err);
void
precopy_plan_free(struct precopy_plan *plan);

#endif
