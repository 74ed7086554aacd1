/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/must.h"
#include "notify/guest_notifier.h"
#include "notify/irqfd.h"

const char *const guest_notifier_design_name[GUEST_NOTIFIER_DESIGNS] = {
	/* ORDER GUEST_NOTIFIER_DESIGN */
	"unregister",
	"swap",
};

struct guest_notifiers *
guest_notifiers_create(struct world *w, const char *device, struct irqchip *chip, struct msix *msix,
		       struct intx *intx, uint32_t queues, enum guest_notifier_design design)
{
	struct guest_notifiers *set = world_alloc(w, sizeof(*set));
	char text[64];

	set->world = w;
	set->chip = chip;
	set->msix = msix;
	set->intx = intx;
	set->design = design;
	set->design_name = world_name(w, guest_notifier_design_name[design]);
	set->queues = queues;
	set->notifier = world_alloc(w, (queues + 1) * sizeof(*set->notifier));
	for (uint32_t i = 0; i <= queues; i++) {
		struct guest_notifier *n = &set->notifier[i];
		bool config = i == queues;

		n->set = set;
		n->queue = config ? GUEST_NOTIFIER_CONFIG : (int32_t)i;
		n->vector = MSIX_NO_VECTOR;
		snprintf(text, sizeof(text), config ? "%s.config" : "%s.call%u", device, i);
		n->fd = eventfd_create(w, text, config ? EVENTFD_CONFIG : EVENTFD_GUEST,
				       EVENTFD_NONBLOCK);
		if (design != GUEST_NOTIFIER_SWAP)
			continue;
		snprintf(text, sizeof(text), config ? "%s.masked_config" : "%s.masked%u", device,
			 i);
		n->masked_fd = eventfd_create(w, text, EVENTFD_MASKED, EVENTFD_NONBLOCK);
	}
	return set;
}

struct guest_notifier *
guest_notifier_of(struct guest_notifiers *set, int32_t queue)
{
	if (queue == GUEST_NOTIFIER_CONFIG)
		return &set->notifier[set->queues];
	must(queue >= 0 && (uint32_t)queue < set->queues);
	return &set->notifier[queue];
}

/* --- the call fd ---------------------------------------------------------------------------- */

void
guest_notifier_call_is(struct guest_notifier *n, struct eventfd *fd)
{
	actor_point(n->set->world);
	n->call = fd;
	emit(n->set->world, EV_NOTIFIER_CALL_FD, fd ? fd->name : 0, n->queue);
}

/* vhost_set_vring_call(): at once, or by a message that somebody else handles. */
static void
give_call(struct guest_notifier *n, struct eventfd *fd)
{
	if (n->set->set_call)
		n->set->set_call(n->set->set_call_arg, n, fd);
	else
		guest_notifier_call_is(n, fd);
}

/* --- routes and irqfds ---------------------------------------------------------------------- */

/* kvm_virtio_pci_vq_vector_use() */
static void
route_use(struct guest_notifier *n)
{
	struct guest_notifiers *set = n->set;
	struct vector_route *r = &set->route[n->vector];
	struct msix_info info;

	n->route_user = true;
	if (r->users++)
		return;
	msix_info(set->msix, n->vector, &info);
	r->gsi = irqroute_new_gsi(set->chip);
	r->message = info.message;
	irqroute_set_msi(set->chip, r->gsi, r->message.address, r->message.data);
	irqroute_commit(set->chip);
}

/* The route leaves the shadow; the next commit, whoever's, takes it out of force. */
static void
route_release(struct guest_notifier *n)
{
	struct vector_route *r = &n->set->route[n->vector];

	must(r->users);
	n->route_user = false;
	if (!--r->users)
		irqroute_del(n->set->chip, r->gsi);
}

static void
route_update(struct guest_notifiers *set, unsigned vector, struct msix_message message)
{
	struct vector_route *r = &set->route[vector];

	if (r->message.address == message.address && r->message.data == message.data)
		return;
	r->message = message;
	irqroute_set_msi(set->chip, r->gsi, message.address, message.data);
	irqroute_commit(set->chip);
}

static void
irqfd_use(struct guest_notifier *n)
{
	if (n->irqfd)
		return;
	n->irqfd = true;
	must(!irqfd_assign(n->set->chip, n->fd, n->set->route[n->vector].gsi, NULL));
}

static void
irqfd_release(struct guest_notifier *n)
{
	if (!n->irqfd)
		return;
	n->irqfd = false;
	irqfd_deassign(n->set->chip, n->fd, n->set->route[n->vector].gsi);
}

