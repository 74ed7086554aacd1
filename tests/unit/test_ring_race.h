/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A native ring inside a world, split or packed: a driver, a device, or in the driver's place a
 * hostile guest, and what random schedules of them come to.  RING_FEATURES says which ring:
 * VIRTIO_BIT(VIRTIO_F_RING_PACKED), or 0.
 */
#ifndef TEST_RING_RACE_H
#define TEST_RING_RACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/prng.h"
#include "datapath/native.h"
#include "engine/world.h"
#include "memory/guest_memory.h"
#include "virtio/ring_packed_layout.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

#define RAM_BYTES 65536u
#define BUFFERS 6u
#define USED_BYTES 32u /* of each buffer */

/* What is built; @needs: how many buffers the device must have before it uses any (mergeable
 * receive). */
struct plan {
	uint64_t features;
	enum fault fault;
	uint16_t size; /* 0: 4 */
	uint16_t start_idx; /* split */
	unsigned chain; /* descriptors a buffer; 0: 1 */
	unsigned needs;
	bool never_disables; /* the driver keeps callbacks on for ever, as 9p does */
	bool batch; /* one kick for all that was added */
	bool delayed; /* enable_cb_delayed() */
	bool hostile; /* an actor writes to the rings */
};

struct queue {
	const struct plan *plan;
	struct world *w;
	struct dp_host host;
	struct dp_vring vring;
	uint64_t ring_bytes;
	unsigned chain;
	struct dp_driver *driver;
	struct dp_device *device;
	struct waitq kick_wait, call_wait;
	bool kicked, called;
	unsigned errors, got;
	unsigned wrong; /* buffers that are not what the other side handed over */
	struct dp_elem elem[4];
};

static struct queue *queue; /* in the arena */

/* --- host --------------------------------------------------------------------------------- */

static void *
map(void *ctx, uint64_t gpa, uint64_t len)
{
	return gm_map(((struct queue *)ctx)->w, gpa, len);
}

static void *
take(void *ctx, size_t size)
{
	return world_alloc(((struct queue *)ctx)->w, size);
}

static void
give(void *ctx, void *block, size_t size)
{
	world_free(((struct queue *)ctx)->w, block, size);
}

static void
broke(void *ctx, const char *what, uint64_t value)
{
	((struct queue *)ctx)->errors++;
}

/* A notification: kept while nobody waits, as an eventfd keeps it. */
static void
post(struct world *w, bool *flag, struct waitq *q)
{
	*flag = true;
	waitq_wake_one(w, q);
}

static void
wait_for(struct world *w, bool *flag, struct waitq *q)
{
	while (!*flag)
		waitq_wait(w, q);
	*flag = false;
}

/* --- actors ------------------------------------------------------------------------------- */

static void
driver_actor(struct actor *self, void *arg)
{
	struct queue *q = arg;
	const struct dp_driver_ops *ops = datapath_native.driver;
	const struct dp_buf sg[3] = { { 32768, 64 }, { 33024, 64 }, { 33280, 64 } };
	unsigned added = 0;
	uint64_t token;
	uint32_t len;

	while (q->got < BUFFERS) {
		while (added < BUFFERS && !ops->add(q->driver, sg, 0, q->chain, added, false, 0)) {
			added++;
			if (!q->plan->batch && ops->kick_prepare(q->driver))
				post(q->w, &q->kicked, &q->kick_wait);
		}
		if (q->plan->batch && ops->kick_prepare(q->driver))
			post(q->w, &q->kicked, &q->kick_wait);

		unsigned before = q->got;

		if (!q->plan->never_disables)
			ops->disable_cb(q->driver);
		while (ops->get(q->driver, &token, &len) == 1) {
			q->got++;
			q->wrong += len != USED_BYTES;
		}
		if (q->errors)
			return;
		if (q->got != before)
			continue;
		if (q->plan->never_disables || (q->plan->delayed ? ops->enable_cb_delayed(q->driver)
								 : ops->enable_cb(q->driver)))
			wait_for(q->w, &q->called, &q->call_wait);
	}
}

/* Pop what is needed, or nothing. */
static unsigned
pop_all(struct queue *q)
{
	const struct dp_device_ops *ops = datapath_native.device;
	unsigned n = 0;

	while (n < q->plan->needs && ops->pop(q->device, &q->elem[n]) == 1)
		q->wrong += q->elem[n++].in_bytes != 64 * q->chain;
	if (n == q->plan->needs)
		return n;
	while (n > 0)
		ops->unpop(q->device, &q->elem[--n]);
	return 0;
}

