/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vhost_vq.h"

#include "base/must.h"
#include "memory/race.h"
#include "virtio/host_notifier.h"
#include "vhost/vhost_dev.h"
#include "vhost/vdpa.h"
#include "vhost/vhost_user.h"

/* --- the back-end's half -------------------------------------------------------------------- */

void
vhost_vq_lock(struct vhost_vq *v)
{
	struct world *w = v->vq->vdev->w;
	struct actor *self = actor_current(w);

	must(self && v->mutex != self);
	actor_point(w);
	while (v->mutex)
		waitq_wait(w, &v->mutex_wait);
	race_acquire(w, &v->mutex_wait);
	v->mutex = self;
}

void
vhost_vq_unlock(struct vhost_vq *v)
{
	must(v->mutex == actor_current(v->vq->vdev->w));
	v->mutex = NULL;
	waitq_wake_one(v->vq->vdev->w, &v->mutex_wait);
}

void
vhost_vq_run(struct vhost_vq *v)
{
	struct virtio_device *vdev = v->vq->vdev;

	vhost_vq_lock(v);
	if (v->backend) {
		v->runs++;
		v->ops->handle_kick(v);
	} else {
		emit(vdev->w, EV_VHOST_NOT_READY, vdev->name, v->vq->index);
	}
	vhost_vq_unlock(v);
}

static void
run_work(struct virtio_work *work)
{
	vhost_vq_run(work->arg);
}

void
vhost_vq_queue(struct vhost_vq *v)
{
	vhost_work_queue(v->worker, &v->work);
}

void
vhost_vq_init(struct vhost_vq *v, struct virtio_queue *vq, struct vhost_worker *worker,
	      const struct vhost_ops *ops)
{
	v->vq = vq;
	v->ring.vq = vq;
	v->worker = worker;
	v->ops = ops;
	v->weight = ops->weight;
	v->byte_weight = ops->byte_weight;
	v->work = (struct virtio_work){ .fn = run_work, .arg = v };
	waitq_init(&v->mutex_wait, vq->vdev->w, "vhost ring");
	vhost_poll_init(&v->poll, worker, &v->work);
}

void
vhost_vq_setup(struct vhost_vq *v, enum virtio_owner owner, uint32_t position)
{
	struct virtio_device *vdev = v->vq->vdev;
	int ret;

	actor_point(vdev->w);
	ret = virtio_ring_init(&v->ring, v->vq, owner, position);
	emit(vdev->w, EV_VHOST_SET_RING, vdev->name, v->vq->index, position, ret);
	if (ret < 0)
		virtio_error(vdev, "ring cannot be set up");
}

static void
set_backend(struct vhost_vq *v, bool on)
{
	struct virtio_device *vdev = v->vq->vdev;

	vhost_vq_lock(v);
	v->backend = on;
	v->sock_poll = false;
	emit(vdev->w, EV_VHOST_SET_BACKEND, vdev->name, v->vq->index, on);
	vhost_vq_unlock(v);
}

void
vhost_vq_start(struct vhost_vq *v, bool look)
{
	set_backend(v, true);
	if (v->ops->started)
		v->ops->started(v, look);
}

void
vhost_vq_clear(struct vhost_vq *v)
{
	if (v->backend)
		set_backend(v, false);
}

void
vhost_vq_stop(struct vhost_vq *v)
{
	struct virtio_queue *vq = v->vq;
	struct world *w = vq->vdev->w;
	enum fault no_drain = vq->resetting	    ? FAULT_QUEUE_RESET_NO_QUIESCE
			      : vq->vdev->resetting ? FAULT_RESET_NO_DRAIN
						    : FAULT_STOP_NO_DRAIN;

	vhost_vq_clear(v);
	vhost_worker_flush(v->worker);
	if (!fault_on(w, no_drain))
		vhost_drain(vq);
}

uint32_t
vhost_vq_end(struct vhost_vq *v)
{
	struct virtio_queue *vq = v->vq;
	uint32_t position = v->ring.device ? virtio_ring_position(&v->ring) : vq->position;

	must(!v->backend);
	emit(vq->vdev->w, EV_VHOST_GET_BASE, vq->vdev->name, vq->index, position, vq->inflight);
	virtio_ring_destroy(&v->ring);
	return position;
}

