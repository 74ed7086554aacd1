/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "guest/net_impl.h"
#include "memory/guest_memory.h"

static unsigned
tx_room(const struct guest_txq *sq)
{
	unsigned quarter = sq->vq->vring.size / 4u;

	if (sq->net->config.tx_room)
		return sq->net->config.tx_room;
	if (GUEST_NET_TX_ROOM < quarter)
		return GUEST_NET_TX_ROOM;
	return quarter > 2 ? quarter : 2; /* header and data */
}

static bool
tx_has_room(const struct guest_txq *sq)
{
	return sq->buffers.free_count && guest_vq_num_free(sq->vq) >= tx_room(sq);
}

static void
tx_set_stopped(struct guest_txq *sq, bool stopped)
{
	if (sq->stopped == stopped)
		return;
	sq->stopped = stopped;
	sq->stops += stopped;
	emit(sq->net->w, EV_NET_TX_QUEUE, sq->net->dev.name, sq->index, stopped);
	if (!stopped)
		waitq_wake_all(sq->net->w, &sq->room);
}

void
net_tx_wake(struct guest_txq *sq)
{
	if (tx_has_room(sq))
		tx_set_stopped(sq, false);
}

/* free_old_xmit() */
static void
tx_reap(struct guest_txq *sq)
{
	uint64_t token;
	uint32_t len;

	while (guest_vq_get(sq->vq, &token, &len)) {
		net_buffer_put(&sq->buffers, token);
		sq->reaped++;
	}
}

/* An interrupt that comes while we reap finds nothing (a7766ef18b33). */
static void
tx_callbacks_off(struct guest_txq *sq)
{
	if (!fault_on(sq->net->w, FAULT_GUEST_NET_REAP_CB_ON))
		guest_vq_disable_cb(sq->vq);
}

void
net_tx_clean(struct guest_cpu *cpu, struct guest_txq *sq)
{
	if (!guest_spin_trylock(sq->net->w, &sq->lock))
		return;
	if (sq->reset) {
		guest_spin_unlock(sq->net->w, &sq->lock);
		return;
	}
	do {
		tx_callbacks_off(sq);
		tx_reap(sq);
	} while (!guest_vq_enable_cb_delayed(sq->vq));
	net_tx_wake(sq);
	guest_spin_unlock(sq->net->w, &sq->lock);
}

/* virtnet_poll_tx() */
static unsigned
tx_poll(struct guest_cpu *cpu, struct guest_napi *n, unsigned budget)
{
	struct guest_txq *sq = n->arg;
	unsigned position;
	bool complete;

	guest_spin_lock_bh(cpu, &sq->lock);
	guest_vq_disable_cb(sq->vq);
	tx_reap(sq);
	net_tx_wake(sq);
	position = guest_vq_enable_cb_prepare(sq->vq);
	complete = guest_napi_complete(cpu, n);
	if (!complete)
		guest_vq_disable_cb(sq->vq);
	guest_spin_unlock_bh(cpu, &sq->lock);
	if (!complete || fault_on(sq->net->w, FAULT_GUEST_NAPI_NO_RECHECK) ||
	    !guest_vq_poll(sq->vq, position) || !guest_napi_prep(n))
		return 0;
	guest_spin_lock_bh(cpu, &sq->lock);
	guest_vq_disable_cb(sq->vq);
	guest_spin_unlock_bh(cpu, &sq->lock);
	guest_napi_raise(cpu, n);
	return 0;
}

/* skb_xmit_done() */
void
net_tx_callback(struct guest_cpu *cpu, struct guest_vq *vq)
{
	struct guest_txq *sq = vq->info.priv;

	guest_vq_disable_cb(vq);
	if (sq->net->config.napi_tx)
		guest_napi_schedule(cpu, &sq->napi);
	else
		tx_set_stopped(sq, false);
}

