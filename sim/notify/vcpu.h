/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual processor: guest tasks that share it, one context that takes its interrupts, and where
 * it is: in the guest, in the VMM, or asleep in HLT.
 *
 *	            vcpu_exit()                    nothing runnable
 *	  EXITED <──────────────  IN_GUEST  ─────────────────────────▶ BLOCKING ──point──▶ BLOCKED
 *	         ──────────────▶     ▲  ▲   ◀── last check: pending ──────┘                   │
 *	            vcpu_enter()     │  └──────────── wake: interrupt, or a task ─────────────┘
 *	                             └── vcpu_resume() ── STOPPED ◀── vcpu_pause()
 *
 * Who runs.  Guest tasks are actors bound to the vCPU; of those that are runnable any may go on at
 * any point (the guest's scheduler preempts).  The actor "vcpuN.irq" is the vCPU's own context: it
 * runs interrupt handlers and the idle loop.  Exclusion is by actor_hold():
 *	- while a handler runs, all tasks are held;
 *	- while a task is in the VMM (vcpu_exit … vcpu_enter), has interrupts off or preemption off,
 *	  the other tasks are held;
 *	- with interrupts off, or outside the guest, no handler starts.
 * An interrupt that is pending when interrupts go on, or at entry, is taken before the task's next
 * instruction: vcpu_irq_restore() and vcpu_enter() return after its handler has.
 *
 * Idle.  A task that waits with vcpu_wait() leaves the processor; when none is left the vCPU
 * executes HLT, exits and blocks.  Between the last check for interrupts and the sleep is a point:
 * that is where a wake-up can be lost.  A task that waits with waitq_wait() leaves the vCPU polling
 * instead.
 *
 * Delivery.  vcpu_deliver() requests or posts the vector and then tells the vCPU: in the guest by
 * an IPI, blocked by a wake-up, exited not at all, for entry looks.  The handler is looked up in
 * the guest's IDT when the interrupt is accepted; none there means the interrupt is lost:
 * EV_IRQ_SPURIOUS.
 */
#ifndef RINGSIDE_NOTIFY_VCPU_H
#define RINGSIDE_NOTIFY_VCPU_H

#include "engine/world.h"
#include "notify/lapic.h"

/* ORDER VCPU_MODE */
enum vcpu_mode {
	VCPU_IN_GUEST,
	VCPU_EXITED, /* in KVM or the VMM on behalf of a guest task */
	VCPU_BLOCKING, /* HLT: checked for interrupts, not yet asleep */
	VCPU_BLOCKED, /* HLT: asleep */
	VCPU_STOPPED, /* paused by the VMM */
	VCPU_MODES
};

extern const char *const vcpu_mode_name[VCPU_MODES];

struct vcpu;
typedef void (*vcpu_handler_fn)(struct vcpu *v, unsigned vector, void *arg);

/* When the vector's in-service bit is cleared. */
enum vcpu_eoi {
	VCPU_EOI_FIRST, /* before the handler: edge flow, what Linux does for MSI */
	VCPU_EOI_LAST, /* after it: level flow */
	VCPU_EOI_MANUAL /* the handler, or somebody later, calls vcpu_eoi() */
};

struct vcpu_gate {
	vcpu_handler_fn fn;
	void *arg;
	enum vcpu_eoi eoi;
};

struct vcpu_task {
	struct actor *actor;
	uint32_t holds; /* how many of the actor's holds are ours */
	bool waiting; /* in vcpu_wait() */
};

struct irqchip;

struct vcpu {
	struct world *world;
	struct irqchip *chip; /* null until irqchip_add_vcpu() */
	uint32_t id; /* APIC id */
	enum vcpu_mode mode;
	struct lapic lapic;
	struct vcpu_gate idt[LAPIC_VECTORS];

	struct actor *irq; /* "vcpuN.irq" */
	struct vcpu_task *task;
	uint32_t tasks, task_capacity;
	uint32_t waiting; /* tasks in vcpu_wait() */
	uint32_t exclusions; /* levels that hold tasks: handler, exit, interrupts off, pause */
	struct actor *exited; /* the actor that is in the VMM */
	uint32_t exit_depth;

	uint32_t irq_off; /* nesting of vcpu_irq_save() */
	bool in_handler;
	bool pause_asked;
	struct actor *parker; /* who ran the pause; waits in it if it belongs to the vCPU */
	enum vcpu_mode resume_mode;
	int64_t mode_names[VCPU_MODES];

	struct waitq work; /* the interrupt context, until there is something to take */
	struct waitq settled; /* until pending interrupts are taken, or the vCPU is free again */
	struct waitq parked; /* the task that came to vcpu_enter() while paused */
	struct waitq stopped; /* vcpu_pause(), until the vCPU has left the VMM */

	uint64_t interrupts; /* handlers run */
	uint64_t exits;
	uint64_t halts;
};

/* A vCPU with APIC id @id, interrupts on, without tasks. Its interrupt context is a daemon. */
struct vcpu *
vcpu_create(struct world *w, uint32_t id);

/* --- guest tasks ---------------------------------------------------------------------------- */

/* Let @a run on this vCPU from now on. The running actor may wait here until the vCPU is free. */
void
vcpu_bind(struct vcpu *v, struct actor *a);
/* It leaves (ended, or moves to another vCPU). No-op if it is no task of it. */
void
vcpu_unbind(struct vcpu *v, struct actor *a);
bool
vcpu_is_task(const struct vcpu *v, const struct actor *a);

/* waitq_wait() of a guest task: the last runnable one lets the vCPU go to sleep in HLT. */
void
vcpu_wait(struct vcpu *v, struct waitq *q);

/* local_irq_save() and _restore(): nest. Other tasks of this vCPU do not run either. */
void
vcpu_irq_save(struct vcpu *v);
void
vcpu_irq_restore(struct vcpu *v);
/* preempt_disable() and _enable(): handlers run, other tasks do not. Nest, also with the above. */
void
vcpu_preempt_disable(struct vcpu *v);
void
vcpu_preempt_enable(struct vcpu *v);

/* --- the guest's IDT ------------------------------------------------------------------------ */

void
vcpu_set_handler(struct vcpu *v, unsigned vector, vcpu_handler_fn fn, void *arg, enum vcpu_eoi eoi);
void
vcpu_clear_handler(struct vcpu *v, unsigned vector);
/* Write the EOI register: ends the highest vector in service, broadcasts if it was level. */
void
vcpu_eoi(struct vcpu *v);

/* --- exits ---------------------------------------------------------------------------------- */

/*
 * The running task (or the handler that runs) leaves the guest and comes back; nests.  An actor
 * that is no task of the vCPU becomes one.  Null @v: a no-op.
 */
void
vcpu_exit(struct vcpu *v);
void
vcpu_enter(struct vcpu *v);

/* --- the host's side ------------------------------------------------------------------------ */

/* An interrupt for this vCPU, from any actor or callback. */
void
vcpu_deliver(struct vcpu *v, unsigned vector, bool level);

/* kvm_vcpu_kick() for another reason than an interrupt. */
void
vcpu_kick(struct vcpu *v);

/*
 * Stop (vm_stop) and start again.  A task that is in the VMM finishes its exit first and the caller
 * waits for that, so it may not hold a lock that the task needs (QEMU waits with the BQL dropped);
 * if it is the caller, it stops at its vcpu_enter().  Interrupts stay pending.
 */
void
vcpu_pause(struct vcpu *v);
void
vcpu_resume(struct vcpu *v);

/* Senders post (PIR) from now on; @apicv: whether this vCPU runs with APIC virtualisation. */
void
vcpu_set_posting(struct vcpu *v, bool posting, bool apicv);

/* What KVM_GET_LAPIC and KVM_SET_LAPIC carry for us. */
struct lapic_state {
	uint64_t irr[LAPIC_VECTORS / 64];
	uint64_t isr[LAPIC_VECTORS / 64];
	uint64_t tmr[LAPIC_VECTORS / 64];
	uint8_t timer_vector; /* 0: no timer */
	bool timer_expired; /* a one-shot deadline that has passed and not been delivered */
};
/* Reads PIR, too: a pending interrupt is in the state wherever it was latched. */
void
vcpu_get_lapic(struct vcpu *v, struct lapic_state *state);
/* An expired timer fires during this call (Linux 9cfec6d097c6). */
void
vcpu_set_lapic(struct vcpu *v, const struct lapic_state *state);

/* Whether it could take an interrupt right now and has one. */
bool
vcpu_deliverable(const struct vcpu *v);

#endif
