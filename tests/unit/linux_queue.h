/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue in a world, its driver and its device: two actors, any ring code on either side.  The
 * driver adds, kicks, reaps and sleeps until an interrupt, the device pops, uses and sleeps until a
 * kick; a notification is kept while nobody waits, as an eventfd keeps it.  Lives in the arena.
 */
#ifndef TEST_LINUX_QUEUE_H
#define TEST_LINUX_QUEUE_H

#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/prng.h"
#include "datapath/datapath.h"
#include "engine/world.h"
#include "guest/ring_memory.h"
#include "memory/access.h"
#include "memory/guest_memory.h"
#include "memory/model.h"
#include "memory/race.h"
#include "virtio/ring_packed_layout.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

#define QUEUE_RAM_BYTES 65536u
#define QUEUE_BUF(n) (32768u + 64u * (n))
#define QUEUE_TABLE(n) (49152u + 64u * (n))

/* What is built. */
struct plan {
	const struct datapath *driver, *device;
	uint64_t features;
	uint16_t size, start_idx;
	unsigned buffers;
	unsigned chain; /* descriptors a buffer */
	bool keep_cb; /* callbacks stay on for ever, as 9p's do */
	bool delayed; /* enable_cb_delayed() */
	bool keep_notify; /* the device never turns notifications off */
	bool skip_recheck; /* the driver sleeps without enable_cb(): must lose */
	bool hostile_guest, hostile_device; /* an actor writes over the rings */
	unsigned stray; /* interrupts on another CPU that no device sent, at any time */
	bool races; /* look for data races */
	enum memory_model model;
	int64_t ignore; /* access_site() of a barrier that is left out; 0: none */
};

struct queue {
	const struct plan *plan;
	struct world *w;
	const struct dp_driver_ops *drv;
	const struct dp_device_ops *dev;
	struct dp_host host;
	struct dp_vring vring;
	struct ring_split_layout split;
	struct ring_packed_layout packed;
	struct dp_driver *driver;
	struct dp_device *device;
	struct waitq kick_wait, call_wait;
	bool kicked, called;
	unsigned errors, got, kicks, calls;
	unsigned wrong; /* buffers that are not what the other side handed over */
	struct dp_elem elem;
};

static struct queue *queue;

/* --- host ----------------------------------------------------------------------------------- */

static void *
queue_map(void *ctx, uint64_t gpa, uint64_t len)
{
	return gm_map(((struct queue *)ctx)->w, gpa, len);
}

static void *
queue_take(void *ctx, size_t size)
{
	return world_alloc(((struct queue *)ctx)->w, size);
}

static void
queue_give(void *ctx, void *block, size_t size)
{
	world_free(((struct queue *)ctx)->w, block, size);
}

static void
queue_broke(void *ctx, const char *what, uint64_t value)
{
	((struct queue *)ctx)->errors++;
}

/* A notification orders memory on both sides, as a doorbell and an interrupt do. */
static void
queue_post(struct world *w, bool *flag, struct waitq *q)
{
	access_full_barrier(w, NULL);
	*flag = true;
	waitq_wake_one(w, q);
}

static void
queue_wait(struct world *w, bool *flag, struct waitq *q)
{
	while (!*flag)
		waitq_wait(w, q);
	access_full_barrier(w, NULL);
	*flag = false;
}

/* --- actors --------------------------------------------------------------------------------- */

static void
queue_kick(struct queue *q)
{
	if (q->drv->kick_prepare(q->driver)) {
		q->kicks++;
		queue_post(q->w, &q->kicked, &q->kick_wait);
	}
}

static unsigned
queue_add(struct queue *q, unsigned added)
{
	const struct plan *p = q->plan;
	struct dp_buf sg[4];

	for (; added < p->buffers; added++) {
		for (unsigned i = 0; i < p->chain; i++)
			sg[i] = (struct dp_buf){ QUEUE_BUF(added * 4 + i), 16 + added };
		if (q->drv->add(q->driver, sg, 0, p->chain, added, true, QUEUE_TABLE(added)))
			break;
		queue_kick(q);
	}
	return added;
}

/* As vring_interrupt() says: without anything used there is no callback. */
static void
queue_interrupt(struct queue *q)
{
	do
		queue_wait(q->w, &q->called, &q->call_wait);
	while (q->drv->interrupt && !q->drv->interrupt(q->driver));
}

static void
queue_driver(struct actor *self, void *arg)
{
	struct queue *q = arg;
	const struct plan *p = q->plan;
	unsigned added = 0, before;
	uint64_t token;
	uint32_t len;

	while (q->got < p->buffers && !q->errors) {
		added = queue_add(q, added);
		before = q->got;
		if (!p->keep_cb)
			q->drv->disable_cb(q->driver);
		while (q->drv->get(q->driver, &token, &len) == 1) {
			q->wrong += len != token + 1;
			q->got++;
		}
		if (q->got == p->buffers || q->got != before)
			continue;
		if (p->skip_recheck)
			q->drv->enable_cb_prepare(q->driver);
		if (p->skip_recheck || p->keep_cb ||
		    (p->delayed ? q->drv->enable_cb_delayed(q->driver)
				: q->drv->enable_cb(q->driver)))
			queue_interrupt(q);
	}
}

