/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/net_driver.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "guest/net_impl.h"
#include "memory/guest_memory.h"
#include "memory/race.h"

#define BUFFER_ALIGN 64u

/* --- buffers -------------------------------------------------------------------------------- */

void
net_buffers_make(struct world *w, struct guest_net_buffers *b, uint16_t count, uint32_t bytes)
{
	bytes = (bytes + BUFFER_ALIGN - 1) & ~(BUFFER_ALIGN - 1u);
	if (count > b->count || bytes != b->bytes) {
		world_free(w, b->free, b->count * sizeof(*b->free));
		b->gpa = gm_alloc(w, (uint64_t)count * bytes, BUFFER_ALIGN);
		b->bytes = bytes;
		b->count = count;
		b->free = world_alloc(w, count * sizeof(*b->free));
	}
	b->free_count = 0;
	for (unsigned i = b->count; i-- > 0;)
		net_buffer_put(b, i);
}

int
net_buffer_get(struct guest_net_buffers *b)
{
	return b->free_count ? b->free[--b->free_count] : -1;
}

void
net_buffer_put(struct guest_net_buffers *b, uint64_t token)
{
	must(token < b->count && b->free_count < b->count);
	b->free[b->free_count++] = (uint16_t)token;
}

/* --- delayed refill ------------------------------------------------------------------------- */

static void
refill_due(struct world *w, struct timer *t)
{
	struct guest_refill *r = t->arg;

	waitq_wake_one(w, &r->work);
}

void
net_refill_queue(struct guest_net *net, int64_t delay_ns)
{
	struct guest_refill *r = &net->refill;

	if (r->queued || (!r->enabled && !fault_on(net->w, FAULT_GUEST_NET_REFILL_AFTER_CLOSE)))
		return;
	r->queued = true;
	timer_arm(net->w, &r->timer, delay_ns, true);
}

/* refill_work() */
static void
refill(struct guest_net *net)
{
	struct guest_cpu *cpu = net->refill.cpu;
	bool full = true;

	net->refill.strays += !net->refill.enabled;
	emit(net->w, EV_NET_REFILL_WORK, net->dev.name, net->up);
	for (unsigned i = 0; i < net->pairs; i++) {
		guest_napi_disable(cpu, &net->rx[i].napi);
		full = net_rx_fill(cpu, &net->rx[i]) && full;
		net_napi_enable(cpu, &net->rx[i].napi);
	}
	if (!full)
		net_refill_queue(net, GUEST_NET_REFILL_NS);
}

static void
refill_worker(struct actor *self, void *arg)
{
	struct guest_net *net = arg;
	struct guest_refill *r = &net->refill;

	guest_cpu_enter(r->cpu);
	for (;;) {
		while (!r->queued || timer_pending(&r->timer))
			guest_wait(r->cpu, &r->work);
		race_acquire(net->w, &r->work);
		r->queued = false;
		r->running = true;
		refill(net);
		r->running = false;
		waitq_wake_all(net->w, &r->idle);
	}
}

static void
refill_cancel(struct guest_net *net, struct guest_cpu *cpu)
{
	struct guest_refill *r = &net->refill;

	timer_cancel(net->w, &r->timer);
	r->queued = false;
	while (r->running)
		guest_wait(cpu, &r->idle);
	race_acquire(net->w, &r->idle);
	timer_cancel(net->w, &r->timer);
	r->queued = false;
}

static void
refill_init(struct guest_net *net, struct guest_cpu *cpu)
{
	struct guest_refill *r = &net->refill;
	char name[64];

	if (r->worker)
		return;
	r->cpu = cpu;
	timer_init(&r->timer, refill_due, r);
	waitq_init(&r->work, net->w, "refill work");
	waitq_init(&r->idle, net->w, "refill work to end");
	snprintf(name, sizeof(name), "%s.refill", world_name_text(net->w, net->dev.name));
	r->worker = actor_create(net->w, name, refill_worker, net, 0);
	actor_set_daemon(r->worker, true);
}

/* --- probe ---------------------------------------------------------------------------------- */

