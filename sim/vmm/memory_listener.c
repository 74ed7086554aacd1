/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/must.h"
#include "kvm/dirty_ring.h"
#include "memory/race.h"
#include "vmm/memory_listener_impl.h"

#define SINCE_1_1 .sync_own = true
#define SINCE_2_3 SINCE_1_1, .sync_global = true
#define SINCE_4_1 SINCE_2_3, .spaces = true, .clear_log = true
#define SINCE_4_2 SINCE_4_1, .split = true
#define SINCE_5_0 SINCE_4_2, .bitmap_for_new = true
#define SINCE_6_1 SINCE_5_0, .initially_set = true, .ring = true
#define SINCE_8_0 SINCE_6_1, .transaction = true
#define SINCE_8_1 SINCE_8_0, .backup = true

/* ORDER LISTENER_VERSION */
static const struct listener_rules versions[] = {
	{ .version = "1.0" },
	{ .version = "1.1", SINCE_1_1 }, /* 3fbffb628c */
	{ .version = "2.3", SINCE_2_3 }, /* 4cc856faba */
	{ .version = "4.1", SINCE_4_1 }, /* ff4aa11419, 9f4bf4baa8; address spaces came with 2.4 */
	{ .version = "4.2", SINCE_4_2 }, /* 023ae9a88a */
	{ .version = "5.0", SINCE_5_0 }, /* 9b3a31c745 */
	{ .version = "6.1", SINCE_6_1 }, /* b4420f198d; INITIALLY_SET came with 5.1 */
	{ .version = "8.0", SINCE_8_0 }, /* f39b7d2b96, a27dd2de68 */
	{ .version = "8.1", SINCE_8_1 }, /* b20cc77692 */
};

const char *const memory_listener_versions[] = { "1.0", "1.1", "2.3", "4.1", "4.2",
						 "5.0", "6.1", "8.0", "8.1", NULL };

bool
memory_listener_set_version(struct memory_listener *l, const char *version)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (strcmp(versions[i].version, version) != 0)
			continue;
		l->rules = versions[i];
		return true;
	}
	return false;
}

struct memory_listener *
memory_listener_create(struct world *w, struct kvm *kvm, uint64_t ram_bytes)
{
	struct memory_listener *l = world_alloc(w, sizeof(*l));

	must(ram_bytes && ram_bytes % KVM_PAGE_SIZE == 0);
	l->world = w;
	l->kvm = kvm;
	l->ram_pages = ram_bytes >> KVM_PAGE_SHIFT;
	must(memory_listener_set_version(l, "6.1"));
	page_bitmap_init(&l->dirty, w, l->ram_pages);
	return l;
}

void
listener_waiters(struct memory_listener *l)
{
	if (l->waiters)
		return;
	l->waiters = true;
	waitq_init(&l->lock_waiters, l->world, "kvm_slots_lock");
	waitq_init(&l->cpu_waiters, l->world, "accel_ioctl_inhibit");
	waitq_init(&l->inhibit_waiters, l->world, "vCPUs outside of KVM_RUN");
}

void
listener_lock(struct memory_listener *l)
{
	while (l->slots_locked) {
		listener_waiters(l);
		waitq_wait(l->world, &l->lock_waiters);
	}
	if (l->waiters)
		race_acquire(l->world, &l->lock_waiters);
	l->slots_locked = true;
}

void
listener_unlock(struct memory_listener *l)
{
	must(l->slots_locked);
	l->slots_locked = false;
	if (l->waiters)
		waitq_wake_one(l->world, &l->lock_waiters);
}

void
memory_listener_on_stray(struct memory_listener *l, void (*fn)(void *arg), void *arg)
{
	l->on_stray = fn;
	l->stray_arg = arg;
}

void
listener_stray(struct memory_listener *l)
{
	if (l->on_stray)
		l->on_stray(l->stray_arg);
}

