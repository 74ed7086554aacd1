/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kvm/memslot.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/must.h"
#include "kvm/kvm_impl.h"
#include "memory/race.h"

/* KVM_USER_MEM_SLOTS was 509 from 3.19 on and is SHRT_MAX less three internal slots since 5.12. */
const struct kvm_rules kvm_rules_3_19 = {
	.user_mem_slots = 509,
	.address_spaces = 1,
	.gpa_bits = 0,
	.task_size = (UINT64_C(1) << 47) - KVM_PAGE_SIZE,
};

#define RULES_TODAY \
	.user_mem_slots = 32764, .address_spaces = 2, .gpa_bits = 46, \
	.task_size = (UINT64_C(1) << 47) - KVM_PAGE_SIZE, .manual_protect = true, \
	.initially_set = true, .dirty_ring = true

const struct kvm_rules kvm_rules_today = { RULES_TODAY };
const struct kvm_rules kvm_rules_today_pml = { RULES_TODAY, .pml = true };

const struct kvm_rules kvm_rules_arm64 = {
	.user_mem_slots = 32767,
	.address_spaces = 1,
	.gpa_bits = 48,
	.task_size = UINT64_C(1) << 48,
	.zap_slot_only = true,
	.manual_protect = true,
	.initially_set = true,
	.dirty_ring = true,
	.dirty_ring_with_bitmap = true,
};

enum change { CHANGE_NOTHING, CHANGE_CREATE, CHANGE_DELETE, CHANGE_MOVE, CHANGE_FLAGS_ONLY };

struct kvm *
kvm_create(struct world *w, const struct kvm_rules *rules)
{
	struct kvm *kvm = world_alloc(w, sizeof(*kvm));

	must(rules->address_spaces >= 1 && rules->address_spaces <= KVM_ADDRESS_SPACES_MAX);
	must(rules->user_mem_slots <= UINT16_MAX);
	kvm->world = w;
	kvm->rules = *rules;
	waitq_init(&kvm->slots_lock_waiters, w, "kvm slots_lock");
	return kvm;
}

uint32_t
kvm_address_spaces(const struct kvm *kvm)
{
	return kvm->rules.address_spaces;
}

void
kvm_slots_lock(struct kvm *kvm)
{
	while (kvm->slots_lock) {
		must(actor_current(kvm->world));
		waitq_wait(kvm->world, &kvm->slots_lock_waiters);
	}
	race_acquire(kvm->world, &kvm->slots_lock_waiters);
	kvm->slots_lock = true;
}

void
kvm_slots_unlock(struct kvm *kvm)
{
	must(kvm->slots_lock);
	kvm->slots_lock = false;
	waitq_wake_one(kvm->world, &kvm->slots_lock_waiters);
}

/* --- the table of an address space -------------------------------------------------------------
 */

/* Index of the first slot that ends after @gfn. */
static uint32_t
memslots_search(const struct memslots *s, gfn_t gfn)
{
	uint32_t low = 0, high = s->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct kvm_memory_slot *slot = s->slot[middle];

		if (slot->base_gfn + slot->npages <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct kvm_memory_slot *
memslots_find(const struct memslots *s, gfn_t gfn)
{
	uint32_t i = memslots_search(s, gfn);

	return i < s->count && s->slot[i]->base_gfn <= gfn ? s->slot[i] : NULL;
}

struct kvm_memory_slot *
memslots_find_id(const struct memslots *s, uint16_t id)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->slot[i]->id == id)
			return s->slot[i];
	return NULL;
}

static void
memslots_insert(struct memslots *s, struct world *w, struct kvm_memory_slot *slot)
{
	uint32_t at = memslots_search(s, slot->base_gfn);

	must(at == s->count || s->slot[at]->base_gfn >= slot->base_gfn + slot->npages);
	if (s->count == s->capacity) {
		uint32_t capacity = s->capacity ? 2 * s->capacity : 16;
		struct kvm_memory_slot **grown = world_alloc(w, capacity * sizeof(*grown));

		if (s->count)
			memcpy(grown, s->slot, s->count * sizeof(*grown));
		world_free(w, s->slot, s->capacity * sizeof(*grown));
		s->slot = grown;
		s->capacity = capacity;
	}
	memmove(&s->slot[at + 1], &s->slot[at], (s->count - at) * sizeof(*s->slot));
	s->slot[at] = slot;
	s->count++;
}

static void
memslots_remove(struct memslots *s, struct kvm_memory_slot *slot)
{
	uint32_t at = memslots_search(s, slot->base_gfn);

	must(at < s->count && s->slot[at] == slot);
	s->count--;
	memmove(&s->slot[at], &s->slot[at + 1], (s->count - at) * sizeof(*s->slot));
}

