/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO's block replication (QEMU 8.2, block/replication.c, docs/block-replication.txt).
 *
 *	primary's guest                        secondary's guest
 *	      │ quorum                                │ reads: the first that has the sector
 *	  ┌───┴──────┐                                ▼
 *	primary    NBD client ──▶ NBD server      active ──▶ hidden ──▶ secondary disk
 *	disk                          │                        ▲            ▲
 *	                              └─ backup job: old content, then the write
 *
 * The primary's writes go to the secondary disk as they happen; the backup job puts what was there
 * into the hidden disk first, once a checkpoint.  So the secondary's guest sees the disk of the
 * last checkpoint and, in the active disk, its own writes.  A checkpoint is: forget the bitmap of
 * what was copied, empty active and hidden.  It comes when the devices are loaded; then, and only
 * then, the new state of the disk is the one that belongs to memory.  The primary has drained its
 * requests before, so none is on its way.
 *
 * Failover: the NBD server is stopped (the manager's part: nbd-server-stop), the backup job
 * cancelled, and active and hidden are committed to the secondary disk while the guest goes on.
 *
 * A write that cannot be forwarded is no error to the guest: the filter keeps it as its own
 * (replication_return_value()), for who asks.
 *
 * The check, beside the model: at each load, at failover and after each write that comes late, what
 * the secondary's guest would read is what was on the primary's disk at that checkpoint, or what
 * the secondary's guest wrote since.  EV_COLO_DISK_DIFFERS otherwise; oracle/colo.c has the
 * verdict.
 */
#ifndef RINGSIDE_MIGRATION_COLO_DISK_H
#define RINGSIDE_MIGRATION_COLO_DISK_H

#include "migration/colo.h"

/* 40 bytes each on both sides. */
#define COLO_SECTORS_MAX 65536u

/* ORDER COLO_IMAGE */
enum colo_image {
	COLO_IMAGE_PRIMARY,
	COLO_IMAGE_SECONDARY,
	COLO_IMAGE_HIDDEN,
	COLO_IMAGE_ACTIVE,
	COLO_IMAGES
};

/* ReplicationStage, of the secondary. ORDER COLO_DISK_STAGE */
enum colo_disk_stage {
	COLO_DISK_NONE,
	COLO_DISK_RUNNING,
	COLO_DISK_FAILOVER, /* the commit is under way */
	COLO_DISK_FAILOVER_FAILED,
	COLO_DISK_DONE,
	COLO_DISK_STAGES
};
extern const char *const colo_disk_stage_word[COLO_DISK_STAGES];

/*
 * The guest on @side writes a sector and waits until it is written: the primary's on both hosts.
 * An actor's call; false if that side is no more, or COLO ended.
 */
bool
colo_disk_write(struct colo *c, enum colo_side side, uint64_t sector);
/* What the guest on @side reads: a version, 0 if it was never written. */
uint64_t
colo_disk_read(const struct colo *c, enum colo_side side, uint64_t sector);
/* The connection of the NBD client fails; what was not written yet is not. */
void
colo_disk_link_fails(struct colo *c);
/* Wait until the commit of a failover is over; false if it failed. */
bool
colo_disk_wait_commit(struct colo *c);
/*
 * replication_do_checkpoint_all() of a COLO that the promoted secondary begins as its primary: it
 * reaches the filter of before, too.  An actor's call, after a failover.
 */
void
colo_disk_checkpoint_promoted(struct colo *c);
enum colo_disk_stage
colo_disk_stage(const struct colo *c);
/* 0: there is no disk. */
uint64_t
colo_disk_sectors(const struct colo *c);

#endif
