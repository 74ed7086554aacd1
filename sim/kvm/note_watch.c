/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/note_watch.h"

#include "base/must.h"
#include "kvm/kvm_vcpu.h"

void
kvm_watch_notes(struct kvm *kvm, uint64_t userspace_addr, uint64_t npages)
{
	must(!kvm->watched && !kvm->vcpu_count);
	kvm->watched = true;
	kvm->pml_notes.first = kvm->ring_notes.first = userspace_addr >> KVM_PAGE_SHIFT;
	page_bitmap_init(&kvm->pml_notes.waits, kvm->world, npages);
	page_bitmap_init(&kvm->ring_notes.waits, kvm->world, npages);
}

static bool
waits(const struct note_watch *n, uint64_t page)
{
	return n->waits.set && page_bitmap_test(&n->waits, page);
}

bool
kvm_note_waits(const struct kvm *kvm, uint64_t page)
{
	return waits(&kvm->pml_notes, page) || waits(&kvm->ring_notes, page);
}

uint64_t
note_page(const struct kvm *kvm, const struct kvm_memory_slot *slot, uint64_t gfn)
{
	uint64_t page;

	if (!kvm->watched)
		return NOTE_NO_PAGE;
	page = (slot->userspace_addr >> KVM_PAGE_SHIFT) + gfn - slot->base_gfn;
	page -= kvm->pml_notes.first;
	return page < kvm->pml_notes.waits.npages ? page : NOTE_NO_PAGE;
}

static void
add(struct kvm *kvm, struct note_watch *n, uint64_t page)
{
	if (page != NOTE_NO_PAGE && page_bitmap_test_and_set(&n->waits, kvm->world, page))
		n->more++;
}

static bool
in_some_buffer(const struct kvm *kvm, uint64_t page)
{
	for (const struct kvm_vcpu *v = kvm->vcpus; v; v = v->next)
		for (uint32_t i = v->pml_flushed; i < v->pml_used || i < v->pml_end; i++)
			if (v->pml_page[i] == page)
				return true;
	return false;
}

static bool
in_some_ring(const struct kvm *kvm, uint64_t page)
{
	for (const struct kvm_vcpu *v = kvm->vcpus; v; v = v->next)
		for (uint32_t i = v->ring.fetch_index; i != v->ring.dirty_index; i++)
			if (v->ring.page[i % v->ring.size] == page)
				return true;
	return false;
}

/* The caller's note is in its buffer or ring no more. */
static void
done(struct kvm *kvm, struct note_watch *n, uint64_t page,
     bool (*another)(const struct kvm *kvm, uint64_t page))
{
	if (page == NOTE_NO_PAGE)
		return;
	if (n->more && another(kvm, page))
		n->more--;
	else
		page_bitmap_test_and_clear(&n->waits, kvm->world, page);
}

void
note_pml(struct kvm *kvm, uint64_t page)
{
	add(kvm, &kvm->pml_notes, page);
}

void
note_pml_done(struct kvm *kvm, uint64_t page)
{
	done(kvm, &kvm->pml_notes, page, in_some_buffer);
}

void
note_ring(struct kvm *kvm, uint64_t page)
{
	add(kvm, &kvm->ring_notes, page);
}

void
note_ring_done(struct kvm *kvm, uint64_t page)
{
	done(kvm, &kvm->ring_notes, page, in_some_ring);
}
