/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest notifiers of a device whose interrupts do not go by irqfd (with irqfds off, or while the
 * guest uses INTx): the main loop reads them and raises the interrupts
 * (virtio_queue_guest_notifier_read()).
 */
#ifndef RINGSIDE_VMM_CALL_RELAY_H
#define RINGSIDE_VMM_CALL_RELAY_H

#include "virtio/pci_transport.h"
#include "vmm/main_loop.h"

struct call_relay {
	struct virtio_pci *pci;
	struct main_loop *loop;
	struct aio_handler *handler; /* one a queue */
	bool attached;
};

void
call_relay_init(struct call_relay *relay, struct virtio_pci *pci, struct main_loop *loop);

/* Guest notifiers up and, where no irqfd listens, the handlers; both down. */
void
call_relay_start(struct call_relay *relay);
void
call_relay_stop(struct call_relay *relay);

#endif
