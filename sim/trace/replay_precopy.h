/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Around a recorded precopy: QEMU's changes of memory slots, the migration's syncs, clears and
 * pages, and the vCPUs' writes (precopy_plan.h), each in its recorded order and in any order to
 * each other, under the QEMU of an era.  What of the tracked pages is not on the destination at the
 * end?
 *
 *	vcpu write ──▶ kvm/: slot's dirty bitmap ──GET──▶ dirty memory ──sync──▶ pending ──▶ sent
 *	                          └── dies with the slot
 *
 * A page's content is the number of writes to it; sending it copies that.  At the end, after the
 * guest was stopped and everything that pended was sent, a page with a write that was not sent is
 * *lost*.
 *
 * Eras differ in what deleting a slot does first, and in the log of KVM that they ask for:
 *
 *	1.0   nothing is fetched                                       GET clears
 *	1.1   fetched if the slot itself asked to be logged; none does  GET clears
 *	2.3   fetched, then deleted: writes in between are lost        GET clears
 *	4.1   as 2.3                                                   MANUAL_PROTECT2: CLEAR does
 *	5.1   as 2.3                                                   and INITIALLY_SET
 *	8.0   vCPUs are kept out of KVM while a transaction replaces a slot that overlaps   as 5.1
 *
 * Under all eras the recorded slot updates are made: those of the era in which the recording was
 * made.  A sync waits for the end of a transaction (the BQL), a clear for that of a single change
 * (the slots lock), a write to a page that has no slot, or one that is read-only, for a slot; and
 * the guest stops only when no transaction is under way.  The vCPUs of the model are others than
 * the thread that changes slots: with one vCPU, whose own exits make QEMU change them, orders
 * within a change need another writer (a second vCPU).
 */
#ifndef RINGSIDE_TRACE_REPLAY_PRECOPY_H
#define RINGSIDE_TRACE_REPLAY_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/recording.h"

struct error;
struct world;
struct precopy_replay;

/* ORDER QEMU_ERA */
enum qemu_era { QEMU_1_0, QEMU_1_1, QEMU_2_3, QEMU_4_1, QEMU_5_1, QEMU_8_0, QEMU_ERAS };

struct qemu_era_info {
	const char *name; /* "2.3" */
	bool fetch; /* before a slot is deleted, while the global log is on */
	uint64_t manual; /* KVM_DIRTY_LOG_… */
	bool inhibit;
	const char *what;
};
extern const struct qemu_era_info qemu_era_info[QEMU_ERAS];

/* The era of that name, or QEMU_ERAS. */
enum qemu_era
qemu_era_find(const char *name);

struct precopy_lost {
	uint64_t gfn, line; /* of the last time it was sent in the recording */
	uint64_t writes,
		sent; /* how many there were, and how many of them are on the destination */
};

struct precopy_result {
	uint64_t memslot_updates, writes, syncs, sends;
	uint64_t writes_unmade; /* the guest stopped first, or they wait for a slot */
	uint64_t bits_died; /* of tracked pages, with their slots */
	uint64_t lost; /* entries of lost_page */
	const struct precopy_lost *lost_page;
};

/* Null and @err as precopy_plan_make(). */
struct precopy_replay *
precopy_replay_create(const struct recording *r, enum qemu_era era, struct error *err);
void
precopy_replay_destroy(struct precopy_replay *p);

/* In WORLD_AROUND, snapshot after set-up. */
struct world *
precopy_replay_world(const struct precopy_replay *p);

/* After a run; good until the world is restored or the replay destroyed. */
const struct precopy_result *
precopy_replay_result(const struct precopy_replay *p);

/* How many writes follow from the recording, to how many pages. */
void
precopy_replay_tracked(const struct precopy_replay *p, uint64_t *writes, uint64_t *pages);

/*
 * Which writes and changes of slots were not made where the recording has them, a line each, at
 * most @lines:
 *	moved: a write to gfn 0x9f (sent again in line 309), within line 77: qemu deletes slot 0
 * Returns how many there are; @to may be null.
 */
unsigned
precopy_replay_report_order(const struct precopy_replay *p, FILE *to, unsigned lines);

#endif