unsigned
memory_listener_address_spaces(const struct memory_listener *l)
{
	return l->rules.spaces ? kvm_address_spaces(l->kvm) : 1;
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

struct slot *
listener_slot_find(struct memory_listener *l, uint8_t as_id, int id)
{
	struct slot *slot = *slot_link(l, as_id, id);

	return slot && slot->id == id ? slot : NULL;
}

/* Whether an id will be in use when what is queued has been done. */
static bool
id_taken(const struct memory_listener *l, uint8_t as_id, int id)
{
	for (const struct slot *slot = l->slots[as_id]; slot; slot = slot->next)
		if (slot->id == id && !slot->removing)
			return true;
	for (const struct slot *slot = l->adding; slot; slot = slot->next)
		if (slot->section.as_id == as_id && slot->id == id)
			return true;
	return false;
}

static int
free_id(const struct memory_listener *l, uint8_t as_id)
{
	int id = 0;

	while (id_taken(l, as_id, id))
		id++;
	return id;
}

static bool
slot_logs(const struct memory_listener *l, const struct slot *slot)
{
	return slot->log || l->global_log;
}

/* Tell KVM of the slot as it is now; @size 0 deletes it. */
static int
slot_set(struct memory_listener *l, struct slot *slot, uint64_t size)
{
	struct kvm_userspace_memory_region mem = {
		.slot = KVM_SLOT(slot->section.as_id, slot->id),
		.guest_phys_addr = slot->section.guest_phys_addr,
		.memory_size = 0,
		.userspace_addr = MEMORY_LISTENER_HVA + slot->section.ram_addr,
	};
	int r;

	/* Its read-only flag cannot be changed; nor has it to be. */
	if (size && slot->known && slot->section.readonly &&
	    fault_on(l->world, FAULT_SLOT_FLAGS_DELETE)) {
		r = kvm_set_user_memory_region(l->kvm, &mem);
		must(!r);
		actor_point(l->world);
	}
	mem.memory_size = size;
	if (size)
		mem.flags = (slot->section.readonly ? KVM_MEM_READONLY : 0) |
			    (slot_logs(l, slot) ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	r = kvm_set_user_memory_region(l->kvm, &mem);
	if (!r) {
		listener_slot_bitmap(l, slot, size && slot_logs(l, slot), !slot->known);
		slot->known = size;
	}
	return r;
}

/* --- sections come and go ----------------------------------------------------------------------
 */

int
listener_slot_add(struct memory_listener *l, struct slot *slot)
{
	struct slot **link;
	int r = slot_set(l, slot, slot->section.size);

	if (r)
		return r;
	link = slot_link(l, slot->section.as_id, slot->id);
	slot->next = *link;
	*link = slot;
	return slot->id;
}

/* A slot of a section, now or at commit; the group is that of the section's first slot, or @id. */
static int
add_slot(struct memory_listener *l, const struct memory_section *section, int id, int group)
{
	struct slot *slot = world_alloc(l->world, sizeof(*slot)), **link = &l->adding;

	*slot = (struct slot){ .section = *section,
			       .log = section->log,
			       .id = (uint16_t)id,
			       .group = (uint16_t)(group < 0 ? id : group) };
	if (!l->in_transaction) {
		int r;

		listener_lock(l);
		r = listener_slot_add(l, slot);
		listener_unlock(l);
		if (r < 0)
			world_free(l->world, slot, sizeof(*slot));
		return r;
	}
	while (*link)
		link = &(*link)->next;
	*link = slot;
	return id;
}

int
memory_listener_region_add(struct memory_listener *l, const struct memory_section *section, int id)
{
	uint64_t ram_bytes = l->ram_pages << KVM_PAGE_SHIFT;
	uint64_t most = l->rules.split ? l->slot_bytes_max : 0;
	struct memory_section piece = *section;
	int group = MEMORY_LISTENER_ANY_ID;

	if (section->as_id >= KVM_ADDRESS_SPACES_MAX || !section->size ||
	    section->size > ram_bytes || section->ram_addr > ram_bytes - section->size)
		return -EINVAL;
	for (uint64_t done = 0; done < section->size; done += piece.size) {
		piece.guest_phys_addr = section->guest_phys_addr + done;
		piece.ram_addr = section->ram_addr + done;
		piece.size = section->size - done;
		if (most && piece.size > most)
			piece.size = most;
		if (done || id == MEMORY_LISTENER_ANY_ID)
			id = free_id(l, section->as_id);
		if (id < 0 || id > UINT16_MAX)
			return -EINVAL;
		if (id_taken(l, section->as_id, id))
			return -EEXIST;

		int r = add_slot(l, &piece, id, group);

		if (r < 0)
			return r;
		if (!done)
			group = r;
	}
	return group;
}

void
memory_listener_set_slot_size_max(struct memory_listener *l, uint64_t bytes)
{
	must(bytes % KVM_PAGE_SIZE == 0);
	l->slot_bytes_max = bytes;
}

/* The next slot of a section, after @slot or from the first on; null: that was the last. */
static struct slot *
group_next(struct memory_listener *l, uint8_t as_id, int group, struct slot *slot)
{
	slot = slot ? slot->next : l->slots[as_id];
	while (slot && (slot->group != group || slot->removing))
		slot = slot->next;
	return slot;
}

void
listener_slot_del(struct memory_listener *l, struct slot *slot)
{
	struct world *w = l->world;
	bool late = fault_on(w, FAULT_SLOT_REMOVAL_DELETE_FIRST);
	bool own_only = !l->rules.sync_global || fault_on(w, FAULT_SLOT_REMOVAL_SLOT_LOG_ONLY);
	bool sync = l->rules.sync_own && (slot->log || (l->global_log && !own_only));

	if (fault_on(w, FAULT_SLOT_REMOVAL_NO_SYNC))
		sync = false;
	if (sync && !late)
		listener_slot_sync(l, slot);
	/* What a vCPU writes here is in the bitmap that is about to die. */
	actor_point(w);

	int r = slot_set(l, slot, 0);

	must(!r); /* KVM has each slot that we have */
	if (sync && late)
		listener_slot_sync(l, slot);

	struct slot **link = &l->slots[slot->section.as_id];

	while (*link != slot)
		link = &(*link)->next;
	*link = slot->next;
	world_free(w, slot, sizeof(*slot));
	listener_stray(l);
}

int
memory_listener_region_del(struct memory_listener *l, uint8_t as_id, int id)
{
	struct slot *slot = group_next(l, as_id, id, NULL), *next;

	if (!slot)
		return -ENOENT;
	if (!l->in_transaction)
		listener_lock(l);
	for (; slot; slot = next) {
		next = group_next(l, as_id, id, slot);
		if (l->in_transaction)
			slot->removing = true;
		else
			listener_slot_del(l, slot);
	}
	if (!l->in_transaction)
		listener_unlock(l);
	return 0;
}

/* --- logging -----------------------------------------------------------------------------------
 */

static int
slot_set_log(struct memory_listener *l, uint8_t as_id, int id, bool log)
{
	struct slot *slot = group_next(l, as_id, id, NULL);
	int r = slot ? 0 : -ENOENT;

	for (; slot && !r; slot = group_next(l, as_id, id, slot)) {
		slot->log = log;
		r = slot_set(l, slot, slot->section.size);
	}
	return r;
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
memory_listener_migration_sync(struct memory_listener *l, struct page_bitmap *migration_bitmap,
			       bool last)
{
	must(migration_bitmap->npages == l->ram_pages);
	memory_listener_log_sync(l, last);

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
