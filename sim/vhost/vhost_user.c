/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vhost_user.h"

#include <stdio.h>

#include "base/must.h"
#include "memory/race.h"
#include "virtio/host_notifier.h"
#include "virtio/pci_transport.h"

static struct vhost_user *
of(const struct virtio_device *vdev)
{
	return vdev->backend_data;
}

static struct vhost_user_ring *
ring_of(struct vhost_user *u, const struct virtio_queue *vq)
{
	return &u->ring[vq->index];
}

/* --- the socket ----------------------------------------------------------------------------- */

/* Into the socket, where @m stays until it is handled. */
static void
post(struct vhost_user *u, struct vhost_user_msg *m)
{
	struct world *w = u->set.vdev->w;

	actor_point(w);
	u->messages++;
	emit(w, EV_VHOST_USER_SEND, u->request_name[m->request], m->index, m->value, m->need_reply);
	m->next = NULL;
	*u->last = m;
	u->last = &m->next;
	waitq_wake_all(w, &u->readable);
}

/* And go on. */
static void
send_async(struct vhost_user *u, enum vhost_user_request request, uint16_t index, int64_t value,
	   struct eventfd *fd)
{
	struct vhost_user_msg *m = world_alloc(u->set.vdev->w, sizeof(*m));

	*m = (struct vhost_user_msg){
		.request = request, .index = index, .value = value, .fd = fd
	};
	post(u, m);
}

/* And wait for the reply: what @value is then. */
static int64_t
send_sync(struct vhost_user *u, enum vhost_user_request request, uint16_t index, int64_t value,
	  struct eventfd *fd)
{
	struct vhost_user_msg m = {
		.request = request, .index = index, .need_reply = true, .value = value, .fd = fd
	};

	must(actor_current(u->set.vdev->w) != u->control);
	post(u, &m);
	while (!m.done)
		waitq_wait(u->set.vdev->w, &u->replied);
	race_acquire(u->set.vdev->w, &u->replied);
	return m.value;
}

/*
 * A message that is to be in force when this returns.  A back-end that cannot acknowledge is asked
 * for something it must answer: messages are handled in order (vhost_user_write_sync()).
 */
static void
send_enforced(struct vhost_user *u, enum vhost_user_request request, uint16_t index, int64_t value,
	      struct eventfd *fd)
{
	if (!u->config.no_reply_ack) {
		send_sync(u, request, index, value, fd);
		return;
	}
	send_async(u, request, index, value, fd);
	send_sync(u, VHOST_USER_GET_FEATURES, 0, 0, NULL);
}

/* --- the other process: data thread --------------------------------------------------------- */

/* The event loop found the kick fd readable. */
static void
kick_work(struct virtio_work *work)
{
	struct vhost_user_ring *ring = work->arg;
	struct vhost_vq *v = ring->v;
	struct virtio_device *vdev = v->vq->vdev;

	vhost_vq_lock(v);
	if (v->backend) {
		eventfd_test_and_clear(v->poll.fd);
		v->runs++;
		v->ops->handle_kick(v);
	} else if (v->poll.fd && fault_on(vdev->w, FAULT_VHOST_USER_KICK_DISCARDED) &&
		   eventfd_test_and_clear(v->poll.fd)) {
		ring->kicks_discarded++;
		emit(vdev->w, EV_VHOST_KICK_DISCARDED, vdev->name, v->vq->index);
	}
	vhost_vq_unlock(v);
}

/* --- the other process: control thread ------------------------------------------------------ */

/* Kick fd or enabling changed: run the ring, or no longer; watch its kick fd, or no longer. */
static void
ring_update(struct vhost_user_ring *ring)
{
	struct vhost_vq *v = ring->v;
	bool run = ring->kick && ring->enabled && v->ring.device;
	bool watch =
		ring->kick && (run || fault_on(v->vq->vdev->w, FAULT_VHOST_USER_KICK_DISCARDED));

	if (!run)
		vhost_vq_clear(v);
	if (!watch)
		vhost_poll_stop(&v->poll);
	if (run && !v->backend)
		vhost_vq_start(v, true);
	/* Last, so that what is in the fd already finds a ring that runs. */
	if (watch)
		vhost_poll_start(&v->poll, ring->kick);
}

static void
set_kick(struct vhost_user *u, struct vhost_user_ring *ring, struct eventfd *fd)
{
	struct virtio_queue *vq = ring->v->vq;

	emit(vq->vdev->w, EV_VHOST_SET_KICK, vq->vdev->name, vq->index, fd ? fd->name : 0);
	ring->kick = fd;
	if (u->config.no_protocol_features)
		ring->enabled = true;
	ring_update(ring);
}

/* vu_set_vring_call_exec() */
static void
set_call(struct vhost_user *u, struct vhost_user_ring *ring, struct eventfd *fd)
{
	struct world *w = u->set.vdev->w;
	bool first = !ring->notifier->call;

	guest_notifier_call_is(ring->notifier, fd);
	if (first && fd && ring->v->backend && !fault_on(w, FAULT_VHOST_USER_CALL_AFTER_KICK))
		eventfd_set(fd);
}

