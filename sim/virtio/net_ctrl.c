/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/net_ctrl.h"

#include <string.h>

#include "virtio/device.h"

void
net_ctrl_reset(struct net_ctrl_state *s, const uint8_t mac[6])
{
	*s = (struct net_ctrl_state){ .promisc = true, .pairs = 1 };
	memcpy(s->mac, mac, sizeof(s->mac));
}

static uint8_t
set_rx_mode(struct net_ctrl_state *s, uint8_t command, const uint8_t *data, size_t size)
{
	bool *mode = command == VIRTIO_NET_CTRL_RX_PROMISC    ? &s->promisc
		     : command == VIRTIO_NET_CTRL_RX_ALLMULTI ? &s->allmulti
							      : NULL;

	if (!mode || size < 1)
		return VIRTIO_NET_ERR;
	*mode = data[0];
	return VIRTIO_NET_OK;
}

static uint8_t
set_pairs(struct net_ctrl_state *s, uint16_t pairs_max, const uint8_t *data, size_t size)
{
	uint16_t pairs = size < 2 ? 0 : (uint16_t)(data[0] | data[1] << 8);

	if (!pairs || pairs > pairs_max)
		return VIRTIO_NET_ERR;
	s->pairs = pairs;
	return VIRTIO_NET_OK;
}

uint8_t
net_ctrl_command(struct net_ctrl_state *s, uint16_t pairs_max, const uint8_t *command, size_t size)
{
	const uint8_t *data = command + 2;

	if (size < 2)
		return VIRTIO_NET_ERR;
	size -= 2;
	switch (command[0]) {
	case VIRTIO_NET_CTRL_RX:
		return set_rx_mode(s, command[1], data, size);
	case VIRTIO_NET_CTRL_MAC:
		if (command[1] != VIRTIO_NET_CTRL_MAC_ADDR_SET || size < sizeof(s->mac))
			return VIRTIO_NET_ERR;
		memcpy(s->mac, data, sizeof(s->mac));
		return VIRTIO_NET_OK;
	case VIRTIO_NET_CTRL_MQ:
		return command[1] == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET
			       ? set_pairs(s, pairs_max, data, size)
			       : VIRTIO_NET_ERR;
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return command[1] == VIRTIO_NET_CTRL_ANNOUNCE_ACK ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
	default:
		return VIRTIO_NET_ERR;
	}
}

/* One command; one without room for the answer is executed, and not answered. */
static void
serve_one(struct virtio_ring *r, struct net_ctrl_state *s, uint16_t pairs_max)
{
	struct virtio_device *vdev = r->vq->vdev;
	uint8_t command[NET_CTRL_BYTES_MAX], ack;
	size_t n = virtio_elem_read(vdev->w, r->elem, 0, command, sizeof(command));
	size_t answered;

	ack = net_ctrl_command(s, pairs_max, command, n);
	emit(vdev->w, EV_VIRTIO_NET_CTRL, vdev->name, n > 0 ? command[0] : 0,
	     n > 1 ? command[1] : 0, ack);
	answered = virtio_elem_write(vdev->w, r->elem, 0, &ack, 1);
	virtio_ring_push(r, r->elem, (uint32_t)answered);
	virtio_ring_signal(r);
}

void
net_ctrl_serve(struct virtio_ring *r, struct net_ctrl_state *s, uint16_t pairs_max)
{
	do {
		virtio_ring_disable_notify(r);
		while (virtio_ring_pop(r, r->elem) > 0)
			serve_one(r, s, pairs_max);
	} while (virtio_ring_enable_notify(r));
}