/* Whether a slot other than @self has a page of the range. */
static bool
memslots_overlap(const struct memslots *s, gfn_t base_gfn, uint64_t npages,
		 const struct kvm_memory_slot *self)
{
	for (uint32_t i = memslots_search(s, base_gfn); i < s->count; i++) {
		if (s->slot[i]->base_gfn >= base_gfn + npages)
			break;
		if (s->slot[i] != self)
			return true;
	}
	return false;
}

/* --- KVM_SET_USER_MEMORY_REGION ----------------------------------------------------------------
 */

/* The bitmap follows the flag. Its ones, if it goes, go with it. */
static void
dirty_bitmap_update(struct kvm *kvm, struct kvm_memory_slot *slot, bool log)
{
	if (log && !kvm_memslot_logs(slot) && kvm_use_dirty_bitmap(kvm)) {
		page_bitmap_init(&slot->dirty, kvm->world, slot->npages);
		if (kvm->manual_dirty_log_protect & KVM_DIRTY_LOG_INITIALLY_SET)
			page_bitmap_fill(&slot->dirty, kvm->world);
	} else if (!log && kvm_memslot_logs(slot)) {
		emit(kvm->world, EV_KVM_DIRTY_BITMAP_DESTROYED, memslot_word(slot),
		     (int64_t)slot->base_gfn, (int64_t)slot->npages, (int64_t)slot->dirty.set);
		page_bitmap_free(&slot->dirty, kvm->world);
	}
	must(kvm_memslot_logs(slot) == (log && kvm_use_dirty_bitmap(kvm)));
}

static void
forget_mappings(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	if (slot->writable.chunk)
		page_bitmap_free(&slot->writable, kvm->world);
}

/* The mappings of the slot are torn down, and on x86 those of all others with it. */
static void
zap(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	forget_mappings(kvm, slot);
	for (uint32_t as_id = 0; as_id < kvm->rules.address_spaces; as_id++)
		for (uint32_t i = 0; !kvm->rules.zap_slot_only && i < kvm->slots[as_id].count; i++)
			forget_mappings(kvm, kvm->slots[as_id].slot[i]);
}

