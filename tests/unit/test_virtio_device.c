/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status, features, configuration, queues: what a device does whatever its type. */
#include "test_virtio.h"

#include "notify/eventfd.h"
#include "virtio/blk.h"
#include "virtio/host_notifier.h"
#include "virtio/net.h"

#define EVENT_IDX VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define V1 VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define RESET VIRTIO_BIT(VIRTIO_F_RING_RESET)

static void
make_blk(void)
{
	b->type = virtio_blk_create(&b->vdev, b->w, "blk0", datapath_native.device,
				    EVENT_IDX | RESET | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH), 2, 8,
				    &(struct blk_config){ 0 });
}

static void
make_slow_blk(void)
{
	b->type =
		virtio_blk_create(&b->vdev, b->w, "blk0", datapath_native.device, EVENT_IDX | RESET,
				  1, 8, &(struct blk_config){ .delay_ns = 100 });
}

/* A read of one sector, as token 7 of queue 0; where its data will be. */
static uint64_t
submit_read(void)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	uint64_t gpa = gm_alloc(b->w, 1024, 16);
	struct dp_buf sg[3] = { { gpa, sizeof(header) }, { gpa + 64, 512 }, { gpa + 600, 1 } };

	gm_write(b->w, gpa, &header, sizeof(header));
	memset(gm_map(b->w, gpa + 64, 512), 0xee, 512);
	assert_int_equal(bench_add(0, sg, 1, 2, 7), 0);
	virtio_queue_notify(&b->vdev.vqs[0]);
	return gpa + 64;
}

/* --- features ------------------------------------------------------------------------------- */

static void
dependencies(void **state)
{
	const struct virtio_feature_dep *net = virtio_net_type.deps;
	uint64_t ctrl = VIRTIO_BIT(VIRTIO_NET_F_CTRL_VQ), mq = VIRTIO_BIT(VIRTIO_NET_F_MQ);
	uint64_t tunnel = VIRTIO_BIT(VIRTIO_NET_F_HASH_TUNNEL);
	uint64_t ecn = VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN);
	uint64_t tso6 = VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6);
	uint64_t csum = VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM);

	assert_int_equal(virtio_features_missing(net, V1), -1);
	assert_int_equal(virtio_features_missing(net, V1 | mq), VIRTIO_NET_F_MQ);
	assert_int_equal(virtio_features_missing(net, V1 | mq | ctrl), -1);
	/* Needs one of two, and something of each. */
	assert_int_equal(virtio_features_missing(net, tunnel | ctrl), VIRTIO_NET_F_HASH_TUNNEL);
	assert_int_equal(
		virtio_features_missing(net, tunnel | ctrl | VIRTIO_BIT(VIRTIO_NET_F_HASH_REPORT)),
		-1);
	/* Taking one away strands the next. */
	assert_true(virtio_features_close(net, ecn | tso6 | csum) == (ecn | tso6 | csum));
	assert_true(virtio_features_close(net, ecn | tso6) == 0);
	/* Ring features are no legacy device's. */
	assert_int_equal(virtio_features_missing(NULL, RESET), VIRTIO_F_RING_RESET);
	assert_true(virtio_features_close(NULL, RESET | EVENT_IDX) == EVENT_IDX);
}

static void
negotiation_body(void)
{
	struct virtio_device *v = &b->vdev;
	uint8_t driver = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	assert_true(v->device_features == (V1 | EVENT_IDX | RESET | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) |
					   VIRTIO_BIT(VIRTIO_BLK_F_MQ)));
	assert_int_equal(virtio_features_read(v, 1), (V1 | RESET) >> 32);
	assert_int_equal(virtio_features_read(v, 2), 0);

	/* Not offered. */
	bench_features(V1 | VIRTIO_BIT(VIRTIO_F_IN_ORDER));
	assert_int_equal(v->status, driver);
	/* Offered, without what it needs. */
	virtio_set_status(v, 0);
	bench_features(RESET);
	assert_int_equal(v->status, driver);
	assert_int_equal(b->last[EV_VIRTIO_FEATURES].arg[3], VIRTIO_F_RING_RESET);
	/* A second try after the first was refused, without reset: the driver's business. */
	bench_features(V1 | RESET);
	assert_int_equal(v->status, driver | VIRTIO_CONFIG_S_FEATURES_OK);
	/* From now on they stand. */
	virtio_features_write(v, 0, UINT32_MAX);
	assert_true(v->driver_features == (V1 | RESET));
	assert_int_equal(b->starts, 0);
	virtio_set_status(v, STATUS_READY);
	assert_int_equal(b->starts, 1);
	virtio_set_status(v, 0);
	assert_int_equal(b->stops, 1);
	assert_int_equal(b->status_at_stop, STATUS_READY);
	assert_true(v->driver_features == 0);
	assert_int_equal(v->status, 0);
}

