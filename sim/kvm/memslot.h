/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine's memory slots and their dirty bitmaps, as KVM keeps them.
 *
 * A slot maps npages guest frames from base_gfn on to a range of userspace.  Slots of one address
 * space do not overlap.  Userspace changes them one at a time with KVM_SET_USER_MEMORY_REGION:
 *
 *	slot id   memory_size   what happens
 *	free      > 0           create
 *	free      0             EINVAL
 *	in use    0             delete
 *	in use    the same      move (other guest_phys_addr), flags only, or nothing at all
 *	in use    another       EINVAL: a slot cannot be resized, nor get another userspace_addr or
 *	                        another KVM_MEM_READONLY
 *
 * Delete and move take two steps.  First the slot is published with KVM_MEMSLOT_INVALID, so that
 * no new mapping of it can be made while the old ones are torn down; then the new table.  In
 * between, a vCPU that touches the range finds no memory there and exits as if it were MMIO.
 * That window is a point of the actor that makes the call.  A move beyond what the guest can
 * address is refused only after it.
 *
 *	           set LOG_DIRTY                  mark_page_dirty()
 *	no bitmap --------------> all zeros ------------------------------> some ones
 *	    ^                       |   ^  KVM_GET_DIRTY_LOG (copy, clear)    |
 *	    |                       |   +-------------------------------------+
 *	    +-----------------------+-----------------------------------------+
 *	     clear LOG_DIRTY, or delete: EV_KVM_DIRTY_BITMAP_DESTROYED, the ones are gone
 *
 * A move takes the bitmap along.  Nothing hands the ones of a dying bitmap to anybody: userspace
 * must have asked before.  That is the failure of the 2015 mail thread "Occasionally, the content
 * of VM's memory is inconsistent" (traces/README.md), mended on QEMU's side in 3fbffb628c (1.1)
 * and 4cc856faba (2.3); see vmm/memory_listener.h.
 *
 * After __kvm_set_memory_region() and mark_page_dirty_in_slot() of Linux 3.19; what is different
 * today is a number of struct kvm_rules.  Return values are 0 or a negative errno, as the
 * ioctl's.
 *
 * Everything is the world's memory.  A look-up by gfn is O(log n); a change is O(n).
 */
#ifndef RINGSIDE_KVM_MEMSLOT_H
#define RINGSIDE_KVM_MEMSLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/page_bitmap.h"

struct world;
struct kvm;

typedef uint64_t gfn_t;

#define KVM_PAGE_SHIFT 12u
#define KVM_PAGE_SIZE (UINT64_C(1) << KVM_PAGE_SHIFT)

/* A slot may not have more pages than fit an int: 8 TiB less a page. */
#define KVM_MEM_MAX_NR_PAGES ((UINT64_C(1) << 31) - 1)

/* Flags of a region, values of the KVM API (Documentation/virt/kvm/api.rst 4.35). */
#define KVM_MEM_LOG_DIRTY_PAGES (1u << 0)
#define KVM_MEM_READONLY (1u << 1)
/* KVM's own, never passed in: the slot is on its way out. */
#define KVM_MEMSLOT_INVALID (1u << 16)

/* The argument of KVM_SET_USER_MEMORY_REGION. slot: address space << 16 | id. */
struct kvm_userspace_memory_region {
	uint32_t slot;
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size; /* bytes */
	uint64_t userspace_addr;
};

#define KVM_SLOT(as_id, id) ((uint32_t)(as_id) << 16 | (uint16_t)(id))
#define KVM_ADDRESS_SPACES_MAX 2u

/* Where kernels differ. */
struct kvm_rules {
	uint32_t user_mem_slots; /* ids are below this */
	uint32_t address_spaces; /* 2: system management mode has slots of its own (since 4.2) */
	uint32_t gpa_bits; /* create and move refuse pages beyond; 0: not checked */
	uint64_t task_size; /* userspace addresses end here */
	bool manual_protect; /* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, since 5.2 */
	bool initially_set; /* KVM_DIRTY_LOG_INITIALLY_SET, since 5.7 */
	bool dirty_ring; /* KVM_CAP_DIRTY_LOG_RING, since 5.11 */
	bool dirty_ring_with_bitmap; /* since 6.2, where writes without a vCPU happen: arm64 */
	bool zap_slot_only; /* deleting or moving takes that slot's mappings; x86 takes all there
			       are */
	bool pml; /* page modification logging by the processor: Intel, since 4.0 */
};

