/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/dataplane.h"

#include <stdio.h>

#include "base/must.h"
#include "memory/race.h"
#include "virtio/host_notifier.h"

static struct dataplane *
of(const struct virtio_device *vdev)
{
	return vdev->backend_data;
}

static struct dataplane_queue *
queue_of(const struct virtio_queue *vq)
{
	return &of(vq->vdev)->queue[vq->index];
}

/* --- handlers ------------------------------------------------------------------------------- */

/* Before the rings are taken this finds nothing to run, and the kick is gone. */
static void
on_kick(struct aio_handler *h)
{
	struct dataplane_queue *q = h->arg;

	virtio_host_notifier_read(q->vq);
}

static bool
on_poll(struct aio_handler *h)
{
	struct dataplane_queue *q = h->arg;

	return q->dp->active && !virtio_ring_empty(&q->vq->ring);
}

static void
on_poll_ready(struct aio_handler *h)
{
	struct dataplane_queue *q = h->arg;

	virtio_queue_handle(q->vq);
}

static void
on_poll_begin(struct aio_handler *h)
{
	struct dataplane_queue *q = h->arg;

	virtio_ring_disable_notify(&q->vq->ring);
}

/* The context polls once more after this. */
static void
on_poll_end(struct aio_handler *h)
{
	struct dataplane_queue *q = h->arg;

	virtio_ring_enable_notify(&q->vq->ring);
}

/*
 * Notifications may be off since the handler was polling, and kicks that came while no handler was
 * there were not looked at (QEMU 5bdbaebcce).
 */
static void
attach(struct dataplane_queue *q)
{
	bool look = !fault_on(q->dp->vdev->w, FAULT_DRAIN_NONOTIFY);

	if (q->handler.ctx || !q->dp->ioeventfd)
		return;
	if (look && !q->vq->ring.notification)
		virtio_ring_enable_notify(&q->vq->ring);
	aio_attach(q->dp->ctx, &q->handler);
	if (look)
		virtio_host_notifier_self_kick(q->vq);
}

/* In the thread whose handler it is. */
static void
detach(void *arg)
{
	struct dataplane_queue *q = arg;

	aio_detach(&q->handler);
}

/* --- taking and leaving rings --------------------------------------------------------------- */

/* Queues that take part: enabled, and not on their way out. */
#define for_each_queue(dp, q) \
	for (struct dataplane_queue *q = (dp)->queue; q < (dp)->queue + (dp)->vdev->queue_count; \
	     q++) \
		if (q->vq->enabled && !q->vq->resetting)

static void
take_all(struct dataplane *dp)
{
	for_each_queue(dp, q) virtio_queue_take(q->vq, dp->owner);
	dp->active = true;
}

static void
activate(struct aio_handler *h)
{
	struct dataplane *dp = h->arg;

	if (!eventfd_test_and_clear(h->fd) || dp->active)
		return;
	take_all(dp);
	for_each_queue(dp, q) virtio_host_notifier_self_kick(q->vq);
}

static bool
is_idle(void *arg)
{
	const struct virtio_queue *vq = arg;

	return !vq->inflight;
}

static void
nothing(void *arg)
{
}

static void
drain(struct virtio_queue *vq)
{
	struct dataplane *dp = of(vq->vdev);

	if (dp->ctx == &dp->loop->ctx && bql_locked(dp->loop)) {
		main_loop_poll(dp->loop, is_idle, vq);
		return;
	}
	while (vq->inflight)
		waitq_wait(vq->vdev->w, &vq->drained);
	race_acquire(vq->vdev->w, &vq->drained);
	/* The last chain is filled; who did it may have yet to publish it and to signal. */
	aio_run_there(dp->ctx, nothing, NULL);
}

