/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty ring: dirty pages as a list for each vCPU instead of a bit for each page.
 *
 *	                vCPU (kernel)                userspace                RESET_DIRTY_RINGS
 *	entry  00 ──slot, offset, release──> 01 ──harvest, release──> 1X ──protect, release──> 00
 *	       invalid                     DIRTY                    RESET                    invalid
 *
 * dirty_index counts entries pushed, reset_index those reset; both are the kernel's.  Userspace has
 * an index of its own for what it harvested, in order.  The ring is soft full when there is room
 * for KVM_DIRTY_RING_RSVD_ENTRIES (and a PML buffer) only: then a vCPU does not enter the guest.
 *
 * Three threads touch an entry's flags without a lock: the vCPU, the harvester, and who resets.
 * Each reads slot and offset after it saw the flag, with acquire, and passes the entry on with
 * release; without, on a weakly ordered host, the one who resets can see a new flag with old
 * contents, and the page of the new entry is never protected again (L:8929bc965964, q:4802bf910e,
 * q:52281c6d11).  The accesses are in dirty_ring_entry.c, which is instrumented as ring code is.
 *
 * Pages that are written while no vCPU runs (tables of an interrupt controller) have no ring to go
 * to: without KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP they are lost, with it they are in the bitmap.
 */
#ifndef RINGSIDE_KVM_DIRTY_RING_H
#define RINGSIDE_KVM_DIRTY_RING_H

#include <stdbool.h>
#include <stdint.h>

struct kvm;
struct kvm_memory_slot;
struct kvm_vcpu;
struct page_bitmap;
struct world;

/* An entry, as mapped to userspace at KVM_DIRTY_LOG_PAGE_OFFSET of the vCPU. */
struct kvm_dirty_gfn {
	uint32_t flags;
	uint32_t slot; /* address space << 16 | id */
	uint64_t offset; /* page within the slot */
};

#define KVM_DIRTY_GFN_F_DIRTY (1u << 0)
#define KVM_DIRTY_GFN_F_RESET (1u << 1)

#define KVM_DIRTY_RING_RSVD_ENTRIES 64u
#define KVM_DIRTY_RING_MAX_ENTRIES 65536u

/* A vCPU's; part of struct kvm_vcpu. */
struct dirty_ring {
	struct kvm_dirty_gfn *gfns; /* null: no ring */
	uint32_t size, soft_limit; /* entries */
	uint32_t dirty_index, reset_index; /* the kernel's, free running */
	uint32_t fetch_index; /* userspace's */
	uint64_t *page; /* what note_watch.h calls an entry's page; null: nobody watches */
	uint64_t noted; /* that of the last entry harvested */
};

/*
 * KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING) of @bytes: a power of two, a page and the reserved entries
 * at least (EINVAL), KVM_DIRTY_RING_MAX_ENTRIES at most (E2BIG); once, before the first vCPU
 * (EINVAL).
 */
int
kvm_enable_dirty_log_ring(struct kvm *kvm, uint64_t bytes);
/* KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP: with a ring, before the first slot, on arm64; else EINVAL. */
int
kvm_enable_dirty_log_ring_with_bitmap(struct kvm *kvm);
/* Whether there is one, and whether a bitmap is kept beside it. */
bool
kvm_dirty_ring_enabled(const struct kvm *kvm);
bool
kvm_dirty_ring_has_bitmap(const struct kvm *kvm);
/* The smallest size that is accepted, in bytes. */
uint64_t
kvm_dirty_ring_bytes_min(const struct kvm *kvm);

/*
 * KVM_RESET_DIRTY_RINGS: each vCPU's harvested entries become invalid and their pages protected.
 * Returns how many, or EINVAL without ring.  An entry whose slot or page is no more is passed over.
 */
int
kvm_reset_dirty_rings(struct kvm *kvm);

/* Look at an entry without taking part, for tests and displays: @index is free running. */
struct kvm_dirty_gfn
kvm_dirty_ring_entry(const struct kvm_vcpu *vcpu, uint32_t index);
/* Entries that the kernel has pushed and not reset. */
uint32_t
kvm_dirty_ring_used(const struct kvm_vcpu *vcpu);

/*
 * Userspace takes the vCPU's next dirty entry and marks it harvested.  False: there is none.  How
 * it reads the flag and how it stores it are chosen by faults (qemu.dirty_ring.…).
 */
bool
kvm_dirty_ring_harvest(struct kvm_vcpu *vcpu, uint32_t *slot, uint64_t *offset);

/* How many entries the kernel has made since the vCPU was. */
uint32_t
kvm_dirty_ring_pushed(const struct kvm_vcpu *vcpu);
/* Which page of userspace the one harvested last was made for (note_watch.h), or UINT64_MAX. */
uint64_t
kvm_dirty_ring_noted(const struct kvm_vcpu *vcpu);

/* For this room. */
void
dirty_ring_init(struct dirty_ring *ring, struct kvm *kvm);
void
dirty_ring_push(struct kvm *kvm, struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
		uint64_t offset);
bool
dirty_ring_soft_full(const struct dirty_ring *ring);

/* --- accesses to an entry that other threads see: dirty_ring_entry.c ----------------------------
 */
void
dirty_gfn_publish(struct kvm_dirty_gfn *e, uint32_t slot, uint64_t offset);
uint32_t
dirty_gfn_flags(const struct kvm_dirty_gfn *e, bool acquire);
void
dirty_gfn_content(const struct kvm_dirty_gfn *e, uint32_t *slot, uint64_t *offset);
void
dirty_gfn_pass_on(struct kvm_dirty_gfn *e, uint32_t flags, bool release);

#endif
