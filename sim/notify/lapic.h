/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A local APIC, as far as the loss of an interrupt needs it: 256 vectors, each requested (IRR), in
 * service (ISR), level or edge (TMR); no task priority, no ExtINT, no NMI.
 *
 *	device ──▶ PIR ──sync──▶ IRR ──accept──▶ ISR ──EOI──▶ (IOAPIC, if level)
 *	       (posting only)
 *
 * IRR is one bit a vector: a second request before the first is accepted is the same request.  A
 * vector is accepted when its class (vector >> 4) is above the class of the highest vector in
 * service.
 *
 * Posted interrupts (VMX).  With `posting` a sender sets PIR and ON instead of IRR, and who enters
 * the guest must move PIR to IRR; two real bugs are that somebody did not.  `apicv` is whether this
 * vCPU itself runs with APIC virtualisation: it may be inhibited while senders still post.
 *
 * This file is registers and rules only; who is told and woken is vcpu.h's.
 */
#ifndef RINGSIDE_NOTIFY_LAPIC_H
#define RINGSIDE_NOTIFY_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_VECTORS 256
/* Vectors below are illegal in a message: the APIC reports an error and delivers nothing. */
#define LAPIC_VECTOR_MIN 16

struct lapic {
	uint64_t irr[LAPIC_VECTORS / 64];
	uint64_t isr[LAPIC_VECTORS / 64];
	uint64_t tmr[LAPIC_VECTORS / 64]; /* set: level, its EOI goes to the IOAPIC */
	uint64_t pir[LAPIC_VECTORS / 64];
	bool on; /* PIR's outstanding-notification bit */
	bool posting; /* senders use PIR */
	bool apicv; /* this vCPU runs with APIC virtualisation */
};

/* Highest set vector of a register, or -1. */
int
lapic_highest(const uint64_t *reg);

/* Request @vector in IRR; false if it was requested already. */
bool
lapic_request(struct lapic *l, unsigned vector, bool level);

/* Post @vector: PIR, then ON.  True if the sender must notify: ON was clear. */
bool
lapic_post(struct lapic *l, unsigned vector);

/* Move PIR to IRR and clear ON. True if something moved. */
bool
lapic_sync_pir(struct lapic *l);

/* The vector that would be accepted now, or -1. */
int
lapic_next(const struct lapic *l);

/* Accept the vector that lapic_next() says: IRR to ISR. */
void
lapic_accept(struct lapic *l, unsigned vector);

/* End the highest vector in service: its number, or -1; *@level if its EOI is broadcast. */
int
lapic_eoi(struct lapic *l, bool *level);

bool
lapic_in_irr(const struct lapic *l, unsigned vector);
bool
lapic_in_isr(const struct lapic *l, unsigned vector);

#endif
