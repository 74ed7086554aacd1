/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's network driver against each backend: every packet comes through, in both
 * directions.
 */
#include "test_guest_rig.h"

#include "guest/net_driver.h"

#define RUNS 300
#define FAULT_RUNS 3000

struct plan {
	unsigned rx, tx; /* packets in each direction */
	unsigned burst; /* packets that come to the guest at once; 0: 2 */
	uint32_t bytes;
	uint32_t rx_buffer_bytes;
	uint16_t queue_size;
	unsigned budget, rx_fill, alloc_fail_every;
	bool napi_tx, not_mergeable, no_event_idx, freeze, resize, close, open_elsewhere;
	bool close_midway; /* another CPU closes it while packets come */
};

struct net_state {
	struct guest_net *net;
	struct waitq probed;
	bool is_probed;
	int ret; /* of the last driver call that may fail */
	unsigned received, damaged, sent;
	bool up_before_ready;
	unsigned refills_when_down;
};

static uint64_t spurious; /* transmit interrupts that found nothing, over all runs */

struct task {
	struct rig *r;
	struct guest_cpu *cpu;
};

static uint8_t
byte_of(unsigned packet, unsigned i)
{
	return (uint8_t)(packet * 7 + i);
}

/* Receive until all packets of the plan came. */
static void
receiver(struct actor *self, void *arg)
{
	struct task *t = arg;
	struct net_state *s = t->r->state;
	const struct plan *p = t->r->config.arg;

	(void)self;
	guest_cpu_enter(t->cpu);
	while (!s->is_probed)
		guest_wait(t->cpu, &s->probed);
	while (s->received < p->rx) {
		struct guest_packet *packet = guest_net_recv_wait(s->net, t->cpu, 0);
		bool whole = packet && packet->bytes == p->bytes;

		if (!packet)
			return; /* closed */
		for (unsigned i = 0; whole && i < packet->bytes; i++)
			whole = packet->data[i] == byte_of(s->received, i);
		s->damaged += !whole;
		s->received++;
		guest_packet_free(t->r->w, packet);
	}
}

static void
send_all(struct task *t, unsigned count)
{
	struct net_state *s = t->r->state;
	const struct plan *p = t->r->config.arg;
	uint8_t data[GUEST_NET_FRAME_MAX];

	for (unsigned n = 0; n < count; n++, s->sent++) {
		for (unsigned i = 0; i < p->bytes; i++)
			data[i] = byte_of(s->sent, i);
		s->ret = guest_net_xmit(s->net, t->cpu, data, p->bytes);
		if (s->ret)
			return;
	}
}

/* The other end of the wire, towards the guest. */
static void
wire(struct actor *self, void *arg)
{
	struct task *t = arg;
	struct net_state *s = t->r->state;
	const struct plan *p = t->r->config.arg;
	uint8_t data[GUEST_NET_FRAME_MAX];

	(void)self;
	while (!s->is_probed)
		waitq_wait(t->r->w, &s->probed);
	for (unsigned n = 0; n < p->rx; n++) {
		for (unsigned i = 0; i < p->bytes; i++)
			data[i] = byte_of(n, i);
		net_wire_send(t->r->d->net, 0, data, p->bytes);
		if ((n + 1) % (p->burst ? p->burst : 2) == 0)
			actor_sleep(t->r->w, 1000); /* until the guest has gone to sleep */
		else
			actor_point(t->r->w);
	}
}

/* Somebody who opens the device as soon as it can be seen. */
static void
opener(struct actor *self, void *arg)
{
	struct task *t = arg;
	struct net_state *s = t->r->state;

	(void)self;
	guest_net_open(s->net, t->cpu);
}

/* Somebody who closes it while packets still come. */
static void
closer(struct actor *self, void *arg)
{
	struct task *t = arg;
	struct net_state *s = t->r->state;

	(void)self;
	guest_cpu_enter(t->cpu);
	while (!s->is_probed)
		guest_wait(t->cpu, &s->probed);
	while (!s->net->rx[0].packets)
		actor_yield(t->r->w);
	guest_net_close(s->net, t->cpu);
}

