/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/must.h"
#include "notify/irqchip.h"

struct irqchip *
irqchip_create(struct world *w)
{
	struct irqchip *chip = world_alloc(w, sizeof(*chip));

	chip->world = w;
	chip->next_gsi = IOAPIC_PINS;
	ioapic_init(&chip->ioapic, chip);
	for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
		irqroute_set_pin(chip, pin, pin);
	irqroute_commit(chip);
	return chip;
}

void
irqchip_add_vcpu(struct irqchip *chip, struct vcpu *v)
{
	must(!v->chip && !irqchip_vcpu(chip, v->id));
	if (chip->vcpus == chip->vcpu_capacity) {
		uint32_t capacity = chip->vcpu_capacity ? chip->vcpu_capacity * 2 : 4;
		struct vcpu **grown = world_alloc(chip->world, capacity * sizeof(struct vcpu *));

		if (chip->vcpus)
			memcpy(grown, chip->vcpu, chip->vcpus * sizeof(struct vcpu *));
		world_free(chip->world, chip->vcpu, chip->vcpu_capacity * sizeof(struct vcpu *));
		chip->vcpu = grown;
		chip->vcpu_capacity = capacity;
	}
	chip->vcpu[chip->vcpus++] = v;
	v->chip = chip;
}

struct vcpu *
irqchip_vcpu(const struct irqchip *chip, uint32_t id)
{
	for (uint32_t i = 0; i < chip->vcpus; i++)
		if (chip->vcpu[i]->id == id)
			return chip->vcpu[i];
	return NULL;
}

bool
irqchip_msi(struct irqchip *chip, uint64_t address, uint32_t data)
{
	uint32_t dest = (uint32_t)(address >> 12) & 0xff;
	unsigned vector = data & 0xff;
	struct vcpu *v = irqchip_vcpu(chip, dest);

	if (address >> 20 != MSI_ADDRESS_BASE >> 20 || !v || vector < LAPIC_VECTOR_MIN) {
		emit(chip->world, EV_MSI_LOST, (int64_t)address, data);
		return false;
	}
	emit(chip->world, EV_MSI_SEND, (int64_t)address, data, v->id, vector);
	vcpu_deliver(v, vector, false);
	return true;
}

bool
irqchip_set_irq(struct irqchip *chip, uint32_t gsi, unsigned source, bool up)
{
	const struct irqroute *r = irqroute_find(chip, gsi);

	if (!r) {
		if (up)
			emit(chip->world, EV_IRQ_NO_ROUTE, gsi);
		return false;
	}
	if (r->type == IRQROUTE_MSI)
		return up && irqchip_msi(chip, r->address, r->data);
	ioapic_set_line(&chip->ioapic, r->pin, source, up);
	return true;
}
