/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest notifiers of a virtio function: the eventfd between a backend's "call" and the guest's
 * vector, and what masking the vector does to it (QEMU hw/virtio/virtio-pci.c, vhost.c).
 *
 *	backend ── call fd ──▶ guest notifier ── irqfd ──▶ route of the vector ──▶ vCPU
 *	                  └──▶ masked_notifier (nobody listens; looked at)
 *
 * Two designs:
 *
 *	GUEST_NOTIFIER_UNREGISTER  (virtio-blk, virtio-scsi, vhost-scsi) masking takes the irqfd
 *	    away: the call stays in the counter and is injected when the irqfd comes back at
 *	    unmask, or is taken by a read of the pending bits and then replayed from there.
 *	    Writing the notifier while masked has no effect until unmask.
 *	GUEST_NOTIFIER_SWAP  (vhost-net) the irqfd stays; masking gives the backend another call
 *	    fd, masked_notifier.  Unmasking gives it the guest notifier back and *then* looks
 *	    whether the masked one was signalled, and if so sets the guest notifier.  Who writes
 *	    the guest notifier while masked gets an interrupt through the mask: the bypass the
 *	    debug interface has to show.
 *
 * Without irqfd (with_irqfd false, or MSI-X off) the VMM reads the guest notifier in its main loop,
 * guest_notifier_read(), and raises the interrupt itself: ISR, then msix_notify() or INTx.
 *
 * Vectors are shared by queues: one route (GSI) a vector, used by all notifiers on it.  The change
 * of the call fd may be a message on a socket (vhost-user): `set_call` then carries it, and the
 * backend uses the old one until the message is handled.
 */
#ifndef RINGSIDE_NOTIFY_GUEST_NOTIFIER_H
#define RINGSIDE_NOTIFY_GUEST_NOTIFIER_H

#include "engine/world.h"
#include "notify/eventfd.h"
#include "notify/intx.h"
#include "notify/irqchip.h"
#include "notify/msix.h"

/* ORDER GUEST_NOTIFIER_DESIGN */
enum guest_notifier_design {
	GUEST_NOTIFIER_UNREGISTER,
	GUEST_NOTIFIER_SWAP,
	GUEST_NOTIFIER_DESIGNS
};

extern const char *const guest_notifier_design_name[GUEST_NOTIFIER_DESIGNS];

#define GUEST_NOTIFIER_CONFIG (-1) /* queue number of the configuration's notifier */

struct guest_notifiers;
struct guest_notifier;

typedef void (*set_call_fn)(void *arg, struct guest_notifier *n, struct eventfd *fd);

struct guest_notifier {
	struct guest_notifiers *set;
	int32_t queue; /* or GUEST_NOTIFIER_CONFIG */
	unsigned vector; /* MSIX_NO_VECTOR while none */
	struct eventfd *fd;
	struct eventfd *masked_fd; /* masked_notifier; null with GUEST_NOTIFIER_UNREGISTER */
	struct eventfd *call; /* what the backend signals now; null: nothing was given to it */
	bool irqfd; /* an irqfd is armed for fd */
	bool route_user; /* counted in its vector's route */
};

/* The route of one vector (VirtIOIRQFD). */
struct vector_route {
	uint32_t gsi;
	uint32_t users; /* notifiers on it */
	struct msix_message message; /* as last committed */
};

struct guest_notifiers {
	struct world *world;
	struct msix *msix; /* or null */
	struct intx *intx; /* or null: no ISR, no INTx */
	struct irqchip *chip;
	enum guest_notifier_design design;
	int64_t design_name; /* world_name() number */
	bool with_irqfd; /* as asked for at start, if MSI-X is on */
	bool started;
	bool watched; /* msix tells us of masks */
	set_call_fn set_call; /* null: the call fd changes at once (an ioctl) */
	void *set_call_arg;
	uint32_t queues;
	struct guest_notifier *notifier; /* queues, then the configuration's */
	struct vector_route *route; /* one a vector; null unless started with irqfd */
};

/*
 * For @queues queues and the configuration; names are "@device.call0", "@device.masked0", ….
 * @msix and @intx may be null.
 */
struct guest_notifiers *
guest_notifiers_create(struct world *w, const char *device, struct irqchip *chip, struct msix *msix,
		       struct intx *intx, uint32_t queues, enum guest_notifier_design design);

/* Of a queue or GUEST_NOTIFIER_CONFIG. */
struct guest_notifier *
guest_notifier_of(struct guest_notifiers *set, int32_t queue);

/* The driver chose a vector for it (MSIX_NO_VECTOR: none); also after start. */
void
guest_notifier_set_vector(struct guest_notifier *n, unsigned vector);

/* virtio_pci_set_guest_notifiers(): at DRIVER_OK and at stop. */
void
guest_notifiers_start(struct guest_notifiers *set, bool with_irqfd);
void
guest_notifiers_stop(struct guest_notifiers *set);

/* The backend's side: signal the call fd it was given. False if it has none (the call is lost). */
bool
guest_notifier_call(struct guest_notifier *n);

/* virtio_notify_irqfd(): an iothread sets ISR bit 0, then the guest notifier. */
void
guest_notifier_notify_irqfd(struct guest_notifier *n);

/* virtio_notify() in the VMM: ISR and vector, without any eventfd. */
void
guest_notifier_raise(struct guest_notifier *n);

/*
 * The main loop found the guest notifier readable: take it and raise. False if it was not
 * signalled.
 */
bool
guest_notifier_read(struct guest_notifier *n);

/* The backend handled the message that set_call sent: its call fd is @fd from now on. */
void
guest_notifier_call_is(struct guest_notifier *n, struct eventfd *fd);

#endif
