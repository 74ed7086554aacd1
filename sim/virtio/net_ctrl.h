/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control virtqueue of virtio-net (5.1.6.5): what the driver asks for beside packets.
 *
 *	chain = class (1), command (1), its data | ack (1, writable)
 *
 * Commands change a state: that of whoever executes them.  Where a device of its own does (vDPA),
 * the VMM's model of the device knows only what it saw go by.
 */
#ifndef RINGSIDE_VIRTIO_NET_CTRL_H
#define RINGSIDE_VIRTIO_NET_CTRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct virtio_ring;

/* Classes and commands (5.1.6.5). */
#define VIRTIO_NET_CTRL_RX 0u
#define VIRTIO_NET_CTRL_RX_PROMISC 0u
#define VIRTIO_NET_CTRL_RX_ALLMULTI 1u
#define VIRTIO_NET_CTRL_MAC 1u
#define VIRTIO_NET_CTRL_MAC_ADDR_SET 1u
#define VIRTIO_NET_CTRL_ANNOUNCE 3u
#define VIRTIO_NET_CTRL_ANNOUNCE_ACK 0u
#define VIRTIO_NET_CTRL_MQ 4u
#define VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET 0u
#define VIRTIO_NET_OK 0u
#define VIRTIO_NET_ERR 1u

#define NET_CTRL_BYTES_MAX 256u /* of a command that is looked at; the longest here has 8 */

struct net_ctrl_state {
	uint8_t mac[6];
	bool promisc, allmulti;
	uint16_t pairs; /* in use */
};

/* As after reset: promiscuous, as QEMU's, one pair. */
void
net_ctrl_reset(struct net_ctrl_state *s, const uint8_t mac[6]);

/* Execute a command of @size bytes: VIRTIO_NET_OK, or VIRTIO_NET_ERR and nothing changed. */
uint8_t
net_ctrl_command(struct net_ctrl_state *s, uint16_t pairs_max, const uint8_t *command, size_t size);

/* Serve @r, a device's control queue, until it is empty, for the state @s. */
void
net_ctrl_serve(struct virtio_ring *r, struct net_ctrl_state *s, uint16_t pairs_max);

static inline bool
net_ctrl_same(const struct net_ctrl_state *x, const struct net_ctrl_state *y)
{
	return !__builtin_memcmp(x->mac, y->mac, sizeof(x->mac)) && x->promisc == y->promisc &&
	       x->allmulti == y->allmulti && x->pairs == y->pairs;
}

#endif
