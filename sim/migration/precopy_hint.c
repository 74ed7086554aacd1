/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bitmap_mutex, migration_dirty_pages, and qemu_guest_free_page_hint(). */
#include "base/must.h"
#include "engine/fault.h"
#include "kvm/page_words.h"
#include "migration/precopy_impl.h"

#define LET_IN_NS 50000

/* --- bitmap_mutex --------------------------------------------------------------------------- */

/*
 * Mesa style and not fair, as a futex: who unlocks and locks again at once gets it before those
 * that wait.
 */
void
precopy_bitmap_lock(struct precopy *m)
{
	struct actor *self = actor_current(m->w);

	/* A timer's callback: nobody runs beside it. */
	if (!self || fault_on(m->w, FAULT_FPH_NO_BITMAP_MUTEX))
		return;
	must(m->bitmap_mutex != self);
	if (m->bitmap_mutex && !m->mutex_wait.name)
		waitq_init(&m->mutex_wait, m->w, "bitmap_mutex"); /* few migrations need it */
	while (m->bitmap_mutex)
		waitq_wait(m->w, &m->mutex_wait);
	m->bitmap_mutex = self;
}

void
precopy_bitmap_unlock(struct precopy *m)
{
	if (!m->bitmap_mutex || m->bitmap_mutex != actor_current(m->w))
		return;
	m->bitmap_mutex = NULL;
	waitq_wake_one(m->w, &m->mutex_wait);
}

/*
 * Between the unlock and the next lock the thread writes to a socket and asks what is pending.
 * QEMU 7.2 with a trace of both takes 30 to 300 us, and who was woken by the unlock runs within 50.
 */
void
precopy_let_in(struct precopy *m)
{
	bool wanted = !m->vm->steps && m->mutex_wait.name && !waitq_empty(&m->mutex_wait);

	precopy_walk_unlock(m);
	if (wanted)
		precopy_spend(m, LET_IN_NS, true);
}

/*
 * Without the mutex the count is read, changed and written back by two threads at the same time.
 * Between the two halves of a change there is a point only then.
 */
static void
count_down(struct precopy *m, uint64_t before, uint64_t pages)
{
	if (fault_on(m->w, FAULT_FPH_NO_BITMAP_MUTEX))
		precopy_point(m);
	m->dirty_pages = before - pages;
}

bool
precopy_clear_dirty(struct precopy *m, uint64_t page)
{
	bool own = !m->bitmap_mutex || m->bitmap_mutex != actor_current(m->w), dirty;
	uint64_t before;

	if (own)
		precopy_bitmap_lock(m);
	before = m->dirty_pages;
	dirty = page_bitmap_test_and_clear(&m->bitmap, m->w, page);
	if (dirty)
		count_down(m, before, 1);
	if (own)
		precopy_bitmap_unlock(m);
	return dirty;
}

/* --- hints ---------------------------------------------------------------------------------- */

/* migration_is_setup_or_active(), and there is a bitmap. */
static bool
takes_hints(const struct precopy *m)
{
	return m->bitmap.npages && (m->state == PRECOPY_SETUP || m->state == PRECOPY_ACTIVE ||
				    m->state == PRECOPY_DEVICE);
}

/* What is pending of the log's clearing, chunk by chunk: also for pages that nobody hinted. */
static void
clear_chunks(struct precopy *m, uint64_t first, uint64_t count)
{
	uint64_t size = m->config.clear_chunk_pages;

	if (fault_on(m->w, FAULT_FPH_NO_LOG_CLEAR))
		return;
	for (uint64_t page = first - first % size; page < first + count; page += size)
		precopy_clear_chunk(m, page);
}

/* It need not arrive, until it is written again. */
static void
drop(struct precopy *m, uint64_t page)
{
	page_bitmap_test_and_set(&m->dropped, m->w, page);
	if (vm_watches(m->vm, page))
		vm_record(m->vm, page, 0, "hinted", m->name);
}

uint64_t
precopy_hint(struct precopy *m, uint64_t first, uint64_t count)
{
	uint64_t before, set = 0;

	if (!takes_hints(m))
		return 0;
	precopy_bitmap_lock(m);
	if (takes_hints(m)) { /* it may have ended meanwhile */
		clear_chunks(m, first, count);
		before = m->dirty_pages;
		set = page_words_clear_range(&m->bitmap, m->w, first, count);
		for (uint64_t page = first; page < first + count; page++)
			drop(m, page);
		m->vm->dropping = true;
		m->stats.hinted_pages += set;
		count_down(m, before, fault_on(m->w, FAULT_FPH_COUNT_LENGTH) ? count : set);
	}
	precopy_bitmap_unlock(m);
	return set;
}
