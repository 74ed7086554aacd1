/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/raw_precopy.h"

#include "base/must.h"
#include "kvm/dirty_log.h"
#include "kvm/memslot.h"
#include "memory/guest_memory.h"

#define HVA (UINT64_C(1) << 44)
#define CHUNK 64u /* pages that one KVM_CLEAR_DIRTY_LOG covers */

static uint64_t
source(const struct raw_precopy *m, uint64_t page)
{
	uint64_t value;

	must(gm_read(m->w, (m->first + page) << KVM_PAGE_SHIFT, &value, sizeof(value)));
	return value;
}

static void
set_log(struct raw_precopy *m, bool on)
{
	struct kvm_userspace_memory_region mem = {
		.flags = on ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = m->first << KVM_PAGE_SHIFT,
		.memory_size = m->pages << KVM_PAGE_SHIFT,
		.userspace_addr = HVA,
	};

	must(!kvm_set_user_memory_region(m->kvm, &mem));
}

static void
on_write(struct world *w, uint64_t gpa, uint64_t len, void *context)
{
	struct raw_precopy *m = context;
	uint64_t last = (gpa + len - 1) >> KVM_PAGE_SHIFT;

	for (uint64_t gfn = gpa >> KVM_PAGE_SHIFT; m->active && gfn <= last; gfn++)
		if (gfn - m->first < m->pages)
			kvm_write_guest_page(m->kvm, 0, gfn);
}

/* What the last GETs handed out of these chunks is cleared, so that later writes are seen. */
static void
clear_log(void *arg, uint64_t first, uint64_t count)
{
	struct raw_precopy *m = arg;

	if (!m->manual_protect)
		return;
	for (uint64_t at = first - first % CHUNK; at < first + count; at += CHUNK) {
		uint64_t n = m->pages - at < CHUNK ? m->pages - at : CHUNK;
		uint64_t next = page_bitmap_next(&m->handed, at);

		if (next >= at + n)
			continue;
		must(!kvm_clear_dirty_log(m->kvm, 0, at, n, &m->handed, at));
		for (uint64_t page = at; page < at + n; page++)
			page_bitmap_test_and_clear(&m->handed, m->w, page);
	}
}

static void
dropped(void *arg, uint64_t page)
{
	struct raw_precopy *m = arg;

	m->skipped++;
	page_bitmap_test_and_set(&m->dropped, m->w, page);
}

struct raw_precopy *
raw_precopy_create(struct world *w, uint64_t first, uint64_t pages, bool manual_protect)
{
	struct raw_precopy *m = world_alloc(w, sizeof(*m));

	m->w = w;
	m->kvm = kvm_create(w, &kvm_rules_today);
	m->first = first;
	m->pages = pages;
	m->manual_protect = manual_protect;
	if (manual_protect)
		must(!kvm_enable_manual_dirty_log_protect2(m->kvm,
							   KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	page_bitmap_init(&m->bitmap, w, pages);
	page_bitmap_init(&m->handed, w, pages);
	page_bitmap_init(&m->dropped, w, pages);
	m->destination = world_alloc(w, pages * sizeof(*m->destination));
	m->target = (struct precopy_target){
		.base_gpa = first << KVM_PAGE_SHIFT,
		.pages = pages,
		.bitmap = &m->bitmap,
		.dirty_pages = &m->dirty_pages,
		.clear_log = clear_log,
		.dropped = dropped,
		.arg = m,
	};
	set_log(m, false);
	gm_on_write(w, on_write, m);
	return m;
}

uint64_t
raw_precopy_sync(struct raw_precopy *m)
{
	struct page_bitmap log;
	uint64_t new;

	precopy_notify(m->w, PRECOPY_NOTIFY_BEFORE_BITMAP_SYNC);
	page_bitmap_init(&log, m->w, m->pages);
	actor_point(m->w);
	must(!kvm_get_dirty_log(m->kvm, 0, &log, 0));
	for (uint64_t page = page_bitmap_next(&log, 0); m->manual_protect && page < m->pages;
	     page = page_bitmap_next(&log, page + 1))
		page_bitmap_test_and_set(&m->handed, m->w, page);
	new = page_bitmap_move(&log, &m->bitmap, 0, m->w);
	page_bitmap_free(&log, m->w);
	actor_point(m->w); /* the bits are in, and nobody was told */
	m->dirty_pages += new;
	m->rounds++;
	emit(m->w, EV_MIGRATION_BITMAP_SYNC, (int64_t)m->bitmap.set, (int64_t) new);
	precopy_notify(m->w, PRECOPY_NOTIFY_AFTER_BITMAP_SYNC);
	return m->bitmap.set;
}

void
raw_precopy_begin(struct raw_precopy *m, bool postcopy)
{
	must(!m->active);
	page_bitmap_fill(&m->bitmap, m->w);
	page_bitmap_clear_all(&m->handed, m->w);
	page_bitmap_clear_all(&m->dropped, m->w);
	m->dirty_pages = m->pages;
	m->rounds = m->sent = m->skipped = 0;
	for (uint64_t page = 0; page < m->pages; page++)
		m->destination[page] = RAW_PRECOPY_NOTHING;
	m->target.postcopy = postcopy;
	m->active = true;
	precopy_notify(m->w, PRECOPY_NOTIFY_SETUP);
	set_log(m, true);
	precopy_set_target(m->w, &m->target);
	raw_precopy_sync(m);
}

bool
raw_precopy_send(struct raw_precopy *m, uint64_t gfn)
{
	bool lock = !fault_on(m->w, FAULT_FPH_NO_BITMAP_MUTEX);
	uint64_t from = gfn - m->first < m->pages ? gfn - m->first : 0, page, left;

	actor_point(m->w);
	if (lock)
		precopy_lock(m->w, &m->target);
	page = page_bitmap_next(&m->bitmap, from);
	if (page == m->pages)
		page = page_bitmap_next(&m->bitmap, 0);
	if (page < m->pages) {
		clear_log(m, page, 1);
		left = m->dirty_pages;
		page_bitmap_test_and_clear(&m->bitmap, m->w, page);
		actor_point(m->w); /* the count is read, changed and written back */
		m->dirty_pages = left - 1;
		page_bitmap_test_and_clear(&m->dropped, m->w, page);
	}
	if (lock)
		precopy_unlock(m->w, &m->target);
	if (page == m->pages)
		return false;
	m->sent++;
	m->destination[page] = source(m, page);
	return true;
}

void
raw_precopy_end(struct raw_precopy *m, bool cancelled)
{
	if (!cancelled)
		precopy_notify(m->w, PRECOPY_NOTIFY_COMPLETE);
	precopy_notify(m->w, PRECOPY_NOTIFY_CLEANUP);
	precopy_set_target(m->w, NULL);
	set_log(m, false);
	m->active = false;
}

bool
raw_precopy_same(const struct raw_precopy *m, uint64_t gfn)
{
	must(gfn - m->first < m->pages);
	return source(m, gfn - m->first) == m->destination[gfn - m->first];
}
