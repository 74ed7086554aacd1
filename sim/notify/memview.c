/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"
#include "engine/cost.h"
#include "memory/race.h"
#include "notify/memview.h"
#include "notify/vcpu.h"

struct memview *
memview_create(struct world *w, struct iobus *bus)
{
	struct memview *view = world_alloc(w, sizeof(*view));

	view->world = w;
	view->bus = bus;
	waitq_init(&view->owner_wait, w, "VMM lock");
	return view;
}

void
memview_set_lock(struct memview *view, void (*lock)(void *arg), void (*unlock)(void *arg),
		 void *arg)
{
	must(!view->owner_depth);
	view->lock = lock;
	view->unlock = unlock;
	view->lock_arg = arg;
}

void
memview_lock(struct memview *view)
{
	struct actor *self = actor_current(view->world);

	if (view->lock) {
		view->lock(view->lock_arg);
		return;
	}
	while (view->owner_depth && view->owner != self)
		waitq_wait(view->world, &view->owner_wait);
	race_acquire(view->world, &view->owner_wait);
	view->owner = self;
	view->owner_depth++;
}

void
memview_unlock(struct memview *view)
{
	if (view->lock) {
		view->unlock(view->lock_arg);
		return;
	}
	must(view->owner_depth && view->owner == actor_current(view->world));
	if (--view->owner_depth)
		return;
	view->owner = NULL;
	waitq_wake_one(view->world, &view->owner_wait);
}

void
memregion_init(struct memregion *r, struct memview *view, const char *name, enum io_space space,
	       uint64_t size_bytes, const struct memregion_ops *ops, void *arg)
{
	must(size_bytes && ops);
	*r = (struct memregion){
		.view = view,
		.name = world_name(view->world, name),
		.space = space,
		.size_bytes = size_bytes,
		.ops = ops,
		.arg = arg,
		.next = view->regions,
	};
	view->regions = r;
}

/* --- transactions --------------------------------------------------------------------------- */

void
memview_begin(struct memview *view)
{
	memview_lock(view);
	view->depth++;
}

/* The new map for exits, in one step. */
static void
update_map(struct memview *view)
{
	for (struct memregion *r = view->regions; r; r = r->next) {
		if (!r->mapped || (r->wanted && r->wanted_base == r->base))
			continue;
		r->mapped = false;
		emit(view->world, EV_MEMREGION_UNMAP, r->name, (int64_t)r->base,
		     (int64_t)r->size_bytes);
	}
	for (struct memregion *r = view->regions; r; r = r->next) {
		if (r->mapped || !r->wanted)
			continue;
		r->mapped = true;
		r->base = r->wanted_base;
		emit(view->world, EV_MEMREGION_MAP, r->name, (int64_t)r->base,
		     (int64_t)r->size_bytes);
	}
}

/* Disarm what has no place any more; free what was deleted. */
static void
disarm(struct memview *view, struct memregion *r)
{
	struct memregion_ioeventfd **p = &r->ioeventfds;

	while (*p) {
		struct memregion_ioeventfd *i = *p;
		bool moved = i->gone || !r->mapped || i->e.address != r->base + i->offset;

		if (i->armed && moved) {
			/* Not found if the bus was destroyed: nobody told us. */
			iobus_deassign(view->bus, &i->e);
			i->armed = false;
		}
		if (!i->gone) {
			p = &i->next;
			continue;
		}
		*p = i->next;
		world_free(view->world, i, sizeof(*i));
	}
}

static void
arm(struct memview *view, struct memregion *r)
{
	for (struct memregion_ioeventfd *i = r->ioeventfds; i; i = i->next) {
		int error;

		if (!r->mapped || i->armed)
			continue;
		i->e.address = r->base + i->offset;
		error = iobus_assign(view->bus, &i->e);
		i->armed = !error;
		if (error)
			emit(view->world, EV_IOEVENTFD_ERROR, i->e.fd->name, (int64_t)i->e.address,
			     error);
	}
}

void
memview_commit(struct memview *view)
{
	must(view->depth);
	if (view->depth == 1 && view->changed) {
		view->changed = false;
		actor_point(view->world);
		update_map(view);
		for (struct memregion *r = view->regions; r; r = r->next)
			disarm(view, r);
		for (struct memregion *r = view->regions; r; r = r->next)
			arm(view, r);
	}
	view->depth--;
	memview_unlock(view);
}

