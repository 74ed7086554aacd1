/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the statement oracles share: a device that does not exist, whose events and
 * ring memory a test writes by hand.  The steps here are legal; a test takes them as far as it
 * needs and then breaks one rule.  One actor, "test", plays both sides unless the test starts
 * another one for the device.
 */
#ifndef TEST_ORACLE_RIG_H
#define TEST_ORACLE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "engine/world.h"
#include "memory/guest_memory.h"
#include "oracle/oracle.h"
#include "virtio/net.h"
#include "virtio/pci_transport.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

#define FAKE_SIZE 8u
#define FAKE_QUEUES 2u
#define FAKE_FEATURES (VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_RESET))
#define ACK VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRV VIRTIO_CONFIG_S_DRIVER
#define FOK VIRTIO_CONFIG_S_FEATURES_OK
#define DOK VIRTIO_CONFIG_S_DRIVER_OK
#define ALL_OK (ACK | DRV | FOK | DOK)

struct fake_queue {
	struct dp_vring vring;
	int64_t name;
	uint16_t avail, used;
};

struct fake {
	struct world *w;
	struct virtio_device vdev;
	struct virtio_pci pci;
	struct msix msix;
	uint64_t offered, wanted;
	uint8_t status;
	bool refuse;
	int64_t dev;
	struct fake_queue q[FAKE_QUEUES];
	uint64_t buffer_gpa;
	void (*body)(struct fake *f);
	void (*device_body)(struct fake *f);
	bool device_done;
};

/* --- registers ------------------------------------------------------------------------------ */

static inline void
wr(struct fake *f, const char *field, int queue, uint64_t value)
{
	emit(f->w, EV_VIRTIO_COMMON_WRITE, f->dev, world_name(f->w, field), queue, (int64_t)value,
	     4);
}

static inline void
rd(struct fake *f, const char *field, int queue, uint64_t value)
{
	emit(f->w, EV_VIRTIO_COMMON_READ, f->dev, world_name(f->w, field), queue, (int64_t)value,
	     4);
}

static inline void
device_reset_done(struct fake *f)
{
	emit(f->w, EV_VIRTIO_RESET_DONE, f->dev);
	f->status = 0;
}

/* The driver writes status, and the device does what it has to. */
static inline void
status(struct fake *f, uint8_t value)
{
	uint8_t was = f->status;

	wr(f, "device_status", 0, value);
	if (!value) {
		emit(f->w, EV_VIRTIO_RESET, f->dev, was);
		device_reset_done(f);
		return;
	}
	if (value & FOK && !(was & FOK))
		emit(f->w, EV_VIRTIO_FEATURES, f->dev, (int64_t)f->wanted, (int64_t)f->offered, -1);
	f->status = f->refuse ? value & (uint8_t)~FOK : value;
	emit(f->w, EV_VIRTIO_SET_STATUS, f->dev, f->status, was);
}

static inline void
reset(struct fake *f)
{
	status(f, 0);
	rd(f, "device_status", 0, 0);
}

static inline void
features(struct fake *f)
{
	wr(f, "device_feature_select", 0, 0);
	rd(f, "device_feature", 0, (uint32_t)f->offered);
	wr(f, "device_feature_select", 0, 1);
	rd(f, "device_feature", 0, f->offered >> 32);
	wr(f, "driver_feature_select", 0, 0);
	wr(f, "driver_feature", 0, (uint32_t)f->wanted);
	rd(f, "driver_feature", 0, (uint32_t)f->wanted);
	wr(f, "driver_feature_select", 0, 1);
	wr(f, "driver_feature", 0, f->wanted >> 32);
}

/* Up to FEATURES_OK, with @extra features beyond FAKE_FEATURES. */
static inline void
begin(struct fake *f, uint64_t extra)
{
	f->offered = f->wanted = FAKE_FEATURES | extra;
	reset(f);
	status(f, ACK);
	status(f, ACK | DRV);
	features(f);
	status(f, ACK | DRV | FOK);
	rd(f, "device_status", 0, f->status);
	rd(f, "num_queues", 0, FAKE_QUEUES);
}

