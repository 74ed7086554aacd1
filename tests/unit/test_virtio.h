/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of sim/virtio/ share: a world with RAM, a transport that only counts, a backend
 * that holds rings in the running actor, and the driver side of a queue.  The bench lives in the
 * arena.
 */
#ifndef TEST_VIRTIO_H
#define TEST_VIRTIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "guest/ring_memory.h"
#include "memory/guest_memory.h"
#include "virtio/device.h"

#define STATUS_READY \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
	 VIRTIO_CONFIG_S_DRIVER_OK)

struct bench {
	struct world *w;
	struct virtio_device vdev;
	void *type; /* the virtio_blk, the virtio_net */
	struct dp_driver *driver[4];
	uint64_t events[EV_COUNT];
	struct event last[EV_COUNT];
	unsigned interrupts[4], config_interrupts, starts, stops, queue_stops, drains, resets;
	enum virtio_owner interrupt_by;
	uint8_t status_at_stop;
	struct virtio_work *work[16]; /* handed to run(), not yet run */
	unsigned works;
	void *extra;
};

static struct bench *b;

static void
bench_observe(struct world *w, const struct event *e, void *context)
{
	b->events[e->kind]++;
	b->last[e->kind] = *e;
}

/* --- a transport that counts ---------------------------------------------------------------- */

static void
t_interrupt(struct virtio_queue *vq, enum virtio_owner by)
{
	b->interrupts[vq->index]++;
	b->interrupt_by = by;
}
static void
t_config_interrupt(struct virtio_device *vdev)
{
	b->config_interrupts++;
}
static void
t_ioeventfd(struct virtio_queue *vq, bool assign)
{
	vq->ioeventfd_assigned = assign;
}
static void
t_nothing(struct virtio_device *vdev)
{
}
static void
t_guest_notifiers(struct virtio_device *vdev, bool assign)
{
}
static uint64_t
t_doorbell(const struct virtio_queue *vq)
{
	return 0;
}
static void
t_reset(struct virtio_device *vdev)
{
	b->resets++;
}
static void
t_queue_reset(struct virtio_queue *vq)
{
}

static const struct virtio_transport_ops bench_transport = {
	"counting", t_interrupt,       t_config_interrupt, t_ioeventfd, t_nothing,
	t_nothing,  t_guest_notifiers, t_doorbell,	   t_reset,	t_queue_reset,
};

/* --- a backend in the running actor --------------------------------------------------------- */

static void
bench_run_works(void)
{
	for (unsigned i = 0; i < b->works; i++) {
		b->work[i]->queued = false;
		b->work[i]->fn(b->work[i]);
	}
	b->works = 0;
}

static void
b_queue_start(struct virtio_queue *vq)
{
	virtio_queue_take(vq, VIRTIO_OWNER_MAIN_LOOP);
}
static void
b_start(struct virtio_device *vdev)
{
	b->starts++;
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].enabled)
			b_queue_start(&vdev->vqs[i]);
}
static void
b_stop(struct virtio_device *vdev)
{
	b->stops++;
	b->status_at_stop = vdev->status;
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].owner)
			virtio_queue_give(&vdev->vqs[i]);
}
static void
b_queue_stop(struct virtio_queue *vq)
{
	b->queue_stops++;
	virtio_queue_set_owner(vq, VIRTIO_OWNER_NONE);
}
static void
b_run(struct virtio_queue *vq, struct virtio_work *work)
{
	assert_true(b->works < 16);
	if (work->queued)
		return;
	work->queued = true;
	b->work[b->works++] = work;
}
static void
b_drain(struct virtio_queue *vq)
{
	b->drains++;
	while (vq->inflight) {
		actor_sleep(b->w, 1);
		bench_run_works();
	}
}

static const struct virtio_backend_ops bench_backend = {
	"bench", b_start, b_stop, b_queue_start, b_queue_stop, b_run, b_drain,
};

/* --- the driver's half ---------------------------------------------------------------------- */

static void *
h_map(void *ctx, uint64_t gpa, uint64_t len)
{
	return gm_map(b->w, gpa, len);
}
static void *
h_alloc(void *ctx, size_t size)
{
	return world_alloc(b->w, size);
}
static void
h_free(void *ctx, void *block, size_t size)
{
	world_free(b->w, block, size);
}
static void
h_error(void *ctx, const char *what, uint64_t value)
{
	fail_msg("the device broke the ring: %s (%u)", what, (unsigned)value);
}

/* As a driver does it: ring memory, registers, enable. */
static void
bench_enable(uint16_t index)
{
	static const struct dp_host host = { NULL, h_map, h_alloc, h_free, h_error };
	struct virtio_queue *vq = &b->vdev.vqs[index];
	struct dp_vring vring = { 0 };

	ring_memory_alloc(b->w, &vring, "vq", vq->size, b->vdev.driver_features);
	vring.index = index;
	if (b->driver[index])
		datapath_native.driver->destroy(b->driver[index]);
	assert_int_equal(datapath_native.driver->init(&b->driver[index], &vring, &host), 0);
	vq->desc_gpa = vring.desc;
	vq->driver_gpa = vring.driver;
	vq->device_gpa = vring.device;
	virtio_queue_enable(vq);
}

static void
bench_features(uint64_t features)
{
	virtio_set_status(&b->vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	virtio_features_write(&b->vdev, 0, (uint32_t)features);
	virtio_features_write(&b->vdev, 1, (uint32_t)(features >> 32));
	virtio_set_status(&b->vdev, STATUS_READY & ~VIRTIO_CONFIG_S_DRIVER_OK);
}

/* All queues, DRIVER_OK. */
static void
bench_ready(uint64_t features)
{
	bench_features(features);
	for (uint16_t i = 0; i < b->vdev.queue_count; i++)
		bench_enable(i);
	virtio_set_status(&b->vdev, STATUS_READY);
}

static int
bench_add(uint16_t index, const struct dp_buf *sg, unsigned out, unsigned in, uint64_t token)
{
	return datapath_native.driver->add(b->driver[index], sg, out, in, token, false, 0);
}

static bool
bench_get(uint16_t index, uint64_t *token, uint32_t *len)
{
	return datapath_native.driver->get(b->driver[index], token, len) > 0;
}

/* --- running a test ------------------------------------------------------------------------- */

struct bench_test {
	void (*setup)(void); /* makes b->vdev */
	void (*body)(void);
	enum fault fault;
};

static void
bench_setup(struct world *w, void *arg)
{
	const struct bench_test *t = arg;

	b = world_alloc(w, sizeof(*b));
	b->w = w;
	world_observe(w, EV_COUNT, bench_observe, NULL);
	gm_create(w, 1 << 20);
	if (t->fault)
		fault_set(w, t->fault, true);
	t->setup();
	b->vdev.transport = &bench_transport;
	b->vdev.backend = &bench_backend;
}

static void
bench_body(struct actor *self, void *arg)
{
	const struct bench_test *t = arg;

	t->body();
}

/* Runs @body as an actor of a fresh world, to its end. */
static enum stop
bench_run(void (*setup)(void), void (*body)(void), enum fault fault)
{
	struct bench_test t = { setup, body, fault };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	struct actor *driver;
	enum stop stop;

	assert_non_null(w);
	if (world_setup(w, bench_setup, &t, &err))
		fail_msg("set-up: %s", err.text);
	driver = actor_create(w, "driver", bench_body, &t, 0);
	stop = world_run(w);
	if (stop != STOP_ERROR)
		assert_int_equal(actor_state(driver), ACTOR_DONE);
	world_destroy(w);
	b = NULL;
	return stop;
}

#endif