static void
want(struct memregion *r, bool wanted, uint64_t base)
{
	memview_begin(r->view);
	if (r->wanted != wanted || (wanted && r->wanted_base != base)) {
		r->wanted = wanted;
		r->wanted_base = base;
		r->view->changed = true;
	}
	memview_commit(r->view);
}

void
memregion_map(struct memregion *r, uint64_t base)
{
	want(r, true, base);
}

void
memregion_unmap(struct memregion *r)
{
	want(r, false, 0);
}

void
memregion_add_ioeventfd(struct memregion *r, uint64_t offset, uint32_t length, bool match,
			uint64_t value, struct eventfd *fd)
{
	struct memregion_ioeventfd **last = &r->ioeventfds;
	struct memregion_ioeventfd *i;

	must(offset + length <= r->size_bytes);
	memview_begin(r->view);
	i = world_alloc(r->view->world, sizeof(*i));
	i->e = (struct ioeventfd){
		.space = r->space,
		.length = length,
		.match = match,
		.value = value,
		.fd = fd,
	};
	i->offset = offset;
	while (*last)
		last = &(*last)->next;
	*last = i;
	r->view->changed = true;
	memview_commit(r->view);
}

void
memregion_del_ioeventfd(struct memregion *r, uint64_t offset, uint32_t length, bool match,
			uint64_t value, struct eventfd *fd)
{
	memview_begin(r->view);
	for (struct memregion_ioeventfd *i = r->ioeventfds; i; i = i->next) {
		if (i->gone || i->offset != offset || i->e.length != length ||
		    i->e.match != match || (match && i->e.value != value) || i->e.fd != fd)
			continue;
		i->gone = true;
		r->view->changed = true;
		break;
	}
	memview_commit(r->view);
}

/* --- accesses ------------------------------------------------------------------------------- */

struct memregion *
memview_find(const struct memview *view, enum io_space space, uint64_t address, uint32_t length)
{
	for (struct memregion *r = view->regions; r; r = r->next)
		if (r->mapped && r->space == space && address >= r->base &&
		    address - r->base < r->size_bytes &&
		    length <= r->size_bytes - (address - r->base))
			return r;
	return NULL;
}

/* The exit to the VMM. */
static enum io_result
dispatch_write(struct memview *view, struct vcpu *v, enum io_space space, uint64_t address,
	       uint32_t length, uint64_t value)
{
	struct world *w = view->world;
	int64_t id = v ? (int64_t)v->id : -1;
	struct memregion *r;

	emit(w, EV_IO_EXIT, view->bus->space_names[space], (int64_t)address, length, (int64_t)value,
	     id);
	actor_point(w);
	if (v)
		cost_spend(w, COST_USERSPACE_EXIT);
	r = memview_find(view, space, address, length);
	if (!r) {
		emit(w, EV_IO_UNASSIGNED, view->bus->space_names[space], (int64_t)address, length,
		     (int64_t)value, id);
		return IO_UNASSIGNED;
	}
	if (r->ops->write) {
		uint64_t offset = address - r->base;

		memview_lock(view);
		r->ops->write(r->arg, v, offset, length, value);
		memview_unlock(view);
	}
	return IO_VMM;
}

enum io_result
memview_write(struct memview *view, struct vcpu *v, enum io_space space, uint64_t address,
	      uint32_t length, uint64_t value)
{
	enum io_result result;

	vcpu_exit(v);
	actor_point(view->world);
	if (v && iobus_write(view->bus, space, address, length, value))
		result = IO_IOEVENTFD;
	else
		result = dispatch_write(view, v, space, address, length, value);
	vcpu_enter(v);
	return result;
}

uint64_t
memview_read(struct memview *view, struct vcpu *v, enum io_space space, uint64_t address,
	     uint32_t length)
{
	struct world *w = view->world;
	uint64_t ones = length < 8 ? (UINT64_C(1) << length * 8) - 1 : UINT64_MAX;
	int64_t name = view->bus->space_names[space];
	int64_t id = v ? (int64_t)v->id : -1;
	uint64_t value = ones;
	struct memregion *r;

	must(length >= 1 && length <= 8);
	vcpu_exit(v);
	actor_point(w);
	r = memview_find(view, space, address, length);
	if (r) {
		uint64_t offset = address - r->base;

		memview_lock(view);
		value = r->ops->read ? r->ops->read(r->arg, v, offset, length) & ones : 0;
		memview_unlock(view);
		emit(w, EV_IO_READ, name, (int64_t)address, length, (int64_t)value, id);
	} else {
		emit(w, EV_IO_UNASSIGNED_READ, name, (int64_t)address, length, id);
	}
	vcpu_enter(v);
	return value;
}
