/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay of a recording through the models of KVM's slots and QEMU's memory listener: which pages
 * were written and will not be sent?
 *
 * Two actors, "vcpu" and "qemu", take the operations of the plan (memslot_plan.h) in recorded
 * order at recorded times: the world's clock is the recording's.  QEMU deletes slots in the order
 * that is selected (vmm/memory_listener.h), so that the same recording can be asked what another
 * QEMU would have lost.
 *
 * At each migration_bitmap_sync() a page is *lost* if it was dirtied since the sync before and
 * its bit is not in the migration's bitmap of the model now.  Pages dirtied after the last sync
 * are *undecided*.  The recording's own "bitmap not set" lines are compared with the answer and
 * never make it.
 *
 * Assumed beside the plan's list: what one sync finds is sent before the next (a COLO checkpoint
 * does that).  If a page was still waiting to be sent, its lost bit did no harm and the recording
 * says "is set": the report then shows that the recording disagrees.
 *
 *	struct memslot_replay *p = memslot_replay_create(&recording, &config, &err);
 *	world_set_sink(memslot_replay_world(p), …);	as wanted
 *	memslot_replay_run(p, &err);
 *	memslot_replay_report(p, stdout);
 *	memslot_replay_destroy(p);
 *
 * Around the recording: each actor takes its own operations in recorded order, and what comes
 * between them is a choice (explore/around.h: the plain answers make the recorded order).  A write
 * to a page that has no slot waits for one, as an exit to userspace would; an order in which it
 * waits for ever could not have been, and has lost nothing.
 *
 * The world is snapshot after set-up; world_restore() and another run are allowed.
 */
#ifndef RINGSIDE_TRACE_REPLAY_MEMSLOT_H
#define RINGSIDE_TRACE_REPLAY_MEMSLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/fault.h"
#include "trace/recording.h"

struct error;
struct world;
struct memslot_replay;

/* How QEMU removes slots. ORDER SLOT_REMOVAL */
enum slot_removal {
	SLOT_REMOVAL_SLOT_LOG_ONLY, /* 1.1 to 2.2: what ran when the 2015 recording was made */
	SLOT_REMOVAL_NO_SYNC, /* before 1.1 */
	SLOT_REMOVAL_SYNC_FIRST, /* since 2.3 */
	SLOT_REMOVAL_DELETE_FIRST, /* wrong, never released */
	SLOT_REMOVALS
};

struct slot_removal_info {
	const char *name; /* "sync_first" */
	enum fault fault; /* FAULT_NONE for today's */
	const char *what;
};
extern const struct slot_removal_info slot_removal_info[SLOT_REMOVALS];

/* The order of that name, or SLOT_REMOVALS. */
enum slot_removal
slot_removal_find(const char *name);

struct memslot_replay_config {
	enum slot_removal removal;
	bool around; /* open the order between the two actors: see above */
};

/* Whether the recording's own look at the bit says the same. */
enum lost_seen { LOST_NOT_OBSERVED, LOST_AGREES, LOST_DISAGREES };
extern const char *const lost_seen_name[]; /* "not-observed", "agrees", "disagrees" */

/* One page lost at one sync. */
struct lost_page {
	uint64_t gfn;
	uint64_t dirtied; /* marks since the sync before */
	int64_t dirtied_ns; /* the last of them */
	uint32_t slot; /* that died with the bit */
	uint64_t base_gfn, npages;
	int64_t died_ns;
	uint64_t died_line;
	bool died_assumed; /* the recording does not show the deletion */
	int64_t sync_ns;
	uint64_t sync_line;
	bool sync_estimated; /* sync_ns: the recording has seconds there */
	enum lost_seen seen;
};

struct memslot_replay_result {
	uint64_t lines_read, lines_skipped, records; /* of the recording */
	uint64_t memslot_updates; /* KVM_SET_USER_MEMORY_REGION calls */
	uint64_t slots_assumed, deletions_assumed; /* see memslot_plan.h */
	uint64_t bitmaps_destroyed, bits_destroyed;
	uint64_t dirty_marks;
	uint64_t dirty_logs_read; /* KVM_GET_DIRTY_LOG calls that had a bitmap */
	uint64_t syncs, pages_synced; /* bits that reached the migration */
	uint64_t seen_agree, seen_disagree; /* looks of the recording against the model */
	uint64_t undecided; /* pages dirtied after the last sync */
	uint64_t lost; /* entries of lost_page: by sync, then by gfn */
	const struct lost_page *lost_page;
};

struct memslot_replay *
memslot_replay_create(const struct recording *r, const struct memslot_replay_config *config,
		      struct error *err);
void
memslot_replay_destroy(struct memslot_replay *p);

/* For sink, chooser, digest, observers. */
struct world *
memslot_replay_world(const struct memslot_replay *p);

/* Run to the end: 0, or -1 and @err if the world ended otherwise. */
int
memslot_replay_run(struct memslot_replay *p, struct error *err);

/* After a run; good until the world is restored or the replay destroyed. */
const struct memslot_replay_result *
memslot_replay_result(const struct memslot_replay *p);

/*
 * Around a recording: which writes of the vCPU were not made where the recording has them, a line
 * each ("moved: line 4: vcpu writes gfn 0xca, within line 25: qemu deletes slot 4"), at most
 * @lines.  Nothing if the order was the recorded one.
 */
void
memslot_replay_report_order(const struct memslot_replay *p, FILE *to, unsigned lines);

/*
 * Lines for people and grep.  One a lost page:
 *	lost gfn=0xca dirtied=5 slot=2 base_gfn=0xc0 npages=524096 died=15908.988470 died_line=22 …
 * and last the verdict, "ok" or "dirty-page-lost".  Estimated times have a ~.
 */
void
memslot_replay_report(const struct memslot_replay *p, FILE *to);

#endif
