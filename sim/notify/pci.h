/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI functions and bridges: configuration space, and from it which addresses reach which BAR.
 *
 *	root bus ─┬─ function           reached if its own decode bit is set
 *	          └─ bridge ─┬─ function   … and the bridge's is, and its window holds the BAR
 *	                     └─ bridge ─ …     … at every bridge on the way up
 *
 * Configuration space is bytes with a write mask, as in QEMU; sizing a BAR (write all ones, read
 * back) and moving a window work because masked writes do.  After each write that touches a command
 * register, a BAR or a window the whole tree is decoded anew and the difference goes to the memview
 * as one transaction.  Guests reprogram by several writes, each an exit of its own; between them
 * other vCPUs run and find what is decoded just then.
 *
 * Windows: memory base and limit in 1 MiB, prefetchable (64-bit) memory, I/O in 4 KiB; a base above
 * its limit is a closed window.  A BAR must lie in one window of its bridge as a whole (QEMU clips;
 * a BAR that reaches over a window's end would be a guest bug that no scenario needs).
 *
 * Command bits: memory decode, I/O decode, bus master (without it the device's own MSI writes and
 * DMA do not leave it; irqfd does not ask), INTx disable.
 */
#ifndef RINGSIDE_NOTIFY_PCI_H
#define RINGSIDE_NOTIFY_PCI_H

#include "engine/world.h"
#include "notify/memview.h"

#define PCI_CONFIG_BYTES 256
#define PCI_BARS 6

/* Offsets and bits, named as in the kernel's pci_regs.h. */
#define PCI_VENDOR_ID 0x00
#define PCI_DEVICE_ID 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO 0x1
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4
#define PCI_COMMAND_INTX_DISABLE 0x400
#define PCI_STATUS 0x06
#define PCI_STATUS_INTERRUPT 0x08
#define PCI_STATUS_CAP_LIST 0x10
#define PCI_HEADER_TYPE 0x0e
#define PCI_BASE_ADDRESS_0 0x10
#define PCI_BASE_ADDRESS_SPACE_IO 0x1
#define PCI_BASE_ADDRESS_MEM_TYPE_64 0x4
#define PCI_BASE_ADDRESS_MEM_PREFETCH 0x8
#define PCI_IO_BASE 0x1c
#define PCI_IO_LIMIT 0x1d
#define PCI_MEMORY_BASE 0x20
#define PCI_MEMORY_LIMIT 0x22
#define PCI_PREF_MEMORY_BASE 0x24
#define PCI_PREF_MEMORY_LIMIT 0x26
#define PCI_PREF_BASE_UPPER32 0x28
#define PCI_PREF_LIMIT_UPPER32 0x2c
#define PCI_CAPABILITY_LIST 0x34
#define PCI_CAP_ID_PM 0x01
#define PCI_PM_CTRL 4 /* offset in the capability */
#define PCI_PM_CTRL_STATE_MASK 0x3
#define PCI_PM_CTRL_NO_SOFT_RESET 0x8
#define PCI_D0 0u
#define PCI_D3HOT 3u
#define PCI_CAP_ID_VNDR 0x09
#define PCI_CAP_ID_EXP 0x10
#define PCI_EXP_DEVCTL 8
#define PCI_EXP_DEVCTL_BCR_FLR 0x8000
#define PCI_CAP_ID_MSIX 0x11
#define PCI_MSIX_FLAGS 2 /* offset in the capability */
#define PCI_MSIX_FLAGS_MASKALL 0x4000
#define PCI_MSIX_FLAGS_ENABLE 0x8000

struct msix;
struct intx;
struct pci_bus;

/* A region inside a BAR. */
struct pci_part {
	struct memregion *region;
	uint64_t offset;
	struct pci_part *next;
};

struct pci_bar {
	uint64_t size_bytes; /* 0: not there */
	bool io, mem64, prefetch;
	bool decoded; /* in force */
	uint64_t base;
	struct pci_part *parts;
};

struct pci_function {
	struct world *world;
	int64_t name;
	bool bridge;
	bool present; /* plugged */
	struct pci_function *parent; /* the bridge above, or null on the root bus */
	struct pci_bus *bus;
	struct pci_function *next; /* in the bus's list */
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t wmask[PCI_CONFIG_BYTES]; /* bits the guest may write */
	uint8_t cap_end; /* first free byte for capabilities */
	struct pci_bar bar[PCI_BARS];
	struct msix *msix; /* or null */
	uint8_t msix_cap;
	struct intx *intx; /* or null */
	/* Told after the command register changed; may be null. */
	void (*command_changed)(void *arg, uint16_t from, uint16_t to);
	uint8_t pm_cap, exp_cap; /* 0: there is none */
	bool d3hot; /* nothing but configuration space is decoded */
	/* Told after the power state changed, and when a function-level reset begins; may be null.
	 */
	void (*power_changed)(void *arg, bool d3hot);
	void (*function_reset)(void *arg);
	void *arg;
};

/* A tree of functions under one root bus. */
struct pci_bus {
	struct world *world;
	struct memview *view;
	struct pci_function *functions; /* in the order of creation */
};

struct pci_bus *
pci_bus_create(struct world *w, struct memview *view);

/* A plugged function or bridge with all decode off. @parent: a bridge, or null for the root bus. */
struct pci_function *
pci_function_create(struct pci_bus *bus, struct pci_function *parent, const char *name,
		    uint16_t vendor, uint16_t device);
struct pci_function *
pci_bridge_create(struct pci_bus *bus, struct pci_function *parent, const char *name);

/* @size a power of two, at least 16 (4 for I/O). A 64-bit BAR takes the next one's place, too. */
void
pci_bar_init(struct pci_function *f, unsigned bar, uint64_t size_bytes, bool io, bool mem64,
	     bool prefetch);
/*
 * Put @region (initialised, unmapped) into the BAR at @offset; it is mapped when the BAR is
 * decoded.
 */
void
pci_bar_add(struct pci_function *f, unsigned bar, uint64_t offset, struct memregion *region);

/* Append a capability of @size bytes; its offset. Its bytes are read-only: see wmask. */
uint8_t
pci_add_capability(struct pci_function *f, uint8_t id, uint8_t size);

/* Power management (PCI PM 1.2): D0 and D3hot, without PME. */
void
pci_add_power(struct pci_function *f, bool no_soft_reset);
/* As much of PCI Express as function-level reset takes: decode and MSI-X are off after it. */
void
pci_add_express(struct pci_function *f);

/* A guest's configuration cycle of 1, 2 or 4 bytes by @v (null: firmware set-up without a vCPU). */
void
pci_config_write(struct pci_function *f, struct vcpu *v, unsigned offset, unsigned length,
		 uint32_t value);
uint32_t
pci_config_read(struct pci_function *f, struct vcpu *v, unsigned offset, unsigned length);

/* Programmed address of a BAR, whether or not it is decoded. */
uint64_t
pci_bar_address(const struct pci_function *f, unsigned bar);
/* Whether and where a vCPU's access reaches this BAR now, by walking the tree. */
bool
pci_bar_decoded(const struct pci_function *f, unsigned bar, uint64_t *base);

/* What a guest does to program things, as the writes it does it with. */
void
pci_set_bar(struct pci_function *f, struct vcpu *v, unsigned bar, uint64_t address);
/* Linux's way to size a BAR (__pci_read_base): decode off, all ones, read, put back, decode on. */
uint64_t
pci_size_bar(struct pci_function *f, struct vcpu *v, unsigned bar);
void
pci_set_command(struct pci_function *f, struct vcpu *v, uint16_t set, uint16_t clear);
/* PMCSR; from D3hot the function needs 10 ms. False: it has no power management. */
bool
pci_set_power(struct pci_function *f, struct vcpu *v, unsigned state);
/* A function-level reset, and decode as it was again. False: the function has none. */
bool
pci_flr(struct pci_function *f, struct vcpu *v);
/* Memory window [base, limit]: one 32-bit write, as Linux does it; @base > @limit closes it. */
void
pci_set_window(struct pci_function *bridge, struct vcpu *v, uint64_t base, uint64_t limit);
/* Prefetchable window: upper limit closed first, then base and limit, then the upper halves. */
void
pci_set_pref_window(struct pci_function *bridge, struct vcpu *v, uint64_t base, uint64_t limit);

/* Hot-plug: an absent function decodes nothing and reads all ones. */
void
pci_set_present(struct pci_function *f, bool present);

uint16_t
pci_command(const struct pci_function *f);

#endif