static void
negotiation(void **state)
{
	bench_run(make_blk, negotiation_body, FAULT_NONE);
}

/* --- status --------------------------------------------------------------------------------- */

static void
needs_reset_body(void)
{
	struct virtio_device *v = &b->vdev;

	bench_features(V1);
	virtio_error(v, "before DRIVER_OK");
	assert_int_equal(b->config_interrupts, 0);
	virtio_set_status(v, STATUS_READY);
	/* The driver did not write the bit, and cannot clear it; a broken device does not start. */
	assert_int_equal(v->status, STATUS_READY | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(b->starts, 0);
	virtio_set_status(v, 0);
	assert_int_equal(v->status, 0);
	bench_ready(V1);
	virtio_error(v, "after DRIVER_OK");
	assert_int_equal(b->config_interrupts, 1);
	virtio_error(v, "again");
	assert_int_equal(b->config_interrupts, 1);
	/* Nothing is popped any more. */
	submit_read();
	assert_int_equal(b->events[EV_VIRTQUEUE_POP], 0);
	assert_int_equal(b->events[EV_VIRTIO_QUEUE_IGNORED], 1);
}

static void
needs_reset(void **state)
{
	bench_run(make_blk, needs_reset_body, FAULT_NONE);
}

static void
reset_drains_body(void)
{
	struct virtio_device *v = &b->vdev;
	uint64_t data;
	uint8_t byte;

	bench_ready(V1 | EVENT_IDX);
	data = submit_read();
	assert_int_equal(v->vqs[0].inflight, 1);
	virtio_set_status(v, 0);
	assert_int_equal(v->vqs[0].inflight, b->drains ? 0 : 1);
	assert_false(v->vqs[0].enabled);
	assert_int_equal(v->vqs[0].desc_gpa, 0);
	assert_int_equal(v->vqs[0].vector, VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(b->resets, 1);
	gm_write(b->w, data, "\x55", 1); /* the driver has its memory back */
	actor_sleep(b->w, 1000);
	bench_run_works();
	gm_read(b->w, data, &byte, 1);
	if (b->drains)
		assert_int_equal(byte, 0x55);
	else /* and the device wrote to it: the fault */
		assert_int_equal(byte, 0);
	assert_int_equal(b->drains, fault_on(b->w, FAULT_RESET_NO_DRAIN) ? 0 : 1);
}

static void
reset_drains(void **state)
{
	bench_run(make_slow_blk, reset_drains_body, FAULT_NONE);
	bench_run(make_slow_blk, reset_drains_body, FAULT_RESET_NO_DRAIN);
}

/* --- configuration -------------------------------------------------------------------------- */

static void
config_body(void)
{
	struct virtio_device *v = &b->vdev;
	uint64_t capacity, big = UINT64_C(0x1111111122222222);
	uint8_t g = v->config_generation, bytes[8];

	virtio_config_read(v, 0, &capacity, 8); /* before FEATURES_OK, too (2.5.2) */
	assert_int_equal(capacity, BLK_CAPACITY_SECTORS);
	memset(bytes, 0xff, 8);
	virtio_config_read(v, sizeof(struct virtio_blk_config) - 2, bytes, 8);
	assert_int_equal(bytes[0], 2); /* num_queues */
	assert_int_equal(bytes[2], 0); /* past the end */
	virtio_blk_resize(b->type, big);
	virtio_config_read(v, 0, &capacity, 8);
	assert_true(capacity == big);
	assert_int_equal(b->events[EV_VIRTIO_CONFIG_STEP], 2);
	assert_int_equal((uint8_t)(v->config_generation - g),
			 fault_on(b->w, FAULT_CONFIG_SAME_GENERATION) ? 0 : 2);
	assert_int_equal(b->config_interrupts, 0); /* nobody to tell */
	bench_ready(V1);
	virtio_blk_resize(b->type, 1);
	assert_int_equal(b->config_interrupts, 1);
}

static void
config_beyond_body(void)
{
	virtio_config_update(&b->vdev, sizeof(struct virtio_blk_config) - 1, "ab", 2);
}

static void
config(void **state)
{
	bench_run(make_blk, config_body, FAULT_NONE);
	bench_run(make_blk, config_body, FAULT_CONFIG_SAME_GENERATION);
	assert_int_equal(bench_run(make_blk, config_beyond_body, FAULT_NONE), STOP_ERROR);
}

/* --- queues --------------------------------------------------------------------------------- */

static void
handover_body(void)
{
	struct virtio_queue *vq = &b->vdev.vqs[0];
	struct virtio_ring other = { 0 };
	struct dp_state s;
	uint64_t token;
	uint32_t len;

	bench_ready(V1 | EVENT_IDX);
	submit_read();
	assert_true(bench_get(0, &token, &len));
	assert_int_equal(token, 7);
	assert_int_equal(len, 513);
	assert_int_equal(b->interrupts[0], 1);
	virtio_queue_give(vq);
	assert_int_equal(vq->position, 1);
	/* Another thread takes it, does one request, and leaves. */
	assert_int_equal(virtio_ring_init(&other, vq, VIRTIO_OWNER_VHOST, vq->position), 0);
	virtio_queue_set_owner(vq, VIRTIO_OWNER_VHOST);
	submit_read();
	assert_int_equal(b->events[EV_VIRTIO_QUEUE_IGNORED], 1); /* the VMM keeps off */
	assert_int_equal(virtio_ring_pop(&other, other.elem), 1);
	virtio_ring_push(&other, other.elem, 0);
	virtio_ring_signal(&other);
	assert_int_equal(b->interrupt_by, VIRTIO_OWNER_VHOST);
	virtio_queue_set_position(vq, virtio_ring_position(&other));
	virtio_ring_destroy(&other);
	/* What the position does not carry is forgotten (QEMU 3561ba1418). */
	vq->ring.ops->state(vq->ring.device, &s);
	assert_false(s.signalled_used_valid);
	assert_int_equal(s.last_avail_idx, 2);
	assert_int_equal(s.last_used_idx, 2);
	assert_true(virtio_queue_take(vq, VIRTIO_OWNER_MAIN_LOOP));
	assert_true(bench_get(0, &token, &len));
	submit_read();
	assert_true(bench_get(0, &token, &len));
	/* A ring that is gone takes nothing, and says so. */
	virtio_ring_push(&other, vq->ring.elem, 0);
	assert_int_equal(b->events[EV_VIRTQUEUE_FORGET], 1);
}

static void
handover(void **state)
{
	bench_run(make_blk, handover_body, FAULT_NONE);
}

static void
queue_reset_body(void)
{
	struct virtio_queue *vq = &b->vdev.vqs[0];
	bool quiesce = !fault_on(b->w, FAULT_QUEUE_RESET_NO_QUIESCE);
	uint64_t token;
	uint32_t len;

	bench_ready(V1 | RESET | EVENT_IDX);
	vq->vector = 1;
	submit_read();
	virtio_queue_reset(vq);
	assert_int_equal(b->queue_stops, 1);
	assert_int_equal(b->drains, quiesce);
	assert_int_equal(b->last[EV_VIRTIO_QUEUE_RESET_DONE].arg[2], !quiesce);
	assert_false(vq->enabled);
	assert_false(vq->resetting);
	assert_int_equal(vq->size, 8);
	assert_int_equal(vq->vector, VIRTIO_MSI_NO_VECTOR);
	virtio_queue_reset(vq); /* of a disabled queue: nothing */
	assert_int_equal(b->events[EV_VIRTIO_QUEUE_RESET], 1);
	/* Another ring, smaller, begins at 0. */
	vq->size = 4;
	bench_enable(0);
	submit_read();
	actor_sleep(b->w, 1000);
	bench_run_works();
	if (!quiesce)
		return; /* the old request wrote into the new ring: not for get() */
	assert_true(bench_get(0, &token, &len));
	assert_false(bench_get(0, &token, &len));
}

static void
queue_reset_in_time_body(void)
{
	struct virtio_queue *vq = &b->vdev.vqs[0];

	b->vdev.reset_ns = 50;
	bench_ready(V1 | RESET);
	submit_read(); /* takes 100 ns */
	virtio_queue_reset(vq);
	assert_true(vq->resetting && vq->enabled);
	actor_sleep(b->w, 90);
	bench_run_works();
	assert_true(vq->resetting); /* something is in flight */
	virtio_queue_notify(vq);
	assert_int_equal(b->events[EV_VIRTIO_QUEUE_IGNORED], 1);
	actor_sleep(b->w, 20);
	bench_run_works();
	assert_true(vq->resetting);
	actor_sleep(b->w, 60);
	assert_false(vq->resetting || vq->enabled);
	assert_int_equal(b->last[EV_VIRTIO_QUEUE_RESET_DONE].arg[2], 0);
}

static void
queue_reset(void **state)
{
	bench_run(make_slow_blk, queue_reset_body, FAULT_NONE);
	bench_run(make_slow_blk, queue_reset_body, FAULT_QUEUE_RESET_NO_QUIESCE);
	bench_run(make_slow_blk, queue_reset_in_time_body, FAULT_NONE);
}

static void
notify_body(void)
{
	struct virtio_queue *vq = &b->vdev.vqs[0];
	bool bypass = fault_on(b->w, FAULT_NOTIFY_BYPASSES_HOST_NOTIFIER);

	bench_ready(V1);
	virtio_host_notifier_set(vq, true);
	assert_true(vq->ioeventfd_assigned);
	assert_true(eventfd_test_and_clear(vq->host_notifier)); /* it begins signalled */
	submit_read(); /* notifies */
	assert_int_equal(eventfd_count(vq->host_notifier), !bypass);
	assert_int_equal(b->events[EV_VIRTQUEUE_POP], bypass);
	virtio_host_notifier_set(vq, false);
	assert_false(vq->host_notifier_enabled);
	/* The kick that nobody took is the VMM's. */
	virtio_host_notifier_cleanup(vq);
	assert_int_equal(b->events[EV_VIRTQUEUE_POP], 1);
	assert_int_equal(eventfd_count(vq->host_notifier), 0);
}

static void
notify(void **state)
{
	bench_run(make_blk, notify_body, FAULT_NONE);
	bench_run(make_blk, notify_body, FAULT_NOTIFY_BYPASSES_HOST_NOTIFIER);
}

static void
vm_state_body(void)
{
	struct virtio_device *v = &b->vdev;

	virtio_vm_state(v, false);
	bench_ready(V1); /* while the machine is stopped */
	assert_int_equal(b->starts, 0);
	virtio_vm_state(v, true);
	assert_int_equal(b->starts, 1);
	virtio_vm_state(v, false);
	virtio_vm_state(v, false);
	assert_int_equal(b->stops, 1);
	virtio_set_status(v, 0);
	assert_int_equal(b->stops, 1);
	virtio_vm_state(v, true);
	assert_int_equal(b->starts, 1);
	/* Bus mastering off: nothing is popped; what was kicked meanwhile is done when it is on. */
	bench_ready(V1);
	virtio_set_disabled(v, true);
	submit_read();
	assert_int_equal(b->events[EV_VIRTQUEUE_POP], 0);
	virtio_set_disabled(v, false);
	assert_int_equal(b->events[EV_VIRTQUEUE_POP], 1);
}

static void
vm_state(void **state)
{
	bench_run(make_blk, vm_state_body, FAULT_NONE);
}

static void
bad_ring_body(void)
{
	struct virtio_queue *vq = &b->vdev.vqs[0];

	bench_features(V1);
	vq->desc_gpa = UINT64_C(1) << 40; /* not RAM */
	virtio_queue_enable(vq);
	virtio_set_status(&b->vdev, STATUS_READY);
	assert_true(b->vdev.broken);
	assert_true(b->vdev.status & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* And one whose index jumps. */
	virtio_set_status(&b->vdev, 0);
	bench_ready(V1);
	gm_write(b->w, vq->driver_gpa + 2, "\xff\x7f", 2);
	virtio_queue_notify(vq);
	assert_true(b->vdev.broken);
	assert_int_equal(b->events[EV_VIRTQUEUE_GUEST_ERROR], 2);
}

static void
bad_ring(void **state)
{
	bench_run(make_blk, bad_ring_body, FAULT_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dependencies), cmocka_unit_test(negotiation),
		cmocka_unit_test(needs_reset),	cmocka_unit_test(reset_drains),
		cmocka_unit_test(config),	cmocka_unit_test(handover),
		cmocka_unit_test(queue_reset),	cmocka_unit_test(notify),
		cmocka_unit_test(vm_state),	cmocka_unit_test(bad_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
