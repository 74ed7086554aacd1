/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CPU as the guest's kernel sees it: levels of execution on one vCPU (notify/vcpu.h), and locks.
 *
 *	hardirq   interrupt handlers, run by the vCPU's own context
 *	softirq   the actor "softirqN": NAPI polls, raised from interrupts and from tasks
 *	task      actors that call drivers (submit a request, open a device)
 *
 * A handler stops softirq and tasks of its CPU until it returns; guest_irq_disable() keeps
 * handlers out. A softirq stops tasks; guest_bh_disable() keeps softirqs out.  Both nest.  That a
 * raised softirq need not run before the task goes on is ksoftirqd's doing in Linux: all orders
 * it allows are possible here. Different CPUs run concurrently and meet at spinlocks.
 *
 * A spinlock's waiters sleep on a wait queue: spinning adds steps and no behaviour; to the vCPU
 * it is busy.  A lock that a handler takes is taken with interrupts off elsewhere; breaking that
 * rule of the kernel's deadlocks the CPU, which shows as a hang.
 *
 * Every function of a driver is told the CPU it is called on; an actor is bound to the CPU that
 * it first names and must not name another one.
 */
#ifndef RINGSIDE_GUEST_CPU_H
#define RINGSIDE_GUEST_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"

struct vcpu;
struct memview;
struct guest_cpu;

/* Work for the softirq level: a NAPI instance. Embedded in its owner. */
struct guest_softirq {
	void (*fn)(struct guest_cpu *cpu, struct guest_softirq *s);
	void *arg;
	struct guest_softirq *next;
	bool raised; /* stands in a CPU's list */
};

struct guest_cpu {
	struct world *w;
	struct vcpu *vcpu;
	struct memview *view; /* what its MMIO accesses go through */
	unsigned index;
	struct actor *softirq;
	struct guest_softirq *raised, *raised_last;
	struct waitq softirq_wait;
};

/* CPU number @index on @vcpu. Its softirq actor is a daemon. */
struct guest_cpu *
guest_cpu_create(struct world *w, struct vcpu *vcpu, struct memview *view, unsigned index);

/* Make the running actor a task of this CPU, unless it is one or takes its interrupts. */
void
guest_cpu_enter(struct guest_cpu *cpu);

/* Wait as a task: the CPU may run another one, or halt. In a handler the same as waitq_wait(). */
void
guest_wait(struct guest_cpu *cpu, struct waitq *q);

void
guest_irq_disable(struct guest_cpu *cpu);
void
guest_irq_enable(struct guest_cpu *cpu);
void
guest_bh_disable(struct guest_cpu *cpu);
void
guest_bh_enable(struct guest_cpu *cpu);

void
guest_softirq_init(struct guest_softirq *s,
		   void (*fn)(struct guest_cpu *cpu, struct guest_softirq *s), void *arg);
/* Raise it on this CPU; a raised one stays as it is. From any level. */
void
guest_softirq_raise(struct guest_cpu *cpu, struct guest_softirq *s);

/* --- MMIO ----------------------------------------------------------------------------------- */

/* One access of 1, 2, 4 or 8 bytes. A read that nothing answers is all ones, a write vanishes. */
uint64_t
guest_mmio_read(struct guest_cpu *cpu, uint64_t gpa, unsigned size);
void
guest_mmio_write(struct guest_cpu *cpu, uint64_t gpa, uint64_t value, unsigned size);

/* --- spinlocks ------------------------------------------------------------------------------ */

struct guest_spinlock {
	struct actor *owner;
	struct waitq q;
};

void
guest_spinlock_init(struct guest_spinlock *l, struct world *w, const char *name);
/* spin_lock_bh() and spin_lock_irqsave(): the latter for locks that handlers take. */
void
guest_spin_lock_bh(struct guest_cpu *cpu, struct guest_spinlock *l);
void
guest_spin_unlock_bh(struct guest_cpu *cpu, struct guest_spinlock *l);
void
guest_spin_lock_irq(struct guest_cpu *cpu, struct guest_spinlock *l);
void
guest_spin_unlock_irq(struct guest_cpu *cpu, struct guest_spinlock *l);
/* From a handler or a softirq: false at once if another CPU has it. */
bool
guest_spin_trylock(struct world *w, struct guest_spinlock *l);
void
guest_spin_unlock(struct world *w, struct guest_spinlock *l);

#endif