/* --- masking -------------------------------------------------------------------------------- */

static void
say_mask(struct guest_notifier *n, bool masked)
{
	emit(n->set->world, EV_NOTIFIER_MASK, n->fd->name, n->queue, n->vector, masked,
	     n->set->design_name);
}

/* vhost_virtqueue_mask(false), then vhost_virtqueue_pending(). */
static void
swap_back(struct guest_notifier *n)
{
	bool pending;

	if (fault_on(n->set->world, FAULT_UNMASK_TEST_FIRST)) {
		pending = eventfd_test_and_clear(n->masked_fd);
		give_call(n, n->fd);
	} else {
		/* Test after unmasking: what was signalled until the swap is seen. */
		give_call(n, n->fd);
		pending = eventfd_test_and_clear(n->masked_fd);
	}
	if (pending)
		eventfd_set(n->fd);
}

/* virtio_pci_one_vector_unmask() */
static void
unmask_one(struct guest_notifier *n, struct msix_message message)
{
	struct guest_notifiers *set = n->set;
	bool route_gone = fault_on(set->world, FAULT_MASK_REMOVES_ROUTE);

	if (set->with_irqfd && route_gone && set->design == GUEST_NOTIFIER_UNREGISTER)
		set->route[n->vector].message = (struct msix_message){ 0 };
	if (set->with_irqfd)
		route_update(set, n->vector, message);
	say_mask(n, false);
	if (set->design == GUEST_NOTIFIER_SWAP) {
		swap_back(n);
		return;
	}
	irqfd_use(n);
	if (!n->call) /* FAULT_INIT_MASKED_NO_CALL */
		give_call(n, n->fd);
}

static void
mask_one(struct guest_notifier *n)
{
	struct guest_notifiers *set = n->set;

	say_mask(n, true);
	if (set->design == GUEST_NOTIFIER_SWAP) {
		give_call(n, n->masked_fd);
	} else if (fault_on(set->world, FAULT_MASK_REMOVES_ROUTE)) {
		irqroute_del(set->chip, set->route[n->vector].gsi);
		irqroute_commit(set->chip);
	} else {
		irqfd_release(n);
	}
}

static void
on_use(void *arg, unsigned vector, struct msix_message message)
{
	struct guest_notifiers *set = arg;

	for (uint32_t i = 0; i <= set->queues; i++)
		if (set->notifier[i].vector == vector)
			unmask_one(&set->notifier[i], message);
}

static void
on_release(void *arg, unsigned vector)
{
	struct guest_notifiers *set = arg;

	for (uint32_t i = 0; i <= set->queues; i++)
		if (set->notifier[i].vector == vector)
			mask_one(&set->notifier[i]);
}

/* virtio_pci_vector_poll() */
static void
on_poll(void *arg, unsigned start, unsigned end)
{
	struct guest_notifiers *set = arg;

	for (uint32_t i = 0; i <= set->queues; i++) {
		struct guest_notifier *n = &set->notifier[i];

		if (n->vector < start || n->vector >= end || !msix_masked(set->msix, n->vector))
			continue;
		if (eventfd_test_and_clear(n->masked_fd ? n->masked_fd : n->fd))
			msix_set_pending(set->msix, n->vector);
	}
}

static const struct msix_ops ops = { .use = on_use, .release = on_release, .poll = on_poll };

/* --- start and stop ------------------------------------------------------------------------- */

/* kvm_virtio_pci_vector_use_one() */
static void
vector_begin(struct guest_notifier *n)
{
	if (n->vector == MSIX_NO_VECTOR)
		return;
	route_use(n);
	if (n->set->design == GUEST_NOTIFIER_SWAP)
		irqfd_use(n); /* it stays; the call fd is what masking changes */
}

static void
vector_end(struct guest_notifier *n)
{
	if (!n->route_user)
		return;
	irqfd_release(n);
	route_release(n);
}

static bool
starts_masked(const struct guest_notifier *n)
{
	const struct msix *m = n->set->msix;

	return n->vector != MSIX_NO_VECTOR && msix_masked(m, n->vector);
}

