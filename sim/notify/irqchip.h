/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt controllers of one VM together: its vCPUs' local APICs, the IOAPIC, the routing
 * table and the irqfds.  All a VM's notification models hang on this; there is one a VM.
 *
 * MSI on x86: the address names the destination (bits 19:12 are the APIC id), the data the vector
 * (bits 7:0).  A message that names no vCPU of ours or an illegal vector is dropped, as on the real
 * bus.
 */
#ifndef RINGSIDE_NOTIFY_IRQCHIP_H
#define RINGSIDE_NOTIFY_IRQCHIP_H

#include "engine/world.h"
#include "notify/ioapic.h"
#include "notify/irqroute.h"
#include "notify/vcpu.h"

#define MSI_ADDRESS_BASE UINT64_C(0xfee00000)

struct irqfd;

struct irqchip {
	struct world *world;
	struct vcpu **vcpu;
	uint32_t vcpus, vcpu_capacity;
	struct ioapic ioapic;
	struct irqroute_table routes; /* in force */
	struct irqroute_table shadow; /* the VMM's, not yet committed */
	uint32_t next_gsi;
	struct irqfd *irqfds; /* newest first */
};

/* GSIs 0 … 23 are routed to the IOAPIC's pins. */
struct irqchip *
irqchip_create(struct world *w);

void
irqchip_add_vcpu(struct irqchip *chip, struct vcpu *v);

/* By APIC id, or null. */
struct vcpu *
irqchip_vcpu(const struct irqchip *chip, uint32_t id);

/* The message for @vector on the vCPU with this APIC id. */
static inline uint64_t
msi_address(uint32_t apic_id)
{
	return MSI_ADDRESS_BASE | (uint64_t)(apic_id & 0xff) << 12;
}
static inline uint32_t
msi_data(unsigned vector)
{
	return vector & 0xff;
}

/* KVM_SIGNAL_MSI, or a device's write of the message: false if it reached no vCPU. */
bool
irqchip_msi(struct irqchip *chip, uint64_t address, uint32_t data);

/* kvm_set_irq(): raise or lower @gsi through the table; @source as for ioapic_set_line(). */
bool
irqchip_set_irq(struct irqchip *chip, uint32_t gsi, unsigned source, bool up);

#endif
