/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSI-X capability of a function: table, pending bits, masks (PCI 3.0 6.8.2; QEMU
 * hw/pci/msix.c).
 *
 * A vector is masked by its own bit, by the function mask, or because MSI-X is off.  A message due
 * while masked sets the pending bit; unmasking sends it and clears the bit.  Who delivers through
 * something else than msix_notify() (irqfd) registers three callbacks:
 *
 *	use      the vector became unmasked: here is its message; arm what delivers it
 *	release  it became masked: stop delivering
 *	poll     the guest reads pending bits of [start, end): set those that are due
 *
 * Order at unmask, as in QEMU: first `use`, then a set pending bit is replayed.
 *
 * The guest writes the table by 32-bit (or 64-bit) accesses: address and data of a vector that is
 * not masked change one after the other and a message between them is torn (Linux 6f1a4891a592).
 */
#ifndef RINGSIDE_NOTIFY_MSIX_H
#define RINGSIDE_NOTIFY_MSIX_H

#include "engine/world.h"
#include "notify/pci.h"

#define MSIX_VECTORS_MAX 2048 /* the table's limit; each costs 24 bytes here */
#define MSIX_NO_VECTOR 0xffff /* VIRTIO_MSI_NO_VECTOR */
#define MSIX_ENTRY_BYTES 16
#define MSIX_ENTRY_ADDR 0
#define MSIX_ENTRY_UPPER_ADDR 4
#define MSIX_ENTRY_DATA 8
#define MSIX_ENTRY_VECTOR_CTRL 12
#define MSIX_ENTRY_CTRL_MASKBIT 1u

struct irqchip;

struct msix_message {
	uint64_t address;
	uint32_t data;
};

struct msix_entry {
	struct msix_message message;
	uint32_t control;
	uint32_t used; /* msix_vector_use() count */
};

struct msix_ops {
	void (*use)(void *arg, unsigned vector, struct msix_message message);
	void (*release)(void *arg, unsigned vector);
	void (*poll)(void *arg, unsigned start, unsigned end);
};

struct msix {
	struct world *world;
	struct pci_function *function;
	struct irqchip *chip;
	unsigned vectors;
	struct msix_entry *entry;
	uint64_t *pending; /* the PBA, a bit a vector */
	bool enabled, maskall;
	const struct msix_ops *ops; /* null: nobody but msix_notify() */
	void *ops_arg;
	unsigned bar;
	uint32_t offset; /* of the table in the BAR */
	struct memregion table, pba; /* put into the BAR by msix_create() */
};

/* Give @f an MSI-X capability, table at @offset and PBA behind it (8-byte aligned) in @bar. */
struct msix *
msix_create(struct pci_function *f, struct irqchip *chip, unsigned vectors, unsigned bar,
	    uint32_t offset);

/* Bytes table and PBA take in the BAR. */
uint32_t
msix_bytes(unsigned vectors);

/*
 * Register callbacks (msix_set_vector_notifiers): `use` is called for each vector that is not
 * masked, `poll` for all.  Unset: `release` for each that is not masked.
 */
void
msix_set_ops(struct msix *m, const struct msix_ops *ops, void *arg);
void
msix_unset_ops(struct msix *m);

/*
 * The driver gave this vector to a queue, or took it back; the last one out clears its pending bit.
 */
void
msix_vector_use(struct msix *m, unsigned vector);
void
msix_vector_unuse(struct msix *m, unsigned vector);

/*
 * The device asks for the interrupt: sent, or pending if masked; nothing if the vector is not used.
 */
void
msix_notify(struct msix *m, unsigned vector);

void
msix_set_pending(struct msix *m, unsigned vector);

/* Message control was written: enable, function mask. Called by pci_config_write(). */
void
msix_write_control(struct msix *m, uint16_t control);

/* Accesses to table and PBA, as offsets into them; the memregions call these. */
void
msix_table_write(struct msix *m, uint32_t offset, uint32_t length, uint64_t value);
uint64_t
msix_table_read(const struct msix *m, uint32_t offset, uint32_t length);
uint64_t
msix_pba_read(struct msix *m, uint32_t offset, uint32_t length);

bool
msix_enabled(const struct msix *m);
bool
msix_masked(const struct msix *m, unsigned vector);
bool
msix_pending(const struct msix *m, unsigned vector);

/*
 * The driver's way: write one entry by its four dwords, masked meanwhile if @mask_first; mask,
 * unmask.
 */
void
msix_driver_write_entry(struct msix *m, struct vcpu *v, unsigned vector,
			struct msix_message message, bool mask_first);
void
msix_driver_mask(struct msix *m, struct vcpu *v, unsigned vector, bool masked);
void
msix_driver_control(struct msix *m, struct vcpu *v, bool enable, bool maskall);

/* One line of the dump: false past the last vector. */
struct msix_info {
	unsigned vector;
	struct msix_message message;
	uint32_t used;
	bool masked; /* its own bit */
	bool pending;
};
bool
msix_info(const struct msix *m, unsigned vector, struct msix_info *info);

#endif
