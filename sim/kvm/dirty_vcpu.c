/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPUs, as far as dirty logging goes: what a write leaves behind, and where (dirty_log.h). */
#include <errno.h>

#include "base/must.h"
#include "kvm/kvm_vcpu.h"
#include "memory/access.h"
#include "memory/guest_memory.h"

struct kvm_vcpu *
kvm_create_vcpu(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu = world_alloc(kvm->world, sizeof(*vcpu));
	struct kvm_vcpu **link = &kvm->vcpus;

	while (*link)
		link = &(*link)->next;
	*link = vcpu;
	vcpu->kvm = kvm;
	vcpu->id = kvm->vcpu_count++;
	if (kvm->rules.pml)
		vcpu->pml = world_alloc(kvm->world, KVM_PML_ENTRIES * sizeof(*vcpu->pml));
	if (kvm->rules.pml && kvm->watched)
		vcpu->pml_page = world_alloc(kvm->world, KVM_PML_ENTRIES * sizeof(*vcpu->pml_page));
	if (kvm->dirty_ring_entries)
		dirty_ring_init(&vcpu->ring, kvm);
	return vcpu;
}

struct kvm_vcpu *
kvm_get_vcpu(const struct kvm *kvm, uint32_t id)
{
	struct kvm_vcpu *vcpu = kvm->vcpus;

	while (vcpu && vcpu->id != id)
		vcpu = vcpu->next;
	return vcpu;
}

uint32_t
kvm_vcpu_pml_pending(const struct kvm_vcpu *vcpu)
{
	return vcpu->pml_used;
}

static bool
mark(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct kvm *kvm = vcpu->kvm;

	return mark_page_dirty_in_slot(kvm, vcpu, memslots_find(&kvm->slots[vcpu->as_id], gfn),
				       gfn);
}

/* vmx_flush_pml_buffer(): an address whose slot is gone by now marks nothing. */
static void
pml_flush(struct kvm_vcpu *vcpu)
{
	uint32_t used = vcpu->pml_used;

	if (!used)
		return;
	vcpu->pml_used = 0;
	vcpu->pml_end = used;
	for (uint32_t i = 0; i < used; i++) {
		mark(vcpu, vcpu->pml[i]);
		vcpu->pml_flushed = i + 1;
		if (vcpu->pml_page)
			note_pml_done(vcpu->kvm, vcpu->pml_page[i]);
	}
	vcpu->pml_flushed = vcpu->pml_end = 0;
	emit(vcpu->kvm->world, EV_KVM_PML_FLUSH, vcpu->id, used);
}

static void
pml_log(struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot, gfn_t gfn)
{
	if (vcpu->pml_page) {
		vcpu->pml_page[vcpu->pml_used] = note_page(vcpu->kvm, slot, gfn);
		note_pml(vcpu->kvm, vcpu->pml_page[vcpu->pml_used]);
	}
	vcpu->pml[vcpu->pml_used++] = gfn;
	emit(vcpu->kvm->world, EV_KVM_PML_LOG, vcpu->id, (int64_t)gfn, vcpu->pml_used);
}

bool
kvm_vcpu_enter(struct kvm_vcpu *vcpu)
{
	if (vcpu->in_guest)
		kvm_vcpu_exit(vcpu);
	vcpu->kicked = false;
	if (vcpu->ring.gfns && vcpu->soft_full && dirty_ring_soft_full(&vcpu->ring)) {
		emit(vcpu->kvm->world, EV_KVM_DIRTY_RING_FULL, vcpu->id, kvm_dirty_ring_used(vcpu));
		return false;
	}
	vcpu->soft_full = false;
	vcpu->in_guest = true;
	return true;
}

bool
kvm_vcpu_running(const struct kvm_vcpu *vcpu)
{
	return vcpu->in_guest && !vcpu->kicked;
}

bool
kvm_vcpu_in_smm(const struct kvm_vcpu *vcpu)
{
	return vcpu->as_id;
}

const struct kvm_memory_slot *
kvm_vcpu_memslot(const struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return memslots_find(&vcpu->kvm->slots[vcpu->as_id], gfn);
}

void
kvm_vcpu_exit(struct kvm_vcpu *vcpu)
{
	vcpu->in_guest = false;
	vcpu->kicked = false;
	pml_flush(vcpu);
}

void
kvm_vcpu_set_smm(struct kvm_vcpu *vcpu, bool smm)
{
	must(vcpu->kvm->rules.address_spaces > 1 || !smm);
	kvm_vcpu_exit(vcpu); /* RSM and SMI are exits */
	vcpu->as_id = smm;
}

