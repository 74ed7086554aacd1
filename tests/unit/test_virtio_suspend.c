/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suspending a device, by each design: what status reads, what moves, what is owed afterwards. */
#include "test_virtio.h"

#include "virtio/blk.h"
#include "virtio/suspend.h"

#define V1 VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define CAN (V1 | VIRTIO_BIT(VIRTIO_F_SUSPEND))
#define S VIRTIO_CONFIG_S_SUSPEND
#define DRIVER_OK VIRTIO_CONFIG_S_DRIVER_OK
#define DELAY_NS 1000

static struct virtio_suspend_config_of how;

/* The VMM's main loop, as far as this needs it. */
static void
later(void *arg, struct virtio_work *work)
{
	b->work[b->works++] = work;
}

static void
make_blk(void)
{
	struct blk_config config = { .delay_ns = DELAY_NS };

	b->type = virtio_blk_create(&b->vdev, b->w, "blk0", datapath_native.device,
				    VIRTIO_BLK_FEATURES, 1, 8, &config);
	virtio_suspend_init(&b->vdev, &how, later, NULL);
}

/* A backend lets go with nothing in flight. */
static void
stop(struct virtio_device *v)
{
	for (uint16_t i = 0; i < v->queue_count; i++)
		b_drain(&v->vqs[i]);
	b_stop(v);
}

static const struct virtio_backend_ops draining = {
	"draining", b_start, stop, b_queue_start, b_queue_stop, b_run, b_drain,
};

static void
ready(uint64_t features)
{
	b->vdev.backend = &draining;
	bench_ready(features);
}

static void
run(enum virtio_suspend_design design, void (*body)(void), enum fault fault)
{
	how = (struct virtio_suspend_config_of){ .design = design };
	bench_run(make_blk, body, fault);
}

/* A read of a sector, and a kick. */
static void
submit(uint64_t token)
{
	uint64_t gpa = gm_alloc(b->w, 1024, 16);
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	struct dp_buf sg[3] = { { gpa, 16 }, { gpa + 16, 512 }, { gpa + 528, 1 } };

	gm_write(b->w, gpa, &header, sizeof(header));
	assert_int_equal(bench_add(0, sg, 1, 2, token), 0);
	virtio_queue_notify(&b->vdev.vqs[0]);
}

static bool
done(void)
{
	uint64_t token;
	uint32_t len;

	return bench_get(0, &token, &len);
}

/* The disk is through, and the thread of the queue has run. */
static void
settle(void)
{
	actor_sleep(b->w, 2 * DELAY_NS);
	bench_run_works();
}

/* --- v1.4 ----------------------------------------------------------------------------------- */

static void
v14_body(void)
{
	struct virtio_device *v = &b->vdev;

	assert_true(virtio_has(v->device_features, VIRTIO_F_SUSPEND));
	ready(CAN);
	/* Drained, told, presented; then nothing. */
	submit(1);
	virtio_set_status(v, STATUS_READY | S);
	assert_int_equal(v->status, (STATUS_READY | S) & ~DRIVER_OK);
	assert_true(virtio_suspended(v));
	assert_true(done());
	assert_int_equal(b->interrupts[0], 1);
	assert_int_equal(b->stops, 1);
	submit(2); /* which a driver must not */
	settle();
	assert_false(done());
	/* Again changes nothing; SUSPEND stays set when DRIVER_OK is written. */
	virtio_set_status(v, (STATUS_READY | S) & ~DRIVER_OK);
	assert_true(virtio_suspended(v));
	virtio_set_status(v, STATUS_READY | S);
	assert_int_equal(v->status, STATUS_READY);
	assert_int_equal(b->starts, 2);
	virtio_queue_handle(&v->vqs[0]); /* what the backend does when it starts */
	settle();
	assert_true(done());
	assert_int_equal(v->suspend->suspends, 1);
	assert_int_equal(v->suspend->resumes, 1);
}

static void
early_body(void)
{
	struct virtio_device *v = &b->vdev;
	bool taken = fault_on(b->w, FAULT_SUSPEND_EARLY);

	bench_features(CAN);
	virtio_set_status(v, v->status | S);
	assert_int_equal(v->status & S, taken ? S : 0);
	assert_false(virtio_suspended(v));
	/* Without the feature it is no bit of ours. */
	virtio_set_status(v, 0);
	ready(V1);
	virtio_set_status(v, STATUS_READY | S);
	assert_false(virtio_suspended(v));
	assert_true(v->started);
}

