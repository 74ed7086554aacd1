/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of sim/vhost/ share: one vCPU, a virtio device on the real PCI transport with
 * irqfds and ioeventfds, vhost or vhost-user behind it, and a driver that is no more than a ring,
 * a doorbell write and an interrupt handler.  There is no VMM but for its big lock and, without
 * irqfds, its main loop's look at guest notifiers.  A run *hangs* if a task is not done when
 * nothing can run any more.
 */
#ifndef RINGSIDE_TESTS_TEST_VHOST_RIG_H
#define RINGSIDE_TESTS_TEST_VHOST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "datapath/native.h"
#include "engine/world.h"
#include "guest/cpu.h"
#include "guest/ring_memory.h"
#include "memory/guest_memory.h"
#include "notify/guest_notifier.h"
#include "notify/irqchip.h"
#include "notify/irqfd.h"
#include "notify/memview.h"
#include "vhost/vhost_blk.h"
#include "vhost/vhost_dev.h"
#include "vhost/vhost_net.h"
#include "vhost/vhost_user.h"
#include "virtio/pci_transport.h"

#define VECTOR 0x41 /* of queue 0; queue 1 has the next one */
#define QUEUES 2
#define STATUS_OK \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)

struct rig;

struct rig_config {
	bool user; /* vhost-user; else the kernel's */
	bool net; /* virtio-net: receive, transmit; else virtio-blk */
	struct vhost_user_config user_config;
	enum guest_notifier_design design;
	bool no_irqfd, no_event_idx;
	bool start_masked; /* queue 0's vector is masked at first */
	uint16_t size; /* of rings; 0: 4 */
	struct blk_config blk;
	struct net_config net_config;
	enum fault fault[3];
	uint64_t steps_max;
	void (*driver)(struct rig *r); /* a task of the guest */
	void (*vmm)(struct rig *r); /* another actor; null: none */
};

struct rig_queue {
	struct rig *rig;
	struct dp_vring vring;
	struct dp_driver *ring;
	struct waitq wait;
	bool irq; /* raised, not looked after */
	unsigned added, got, irqs, kicks;
	uint32_t last_len;
};

struct rig {
	const struct rig_config *config;
	struct world *w;
	struct guest_cpu *cpu;
	struct irqchip *chip;
	struct virtio_device vdev;
	struct virtio_net *net;
	struct virtio_blk *blk;
	struct virtio_pci *pci;
	struct vhost_dev *dev; /* or */
	struct vhost_user *user;
	struct rig_queue q[QUEUES];
	struct dp_host host;
	struct actor *lock, *task[2];
	struct waitq lock_wait;
	unsigned depth, tasks;
	bool masked; /* the driver's mask write has returned */
	unsigned injected_masked; /* … and an irqfd injected after that */
	unsigned events[EV_COUNT];
};

static struct rig *rig; /* in the arena */

/* --- the VMM's big lock, and its look at guest notifiers ------------------------------------ */

static void
rig_lock(void *arg)
{
	struct rig *r = arg;
	struct actor *self = actor_current(r->w);

	while (r->depth && r->lock != self)
		waitq_wait(r->w, &r->lock_wait);
	r->lock = self;
	r->depth++;
}

static void
rig_unlock(void *arg)
{
	struct rig *r = arg;

	if (!--r->depth)
		waitq_wake_one(r->w, &r->lock_wait);
}

static void
relay_main(struct actor *self, void *arg)
{
	struct guest_notifier *n = arg;

	(void)self;
	for (;;) {
		eventfd_wait(n->fd);
		rig_lock(rig);
		guest_notifier_read(n);
		rig_unlock(rig);
	}
}

/* --- the driver ----------------------------------------------------------------------------- */

static void *
host_map(void *ctx, uint64_t gpa, uint64_t len)
{
	return gm_map(((struct rig *)ctx)->w, gpa, len);
}

static void *
host_alloc(void *ctx, size_t size)
{
	return world_alloc(((struct rig *)ctx)->w, size);
}

static void
host_free(void *ctx, void *block, size_t size)
{
	world_free(((struct rig *)ctx)->w, block, size);
}

