/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An I/O APIC: pins that devices pull, each with a redirection entry (arch/x86/kvm/ioapic.c).
 *
 * A pin's level is the OR of its sources (wired): each source has its own bit, so that one device's
 * deassertion does not take away another's.  `irr` says that a request is latched; `remote_irr`,
 * level only, that it was sent and its EOI has not come.
 *
 *	line up ──▶ irr ──(not masked, not remote_irr)──▶ vCPU, remote_irr
 *	             ▲                                               │ EOI
 *	             └── again if irr is set ◀── remote_irr clear ◀── ack notifiers
 *
 * Ack notifiers (irqfd's resampler) run at EOI *before* remote_irr is cleared.  Level-triggered
 * sources that reach us through an eventfd cannot say "down": they are lowered by the resampler at
 * EOI, and up again if the device still wants attention.
 *
 * `split`: the IOAPIC is in the VMM, the local APICs in KVM.  Then a resampling irqfd sends a
 * message and holds no line, and an EOI reaches the resampler only because the VMM passes it on
 * (QEMU c82d9d43ed).
 */
#ifndef RINGSIDE_NOTIFY_IOAPIC_H
#define RINGSIDE_NOTIFY_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"

#define IOAPIC_PINS 24
#define IOAPIC_SOURCES 64 /* bits in a pin's line state */

struct irqchip;

/* Told at the EOI of @pin. Embedded in its owner. */
struct ioapic_ack {
	void (*fn)(struct ioapic_ack *self, unsigned pin);
	void *arg;
	unsigned pin;
	struct ioapic_ack *next;
};

struct ioapic_pin {
	uint8_t vector;
	uint8_t dest; /* APIC id */
	bool level; /* trigger mode */
	bool masked;
	bool remote_irr;
	bool irr;
	uint64_t sources; /* who holds the line up */
};

struct ioapic {
	struct world *world;
	struct irqchip *chip;
	struct ioapic_pin pin[IOAPIC_PINS];
	struct ioapic_ack *acks;
	bool split;
	uint32_t sources; /* given out */
};

/* All pins masked, as after reset. */
void
ioapic_init(struct ioapic *io, struct irqchip *chip);

/* A number for ioapic_set_line(). Source 0 is shared by irqfds without resampling. */
unsigned
ioapic_new_source(struct ioapic *io);

/* Write a redirection entry; unmasking may deliver what is latched. A point before. */
void
ioapic_set_entry(struct ioapic *io, unsigned pin, uint8_t vector, uint8_t dest, bool level,
		 bool masked);
void
ioapic_mask(struct ioapic *io, unsigned pin, bool masked);

/* Pull the line up or let go. An edge counts when it goes up. */
void
ioapic_set_line(struct ioapic *io, unsigned pin, unsigned source, bool up);

/*
 * Send the pin's interrupt now, whatever its line: false if masked or for nobody.  What an irqfd
 * does with a split irqchip, where KVM knows the pin only as the message that the VMM made its
 * route.
 */
bool
ioapic_send(struct ioapic *io, unsigned pin);

bool
ioapic_line(const struct ioapic *io, unsigned pin);

/* EOI of @vector, broadcast by a local APIC. */
void
ioapic_eoi(struct ioapic *io, unsigned vector);

void
ioapic_add_ack(struct ioapic *io, struct ioapic_ack *ack);
void
ioapic_del_ack(struct ioapic *io, struct ioapic_ack *ack);

#endif