void
guest_notifiers_start(struct guest_notifiers *set, bool with_irqfd)
{
	bool swap = set->design == GUEST_NOTIFIER_SWAP;
	bool msix = set->msix && msix_enabled(set->msix);
	bool start_masked = fault_on(set->world, FAULT_VHOST_START_MASKED);

	must(!set->started);
	set->started = true;
	set->with_irqfd = with_irqfd && msix;
	for (uint32_t i = 0; i <= set->queues; i++) {
		struct guest_notifier *n = &set->notifier[i];

		/*
		 * vhost begins with the vector masked, and forgets what an earlier start left
		 * there.
		 */
		if (swap) {
			eventfd_test_and_clear(n->masked_fd);
			give_call(n, n->masked_fd);
		} else if (!fault_on(set->world, FAULT_INIT_MASKED_NO_CALL) || !set->with_irqfd ||
			   !starts_masked(n)) {
			give_call(n, n->fd);
		}
	}
	if (set->with_irqfd) {
		set->route = world_alloc(set->world, set->msix->vectors * sizeof(*set->route));
		for (uint32_t i = 0; i <= set->queues; i++)
			vector_begin(&set->notifier[i]);
	}
	/* Who swaps is told of masks without irqfd, too; without MSI-X it starts unmasked. */
	set->watched = set->with_irqfd || (swap && msix && !start_masked);
	if (set->watched)
		msix_set_ops(set->msix, &ops, set);
	for (uint32_t i = 0; i <= set->queues && swap && !msix && !start_masked; i++)
		give_call(&set->notifier[i], set->notifier[i].fd);
}

void
guest_notifiers_stop(struct guest_notifiers *set)
{
	must(set->started);
	if (set->watched)
		msix_unset_ops(set->msix);
	set->watched = false;
	if (set->with_irqfd) {
		for (uint32_t i = 0; i <= set->queues; i++)
			vector_end(&set->notifier[i]);
		world_free(set->world, set->route, set->msix->vectors * sizeof(*set->route));
		set->route = NULL;
	}
	for (uint32_t i = 0; i <= set->queues; i++) {
		give_call(&set->notifier[i], NULL);
		/* What nobody had time to take is raised by the VMM. */
		guest_notifier_read(&set->notifier[i]);
	}
	set->started = false;
}

void
guest_notifier_set_vector(struct guest_notifier *n, unsigned vector)
{
	struct guest_notifiers *set = n->set;
	bool live = set->started && set->watched;

	must(vector == MSIX_NO_VECTOR || (set->msix && vector < set->msix->vectors));
	if (vector == n->vector)
		return;
	if (n->vector != MSIX_NO_VECTOR) {
		if (live && !msix_masked(set->msix, n->vector))
			mask_one(n);
		vector_end(n);
		msix_vector_unuse(set->msix, n->vector);
	}
	n->vector = vector;
	if (vector == MSIX_NO_VECTOR)
		return;
	msix_vector_use(set->msix, vector);
	if (!live)
		return;
	if (set->with_irqfd)
		vector_begin(n);
	if (!msix_masked(set->msix, vector))
		unmask_one(n, set->msix->entry[vector].message);
}

/* --- notifying ------------------------------------------------------------------------------ */

bool
guest_notifier_call(struct guest_notifier *n)
{
	struct world *w = n->set->world;

	actor_point(w);
	if (!n->call) {
		emit(w, EV_NOTIFIER_CALL_LOST, n->fd->name, n->queue);
		return false;
	}
	/* The backend's queue lock is held over both: SET_VRING_CALL cannot come between. */
	emit(w, EV_NOTIFIER_CALL, n->call->name, n->queue);
	eventfd_signal_locked(n->call);
	return true;
}

static uint8_t
isr_bit(const struct guest_notifier *n)
{
	return n->queue == GUEST_NOTIFIER_CONFIG ? VIRTIO_PCI_ISR_CONFIG : VIRTIO_PCI_ISR_INTR;
}

void
guest_notifier_notify_irqfd(struct guest_notifier *n)
{
	if (n->set->intx && !fault_on(n->set->world, FAULT_DATAPLANE_NO_ISR))
		intx_set_isr(n->set->intx, isr_bit(n));
	eventfd_set(n->fd);
}

void
guest_notifier_raise(struct guest_notifier *n)
{
	struct guest_notifiers *set = n->set;
	bool msix = set->msix && msix_enabled(set->msix);

	emit(set->world, EV_NOTIFIER_RAISE, n->fd->name, n->queue,
	     n->vector == MSIX_NO_VECTOR ? -1 : (int64_t)n->vector);
	if (set->intx)
		intx_raise(set->intx, isr_bit(n)); /* drives no line while MSI-X is on */
	if (msix && n->vector != MSIX_NO_VECTOR)
		msix_notify(set->msix, n->vector);
}

bool
guest_notifier_read(struct guest_notifier *n)
{
	if (!eventfd_test_and_clear(n->fd))
		return false;
	guest_notifier_raise(n);
	return true;
}
