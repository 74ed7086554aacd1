/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/memory_listener.h"

#include <errno.h>
#include <stddef.h>

#include "base/must.h"
#include "engine/world.h"
#include "kvm/memslot.h"

/* QEMU's KVMSlot. */
struct slot {
	struct memory_section section;
	bool log; /* the section asked for itself */
	uint16_t id;
	struct slot *next; /* in the order of ids, within its address space */
};

struct memory_listener {
	struct world *world;
	struct kvm *kvm;
	uint64_t ram_pages;
	bool global_log;
	struct slot *slots[KVM_ADDRESS_SPACES_MAX];
	struct page_bitmap dirty;
};

struct memory_listener *
memory_listener_create(struct world *w, struct kvm *kvm, uint64_t ram_bytes)
{
	struct memory_listener *l = world_alloc(w, sizeof(*l));

	must(ram_bytes && ram_bytes % KVM_PAGE_SIZE == 0);
	l->world = w;
	l->kvm = kvm;
	l->ram_pages = ram_bytes >> KVM_PAGE_SHIFT;
	page_bitmap_init(&l->dirty, w, l->ram_pages);
	return l;
}

/* Where a slot with this id hangs, or would. */
static struct slot **
slot_link(struct memory_listener *l, uint8_t as_id, int id)
{
	must(as_id < KVM_ADDRESS_SPACES_MAX);

	struct slot **link = &l->slots[as_id];

	while (*link && (*link)->id < id)
		link = &(*link)->next;
	return link;
}

static struct slot *
slot_find(struct memory_listener *l, uint8_t as_id, int id)
{
	struct slot *slot = *slot_link(l, as_id, id);

	return slot && slot->id == id ? slot : NULL;
}

static int
free_id(const struct memory_listener *l, uint8_t as_id)
{
	int id = 0;

	for (const struct slot *slot = l->slots[as_id]; slot && slot->id == id; slot = slot->next)
		id++;
	return id;
}

