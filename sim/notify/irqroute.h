/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GSI routing table of a VM (KVM_SET_GSI_ROUTING): which number means which message or pin.
 *
 * As in KVM the table is replaced as a whole; an irqfd keeps a *copy* of its entry and gets the new
 * one a moment after the table is in place: a signal in between still uses the old one.  A GSI
 * without an entry delivers nothing: what was signalled is consumed and gone (EV_IRQ_NO_ROUTE).
 *
 * The VMM edits a shadow (irqroute_set_msi(), irqroute_del()) and commits it, as QEMU's
 * kvm_irqchip_update_msi_route() and kvm_irqchip_commit_routes() do.
 */
#ifndef RINGSIDE_NOTIFY_IRQROUTE_H
#define RINGSIDE_NOTIFY_IRQROUTE_H

#include <stdbool.h>
#include <stdint.h>

struct irqchip;

/* ORDER IRQROUTE_TYPE */
enum irqroute_type { IRQROUTE_NONE, IRQROUTE_IRQCHIP, IRQROUTE_MSI };

extern const char *const irqroute_type_name[3];

struct irqroute {
	uint32_t gsi;
	enum irqroute_type type;
	uint32_t pin; /* IRQROUTE_IRQCHIP */
	uint64_t address; /* IRQROUTE_MSI */
	uint32_t data;
};

struct irqroute_table {
	struct irqroute *entry; /* by GSI, ascending */
	uint32_t count, capacity;
};

/* A GSI nobody uses, above the IOAPIC's pins (kvm_irqchip_get_virq). */
uint32_t
irqroute_new_gsi(struct irqchip *chip);

/*
 * Edit the shadow. Setting an entry that exists replaces it; deleting one that does not is a no-op.
 */
void
irqroute_set_msi(struct irqchip *chip, uint32_t gsi, uint64_t address, uint32_t data);
void
irqroute_set_pin(struct irqchip *chip, uint32_t gsi, uint32_t pin);
void
irqroute_del(struct irqchip *chip, uint32_t gsi);

/* KVM_SET_GSI_ROUTING: the shadow becomes the table, then each irqfd gets its new entry. */
void
irqroute_commit(struct irqchip *chip);

/* The entry in force, or null. Invalid after the next commit. */
const struct irqroute *
irqroute_find(const struct irqchip *chip, uint32_t gsi);

#endif
