/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/precopy_notify.h"

#include "base/must.h"
#include "kvm/memslot.h"
#include "kvm/page_bitmap.h"

const char *const precopy_reason_name[PRECOPY_NOTIFY_REASONS] = { /* ORDER PRECOPY_REASON */
								  "setup", "before-bitmap-sync",
								  "after-bitmap-sync", "complete",
								  "cleanup"
};

struct precopy_room {
	struct precopy_notifier *first, **last;
	struct precopy_target *target;
};

static struct precopy_room *
room_of(struct world *w)
{
	struct precopy_room *room = world_room(w, ROOM_PRECOPY);

	if (!room) {
		room = world_alloc(w, sizeof(*room));
		room->last = &room->first;
		world_set_room(w, ROOM_PRECOPY, room);
	}
	return room;
}

void
precopy_add_notifier(struct world *w, struct precopy_notifier *n)
{
	struct precopy_room *room = room_of(w);

	must(n->fn && !n->next);
	*room->last = n;
	room->last = &n->next;
}

void
precopy_notify(struct world *w, enum precopy_reason reason)
{
	struct precopy_room *room = world_room(w, ROOM_PRECOPY);

	if (!room || !room->first)
		return;
	emit(w, EV_PRECOPY_NOTIFY, world_name(w, precopy_reason_name[reason]));
	for (struct precopy_notifier *n = room->first; n; n = n->next)
		n->fn(n, reason);
}

void
precopy_set_target(struct world *w, struct precopy_target *target)
{
	if (target)
		waitq_init(&target->mutex_wait, w, "bitmap_mutex");
	room_of(w)->target = target;
}

struct precopy_target *
precopy_target(const struct world *w)
{
	const struct precopy_room *room = world_room(w, ROOM_PRECOPY);

	return room ? room->target : NULL;
}

/* --- bitmap_mutex --------------------------------------------------------------------------- */

void
precopy_lock(struct world *w, struct precopy_target *target)
{
	if (!actor_current(w))
		return; /* a timer's callback: nobody runs beside it */
	actor_point(w);
	must(target->mutex != actor_current(w));
	while (target->mutex)
		waitq_wait(w, &target->mutex_wait);
	target->mutex = actor_current(w);
}

void
precopy_unlock(struct world *w, struct precopy_target *target)
{
	if (!actor_current(w))
		return;
	must(target->mutex == actor_current(w));
	target->mutex = NULL;
	waitq_wake_one(w, &target->mutex_wait);
}

/* --- hints ---------------------------------------------------------------------------------- */

/* Clear [first, first + count) of the bitmap and take what was set off the count of dirty pages. */
static uint64_t
clear_range(struct world *w, struct precopy_target *t, uint64_t first, uint64_t count)
{
	uint64_t set = 0, before = t->dirty_pages ? *t->dirty_pages : 0;
	bool unlocked = fault_on(w, FAULT_FPH_NO_BITMAP_MUTEX);

	for (uint64_t page = first; page < first + count; page++) {
		set += page_bitmap_test_and_clear(t->bitmap, w, page);
		if (t->dropped)
			t->dropped(t->arg, page);
	}
	/* Read, changed and written back: without the mutex the migration thread does the same
	 * at the same time. */
	if (unlocked && actor_current(w))
		actor_point(w);
	if (t->dirty_pages) {
		bool as_posted = fault_on(w, FAULT_FPH_COUNT_LENGTH);

		*t->dirty_pages = before - (as_posted ? count : set);
	}
	return set;
}

uint64_t
precopy_free_page_hint(struct world *w, uint64_t gpa, uint64_t bytes)
{
	struct precopy_target *t = precopy_target(w);
	bool lock = !fault_on(w, FAULT_FPH_NO_BITMAP_MUTEX);
	uint64_t first, count = bytes >> KVM_PAGE_SHIFT, set;

	if (!t || gpa < t->base_gpa)
		return 0;
	first = (gpa - t->base_gpa) >> KVM_PAGE_SHIFT;
	if (fault_on(w, FAULT_FPH_START_IS_LENGTH))
		first = count;
	if (first >= t->pages)
		return 0;
	if (count > t->pages - first)
		count = t->pages - first;
	if (lock)
		precopy_lock(w, t);
	if (!t->hint && t->clear_log && !fault_on(w, FAULT_FPH_NO_LOG_CLEAR))
		t->clear_log(t->arg, first, count);
	set = t->hint ? t->hint(t->arg, first, count) : clear_range(w, t, first, count);
	emit(w, EV_FREE_PAGE_HINT, (int64_t)(t->base_gpa >> KVM_PAGE_SHIFT) + (int64_t)first,
	     (int64_t)count, (int64_t)set);
	if (lock)
		precopy_unlock(w, t);
	return set;
}
