/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device, and what the VMM's handlers do. The wire and the buffers are in net_wire.c. */
#include "virtio/net.h"

#include <string.h>

#include "base/must.h"
#include "virtio/suspend.h"

const char *const net_suspend_rx_name[] = { /* ORDER NET_SUSPEND_RX */
					    "keep", "return", "wait"
};

/* 5.1.3.1 */
#define NEEDS(feature, needs) \
	{ \
		VIRTIO_NET_F_##feature, VIRTIO_BIT(VIRTIO_NET_F_##needs), 0 \
	}
static const struct virtio_feature_dep net_deps[] = {
	NEEDS(GUEST_TSO4, GUEST_CSUM),
	NEEDS(GUEST_TSO6, GUEST_CSUM),
	NEEDS(GUEST_UFO, GUEST_CSUM),
	NEEDS(GUEST_USO4, GUEST_CSUM),
	NEEDS(GUEST_USO6, GUEST_CSUM),
	{ VIRTIO_NET_F_GUEST_ECN, 0,
	  VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) },
	NEEDS(HOST_TSO4, CSUM),
	NEEDS(HOST_TSO6, CSUM),
	NEEDS(HOST_UFO, CSUM),
	NEEDS(HOST_USO, CSUM),
	{ VIRTIO_NET_F_HOST_ECN, 0,
	  VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) },
	{ VIRTIO_NET_F_RSC_EXT, 0,
	  VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_BIT(VIRTIO_NET_F_HOST_TSO6) },
	NEEDS(CTRL_RX, CTRL_VQ),
	NEEDS(CTRL_VLAN, CTRL_VQ),
	NEEDS(GUEST_ANNOUNCE, CTRL_VQ),
	NEEDS(MQ, CTRL_VQ),
	NEEDS(CTRL_MAC_ADDR, CTRL_VQ),
	NEEDS(NOTF_COAL, CTRL_VQ),
	NEEDS(VQ_NOTF_COAL, CTRL_VQ),
	NEEDS(RSS, CTRL_VQ),
	{ VIRTIO_NET_F_HASH_TUNNEL, VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ),
	  VIRTIO_BIT(VIRTIO_NET_F_RSS) | VIRTIO_BIT(VIRTIO_NET_F_HASH_REPORT) },
	{ VIRTIO_DEP_END, 0, 0 },
};

/* A handler may be late: the device was stopped, or the ring is another's by now. */
static bool
ours(const struct virtio_queue *vq)
{
	return virtio_device_live(vq->vdev) && vq->vdev->vm_running && vq->enabled &&
	       !vq->resetting &&
	       (vq->owner == VIRTIO_OWNER_MAIN_LOOP || vq->owner == VIRTIO_OWNER_IOTHREAD);
}

/* --- receive -------------------------------------------------------------------------------- */

/* virtio_net_has_buffers(): buffers for the next packet in p->chains, or notifications on and 0. */
static int
take_buffers(struct net_queue_pair *p)
{
	struct virtio_ring *r = &p->rx->ring;
	int count;

	while (!(count = net_rx_take(p, r)))
		if (!virtio_ring_enable_notify(r)) {
			p->rx_stalls++;
			emit(p->net->vdev->w, EV_VIRTIO_NET_RX_STALL, p->net->vdev->name, p->index,
			     p->backlog->bytes);
			return 0;
		}
	virtio_ring_disable_notify(r);
	return count;
}

static void
receive(struct net_queue_pair *p)
{
	while (p->backlog && ours(p->rx)) {
		int count = take_buffers(p);

		if (count <= 0)
			return;
		net_rx_put(p, &p->rx->ring, (unsigned)count);
	}
	if (p->net->config.rx_ahead && ours(p->rx))
		net_rx_prefetch(p, &p->rx->ring);
}

static void
receive_work(struct virtio_work *work)
{
	receive(work->arg);
}

/* --- transmit ------------------------------------------------------------------------------- */

/* virtio_net_flush_tx(): packets sent, or -1 when one is parked. */
static int
flush_tx(struct net_queue_pair *p)
{
	struct virtio_ring *r = &p->tx->ring;
	unsigned burst = p->net->config.tx_burst;
	unsigned count = 0;

	if (p->async_tx) {
		virtio_ring_disable_notify(r);
		return 0;
	}
	while (virtio_ring_pop(r, r->elem) > 0) {
		if (!net_tx_ready(p)) {
			virtio_ring_disable_notify(r);
			p->async_tx = virtio_elem_dup(p->net->vdev->w, r->elem);
			return -1;
		}
		net_tx_send(p, r->elem);
		virtio_ring_push(r, r->elem, 0);
		virtio_ring_signal(r);
		if (++count >= burst)
			break;
	}
	return (int)count;
}