/* Stop the ring and say where it stands. */
static int64_t
get_base(struct vhost_user_ring *ring)
{
	vhost_poll_stop(&ring->v->poll);
	vhost_vq_stop(ring->v);
	ring->kick = NULL;
	ring->enabled = false;
	return vhost_vq_end(ring->v);
}

static void
handle(struct vhost_user *u, struct vhost_user_msg *m)
{
	struct vhost_user_ring *ring = &u->ring[m->index];

	emit(u->set.vdev->w, EV_VHOST_USER_HANDLE, u->request_name[m->request], m->index, m->value);
	switch (m->request) {
	case VHOST_USER_SET_VRING_BASE:
		ring->base = (uint32_t)m->value;
		ring->based = true;
		break;
	case VHOST_USER_SET_VRING_ADDR:
		if (fault_on(u->set.vdev->w, FAULT_VHOST_USER_EVENT_IDX_BY_BASE))
			ring->v->ring.unaware =
				ring->based ? 0 : VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
		vhost_vq_setup(ring->v, VIRTIO_OWNER_VHOST_USER, ring->base);
		break;
	case VHOST_USER_SET_VRING_KICK:
		set_kick(u, ring, m->fd);
		break;
	case VHOST_USER_SET_VRING_CALL:
		set_call(u, ring, m->fd);
		break;
	case VHOST_USER_SET_VRING_ENABLE:
		ring->enabled = m->value;
		ring_update(ring);
		break;
	case VHOST_USER_GET_VRING_BASE:
		m->value = get_base(ring);
		break;
	default:
		break; /* nothing that the model would keep */
	}
}

static void
control_run(struct actor *self, void *arg)
{
	struct vhost_user *u = arg;
	struct world *w = u->set.vdev->w;

	for (;;) {
		struct vhost_user_msg *m;

		while (!u->msg)
			waitq_wait(w, &u->readable);
		race_acquire(w, &u->readable);
		actor_point(w);
		m = u->msg;
		u->msg = m->next;
		if (!u->msg)
			u->last = &u->msg;
		handle(u, m);
		if (m->need_reply) {
			u->replies++;
			m->done = true;
			waitq_wake_all(w, &u->replied);
		} else {
			world_free(w, m, sizeof(*m));
		}
	}
}

/* --- the VMM: call fds ---------------------------------------------------------------------- */

void
vhost_user_set_call(void *arg, struct guest_notifier *n, struct eventfd *fd)
{
	struct vhost_user *u = arg;
	bool swap = n->set->design == GUEST_NOTIFIER_SWAP;

	/* The configuration's is the VMM's own: the process knows queues only. */
	if (n->queue == GUEST_NOTIFIER_CONFIG) {
		guest_notifier_call_is(n, fd);
		return;
	}
	u->ring[n->queue].notifier = n;
	u->ring[n->queue].call = fd;
	if (u->starting)
		return;
	/* The driver takes the vector for masked when its write returns (QEMU 5669655aaf). */
	if (swap && fd && !fault_on(u->set.vdev->w, FAULT_VHOST_USER_MASK_ASYNC))
		send_enforced(u, VHOST_USER_SET_VRING_CALL, (uint16_t)n->queue, 0, fd);
	else
		send_async(u, VHOST_USER_SET_VRING_CALL, (uint16_t)n->queue, 0, fd);
}

static void
guest_notifiers(struct vhost_user *u, bool assign)
{
	struct virtio_device *vdev = u->set.vdev;
	struct guest_notifiers *set =
		vdev->transport == &virtio_pci_ops ? virtio_pci_of(vdev)->notifiers : NULL;

	if (assign && set) {
		set->set_call = vhost_user_set_call;
		set->set_call_arg = u;
	}
	u->starting = assign;
	vhost_guest_notifiers(&u->set, assign);
	if (!assign && set)
		set->set_call = NULL;
}

/* --- the VMM: start and stop ---------------------------------------------------------------- */

static void
host_notifiers(struct virtio_device *vdev, bool assign)
{
	vdev->transport->transaction_begin(vdev);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (!assign || vhost_queue_ready(&vdev->vqs[i]))
			virtio_host_notifier_set(&vdev->vqs[i], assign);
	vdev->transport->transaction_commit(vdev);
}

/* vhost_virtqueue_start(), with the call fd after the kick fd as QEMU sends it. */
static void
ring_start(struct vhost_user *u, struct virtio_queue *vq)
{
	struct vhost_user_ring *ring = ring_of(u, vq);
	uint16_t i = vq->index;

	vhost_queue_lend(vq, VIRTIO_OWNER_VHOST_USER);
	send_async(u, VHOST_USER_SET_VRING_NUM, i, vq->size, NULL);
	if (!u->config.no_base || vq->position)
		send_async(u, VHOST_USER_SET_VRING_BASE, i, vq->position, NULL);
	send_async(u, VHOST_USER_SET_VRING_ADDR, i, 0, NULL);
	send_async(u, VHOST_USER_SET_VRING_KICK, i, 0, vq->host_notifier);
	if (ring->notifier)
		send_async(u, VHOST_USER_SET_VRING_CALL, i, 0, ring->call);
}