bool
vhost_exceeds_weight(struct vhost_vq *v, unsigned count, uint64_t bytes)
{
	if ((!v->weight || count < v->weight) && (!v->byte_weight || bytes < v->byte_weight))
		return false;
	vhost_vq_queue(v);
	return true;
}

/* --- all queues of a device ----------------------------------------------------------------- */

void
vhost_vqs_init(struct vhost_vqs *set, struct virtio_device *vdev, struct vhost_worker *worker,
	       const struct vhost_ops *ops)
{
	set->vdev = vdev;
	set->worker = worker;
	set->ops = ops;
	set->vq = world_alloc(vdev->w, vdev->queue_count * sizeof(*set->vq));
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		vhost_vq_init(&set->vq[i], &vdev->vqs[i], worker, ops);
	if (ops->attach)
		ops->attach(vdev);
}

static struct vhost_vqs *
set_of(const struct virtio_device *vdev)
{
	if (vdev->backend != &vhost_backend_ops && vdev->backend != &vhost_user_backend_ops &&
	    vdev->backend != &vdpa_backend_ops && vdev->backend != &vdpa_hw_ops)
		return NULL;
	return vdev->backend_data;
}

struct vhost_vq *
vhost_vq_of(const struct virtio_queue *vq)
{
	struct vhost_vqs *set = set_of(vq->vdev);

	return set ? &set->vq[vq->index] : NULL;
}

void
vhost_run(struct virtio_queue *vq, struct virtio_work *work)
{
	vhost_work_queue(vhost_vq_of(vq)->worker, work);
}

/* A chain is in flight until it is filled; the flush waits for it to be published and signalled. */
void
vhost_drain(struct virtio_queue *vq)
{
	while (vq->inflight)
		waitq_wait(vq->vdev->w, &vq->drained);
	race_acquire(vq->vdev->w, &vq->drained);
	vhost_worker_flush(vhost_vq_of(vq)->worker);
}

/* --- the VMM's half ------------------------------------------------------------------------- */

bool
vhost_queue_ready(const struct virtio_queue *vq)
{
	return vq->enabled && !vq->resetting;
}

void
vhost_host_notifier(struct virtio_queue *vq, bool assign)
{
	if (assign == vq->host_notifier_enabled)
		return;
	virtio_host_notifier(vq);
	vq->vdev->transport->ioeventfd(vq, assign);
	vq->host_notifier_enabled = assign;
}

/* vhost_dev_enable_notifiers(), vhost_dev_disable_notifiers() */
void
vhost_host_notifiers(struct virtio_device *vdev, bool assign)
{
	vdev->transport->transaction_begin(vdev);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (!assign || vhost_queue_ready(&vdev->vqs[i]))
			vhost_host_notifier(&vdev->vqs[i], assign);
	vdev->transport->transaction_commit(vdev);
}

void
vhost_guest_notifiers(struct vhost_vqs *set, bool assign)
{
	if (set->guest_notifiers)
		set->guest_notifiers(set->guest_notifiers_arg, assign);
	else
		set->vdev->transport->guest_notifiers(set->vdev, assign);
}

void
vhost_queue_lend(struct virtio_queue *vq, enum virtio_owner owner)
{
	if (!vq->ring.device &&
	    virtio_ring_init(&vq->ring, vq, VIRTIO_OWNER_MAIN_LOOP, vq->position) < 0)
		virtio_error(vq->vdev, "ring cannot be set up");
	virtio_queue_set_owner(vq, owner);
}

void
vhost_queue_return(struct virtio_queue *vq, uint32_t position)
{
	virtio_queue_set_position(vq, position);
	virtio_queue_set_owner(vq, VIRTIO_OWNER_NONE);
}

void
vhost_leftover_kicks(struct virtio_device *vdev)
{
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		virtio_host_notifier_cleanup(&vdev->vqs[i]);
}