static void
sender(struct actor *self, void *arg)
{
	struct task *t = arg;
	struct net_state *s = t->r->state;
	const struct plan *p = t->r->config.arg;

	(void)self;
	s->ret = guest_net_probe(s->net, t->cpu);
	if (s->ret)
		return;
	guest_net_open(s->net, t->cpu);
	s->is_probed = true;
	waitq_wake_all(t->r->w, &s->probed);
	send_all(t, p->tx);
	if (p->freeze) {
		guest_net_freeze(s->net, t->cpu);
		s->ret = guest_net_restore(s->net, t->cpu);
		send_all(t, p->tx);
	}
	for (unsigned vq = 0; p->resize && vq < 2; vq++) {
		s->ret = guest_net_resize(s->net, t->cpu, vq, 4);
		send_all(t, p->tx);
	}
	if (p->close)
		guest_net_remove(s->net, t->cpu);
}

static void
watch_open(struct world *w, const struct event *e, void *context)
{
	struct net_state *s = context;

	(void)w;
	if (e->kind == EV_NET_STATE)
		s->up_before_ready |= e->arg[1] && s->net->dev.state != GUEST_VIRTIO_READY;
	else
		s->refills_when_down += !e->arg[1];
}

static struct task *
make_task(struct rig *r, unsigned cpu)
{
	struct task *t = world_alloc(r->w, sizeof(*t));

	*t = (struct task){ r, r->cpu[cpu] };
	return t;
}

static void
setup(struct rig *r)
{
	const struct plan *p = r->config.arg;
	struct net_state *s = world_alloc(r->w, sizeof(*s));
	struct guest_net_config c = {
		.virtio = { .name = "eth0", .function = r->d->pci->function },
		.queue_size = p->queue_size,
		.rx_buffer_bytes = p->rx_buffer_bytes,
		.rx_fill = p->rx_fill,
		.budget = p->budget,
		.napi_tx = p->napi_tx,
		.alloc_fail_every = p->alloc_fail_every,
	};
	unsigned last = r->config.cpus - 1;
	struct actor *a;

	if (p->not_mergeable)
		c.virtio.features = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	if (p->no_event_idx)
		c.virtio.features = VIRTIO_BIT(VIRTIO_NET_F_MRG_RXBUF);
	r->state = s;
	waitq_init(&s->probed, r->w, "probe");
	s->net = guest_net_create(r->w, &c);
	world_observe(r->w, EV_NET_STATE, watch_open, s);
	world_observe(r->w, EV_NET_REFILL_WORK, watch_open, s);
	rig_task(r, "sender", sender, make_task(r, 0));
	if (p->rx)
		rig_task(r, "receiver", receiver, make_task(r, last));
	if (p->open_elsewhere)
		rig_task(r, "opener", opener, make_task(r, last));
	if (p->close_midway)
		rig_task(r, "closer", closer, make_task(r, last));
	a = actor_create(r->w, "wire", wire, make_task(r, 0), 0);
	actor_set_daemon(a, true);
}

static bool
good(struct rig *r)
{
	const struct plan *p = r->config.arg;
	struct net_state *s = r->state;
	unsigned sends = p->tx * (1 + p->freeze + 2 * p->resize);
	/* The packets of a queue that is reset, or closed, are gone. */
	bool lossy = p->freeze || p->resize || p->close || p->close_midway;

	spurious += s->net->dev.vqs[1].spurious;
	if (s->refills_when_down || s->ret || s->damaged || s->up_before_ready || s->sent != sends)
		return false;
	return lossy || (s->received == p->rx && r->d->net->pair[0].tx_packets == sends);
}

static struct rig_config
config(enum machine_backend backend, const struct plan *p)
{
	return (struct rig_config){
		.device = { .name = "net0", .type = MACHINE_NET, .backend = backend, .queues = 1 },
		.cpus = 2,
		.setup = setup,
		.good = good,
		.arg = p,
	};
}