/* A mutex: taken by tasks only, which may sleep while they hold it. */
static void
rtnl_lock(struct guest_net *net, struct guest_cpu *cpu)
{
	struct actor *self = actor_current(net->w);

	actor_point(net->w);
	while (net->rtnl.owner)
		guest_wait(cpu, &net->rtnl.q);
	race_acquire(net->w, &net->rtnl.q);
	net->rtnl.owner = self;
}

static void
rtnl_unlock(struct guest_net *net)
{
	guest_spin_unlock(net->w, &net->rtnl);
}

struct guest_net *
guest_net_create(struct world *w, const struct guest_net_config *config)
{
	struct guest_net *net = world_alloc(w, sizeof(*net));

	net->w = w;
	net->config = *config;
	guest_virtio_init(&net->dev, w, &config->virtio,
			  VIRTIO_BIT(VIRTIO_NET_F_MAC) | VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF) |
				  VIRTIO_BIT(VIRTIO_NET_F_STATUS));
	guest_spinlock_init(&net->rtnl, w, "rtnl");
	waitq_init(&net->visible, w, "network device to be registered");
	return net;
}

static void
make_queues(struct guest_net *net)
{
	if (net->rx)
		return;
	net->pairs = net->config.pairs ? net->config.pairs : 1;
	net->rx = world_alloc(net->w, net->pairs * sizeof(*net->rx));
	net->tx = world_alloc(net->w, net->pairs * sizeof(*net->tx));
	for (unsigned i = 0; i < net->pairs; i++) {
		struct guest_rxq *rq = &net->rx[i];
		struct guest_txq *sq = &net->tx[i];

		rq->net = sq->net = net;
		rq->index = sq->index = i;
		rq->last = &rq->first;
		waitq_init(&rq->readers, net->w, "packet");
		waitq_init(&sq->room, net->w, "room in the transmit queue");
		guest_spinlock_init(&sq->lock, net->w, "netif_tx_lock");
	}
}

/* virtnet_find_vqs() and init_vqs() */
static int
net_init_vqs(struct guest_net *net, struct guest_cpu *cpu)
{
	struct guest_vq_info *info = world_alloc(net->w, 2 * net->pairs * sizeof(*info));
	int ret;

	for (unsigned i = 0; i < net->pairs; i++) {
		struct guest_cpu *target = i < net->config.cpu_count ? net->config.cpus[i] : cpu;

		info[2 * i] = (struct guest_vq_info){
			.name = "input",
			.callback = net_rx_callback,
			.priv = &net->rx[i],
			.affinity = target,
			.size = net->config.queue_size,
		};
		info[2 * i + 1] = (struct guest_vq_info){
			.name = "output",
			.callback = net_tx_callback,
			.priv = &net->tx[i],
			.affinity = target,
			.size = net->config.queue_size,
		};
	}
	ret = guest_virtio_find_vqs(&net->dev, cpu, info, 2 * net->pairs);
	world_free(net->w, info, 2 * net->pairs * sizeof(*info));
	for (unsigned i = 0; !ret && i < net->pairs; i++) {
		net->rx[i].vq = &net->dev.vqs[2 * i];
		net->tx[i].vq = &net->dev.vqs[2 * i + 1];
		net_rx_init(&net->rx[i]);
		net_tx_init(&net->tx[i]);
		net->tx[i].stopped = false;
	}
	return ret;
}

/* Features to queues: what probe and restore have in common. */
static int
net_start(struct guest_net *net, struct guest_cpu *cpu)
{
	int ret = guest_virtio_start(&net->dev, cpu);

	if (ret)
		return ret;
	net->mergeable = guest_virtio_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF);
	make_queues(net);
	ret = net_init_vqs(net, cpu);
	if (ret)
		guest_virtio_fail(&net->dev, cpu);
	return ret;
}

