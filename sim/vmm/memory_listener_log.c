/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listener's dirty bits: fetching, clearing, rings, and writers with logs of their own. */
#include <errno.h>
#include <stddef.h>

#include "base/must.h"
#include "kvm/dirty_log.h"
#include "kvm/dirty_ring.h"
#include "kvm/page_words.h"
#include "vmm/memory_listener_impl.h"

struct device_log {
	struct memory_listener *listener;
	bool tracks, stopped;
	struct page_bitmap log;
	struct device_log *next;
};

int
memory_listener_enable(struct memory_listener *l, uint64_t ring_bytes)
{
	uint64_t manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	bool ring = ring_bytes && l->rules.ring;

	if (ring) {
		int r = kvm_enable_dirty_log_ring(l->kvm, ring_bytes);

		if (r)
			return r;
		if (l->rules.backup)
			kvm_enable_dirty_log_ring_with_bitmap(l->kvm);
		if (!fault_on(l->world, FAULT_RING_INITIALLY_SET))
			return 0;
	}
	if (l->rules.initially_set)
		manual |= KVM_DIRTY_LOG_INITIALLY_SET;
	/* A kernel that has less is used as it is. */
	if (l->rules.clear_log && kvm_enable_manual_dirty_log_protect2(l->kvm, manual))
		kvm_enable_manual_dirty_log_protect2(l->kvm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	return 0;
}

/* --- fetching ----------------------------------------------------------------------------------
 */

void
listener_slot_bitmap(struct memory_listener *l, struct slot *slot, bool logs, bool is_new)
{
	bool wanted = logs && l->rules.clear_log && kvm_manual_dirty_log_protect(l->kvm) &&
		      !(is_new && !l->rules.bitmap_for_new);

	if (wanted && !slot->dirty_bmap.chunk)
		page_bitmap_init(&slot->dirty_bmap, l->world, slot->section.size >> KVM_PAGE_SHIFT);
	else if (!logs && slot->dirty_bmap.chunk)
		page_bitmap_free(&slot->dirty_bmap, l->world);
}

/* A slot that does not log has nothing to fetch: KVM says ENOENT, and QEMU goes on. */
static void
fetch_bitmap(struct memory_listener *l, struct slot *slot)
{
	uint64_t ram_page = slot->section.ram_addr >> KVM_PAGE_SHIFT;
	uint32_t id = KVM_SLOT(slot->section.as_id, slot->id);
	int r;

	if (!slot->dirty_bmap.chunk) {
		r = kvm_get_dirty_log(l->kvm, id, &l->dirty, ram_page);
		must(!r || r == -ENOENT);
		return;
	}
	/* The kernel writes all of it: with manual protection what was not cleared is in there. */
	page_bitmap_clear_all(&slot->dirty_bmap, l->world);
	r = kvm_get_dirty_log(l->kvm, id, &slot->dirty_bmap, 0);
	must(!r || r == -ENOENT);
	page_bitmap_or(&slot->dirty_bmap, &l->dirty, ram_page, l->world);
}

/* kvm_dirty_ring_mark_page(): an entry of a slot that is gone by now is dropped, and one whose slot
 * is another by now marks a page of that. */
static void
mark_entry(struct memory_listener *l, uint32_t slot, uint64_t offset, uint64_t noted)
{
	struct slot *s = NULL;
	uint64_t page = UINT64_MAX;

	if (slot >> 16 < KVM_ADDRESS_SPACES_MAX)
		s = listener_slot_find(l, (uint8_t)(slot >> 16), (uint16_t)slot);
	if (s && offset < s->section.size >> KVM_PAGE_SHIFT) {
		page = (s->section.ram_addr >> KVM_PAGE_SHIFT) + offset;
		page_bitmap_test_and_set(&l->dirty, l->world, page);
	}
	if (noted != UINT64_MAX && page != noted)
		l->strayed = true;
}

static unsigned
reap_one(struct memory_listener *l, struct kvm_vcpu *vcpu)
{
	unsigned n = 0;
	uint64_t offset;
	uint32_t slot;

	for (; kvm_dirty_ring_harvest(vcpu, &slot, &offset); n++)
		mark_entry(l, slot, offset, kvm_dirty_ring_noted(vcpu));
	return n;
}

/*
 * kvm_dirty_ring_reap_locked().  What is published must be protected again before anybody else can
 * read the page: the lock sees to that, and the order of the two here.
 */
static unsigned
reap_locked(struct memory_listener *l, struct kvm_vcpu *one)
{
	bool late = fault_on(l->world, FAULT_RING_RESET_LATE);
	struct kvm_vcpu *vcpu;
	unsigned total = 0;

	if (late)
		kvm_reset_dirty_rings(l->kvm); /* of the last time */
	if (one)
		total = reap_one(l, one);
	for (uint32_t i = 0; !one && (vcpu = kvm_get_vcpu(l->kvm, i)); i++)
		total += reap_one(l, vcpu);
	if (total && !late)
		kvm_reset_dirty_rings(l->kvm);
	if (l->strayed)
		listener_stray(l);
	l->strayed = false;
	return total;
}

unsigned
memory_listener_reap(struct memory_listener *l, struct kvm_vcpu *vcpu)
{
	unsigned total;

	listener_waiters(l);
	listener_lock(l);
	total = reap_locked(l, vcpu);
	listener_unlock(l);
	return total;
}

void
listener_slot_sync(struct memory_listener *l, struct slot *slot)
{
	if (!kvm_dirty_ring_enabled(l->kvm)) {
		fetch_bitmap(l, slot);
		return;
	}
	reap_locked(l, NULL);
	if (kvm_dirty_ring_has_bitmap(l->kvm) && !fault_on(l->world, FAULT_RING_NO_BACKUP))
		fetch_bitmap(l, slot);
}

void
memory_listener_log_sync(struct memory_listener *l, bool last)
{
	bool ring = kvm_dirty_ring_enabled(l->kvm);
	bool bitmaps = !ring || (last && kvm_dirty_ring_has_bitmap(l->kvm) &&
				 !fault_on(l->world, FAULT_RING_NO_BACKUP));
	uint8_t spaces =
		fault_on(l->world, FAULT_LOG_SYNC_FIRST_SPACE) ? 1 : KVM_ADDRESS_SPACES_MAX;

	if (ring) {
		kvm_vcpus_out_of_guest(l->kvm);
		memory_listener_reap(l, NULL);
	}
	listener_lock(l);
	for (uint8_t as_id = 0; bitmaps && as_id < spaces; as_id++)
		for (struct slot *slot = l->slots[as_id]; slot; slot = slot->next)
			if (slot->log || l->global_log)
				fetch_bitmap(l, slot);
	listener_unlock(l);
	for (struct device_log *d = l->devices; d; d = d->next)
		if (!d->stopped)
			page_bitmap_move(&d->log, &l->dirty, 0, l->world);
}

/* --- clearing ----------------------------------------------------------------------------------
 */

/* What of pages @first to @last of the slot was fetched, from page @from on. */
static void
fetched_bits(struct memory_listener *l, struct slot *slot, uint64_t first, uint64_t last,
	     uint64_t from, struct page_bitmap *bits)
{
	uint64_t page = first;

	for (; (page = page_bitmap_next(&slot->dirty_bmap, page)) <= last; page++)
		page_bitmap_test_and_set(bits, l->world, page - from);
}

/* kvm_log_clear_one_slot(): first and length are rounded for KVM, whose bits outside stay. */
static int
slot_log_clear(struct memory_listener *l, struct slot *slot, uint64_t first, uint64_t last)
{
	uint64_t npages = slot->section.size >> KVM_PAGE_SHIFT;
	uint64_t from = first & ~UINT64_C(63), to = (last | 63) + 1;
	uint32_t id = KVM_SLOT(slot->section.as_id, slot->id);
	struct page_bitmap bits;
	int r = 0;

	if (!slot->dirty_bmap.chunk)
		return -ENXIO;
	if (to > npages)
		to = npages;
	if (page_bitmap_next(&slot->dirty_bmap, first) > last)
		return 0;
	if (from == first && to == last + 1) {
		r = kvm_clear_dirty_log(l->kvm, id, from, to - from, &slot->dirty_bmap, from);
	} else {
		page_bitmap_init(&bits, l->world, to - from);
		fetched_bits(l, slot, first, last, from, &bits);
		r = kvm_clear_dirty_log(l->kvm, id, from, to - from, &bits, 0);
		page_bitmap_free(&bits, l->world);
	}
	page_words_clear_range(&slot->dirty_bmap, l->world, first, last - first + 1);
	return r;
}

bool
memory_listener_clears(const struct memory_listener *l)
{
	return kvm_manual_dirty_log_protect(l->kvm) && !kvm_dirty_ring_enabled(l->kvm);
}

int
memory_listener_log_clear(struct memory_listener *l, uint64_t ram_page, uint64_t npages)
{
	int result = 0;

	must(npages && ram_page < l->ram_pages && npages <= l->ram_pages - ram_page);
	if (!memory_listener_clears(l))
		return 0;
	listener_lock(l);
	for (uint8_t as_id = 0; as_id < KVM_ADDRESS_SPACES_MAX; as_id++) {
		for (struct slot *slot = l->slots[as_id]; slot; slot = slot->next) {
			uint64_t base = slot->section.ram_addr >> KVM_PAGE_SHIFT;
			uint64_t end = base + (slot->section.size >> KVM_PAGE_SHIFT);
			uint64_t from = ram_page > base ? ram_page : base;
			uint64_t to = ram_page + npages < end ? ram_page + npages : end;

			if (from >= to || !(slot->log || l->global_log))
				continue;

			int r = slot_log_clear(l, slot, from - base, to - base - 1);

			if (r)
				result = r;
		}
	}
	listener_unlock(l);
	return result;
}

/* --- writers with logs of their own ------------------------------------------------------------
 */

struct device_log *
memory_listener_device_log(struct memory_listener *l, bool tracks)
{
	struct device_log *d = world_alloc(l->world, sizeof(*d));

	d->listener = l;
	d->tracks = tracks;
	d->next = l->devices;
	l->devices = d;
	page_bitmap_init(&d->log, l->world, l->ram_pages);
	return d;
}

bool
device_log_write(struct device_log *d, uint64_t ram_addr, uint64_t bytes)
{
	struct memory_listener *l = d->listener;
	uint64_t page = ram_addr >> KVM_PAGE_SHIFT;

	uint64_t ram_bytes = l->ram_pages << KVM_PAGE_SHIFT;

	if (bytes > ram_bytes || ram_addr > ram_bytes - bytes)
		return false;
	if (!d->tracks || !l->global_log || !bytes)
		return true;
	for (; page <= (ram_addr + bytes - 1) >> KVM_PAGE_SHIFT; page++)
		page_bitmap_test_and_set(&d->log, l->world, page);
	return true;
}

/* vhost_log_put(): its size is forgotten first in what 5c0ba1be37 mended, so nothing is fetched. */
void
device_log_stop(struct device_log *d)
{
	struct memory_listener *l = d->listener;

	if (!fault_on(l->world, FAULT_VHOST_FINAL_SYNC))
		page_bitmap_move(&d->log, &l->dirty, 0, l->world);
	d->stopped = true;
}
