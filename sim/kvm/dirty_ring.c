/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/dirty_ring.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/must.h"
#include "kvm/kvm_vcpu.h"
#include "memory/guest_memory.h"

/* Room that a vCPU needs after it was told that the ring is full. */
static uint32_t
reserved_entries(const struct kvm *kvm)
{
	return KVM_DIRTY_RING_RSVD_ENTRIES + (kvm->rules.pml ? KVM_PML_ENTRIES : 0);
}

uint64_t
kvm_dirty_ring_bytes_min(const struct kvm *kvm)
{
	uint64_t bytes = KVM_PAGE_SIZE;

	while (bytes < reserved_entries(kvm) * sizeof(struct kvm_dirty_gfn))
		bytes *= 2;
	return bytes;
}

int
kvm_enable_dirty_log_ring(struct kvm *kvm, uint64_t bytes)
{
	if (!kvm->rules.dirty_ring)
		return -EINVAL;
	bytes = (uint32_t)bytes; /* the kernel's parameter has 32 bits */
	if (!bytes || bytes & (bytes - 1))
		return -EINVAL;
	if (bytes < kvm_dirty_ring_bytes_min(kvm))
		return -EINVAL;
	if (bytes > KVM_DIRTY_RING_MAX_ENTRIES * sizeof(struct kvm_dirty_gfn))
		return -E2BIG;
	if (kvm->dirty_ring_entries || kvm->vcpu_count)
		return -EINVAL;
	kvm->dirty_ring_entries = (uint32_t)(bytes / sizeof(struct kvm_dirty_gfn));
	return 0;
}

int
kvm_enable_dirty_log_ring_with_bitmap(struct kvm *kvm)
{
	if (!kvm->rules.dirty_ring_with_bitmap || !kvm->dirty_ring_entries)
		return -EINVAL;
	for (uint32_t as_id = 0; as_id < kvm->rules.address_spaces; as_id++)
		if (kvm->slots[as_id].count)
			return -EINVAL;
	kvm->dirty_ring_with_bitmap = true;
	return 0;
}

bool
kvm_dirty_ring_enabled(const struct kvm *kvm)
{
	return kvm->dirty_ring_entries;
}

bool
kvm_dirty_ring_has_bitmap(const struct kvm *kvm)
{
	return kvm->dirty_ring_with_bitmap;
}

/* "dirty_ring.gfns[3].flags" */
static void
describe_entry(const void *context, uint64_t at, char *text, size_t size)
{
	uint64_t field = at % sizeof(struct kvm_dirty_gfn);
	const char *name = field >= offsetof(struct kvm_dirty_gfn, offset) ? "offset"
			   : field >= offsetof(struct kvm_dirty_gfn, slot) ? "slot"
									   : "flags";

	snprintf(text, size, "gfns[%u].%s", (unsigned)(at / sizeof(struct kvm_dirty_gfn)), name);
}

void
dirty_ring_init(struct dirty_ring *ring, struct kvm *kvm)
{
	uint64_t bytes = kvm->dirty_ring_entries * sizeof(*ring->gfns);

	ring->size = kvm->dirty_ring_entries;
	ring->soft_limit = ring->size - reserved_entries(kvm);
	if (kvm->watched)
		ring->page = world_alloc(kvm->world, ring->size * sizeof(*ring->page));
	if (!gm_size(kvm->world)) {
		ring->gfns = world_alloc(kvm->world, bytes);
		return;
	}

	uint64_t gpa = gm_alloc(kvm->world, bytes, 64);

	gm_region(kvm->world, gpa, bytes, "dirty_ring", describe_entry, NULL);
	ring->gfns = gm_map(kvm->world, gpa, bytes);
}

static uint32_t
used(const struct dirty_ring *ring)
{
	return ring->dirty_index - ring->reset_index;
}

bool
dirty_ring_soft_full(const struct dirty_ring *ring)
{
	return used(ring) >= ring->soft_limit;
}

static struct kvm_dirty_gfn *
entry(const struct dirty_ring *ring, uint32_t index)
{
	return &ring->gfns[index & (ring->size - 1)];
}

