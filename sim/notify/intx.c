/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"
#include "memory/race.h"
#include "notify/intx.h"
#include "notify/irqchip.h"
#include "notify/msix.h"

struct intx *
intx_create(struct pci_function *f, struct irqchip *chip, uint32_t gsi)
{
	struct intx *x = world_alloc(f->world, sizeof(*x));

	must(!f->intx);
	x->world = f->world;
	x->function = f;
	x->chip = chip;
	x->gsi = gsi;
	x->source = ioapic_new_source(&chip->ioapic);
	f->intx = x;
	return x;
}

void
intx_update(struct intx *x)
{
	const struct pci_function *f = x->function;
	bool up = x->isr && !(f->msix && msix_enabled(f->msix)) &&
		  !(pci_command(f) & PCI_COMMAND_INTX_DISABLE);

	if (x->level == up)
		return;
	x->level = up;
	emit(x->world, EV_INTX_LEVEL, f->name, x->gsi, up);
	irqchip_set_irq(x->chip, x->gsi, x->source, up);
}

void
intx_set_isr(struct intx *x, uint8_t bits)
{
	actor_point(x->world);
	race_sync(x->world, x);
	x->isr |= bits;
	emit(x->world, EV_ISR_SET, x->function->name, bits, x->isr);
}

void
intx_raise(struct intx *x, uint8_t bits)
{
	intx_set_isr(x, bits);
	actor_point(x->world);
	intx_update(x);
}

uint8_t
intx_read_isr(struct intx *x)
{
	actor_point(x->world);

	uint8_t isr = x->isr;

	race_sync(x->world, x);
	x->isr = 0;
	emit(x->world, EV_ISR_READ, x->function->name, isr);
	intx_update(x);
	return isr;
}