static void
config_body(void)
{
	struct virtio_device *v = &b->vdev;
	uint64_t capacity = 5, was;
	uint8_t generation;

	ready(CAN);
	virtio_set_status(v, STATUS_READY | S);
	virtio_config_read(v, 0, &was, sizeof(was));
	generation = v->config_generation;
	virtio_blk_resize(b->type, 4);
	virtio_blk_resize(b->type, 5);
	assert_int_equal(v->config_generation, generation);
	assert_memory_equal(v->config, &was, sizeof(was));
	virtio_config_write(v, 0, &capacity, sizeof(capacity)); /* by the driver: ignored */
	assert_memory_equal(v->config, &was, sizeof(was));
	virtio_set_status(v, STATUS_READY | S);
	assert_memory_equal(v->config, &capacity, sizeof(capacity));
	assert_true(v->config_generation != generation);
	assert_int_equal(b->config_interrupts, !fault_on(b->w, FAULT_SUSPEND_CONFIG_UNTOLD));
	/* Nothing is left of it. */
	virtio_set_status(v, STATUS_READY | S);
	virtio_set_status(v, STATUS_READY | S);
	assert_int_equal(b->config_interrupts, !fault_on(b->w, FAULT_SUSPEND_CONFIG_UNTOLD));
}

static void
reset_body(void)
{
	struct virtio_device *v = &b->vdev;

	ready(CAN);
	virtio_set_status(v, STATUS_READY | S);
	virtio_blk_resize(b->type, 4);
	virtio_set_status(v, 0);
	assert_int_equal(v->status, 0);
	assert_false(virtio_suspended(v));
	ready(CAN);
	assert_int_equal(b->config_interrupts, 0);
	submit(1);
	settle();
	assert_true(done());
}

static void
v14(void **state)
{
	run(SUSPEND_V1_4, v14_body, FAULT_NONE);
	run(SUSPEND_V1_4, early_body, FAULT_NONE);
	run(SUSPEND_V1_4, early_body, FAULT_SUSPEND_EARLY);
	run(SUSPEND_V1_4, config_body, FAULT_NONE);
	run(SUSPEND_V1_4, config_body, FAULT_SUSPEND_CONFIG_UNTOLD);
	run(SUSPEND_V1_4, reset_body, FAULT_NONE);
}

static void
own_time_body(void)
{
	struct virtio_device *v = &b->vdev;

	ready(CAN);
	virtio_set_status(v, STATUS_READY | S);
	assert_int_equal(v->status, STATUS_READY); /* not yet */
	assert_true(v->quiesced);
	/* Reset meanwhile: it never suspends. */
	virtio_set_status(v, 0);
	actor_sleep(b->w, 1000);
	bench_run_works();
	assert_int_equal(v->status, 0);
	ready(CAN);
	virtio_set_status(v, STATUS_READY | S);
	actor_sleep(b->w, 1000);
	bench_run_works();
	assert_int_equal(v->status, (STATUS_READY | S) & ~DRIVER_OK);
}

