/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where RAM is in the guest: memory regions, the flat view of them, and how a change of the one
 * becomes changes of KVM's slots.
 *
 *	regions, by priority                        flat view             KVM
 *	ram   0 ├───────────────────────────┤       ├─────┤ slot 0        region_del of what is
 *	pam   1       ├──read-only──┤          ──▶  ├─────────────┤ ro    different, region_add of
 *	vga   1   ├─no RAM─┤                        ├─────┤ slot 2        what is new (sections)
 *
 * As QEMU's memory.c: overlapping regions are rendered, highest priority on top, the younger one of
 * two equals; neighbours that are the same region, the same attributes and behind one another in
 * RAM are one range.  A transaction renders anew, and for each address space the listener is told
 * first of all ranges that are not there any more, in the order of addresses, then of all new ones
 * (address_space_update_topology_pass()).  So a register that switches 16 KiB takes away the slot
 * around it and makes up to three of it, and another switch merges them.  What the listener does
 * with each is vmm/memory_listener.h, and differs by version.
 *
 * QEMU's own accesses go by its flat view, which changes when an address space has been told; a
 * vCPU's by KVM's slots.  Between the two a store finds no slot, exits as MMIO, and QEMU carries it
 * out where its view has RAM.
 */
#ifndef RINGSIDE_MIGRATION_VM_LAYOUT_H
#define RINGSIDE_MIGRATION_VM_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/memslot.h"

struct memory_listener;
struct ram;
struct ram_block;
struct world;

#define VM_REGIONS_MAX 48u
#define VM_RANGES_MAX (2u * VM_REGIONS_MAX + 1u)
#define VM_NO_RAM UINT64_MAX

/* Bits of struct vm_region.spaces. */
#define VM_SPACE_SYSTEM 1u
#define VM_SPACE_SMM 2u

struct vm_region {
	const char *name; /* the world's, or constant */
	uint8_t spaces; /* 0: both */
	int priority;
	uint64_t gfn, pages;
	uint64_t ram_page; /* of its first page; VM_NO_RAM: a device's, accesses exit */
	bool readonly;
	bool log; /* a display: it asks to be logged for itself */
	bool disabled;
};

/* A range of a flat view. */
struct vm_range {
	uint64_t gfn, pages, ram_page;
	unsigned block;
	bool readonly, log;
	int slot; /* what region_add() said */
};

struct vm_layout;

/*
 * Regions as they are at first, at most VM_REGIONS_MAX; null: one of all RAM from guest frame 0 on.
 * The listener has its slots when this returns.  False and nothing kept: @what and @name say which
 * region is wrong and how (more ranges than fit, not within its block, twice the same name).
 */
struct vm_layout *
vm_layout_create(struct world *w, struct memory_listener *l, const struct ram *ram,
		 const struct vm_region *regions, unsigned count, const char **wrong);

/* One region of RAM from frame 0 on, and never anything else: frames are pages of RAM. */
bool
vm_layout_is_flat(const struct vm_layout *layout);

/* By name, to change; null: there is none.  What was changed holds from vm_layout_update() on. */
struct vm_region *
vm_layout_region(struct vm_layout *layout, const char *name);
/* Whether the region, as it is now, lies within one block of RAM. */
bool
vm_layout_region_fits(const struct vm_layout *layout, const struct vm_region *region);

/*
 * memory_region_transaction_commit(): the caller has changed regions and holds the BQL.  Points
 * lie within.  0, or the negative errno of a slot that KVM refused (QEMU aborts).
 */
int
vm_layout_update(struct vm_layout *layout);

/* Which page of RAM QEMU sees at @gfn of an address space; VM_NO_RAM, also if it is to be @written
 * and is read-only. */
uint64_t
vm_layout_page(const struct vm_layout *layout, unsigned as_id, uint64_t gfn, bool written);

/* A frame of address space 0 at which the page is seen, writable if there is one; VM_NO_RAM. */
uint64_t
vm_layout_gfn(const struct vm_layout *layout, uint64_t ram_page);

/* The view of an address space, in the order of frames. */
unsigned
vm_layout_ranges(const struct vm_layout *layout, unsigned as_id, const struct vm_range **ranges);

/* Frames are below this. */
uint64_t
vm_layout_frames(const struct vm_layout *layout);

/* --- QEMU's machine `pc` (i440FX) ---------------------------------------------------------------
 *
 *	0 … 3 GiB, 4 GiB …   pc.ram; all of it below where it is less than 3.5 GiB
 *	0xa0 … 0xbf          the VGA window; in system management mode SMRAM, which is RAM
 *	0xc0 … 0xff          pc.ram under 13 PAM segments (hw/pci-host/pam.c): 12 of 16 KiB from
 *	                     0xc0 on, and number 0, 64 KiB at 0xf0
 *	0xfd000              vga.vram, which is logged for itself
 *	0xfffc0              pc.bios; its end also under 0xe0 … 0xff
 */
#define VM_PC_PAMS 13u
#define VM_PC_RAM_MIN 0x100u /* pages */
#define VM_PC_BIOS_PAGES 64u
#define VM_PC_ROM_PAGES 32u

/* PAM's two bits, RE and WE. ORDER VM_PAM */
enum vm_pam { VM_PAM_OFF, VM_PAM_READ, VM_PAM_WRITE, VM_PAM_RAM, VM_PAM_MODES };
extern const char *const vm_pam_word[VM_PAM_MODES];

/*
 * Fill in regions for the four blocks pc.ram, vga.vram, pc.bios, pc.rom, whose `first` is set.
 * Returns how many.  As after reset: all segments off.
 */
unsigned
vm_layout_pc(const struct ram_block *blocks, struct vm_region *regions);

/* pam_update() of segment @number: null, or what is wrong (not a pc). */
const char *
vm_layout_pc_pam(struct vm_layout *layout, const struct ram *ram, unsigned number,
		 enum vm_pam mode);

#endif
