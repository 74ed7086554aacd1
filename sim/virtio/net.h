/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net, device side (5.1): pairs of queues (receive 2n, transmit 2n + 1) and the wire behind
 * them.
 *
 *	wire ── net_wire_send() ──▶ backlog of the pair ──▶ receive handler ──▶ the guest's buffers
 *	wire ◀── sent list, or busy ◀── transmit handler ◀── the guest's chains
 *
 * Handlers with the structure of QEMU's hw/net/virtio-net.c:
 *	receive   virtio_net_has_buffers(): room for header and packet?  No: notifications on; did
 *	          the guest add something since the look, again; else the packet waits for a kick
 *	transmit  handle_tx_bh(): notifications off, bottom half.  tx_bh(): flush up to tx_burst,
 *	          then notifications on and one more flush.  A busy wire parks one packet
 *	          (async_tx), and tx_complete() goes on when the wire is free
 *
 * A packet comes behind a virtio_net_hdr_v1: with VIRTIO_NET_F_MRG_RXBUF over as many buffers as it
 * takes, their number in num_buffers of the first (5.1.6.4); without, one buffer holds it, or it is
 * dropped.  All pairs are in use from DRIVER_OK on, as with a driver that switched them on: a
 * control queue (net_ctrl.h) keeps what it is told, and the wire does not go by it.
 *
 * vhost/vhost_net.h has loops of its own over the same wire.
 */
#ifndef RINGSIDE_VIRTIO_NET_H
#define RINGSIDE_VIRTIO_NET_H

#include "virtio/device.h"
#include "virtio/net_ctrl.h"

/* Feature bits (5.1.3). */
#define VIRTIO_NET_F_CSUM 0
#define VIRTIO_NET_F_GUEST_CSUM 1
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS 2
#define VIRTIO_NET_F_MTU 3
#define VIRTIO_NET_F_MAC 5
#define VIRTIO_NET_F_GUEST_TSO4 7
#define VIRTIO_NET_F_GUEST_TSO6 8
#define VIRTIO_NET_F_GUEST_ECN 9
#define VIRTIO_NET_F_GUEST_UFO 10
#define VIRTIO_NET_F_HOST_TSO4 11
#define VIRTIO_NET_F_HOST_TSO6 12
#define VIRTIO_NET_F_HOST_ECN 13
#define VIRTIO_NET_F_HOST_UFO 14
#define VIRTIO_NET_F_MRG_RXBUF 15
#define VIRTIO_NET_F_STATUS 16
#define VIRTIO_NET_F_CTRL_VQ 17
#define VIRTIO_NET_F_CTRL_RX 18
#define VIRTIO_NET_F_CTRL_VLAN 19
#define VIRTIO_NET_F_GUEST_ANNOUNCE 21
#define VIRTIO_NET_F_MQ 22
#define VIRTIO_NET_F_CTRL_MAC_ADDR 23
#define VIRTIO_NET_F_HASH_TUNNEL 51
#define VIRTIO_NET_F_VQ_NOTF_COAL 52
#define VIRTIO_NET_F_NOTF_COAL 53
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#define VIRTIO_NET_F_HASH_REPORT 57
#define VIRTIO_NET_F_GUEST_HDRLEN 59
#define VIRTIO_NET_F_RSS 60
#define VIRTIO_NET_F_RSC_EXT 61
#define VIRTIO_NET_F_STANDBY 62
#define VIRTIO_NET_F_SPEED_DUPLEX 63

#define VIRTIO_NET_S_LINK_UP 1u

/* 5.1.4 */
struct virtio_net_config {
	uint8_t mac[6];
	uint16_t status; /* VIRTIO_NET_F_STATUS */
	uint16_t max_virtqueue_pairs; /* VIRTIO_NET_F_MQ, VIRTIO_NET_F_RSS */
	uint16_t mtu; /* VIRTIO_NET_F_MTU */
} __attribute__((packed));

/* 5.1.6: with VIRTIO_F_VERSION_1 num_buffers is always there. */
struct virtio_net_hdr_v1 {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	uint16_t num_buffers;
} __attribute__((packed));

#define NET_PACKET_MAX 65550u /* bytes with header: 5.1.6.3.1 */
#define NET_TX_BURST 256u /* packets a flush sends before others may run (QEMU's TX_BURST) */
#define NET_BACKLOG_MAX 1000u /* packets kept for a pair, then they are dropped: txqueuelen */

/* ORDER NET_SUSPEND_RX: net.c names them. */
enum net_suspend_rx {
	NET_SUSPEND_RX_KEEP, /* they are put back, and popped again afterwards */
	NET_SUSPEND_RX_RETURN, /* they are used, with length 0 */
	NET_SUSPEND_RX_WAIT /* they are being processed: until packets come */
};
extern const char *const net_suspend_rx_name[NET_SUSPEND_RX_WAIT + 1];

