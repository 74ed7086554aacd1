/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of QEMU's machine `pc`: hw/i386/pc.c, hw/pci-host/i440fx.c, hw/pci-host/pam.c. */
#include <stddef.h>

#include "base/must.h"
#include "migration/ram.h"
#include "migration/vm_layout.h"

/* In pages. pc_init1(): RAM of 3.5 GiB and more is split at 3 GiB (gigabyte_align). */
#define LOW_MAX UINT64_C(0xe0000)
#define LOW_SPLIT UINT64_C(0xc0000)
#define FOUR_GIB UINT64_C(0x100000)
#define VRAM_GFN UINT64_C(0xfd000)
#define WINDOW_GFN 0xa0u
#define WINDOW_PAGES 0x20u
#define SHADOW_GFN 0xc0u
#define SEGMENT_PAGES 4u
#define BIOS_SEGMENT_GFN 0xf0u
#define BIOS_SEGMENT_PAGES 0x10u
#define ISA_BIOS_GFN 0xe0u
#define ISA_BIOS_PAGES 0x20u

enum { BLOCK_RAM, BLOCK_VRAM, BLOCK_BIOS, BLOCK_ROM };

/* ORDER VM_PAM */
const char *const vm_pam_word[VM_PAM_MODES] = { "off", "read", "write", "ram" };

static const char *const pam_name[VM_PC_PAMS] = { "pam0",  "pam1",  "pam2", "pam3", "pam4",
						  "pam5",  "pam6",  "pam7", "pam8", "pam9",
						  "pam10", "pam11", "pam12" };

/* init_pam() and pam_update(): what an access to the segment reaches.  With writes alone enabled
 * QEMU maps RAM as if reads were, too ("should distinguish read/write cases"). */
static void
pam_set(struct vm_region *r, const struct ram_block *b, enum vm_pam mode)
{
	r->readonly = mode == VM_PAM_OFF || mode == VM_PAM_READ;
	if (mode != VM_PAM_OFF)
		r->ram_page = b[BLOCK_RAM].first + r->gfn;
	else if (r->gfn >= ISA_BIOS_GFN) /* isa-bios: the last 128 KiB */
		r->ram_page = b[BLOCK_BIOS].first + VM_PC_BIOS_PAGES - ISA_BIOS_PAGES + r->gfn -
			      ISA_BIOS_GFN;
	else
		r->ram_page = b[BLOCK_ROM].first + r->gfn - SHADOW_GFN;
}

unsigned
vm_layout_pc(const struct ram_block *b, struct vm_region *r)
{
	unsigned n = 0;
	uint64_t low;

	must(b[BLOCK_RAM].pages >= VM_PC_RAM_MIN);
	must(b[BLOCK_BIOS].pages == VM_PC_BIOS_PAGES && b[BLOCK_ROM].pages == VM_PC_ROM_PAGES);
	low = b[BLOCK_RAM].pages >= LOW_MAX ? LOW_SPLIT : b[BLOCK_RAM].pages;
	r[n++] = (struct vm_region){ .name = "ram-below-4g",
				     .pages = low,
				     .ram_page = b[BLOCK_RAM].first };
	if (low < b[BLOCK_RAM].pages)
		r[n++] = (struct vm_region){ .name = "ram-above-4g",
					     .gfn = FOUR_GIB,
					     .pages = b[BLOCK_RAM].pages - low,
					     .ram_page = b[BLOCK_RAM].first + low };
	r[n++] = (struct vm_region){ .name = "vga.vram",
				     .gfn = VRAM_GFN,
				     .pages = b[BLOCK_VRAM].pages,
				     .ram_page = b[BLOCK_VRAM].first,
				     .log = true };
	r[n++] = (struct vm_region){ .name = "pc.bios",
				     .gfn = FOUR_GIB - VM_PC_BIOS_PAGES,
				     .pages = VM_PC_BIOS_PAGES,
				     .ram_page = b[BLOCK_BIOS].first,
				     .readonly = true };
	r[n++] = (struct vm_region){ .name = "smram-region", /* open SMRAM takes it away */
				     .priority = 1,
				     .gfn = WINDOW_GFN,
				     .pages = WINDOW_PAGES,
				     .ram_page = VM_NO_RAM };
	for (unsigned i = 0; i < VM_PC_PAMS; i++) {
		r[n] = (struct vm_region){
			.name = pam_name[i],
			.priority = 1,
			.gfn = i ? SHADOW_GFN + (i - 1) * SEGMENT_PAGES : BIOS_SEGMENT_GFN,
			.pages = i ? SEGMENT_PAGES : BIOS_SEGMENT_PAGES,
		};
		pam_set(&r[n++], b, VM_PAM_OFF);
	}
	r[n++] = (struct vm_region){ .name = "smram-low",
				     .spaces = VM_SPACE_SMM,
				     .priority = 10,
				     .gfn = WINDOW_GFN,
				     .pages = WINDOW_PAGES,
				     .ram_page = b[BLOCK_RAM].first + WINDOW_GFN };
	return n;
}

const char *
vm_layout_pc_pam(struct vm_layout *layout, const struct ram *ram, unsigned number, enum vm_pam mode)
{
	const struct ram_block *b;
	struct vm_region *r;

	must(number < VM_PC_PAMS && mode < VM_PAM_MODES);
	r = vm_layout_region(layout, pam_name[number]);
	if (!r)
		return "the machine has no PAM registers: source_vm{layout = \"pc\"} has";
	ram_blocks(ram, &b);
	pam_set(r, b, mode);
	return NULL;
}