static void
device_actor(struct actor *self, void *arg)
{
	struct queue *q = arg;
	const struct dp_device_ops *ops = datapath_native.device;

	for (;;) {
		unsigned n = pop_all(q);

		if (!n) {
			if (!ops->enable_notify(q->device))
				wait_for(q->w, &q->kicked, &q->kick_wait);
			continue;
		}
		ops->disable_notify(q->device);
		for (unsigned i = 0; i < n; i++)
			ops->fill(q->device, &q->elem[i], USED_BYTES, i);
		ops->flush(q->device, n);
		if (ops->should_notify(q->device))
			post(q->w, &q->called, &q->call_wait);
	}
}

/* Writes small numbers over rings and descriptors, one at a time, and kicks. */
static void
hostile_actor(struct actor *self, void *arg)
{
	struct queue *q = arg;

	for (unsigned i = 0; i < 40; i++) {
		uint32_t value = world_choose(q->w, 8, CHOICE_OUTCOME);
		uint64_t at = world_choose(q->w, (uint32_t)(q->ring_bytes / 2), CHOICE_OUTCOME) * 2;

		if (RING_FEATURES) /* AVAIL and USED, or next to them */
			value |= world_choose(q->w, 4, CHOICE_OUTCOME) << 7;
		gm_write(q->w, q->vring.desc + at, &value, sizeof(uint16_t));
		actor_point(q->w);
		post(q->w, &q->kicked, &q->kick_wait);
	}
}

static void
place_rings(struct queue *q)
{
	uint16_t size = q->plan->size ? q->plan->size : 4;

	if (RING_FEATURES & VIRTIO_BIT(VIRTIO_F_RING_PACKED)) {
		struct ring_packed_layout *layout = world_alloc(q->w, sizeof(*layout));

		ring_packed_layout_init(layout, size);
		ring_packed_layout_place(layout, gm_alloc(q->w, layout->bytes, 16), &q->vring);
		q->ring_bytes = layout->bytes;
		gm_region(q->w, q->vring.desc, layout->bytes, "vq0", ring_packed_describe, layout);
	} else {
		struct ring_split_layout *layout = world_alloc(q->w, sizeof(*layout));

		ring_split_layout_init(layout, size, 4);
		ring_split_layout_place(layout, gm_alloc(q->w, layout->bytes, 16), &q->vring);
		q->ring_bytes = layout->bytes;
		gm_region(q->w, q->vring.desc, layout->bytes, "vq0", ring_split_describe, layout);
	}
	q->vring.features = q->plan->features | RING_FEATURES | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	q->vring.start_idx = q->plan->start_idx;
	q->vring.quirks = native_quirks(q->w);
}

static void
setup(struct world *w, void *arg)
{
	struct queue *q = queue = world_alloc(w, sizeof(*q));

	q->plan = arg;
	q->w = w;
	q->host = (struct dp_host){ q, map, take, give, broke };
	gm_create(w, RAM_BYTES);
	if (q->plan->fault != FAULT_NONE)
		fault_set(w, q->plan->fault, true);
	waitq_init(&q->kick_wait, w, "kick");
	waitq_init(&q->call_wait, w, "call");
	q->chain = q->plan->chain ? q->plan->chain : 1;
	place_rings(q);
	assert_int_equal(datapath_native.driver->init(&q->driver, &q->vring, &q->host), 0);
	assert_int_equal(datapath_native.device->init(&q->device, &q->vring, &q->host), 0);
	actor_set_daemon(actor_create(w, "device", device_actor, q, 0), true);
	if (q->plan->hostile)
		actor_create(w, "hostile", hostile_actor, q, 0);
	else
		actor_create(w, "driver", driver_actor, q, 0);
}

/* --- schedules ---------------------------------------------------------------------------- */

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

struct tally {
	unsigned lost, livelock, errors, wrong; /* schedules */
};

static struct tally
explore(const struct plan *plan, unsigned schedules)
{
	struct random_chooser r = { { choose }, { { 0 } } };
	struct tally t = { 0 };
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = 5000 }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, (void *)plan, &err), 0);
	world_snapshot(w);
	prng_seed(&r.prng, 42);
	world_set_chooser(w, &r.base);
	for (unsigned i = 0; i < schedules; i++) {
		enum stop why = world_run(w);

		if (queue->errors)
			t.errors++;
		else if (queue->wrong && !plan->hostile)
			t.wrong++;
		else if (why == STOP_STEPS)
			t.livelock++;
		else if (!plan->hostile && queue->got < BUFFERS)
			t.lost++;
		world_restore(w);
	}
	world_destroy(w);
	return t;
}

#define EVENT VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define IN_ORDER VIRTIO_BIT(VIRTIO_F_IN_ORDER)

#endif
