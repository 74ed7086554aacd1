/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/irq.h"

#include "base/must.h"
#include "notify/intx.h"
#include "notify/irqchip.h"
#include "notify/msix.h"
#include "notify/vcpu.h"

bool
guest_msix_enable(struct pci_function *f, struct guest_cpu *cpu, unsigned vectors)
{
	if (!f->msix || vectors > f->msix->vectors)
		return false;
	/* Function mask first: nothing may be sent while entries hold leftovers. */
	msix_driver_control(f->msix, cpu->vcpu, true, true);
	for (unsigned i = 0; i < f->msix->vectors; i++)
		msix_driver_mask(f->msix, cpu->vcpu, i, true);
	msix_driver_control(f->msix, cpu->vcpu, true, false);
	return true;
}

void
guest_msix_disable(struct pci_function *f, struct guest_cpu *cpu)
{
	if (f->msix)
		msix_driver_control(f->msix, cpu->vcpu, false, false);
}

/* --- vectors -------------------------------------------------------------------------------- */

/* The first vector of this CPU that no device has. */
static unsigned
vector_alloc(struct guest_cpu *cpu)
{
	for (unsigned v = GUEST_VECTOR_FIRST; v <= GUEST_VECTOR_LAST; v++)
		if (!cpu->vcpu->idt[v].fn)
			return v;
	world_fail(cpu->w, "cpu %u has no interrupt vector left", cpu->index);
	return GUEST_VECTOR_LAST;
}

static enum irq_return
irq_action(struct vcpu *v, void *arg)
{
	struct guest_irq *irq = arg;

	/* What was on its way to the old CPU is handled there. */
	if (irq->old_cpu && irq->old_cpu->vcpu == v)
		return irq->handler(irq->old_cpu, irq->arg);
	return irq->handler(irq->cpu, irq->arg);
}

static void
irq_mask_msix(void *arg, struct vcpu *v, bool masked)
{
	struct guest_irq *irq = arg;

	msix_driver_mask(irq->function->msix, v, irq->entry, masked);
}

static void
irq_mask_intx(void *arg, struct vcpu *v, bool masked)
{
	struct guest_irq *irq = arg;
	struct intx *x = irq->function->intx;

	(void)v;
	ioapic_mask(&x->chip->ioapic, x->gsi, masked);
}

static void
write_message(struct guest_irq *irq, struct guest_cpu *cpu, bool mask_first)
{
	struct msix_message m = { msi_address(irq->cpu->vcpu->id), msi_data(irq->vector) };

	msix_driver_write_entry(irq->function->msix, cpu->vcpu, irq->entry, m, mask_first);
}

/* --- requesting ----------------------------------------------------------------------------- */

static void
irq_prepare(struct guest_irq *irq, const char *name, struct pci_function *f,
	    struct guest_cpu *target, bool intx, guest_irq_handler handler, void *arg)
{
	unsigned early = irq->early ? irq->vector : 0;

	must(!irq->requested);
	*irq = (struct guest_irq){
		.w = target->w,
		.function = f,
		.desc = irq->desc,
		.intx = intx,
		.cpu = target,
		.handler = handler,
		.arg = arg,
	};
	if (!irq->desc)
		irq->desc = irqdesc_create(irq->w, name, intx ? IRQ_FLOW_FASTEOI : IRQ_FLOW_EDGE,
					   intx ? irq_mask_intx : irq_mask_msix, irq);
	irq->vector = early ? early : vector_alloc(target);
	irqdesc_set_vector(irq->desc, target->vcpu, irq->vector);
}

static void
irq_enable(struct guest_irq *irq)
{
	int ret = irqdesc_request(irq->desc, irq_action, irq, irq->intx);

	must(!ret); /* the descriptor is ours alone */
	irq->requested = true;
}

void
guest_irq_request(struct guest_irq *irq, const char *name, struct pci_function *f, unsigned entry,
		  struct guest_cpu *cpu, struct guest_cpu *target, guest_irq_handler handler,
		  void *arg)
{
	irq_prepare(irq, name, f, target, false, handler, arg);
	irq->entry = entry;
	/* The entry is masked since MSI-X was turned on. */
	write_message(irq, cpu, true);
	irq_enable(irq);
}

void
guest_irq_program_early(struct guest_irq *irq, struct pci_function *f, unsigned entry,
			struct guest_cpu *cpu, struct guest_cpu *target)
{
	irq->w = target->w;
	irq->function = f;
	irq->entry = entry;
	irq->cpu = target;
	irq->early = true;
	/* Entries of one function get different vectors although no handler reserves them. */
	irq->vector = vector_alloc(target) + entry;
	write_message(irq, cpu, true);
	msix_driver_mask(f->msix, cpu->vcpu, entry, false);
}

bool
guest_irq_request_intx(struct guest_irq *irq, const char *name, struct pci_function *f,
		       struct guest_cpu *target, guest_irq_handler handler, void *arg)
{
	struct intx *x = f->intx;

	if (!x)
		return false;
	irq_prepare(irq, name, f, target, true, handler, arg);
	ioapic_set_entry(&x->chip->ioapic, x->gsi, (uint8_t)irq->vector, (uint8_t)target->vcpu->id,
			 true, true);
	irq_enable(irq);
	return true;
}

static void
forget_old(struct guest_irq *irq)
{
	if (irq->old_cpu)
		vcpu_clear_handler(irq->old_cpu->vcpu, irq->old_vector);
	irq->old_cpu = NULL;
}

void
guest_irq_free(struct guest_irq *irq)
{
	if (!irq->requested)
		return;
	irqdesc_free(irq->desc, irq);
	forget_old(irq);
	vcpu_clear_handler(irq->cpu->vcpu, irq->vector);
	irq->requested = false;
}

/* --- affinity ------------------------------------------------------------------------------- */

void
guest_irq_set_affinity(struct guest_irq *irq, struct guest_cpu *cpu, struct guest_cpu *target)
{
	struct vcpu_gate gate = irq->cpu->vcpu->idt[irq->vector];
	struct guest_cpu *from = irq->cpu;
	unsigned from_vector = irq->vector;

	if (target == from || !irq->requested)
		return;
	forget_old(irq);
	irq->vector = vector_alloc(target);
	irqdesc_set_vector(irq->desc, target->vcpu, irq->vector);
	/* What the device has sent already must find its handler at the old vector. */
	vcpu_set_handler(from->vcpu, from_vector, gate.fn, gate.arg, gate.eoi);
	irq->old_cpu = from;
	irq->old_vector = from_vector;
	irq->cpu = target;
	if (irq->intx)
		ioapic_set_entry(&irq->function->intx->chip->ioapic, irq->function->intx->gsi,
				 (uint8_t)irq->vector, (uint8_t)target->vcpu->id, true, false);
	else
		write_message(irq, cpu, !fault_on(irq->w, FAULT_GUEST_MSI_AFFINITY_UNMASKED));
}