static inline void
vector(struct fake *f, int queue, uint16_t v)
{
	const char *field = queue < 0 ? "config_msix_vector" : "queue_msix_vector";

	wr(f, field, queue, v);
	rd(f, field, queue, v);
	if (queue >= 0)
		f->vdev.vqs[queue].vector = v;
}

/* Ring memory, as the driver allocates it. */
static inline void
queue_create(struct fake *f, int n)
{
	struct fake_queue *q = &f->q[n];
	struct ring_split_layout layout;
	char name[32];

	snprintf(name, sizeof(name), "eth0.vq%d", n);
	ring_split_layout_init(&layout, FAKE_SIZE, 4);
	*q = (struct fake_queue){ .name = world_name(f->w, name) };
	ring_split_layout_place(&layout, gm_alloc(f->w, layout.bytes, 4096), &q->vring);
	emit(f->w, EV_VQ_CREATE, q->name, FAKE_SIZE, (int64_t)q->vring.desc,
	     (int64_t)q->vring.driver, (int64_t)q->vring.device);
}

static inline void
queue_program(struct fake *f, int n)
{
	struct virtio_queue *vq = &f->vdev.vqs[n];

	wr(f, "queue_size", n, FAKE_SIZE);
	wr(f, "queue_desc", n, f->q[n].vring.desc);
	wr(f, "queue_driver", n, f->q[n].vring.driver);
	wr(f, "queue_device", n, f->q[n].vring.device);
	vq->size = FAKE_SIZE;
	vq->desc_gpa = f->q[n].vring.desc;
	vq->driver_gpa = f->q[n].vring.driver;
	vq->device_gpa = f->q[n].vring.device;
}

static inline void
queue_enable(struct fake *f, int n)
{
	wr(f, "queue_enable", n, 1);
	emit(f->w, EV_VIRTIO_QUEUE_ENABLE, f->dev, n, FAKE_SIZE, f->vdev.vqs[n].vector);
}

static inline void
queue_up(struct fake *f, int n)
{
	rd(f, "queue_size", n, FAKE_SIZE);
	rd(f, "queue_enable", n, 0);
	rd(f, "queue_notify_off", n, (uint64_t)n);
	queue_create(f, n);
	queue_program(f, n);
	vector(f, n, (uint16_t)(n + 1));
	queue_enable(f, n);
}

/* A driver that is through: both queues, DRIVER_OK. */
static inline void
up(struct fake *f, uint64_t extra)
{
	begin(f, extra);
	vector(f, -1, 0);
	for (int n = 0; n < (int)FAKE_QUEUES; n++)
		queue_up(f, n);
	status(f, ALL_OK);
}

static inline void
queue_reset(struct fake *f, int n)
{
	wr(f, "queue_reset", n, 1);
	emit(f->w, EV_VIRTIO_QUEUE_RESET, f->dev, n, 0);
	rd(f, "queue_reset", n, 1);
}

static inline void
queue_reset_done(struct fake *f, int n)
{
	emit(f->w, EV_VIRTIO_QUEUE_RESET_DONE, f->dev, n, 0);
	f->vdev.vqs[n].vector = VIRTIO_MSI_NO_VECTOR;
}

/* Reset, confirmed, and set up again in other memory. */
static inline void
queue_again(struct fake *f, int n)
{
	queue_reset(f, n);
	queue_reset_done(f, n);
	rd(f, "queue_reset", n, 0);
	rd(f, "queue_enable", n, 0);
	emit(f->w, EV_VQ_RESET, f->q[n].name, 0);
	emit(f->w, EV_VQ_DESTROY, f->q[n].name);
	queue_create(f, n);
	queue_program(f, n);
	vector(f, n, (uint16_t)(n + 1));
	queue_enable(f, n);
	rd(f, "queue_reset", n, 0);
}