static void
drain_and_give(struct dataplane *dp)
{
	enum fault no_drain = dp->vdev->resetting ? FAULT_RESET_NO_DRAIN : FAULT_STOP_NO_DRAIN;
	bool wait = !fault_on(dp->vdev->w, no_drain);

	for_each_queue(dp, q)
	{
		if (wait)
			drain(q->vq);
		if (dp->active && q->vq->owner == dp->owner)
			virtio_queue_give(q->vq);
	}
	dp->active = false;
}

static void
guest_notifiers(struct dataplane *dp, bool on)
{
	if (dp->owner != VIRTIO_OWNER_IOTHREAD)
		return;
	if (on)
		call_relay_start(dp->relay);
	else
		call_relay_stop(dp->relay);
}

/* --- start and stop ------------------------------------------------------------------------- */

/* Without ioeventfds nobody else would look at what is there already. */
static void
look_at_all(struct dataplane *dp)
{
	for_each_queue(dp, q)
	{
		if (!q->vq->ring.notification)
			virtio_ring_enable_notify(&q->vq->ring);
		if (!dp->vdev->no_look && !fault_on(dp->vdev->w, FAULT_START_NO_SELF_KICK))
			virtio_queue_handle(q->vq);
	}
}

static void
start(struct virtio_device *vdev)
{
	struct dataplane *dp = of(vdev);
	bool main_loop = dp->owner == VIRTIO_OWNER_MAIN_LOOP;

	if (!dp->activate_async)
		take_all(dp);
	guest_notifiers(dp, true);
	if (!dp->ioeventfd) {
		look_at_all(dp);
		return;
	}
	vdev->transport->transaction_begin(vdev);
	for_each_queue(dp, q)
	{
		virtio_host_notifier_set(q->vq, true);
		if (main_loop)
			attach(q);
	}
	vdev->transport->transaction_commit(vdev);
	/* The iothread may run from the first of these on. */
	for_each_queue(dp, q) attach(q);
	if (dp->activate_async) {
		aio_attach(dp->ctx, &dp->activate);
		eventfd_set(dp->activate.fd);
	}
}

/* virtio_blk_ioeventfd_stop_vq_bh() */
static void
detach_and_read(void *arg)
{
	struct dataplane_queue *q = arg;

	aio_detach(&q->handler);
	virtio_host_notifier_read(q->vq);
}

static void
detach_activate(void *arg)
{
	struct dataplane *dp = arg;

	aio_detach(&dp->activate);
}

static void
stop(struct virtio_device *vdev)
{
	struct dataplane *dp = of(vdev);
	bool main_loop = dp->owner == VIRTIO_OWNER_MAIN_LOOP;
	struct dataplane_queue *end = dp->queue + vdev->queue_count;

	if (main_loop)
		aio_detach(&dp->activate);
	else if (dp->activate.ctx)
		aio_run_there(dp->ctx, detach_activate, dp);
	for (struct dataplane_queue *q = dp->queue; !main_loop && q < end; q++)
		if (q->handler.ctx)
			aio_run_there(dp->ctx, detach_and_read, q);
	vdev->transport->transaction_begin(vdev);
	for (struct dataplane_queue *q = dp->queue; q < end; q++) {
		detach(q);
		virtio_host_notifier_set(q->vq, false);
	}
	vdev->transport->transaction_commit(vdev);
	/* A kick that came before the commit and that nobody took. */
	for (struct dataplane_queue *q = dp->queue; q < end; q++)
		virtio_host_notifier_cleanup(q->vq);
	drain_and_give(dp);
	guest_notifiers(dp, false);
}

static void
queue_start(struct virtio_queue *vq)
{
	struct dataplane *dp = of(vq->vdev);

	/* Before activation: taken with the others then. */
	if (dp->active && !virtio_queue_take(vq, dp->owner))
		return;
	if (!dp->ioeventfd)
		return;
	vq->vdev->transport->transaction_begin(vq->vdev);
	virtio_host_notifier_set(vq, true);
	vq->vdev->transport->transaction_commit(vq->vdev);
	attach(queue_of(vq));
}