int
guest_net_probe(struct guest_net *net, struct guest_cpu *cpu)
{
	bool early = fault_on(net->w, FAULT_GUEST_NET_OPEN_EARLY);
	int ret;

	guest_cpu_enter(cpu);
	refill_init(net, cpu);
	ret = net_start(net, cpu);
	if (ret)
		return ret;
	if (guest_virtio_has(&net->dev, VIRTIO_NET_F_MAC))
		guest_virtio_config_read(&net->dev, cpu, 0, net->mac, sizeof(net->mac));
	if (!early)
		rtnl_lock(net, cpu);
	net->registered = true;
	waitq_wake_all(net->w, &net->visible);
	guest_virtio_ready(&net->dev, cpu);
	guest_virtio_late_irqs(&net->dev, cpu);
	if (!early)
		rtnl_unlock(net);
	return 0;
}

/* --- open and close ------------------------------------------------------------------------- */

static void
net_up(struct guest_net *net, struct guest_cpu *cpu)
{
	net->refill.enabled = true;
	net->up = true;
	for (unsigned i = 0; i < net->pairs; i++) {
		if (!net_rx_fill(cpu, &net->rx[i]))
			net_refill_queue(net, 0);
		net_napi_enable(cpu, &net->rx[i].napi);
		if (net->config.napi_tx)
			net_napi_enable(cpu, &net->tx[i].napi);
	}
	emit(net->w, EV_NET_STATE, net->dev.name, net->up);
}

static void
net_down(struct guest_net *net, struct guest_cpu *cpu)
{
	net->up = false;
	net->refill.enabled = false;
	refill_cancel(net, cpu);
	for (unsigned i = 0; i < net->pairs; i++) {
		if (net->config.napi_tx)
			guest_napi_disable(cpu, &net->tx[i].napi);
		guest_napi_disable(cpu, &net->rx[i].napi);
		waitq_wake_all(net->w, &net->rx[i].readers);
		waitq_wake_all(net->w, &net->tx[i].room);
	}
	emit(net->w, EV_NET_STATE, net->dev.name, net->up);
}

int
guest_net_open(struct guest_net *net, struct guest_cpu *cpu)
{
	int ret = 0;

	guest_cpu_enter(cpu);
	while (!net->registered && !net->removed)
		guest_wait(cpu, &net->visible);
	race_acquire(net->w, &net->visible);
	rtnl_lock(net, cpu);
	if (net->removed)
		ret = -ENODEV;
	else if (!net->up)
		net_up(net, cpu);
	rtnl_unlock(net);
	return ret;
}

void
guest_net_close(struct guest_net *net, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	rtnl_lock(net, cpu);
	if (net->up)
		net_down(net, cpu);
	rtnl_unlock(net);
}

/* --- the end and the pause ------------------------------------------------------------------ */

/* Transmitters that are past the check of `up` finish first: netif_tx_disable(). */
static void
net_quiesce_tx(struct guest_net *net, struct guest_cpu *cpu)
{
	for (unsigned i = 0; i < net->pairs; i++) {
		guest_spin_lock_bh(cpu, &net->tx[i].lock);
		guest_spin_unlock_bh(cpu, &net->tx[i].lock);
	}
}

void
guest_net_remove(struct guest_net *net, struct guest_cpu *cpu)
{
	guest_cpu_enter(cpu);
	rtnl_lock(net, cpu);
	net->registered = false;
	net->removed = true;
	if (net->up)
		net_down(net, cpu);
	rtnl_unlock(net);
	waitq_wake_all(net->w, &net->visible);
	net_quiesce_tx(net, cpu);
	guest_virtio_remove(&net->dev, cpu);
}

void
guest_net_freeze(struct guest_net *net, struct guest_cpu *cpu)
{
	bool was_up;

	guest_cpu_enter(cpu);
	rtnl_lock(net, cpu);
	was_up = net->up;
	if (was_up)
		net_down(net, cpu);
	net->reopen = was_up;
	net->registered = false; /* netif_device_detach() */
	rtnl_unlock(net);
	net_quiesce_tx(net, cpu);
	guest_virtio_reset(&net->dev, cpu);
	guest_virtio_del_vqs(&net->dev, cpu);
}

