/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request_irq() and its relatives for a PCI function: what a driver does so that a device's
 * interrupt comes to its handler.  notify/irqdesc.h is the flow behind it, notify/msix.h the
 * table.
 *
 *	guest_msix_enable()      all entries masked, then MSI-X on      (pci_alloc_irq_vectors())
 *	guest_irq_request()      a vector of the CPU, the message into the entry, handler, unmask
 *	guest_irq_set_affinity() mask, write address and data, unmask; the old CPU's vector stays
 *	                         valid for what is under way, until the next change (Linux: until
 *	                         the first interrupt on the new one)
 *	guest_irq_free()         mask, wait for a running handler
 *
 * Between any two of these steps the device may signal.  What it signals while there is no
 * handler is lost unless the table's entry was masked and kept it pending.
 *
 * An INTx line is level triggered and may be shared: its handler reads ISR to know whether it is
 * meant.
 */
#ifndef RINGSIDE_GUEST_IRQ_H
#define RINGSIDE_GUEST_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/cpu.h"
#include "notify/irqdesc.h"

struct pci_function;

/* Vectors that a CPU gives to devices; below are exceptions, above the kernel's own. */
#define GUEST_VECTOR_FIRST 0x31u
#define GUEST_VECTOR_LAST 0xebu

typedef enum irq_return (*guest_irq_handler)(struct guest_cpu *cpu, void *arg);

/* One line as the kernel knows it. Embedded in its owner, zeroed at first. */
struct guest_irq {
	struct world *w;
	struct pci_function *function;
	struct irqdesc *desc; /* null: never requested */
	bool intx, requested;
	bool early; /* the entry was programmed and unmasked before a handler is there */
	unsigned entry; /* of the MSI-X table */
	struct guest_cpu *cpu; /* affinity */
	unsigned vector; /* on that CPU */
	struct guest_cpu *old_cpu; /* of the last affinity change, still valid; or null */
	unsigned old_vector;
	guest_irq_handler handler;
	void *arg;
};

/* Turn MSI-X on with every entry masked; false if the function has fewer than @vectors entries. */
bool
guest_msix_enable(struct pci_function *f, struct guest_cpu *cpu, unsigned vectors);
void
guest_msix_disable(struct pci_function *f, struct guest_cpu *cpu);

/* Request MSI-X entry @entry, delivered on @target; made by code running on @cpu. */
void
guest_irq_request(struct guest_irq *irq, const char *name, struct pci_function *f, unsigned entry,
		  struct guest_cpu *cpu, struct guest_cpu *target, guest_irq_handler handler,
		  void *arg);
/*
 * Program and unmask the entry before there is a handler, as drivers must not (fault
 * guest.probe.irq_after_driver_ok); guest_irq_request() comes later.
 */
void
guest_irq_program_early(struct guest_irq *irq, struct pci_function *f, unsigned entry,
			struct guest_cpu *cpu, struct guest_cpu *target);

/* Request the function's line. False if it has none. */
bool
guest_irq_request_intx(struct guest_irq *irq, const char *name, struct pci_function *f,
		       struct guest_cpu *target, guest_irq_handler handler, void *arg);
void
guest_irq_free(struct guest_irq *irq);

/* Move it to @target, by code running on @cpu. An INTx line's redirection entry is rewritten. */
void
guest_irq_set_affinity(struct guest_irq *irq, struct guest_cpu *cpu, struct guest_cpu *target);

#endif