static void
queue_stop(struct virtio_queue *vq)
{
	struct dataplane *dp = of(vq->vdev);
	struct dataplane_queue *q = queue_of(vq);

	/* The main loop's handlers need the big lock, which we have: it would not detach. */
	if (dp->owner == VIRTIO_OWNER_MAIN_LOOP)
		detach(q);
	else if (q->handler.ctx)
		aio_run_there(dp->ctx, detach, q);
	vq->vdev->transport->transaction_begin(vq->vdev);
	virtio_host_notifier_set(vq, false);
	vq->vdev->transport->transaction_commit(vq->vdev);
	virtio_host_notifier_cleanup(vq);
	virtio_queue_set_owner(vq, VIRTIO_OWNER_NONE);
}

static void
run(struct virtio_queue *vq, struct virtio_work *work)
{
	aio_bh_schedule(of(vq->vdev)->ctx, work);
}

const struct virtio_backend_ops dataplane_main_loop_ops = {
	.name = "main-loop",
	.start = start,
	.stop = stop,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.run = run,
	.drain = drain,
};

const struct virtio_backend_ops dataplane_iothread_ops = {
	.name = "iothread",
	.start = start,
	.stop = stop,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.run = run,
	.drain = drain,
};

/* --- drained sections ----------------------------------------------------------------------- */

static void
detach_all(void *arg)
{
	struct dataplane *dp = arg;

	for (uint16_t i = 0; i < dp->vdev->queue_count; i++)
		aio_detach(&dp->queue[i].handler);
}

void
dataplane_drain_begin(struct dataplane *dp)
{
	if (dp->drains++)
		return;
	emit(dp->vdev->w, EV_DRAIN_BEGIN, dp->vdev->name);
	if (dp->owner == VIRTIO_OWNER_MAIN_LOOP)
		detach_all(dp);
	else
		aio_run_there(dp->ctx, detach_all, dp);
	for_each_queue(dp, q) drain(q->vq);
}

void
dataplane_drain_end(struct dataplane *dp)
{
	must(dp->drains);
	if (--dp->drains)
		return;
	emit(dp->vdev->w, EV_DRAIN_END, dp->vdev->name);
	if (!dp->vdev->started)
		return;
	for_each_queue(dp, q) attach(q);
}

/* --- creation ------------------------------------------------------------------------------- */

struct dataplane *
dataplane_create(struct virtio_device *vdev, struct main_loop *loop, struct aio_context *ctx,
		 struct call_relay *relay, bool ioeventfd, bool activate_async)
{
	struct dataplane *dp = world_alloc(vdev->w, sizeof(*dp));
	char name[64];

	dp->vdev = vdev;
	dp->loop = loop;
	dp->ctx = ctx;
	dp->owner = ctx == &loop->ctx ? VIRTIO_OWNER_MAIN_LOOP : VIRTIO_OWNER_IOTHREAD;
	dp->relay = relay;
	dp->ioeventfd = ioeventfd;
	if (activate_async) {
		snprintf(name, sizeof(name), "%s.activate", vdev->name_text);
		dp->activate_async = true;
		dp->activate = (struct aio_handler){
			.fd = eventfd_create(vdev->w, name, EVENTFD_OTHER, EVENTFD_NONBLOCK),
			.fn = activate,
			.arg = dp,
		};
	}
	dp->queue = world_alloc(vdev->w, vdev->queue_count * sizeof(*dp->queue));
	for (uint16_t i = 0; i < vdev->queue_count; i++) {
		struct dataplane_queue *q = &dp->queue[i];

		q->dp = dp;
		q->vq = &vdev->vqs[i];
		q->handler = (struct aio_handler){
			.fd = virtio_host_notifier(q->vq),
			.fn = on_kick,
			.arg = q,
		};
		if (dp->owner != VIRTIO_OWNER_IOTHREAD)
			continue;
		q->handler.poll = on_poll;
		q->handler.poll_ready = on_poll_ready;
		q->handler.poll_begin = on_poll_begin;
		q->handler.poll_end = on_poll_end;
	}
	return dp;
}