extern const struct kvm_rules kvm_rules_3_19; /* x86, February 2015 */
extern const struct kvm_rules kvm_rules_today; /* x86-64, 6.x, 46 physical address bits */
extern const struct kvm_rules kvm_rules_today_pml; /* same, on a processor with PML */
extern const struct kvm_rules kvm_rules_arm64; /* 6.2 and later: a ring with a backup bitmap */

struct kvm_memory_slot {
	gfn_t base_gfn;
	uint64_t npages;
	uint64_t userspace_addr;
	uint32_t flags;
	uint16_t id;
	uint8_t as_id;
	struct page_bitmap dirty; /* while kvm_memslot_logs() */
	/* Pages that vCPUs write without a fault (dirty_log.h); made by the first such write. */
	struct page_bitmap writable;
};

/* KVM's `memslot->dirty_bitmap != NULL`: KVM_MEM_LOG_DIRTY_PAGES is set, and no ring takes its
 * place. */
static inline bool
kvm_memslot_logs(const struct kvm_memory_slot *slot)
{
	return slot->dirty.chunk;
}

struct kvm *
kvm_create(struct world *w, const struct kvm_rules *rules);

/* How many there are: struct kvm_rules. */
uint32_t
kvm_address_spaces(const struct kvm *kvm);

/*
 * The ioctl. Serialized by slots_lock, as KVM_GET_DIRTY_LOG: a second caller waits for the first
 * to leave its window.  EV_KVM_SET_MEMSLOT tells of each call and its result.
 */
int
kvm_set_user_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem);

/*
 * KVM_GET_DIRTY_LOG of @slot (address space and id): move the slot's dirty bits to @log, page 0
 * of the slot at page @offset of it; with manual protection, copy them (dirty_log.h).  ENXIO with a
 * dirty ring and no bitmap, EINVAL for an id that cannot be, ENOENT for a slot without bitmap. Bits
 * that are set in @log stay: userspace's buffer is read into its own bitmap by every caller there
 * is. @log must hold @offset + npages pages.
 */
int
kvm_get_dirty_log(struct kvm *kvm, uint32_t slot, struct page_bitmap *log, uint64_t offset);

/* Look-ups, invalid slots included; null if there is none. A slot is good until the next change. */
const struct kvm_memory_slot *
kvm_id_to_memslot(const struct kvm *kvm, uint32_t slot);
const struct kvm_memory_slot *
kvm_gfn_to_memslot(const struct kvm *kvm, uint32_t as_id, gfn_t gfn);

/* All slots of an address space in the order of base_gfn: 0 … kvm_memslots() - 1. */
uint32_t
kvm_memslots(const struct kvm *kvm, uint32_t as_id);
const struct kvm_memory_slot *
kvm_memslot(const struct kvm *kvm, uint32_t as_id, uint32_t index);

/*
 * mark_page_dirty(): set the page's bit if its slot logs; @gfn may be in no slot.  Does not ask
 * for KVM_MEMSLOT_INVALID, as KVM does not: a writer that found the slot before the window still
 * marks it, and the mark dies with the slot.  True if a bit was set or was set already.
 */
bool
kvm_mark_page_dirty(struct kvm *kvm, uint32_t as_id, gfn_t gfn);

/* What becomes of a vCPU's write to a page. */
enum kvm_write {
	KVM_WRITE_RAM, /* it goes to memory; marked dirty if the slot logs */
	KVM_WRITE_MMIO, /* no slot, or an invalid one: exit to userspace as MMIO */
	KVM_WRITE_READONLY, /* a slot with KVM_MEM_READONLY: exit to userspace as MMIO too */
	/* The page is noted, the dirty ring is full now, and the vCPU left before the store was
	 * made: it is made when the vCPU runs again. */
	KVM_WRITE_RING_FULL
};
enum kvm_write
kvm_write_guest_page(struct kvm *kvm, uint32_t as_id, gfn_t gfn);

#endif
