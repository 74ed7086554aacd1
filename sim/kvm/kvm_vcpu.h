/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vCPU is made of, and how its writes are noted; for this room. */
#ifndef RINGSIDE_KVM_KVM_VCPU_H
#define RINGSIDE_KVM_KVM_VCPU_H

#include "kvm/dirty_ring.h"
#include "kvm/kvm_impl.h"

struct kvm_vcpu {
	struct kvm *kvm;
	uint32_t id;
	uint8_t as_id; /* 1: in system management mode */
	bool in_guest, kicked;
	bool soft_full; /* KVM_REQ_DIRTY_RING_SOFT_FULL */
	uint32_t pml_used;
	uint32_t pml_flushed, pml_end; /* what is left of it while it is emptied */
	gfn_t *pml; /* null: the processor has none */
	uint64_t *pml_page; /* what note_watch.h calls them */
	struct dirty_ring ring;
	struct kvm_vcpu *next;
};

/* Note a write of @vcpu, or of nobody; false: it is noted nowhere. */
bool
mark_page_dirty_in_slot(struct kvm *kvm, struct kvm_vcpu *vcpu, struct kvm_memory_slot *slot,
			gfn_t gfn);

/* Whether a write reaches RAM, and then in which slot. */
enum kvm_write
guest_page_to_write(struct kvm *kvm, uint32_t as_id, gfn_t gfn, struct kvm_memory_slot **slot);

#endif