int
guest_net_restore(struct guest_net *net, struct guest_cpu *cpu)
{
	int ret;

	guest_cpu_enter(cpu);
	ret = net_start(net, cpu);
	if (ret)
		return ret;
	rtnl_lock(net, cpu);
	guest_virtio_ready(&net->dev, cpu);
	guest_virtio_late_irqs(&net->dev, cpu);
	if (net->reopen)
		net_up(net, cpu);
	net->registered = true;
	rtnl_unlock(net);
	waitq_wake_all(net->w, &net->visible);
	return 0;
}

static int
net_attach(struct guest_net *net, struct guest_cpu *cpu, int ret)
{
	rtnl_lock(net, cpu);
	if (net->reopen && !ret)
		net_up(net, cpu);
	net->registered = true;
	rtnl_unlock(net);
	waitq_wake_all(net->w, &net->visible);
	return ret;
}

int
guest_net_suspend(struct guest_net *net, struct guest_cpu *cpu, const struct guest_suspend *how)
{
	int ret;

	guest_cpu_enter(cpu);
	rtnl_lock(net, cpu);
	net->reopen = net->up;
	if (net->up)
		net_down(net, cpu);
	net->registered = false;
	rtnl_unlock(net);
	net_quiesce_tx(net, cpu);
	ret = guest_virtio_suspend(&net->dev, cpu, how);
	return ret ? net_attach(net, cpu, ret) : 0;
}

int
guest_net_resume(struct guest_net *net, struct guest_cpu *cpu, const struct guest_suspend *how)
{
	guest_cpu_enter(cpu);
	return net_attach(net, cpu, guest_virtio_resume(&net->dev, cpu, how));
}

/* --- ethtool -G ----------------------------------------------------------------------------- */

/* virtnet_rx_resize(); an interface that is down has its NAPI off already. */
static int
rx_resize(struct guest_net *net, struct guest_cpu *cpu, struct guest_rxq *rq, uint16_t size)
{
	int ret;

	net->refill.enabled = false;
	refill_cancel(net, cpu);
	if (net->up)
		guest_napi_disable(cpu, &rq->napi);
	ret = guest_vq_reset(rq->vq, cpu, net_rx_recycle);
	if (!ret)
		ret = guest_vq_enable(rq->vq, cpu, size);
	if (!ret)
		net_buffers_make(net->w, &rq->buffers, rq->vq->vring.size, rq->buffers.bytes);
	if (!net->up)
		return ret;
	net->refill.enabled = true;
	if (!net_rx_fill(cpu, rq))
		net_refill_queue(net, 0);
	net_napi_enable(cpu, &rq->napi);
	return ret;
}

/* virtnet_tx_resize() */
static int
tx_resize(struct guest_net *net, struct guest_cpu *cpu, struct guest_txq *sq, uint16_t size)
{
	bool napi = net->up && net->config.napi_tx;
	int ret;

	if (napi)
		guest_napi_disable(cpu, &sq->napi);
	guest_spin_lock_bh(cpu, &sq->lock);
	sq->reset = true; /* transmitters and the receive poll keep away */
	guest_spin_unlock_bh(cpu, &sq->lock);
	ret = guest_vq_reset(sq->vq, cpu, net_tx_recycle);
	if (!ret)
		ret = guest_vq_enable(sq->vq, cpu, size);
	guest_spin_lock_bh(cpu, &sq->lock);
	if (!ret)
		net_buffers_make(net->w, &sq->buffers, sq->vq->vring.size, sq->buffers.bytes);
	sq->reset = false;
	sq->stopped = false;
	guest_spin_unlock_bh(cpu, &sq->lock);
	waitq_wake_all(net->w, &sq->room);
	if (napi)
		net_napi_enable(cpu, &sq->napi);
	return ret;
}

int
guest_net_resize(struct guest_net *net, struct guest_cpu *cpu, unsigned vq_index, uint16_t size)
{
	int ret;

	must(vq_index < 2 * net->pairs);
	guest_cpu_enter(cpu);
	rtnl_lock(net, cpu);
	ret = vq_index % 2 ? tx_resize(net, cpu, &net->tx[vq_index / 2], size)
			   : rx_resize(net, cpu, &net->rx[vq_index / 2], size);
	rtnl_unlock(net);
	return ret;
}
