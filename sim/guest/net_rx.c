/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/must.h"
#include "guest/net_impl.h"
#include "memory/guest_memory.h"

#define RX_BUFFER_BYTES 1536u /* holds a frame and its header */

/* --- filling -------------------------------------------------------------------------------- */

/* A receive buffer's memory; allocation may fail on purpose. */
static int
rx_alloc(struct guest_rxq *rq)
{
	unsigned every = rq->net->config.alloc_fail_every;

	if (every && ++rq->allocs % every == 0)
		return -1;
	return net_buffer_get(&rq->buffers);
}

bool
net_rx_fill(struct guest_cpu *cpu, struct guest_rxq *rq)
{
	struct guest_net *net = rq->net;
	unsigned limit = net->config.rx_fill ? net->config.rx_fill : rq->buffers.count;
	int added = 0;
	bool failed = false;

	while (rq->buffers.count - rq->buffers.free_count < (int)limit &&
	       guest_vq_num_free(rq->vq)) {
		int token = rx_alloc(rq);
		struct dp_buf sg;

		if (token < 0) {
			failed = true;
			break;
		}
		sg = (struct dp_buf){ net_buffer_gpa(&rq->buffers, (uint64_t)token),
				      rq->buffers.bytes };
		if (guest_vq_add(rq->vq, &sg, 0, 1, (uint64_t)token)) {
			net_buffer_put(&rq->buffers, (uint64_t)token);
			break;
		}
		added++;
	}
	emit(net->w, EV_NET_REFILL, net->dev.name, rq->index, added, failed);
	if (!fault_on(net->w, FAULT_GUEST_NET_REFILL_NO_KICK) || !added)
		guest_vq_kick(rq->vq, cpu);
	return !failed;
}

/* --- receiving ------------------------------------------------------------------------------ */

static void
rx_deliver(struct guest_rxq *rq, struct guest_packet *p, unsigned buffers)
{
	*rq->last = p;
	rq->last = &p->next;
	rq->packets++;
	rq->bytes += p->bytes;
	emit(rq->net->w, EV_NET_RX, rq->net->dev.name, rq->index, p->bytes, buffers);
	waitq_wake_one(rq->net->w, &rq->readers);
}

static void
rx_drop(struct guest_rxq *rq)
{
	rq->dropped++;
	emit(rq->net->w, EV_NET_RX_DROP, rq->net->dev.name, rq->index);
}

/* Copy what the device put behind @offset of a buffer, and free it. It may claim too much. */
static uint32_t
rx_take(struct guest_rxq *rq, uint64_t token, uint32_t offset, uint32_t len, uint8_t *to)
{
	uint32_t bytes = len > rq->buffers.bytes ? rq->buffers.bytes : len;

	bytes = bytes > offset ? bytes - offset : 0;
	gm_read(rq->net->w, net_buffer_gpa(&rq->buffers, token) + offset, to, bytes);
	net_buffer_put(&rq->buffers, token);
	return bytes;
}

/* receive_buf(): one packet that begins in buffer @token; takes the buffers it goes on in. */
static void
rx_packet(struct guest_rxq *rq, uint64_t token, uint32_t len)
{
	struct world *w = rq->net->w;
	struct virtio_net_hdr_v1 header = { .num_buffers = 1 };
	unsigned buffers, taken = 1;
	struct guest_packet *p;

	gm_read(w, net_buffer_gpa(&rq->buffers, token), &header, sizeof(header));
	buffers = rq->net->mergeable && header.num_buffers ? header.num_buffers : 1;
	if (len < sizeof(header) || buffers > rq->buffers.count) {
		net_buffer_put(&rq->buffers, token);
		rx_drop(rq);
		return;
	}
	p = world_alloc(w, sizeof(*p) + (size_t)buffers * rq->buffers.bytes);
	p->room = buffers * rq->buffers.bytes;
	p->bytes = rx_take(rq, token, sizeof(header), len, p->data);
	for (; taken < buffers && guest_vq_get(rq->vq, &token, &len); taken++)
		p->bytes += rx_take(rq, token, 0, len, p->data + p->bytes);
	if (taken < buffers) {
		/* 5.1.6.4: the device makes all buffers of a packet visible together. */
		guest_packet_free(w, p);
		rx_drop(rq);
		return;
	}
	rx_deliver(rq, p, buffers);
}

/* virtnet_poll() */
static unsigned
rx_poll(struct guest_cpu *cpu, struct guest_napi *n, unsigned budget)
{
	struct guest_rxq *rq = n->arg;
	unsigned done = 0, half;
	uint64_t token;
	uint32_t len;

	if (rq->net->config.napi_tx)
		net_tx_clean(cpu, &rq->net->tx[rq->index]);
	while (done < budget && guest_vq_get(rq->vq, &token, &len)) {
		rx_packet(rq, token, len);
		done++;
	}
	half = (budget < rq->vq->vring.size ? budget : rq->vq->vring.size) / 2;
	if (guest_vq_num_free(rq->vq) > half && !net_rx_fill(cpu, rq))
		net_refill_queue(rq->net, 0);
	if (done < budget)
		guest_napi_complete_vq(cpu, n);
	return done;
}

void
net_rx_callback(struct guest_cpu *cpu, struct guest_vq *vq)
{
	struct guest_rxq *rq = vq->info.priv;

	guest_napi_schedule(cpu, &rq->napi);
}

void
net_napi_enable(struct guest_cpu *cpu, struct guest_napi *n)
{
	guest_napi_enable(n);
	guest_bh_disable(cpu);
	guest_napi_schedule(cpu, n);
	guest_bh_enable(cpu);
}

void
net_rx_recycle(struct guest_vq *vq, uint64_t token)
{
	struct guest_rxq *rq = vq->info.priv;

	net_buffer_put(&rq->buffers, token);
}

void
net_rx_init(struct guest_rxq *rq)
{
	uint32_t bytes = rq->net->mergeable && rq->net->config.rx_buffer_bytes
				 ? rq->net->config.rx_buffer_bytes
				 : RX_BUFFER_BYTES;

	net_buffers_make(rq->net->w, &rq->buffers, rq->vq->vring.size, bytes);
	guest_napi_init(&rq->napi, rq->vq, rq->net->config.budget, rx_poll, rq);
}

/* --- tasks ---------------------------------------------------------------------------------- */

struct guest_packet *
guest_net_recv(struct guest_net *net, unsigned pair)
{
	struct guest_rxq *rq = &net->rx[pair];
	struct guest_packet *p = rq->first;

	must(pair < net->pairs);
	if (!p)
		return NULL;
	rq->first = p->next;
	if (!rq->first)
		rq->last = &rq->first;
	p->next = NULL;
	return p;
}

struct guest_packet *
guest_net_recv_wait(struct guest_net *net, struct guest_cpu *cpu, unsigned pair)
{
	struct guest_packet *p;

	guest_cpu_enter(cpu);
	while (!(p = guest_net_recv(net, pair)) && net->up)
		guest_wait(cpu, &net->rx[pair].readers);
	return p;
}

void
guest_packet_free(struct world *w, struct guest_packet *p)
{
	if (p)
		world_free(w, p, sizeof(*p) + p->room);
}
