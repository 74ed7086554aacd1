/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry of notifiers: which eventfds a device has, what each is for, what it is bound to,
 * and what its counter says.  It is the model's half of the debug interface that "Add debug
 * interface to kick/call on purpose" (qemu-devel, March 2021) argued about: list, look without
 * consuming, write one on purpose.
 *
 * Ids count from 1 in the order of registration, over all devices.  An entry only points: bindings
 * are looked up when asked for, so a list is always of this moment.  Listing changes nothing, emits
 * nothing.
 *
 * Writing one goes through eventfd_set() like any other writer's: whether it passes a mask is then
 * the masking design's answer (guest_notifier.h), which notifier_bypasses_mask() tells beforehand.
 */
#ifndef RINGSIDE_NOTIFY_NOTIFIER_H
#define RINGSIDE_NOTIFY_NOTIFIER_H

#include "engine/world.h"
#include "notify/eventfd.h"
#include "notify/guest_notifier.h"
#include "notify/iobus.h"
#include "notify/irqchip.h"

#define NOTIFIER_NO_QUEUE (-1)

struct notifier {
	uint32_t id;
	int64_t device; /* world_name() number */
	int32_t queue;
	struct eventfd *fd;
	struct guest_notifier *guest; /* whose fd or masked_fd it is, or null */
	struct notifier *next;
};

struct notifiers {
	struct world *world;
	struct iobus *bus; /* where to look for ioeventfds; may be null */
	struct irqchip *chip; /* where to look for irqfds; may be null */
	struct notifier *first, *last;
	uint32_t count;
};

/* One line of the list, self-contained. */
struct notifier_info {
	uint32_t id;
	const char *device;
	const char *name;
	enum eventfd_role role;
	int32_t queue; /* NOTIFIER_NO_QUEUE: the configuration, or none */
	uint64_t count; /* the counter now */
	uint64_t signals, reads; /* ever */

	bool ioeventfd; /* bound to an address: */
	enum io_space space;
	uint64_t address;
	uint32_t length;
	bool match;
	uint64_t value;
	uint64_t matched;

	bool irqfd; /* bound to a GSI: */
	uint32_t gsi;
	struct irqroute route; /* type IRQROUTE_NONE: the GSI leads nowhere */
	uint64_t injected;

	bool has_vector; /* of MSI-X: */
	unsigned vector;
	bool masked; /* by entry, function mask, or MSI-X off */
	bool function_masked;
	bool pending;
	bool call_fd; /* the backend signals this one now */
};

struct notifiers *
notifiers_create(struct world *w, struct iobus *bus, struct irqchip *chip);

/* Register; the id. @guest may be null. */
uint32_t
notifier_add(struct notifiers *r, const char *device, int32_t queue, struct eventfd *fd,
	     struct guest_notifier *guest);
/* Register all of a device's guest, masked and configuration notifiers. */
void
notifier_add_guest(struct notifiers *r, const char *device, struct guest_notifiers *set);

struct notifier *
notifier_find(const struct notifiers *r, uint32_t id);
/* The one of that device (null: any), queue and role, or null. */
struct notifier *
notifier_lookup(const struct notifiers *r, const char *device, int32_t queue,
		enum eventfd_role role);

/*
 * Fill @info with the next after id *@pos (begin with 0) of @device (null: all); false at the end.
 */
bool
notifier_next(const struct notifiers *r, const char *device, uint32_t *pos,
	      struct notifier_info *info);

/* Write 1 to it on purpose: 0, or -ENOENT. */
int
notifier_write(struct notifiers *r, uint32_t id);

/* Whether a write now would raise an interrupt although the vector is masked. */
bool
notifier_bypasses_mask(const struct notifier *n);

/*
 * Dump of the routes in force: the next at or above GSI *@gsi, which moves past it; false at the
 * end.
 */
bool
notifier_next_route(const struct notifiers *r, uint32_t *gsi, struct irqroute *route);

#endif