static void
schedule_tx(struct net_queue_pair *p)
{
	virtio_ring_disable_notify(&p->tx->ring);
	p->tx_waiting = true;
	p->net->vdev->backend->run(p->tx, &p->tx_bh);
}

/* virtio_net_handle_tx_bh() */
static void
handle_tx(struct net_queue_pair *p)
{
	if (!p->tx_waiting && p->net->vdev->vm_running)
		schedule_tx(p);
}

/* virtio_net_tx_bh() */
static void
tx_bh(struct virtio_work *work)
{
	struct net_queue_pair *p = work->arg;
	int count;

	p->tx_waiting = false;
	if (!ours(p->tx))
		return;
	count = flush_tx(p);
	if (count < 0)
		return; /* tx_complete() goes on */
	if ((unsigned)count >= p->net->config.tx_burst) {
		schedule_tx(p);
		return;
	}
	/* Less than a burst: notifications on, and what came in while nobody looked. */
	virtio_ring_enable_notify(&p->tx->ring);
	if (flush_tx(p) > 0)
		schedule_tx(p);
}

/* virtio_net_tx_complete() */
static void
tx_complete(struct virtio_work *work)
{
	struct net_queue_pair *p = work->arg;
	struct virtio_ring *r = &p->tx->ring;
	struct world *w = p->net->vdev->w;
	int count;

	if (!p->async_tx)
		return;
	net_tx_send(p, p->async_tx);
	virtio_ring_push(r, p->async_tx, 0);
	virtio_elem_free(w, p->async_tx);
	p->async_tx = NULL;
	virtio_ring_signal(r);
	if (!ours(p->tx))
		return;
	virtio_ring_enable_notify(r);
	count = flush_tx(p);
	/* Stopped by the burst: nobody else will look at what is left (QEMU df8d070817). */
	if (count >= 0 && (unsigned)count >= p->net->config.tx_burst &&
	    !fault_on(w, FAULT_NET_TX_BURST_ASYNC))
		schedule_tx(p);
}

#define CTRL_FEATURES \
	(VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_BIT(VIRTIO_NET_F_CTRL_RX) | \
	 VIRTIO_BIT(VIRTIO_NET_F_CTRL_MAC_ADDR))

/* --- the device ----------------------------------------------------------------------------- */

static void
handle_output(struct virtio_queue *vq)
{
	struct virtio_net *net = virtio_net_of(vq->vdev);
	struct net_queue_pair *p = &net->pair[vq->index / 2];

	if (virtio_net_is_ctrl(net, vq->index))
		net_ctrl_serve(&vq->ring, &net->model, net->pairs);
	else if (vq->index % 2)
		handle_tx(p);
	else
		receive(p);
}

/* Packets that came before the driver was ready are looked at when it is (QEMU 38705bb57b). */
static void
set_status(struct virtio_device *vdev, uint8_t status)
{
	struct virtio_net *net = virtio_net_of(vdev);

	if (!status)
		net_ctrl_reset(&net->model, net->config.mac);
	if (!(status & VIRTIO_CONFIG_S_DRIVER_OK) || !vdev->backend)
		return;
	for (uint16_t i = 0; i < net->pairs; i++)
		if (net->pair[i].backlog && !net->rx_ready)
			vdev->backend->run(net->pair[i].rx, &net->pair[i].rx_work);
}

static void
rewind_rx(struct virtio_queue *vq)
{
	struct virtio_net *net = virtio_net_of(vq->vdev);

	if (!virtio_net_is_ctrl(net, vq->index) && vq->index % 2 == 0)
		net_rx_rewind(&net->pair[vq->index / 2], &vq->ring, false);
}

/* Buffers that were popped ahead are no requests: the rings are left without them. */
static void
running(struct virtio_device *vdev, bool on)
{
	struct virtio_net *net = virtio_net_of(vdev);
	bool suspends = vdev->quiesced && !vdev->resetting;

	if (on || (suspends && net->config.suspend_rx == NET_SUSPEND_RX_WAIT))
		return;
	for (uint16_t i = 0; i < net->pairs; i++)
		net_rx_rewind(&net->pair[i], &net->pair[i].rx->ring,
			      suspends && net->config.suspend_rx == NET_SUSPEND_RX_RETURN);
}