static void
host_error(void *ctx, const char *what, uint64_t value)
{
	fail_msg("the device broke the ring: %s %llu", what, (unsigned long long)value);
}

static void
on_irq(struct vcpu *v, unsigned vector, void *arg)
{
	struct rig_queue *q = arg;

	q->irq = true;
	q->irqs++;
	waitq_wake_all(q->rig->w, &q->wait);
}

static inline void
rig_add(struct rig_queue *q, const struct dp_buf *sg, unsigned out, unsigned in)
{
	assert_int_equal(datapath_native.driver->add(q->ring, sg, out, in, q->added, false, 0), 0);
	q->added++;
}

static inline void
rig_kick(struct rig_queue *q)
{
	struct virtio_queue *vq = &q->rig->vdev.vqs[q->vring.index];

	if (!datapath_native.driver->kick_prepare(q->ring))
		return;
	q->kicks++;
	guest_mmio_write(q->rig->cpu, q->rig->vdev.transport->doorbell(vq), vq->index, 2);
}

static inline void
rig_reap(struct rig_queue *q)
{
	uint64_t token;

	do {
		datapath_native.driver->disable_cb(q->ring);
		while (datapath_native.driver->get(q->ring, &token, &q->last_len) == 1)
			q->got++;
	} while (!datapath_native.driver->enable_cb(q->ring));
}

/* Sleep until @n buffers came back. Looks at the ring only when interrupted. */
static inline void
rig_wait(struct rig_queue *q, unsigned n)
{
	while (q->got < n) {
		while (!q->irq)
			guest_wait(q->rig->cpu, &q->wait);
		q->irq = false;
		rig_reap(q);
	}
}

static inline void
rig_driver_ok(struct rig *r)
{
	uint64_t common = pci_bar_address(r->pci->function, VIRTIO_PCI_BAR_MODERN);

	guest_mmio_write(r->cpu, common + offsetof(struct virtio_pci_common_cfg, device_status),
			 STATUS_OK | VIRTIO_CONFIG_S_DRIVER_OK, 1);
}

/* A block request that needs no data: flush. */
static inline void
rig_flush(struct rig *r, unsigned queue)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_FLUSH };
	struct dp_buf sg[2] = { { gm_alloc(r->w, 16, 16), 16 }, { gm_alloc(r->w, 16, 16), 1 } };

	gm_write(r->w, sg[0].addr, &header, sizeof(header));
	rig_add(&r->q[queue], sg, 1, 1);
}

/* Returns where it is. */
static inline uint64_t
rig_rx_buffer(struct rig *r, uint32_t bytes)
{
	uint64_t gpa = gm_alloc(r->w, bytes, 16);

	rig_add(&r->q[0], &(struct dp_buf){ gpa, bytes }, 0, 1);
	return gpa;
}

static inline void
rig_tx_packet(struct rig *r, uint32_t bytes)
{
	bytes += (uint32_t)sizeof(struct virtio_net_hdr_v1);
	rig_add(&r->q[1], &(struct dp_buf){ gm_alloc(r->w, bytes, 16), bytes }, 1, 0);
}

/* --- set-up --------------------------------------------------------------------------------- */

static void
rig_observe(struct world *w, const struct event *e, void *context)
{
	struct rig *r = context;

	r->events[e->kind]++;
	r->injected_masked += r->masked && e->kind == EV_IRQFD_INJECT;
}

static void
rig_queue_setup(struct rig *r, uint16_t i)
{
	struct rig_queue *q = &r->q[i];
	struct virtio_queue *vq = &r->vdev.vqs[i];

	q->rig = r;
	waitq_init(&q->wait, r->w, "interrupt");
	ring_memory_alloc(r->w, &q->vring, i ? "vq1" : "vq0", vq->size_max,
			  r->vdev.driver_features);
	q->vring.index = i;
	q->vring.quirks = native_quirks(r->w);
	assert_int_equal(datapath_native.driver->init(&q->ring, &q->vring, &r->host), 0);
	vq->desc_gpa = q->vring.desc;
	vq->driver_gpa = q->vring.driver;
	vq->device_gpa = q->vring.device;
	virtio_queue_enable(vq);
	vcpu_set_handler(r->cpu->vcpu, VECTOR + i, on_irq, q, VCPU_EOI_FIRST);
	guest_notifier_set_vector(virtio_pci_notifier(vq), i);
	vq->vector = i;
	msix_driver_write_entry(r->pci->msix, NULL, i,
				(struct msix_message){ msi_address(0), msi_data(VECTOR + i) },
				false);
	msix_driver_mask(r->pci->msix, NULL, i, r->config->start_masked && !i);
	if (r->config->no_irqfd)
		actor_set_daemon(
			actor_create(r->w, "main-loop", relay_main, virtio_pci_notifier(vq), 0),
			true);
}

