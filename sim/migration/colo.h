/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO: two machines run the same guest, and the client sees one (QEMU 8.2, migration/colo.c,
 * net/colo-compare.c).
 *
 *	primary                              secondary
 *	packet ──▶ compare ◀── packet        the same: released.  Not: checkpoint
 *	CHECKPOINT_REQUEST ────────────────▶ stop
 *	                   ◀──────────────── CHECKPOINT_REPLY
 *	stop
 *	dirty pages ───────────────────────▶ RAM cache, not the guest's memory
 *	VMSTATE_SIZE, device state ────────▶
 *	                   ◀──────────────── VMSTATE_RECEIVED: the state is whole
 *	release what compare holds           cache ──▶ memory; load devices; go on
 *	go on              ◀──────────────── VMSTATE_LOADED
 *
 * Output commit: a packet that the secondary did not send as well leaves only when the state behind
 * it is wholly at the secondary.  A primary that dies before leaves a secondary that goes on as it
 * was, with the cache thrown away; one that dies later, a secondary that loads first.
 *
 * The guest of this model does one thing, colo_step(): it counts, writes a page, and sends a packet
 * with its count and a payload.  The count is its register, and goes with the device state.
 *
 * It starts where the first migration ended: both memories equal.  The world's memory throughout.
 */
#ifndef RINGSIDE_MIGRATION_COLO_H
#define RINGSIDE_MIGRATION_COLO_H

#include <stdbool.h>
#include <stdint.h>

#include "migration/vm.h"

#define COLO_PACKETS_MAX 64u
#define COLO_SECONDARY_WRITER 0x9000u

/* ORDER COLO_SIDE */
enum colo_side { COLO_PRIMARY, COLO_SECONDARY, COLO_SIDES };
extern const char *const colo_side_word[COLO_SIDES];

struct colo_config {
	int64_t checkpoint_delay_ns; /* x-checkpoint-delay, timed mode; 0: only when asked for */
	unsigned loaders; /* threads that fill the cache: 1, or with multifd 2 */
};

struct colo_stats {
	uint64_t checkpoints, pages, flushed, matched, mismatched, released;
	int64_t stop_ns; /* the primary stood, all checkpoints */
};

struct colo;

/* @vm runs and is in no migration; its devices are QEMU's own (no vhost). */
struct colo *
colo_start(struct migration_vm *vm, const struct colo_config *config);

/* One step of the guest on @side, an actor's call; false if that side is no more, or COLO ended. */
bool
colo_step(struct colo *c, enum colo_side side, uint64_t page, int64_t payload);

/* Ask for a checkpoint, as the timer does; nothing if one is under way. */
void
colo_checkpoint(struct colo *c);
/* Wait until the checkpoint that was asked for is over; false if the primary died first. */
bool
colo_wait_checkpoint(struct colo *c);

/* The host of the primary is no more.  What it had not sent, or compare held, is gone. */
void
colo_primary_dies(struct colo *c);
/* x_colo_lost_heartbeat at the secondary: it goes on alone. Waits until it does. */
void
colo_failover(struct colo *c);
/* End of the run: both go on apart, no checkpoint is under way. */
void
colo_stop(struct colo *c);

const struct colo_stats *
colo_stats(const struct colo *c);
struct migration_vm *
colo_vm(const struct colo *c);
const struct ram *
colo_secondary(const struct colo *c);
bool
colo_primary_dead(const struct colo *c);
uint64_t
colo_register(const struct colo *c, enum colo_side side);

#endif