/* --- ring memory ---------------------------------------------------------------------------- */

static inline void
put16(struct fake *f, uint64_t gpa, uint16_t value)
{
	assert_true(gm_write(f->w, gpa, &value, sizeof(value)));
}

static inline uint64_t
desc_gpa(const struct fake *f, int n, unsigned i)
{
	return f->q[n].vring.desc + 16u * i;
}

static inline void
put_desc(struct fake *f, uint64_t gpa, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	struct vring_desc d = { addr, len, flags, next };

	assert_true(gm_write(f->w, gpa, &d, sizeof(d)));
}

/* Descriptor @i of queue @n: @len bytes of the buffer memory. */
static inline void
desc(struct fake *f, int n, unsigned i, uint32_t len, uint16_t flags, uint16_t next)
{
	put_desc(f, desc_gpa(f, n, i), f->buffer_gpa + 256u * i, len, flags, next);
}

static inline void
avail_idx(struct fake *f, int n, uint16_t idx)
{
	f->q[n].avail = idx;
	put16(f, f->q[n].vring.driver + 2, idx);
}

/* Expose the chain at @head, without saying so. */
static inline void
publish(struct fake *f, int n, uint16_t head)
{
	put16(f, f->q[n].vring.driver + 4 + 2u * (f->q[n].avail % FAKE_SIZE), head);
	avail_idx(f, n, (uint16_t)(f->q[n].avail + 1));
}

static inline void
added(struct fake *f, int n)
{
	emit(f->w, EV_VQ_ADD, f->q[n].name, 1, 1, 1, 0);
}

/* A readable and a writable buffer of 64 bytes at @head and the descriptor behind it. */
static inline void
add(struct fake *f, int n, uint16_t head)
{
	desc(f, n, head, 64, VRING_DESC_F_NEXT, (uint16_t)(head + 1));
	desc(f, n, head + 1u, 64, VRING_DESC_F_WRITE, 0);
	publish(f, n, head);
	added(f, n);
}

static inline void
pop_as(struct fake *f, int n, uint16_t head, int out, int in)
{
	emit(f->w, EV_VIRTQUEUE_POP, f->dev, n, head, out, in);
}

static inline void
pop(struct fake *f, int n, uint16_t head)
{
	pop_as(f, n, head, 1, 1);
}

static inline void
put_used(struct fake *f, int n, uint32_t id, uint32_t len)
{
	struct vring_used_elem e = { id, len };

	assert_true(gm_write(f->w, f->q[n].vring.device + 4 + 8u * (f->q[n].used % FAKE_SIZE), &e,
			     sizeof(e)));
}

static inline void
flush(struct fake *f, int n, uint16_t count)
{
	f->q[n].used = (uint16_t)(f->q[n].used + count);
	put16(f, f->q[n].vring.device + 2, f->q[n].used);
	emit(f->w, EV_VIRTQUEUE_FLUSH, f->dev, n, count);
}

static inline void
push(struct fake *f, int n, uint16_t head, uint32_t len)
{
	put_used(f, n, head, len);
	emit(f->w, EV_VIRTQUEUE_FILL, f->dev, n, head, len);
	flush(f, n, 1);
}

static inline void
got(struct fake *f, int n)
{
	emit(f->w, EV_VQ_GET, f->q[n].name, 1, 64);
}

/* Events and flags. */
static inline void
used_event(struct fake *f, int n, uint16_t v)
{
	put16(f, f->q[n].vring.driver + 4 + 2u * FAKE_SIZE, v);
}

static inline void
avail_event(struct fake *f, int n, uint16_t v)
{
	put16(f, f->q[n].vring.device + 4 + 8u * FAKE_SIZE, v);
}

static inline void
kick_prepared(struct fake *f, int n, bool wanted, uint32_t data)
{
	emit(f->w, EV_VQ_KICK_PREPARE, f->q[n].name, wanted, data);
}