/* What does not depend on the slots there are. */
static int
check_region(const struct kvm_rules *rules, const struct kvm_userspace_memory_region *mem)
{
	if (mem->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if ((mem->memory_size | mem->guest_phys_addr | mem->userspace_addr) % KVM_PAGE_SIZE)
		return -EINVAL;
	if (mem->memory_size > rules->task_size ||
	    mem->userspace_addr > rules->task_size - mem->memory_size)
		return -EINVAL;
	if (mem->slot >> 16 >= rules->address_spaces ||
	    (uint16_t)mem->slot >= rules->user_mem_slots)
		return -EINVAL;
	if (mem->guest_phys_addr + mem->memory_size < mem->guest_phys_addr)
		return -EINVAL;
	if (mem->memory_size >> KVM_PAGE_SHIFT > KVM_MEM_MAX_NR_PAGES)
		return -EINVAL;
	return 0;
}

/* Which change is asked for: an enum change, or a negative errno. */
static int
classify(const struct kvm_userspace_memory_region *mem, const struct kvm_memory_slot *old)
{
	if (!mem->memory_size)
		return old ? CHANGE_DELETE : -EINVAL;
	if (!old)
		return CHANGE_CREATE;
	if (mem->userspace_addr != old->userspace_addr ||
	    mem->memory_size >> KVM_PAGE_SHIFT != old->npages ||
	    ((mem->flags ^ old->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	if (mem->guest_phys_addr >> KVM_PAGE_SHIFT != old->base_gfn)
		return CHANGE_MOVE;
	return mem->flags != old->flags ? CHANGE_FLAGS_ONLY : CHANGE_NOTHING;
}

static bool
beyond_gpa_bits(const struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	uint64_t last = mem->guest_phys_addr + mem->memory_size - 1;

	return kvm->rules.gpa_bits && last >> kvm->rules.gpa_bits;
}

/* Publish the slot as invalid and tear its mappings down: vCPUs run meanwhile and find no memory.
 */
static void
invalidate(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	slot->flags |= KVM_MEMSLOT_INVALID;
	emit(kvm->world, EV_KVM_MEMSLOT_INVALID, memslot_word(slot), (int64_t)slot->base_gfn,
	     (int64_t)slot->npages);
	actor_point(kvm->world);
	kvm_vcpus_out_of_guest(kvm);
	zap(kvm, slot);
}

static void
create_slot(struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	struct kvm_memory_slot *slot = world_alloc(kvm->world, sizeof(*slot));

	slot->id = (uint16_t)mem->slot;
	slot->as_id = (uint8_t)(mem->slot >> 16);
	slot->base_gfn = mem->guest_phys_addr >> KVM_PAGE_SHIFT;
	slot->npages = mem->memory_size >> KVM_PAGE_SHIFT;
	slot->userspace_addr = mem->userspace_addr;
	slot->flags = mem->flags;
	dirty_bitmap_update(kvm, slot, mem->flags & KVM_MEM_LOG_DIRTY_PAGES);
	memslots_insert(&kvm->slots[slot->as_id], kvm->world, slot);
}

static void
delete_slot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	invalidate(kvm, slot);
	memslots_remove(&kvm->slots[slot->as_id], slot);
	dirty_bitmap_update(kvm, slot, false);
	world_free(kvm->world, slot, sizeof(*slot));
}

/* Whether the guest has such addresses is asked when the slot is invalid already: a move that is
 * refused for that has had its window, and the slot's mappings are gone. */
static int
move_slot(struct kvm *kvm, struct kvm_memory_slot *slot,
	  const struct kvm_userspace_memory_region *mem)
{
	struct memslots *s = &kvm->slots[slot->as_id];

	invalidate(kvm, slot);
	if (beyond_gpa_bits(kvm, mem)) {
		slot->flags &= ~KVM_MEMSLOT_INVALID;
		return -EINVAL;
	}
	memslots_remove(s, slot);
	/* A bitmap that logging off frees in the same call dies under its old base_gfn. */
	dirty_bitmap_update(kvm, slot, mem->flags & KVM_MEM_LOG_DIRTY_PAGES);
	slot->base_gfn = mem->guest_phys_addr >> KVM_PAGE_SHIFT;
	slot->flags = mem->flags;
	memslots_insert(s, kvm->world, slot);
	return 0;
}

static void
change_flags(struct kvm *kvm, struct kvm_memory_slot *slot, uint32_t flags)
{
	kvm_vcpus_out_of_guest(kvm);
	slot->flags = flags;
	dirty_bitmap_update(kvm, slot, flags & KVM_MEM_LOG_DIRTY_PAGES);
	if (flags & KVM_MEM_LOG_DIRTY_PAGES)
		dirty_log_start(kvm, slot);
}

static int
set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	int r = check_region(&kvm->rules, mem);

	if (r)
		return r;

	struct kvm_memory_slot *old =
		memslots_find_id(&kvm->slots[mem->slot >> 16], (uint16_t)mem->slot);
	int change = classify(mem, old);

	if (change < 0)
		return change;
	must(!old || !(old->flags & KVM_MEMSLOT_INVALID));
	if ((change == CHANGE_CREATE || change == CHANGE_MOVE) &&
	    memslots_overlap(&kvm->slots[mem->slot >> 16], mem->guest_phys_addr >> KVM_PAGE_SHIFT,
			     mem->memory_size >> KVM_PAGE_SHIFT, old))
		return -EEXIST;
	if (change == CHANGE_MOVE)
		return move_slot(kvm, old, mem);
	if (change == CHANGE_CREATE && beyond_gpa_bits(kvm, mem))
		return -EINVAL;
	if (change == CHANGE_CREATE)
		create_slot(kvm, mem);
	else if (change == CHANGE_DELETE)
		delete_slot(kvm, old);
	else if (change == CHANGE_FLAGS_ONLY)
		change_flags(kvm, old, mem->flags);
	return 0;
}

int
kvm_set_user_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	kvm_slots_lock(kvm);

	int r = set_memory_region(kvm, mem);

	emit(kvm->world, EV_KVM_SET_MEMSLOT, mem->slot, mem->flags,
	     (int64_t)(mem->guest_phys_addr >> KVM_PAGE_SHIFT),
	     (int64_t)(mem->memory_size >> KVM_PAGE_SHIFT), r);
	kvm_slots_unlock(kvm);
	return r;
}

/* --- look-ups ----------------------------------------------------------------------------------
 */

const struct kvm_memory_slot *
kvm_id_to_memslot(const struct kvm *kvm, uint32_t slot)
{
	if (slot >> 16 >= kvm->rules.address_spaces)
		return NULL;
	return memslots_find_id(&kvm->slots[slot >> 16], (uint16_t)slot);
}

const struct kvm_memory_slot *
kvm_gfn_to_memslot(const struct kvm *kvm, uint32_t as_id, gfn_t gfn)
{
	must(as_id < kvm->rules.address_spaces);
	return memslots_find(&kvm->slots[as_id], gfn);
}

uint32_t
kvm_memslots(const struct kvm *kvm, uint32_t as_id)
{
	must(as_id < kvm->rules.address_spaces);
	return kvm->slots[as_id].count;
}

const struct kvm_memory_slot *
kvm_memslot(const struct kvm *kvm, uint32_t as_id, uint32_t index)
{
	must(as_id < kvm->rules.address_spaces && index < kvm->slots[as_id].count);
	return kvm->slots[as_id].slot[index];
}