/* One attempt to store. True: @how says what came of it; false: it faulted, and is made again. */
static bool
try_store(struct kvm_vcpu *vcpu, gfn_t gfn, enum kvm_write *how,
	  const struct kvm_memory_slot **where)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_memory_slot *slot;

	*how = guest_page_to_write(kvm, vcpu->as_id, gfn, &slot);
	*where = slot;
	if (*how != KVM_WRITE_RAM) {
		kvm_vcpu_exit(vcpu);
		return true;
	}
	if (!slot->writable.chunk)
		page_bitmap_init(&slot->writable, kvm->world, slot->npages);
	if (page_bitmap_test_and_set(&slot->writable, kvm->world, gfn - slot->base_gfn))
		return true;
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return true;
	if (vcpu->pml && vcpu->pml_used == KVM_PML_ENTRIES && !kvm_vcpu_enter(vcpu)) {
		/* The exit of a full buffer comes before the access, and entering is refused. */
		page_bitmap_test_and_clear(&slot->writable, kvm->world, gfn - slot->base_gfn);
		*how = KVM_WRITE_RING_FULL;
		return true;
	}
	if (vcpu->pml) {
		pml_log(vcpu, slot, gfn);
		return true;
	}
	mark_page_dirty_in_slot(kvm, vcpu, slot, gfn);
	/* Before the guest goes on, entering is checked again. */
	if (!vcpu->soft_full || kvm_vcpu_enter(vcpu))
		return false;
	*how = KVM_WRITE_RING_FULL;
	return true;
}

enum kvm_write
kvm_vcpu_store(struct kvm_vcpu *vcpu, gfn_t gfn, const struct kvm_memory_slot **slot)
{
	enum kvm_write how;

	if (vcpu->kicked)
		kvm_vcpu_exit(vcpu);
	vcpu->in_guest = true;
	/* The page may be protected once more by the time the fault has been handled: the entry was
	 * published, harvested and reset meanwhile. */
	while (!try_store(vcpu, gfn, &how, slot))
		;
	return how;
}

enum kvm_write
kvm_vcpu_write(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	const struct kvm_memory_slot *slot;

	return kvm_vcpu_store(vcpu, gfn, &slot);
}

static enum kvm_write
emulated_write(struct kvm_vcpu *vcpu, gfn_t gfn, bool noted)
{
	struct kvm_memory_slot *slot;
	enum kvm_write how = guest_page_to_write(vcpu->kvm, vcpu->as_id, gfn, &slot);

	kvm_vcpu_exit(vcpu);
	if (how == KVM_WRITE_RAM && noted)
		mark_page_dirty_in_slot(vcpu->kvm, vcpu, slot, gfn);
	return how;
}

enum kvm_write
kvm_vcpu_emulated_write(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return emulated_write(vcpu, gfn, true);
}

enum kvm_write
kvm_vcpu_emulated_cmpxchg(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	bool noted = !fault_on(vcpu->kvm->world, FAULT_EMULATED_CMPXCHG);

	return emulated_write(vcpu, gfn, noted);
}

bool
kvm_vcpu_mark_page_dirty(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return mark(vcpu, gfn);
}

bool
kvm_vcpu_read(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	const struct kvm_memory_slot *slot = memslots_find(&vcpu->kvm->slots[vcpu->as_id], gfn);

	if (slot && !(slot->flags & KVM_MEMSLOT_INVALID))
		return true;
	emit(vcpu->kvm->world, EV_KVM_READ_MMIO, vcpu->as_id, (int64_t)gfn);
	kvm_vcpu_exit(vcpu);
	return false;
}

void
kvm_vcpus_out_of_guest(struct kvm *kvm)
{
	for (struct kvm_vcpu *vcpu = kvm->vcpus; vcpu; vcpu = vcpu->next)
		if (vcpu->in_guest)
			kvm_vcpu_exit(vcpu);
	/* Who asked waits for the answers to its kicks: what vCPUs did before is seen. */
	if (actor_current(kvm->world) && gm_size(kvm->world))
		access_full_barrier(kvm->world, NULL);
}

void
kvm_vcpus_kick(struct kvm *kvm)
{
	if (!kvm->rules.pml)
		return;
	for (struct kvm_vcpu *vcpu = kvm->vcpus; vcpu; vcpu = vcpu->next)
		vcpu->kicked = vcpu->in_guest;
}