/* Nothing is thrown away.  Quirk: the RFC purges, and a packet that waits counts as sent. */
static void
suspend(struct virtio_device *vdev)
{
	struct virtio_net *net = virtio_net_of(vdev);

	if (!fault_on(vdev->w, FAULT_SUSPEND_PURGES_TX))
		return;
	for (uint16_t i = 0; i < net->pairs; i++) {
		struct net_queue_pair *p = &net->pair[i];

		if (!p->async_tx)
			continue;
		timer_cancel(vdev->w, &p->busy);
		virtio_ring_push(&p->tx->ring, p->async_tx, 0);
		virtio_elem_free(vdev->w, p->async_tx);
		p->async_tx = NULL;
		virtio_ring_signal(&p->tx->ring);
	}
}

const struct virtio_type_ops virtio_net_type = {
	.name = "virtio-net",
	.device_id = VIRTIO_ID_NET,
	.features = VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) |
		    VIRTIO_BIT(VIRTIO_NET_F_STATUS) | CTRL_FEATURES | VIRTIO_BIT(VIRTIO_NET_F_MQ),
	.deps = net_deps,
	.config_bytes = sizeof(struct virtio_net_config),
	.handle_output = handle_output,
	.set_status = set_status,
	.suspend = suspend,
	.running = running,
	.rewind = rewind_rx,
};

static void
wire_free(struct world *w, struct timer *t)
{
	struct net_queue_pair *p = t->arg;
	struct virtio_net *net = p->net;

	if (net->tx_ready)
		net->tx_ready(p);
	else
		virtio_suspend_run(p->tx, &p->tx_complete);
}

static void
pair_init(struct net_queue_pair *p, struct virtio_net *net, uint16_t index)
{
	struct virtio_device *vdev = net->vdev;

	p->net = net;
	p->index = index;
	p->rx = &vdev->vqs[2 * index];
	p->tx = &vdev->vqs[2 * index + 1];
	p->backlog_last = &p->backlog;
	p->rx_work = (struct virtio_work){ .fn = receive_work, .arg = p };
	p->tx_bh = (struct virtio_work){ .fn = tx_bh, .arg = p };
	p->tx_complete = (struct virtio_work){ .fn = tx_complete, .arg = p };
	p->chains = world_alloc(vdev->w, p->rx->size_max * sizeof(*p->chains));
	if (net->config.rx_ahead)
		p->ahead = world_alloc(vdev->w, p->rx->size_max * sizeof(*p->ahead));
	timer_init(&p->busy, wire_free, p);
}

struct virtio_net *
virtio_net_create(struct virtio_device *vdev, struct world *w, const char *name,
		  const struct dp_device_ops *datapath, uint64_t features, uint16_t pairs,
		  uint16_t queue_size, const struct net_config *config)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 }, none[6];
	struct virtio_net *net = world_alloc(w, sizeof(*net));
	struct virtio_net_config space = { .status = VIRTIO_NET_S_LINK_UP,
					   .max_virtqueue_pairs = pairs };

	net->vdev = vdev;
	net->config = *config;
	if (!net->config.tx_burst)
		net->config.tx_burst = NET_TX_BURST;
	if (!memcmp(config->mac, none, sizeof(none)))
		memcpy(net->config.mac, mac, sizeof(mac));
	memcpy(space.mac, net->config.mac, sizeof(space.mac));
	features &= ~(CTRL_FEATURES | VIRTIO_BIT(VIRTIO_NET_F_MQ));
	if (config->ctrl)
		features |= CTRL_FEATURES | (pairs > 1 ? VIRTIO_BIT(VIRTIO_NET_F_MQ) : 0);
	net_ctrl_reset(&net->model, net->config.mac);
	net_ctrl_reset(&net->device, net->config.mac);
	virtio_device_init(vdev, w, name, &virtio_net_type, datapath, features,
			   (uint16_t)(2 * pairs + config->ctrl), queue_size);
	vdev->priv = net;
	virtio_config_init(vdev, 0, &space, sizeof(space));
	net->sent_last = &net->sent;
	waitq_init(&net->sent_wait, w, "packet from the guest");
	net->pairs = pairs;
	net->pair = world_alloc(w, pairs * sizeof(*net->pair));
	for (uint16_t i = 0; i < pairs; i++)
		pair_init(&net->pair[i], net, i);
	return net;
}

void
virtio_net_set_link(struct virtio_net *net, bool up)
{
	uint16_t status = up ? VIRTIO_NET_S_LINK_UP : 0;

	virtio_config_update(net->vdev, offsetof(struct virtio_net_config, status), &status,
			     sizeof(status));
}
