/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Legacy interrupt of a virtio function: the ISR status byte and the level it drives.
 *
 * ISR bit 0: a queue, bit 1: the configuration (virtio 1.3, 4.1.4.5).  While MSI-X is off the
 * function asserts INTx exactly while ISR is not 0 and the command register does not disable it;
 * reading ISR returns it, clears it and so deasserts.  With MSI-X on, ISR is still kept, for
 * drivers that poll it (QEMU 83d768b564), and no line is driven.
 *
 * Several functions may share a pin: each is its own source of the IOAPIC's wired OR.
 */
#ifndef RINGSIDE_NOTIFY_INTX_H
#define RINGSIDE_NOTIFY_INTX_H

#include "engine/world.h"
#include "notify/pci.h"

#define VIRTIO_PCI_ISR_INTR 0x1
#define VIRTIO_PCI_ISR_CONFIG 2u

struct irqchip;

struct intx {
	struct world *world;
	struct pci_function *function;
	struct irqchip *chip;
	uint32_t gsi;
	unsigned source;
	uint8_t isr;
	bool level; /* what we drive */
};

/* Wire @f's INTA to @gsi. */
struct intx *
intx_create(struct pci_function *f, struct irqchip *chip, uint32_t gsi);

/* Set ISR bits without driving the line (virtio_set_isr). */
void
intx_set_isr(struct intx *x, uint8_t bits);

/* Set ISR bits and drive the line from them. */
void
intx_raise(struct intx *x, uint8_t bits);

/* The guest reads ISR: its value; clears and deasserts. */
uint8_t
intx_read_isr(struct intx *x);

/* Drive the line from ISR, command register and MSI-X enable as they are now. */
void
intx_update(struct intx *x);

#endif
