/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording of a machine becomes a world: each thread of the log is an actor, and does at its
 * recorded times, in recorded order, what the log says it did, to the models:
 *
 *	memslot updates       kvm/memslot.h, whose answer must be the recorded one
 *	dirty log clears      kvm/dirty_log.h
 *	ioeventfds            notify/iobus.h
 *	status, queues        queue_account.h
 *	migration             its steps, in the order in which QEMU takes them
 *
 * What a model refuses, or answers otherwise than the recording, is a disagreement with the line
 * of the log (disagree.h): of the recorded system, of the recording, or of the model.  A recording
 * that begins in the middle of a life disagrees where it speaks of what came before.
 *
 * Threads past the 62nd, and all of a log that has no threads, share an actor.
 */
#ifndef RINGSIDE_TRACE_REPLAY_MACHINE_H
#define RINGSIDE_TRACE_REPLAY_MACHINE_H

#include <stdint.h>
#include <stdio.h>

#include "trace/disagree.h"
#include "trace/queue_account.h"
#include "trace/recording.h"

struct error;
struct world;
struct machine_replay;

struct machine_figures {
	uint64_t memslot_updates, memslot_deletions, memslots_max;
	uint64_t ioeventfd_assigned, ioeventfd_removed;
	uint64_t dirty_log_clears;
	uint64_t bitmap_syncs, pages_sent, pages_dirty; /* as the last sync says */
	uint64_t irq_routes; /* changes of routes */
	uint64_t kernel_kicks; /* that the host kernel's events show: kvm_fast_mmio */
	uint64_t exits, accesses; /* to userspace; MMIO and PIO */
	uint64_t
		injected; /* interrupts into the guest: kvm_inj_virq, or accepted by a local APIC */
	int64_t migration_ns, downtime_ns; /* 0: not in the recording, or no time stamps */
	int64_t duration_ns; /* first record to last */
};

/* @r must live as long. Null and @err if there is nothing in it to replay. */
struct machine_replay *
machine_replay_create(const struct recording *r, struct error *err);
void
machine_replay_destroy(struct machine_replay *p);

struct world *
machine_replay_world(const struct machine_replay *p);

/* Run to the end: 0, or -1 and @err if the world ended otherwise. */
int
machine_replay_run(struct machine_replay *p, struct error *err);

/* After a run. */
const struct machine_figures *
machine_replay_figures(const struct machine_replay *p);
const struct disagreements *
machine_replay_disagreements(const struct machine_replay *p);

/* The verdict of the first disagreement; VERDICT_OK. */
enum verdict
machine_replay_verdict(const struct machine_replay *p);

/* All figures by name, in a fixed order: for metrics and the report. */
void
machine_replay_each(const struct machine_replay *p,
		    void (*fn)(void *context, const char *name, int64_t value, const char *unit),
		    void *context);

/*
 * Lines for people and grep: figures that are not 0; "disagrees: line 17: vq3: a pop that …"; and
 * last the verdict.
 */
void
machine_replay_report(const struct machine_replay *p, FILE *to);

#endif
