/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/call_relay.h"

static void
on_call(struct aio_handler *h)
{
	guest_notifier_read(h->arg);
}

void
call_relay_init(struct call_relay *relay, struct virtio_pci *pci, struct main_loop *loop)
{
	struct virtio_device *vdev = pci->vdev;

	relay->pci = pci;
	relay->loop = loop;
	relay->handler = world_alloc(vdev->w, vdev->queue_count * sizeof(*relay->handler));
	for (uint16_t i = 0; i < vdev->queue_count; i++) {
		struct guest_notifier *n = guest_notifier_of(pci->notifiers, i);

		relay->handler[i] = (struct aio_handler){ .fd = n->fd, .fn = on_call, .arg = n };
	}
}

void
call_relay_start(struct call_relay *relay)
{
	struct virtio_device *vdev = relay->pci->vdev;

	vdev->transport->guest_notifiers(vdev, true);
	relay->attached = !relay->pci->notifiers->with_irqfd;
	for (uint16_t i = 0; relay->attached && i < vdev->queue_count; i++)
		aio_attach(&relay->loop->ctx, &relay->handler[i]);
}

void
call_relay_stop(struct call_relay *relay)
{
	struct virtio_device *vdev = relay->pci->vdev;

	for (uint16_t i = 0; relay->attached && i < vdev->queue_count; i++)
		aio_detach(&relay->handler[i]);
	relay->attached = false;
	vdev->transport->guest_notifiers(vdev, false);
}
