/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vhost_net.h"

static struct net_queue_pair *
pair_of(const struct vhost_vq *v)
{
	return &virtio_net_of(v->vq->vdev)->pair[v->vq->index / 2];
}

static bool
is_tx(const struct vhost_vq *v)
{
	return v->vq->index % 2;
}

/* --- transmit ------------------------------------------------------------------------------- */

/* vhost_net_signal_used(): publish @count chains, one decision about the interrupt. */
static void
signal_used(struct virtio_ring *r, unsigned *count)
{
	if (!*count)
		return;
	virtio_ring_flush(r, *count);
	virtio_ring_signal(r);
	*count = 0;
}

/* handle_tx_copy() */
static void
handle_tx(struct vhost_vq *v)
{
	struct net_queue_pair *p = pair_of(v);
	struct virtio_ring *r = &v->ring;
	unsigned sent = 0, done = 0;
	uint64_t bytes = 0;

	virtio_ring_disable_notify(r);
	do {
		int n = virtio_ring_pop(r, r->elem);

		if (n < 0)
			break;
		if (!n) {
			if (!virtio_ring_enable_notify(r))
				break;
			virtio_ring_disable_notify(r);
			continue;
		}
		if (!net_tx_ready(p)) {
			/* vhost_discard_vq_desc(); tx_ready() comes */
			virtio_ring_unpop(r, r->elem);
			break;
		}
		net_tx_send(p, r->elem);
		bytes += r->elem->out_bytes;
		virtio_ring_fill(r, r->elem, 0, done++);
		if (done == VHOST_NET_BATCH)
			signal_used(r, &done);
	} while (!vhost_exceeds_weight(v, ++sent, bytes));
	signal_used(r, &done);
}

/* --- receive -------------------------------------------------------------------------------- */

/* No buffers for the next packet. Whether it is worth looking again. */
static bool
rx_starved(struct vhost_vq *v, struct net_queue_pair *p)
{
	if (virtio_ring_enable_notify(&v->ring)) {
		/* They have slipped one in as we were doing that. */
		virtio_ring_disable_notify(&v->ring);
		return true;
	}
	p->rx_stalls++;
	emit(v->vq->vdev->w, EV_VHOST_RX_STALL, v->vq->vdev->name, p->index, p->backlog->bytes);
	return false;
}

static void
handle_rx(struct vhost_vq *v)
{
	struct net_queue_pair *p = pair_of(v);
	struct virtio_ring *r = &v->ring;
	unsigned received = 0;
	uint64_t bytes = 0;

	virtio_ring_disable_notify(r);
	v->sock_poll = false;
	do {
		int count;

		if (!p->backlog) {
			v->sock_poll = true;
			break;
		}
		count = net_rx_take(p, r);
		if (count < 0)
			break; /* until the next kick */
		if (!count) {
			if (!rx_starved(v, p))
				break;
			continue;
		}
		bytes += p->backlog->bytes;
		net_rx_put(p, r, (unsigned)count);
	} while (!vhost_exceeds_weight(v, ++received, bytes));
}

static void
handle_kick(struct vhost_vq *v)
{
	struct virtio_net *net = virtio_net_of(v->vq->vdev);

	if (virtio_net_is_ctrl(net, v->vq->index))
		net_ctrl_serve(&v->ring, &net->device, net->pairs);
	else if (is_tx(v))
		handle_tx(v);
	else
		handle_rx(v);
}

/* --- the socket ----------------------------------------------------------------------------- */

/* vhost_net_enable_vq(): receiving waits for packets; transmitting, only while the wire is busy. */
static void
started(struct vhost_vq *v, bool look)
{
	if (is_tx(v) || virtio_net_is_ctrl(virtio_net_of(v->vq->vdev), v->vq->index))
		return;
	v->sock_poll = true;
	if (look && pair_of(v)->backlog)
		vhost_vq_queue(v);
}

static void
rx_ready(struct net_queue_pair *p)
{
	struct vhost_vq *v = vhost_vq_of(p->rx);
	struct virtio_device *vdev = p->net->vdev;

	if (!v && vdev->backend)
		vdev->backend->run(p->rx, &p->rx_work);
	else if (v && (v->sock_poll || !v->backend))
		vhost_vq_queue(v);
}

static void
tx_ready(struct net_queue_pair *p)
{
	struct vhost_vq *v = vhost_vq_of(p->tx);
	struct virtio_device *vdev = p->net->vdev;

	if (v)
		vhost_vq_queue(v);
	else if (vdev->backend)
		vdev->backend->run(p->tx, &p->tx_complete);
}

static void
attach(struct virtio_device *vdev)
{
	struct virtio_net *net = virtio_net_of(vdev);

	net->rx_ready = rx_ready;
	net->tx_ready = tx_ready;
}

static void
reset(struct virtio_device *vdev)
{
	struct virtio_net *net = virtio_net_of(vdev);

	net_ctrl_reset(&net->device, net->config.mac);
}

const struct vhost_ops vhost_net_ops = {
	.name = "vhost-net",
	.handle_kick = handle_kick,
	.attach = attach,
	.started = started,
	.reset = reset,
	.weight = VHOST_NET_PKT_WEIGHT,
	.byte_weight = VHOST_NET_WEIGHT,
};
