/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets: on the wire, in the backlog, in the guest's buffers. */
#include <string.h>

#include "base/must.h"
#include "memory/race.h"
#include "virtio/net.h"

/* --- the wire's other end ------------------------------------------------------------------- */

static struct net_packet *
packet_create(struct world *w, uint32_t bytes)
{
	struct net_packet *packet = world_alloc(w, sizeof(*packet) + bytes);

	packet->bytes = bytes;
	return packet;
}

void
net_packet_free(struct world *w, struct net_packet *packet)
{
	world_free(w, packet, sizeof(*packet) + packet->bytes);
}

bool
net_wire_send(struct virtio_net *net, unsigned pair, const void *data, uint32_t bytes)
{
	struct net_queue_pair *p = &net->pair[pair];
	struct virtio_device *vdev = net->vdev;
	struct net_packet *packet;

	must(pair < net->pairs);
	if (p->backlog_count >= NET_BACKLOG_MAX || bytes + net_header_bytes(net) > NET_PACKET_MAX) {
		p->rx_dropped++;
		emit(vdev->w, EV_VIRTIO_NET_WIRE, vdev->name, pair, bytes, -1);
		return false;
	}
	packet = packet_create(vdev->w, bytes);
	memcpy(packet->data, data, bytes);
	*p->backlog_last = packet;
	p->backlog_last = &packet->next;
	p->backlog_count++;
	emit(vdev->w, EV_VIRTIO_NET_WIRE, vdev->name, pair, bytes, p->backlog_count);
	if (net->rx_ready)
		net->rx_ready(p);
	else if (vdev->backend)
		vdev->backend->run(p->rx, &p->rx_work);
	return true;
}

struct net_packet *
net_wire_recv(struct virtio_net *net)
{
	struct net_packet *packet = net->sent;

	if (!packet)
		return NULL;
	net->sent = packet->next;
	if (!net->sent)
		net->sent_last = &net->sent;
	packet->next = NULL;
	return packet;
}

struct net_packet *
net_wire_wait(struct virtio_net *net)
{
	while (!net->sent)
		waitq_wait(net->vdev->w, &net->sent_wait);
	race_acquire(net->vdev->w, &net->sent_wait);
	return net_wire_recv(net);
}

/* --- receive -------------------------------------------------------------------------------- */

uint32_t
net_header_bytes(const struct virtio_net *net)
{
	bool v1 = virtio_device_has(net->vdev, VIRTIO_F_VERSION_1) ||
		  virtio_device_has(net->vdev, VIRTIO_NET_F_MRG_RXBUF);

	return sizeof(struct virtio_net_hdr_v1) - (v1 ? 0 : 2);
}

/* The next buffer: the oldest that was popped ahead, else one of the ring's. */
static int
next_buffer(struct net_queue_pair *p, struct virtio_ring *r, struct dp_elem **elem)
{
	int n;

	if (p->ahead_count) {
		*elem = p->ahead[0];
		memmove(p->ahead, p->ahead + 1, --p->ahead_count * sizeof(*p->ahead));
		return 1;
	}
	n = virtio_ring_pop(r, r->elem);
	if (n > 0)
		*elem = virtio_elem_dup(p->net->vdev->w, r->elem);
	return n;
}

void
net_rx_prefetch(struct net_queue_pair *p, struct virtio_ring *r)
{
	unsigned most = p->net->config.rx_ahead;

	most = most < p->rx->size ? most : p->rx->size;
	while (p->ahead_count < most && virtio_ring_pop(r, r->elem) > 0)
		p->ahead[p->ahead_count++] = virtio_elem_dup(p->net->vdev->w, r->elem);
}

void
net_rx_rewind(struct net_queue_pair *p, struct virtio_ring *r, bool use)
{
	struct world *w = p->net->vdev->w;
	unsigned count = p->ahead_count;

	for (unsigned i = 0; use && i < count; i++)
		virtio_ring_fill(r, p->ahead[i], 0, i);
	while (p->ahead_count) {
		struct dp_elem *elem = p->ahead[--p->ahead_count];

		if (!use)
			virtio_ring_unpop(r, elem);
		virtio_elem_free(w, elem);
	}
	if (!use || !count)
		return;
	virtio_ring_flush(r, count);
	virtio_ring_signal(r);
}

