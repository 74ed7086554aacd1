/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/host_notifier.h"

#include <stdio.h>

#include "notify/eventfd.h"

struct eventfd *
virtio_host_notifier(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;
	char name[64];

	if (vq->host_notifier)
		return vq->host_notifier;
	snprintf(name, sizeof(name), "%s.kick%u", vdev->name_text, vq->index);
	vq->host_notifier = eventfd_create(vdev->w, name, EVENTFD_HOST, EVENTFD_NONBLOCK);
	return vq->host_notifier;
}

void
virtio_host_notifier_self_kick(struct virtio_queue *vq)
{
	if (!vq->vdev->no_look && !fault_on(vq->vdev->w, FAULT_START_NO_SELF_KICK))
		eventfd_set(vq->host_notifier);
}

void
virtio_host_notifier_set(struct virtio_queue *vq, bool assign)
{
	if (assign == vq->host_notifier_enabled)
		return;
	virtio_host_notifier(vq);
	if (assign)
		virtio_host_notifier_self_kick(vq);
	vq->vdev->transport->ioeventfd(vq, assign);
	vq->host_notifier_enabled = assign;
}

void
virtio_host_notifier_read(struct virtio_queue *vq)
{
	if (eventfd_test_and_clear(vq->host_notifier))
		virtio_queue_handle(vq);
}

void
virtio_host_notifier_cleanup(struct virtio_queue *vq)
{
	if (vq->host_notifier)
		virtio_host_notifier_read(vq);
}