static void
every_packet_comes_through(void **state)
{
	static const struct plan plans[] = {
		{ .rx = 6, .tx = 6, .bytes = 60 },
		{ .rx = 6, .tx = 6, .bytes = 60, .napi_tx = true },
		{ .rx = 4,
		  .tx = 4,
		  .bytes = 700,
		  .rx_buffer_bytes = 256 }, /* three buffers a packet */
		{ .rx = 4, .tx = 4, .bytes = 100, .not_mergeable = true },
		{ .rx = 8, .tx = 4, .bytes = 100, .no_event_idx = true },
		{ .rx = 12, .tx = 0, .bytes = 60, .budget = 2 },
		{ .rx = 0, .tx = 20, .bytes = 60, .queue_size = 4 }, /* stops its queue */
		{ .rx = 0, .tx = 20, .bytes = 60, .queue_size = 4, .napi_tx = true },
		{ .rx = 10, .tx = 0, .bytes = 60, .alloc_fail_every = 5, .rx_fill = 2 },
		{ .rx = 2, .tx = 2, .bytes = 60, .open_elsewhere = true },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		for (unsigned b = 0; b < MACHINE_BACKENDS; b++) {
			struct rig_config c = config(b, &plans[i]);

			rig_assert_clean(rig_explore(&c, RUNS));
		}
}

static void
freeze_resize_remove(void **state)
{
	static const struct plan plans[] = {
		{ .tx = 3, .bytes = 60, .freeze = true },
		{ .tx = 3, .bytes = 60, .freeze = true, .napi_tx = true },
		{ .tx = 3, .bytes = 60, .resize = true, .napi_tx = true },
		{ .tx = 3, .bytes = 60, .resize = true },
		{ .tx = 3, .bytes = 60, .close = true },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		for (unsigned b = 0; b < 2; b++) {
			struct rig_config c = config(b, &plans[i]);

			rig_assert_clean(rig_explore(&c, RUNS));
		}
}

static void
faults_lose(void **state)
{
	/*
	 * With EVENT_IDX a handler leaves callbacks on (event_triggered), and what is used
	 * meanwhile is told anyway.
	 */
	static const struct plan rx = { .rx = 8, .bytes = 60, .no_event_idx = true };
	static const struct plan few = { .rx = 8, .bytes = 60, .queue_size = 2, .burst = 8 };
	static const struct plan closes = {
		.rx = 8, .bytes = 60, .alloc_fail_every = 2, .rx_fill = 4, .close_midway = true
	};
	static const struct plan open = { .rx = 1, .bytes = 60, .open_elsewhere = true };
	static const struct {
		enum fault fault;
		const struct plan *plan;
	} faults[] = {
		{ FAULT_GUEST_NAPI_NO_RECHECK, &rx },
		{ FAULT_GUEST_NET_REFILL_NO_KICK, &few },
		{ FAULT_GUEST_NET_OPEN_EARLY, &open },
		{ FAULT_GUEST_NET_REFILL_AFTER_CLOSE, &closes },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct rig_config c = config(MACHINE_IOTHREAD, faults[i].plan);
		struct rig_result r;

		rig_assert_clean(rig_explore(&c, FAULT_RUNS / 10));
		c.fault = faults[i].fault;
		r = rig_explore(&c, FAULT_RUNS);
		if (!r.hung && !r.bad)
			fail_msg("%s: nothing lost in %u runs", fault_info[c.fault].name, r.runs);
	}
}

/*
 * Reaping with interrupts on: more of them come and find nothing.  Some do in any case, those that
 * were on their way when callbacks went off; genirq forgives them.
 */
static void
reaping_with_callbacks_on_is_spurious(void **state)
{
	static const struct plan tx = {
		.tx = 20, .bytes = 60, .napi_tx = true, .no_event_idx = true
	};
	struct rig_config c = config(MACHINE_IOTHREAD, &tx);
	uint64_t without;

	(void)state;
	spurious = 0;
	rig_assert_clean(rig_explore(&c, FAULT_RUNS));
	without = spurious;
	spurious = 0;
	c.fault = FAULT_GUEST_NET_REAP_CB_ON;
	rig_assert_clean(rig_explore(&c, FAULT_RUNS));
	assert_true(spurious * 10 > without * 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_comes_through),
		cmocka_unit_test(freeze_resize_remove),
		cmocka_unit_test(faults_lose),
		cmocka_unit_test(reaping_with_callbacks_on_is_spurious),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