/* Give the last @count chains back, newest first. */
static void
put_back(struct net_queue_pair *p, struct virtio_ring *r, unsigned count)
{
	/* Popped ahead they stay so: in front of those that were popped after them. */
	if (p->net->config.rx_ahead) {
		memmove(p->ahead + count, p->ahead, p->ahead_count * sizeof(*p->ahead));
		memcpy(p->ahead, p->chains, count * sizeof(*p->ahead));
		p->ahead_count += count;
		return;
	}
	while (count--) {
		virtio_ring_unpop(r, p->chains[count]);
		virtio_elem_free(p->net->vdev->w, p->chains[count]);
	}
}

int
net_rx_take(struct net_queue_pair *p, struct virtio_ring *r)
{
	bool mergeable = virtio_device_has(p->net->vdev, VIRTIO_NET_F_MRG_RXBUF);
	uint32_t need = p->backlog->bytes + net_header_bytes(p->net);
	uint32_t have = 0;
	unsigned count = 0;
	int n = 1;

	while (count < p->rx->size && (n = next_buffer(p, r, &p->chains[count])) > 0) {
		have += p->chains[count++]->in_bytes;
		if (have >= need || !mergeable)
			return (int)count;
	}
	put_back(p, r, count);
	return n < 0 ? n : 0;
}

static void
backlog_drop(struct net_queue_pair *p)
{
	struct net_packet *packet = p->backlog;

	p->backlog = packet->next;
	if (!p->backlog)
		p->backlog_last = &p->backlog;
	p->backlog_count--;
	net_packet_free(p->net->vdev->w, packet);
}

/* The @skip-th and following bytes of header and packet into @elem: how many fit. */
static uint32_t
put_bytes(struct net_queue_pair *p, const struct dp_elem *elem, uint32_t skip, unsigned count)
{
	struct virtio_net_hdr_v1 header = { .num_buffers = (uint16_t)count };
	uint32_t header_bytes = net_header_bytes(p->net);
	const struct net_packet *packet = p->backlog;
	struct world *w = p->net->vdev->w;
	size_t done = 0;

	if (skip < header_bytes) {
		done = virtio_elem_write(w, elem, 0, (char *)&header + skip, header_bytes - skip);
		if (done < header_bytes - skip)
			return (uint32_t)done;
		skip = header_bytes;
	}
	done += virtio_elem_write(w, elem, done, packet->data + (skip - header_bytes),
				  packet->bytes - (skip - header_bytes));
	return (uint32_t)done;
}

void
net_rx_put(struct net_queue_pair *p, struct virtio_ring *r, unsigned count)
{
	struct virtio_device *vdev = p->net->vdev;
	uint32_t need = p->backlog->bytes + net_header_bytes(p->net), done = 0;
	bool fits = count > 1 || p->chains[0]->in_bytes >= need;

	emit(vdev->w, EV_VIRTIO_NET_RX, vdev->name, p->index, p->backlog->bytes, fits ? count : 0);
	if (!fits) {
		p->rx_dropped++;
		put_back(p, r, count);
		backlog_drop(p);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		uint32_t n = put_bytes(p, p->chains[i], done, count);

		done += n;
		virtio_ring_fill(r, p->chains[i], n, i);
		virtio_elem_free(vdev->w, p->chains[i]);
	}
	p->rx_packets++;
	backlog_drop(p);
	virtio_ring_flush(r, count);
	virtio_ring_signal(r);
}

/* --- transmit ------------------------------------------------------------------------------- */

bool
net_tx_ready(struct net_queue_pair *p)
{
	const struct net_config *c = &p->net->config;
	struct world *w = p->net->vdev->w;

	if (timer_pending(&p->busy))
		return false;
	if (!c->busy_every || ++p->tries % c->busy_every)
		return true;
	timer_arm(w, &p->busy, c->busy_ns, false);
	return false;
}

void
net_tx_send(struct net_queue_pair *p, const struct dp_elem *elem)
{
	struct virtio_net *net = p->net;
	struct virtio_device *vdev = net->vdev;
	uint32_t header_bytes = net_header_bytes(net);
	uint32_t bytes = elem->out_bytes > header_bytes ? elem->out_bytes - header_bytes : 0;
	struct net_packet *packet;

	p->tx_packets++;
	p->tx_bytes += bytes;
	emit(vdev->w, EV_VIRTIO_NET_TX, vdev->name, p->index, bytes, (int64_t)p->tx_packets);
	if (net->config.keep_sent) {
		packet = packet_create(vdev->w, bytes);
		virtio_elem_read(vdev->w, elem, header_bytes, packet->data, bytes);
		*net->sent_last = packet;
		net->sent_last = &packet->next;
	}
	waitq_wake_all(vdev->w, &net->sent_wait);
}
