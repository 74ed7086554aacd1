/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAPI (Linux net/core/dev.c): polling a queue in the softirq instead of an interrupt a packet.
 *
 *	        schedule                    poll: work == budget
 *	IDLE ─────────────▶ SCHEDULED ──▶ POLLING ───────────────▶ SCHEDULED
 *	  ▲                                  │ complete
 *	  ├──────────────────────────────────┤ nobody asked meanwhile
 *	  │                                  └─ missed: SCHEDULED again
 *	disable() waits for IDLE and keeps it; enable() gives it back
 *
 * At most one CPU polls an instance.  A schedule while one polls sets `missed`, and complete() then
 * says false: the poll comes again.  disable() of an instance that is disabled waits for ever, as
 * the kernel's does (Linux 4bc12818b363 and what followed).
 */
#ifndef RINGSIDE_GUEST_NAPI_H
#define RINGSIDE_GUEST_NAPI_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/cpu.h"
#include "guest/virtqueue.h"

#define GUEST_NAPI_BUDGET 64u

struct guest_napi {
	struct world *w;
	struct guest_vq *vq;
	struct guest_softirq softirq;
	unsigned budget;
	bool scheduled; /* NAPI_STATE_SCHED: queued, polled, or disabled */
	bool missed; /* NAPI_STATE_MISSED */
	bool disabling; /* NAPI_STATE_DISABLE */
	struct waitq idle;
	/* Work done; below @budget it has called guest_napi_complete(). */
	unsigned (*poll)(struct guest_cpu *cpu, struct guest_napi *n, unsigned budget);
	void *arg; /* the driver's */
	uint64_t polls, reschedules;
};

/* Disabled. @budget 0: GUEST_NAPI_BUDGET. */
void
guest_napi_init(struct guest_napi *n, struct guest_vq *vq, unsigned budget,
		unsigned (*poll)(struct guest_cpu *cpu, struct guest_napi *n, unsigned budget),
		void *arg);

void
guest_napi_enable(struct guest_napi *n);
/* From a task: waits until no poll is under way. */
void
guest_napi_disable(struct guest_cpu *cpu, struct guest_napi *n);

/* napi_schedule_prep(): true for the one who is to call guest_napi_raise(). */
bool
guest_napi_prep(struct guest_napi *n);
void
guest_napi_raise(struct guest_cpu *cpu, struct guest_napi *n);
/* napi_complete_done(): false if somebody asked meanwhile, and the poll comes again. */
bool
guest_napi_complete(struct guest_cpu *cpu, struct guest_napi *n);

/* virtqueue_napi_schedule(): prep, callbacks off, raise. */
void
guest_napi_schedule(struct guest_cpu *cpu, struct guest_napi *n);
/* virtqueue_napi_complete(): callbacks on, complete, and look again. */
void
guest_napi_complete_vq(struct guest_cpu *cpu, struct guest_napi *n);

#endif
