/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/dirty_log.h"

#include <errno.h>

#include "base/must.h"
#include "kvm/kvm_vcpu.h"

int
kvm_enable_manual_dirty_log_protect2(struct kvm *kvm, uint64_t args0)
{
	uint64_t allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (!kvm->rules.manual_protect)
		return -EINVAL;
	if (kvm->rules.initially_set && args0 & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (args0 & ~allowed)
		return -EINVAL;
	kvm->manual_dirty_log_protect = args0;
	return 0;
}

uint64_t
kvm_manual_dirty_log_protect(const struct kvm *kvm)
{
	return kvm->manual_dirty_log_protect;
}

void
dirty_log_start(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	/* The bitmap says that all are dirty: each is protected when its bit is cleared. */
	if (kvm->manual_dirty_log_protect & KVM_DIRTY_LOG_INITIALLY_SET)
		return;
	if (slot->writable.chunk)
		page_bitmap_clear_all(&slot->writable, kvm->world);
}

void
dirty_log_protect(struct kvm *kvm, struct kvm_memory_slot *slot, uint64_t page)
{
	if (slot->writable.chunk)
		page_bitmap_test_and_clear(&slot->writable, kvm->world, page);
}

/* --- the ioctls --------------------------------------------------------------------------------
 */

static bool
slot_id_valid(const struct kvm *kvm, uint32_t slot)
{
	return slot >> 16 < kvm->rules.address_spaces && (uint16_t)slot < kvm->rules.user_mem_slots;
}

/* Copy; and without manual protection clear and protect. */
static void
fetch(struct kvm *kvm, struct kvm_memory_slot *slot, struct page_bitmap *log, uint64_t offset)
{
	if (kvm->manual_dirty_log_protect) {
		page_bitmap_or(&slot->dirty, log, offset, kvm->world);
		return;
	}
	if (slot->writable.chunk)
		page_bitmap_andnot(&slot->writable, &slot->dirty, kvm->world);
	page_bitmap_move(&slot->dirty, log, offset, kvm->world);
}

int
kvm_get_dirty_log(struct kvm *kvm, uint32_t slot, struct page_bitmap *log, uint64_t offset)
{
	if (!kvm_use_dirty_bitmap(kvm))
		return -ENXIO;
	if (!slot_id_valid(kvm, slot))
		return -EINVAL;
	kvm_slots_lock(kvm);

	struct kvm_memory_slot *s = memslots_find_id(&kvm->slots[slot >> 16], (uint16_t)slot);
	int r = s && kvm_memslot_logs(s) ? 0 : -ENOENT;

	if (!r)
		kvm_vcpus_kick(kvm);

	uint64_t dirty = r ? 0 : s->dirty.set;

	if (!r)
		fetch(kvm, s, log, offset);
	emit(kvm->world, EV_KVM_DIRTY_LOG, slot, s ? (int64_t)s->base_gfn : 0,
	     s ? (int64_t)s->npages : 0, (int64_t)dirty, r);
	kvm_slots_unlock(kvm);
	return r;
}

static int
check_clear_range(const struct kvm_memory_slot *s, uint64_t first_page, uint64_t num_pages)
{
	if (first_page > s->npages || num_pages > s->npages - first_page)
		return -EINVAL;
	if (num_pages < s->npages - first_page && num_pages % 64)
		return -EINVAL;
	return 0;
}

int
kvm_clear_dirty_log(struct kvm *kvm, uint32_t slot, uint64_t first_page, uint64_t num_pages,
		    const struct page_bitmap *bits, uint64_t offset)
{
	if (!kvm_use_dirty_bitmap(kvm))
		return -ENXIO;
	if (!slot_id_valid(kvm, slot) || first_page % 64)
		return -EINVAL;
	kvm_slots_lock(kvm);

	struct kvm_memory_slot *s = memslots_find_id(&kvm->slots[slot >> 16], (uint16_t)slot);
	int r = s && kvm_memslot_logs(s) ? check_clear_range(s, first_page, num_pages) : -ENOENT;
	int64_t cleared = 0;

	if (!r) {
		uint64_t page = offset;

		must(offset <= bits->npages && num_pages <= bits->npages - offset);
		kvm_vcpus_kick(kvm);
		for (; (page = page_bitmap_next(bits, page)) < offset + num_pages; page++) {
			uint64_t at = first_page + page - offset;

			/* What was not set was not cleared: it is not protected either. */
			if (!page_bitmap_test_and_clear(&s->dirty, kvm->world, at))
				continue;
			if (!fault_on(kvm->world, FAULT_KVM_CLEAR_UNPROTECTED))
				dirty_log_protect(kvm, s, at);
			cleared++;
		}
	}
	emit(kvm->world, EV_KVM_CLEAR_DIRTY_LOG, slot, (int64_t)first_page, (int64_t)num_pages,
	     cleared, r);
	kvm_slots_unlock(kvm);
	return r;
}

/* --- marking -----------------------------------------------------------------------------------
 */

/* @vcpu: on whose behalf, or null. */
bool
mark_page_dirty_in_slot(struct kvm *kvm, struct kvm_vcpu *vcpu, struct kvm_memory_slot *slot,
			gfn_t gfn)
{
	if (!slot || !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return false;
	if (kvm->dirty_ring_entries && vcpu) {
		dirty_ring_push(kvm, vcpu, slot, gfn - slot->base_gfn);
	} else if (kvm_memslot_logs(slot)) {
		page_bitmap_test_and_set(&slot->dirty, kvm->world, gfn - slot->base_gfn);
	} else {
		emit(kvm->world, EV_KVM_DIRTY_UNLOGGED, (int64_t)gfn, memslot_word(slot));
		return false;
	}
	emit(kvm->world, EV_KVM_PAGE_DIRTY, (int64_t)gfn, memslot_word(slot),
	     (int64_t)slot->base_gfn, (int64_t)slot->npages);
	return true;
}

bool
kvm_mark_page_dirty(struct kvm *kvm, uint32_t as_id, gfn_t gfn)
{
	must(as_id < kvm->rules.address_spaces);
	return mark_page_dirty_in_slot(kvm, NULL, memslots_find(&kvm->slots[as_id], gfn), gfn);
}

enum kvm_write
guest_page_to_write(struct kvm *kvm, uint32_t as_id, gfn_t gfn, struct kvm_memory_slot **slot)
{
	must(as_id < kvm->rules.address_spaces);
	*slot = memslots_find(&kvm->slots[as_id], gfn);

	bool gone = !*slot || (*slot)->flags & KVM_MEMSLOT_INVALID;

	if (!gone && !((*slot)->flags & KVM_MEM_READONLY))
		return KVM_WRITE_RAM;
	emit(kvm->world, EV_KVM_WRITE_MMIO, as_id, (int64_t)gfn, *slot ? (*slot)->id : -1);
	return gone ? KVM_WRITE_MMIO : KVM_WRITE_READONLY;
}

enum kvm_write
kvm_write_guest_page(struct kvm *kvm, uint32_t as_id, gfn_t gfn)
{
	struct kvm_memory_slot *slot;
	enum kvm_write how = guest_page_to_write(kvm, as_id, gfn, &slot);

	if (how == KVM_WRITE_RAM)
		mark_page_dirty_in_slot(kvm, NULL, slot, gfn);
	return how;
}
