/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "base/must.h"
#include "engine/cost.h"
#include "notify/iobus.h"

const char *const io_space_name[IO_SPACES] = { "mmio", "pio" }; /* ORDER IO_SPACE */

struct iobus *
iobus_create(struct world *w)
{
	struct iobus *bus = world_alloc(w, sizeof(*bus));

	bus->world = w;
	for (int i = 0; i < IO_SPACES; i++)
		bus->space_names[i] = world_name(w, io_space_name[i]);
	return bus;
}

static void
say(struct iobus *bus, enum event_kind kind, const struct ioeventfd *e)
{
	world_emit(bus->world, kind, e->fd->name, bus->space_names[e->space], (int64_t)e->address,
		   e->length, e->match ? (int64_t)e->value : -1);
}

/* ioeventfd_check_collision() */
static bool
collides(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (a->space != b->space || a->address != b->address)
		return false;
	if (!a->length || !b->length)
		return true;
	return a->length == b->length && (!a->match || !b->match || a->value == b->value);
}

int
iobus_assign(struct iobus *bus, const struct ioeventfd *e)
{
	struct ioeventfd **last = &bus->list;
	struct ioeventfd *new;

	must(e->space < IO_SPACES);
	if (e->length > 8 || (e->length & (e->length - 1)) || e->address + e->length < e->address)
		return -EINVAL;
	if (!e->length && e->match)
		return -EINVAL;
	actor_point(bus->world);
	for (; *last; last = &(*last)->next)
		if (collides(*last, e))
			return -EEXIST;
	if (bus->destroyed[e->space])
		return -ENOMEM;
	new = world_alloc(bus->world, sizeof(*new));
	*new = *e;
	new->matched = 0;
	new->next = NULL;
	*last = new;
	say(bus, EV_IOEVENTFD_ASSIGN, new);
	return 0;
}

/* kvm_io_bus_unregister_dev() without memory for the smaller array. */
static void
destroy(struct iobus *bus, enum io_space space)
{
	struct ioeventfd **p = &bus->list;

	while (*p) {
		struct ioeventfd *e = *p;

		if (e->space != space) {
			p = &e->next;
			continue;
		}
		*p = e->next;
		world_free(bus->world, e, sizeof(*e));
	}
	bus->destroyed[space] = true;
	emit(bus->world, EV_IOBUS_DESTROYED, bus->space_names[space]);
}

int
iobus_deassign(struct iobus *bus, const struct ioeventfd *e)
{
	struct world *w = bus->world;

	actor_point(w);
	for (struct ioeventfd **p = &bus->list; *p; p = &(*p)->next) {
		struct ioeventfd *old = *p;

		if (old->space != e->space || old->fd != e->fd || old->address != e->address ||
		    old->length != e->length || old->match != e->match ||
		    (old->match && old->value != e->value))
			continue;
		say(bus, EV_IOEVENTFD_DEASSIGN, old);
		*p = old->next;
		world_free(w, old, sizeof(*old));
		if (fault_on(w, FAULT_IOBUS_UNREGISTER_ENOMEM) &&
		    world_choose(w, 2, CHOICE_OUTCOME) == 1)
			destroy(bus, e->space);
		return 0;
	}
	return -ENOENT;
}

/* ioeventfd_in_range() */
static bool
in_range(const struct ioeventfd *e, uint32_t length, uint64_t value)
{
	if (!e->length)
		return true;
	return length == e->length && (!e->match || value == e->value);
}

bool
iobus_write(struct iobus *bus, enum io_space space, uint64_t address, uint32_t length,
	    uint64_t value)
{
	if (length < 8)
		value &= (UINT64_C(1) << length * 8) - 1;
	for (struct ioeventfd *e = bus->list; e; e = e->next) {
		if (e->space != space || e->address != address || !in_range(e, length, value))
			continue;
		e->matched++;
		emit(bus->world, EV_IOEVENTFD_MATCH, e->fd->name, bus->space_names[space],
		     (int64_t)address, e->length, (int64_t)value);
		cost_spend(bus->world, COST_IOEVENTFD);
		eventfd_signal(e->fd);
		return true;
	}
	return false;
}

const struct ioeventfd *
iobus_find(const struct iobus *bus, const struct eventfd *fd)
{
	for (const struct ioeventfd *e = bus->list; e; e = e->next)
		if (e->fd == fd)
			return e;
	return NULL;
}