static void
ring_enable(struct vhost_user *u, struct virtio_queue *vq)
{
	if (u->config.no_protocol_features)
		return;
	if (fault_on(vq->vdev->w, FAULT_VHOST_USER_ENABLE_ASYNC))
		send_async(u, VHOST_USER_SET_VRING_ENABLE, vq->index, 1, NULL);
	else
		send_enforced(u, VHOST_USER_SET_VRING_ENABLE, vq->index, 1, NULL);
}

static void
ring_stop(struct vhost_user *u, struct virtio_queue *vq)
{
	if (vq->owner != VIRTIO_OWNER_VHOST_USER)
		return;
	if (!u->config.no_protocol_features)
		send_async(u, VHOST_USER_SET_VRING_ENABLE, vq->index, 0, NULL);
	vhost_queue_return(vq,
			   (uint32_t)send_sync(u, VHOST_USER_GET_VRING_BASE, vq->index, 0, NULL));
}

static void
start(struct virtio_device *vdev)
{
	struct vhost_user *u = of(vdev);

	guest_notifiers(u, true);
	host_notifiers(vdev, true);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vhost_queue_ready(&vdev->vqs[i]))
			ring_start(u, &vdev->vqs[i]);
	u->starting = false;
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vhost_queue_ready(&vdev->vqs[i]))
			ring_enable(u, &vdev->vqs[i]);
	if (fault_on(vdev->w, FAULT_VMM_HANDLER_WHILE_VHOST))
		vhost_leftover_kicks(vdev);
}

static void
stop(struct virtio_device *vdev)
{
	struct vhost_user *u = of(vdev);

	for (uint16_t i = 0; i < vdev->queue_count; i++)
		ring_stop(u, &vdev->vqs[i]);
	host_notifiers(vdev, false);
	vhost_leftover_kicks(vdev);
	guest_notifiers(u, false);
}

static void
queue_notifier(struct virtio_queue *vq, bool assign)
{
	vq->vdev->transport->transaction_begin(vq->vdev);
	virtio_host_notifier_set(vq, assign);
	vq->vdev->transport->transaction_commit(vq->vdev);
}

static void
queue_start(struct virtio_queue *vq)
{
	struct vhost_user *u = of(vq->vdev);

	queue_notifier(vq, true);
	ring_start(u, vq);
	ring_enable(u, vq);
}

static void
queue_stop(struct virtio_queue *vq)
{
	ring_stop(of(vq->vdev), vq);
	queue_notifier(vq, false);
	virtio_host_notifier_cleanup(vq);
}

const struct virtio_backend_ops vhost_user_backend_ops = {
	.name = "vhost-user",
	.start = start,
	.stop = stop,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.run = vhost_run,
	.drain = vhost_drain,
};

/* --- creation ------------------------------------------------------------------------------- */

static const char *const request_name[VHOST_USER_REQUESTS] = {
	[VHOST_USER_GET_FEATURES] = "GET_FEATURES",
	[VHOST_USER_SET_VRING_NUM] = "SET_VRING_NUM",
	[VHOST_USER_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VHOST_USER_SET_VRING_BASE] = "SET_VRING_BASE",
	[VHOST_USER_GET_VRING_BASE] = "GET_VRING_BASE",
	[VHOST_USER_SET_VRING_KICK] = "SET_VRING_KICK",
	[VHOST_USER_SET_VRING_CALL] = "SET_VRING_CALL",
	[VHOST_USER_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
};

struct vhost_user *
vhost_user_create(struct virtio_device *vdev, const char *name, const struct vhost_ops *ops,
		  const struct vhost_user_config *config)
{
	struct world *w = vdev->w;
	struct vhost_user *u = world_alloc(w, sizeof(*u));
	char text[64];

	if (config)
		u->config = *config;
	u->last = &u->msg;
	waitq_init(&u->readable, w, "vhost-user message");
	waitq_init(&u->replied, w, "vhost-user reply");
	for (unsigned i = 0; i < VHOST_USER_REQUESTS; i++)
		u->request_name[i] = world_name(w, request_name[i]);
	snprintf(text, sizeof(text), "%s-data", name);
	vhost_vqs_init(&u->set, vdev, vhost_worker_create(w, text, false), ops);
	u->ring = world_alloc(w, vdev->queue_count * sizeof(*u->ring));
	for (uint16_t i = 0; i < vdev->queue_count; i++) {
		struct vhost_user_ring *ring = &u->ring[i];

		ring->v = &u->set.vq[i];
		ring->kick_work = (struct virtio_work){ .fn = kick_work, .arg = ring };
		vhost_poll_init(&ring->v->poll, u->set.worker, &ring->kick_work);
	}
	snprintf(text, sizeof(text), "%s-control", name);
	u->control = actor_create(w, text, control_run, u, 0);
	actor_set_daemon(u->control, true);
	return u;
}