static void
fails_body(void)
{
	struct virtio_device *v = &b->vdev;
	bool resume = how.fail == SUSPEND_FAIL_RESUME;

	ready(CAN);
	virtio_set_status(v, STATUS_READY | S);
	assert_int_equal(!(v->status & VIRTIO_CONFIG_S_NEEDS_RESET), resume);
	/* On resume nobody is told: DRIVER_OK reads 0. */
	if (resume)
		virtio_set_status(v, STATUS_READY | S);
	assert_true(v->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(b->config_interrupts, resume ? 0 : 1);
	virtio_set_status(v, 0);
	assert_int_equal(v->status, 0);
	assert_false(v->quiesced || v->broken);
}

static void
own_time(void **state)
{
	how = (struct virtio_suspend_config_of){ .design = SUSPEND_V1_4, .ns = 500 };
	bench_run(make_blk, own_time_body, FAULT_NONE);
	how = (struct virtio_suspend_config_of){ SUSPEND_V1_4, .fail = SUSPEND_FAIL_SUSPEND };
	bench_run(make_blk, fails_body, FAULT_NONE);
	how.fail = SUSPEND_FAIL_RESUME;
	bench_run(make_blk, fails_body, FAULT_NONE);
}

/* --- the others ----------------------------------------------------------------------------- */

static void
zhu_body(void)
{
	struct virtio_device *v = &b->vdev;

	ready(CAN);
	submit(1);
	virtio_set_status(v, STATUS_READY | S);
	assert_int_equal(v->status, STATUS_READY | S); /* DRIVER_OK stays */
	settle();
	assert_false(done()); /* it is back from the disk, and waits */
	assert_int_equal(b->events[EV_VIRTIO_SUSPEND_HOLD], 1);
	virtio_set_status(v, STATUS_READY);
	settle();
	assert_true(done());
	assert_int_equal(v->status, STATUS_READY);
}

static void
stevens_body(void)
{
	struct virtio_device *v = &b->vdev;

	ready(CAN);
	submit(1);
	virtio_set_status(v, STATUS_READY | S);
	settle();
	assert_true(done()); /* the rings run, and nobody is told */
	assert_int_equal(b->interrupts[0], 0);
	virtio_blk_resize(b->type, 4);
	assert_int_equal(b->config_interrupts, 0);
	virtio_set_status(v, STATUS_READY | S); /* DRIVER_OK does not end it */
	assert_true(virtio_suspended(v));
	virtio_set_status(v, STATUS_READY);
	assert_false(virtio_suspended(v));
	assert_int_equal(b->interrupts[0], 1);
	assert_int_equal(b->config_interrupts, 1);
	/* A reset forgets what is kept, and sends it where crosvm's order is taken. */
	submit(2);
	virtio_set_status(v, STATUS_READY | S);
	settle();
	virtio_set_status(v, 0);
	assert_int_equal(b->interrupts[0], fault_on(b->w, FAULT_SUSPEND_RESET_REPLAYS) ? 2 : 1);
}

static void
host_body(void)
{
	struct virtio_device *v = &b->vdev;
	uint8_t generation;

	assert_false(virtio_has(v->device_features, VIRTIO_F_SUSPEND));
	ready(V1);
	submit(1);
	virtio_suspend_enter(v);
	virtio_suspend_enter(v);
	assert_int_equal(v->status, STATUS_READY); /* the guest sees nothing */
	assert_true(done());
	submit(2);
	settle();
	assert_false(done());
	generation = v->config_generation;
	virtio_blk_resize(b->type, 4);
	assert_true(v->config_generation != generation);
	assert_int_equal(b->config_interrupts, 0);
	/* Registers are the driver's still: 2.12.1.4 lets it write. */
	virtio_config_write(v, offsetof(struct virtio_blk_config, writeback), "\1", 1);
	assert_int_equal(v->config[offsetof(struct virtio_blk_config, writeback)], 1);
	virtio_suspend_leave(v);
	virtio_suspend_leave(v);
	assert_int_equal(b->config_interrupts, how.design == SUSPEND_VDPA);
	virtio_queue_handle(&v->vqs[0]);
	settle();
	assert_true(done());
	assert_int_equal(v->suspend->resumes, 1);
}

static void
power_body(void)
{
	struct virtio_device *v = &b->vdev;

	ready(V1);
	submit(1);
	virtio_suspend_enter(v);
	settle();
	assert_true(done());
	assert_int_equal(b->interrupts[0], 0);
	virtio_suspend_leave(v);
	assert_int_equal(b->interrupts[0], 0); /* lost */
	assert_int_equal(v->suspend->lost_total, 1);
	assert_int_equal(v->status, how.design == SUSPEND_PCI_PM ? STATUS_READY : 0);
}

static void
others(void **state)
{
	run(SUSPEND_ZHU_2023, zhu_body, FAULT_NONE);
	run(SUSPEND_STEVENS_2024, stevens_body, FAULT_NONE);
	run(SUSPEND_STEVENS_2024, stevens_body, FAULT_SUSPEND_RESET_REPLAYS);
	run(SUSPEND_VDPA, host_body, FAULT_NONE);
	run(SUSPEND_ADMIN_STOP, host_body, FAULT_NONE);
	run(SUSPEND_PCI_PM, power_body, FAULT_NONE);
	run(SUSPEND_PCI_PM_RESET, power_body, FAULT_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v14),
		cmocka_unit_test(own_time),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