struct net_config {
	uint8_t mac[6]; /* zeros: 52:54:00:12:34:56 */
	unsigned tx_burst; /* 0: NET_TX_BURST */
	unsigned busy_every; /* the wire cannot take each n-th packet at once; 0: never */
	int64_t busy_ns; /* how long it then takes */
	bool keep_sent; /* keep packets' bytes in the sent list */
	/* Receive buffers popped before a packet is there, as hardware does; needs the main loop.
	 */
	unsigned rx_ahead;
	enum net_suspend_rx suspend_rx; /* what becomes of those when the device suspends */
	bool ctrl; /* a control queue behind the pairs (net_ctrl.h) */
};

/* A packet on the wire, without virtio header. */
struct net_packet {
	struct net_packet *next;
	uint32_t bytes;
	uint8_t data[];
};

struct net_queue_pair {
	struct virtio_net *net;
	uint16_t index;
	struct virtio_queue *rx, *tx;

	struct net_packet *backlog, **backlog_last; /* wire to guest */
	unsigned backlog_count;
	struct virtio_work rx_work; /* packets came */
	struct dp_elem **chains; /* buffers for one packet, a queue's size of them */
	struct dp_elem **ahead; /* popped before there was one, oldest first */
	unsigned ahead_count;

	bool tx_waiting; /* the bottom half is scheduled */
	struct virtio_work tx_bh, tx_complete;
	struct dp_elem *async_tx; /* parked: the wire was busy */
	struct timer busy;
	uint64_t tries; /* at the wire, for busy_every */

	uint64_t rx_packets, rx_dropped, rx_stalls, tx_packets, tx_bytes;
};

struct virtio_net {
	struct virtio_device *vdev;
	struct net_config config;
	struct net_queue_pair *pair;
	uint16_t pairs;
	/* What the control queue was told: the VMM's model of the device, and a device that serves
	 * the queue itself (vhost, vDPA). */
	struct net_ctrl_state model, device;
	struct net_packet *sent, **sent_last; /* guest to wire, with keep_sent */
	struct waitq sent_wait; /* net_wire_wait() */
	/* Told when packets came for a pair, or its wire is free; null: the VMM's handlers are. */
	void (*rx_ready)(struct net_queue_pair *p);
	void (*tx_ready)(struct net_queue_pair *p);
};

extern const struct virtio_type_ops virtio_net_type;

/* What a QEMU of today offers for it, without offloads: the wire has none. */
#define VIRTIO_NET_FEATURES \
	(VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) | \
	 VIRTIO_BIT(VIRTIO_NET_F_STATUS) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_VERSION_1) | \
	 VIRTIO_BIT(VIRTIO_F_RING_RESET))

/* Make @vdev a virtio-net with @pairs pairs; the rest as for virtio_device_init(). */
struct virtio_net *
virtio_net_create(struct virtio_device *vdev, struct world *w, const char *name,
		  const struct dp_device_ops *datapath, uint64_t features, uint16_t pairs,
		  uint16_t queue_size, const struct net_config *config);

static inline struct virtio_net *
virtio_net_of(const struct virtio_device *vdev)
{
	return vdev->priv;
}

/* Whether queue @index is the control queue. */
static inline bool
virtio_net_is_ctrl(const struct virtio_net *net, uint16_t index)
{
	return index == 2 * net->pairs;
}

/* The cable: VIRTIO_NET_S_LINK_UP comes or goes, and the driver is told. With the big lock. */
void
virtio_net_set_link(struct virtio_net *net, bool up);

/* --- the wire's other end ------------------------------------------------------------------- */

/* A packet for the guest, from anywhere. False: dropped, the pair's backlog is full. */
bool
net_wire_send(struct virtio_net *net, unsigned pair, const void *data, uint32_t bytes);

/* The next packet that the guest sent (config.keep_sent), or null; wait: until there is one. */
struct net_packet *
net_wire_recv(struct virtio_net *net);
struct net_packet *
net_wire_wait(struct virtio_net *net);
void
net_packet_free(struct world *w, struct net_packet *p);

/* --- for loops over rings that are not the VMM's -------------------------------------------- */

/* Bytes of the header before each packet. */
uint32_t
net_header_bytes(const struct virtio_net *net);

/*
 * Pop buffers from @r for the first packet of the backlog into p->chains: how many; 0 if they do
 * not suffice, all given back; negative if the driver broke the ring.
 */
int
net_rx_take(struct net_queue_pair *p, struct virtio_ring *r);

/* Pop ahead as the configuration has it; give it all back, or (@use) use it with length 0. */
void
net_rx_prefetch(struct net_queue_pair *p, struct virtio_ring *r);
void
net_rx_rewind(struct net_queue_pair *p, struct virtio_ring *r, bool use);

/* Put that packet into them, or drop it if it does not fit the one; fill, flush, signal. */
void
net_rx_put(struct net_queue_pair *p, struct virtio_ring *r, unsigned count);

/* Whether the wire takes a packet now; if not, it calls tx_ready when it does. */
bool
net_tx_ready(struct net_queue_pair *p);
/* Put a popped chain on the wire. */
void
net_tx_send(struct net_queue_pair *p, const struct dp_elem *elem);

#endif