static void
queue_device(struct actor *self, void *arg)
{
	struct queue *q = arg;
	struct dp_elem *e = &q->elem;
	unsigned n;

	for (;;) {
		if (q->dev->pop(q->device, e) != 1) {
			if (q->plan->keep_notify || !q->dev->enable_notify(q->device))
				queue_wait(q->w, &q->kicked, &q->kick_wait);
			if (!q->plan->keep_notify)
				q->dev->disable_notify(q->device);
			continue;
		}
		n = e->in ? e->sg[0].len - 16 : 0;
		for (unsigned i = 0; i < e->in; i++)
			q->wrong += e->sg[i].addr != QUEUE_BUF(n * 4 + i);
		q->wrong += e->out || e->in != q->plan->chain;
		q->dev->fill(q->device, e, n + 1, 0);
		q->dev->flush(q->device, 1);
		if (q->dev->should_notify(q->device)) {
			q->calls++;
			queue_post(q->w, &q->called, &q->call_wait);
		}
	}
}

/* The line is shared, or a poll came first: the handler runs, also within the driver's operations.
 */
static void
queue_stray(struct actor *self, void *arg)
{
	struct queue *q = arg;

	for (unsigned i = 0; i < q->plan->stray; i++) {
		actor_point(q->w);
		if (q->drv->interrupt(q->driver))
			queue_post(q->w, &q->called, &q->call_wait);
	}
}

/* Writes small numbers over rings and descriptors, one at a time, and notifies. */
static void
queue_hostile(struct actor *self, void *arg)
{
	struct queue *q = arg;
	uint64_t bytes = q->split.bytes ? q->split.bytes : q->packed.bytes;

	for (unsigned i = 0; i < 40; i++) {
		uint16_t value = (uint16_t)world_choose(q->w, 8, CHOICE_OUTCOME);
		uint64_t at = world_choose(q->w, (uint32_t)(bytes / 2), CHOICE_OUTCOME) * 2;

		/* AVAIL and USED of a packed ring */
		if (q->packed.bytes && world_choose(q->w, 2, CHOICE_OUTCOME))
			value |= 0x8080;
		gm_write(q->w, q->vring.desc + at, &value, sizeof(value));
		actor_point(q->w);
		queue_post(q->w, &q->kicked, &q->kick_wait);
		queue_post(q->w, &q->called, &q->call_wait);
	}
}

/* --- set-up --------------------------------------------------------------------------------- */

static void
queue_rings(struct queue *q)
{
	const struct plan *p = q->plan;

	if (p->races) { /* with what the fields are for */
		ring_memory_alloc(q->w, &q->vring, "vq0", p->size, p->features);
	} else if (p->features & VIRTIO_BIT(VIRTIO_F_RING_PACKED)) {
		ring_packed_layout_init(&q->packed, p->size);
		ring_packed_layout_place(&q->packed, gm_alloc(q->w, q->packed.bytes, 16),
					 &q->vring);
		gm_region(q->w, q->vring.desc, q->packed.bytes, "vq0", ring_packed_describe,
			  &q->packed);
	} else {
		ring_split_layout_init(&q->split, p->size, 4);
		ring_split_layout_place(&q->split, gm_alloc(q->w, q->split.bytes, 16), &q->vring);
		gm_region(q->w, q->vring.desc, q->split.bytes, "vq0", ring_split_describe,
			  &q->split);
	}
	q->vring.features = p->features | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	q->vring.start_idx = p->start_idx;
}

static void
queue_setup(struct world *w, void *arg)
{
	struct queue *q = queue = world_alloc(w, sizeof(*q));
	const struct plan *p = q->plan = arg;

	q->w = w;
	q->drv = p->driver->driver;
	q->dev = p->device->device;
	q->host = (struct dp_host){ q, queue_map, queue_take, queue_give, queue_broke };
	gm_create(w, QUEUE_RAM_BYTES);
	if (p->races)
		race_detect(w);
	memory_set_model(w, p->model);
	memory_ignore_barrier(w, p->ignore);
	waitq_init(&q->kick_wait, w, "kick");
	waitq_init(&q->call_wait, w, "call");
	queue_rings(q);
	must(!q->drv->init(&q->driver, &q->vring, &q->host));
	must(!q->dev->init(&q->device, &q->vring, &q->host));
	if (!p->hostile_guest)
		actor_create(w, "driver", queue_driver, q, 0);
	if (!p->hostile_device)
		actor_set_daemon(actor_create(w, "device", queue_device, q, 0), true);
	if (p->stray)
		actor_create(w, "irq", queue_stray, q, 0);
	if (p->hostile_guest || p->hostile_device)
		actor_create(w, "hostile", queue_hostile, q, 0);
}

struct queue_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
queue_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct queue_chooser *)self)->prng, n);
}

static struct world *
queue_world(const struct plan *plan)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = 5000 }, &err);

	must(w && !world_setup(w, queue_setup, (void *)plan, &err));
	world_snapshot(w);
	return w;
}

struct tally {
	unsigned lost, livelock, errors, wrong, races; /* schedules */
};

static struct tally
queue_explore(const struct plan *plan, long schedules)
{
	struct queue_chooser r = { { queue_choose }, { { 0 } } };
	struct tally t = { 0 };
	struct world *w = queue_world(plan);

	prng_seed(&r.prng, 42);
	world_set_chooser(w, &r.base);
	for (long i = 0; i < schedules; i++) {
		enum stop why = world_run(w);

		t.wrong += queue->wrong != 0;
		t.races += plan->races && race_count(w);
		if (queue->errors)
			t.errors++;
		else if (why == STOP_STEPS)
			t.livelock++;
		else if (queue->got < plan->buffers)
			t.lost++;
		world_restore(w);
	}
	world_destroy(w);
	return t;
}

#endif
