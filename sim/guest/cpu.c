/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/cpu.h"

#include <stdio.h>

#include "base/must.h"
#include "memory/race.h"
#include "notify/memview.h"
#include "notify/vcpu.h"

/* Whether the running actor is this CPU's interrupt context, which nothing of it interrupts. */
static bool
in_hardirq(const struct guest_cpu *cpu)
{
	return actor_current(cpu->w) == cpu->vcpu->irq;
}

void
guest_cpu_enter(struct guest_cpu *cpu)
{
	struct actor *self = actor_current(cpu->w);

	must(self); /* a callback is on no CPU */
	if (!in_hardirq(cpu) && !vcpu_is_task(cpu->vcpu, self))
		vcpu_bind(cpu->vcpu, self);
}

void
guest_wait(struct guest_cpu *cpu, struct waitq *q)
{
	if (in_hardirq(cpu))
		waitq_wait(cpu->w, q);
	else
		vcpu_wait(cpu->vcpu, q);
}

/* --- levels --------------------------------------------------------------------------------- */

void
guest_irq_disable(struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu); /* levels count for the tasks of a CPU */
	if (!in_hardirq(cpu))
		vcpu_irq_save(cpu->vcpu);
}

void
guest_irq_enable(struct guest_cpu *cpu)
{
	if (!in_hardirq(cpu))
		vcpu_irq_restore(cpu->vcpu);
}

void
guest_bh_disable(struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	if (!in_hardirq(cpu))
		vcpu_preempt_disable(cpu->vcpu);
}

void
guest_bh_enable(struct guest_cpu *cpu)
{
	if (!in_hardirq(cpu))
		vcpu_preempt_enable(cpu->vcpu);
}

/* --- softirq -------------------------------------------------------------------------------- */

static void
softirq_main(struct actor *self, void *arg)
{
	struct guest_cpu *cpu = arg;

	for (;;) {
		struct guest_softirq *s = cpu->raised;

		if (!s) {
			guest_wait(cpu, &cpu->softirq_wait);
			continue;
		}
		race_acquire(cpu->w, &cpu->softirq_wait);
		cpu->raised = s->next;
		if (!s->next)
			cpu->raised_last = NULL;
		s->raised = false;
		guest_bh_disable(cpu);
		s->fn(cpu, s);
		guest_bh_enable(cpu);
		actor_point(cpu->w);
	}
}

void
guest_softirq_init(struct guest_softirq *s,
		   void (*fn)(struct guest_cpu *cpu, struct guest_softirq *s), void *arg)
{
	*s = (struct guest_softirq){ .fn = fn, .arg = arg };
}

void
guest_softirq_raise(struct guest_cpu *cpu, struct guest_softirq *s)
{
	race_release(cpu->w, &cpu->softirq_wait);
	if (s->raised)
		return;
	s->raised = true;
	s->next = NULL;
	if (cpu->raised_last)
		cpu->raised_last->next = s;
	else
		cpu->raised = s;
	cpu->raised_last = s;
	waitq_wake_one(cpu->w, &cpu->softirq_wait);
}

struct guest_cpu *
guest_cpu_create(struct world *w, struct vcpu *vcpu, struct memview *view, unsigned index)
{
	struct guest_cpu *cpu = world_alloc(w, sizeof(*cpu));
	char name[32];

	cpu->w = w;
	cpu->vcpu = vcpu;
	cpu->view = view;
	cpu->index = index;
	waitq_init(&cpu->softirq_wait, w, "softirq");
	snprintf(name, sizeof(name), "softirq%u", index);
	cpu->softirq = actor_create(w, name, softirq_main, cpu, 0);
	actor_set_daemon(cpu->softirq, true);
	vcpu_bind(vcpu, cpu->softirq);
	return cpu;
}

/* --- MMIO ----------------------------------------------------------------------------------- */

uint64_t
guest_mmio_read(struct guest_cpu *cpu, uint64_t gpa, unsigned size)
{
	return memview_read(cpu->view, cpu->vcpu, IO_MMIO, gpa, size);
}

void
guest_mmio_write(struct guest_cpu *cpu, uint64_t gpa, uint64_t value, unsigned size)
{
	memview_write(cpu->view, cpu->vcpu, IO_MMIO, gpa, size, value);
}

/* --- spinlocks ------------------------------------------------------------------------------ */

void
guest_spinlock_init(struct guest_spinlock *l, struct world *w, const char *name)
{
	l->owner = NULL;
	waitq_init(&l->q, w, name);
}

static void
spin_acquire(struct world *w, struct guest_spinlock *l)
{
	struct actor *self = actor_current(w);

	actor_point(w);
	must(self && l->owner != self); /* our drivers do not take a lock twice */
	while (l->owner)
		waitq_wait(w, &l->q);
	race_acquire(w, &l->q);
	l->owner = self;
}

bool
guest_spin_trylock(struct world *w, struct guest_spinlock *l)
{
	actor_point(w);
	if (l->owner)
		return false;
	race_acquire(w, &l->q);
	l->owner = actor_current(w);
	return true;
}

void
guest_spin_unlock(struct world *w, struct guest_spinlock *l)
{
	must(l->owner && l->owner == actor_current(w));
	l->owner = NULL;
	waitq_wake_one(w, &l->q);
}

void
guest_spin_lock_bh(struct guest_cpu *cpu, struct guest_spinlock *l)
{
	guest_bh_disable(cpu);
	spin_acquire(cpu->w, l);
}

void
guest_spin_unlock_bh(struct guest_cpu *cpu, struct guest_spinlock *l)
{
	guest_spin_unlock(cpu->w, l);
	guest_bh_enable(cpu);
}

void
guest_spin_lock_irq(struct guest_cpu *cpu, struct guest_spinlock *l)
{
	guest_irq_disable(cpu);
	spin_acquire(cpu->w, l);
}

void
guest_spin_unlock_irq(struct guest_cpu *cpu, struct guest_spinlock *l)
{
	guest_spin_unlock(cpu->w, l);
	guest_irq_enable(cpu);
}