static void
rig_device(struct rig *r, uint64_t features)
{
	const struct rig_config *c = r->config;
	uint16_t size = c->size ? c->size : 4;
	const struct vhost_ops *ops = c->net ? &vhost_net_ops : &vhost_blk_ops;

	if (c->net)
		r->net = virtio_net_create(&r->vdev, r->w, "dev0", datapath_native.device,
					   VIRTIO_NET_FEATURES | features, 1, size, &c->net_config);
	else
		r->blk = virtio_blk_create(&r->vdev, r->w, "dev0", datapath_native.device,
					   VIRTIO_BLK_FEATURES | features, QUEUES, size, &c->blk);
	r->vdev.fault_quirks = native_quirks;
	if (c->user) {
		r->user = vhost_user_create(&r->vdev, "vu", ops, &c->user_config);
		virtio_set_backend(&r->vdev, &vhost_user_backend_ops, r->user);
	} else {
		r->dev = vhost_dev_create(&r->vdev, vhost_worker_create(r->w, "vhost", true), ops);
		virtio_set_backend(&r->vdev, &vhost_backend_ops, r->dev);
	}
}

static void
rig_negotiate(struct rig *r)
{
	uint64_t features = r->vdev.device_features;

	if (r->config->no_event_idx)
		features &= ~VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	virtio_set_status(&r->vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	virtio_features_write(&r->vdev, 0, (uint32_t)features);
	virtio_features_write(&r->vdev, 1, (uint32_t)(features >> 32));
	virtio_set_status(&r->vdev, STATUS_OK);
	assert_int_equal(r->vdev.status, STATUS_OK);
}

static void
driver_task(struct actor *self, void *arg)
{
	struct rig *r = arg;

	guest_cpu_enter(r->cpu);
	r->config->driver(r);
}

static void
vmm_task(struct actor *self, void *arg)
{
	struct rig *r = arg;

	r->config->vmm(r);
}

static void
rig_setup(struct world *w, void *arg)
{
	struct rig *r = rig = world_alloc(w, sizeof(*r));
	const struct rig_config *c = r->config = arg;
	struct virtio_pci_config pc = { .vectors = 3,
					.notify_multiplier = 4,
					.design = c->design,
					.intx_gsi = 11,
					.ioeventfd = true,
					.irqfd = !c->no_irqfd };
	struct vcpu *v = vcpu_create(w, 0);
	struct memview *view = memview_create(w, iobus_create(w));

	r->w = w;
	for (unsigned i = 0; i < 3; i++)
		if (c->fault[i])
			fault_set(w, c->fault[i], true);
	world_observe(w, EV_COUNT, rig_observe, r);
	gm_create(w, 8 << 20);
	r->chip = irqchip_create(w);
	irqchip_add_vcpu(r->chip, v);
	r->cpu = guest_cpu_create(w, v, view, 0);
	r->host = (struct dp_host){ r, host_map, host_alloc, host_free, host_error };
	waitq_init(&r->lock_wait, w, "big lock");
	memview_set_lock(view, rig_lock, rig_unlock, r);
	rig_device(r, 0);
	r->pci = virtio_pci_create(&r->vdev, pci_bus_create(w, view), NULL, r->chip, &pc);
	pci_set_bar(r->pci->function, NULL, VIRTIO_PCI_BAR_MSIX, 0xc0000000);
	pci_set_bar(r->pci->function, NULL, VIRTIO_PCI_BAR_MODERN, 0xc1000000);
	pci_set_command(r->pci->function, NULL, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	msix_driver_control(r->pci->msix, NULL, true, false);
	rig_negotiate(r);
	for (uint16_t i = 0; i < QUEUES; i++)
		rig_queue_setup(r, i);
	r->task[r->tasks++] = actor_create(w, "driver", driver_task, r, 0);
	if (c->vmm)
		r->task[r->tasks++] = actor_create(w, "vmm", vmm_task, r, 0);
}

/* --- schedules ------------------------------------------------------------------------------ */

struct rig_chooser {
	struct chooser base;
	struct prng prng;
	unsigned keep; /* goes on with the same actor keep times of keep + 1 */
};

static uint32_t
rig_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct rig_chooser *r = (struct rig_chooser *)self;

	return prng_below(&r->prng, r->keep + 1) ? 0 : prng_below(&r->prng, n);
}

struct rig_result {
	unsigned runs, hung, stopped, bad; /* stopped: out of steps */
};

/* @runs schedules, the plain one first; @bad judges runs that did not hang. */
static inline struct rig_result
rig_explore(const struct rig_config *config, unsigned runs, bool (*bad)(struct rig *r))
{
	static const unsigned keep[4] = { 0, 1, 3, 15 };
	struct rig_chooser chooser = { { rig_choose }, { { 0 } }, 0 };
	struct rig_result result = { .runs = runs };
	struct world_config wc = { .mode = WORLD_TIMED, .steps_max = config->steps_max };
	struct error err;
	struct world *w = world_create(&wc, &err);

	assert_non_null(w);
	if (world_setup(w, rig_setup, (void *)config, &err))
		fail_msg("set-up: %s", err.text);
	world_snapshot(w);
	for (unsigned i = 0; i < runs; i++) {
		bool hung = false;
		enum stop stop;

		chooser.keep = keep[i % 4];
		prng_seed(&chooser.prng, i);
		world_set_chooser(w, i ? &chooser.base : &chooser_first);
		stop = world_run(w);
		if (stop == STOP_ERROR)
			fail_msg("run %u: %s", i, world_error(w)->text);
		for (unsigned t = 0; t < rig->tasks; t++)
			hung |= actor_state(rig->task[t]) != ACTOR_DONE;
		result.stopped += stop == STOP_STEPS;
		result.hung += hung && stop == STOP_QUIESCENT;
		result.bad += !hung && bad && bad(rig);
		world_restore(w);
	}
	world_set_chooser(w, &chooser_first);
	world_destroy(w);
	return result;
}

#define RUNS 3000u

/* No schedule of @config loses anything, and none is bad. */
static inline void
rig_assert_holds(const struct rig_config *config, bool (*bad)(struct rig *r))
{
	struct rig_result result = rig_explore(config, RUNS, bad);

	if (result.hung || result.stopped || result.bad)
		fail_msg("%u hung, %u out of steps, %u bad of %u", result.hung, result.stopped,
			 result.bad, result.runs);
}

/* With @fault, and @other (or FAULT_NONE), some do; without @fault none. */
static inline void
rig_assert_fault(struct rig_config config, enum fault fault, enum fault other,
		 bool (*bad)(struct rig *r))
{
	struct rig_result result;

	config.fault[0] = other;
	rig_assert_holds(&config, bad);
	config.fault[1] = fault;
	result = rig_explore(&config, RUNS, bad);
	if (!result.hung && !result.bad && !result.stopped)
		fail_msg("%u schedules with %s lost nothing", RUNS, fault_info[fault].name);
	print_message("%s: %u hung, %u out of steps, %u bad of %u\n", fault_info[fault].name,
		      result.hung, result.stopped, result.bad, result.runs);
}

/* The VMM stops the machine and lets it go on. */
static inline void
rig_stop_start(struct rig *r)
{
	rig_lock(r);
	virtio_vm_state(&r->vdev, false);
	rig_unlock(r);
	actor_point(r->w);
	rig_lock(r);
	virtio_vm_state(&r->vdev, true);
	rig_unlock(r);
}

#endif
