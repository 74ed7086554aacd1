/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO: two machines run the same guest, and the client sees one (QEMU 8.2, migration/colo.c,
 * net/colo-compare.c, block/replication.c).
 *
 *	primary                              secondary
 *	precopy ───────────────────────────▶ memory, RAM cache
 *	stop                                 start block replication, go on
 *	                   ◀──────────────── CHECKPOINT_READY
 *	start block replication, go on
 *
 *	packet ──▶ compare ◀── packet        the same: released.  Not: checkpoint
 *	CHECKPOINT_REQUEST ────────────────▶ stop, drain
 *	                   ◀──────────────── CHECKPOINT_REPLY
 *	stop, drain; save devices to a buffer
 *	dirty pages ───────────────────────▶ RAM cache, not the guest's memory
 *	VMSTATE_SIZE, device state ────────▶
 *	                   ◀──────────────── VMSTATE_RECEIVED: the state is whole
 *	release what compare holds           cache ──▶ memory; load devices; disk checkpoint; go on
 *	go on              ◀──────────────── VMSTATE_LOADED
 *
 * Output commit: a packet that the secondary did not send as well leaves only when the state behind
 * it is wholly at the secondary.  A primary that dies before leaves a secondary that goes on as it
 * was, with the cache thrown away; one that dies later, a secondary that loads first.
 *
 * Failover at the secondary: x-colo-lost-heartbeat, then a bottom half under the BQL.  While the
 * state is loaded (vmstate_loading) it only notes FAILOVER_STATUS_RELAUNCH, and the incoming thread
 * asks again when it is done, or failed.  Else it stops replication and shuts the sockets down, so
 * that the incoming thread's read ends, half a message or none; what had come is still read.  The
 * guest goes on once that thread has ended.
 *
 * The guest of this model does one thing, colo_step() (and what colo_net.h and colo_disk.h have):
 * it writes a page, counts, and sends a packet with its count and a payload.  The count is its
 * register, and goes with the device state; between write and packet it may be stopped.
 *
 * Timed mode has the time of a checkpoint by phases (enum colo_phase).  The world's memory
 * throughout.
 */
#ifndef RINGSIDE_MIGRATION_COLO_H
#define RINGSIDE_MIGRATION_COLO_H

#include <stdbool.h>
#include <stdint.h>

#include "migration/vm.h"

#define COLO_SECONDARY_WRITER 0x9000u
#define COLO_LOADERS_MAX 16u
#define COLO_SAMPLES_MAX 4096u /* checkpoints whose phases are kept: 64 bytes each */

enum colo_side { COLO_PRIMARY, COLO_SECONDARY, COLO_SIDES };

struct colo_config {
	int64_t checkpoint_delay_ns; /* x-checkpoint-delay, timed mode; 0: only when asked for */
	unsigned loaders; /* threads that send and load pages: 1, or multifd's channels */
	bool migrate; /* begins with a precopy; else as it is behind one */
	uint64_t disk_sectors; /* of the replicated disk; 0: none */
	int64_t commit_fails_at; /* the how many-th sector that a failover commits; -1: none */
	uint64_t filters_fail_at; /* the checkpoint at which the filters cannot be told; 0: none */
	unsigned max_queue_size; /* packets of a connection and side; 0: 1024 */
	bool vnet_hdr; /* vnet_hdr_support */
	/* Timed mode. */
	int64_t compare_timeout_ns, expired_scan_cycle_ns; /* 0: packets do not grow old */
	int64_t link_bandwidth; /* bytes a second; 0: the wire costs nothing */
	int64_t rtt_ns;
	int64_t device_state_bytes;
	unsigned ahead_rounds; /* pages sent before the stop: at most so many rounds; 0: none */
	int64_t ahead_bytes; /* a round that sends no more than this is the last */
	bool auto_converge; /* migrate_auto_converge() still holds; not with ahead_rounds */
};

/* What a checkpoint's time goes to, at the primary. ORDER COLO_PHASE */
enum colo_phase {
	COLO_PHASE_REQUEST, /* until the secondary stands; the primary runs */
	COLO_PHASE_STOP,
	COLO_PHASE_SAVE, /* devices, into the buffer */
	COLO_PHASE_RAM, /* dirty log and pages */
	COLO_PHASE_STATE, /* the buffer, until VMSTATE_RECEIVED */
	COLO_PHASE_LOAD, /* until VMSTATE_LOADED */
	COLO_PHASE_STOPPED, /* all but the first */
	COLO_PHASES
};
extern const char *const colo_phase_word[COLO_PHASES];

struct colo_sample {
	int64_t ns[COLO_PHASES];
	uint64_t pages; /* sent while the machine stood */
};

struct colo_stats {
	uint64_t checkpoints, pages, ahead_pages, flushed, matched, mismatched, released;
	uint64_t dropped, expired; /* packets; checkpoints for old ones */
	int64_t held_ns,
		held_most_ns; /* packets in compare until they left: all together, the longest */
	int64_t stop_ns; /* the primary stood, all checkpoints */
	int64_t throttle_percent; /* the most */
};

struct colo;

/* @vm runs and is in no migration; its devices are QEMU's own (no vhost). */
struct colo *
colo_start(struct migration_vm *vm, const struct colo_config *config);

/* One step of the guest on @side, an actor's call; false if that side is no more, or COLO ended. */
bool
colo_step(struct colo *c, enum colo_side side, uint64_t page, int64_t payload);

/* It writes pages [first, first + count), and sends nothing: a workload of timed mode. */
bool
colo_write(struct colo *c, enum colo_side side, uint64_t first, uint64_t count);

/* Wait until both sides run: the end of the first migration; false if it came to nothing. */
bool
colo_wait_started(struct colo *c);

/* Ask for a checkpoint, as the timer does; nothing if one is under way. */
void
colo_checkpoint(struct colo *c);
/* Wait until the checkpoint that was asked for is over; false if the primary died, or an error
 * ended COLO. */
bool
colo_wait_checkpoint(struct colo *c);

/* The host of the primary is no more.  What it had not sent, or compare held, is gone. */
void
colo_primary_dies(struct colo *c);
/* x_colo_lost_heartbeat at the secondary: it goes on alone. Waits until it does. */
void
colo_failover(struct colo *c);
/* The host of the secondary is no more. */
void
colo_secondary_dies(struct colo *c);
/*
 * Failover at the primary: the manager yanks and removes what leads to the secondary, with it what
 * compare holds leaves; x_colo_lost_heartbeat; waits until COLO's thread has ended.  The guest goes
 * on, and is not compared with anything.
 */
void
colo_failover_primary(struct colo *c);
/* End of the run: both go on apart, no checkpoint is under way. */
void
colo_stop(struct colo *c);

const struct colo_stats *
colo_stats(const struct colo *c);
/* The first checkpoints' phases, timed mode. */
const struct colo_sample *
colo_samples(const struct colo *c, uint64_t *count);
struct migration_vm *
colo_vm(const struct colo *c);
const struct ram *
colo_secondary(const struct colo *c);
bool
colo_primary_dead(const struct colo *c);
bool
colo_secondary_dead(const struct colo *c);
uint64_t
colo_register(const struct colo *c, enum colo_side side);

#endif
