/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/precopy_notify.h"

#include "base/must.h"
#include "engine/fault.h"
#include "kvm/memslot.h"

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
precopy_poll(struct world *w)
{
	struct precopy_room *room = world_room(w, ROOM_PRECOPY);

	for (struct precopy_notifier *n = room ? room->first : NULL; n; n = n->next)
		if (n->poll)
			n->poll(n);
}

void
precopy_set_target(struct world *w, struct precopy_target *target)
{
	room_of(w)->target = target;
}

struct precopy_target *
precopy_target(const struct world *w)
{
	const struct precopy_room *room = world_room(w, ROOM_PRECOPY);

	return room ? room->target : NULL;
}

uint64_t
precopy_free_page_hint(struct world *w, uint64_t gpa, uint64_t bytes)
{
	struct precopy_target *t = precopy_target(w);
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
	set = t->hint(t->arg, first, count);
	emit(w, EV_FREE_PAGE_HINT, (int64_t)first, (int64_t)count, (int64_t)set);
	return set;
}
