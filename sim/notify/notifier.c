/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "engine/image.h"
#include "notify/irqfd.h"
#include "notify/notifier.h"

struct notifiers *
notifiers_create(struct world *w, struct iobus *bus, struct irqchip *chip)
{
	struct notifiers *r = world_alloc(w, sizeof(*r));

	r->world = w;
	r->bus = bus;
	r->chip = chip;
	return r;
}

uint32_t
notifier_add(struct notifiers *r, const char *device, int32_t queue, struct eventfd *fd,
	     struct guest_notifier *guest)
{
	struct notifier *n = world_alloc(r->world, sizeof(*n));

	must(fd);
	n->id = ++r->count;
	n->device = world_name(r->world, device);
	n->queue = queue;
	n->fd = fd;
	n->guest = guest;
	if (r->last)
		r->last->next = n;
	else
		r->first = n;
	r->last = n;
	return n->id;
}

void
notifier_add_guest(struct notifiers *r, const char *device, struct guest_notifiers *set)
{
	for (uint32_t i = 0; i <= set->queues; i++) {
		struct guest_notifier *g = &set->notifier[i];

		notifier_add(r, device, g->queue, g->fd, g);
		if (g->masked_fd)
			notifier_add(r, device, g->queue, g->masked_fd, g);
	}
}

struct notifier *
notifier_find(const struct notifiers *r, uint32_t id)
{
	for (struct notifier *n = r->first; n; n = n->next)
		if (n->id == id)
			return n;
	return NULL;
}

/* By text: looking up a name that is new would add it to the world. */
static bool
is_of(const struct notifiers *r, const struct notifier *n, const char *device)
{
	return !device || !strcmp(world_name_text(r->world, n->device), device);
}

struct notifier *
notifier_lookup(const struct notifiers *r, const char *device, int32_t queue,
		enum eventfd_role role)
{
	for (struct notifier *n = r->first; n; n = n->next)
		if (n->fd->role == role && n->queue == queue && is_of(r, n, device))
			return n;
	return NULL;
}

static void
fill_bindings(const struct notifiers *r, const struct notifier *n, struct notifier_info *info)
{
	const struct ioeventfd *e = r->bus ? iobus_find(r->bus, n->fd) : NULL;
	const struct irqfd *f = r->chip ? irqfd_find(r->chip, n->fd) : NULL;

	if (e) {
		info->ioeventfd = true;
		info->space = e->space;
		info->address = e->address;
		info->length = e->length;
		info->match = e->match;
		info->value = e->value;
		info->matched = e->matched;
	}
	if (f) {
		info->irqfd = true;
		info->gsi = f->gsi;
		info->route = f->entry;
		info->injected = f->injected;
	}
}

static void
fill_vector(const struct notifier *n, struct notifier_info *info)
{
	const struct guest_notifier *g = n->guest;
	const struct msix *m = g ? g->set->msix : NULL;

	info->call_fd = g && g->call == n->fd;
	if (!m || g->vector == MSIX_NO_VECTOR)
		return;
	info->has_vector = true;
	info->vector = g->vector;
	info->masked = msix_masked(m, g->vector);
	info->function_masked = !m->enabled || m->maskall;
	info->pending = msix_pending(m, g->vector);
}

bool
notifier_next(const struct notifiers *r, const char *device, uint32_t *pos,
	      struct notifier_info *info)
{
	const struct notifier *n = r->first;

	while (n && (n->id <= *pos || !is_of(r, n, device)))
		n = n->next;
	if (!n)
		return false;
	*pos = n->id;
	world_counters_shown(r->world);
	*info = (struct notifier_info){
		.id = n->id,
		.device = world_name_text(r->world, n->device),
		.name = world_name_text(r->world, n->fd->name),
		.role = n->fd->role,
		.queue = n->queue,
		.count = eventfd_count(n->fd),
		.signals = n->fd->signals,
		.reads = n->fd->reads,
	};
	fill_bindings(r, n, info);
	fill_vector(n, info);
	return true;
}

bool
notifier_bypasses_mask(const struct notifier *n)
{
	const struct guest_notifier *g = n->guest;
	const struct irqfd *f = g ? irqfd_find(g->set->chip, n->fd) : NULL;

	return f && f->entry.type != IRQROUTE_NONE && msix_masked(g->set->msix, g->vector);
}

int
notifier_write(struct notifiers *r, uint32_t id)
{
	struct notifier *n = notifier_find(r, id);

	if (!n)
		return -ENOENT;
	emit(r->world, EV_NOTIFIER_WRITE, id, n->fd->name, notifier_bypasses_mask(n));
	eventfd_set(n->fd);
	return 0;
}

bool
notifier_next_route(const struct notifiers *r, uint32_t *gsi, struct irqroute *route)
{
	const struct irqroute_table *t = &r->chip->routes;

	for (uint32_t i = 0; i < t->count; i++) {
		if (t->entry[i].gsi < *gsi)
			continue;
		*route = t->entry[i];
		*gsi = route->gsi + 1;
		return true;
	}
	return false;
}