/* The kernel warns of a ring without any room, and writes all the same. */
void
dirty_ring_push(struct kvm *kvm, struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
		uint64_t offset)
{
	struct dirty_ring *ring = &vcpu->ring;
	uint32_t word = memslot_word(slot);

	if (used(ring) >= ring->size)
		emit(kvm->world, EV_KVM_DIRTY_RING_OVERFLOW, vcpu->id, ring->dirty_index);
	if (ring->page) {
		uint64_t page = note_page(kvm, slot, slot->base_gfn + offset);

		ring->page[ring->dirty_index & (ring->size - 1)] = page;
		note_ring(kvm, page);
	}
	dirty_gfn_publish(entry(ring, ring->dirty_index), word, offset);
	emit(kvm->world, EV_KVM_DIRTY_RING_PUSH, vcpu->id, ring->dirty_index, word, (int64_t)offset,
	     used(ring) + 1);
	ring->dirty_index++;
	if (dirty_ring_soft_full(ring))
		vcpu->soft_full = true;
}

bool
kvm_dirty_ring_harvest(struct kvm_vcpu *vcpu, uint32_t *slot, uint64_t *offset)
{
	struct world *w = vcpu->kvm->world;
	struct dirty_ring *ring = &vcpu->ring;

	must(ring->gfns);

	struct kvm_dirty_gfn *e = entry(ring, ring->fetch_index);
	bool acquire = !fault_on(w, FAULT_RING_HARVEST_NO_ACQUIRE);

	if (dirty_gfn_flags(e, acquire) != KVM_DIRTY_GFN_F_DIRTY)
		return false;
	dirty_gfn_content(e, slot, offset);
	dirty_gfn_pass_on(e, KVM_DIRTY_GFN_F_RESET, !fault_on(w, FAULT_RING_HARVEST_NO_RELEASE));
	emit(w, EV_KVM_DIRTY_RING_HARVEST, vcpu->id, ring->fetch_index, *slot, (int64_t)*offset);
	ring->noted = ring->page ? ring->page[ring->fetch_index & (ring->size - 1)] : NOTE_NO_PAGE;
	ring->fetch_index++;
	note_ring_done(vcpu->kvm, ring->noted);
	return true;
}

/* kvm_reset_dirty_gfn(). The slot may be gone, or another one by now. */
static void
reset_page(struct kvm *kvm, uint32_t slot, uint64_t offset)
{
	struct kvm_memory_slot *s;

	if (slot >> 16 >= kvm->rules.address_spaces)
		return;
	s = memslots_find_id(&kvm->slots[slot >> 16], (uint16_t)slot);
	if (s && offset < s->npages)
		dirty_log_protect(kvm, s, offset);
}

/* kvm_dirty_ring_reset(), without its gathering of neighbours into one mask: nobody sees that. */
static int
reset_ring(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	struct dirty_ring *ring = &vcpu->ring;
	bool acquire = !fault_on(kvm->world, FAULT_RING_RESET_NO_ACQUIRE);
	int n = 0;

	for (;; n++) {
		struct kvm_dirty_gfn *e = entry(ring, ring->reset_index);
		uint32_t slot;
		uint64_t offset;

		if (!(dirty_gfn_flags(e, acquire) & KVM_DIRTY_GFN_F_RESET))
			break;
		dirty_gfn_content(e, &slot, &offset);
		dirty_gfn_pass_on(e, 0, true);
		ring->reset_index++;
		reset_page(kvm, slot, offset);
	}
	if (n)
		emit(kvm->world, EV_KVM_DIRTY_RING_RESET, vcpu->id, n);
	return n;
}

int
kvm_reset_dirty_rings(struct kvm *kvm)
{
	int n = 0;

	if (!kvm->dirty_ring_entries)
		return -EINVAL;
	kvm_slots_lock(kvm);
	for (struct kvm_vcpu *vcpu = kvm->vcpus; vcpu; vcpu = vcpu->next)
		n += reset_ring(kvm, vcpu);
	kvm_slots_unlock(kvm);
	return n;
}

struct kvm_dirty_gfn
kvm_dirty_ring_entry(const struct kvm_vcpu *vcpu, uint32_t index)
{
	must(vcpu->ring.gfns);
	return *entry(&vcpu->ring, index);
}

uint32_t
kvm_dirty_ring_pushed(const struct kvm_vcpu *vcpu)
{
	return vcpu->ring.dirty_index;
}

uint64_t
kvm_dirty_ring_noted(const struct kvm_vcpu *vcpu)
{
	return vcpu->ring.noted;
}

uint32_t
kvm_dirty_ring_used(const struct kvm_vcpu *vcpu)
{
	return used(&vcpu->ring);
}