void
net_tx_recycle(struct guest_vq *vq, uint64_t token)
{
	struct guest_txq *sq = vq->info.priv;

	net_buffer_put(&sq->buffers, token);
}

void
net_tx_init(struct guest_txq *sq)
{
	net_buffers_make(sq->net->w, &sq->buffers, sq->vq->vring.size,
			 sizeof(struct virtio_net_hdr_v1) + GUEST_NET_FRAME_MAX);
	guest_napi_init(&sq->napi, sq->vq, sq->net->config.budget, tx_poll, sq);
}

/* --- start_xmit ----------------------------------------------------------------------------- */

/* check_sq_full_and_disable() */
static void
tx_check_full(struct guest_cpu *cpu, struct guest_txq *sq)
{
	if (tx_has_room(sq))
		return;
	tx_set_stopped(sq, true);
	if (guest_vq_enable_cb_delayed(sq->vq))
		return;
	if (sq->net->config.napi_tx) {
		guest_napi_schedule(cpu, &sq->napi);
		return;
	}
	/* More just got used: reap it and look again. */
	tx_reap(sq);
	if (tx_has_room(sq)) {
		tx_set_stopped(sq, false);
		guest_vq_disable_cb(sq->vq);
	}
}

/* xmit_skb() */
static int
tx_add(struct guest_txq *sq, const void *data, uint32_t bytes)
{
	struct world *w = sq->net->w;
	struct virtio_net_hdr_v1 header = { 0 };
	struct dp_buf sg[2];
	uint64_t gpa;
	int token = net_buffer_get(&sq->buffers);
	int ret;

	if (token < 0)
		return -EIO;
	gpa = net_buffer_gpa(&sq->buffers, (uint64_t)token);
	gm_write(w, gpa, &header, sizeof(header));
	gm_write(w, gpa + sizeof(header), data, bytes);
	sg[0] = (struct dp_buf){ gpa, sizeof(header) };
	sg[1] = (struct dp_buf){ gpa + sizeof(header), bytes };
	ret = guest_vq_add(sq->vq, sg, 2, 0, (uint64_t)token);
	if (ret) {
		net_buffer_put(&sq->buffers, (uint64_t)token);
		return -EIO;
	}
	sq->packets++;
	emit(w, EV_NET_XMIT, sq->net->dev.name, sq->index, bytes, token);
	return 0;
}

static int
start_xmit(struct guest_cpu *cpu, struct guest_txq *sq, const void *data, uint32_t bytes)
{
	bool napi = sq->net->config.napi_tx;
	int ret;

	do {
		if (napi)
			tx_callbacks_off(sq);
		tx_reap(sq);
	} while (napi && !guest_vq_enable_cb_delayed(sq->vq));
	ret = tx_add(sq, data, bytes);
	if (ret)
		return ret;
	tx_check_full(cpu, sq);
	guest_vq_kick(sq->vq, cpu);
	return 0;
}

int
guest_net_xmit(struct guest_net *net, struct guest_cpu *cpu, const void *data, uint32_t bytes)
{
	struct guest_txq *sq;
	int ret;

	if (!bytes || bytes > GUEST_NET_FRAME_MAX)
		return -EMSGSIZE;
	guest_cpu_enter(cpu);
	if (!net->up)
		return -ENETDOWN;
	sq = &net->tx[cpu->index % net->pairs];
	guest_spin_lock_bh(cpu, &sq->lock);
	while ((sq->stopped || sq->reset) && net->up) {
		guest_spin_unlock_bh(cpu, &sq->lock);
		/* Unlocking lets a handler in: it may have started the queue already. */
		if (sq->stopped || sq->reset)
			guest_wait(cpu, &sq->room);
		guest_spin_lock_bh(cpu, &sq->lock);
	}
	ret = net->up ? start_xmit(cpu, sq, data, bytes) : -ENETDOWN;
	guest_spin_unlock_bh(cpu, &sq->lock);
	return ret;
}