static uint32_t
slot_flags(const struct memory_listener *l, const struct slot *slot)
{
	uint32_t flags = slot->section.readonly ? KVM_MEM_READONLY : 0;

	return flags | (slot->log || l->global_log ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

/* Tell KVM of the slot as it is now; @size 0 deletes it. */
static int
slot_set(struct memory_listener *l, const struct slot *slot, uint64_t size)
{
	struct kvm_userspace_memory_region mem = {
		.slot = KVM_SLOT(slot->section.as_id, slot->id),
		.flags = size ? slot_flags(l, slot) : 0,
		.guest_phys_addr = slot->section.guest_phys_addr,
		.memory_size = size,
		.userspace_addr = MEMORY_LISTENER_HVA + slot->section.ram_addr,
	};

	return kvm_set_user_memory_region(l->kvm, &mem);
}

/* A slot that does not log has nothing to fetch: KVM says ENOENT, and QEMU goes on. */
static void
slot_sync(struct memory_listener *l, const struct slot *slot)
{
	int r = kvm_get_dirty_log(l->kvm, KVM_SLOT(slot->section.as_id, slot->id), &l->dirty,
				  slot->section.ram_addr >> KVM_PAGE_SHIFT);

	must(!r || r == -ENOENT);
}

int
memory_listener_region_add(struct memory_listener *l, const struct memory_section *section, int id)
{
	uint64_t ram_bytes = l->ram_pages << KVM_PAGE_SHIFT;

	if (section->as_id >= KVM_ADDRESS_SPACES_MAX || !section->size ||
	    section->size > ram_bytes || section->ram_addr > ram_bytes - section->size)
		return -EINVAL;
	if (id == MEMORY_LISTENER_ANY_ID)
		id = free_id(l, section->as_id);
	if (id < 0 || id > UINT16_MAX)
		return -EINVAL;
	if (slot_find(l, section->as_id, id))
		return -EEXIST;

	struct slot *slot = world_alloc(l->world, sizeof(*slot));

	*slot = (struct slot){ .section = *section, .id = (uint16_t)id };

	int r = slot_set(l, slot, section->size);

	if (r) {
		world_free(l->world, slot, sizeof(*slot));
		return r;
	}

	struct slot **link = slot_link(l, section->as_id, id);

	slot->next = *link;
	*link = slot;
	return id;
}

int
memory_listener_region_del(struct memory_listener *l, uint8_t as_id, int id)
{
	struct world *w = l->world;
	struct slot *slot = slot_find(l, as_id, id);

	if (!slot)
		return -ENOENT;

	bool late = fault_on(w, FAULT_SLOT_REMOVAL_DELETE_FIRST);
	bool sync = slot->log || (l->global_log && !fault_on(w, FAULT_SLOT_REMOVAL_SLOT_LOG_ONLY));

	if (fault_on(w, FAULT_SLOT_REMOVAL_NO_SYNC))
		sync = false;
	if (sync && !late)
		slot_sync(l, slot);
	/* What a vCPU writes here is in the bitmap that is about to die. */
	actor_point(w);

	int r = slot_set(l, slot, 0);

	must(!r); /* KVM has each slot that we have */
	if (sync && late)
		slot_sync(l, slot);
	*slot_link(l, as_id, id) = slot->next;
	world_free(w, slot, sizeof(*slot));
	return 0;
}

static int
slot_set_log(struct memory_listener *l, uint8_t as_id, int id, bool log)
{
	struct slot *slot = slot_find(l, as_id, id);

	if (!slot)
		return -ENOENT;
	slot->log = log;
	return slot_set(l, slot, slot->section.size);
}

int
memory_listener_log_start(struct memory_listener *l, uint8_t as_id, int id)
{
	return slot_set_log(l, as_id, id, true);
}

int
memory_listener_log_stop(struct memory_listener *l, uint8_t as_id, int id)
{
	return slot_set_log(l, as_id, id, false);
}

static void
set_global_log(struct memory_listener *l, bool log)
{
	l->global_log = log;
	for (uint8_t as_id = 0; as_id < KVM_ADDRESS_SPACES_MAX; as_id++) {
		for (struct slot *slot = l->slots[as_id]; slot; slot = slot->next) {
			int r = slot_set(l, slot, slot->section.size);

			must(!r);
		}
	}
}

void
memory_listener_log_global_start(struct memory_listener *l)
{
	set_global_log(l, true);
}

void
memory_listener_log_global_stop(struct memory_listener *l)
{
	set_global_log(l, false);
}

void
memory_listener_log_sync(struct memory_listener *l)
{
	for (uint8_t as_id = 0; as_id < KVM_ADDRESS_SPACES_MAX; as_id++)
		for (struct slot *slot = l->slots[as_id]; slot; slot = slot->next)
			if (slot->log || l->global_log)
				slot_sync(l, slot);
}

void
memory_listener_set_dirty(struct memory_listener *l, uint64_t ram_addr, uint64_t bytes)
{
	if (!bytes)
		return;

	uint64_t last = (ram_addr + bytes - 1) >> KVM_PAGE_SHIFT;

	must(last < l->ram_pages);
	for (uint64_t page = ram_addr >> KVM_PAGE_SHIFT; page <= last; page++)
		page_bitmap_test_and_set(&l->dirty, l->world, page);
}

uint64_t
memory_listener_migration_sync(struct memory_listener *l, struct page_bitmap *migration_bitmap)
{
	must(migration_bitmap->npages == l->ram_pages);
	memory_listener_log_sync(l);

	uint64_t dirty = l->dirty.set;
	uint64_t fresh = page_bitmap_move(&l->dirty, migration_bitmap, 0, l->world);

	emit(l->world, EV_MIGRATION_BITMAP_SYNC, (int64_t)dirty, (int64_t)fresh);
	return fresh;
}

struct kvm *
memory_listener_kvm(const struct memory_listener *l)
{
	return l->kvm;
}

const struct page_bitmap *
memory_listener_dirty(const struct memory_listener *l)
{
	return &l->dirty;
}
