/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vhost_dev.h"

#include "virtio/host_notifier.h"

static struct vhost_dev *
of(const struct virtio_device *vdev)
{
	return vdev->backend_data;
}

/* --- one ring ------------------------------------------------------------------------------- */

/* vhost_virtqueue_start() */
static void
ring_start(struct vhost_vq *v)
{
	struct virtio_queue *vq = v->vq;
	struct world *w = vq->vdev->w;

	vhost_queue_lend(vq, VIRTIO_OWNER_VHOST);
	vhost_vq_setup(v, VIRTIO_OWNER_VHOST, vq->position);
	actor_point(w);
	emit(w, EV_VHOST_SET_KICK, vq->vdev->name, vq->index, vq->host_notifier->name);
	vhost_poll_start(&v->poll, vq->host_notifier);
}

/*
 * VHOST_NET_SET_BACKEND and its like.  What came before found a worker without a backend and is
 * not signalled again (Linux 0b841030625c).
 */
static void
backend_set(struct vhost_vq *v)
{
	bool look = !fault_on(v->vq->vdev->w, FAULT_VHOST_START_NO_KICK);

	if (!v->ring.device)
		return;
	vhost_vq_start(v, look);
	if (look)
		vhost_vq_queue(v);
}

static void
ring_stop(struct vhost_vq *v)
{
	if (v->vq->owner != VIRTIO_OWNER_VHOST)
		return;
	/* The poll goes first, or a kick would queue work behind the flush. */
	vhost_poll_stop(&v->poll);
	vhost_vq_stop(v);
	vhost_queue_return(v->vq, vhost_vq_end(v));
}

/* --- the device ----------------------------------------------------------------------------- */

static void
start(struct virtio_device *vdev)
{
	struct vhost_vqs *set = &of(vdev)->set;

	vhost_guest_notifiers(set, true);
	vhost_host_notifiers(vdev, true);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vhost_queue_ready(&vdev->vqs[i]))
			ring_start(&set->vq[i]);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vhost_queue_ready(&vdev->vqs[i]))
			backend_set(&set->vq[i]);
	if (fault_on(vdev->w, FAULT_VMM_HANDLER_WHILE_VHOST))
		vhost_leftover_kicks(vdev);
}

static void
stop(struct virtio_device *vdev)
{
	struct vhost_vqs *set = &of(vdev)->set;

	for (uint16_t i = 0; i < vdev->queue_count; i++)
		ring_stop(&set->vq[i]);
	vhost_host_notifiers(vdev, false);
	vhost_leftover_kicks(vdev);
	vhost_guest_notifiers(set, false);
}

static void
queue_notifier(struct virtio_queue *vq, bool assign)
{
	vq->vdev->transport->transaction_begin(vq->vdev);
	vhost_host_notifier(vq, assign);
	vq->vdev->transport->transaction_commit(vq->vdev);
}

static void
queue_start(struct virtio_queue *vq)
{
	struct vhost_vq *v = vhost_vq_of(vq);

	queue_notifier(vq, true);
	ring_start(v);
	backend_set(v);
}

static void
queue_stop(struct virtio_queue *vq)
{
	ring_stop(vhost_vq_of(vq));
	queue_notifier(vq, false);
	virtio_host_notifier_cleanup(vq);
}

const struct virtio_backend_ops vhost_backend_ops = {
	.name = "vhost",
	.start = start,
	.stop = stop,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.run = vhost_run,
	.drain = vhost_drain,
};

struct vhost_dev *
vhost_dev_create(struct virtio_device *vdev, struct vhost_worker *worker,
		 const struct vhost_ops *ops)
{
	struct vhost_dev *dev = world_alloc(vdev->w, sizeof(*dev));

	vhost_vqs_init(&dev->set, vdev, worker, ops);
	return dev;
}
