/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a virtual machine is made of; for this room. */
#ifndef RINGSIDE_KVM_KVM_IMPL_H
#define RINGSIDE_KVM_KVM_IMPL_H

#include "engine/world.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "kvm/note_watch.h"

struct memslots {
	struct kvm_memory_slot **slot; /* by base_gfn */
	uint32_t count, capacity;
};

struct kvm {
	struct world *world;
	struct kvm_rules rules;
	struct memslots slots[KVM_ADDRESS_SPACES_MAX];
	bool slots_lock;
	struct waitq slots_lock_waiters;
	uint64_t manual_dirty_log_protect; /* KVM_DIRTY_LOG_… */
	uint32_t dirty_ring_entries; /* 0: the bitmap is in use */
	bool dirty_ring_with_bitmap;
	struct kvm_vcpu *vcpus; /* by id */
	uint32_t vcpu_count;
	bool watched; /* by who looks at the two below */
	struct note_watch pml_notes, ring_notes;
};

/* Serializes the ioctls that read or change slots; a caller may wait. */
void
kvm_slots_lock(struct kvm *kvm);
void
kvm_slots_unlock(struct kvm *kvm);

/* Null: there is none. Invalid slots count. */
struct kvm_memory_slot *
memslots_find(const struct memslots *s, gfn_t gfn);
struct kvm_memory_slot *
memslots_find_id(const struct memslots *s, uint16_t id);

/* KVM_SLOT() of it. */
static inline uint32_t
memslot_word(const struct kvm_memory_slot *slot)
{
	return KVM_SLOT(slot->as_id, slot->id);
}

/* kvm_use_dirty_bitmap(): whether slots that log have a bitmap. */
static inline bool
kvm_use_dirty_bitmap(const struct kvm *kvm)
{
	return !kvm->dirty_ring_entries || kvm->dirty_ring_with_bitmap;
}

/* The slot begins to log: its pages are protected, unless INITIALLY_SET says otherwise. */
void
dirty_log_start(struct kvm *kvm, struct kvm_memory_slot *slot);
/* kvm_arch_mmu_enable_log_dirty_pt_masked(), of one page: the next write of a vCPU faults. */
void
dirty_log_protect(struct kvm *kvm, struct kvm_memory_slot *slot, uint64_t page);

/* kvm_arch_sync_dirty_log(): with PML they are told to, and nobody waits for them. */
void
kvm_vcpus_kick(struct kvm *kvm);

#endif
