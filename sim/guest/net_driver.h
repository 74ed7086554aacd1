/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio-net driver (5.1) with the structure of Linux's drivers/net/virtio_net.c: pairs
 * of queues (receive 2n, transmit 2n + 1), receive by NAPI, transmit with lazy reaping.
 *
 *	interrupt (skb_recv_done)  napi_schedule: callbacks off, raise the softirq
 *	softirq   (virtnet_poll)   reap the transmit queue (napi_tx); up to budget: get, hand up;
 *	                           half empty: try_fill_recv and kick; under budget: callbacks
 *	                           on, complete, look again
 *	work      (refill_work)    after a failed allocation: napi off, fill, napi on; half a
 *	                           second later again while it fails
 *	task      (start_xmit)     free_old_xmit, add header | data; little room left: stop the
 *	                           queue, enable_cb_delayed, used meanwhile: reap, start; kick
 *	interrupt (skb_xmit_done)  callbacks off; napi_tx: napi_schedule, else wake the queue
 *
 * Received packets stand in a list until a task takes them (guest_net_recv()).
 *
 * Opening.  A device can be opened as soon as it is registered.  Registration and DRIVER_OK
 * happen under one lock (rtnl) that opening takes too, so that no queue is used before DRIVER_OK.
 *
 * Files: net_driver.c life, net_rx.c, net_tx.c, napi.c.  Memory: the world's; buffers are guest
 * RAM that the driver owns, one a ring entry.
 */
#ifndef RINGSIDE_GUEST_NET_DRIVER_H
#define RINGSIDE_GUEST_NET_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "guest/cpu.h"
#include "guest/napi.h"
#include "guest/suspend.h"
#include "guest/virtio_driver.h"

#define GUEST_NET_FRAME_MAX 1514u /* bytes of a packet: Ethernet header and MTU 1500 */
#define GUEST_NET_TX_ROOM 19u /* a queue with less room is stopped: 2 + MAX_SKB_FRAGS */
#define GUEST_NET_REFILL_NS 500000000 /* HZ / 2 */

struct guest_net;

struct guest_net_config {
	struct guest_virtio_config virtio;
	struct guest_cpu **cpus; /* a queue pair for each, if the device has as many */
	unsigned cpu_count;
	unsigned pairs; /* at most; 0: 1 */
	uint16_t queue_size; /* wanted; 0: what the device offers */
	uint32_t rx_buffer_bytes; /* with mergeable buffers; 0: 1536 */
	unsigned rx_fill; /* buffers kept exposed; 0: as many as the ring takes */
	unsigned tx_room; /* 0: GUEST_NET_TX_ROOM, or a quarter of a smaller ring */
	unsigned budget; /* 0: GUEST_NAPI_BUDGET */
	bool napi_tx; /* reap transmit buffers in the softirq (Linux's default) */
	unsigned alloc_fail_every; /* each n-th receive buffer cannot be allocated; 0: never */
};

/* A received packet, without the virtio header; its bytes are copied out of the receive buffers. */
struct guest_packet {
	struct guest_packet *next;
	uint32_t bytes; /* of the packet */
	uint32_t room; /* of data[] */
	uint8_t data[];
};

/* Ring buffers of one queue: @count pieces of guest RAM, by token. */
struct guest_net_buffers {
	uint64_t gpa;
	uint32_t bytes; /* each */
	uint16_t count, free_count;
	uint16_t *free;
};

struct guest_rxq {
	struct guest_net *net;
	struct guest_vq *vq;
	unsigned index;
	struct guest_napi napi;
	struct guest_net_buffers buffers;
	struct guest_packet *first, **last; /* received, for tasks */
	struct waitq readers;
	uint64_t packets, bytes, dropped, allocs;
};

struct guest_txq {
	struct guest_net *net;
	struct guest_vq *vq;
	unsigned index;
	struct guest_napi napi; /* with napi_tx */
	struct guest_spinlock lock; /* __netif_tx_lock(), taken with bottom halves off */
	bool stopped; /* no room */
	bool reset; /* being resized */
	struct waitq room; /* tasks that wait for a started queue */
	struct guest_net_buffers buffers;
	uint64_t packets, reaped, stops;
};

/* Delayed work of one device (delayed_refill). */
struct guest_refill {
	bool enabled; /* the gate: work may be queued */
	bool queued, running;
	struct timer timer;
	struct waitq work; /* the worker waits here */
	struct waitq idle; /* cancelling waits here */
	struct actor *worker;
	struct guest_cpu *cpu;
	uint64_t strays; /* runs that close() should have ended */
};

struct guest_net {
	struct guest_virtio dev;
	struct world *w;
	struct guest_net_config config;
	struct guest_rxq *rx;
	struct guest_txq *tx;
	unsigned pairs;
	bool registered, up, mergeable, removed;
	bool reopen; /* was up when frozen */
	struct guest_spinlock rtnl;
	struct waitq visible; /* woken by registering and removing */
	struct guest_refill refill;
	uint8_t mac[6];
};

/* A driver instance; nothing is touched yet. */
struct guest_net *
guest_net_create(struct world *w, const struct guest_net_config *config);

/* virtnet_probe(), by a task on @cpu: 0 or a negative errno. Registered and ready, not open. */
int
guest_net_probe(struct guest_net *net, struct guest_cpu *cpu);

/* ndo_open(), once it is registered: fill the receive queues, NAPI on. 0, or -ENODEV: removed. */
int
guest_net_open(struct guest_net *net, struct guest_cpu *cpu);
/* ndo_stop() */
void
guest_net_close(struct guest_net *net, struct guest_cpu *cpu);

/*
 * ndo_start_xmit() of one packet on @cpu's transmit queue.  Waits while that is stopped, as the
 * stack's queue does.  0; -ENETDOWN; -EMSGSIZE above GUEST_NET_FRAME_MAX; -EIO: dropped.
 */
int
guest_net_xmit(struct guest_net *net, struct guest_cpu *cpu, const void *data, uint32_t bytes);

/* The next packet of receive queue @pair, or null. Free it with guest_packet_free(). */
struct guest_packet *
guest_net_recv(struct guest_net *net, unsigned pair);
/* Same, waits for one. Null: the device was closed meanwhile. */
struct guest_packet *
guest_net_recv_wait(struct guest_net *net, struct guest_cpu *cpu, unsigned pair);
void
guest_packet_free(struct world *w, struct guest_packet *p);

/* virtnet_remove(): close, reset, delete the queues. */
void
guest_net_remove(struct guest_net *net, struct guest_cpu *cpu);
/* virtnet_freeze_down(), virtnet_restore_up(): an open device is open again afterwards. */
void
guest_net_freeze(struct guest_net *net, struct guest_cpu *cpu);
int
guest_net_restore(struct guest_net *net, struct guest_cpu *cpu);

/* As freeze and restore, with the device suspended instead of reset: its queues stay. */
int
guest_net_suspend(struct guest_net *net, struct guest_cpu *cpu, const struct guest_suspend *how);
int
guest_net_resume(struct guest_net *net, struct guest_cpu *cpu, const struct guest_suspend *how);

/*
 * ethtool -G (virtnet_rx_resize(), virtnet_tx_resize()): reset one queue of the device, which
 * takes its buffers back, and enable it with @size descriptors (0: as before).  As
 * guest_vq_reset() and _enable().
 */
int
guest_net_resize(struct guest_net *net, struct guest_cpu *cpu, unsigned vq_index, uint16_t size);

#endif
