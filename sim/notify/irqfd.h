/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irqfd: an eventfd whose signal is an interrupt (KVM_IRQFD, virt/kvm/eventfd.c).
 *
 *	eventfd_signal() ─▶ wake-up, first in line: takes the counter (older kernels leave it)
 *	      route is MSI ─▶ the interrupt is delivered at once, in the signaller's context
 *	      else         ─▶ a work item raises (and lowers, if not resampling) the GSI later
 *
 * Assigning looks whether the eventfd is signalled already and injects that, too, so an event that
 * came while no irqfd was there is not lost.  The counter is left as it is then; the next wake-up,
 * or the deassignment, takes it.  Deassigning detaches and takes the counter in one step and waits
 * for work in flight: an event is injected before or stays in the eventfd for later, never both,
 * never neither.
 *
 * With a resamplefd the GSI stays up until its EOI; then it is lowered and the resamplefd
 * signalled.
 */
#ifndef RINGSIDE_NOTIFY_IRQFD_H
#define RINGSIDE_NOTIFY_IRQFD_H

#include "engine/world.h"
#include "notify/eventfd.h"
#include "notify/ioapic.h"
#include "notify/irqroute.h"

struct irqchip;

struct irqfd {
	struct irqchip *chip;
	struct eventfd *fd;
	struct eventfd *resample; /* or null */
	uint32_t gsi;
	struct irqroute entry; /* copy of the route; IRQROUTE_NONE if there is none */
	struct eventfd_wait wait;
	struct ioapic_ack ack;
	unsigned source; /* of the IOAPIC's line */
	struct timer work; /* inject, out of the signaller's context */
	uint64_t injected;
	struct irqfd *next;
};

/* 0, or -EBUSY if @fd has an irqfd, or -EINVAL if @resample is given and @gsi is no pin. */
int
irqfd_assign(struct irqchip *chip, struct eventfd *fd, uint32_t gsi, struct eventfd *resample);

/* Always 0, as in the kernel, also when there is none. */
int
irqfd_deassign(struct irqchip *chip, struct eventfd *fd, uint32_t gsi);

/* The irqfd bound to @fd, or null. */
const struct irqfd *
irqfd_find(const struct irqchip *chip, const struct eventfd *fd);

/* A new routing table is in force: refresh the copies. Called by irqroute_commit(). */
void
irqfd_update_routes(struct irqchip *chip);

#endif