static inline void
should_notify(struct fake *f, int n, bool wanted)
{
	emit(f->w, EV_VIRTQUEUE_SHOULD_NOTIFY, f->dev, n, wanted);
}

static inline void
notify(struct fake *f, int n)
{
	emit(f->w, EV_VIRTIO_NOTIFY, f->dev, n, f->vdev.vqs[n].vector, 0);
}

static inline void
raise(struct fake *f, int n, int vec)
{
	emit(f->w, EV_NOTIFIER_RAISE,
	     world_name(f->w, n < 0 ? "net0.config"
			      : n   ? "net0.call1"
				    : "net0.call0"),
	     n, vec);
}

/* --- running -------------------------------------------------------------------------------- */

static inline void
fake_actor(struct actor *self, void *arg)
{
	struct fake *f = arg;

	f->body(f);
}

static inline void
fake_device_actor(struct actor *self, void *arg)
{
	struct fake *f = arg;

	f->device_body(f);
	f->device_done = true;
}

/* Let another actor be the device for a while; the caller goes on when it is done. */
static inline void
by_device(struct fake *f, void (*body)(struct fake *f))
{
	f->device_body = body;
	f->device_done = false;
	actor_create(f->w, "device", fake_device_actor, f, 0);
	while (!f->device_done)
		actor_yield(f->w);
}

static inline void
fake_setup(struct world *w, void *arg)
{
	void (*body)(struct fake * f) = *(void (**)(struct fake * f)) arg;
	struct fake *f = world_alloc(w, sizeof(*f));
	static const struct virtio_type_ops type = { .name = "virtio-net",
						     .device_id = VIRTIO_ID_NET };

	f->w = w;
	f->body = body;
	gm_create(w, 1 << 20);
	oracle_attach(w);
	f->dev = world_name(w, "net0");
	f->buffer_gpa = gm_alloc(w, 65536, 4096);
	f->msix.vectors = 4;
	f->pci = (struct virtio_pci){ .vdev = &f->vdev, .msix = &f->msix, .notify_multiplier = 4 };
	f->pci.notify.size_bytes = 4096;
	f->vdev = (struct virtio_device){
		.w = w,
		.name = f->dev,
		.type = &type,
		.transport = &virtio_pci_ops,
		.transport_data = &f->pci,
		.queue_count = FAKE_QUEUES,
		.vqs = world_alloc(w, FAKE_QUEUES * sizeof(struct virtio_queue)),
	};
	for (uint16_t n = 0; n < FAKE_QUEUES; n++)
		f->vdev.vqs[n] =
			(struct virtio_queue){ .index = n, .vector = VIRTIO_MSI_NO_VECTOR };
	oracle_watch_device(w, &f->vdev);
	actor_create(w, "test", fake_actor, f, 0);
}

/* Run @body to its end, or to the violation that ends it, and judge. */
static inline struct world *
fake_run(void (*body)(struct fake *f), struct finding *finding)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ 0 }, &err);
	enum stop stop;

	assert_non_null(w);
	if (world_setup(w, fake_setup, &body, &err))
		fail_msg("set-up: %s", err.text);
	stop = world_run(w);
	if (stop == STOP_ERROR)
		fail_msg("%s", world_error(w)->text);
	oracle_judge(w, stop, finding);
	return w;
}

/* No oracle says anything of @body, whatever it does. */
static inline void
assert_silent(void (*body)(struct fake *f))
{
	struct finding finding;
	struct world *w = fake_run(body, &finding);
	uint64_t count;
	const struct violation *v = oracle_violations(w, &count);

	for (; v; v = v->next)
		print_error("%s %s: %s\n", oracle_info[v->oracle].name, v->subject, v->message);
	assert_int_equal(count, 0);
	assert_int_equal(finding.verdict, VERDICT_OK);
	world_destroy(w);
}

#endif
