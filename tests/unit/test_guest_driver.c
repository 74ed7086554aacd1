/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's driver core against a device that gives back what it gets, in the exit of the
 * doorbell: no VMM threads, so that each test sees the driver's own steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "guest/cpu.h"
#include "guest/napi.h"
#include "guest/virtio_driver.h"
#include "memory/guest_memory.h"
#include "notify/irqchip.h"
#include "notify/memview.h"
#include "virtio/device.h"
#include "virtio/pci_transport.h"

#define CPUS 2
#define QUEUES 2

struct bench {
	struct world *w;
	struct irqchip *chip;
	struct memview *view;
	struct virtio_device vdev;
	struct virtio_pci *pci;
	struct guest_cpu *cpu[CPUS];
	struct guest_virtio dev;
	struct waitq got;
	unsigned reaped[QUEUES], callbacks[QUEUES];
	uint64_t backwards; /* notification data that went back */
	uint16_t last_data;
	unsigned kicks_before_ready, use_after_delete;
	bool reset_written;
	unsigned resets_unwatched;
	unsigned recycled_early; /* while the device still had the queue */
	bool done[CPUS];
	void (*body)(struct bench *b, struct guest_cpu *cpu);
};

static struct bench *bench; /* in the arena of the test's world */

/* --- the device ----------------------------------------------------------------------------- */

static void
echo(struct virtio_queue *vq)
{
	struct dp_elem *elem = virtio_elem_alloc(vq->vdev->w);

	do {
		virtio_ring_disable_notify(&vq->ring);
		while (virtio_ring_pop(&vq->ring, elem) == 1) {
			virtio_ring_push(&vq->ring, elem, elem->in_bytes);
			virtio_ring_signal(&vq->ring);
		}
	} while (virtio_ring_enable_notify(&vq->ring));
	virtio_elem_free(vq->vdev->w, elem);
}

static bool refuse; /* whether the device refuses every set of features */

static bool
validate(struct virtio_device *vdev, uint64_t features)
{
	(void)vdev;
	(void)features;
	return !refuse;
}

static const struct virtio_type_ops echo_type = {
	.name = "echo",
	.device_id = VIRTIO_ID_RNG,
	.config_bytes = 16,
	.handle_output = echo,
	.validate_features = validate,
};

static void
queue_start(struct virtio_queue *vq)
{
	virtio_queue_take(vq, VIRTIO_OWNER_MAIN_LOOP);
	virtio_queue_handle(vq);
}

static void
start(struct virtio_device *vdev)
{
	for (unsigned i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].enabled)
			queue_start(&vdev->vqs[i]);
}

static void
stop(struct virtio_device *vdev)
{
	for (unsigned i = 0; i < vdev->queue_count; i++)
		virtio_queue_give(&vdev->vqs[i]);
}

static void
run(struct virtio_queue *vq, struct virtio_work *work)
{
	(void)vq;
	work->fn(work);
}

static void
drain(struct virtio_queue *vq)
{
	(void)vq; /* nothing is ever in flight: the handler finishes what it pops */
}

static const struct virtio_backend_ops inline_backend = {
	"inline", start, stop, queue_start, virtio_queue_give, run, drain,
};

/* --- the machine ---------------------------------------------------------------------------- */

static void
callback(struct guest_cpu *cpu, struct guest_vq *vq)
{
	uint64_t token;
	uint32_t len;

	guest_spin_lock_irq(cpu, &vq->lock);
	bench->callbacks[vq->index]++;
	do {
		guest_vq_disable_cb(vq);
		while (guest_vq_get(vq, &token, &len))
			bench->reaped[vq->index]++;
	} while (!guest_vq_enable_cb(vq));
	guest_spin_unlock_irq(cpu, &vq->lock);
	waitq_wake_all(vq->w, &bench->got);
}

/* A status of 0 is written: the next access must be the look whether the reset is over. */
static void
watch_registers(struct world *w, const struct event *e, void *context)
{
	struct bench *b = context;
	bool status = e->arg[1] == world_name(w, "device_status");

	if (b->reset_written && !(status && e->kind == EV_VIRTIO_COMMON_READ))
		b->resets_unwatched++;
	b->reset_written = status && e->kind == EV_VIRTIO_COMMON_WRITE && !e->arg[3];
}

static void
watch(struct world *w, const struct event *e, void *context)
{
	struct bench *b = context;

	(void)w;
	switch (e->kind) {
	case EV_VQ_NOTIFY:
		b->kicks_before_ready += b->dev.state != GUEST_VIRTIO_READY;
		break;
	case EV_VIRTIO_NOTIFICATION_DATA:
		b->backwards += (int16_t)((uint16_t)e->arg[2] - b->last_data) < 0;
		b->last_data = (uint16_t)e->arg[2];
		break;
	case EV_VQ_USE_AFTER_DELETE:
		b->use_after_delete++;
		break;
	default:
		break;
	}
}

static void
task(struct actor *self, void *arg)
{
	struct guest_cpu *cpu = arg;

	(void)self;
	bench->body(bench, cpu);
	bench->done[cpu->index] = true;
}

struct options {
	void (*body)(struct bench *b, struct guest_cpu *cpu);
	uint64_t features; /* offered beside the usual ones */
	enum guest_vectors vectors;
	enum fault fault;
	unsigned tasks, msix_vectors;
	uint16_t queues;
	bool notify_locked, no_event_idx;
	int64_t queue_reset_ns;
};

static void
setup(struct world *w, void *arg)
{
	const struct options *o = arg;
	struct bench *b = bench = world_alloc(w, sizeof(*b));
	struct virtio_pci_config pc = { .notify_multiplier = 4,
					.intx_gsi = 11,
					.vectors = o->msix_vectors };
	struct guest_virtio_config gc = { .name = "dev",
					  .vectors = o->vectors,
					  .notify_locked = o->notify_locked };

	b->w = w;
	b->body = o->body;
	if (o->fault)
		fault_set(w, o->fault, true);
	gm_create(w, 1 << 20);
	b->chip = irqchip_create(w);
	b->view = memview_create(w, iobus_create(w));
	for (unsigned i = 0; i < CPUS; i++) {
		struct vcpu *v = vcpu_create(w, i);

		irqchip_add_vcpu(b->chip, v);
		b->cpu[i] = guest_cpu_create(w, v, b->view, i);
	}
	virtio_device_init(&b->vdev, w, "echo0", &echo_type, datapath_native.device,
			   o->features | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
				   VIRTIO_BIT(VIRTIO_F_RING_RESET),
			   o->queues ? o->queues : QUEUES, 8);
	b->vdev.backend = &inline_backend;
	b->pci = virtio_pci_create(&b->vdev, pci_bus_create(w, b->view), NULL, b->chip, &pc);
	pci_set_bar(b->pci->function, NULL, VIRTIO_PCI_BAR_MSIX, 0xc0000000);
	pci_set_bar(b->pci->function, NULL, VIRTIO_PCI_BAR_MODERN, 0xc1000000);
	gc.function = b->pci->function;
	if (o->no_event_idx)
		gc.features = o->features;
	guest_virtio_init(&b->dev, w, &gc, 0);
	waitq_init(&b->got, w, "reaped");
	world_observe(w, EV_VQ_NOTIFY, watch, b);
	world_observe(w, EV_VIRTIO_NOTIFICATION_DATA, watch, b);
	world_observe(w, EV_VQ_USE_AFTER_DELETE, watch, b);
	world_observe(w, EV_VIRTIO_COMMON_READ, watch_registers, b);
	world_observe(w, EV_VIRTIO_COMMON_WRITE, watch_registers, b);
	b->vdev.reset_ns = o->queue_reset_ns;
	for (unsigned i = 0; i < (o->tasks ? o->tasks : 1); i++)
		actor_create(w, "task", task, b->cpu[i], 0);
}

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct random_chooser *r = (struct random_chooser *)self;

	(void)w;
	(void)kind;
	return prng_below(&r->prng, 3) ? 0 : prng_below(&r->prng, n);
}

/* Run @runs schedules; returns in how many a task was not done, and calls @check after each. */
static unsigned
explore(const struct options *o, unsigned runs, void (*check)(struct bench *b))
{
	struct random_chooser r = { { choose }, { { 0 } } };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	unsigned hung = 0;

	assert_non_null(w);
	if (world_setup(w, setup, (void *)o, &err))
		fail_msg("set-up: %s", err.text);
	world_snapshot(w);
	for (unsigned i = 0; i < runs; i++) {
		bool all = true;
		enum stop why;

		prng_seed(&r.prng, i);
		world_set_chooser(w, i ? &r.base : NULL);
		why = world_run(w);
		if (why != STOP_QUIESCENT)
			fail_msg("run %u: stop %d %s", i, why,
				 why == STOP_ERROR ? world_error(w)->text : "");
		for (unsigned t = 0; t < (o->tasks ? o->tasks : 1); t++)
			all &= bench->done[t];
		hung += !all;
		if (all && check)
			check(bench);
		world_restore(w);
	}
	world_destroy(w);
	return hung;
}

/* --- what the tasks do ---------------------------------------------------------------------- */

static int
bring_up(struct bench *b, struct guest_cpu *cpu, unsigned queues)
{
	struct guest_vq_info info[QUEUES + 1];
	int ret = guest_virtio_start(&b->dev, cpu);

	if (ret)
		return ret;
	for (unsigned i = 0; i < queues; i++)
		info[i] = (struct guest_vq_info){ .name = "q",
						  .callback = callback,
						  .affinity = b->cpu[i % CPUS] };
	ret = guest_virtio_find_vqs(&b->dev, cpu, info, queues);
	if (ret) {
		guest_virtio_fail(&b->dev, cpu);
		return ret;
	}
	guest_virtio_ready(&b->dev, cpu);
	return 0;
}

static void
submit(struct bench *b, struct guest_cpu *cpu, unsigned queue)
{
	struct guest_vq *vq = &b->dev.vqs[queue];
	struct dp_buf sg = { gm_alloc(b->w, 16, 16), 16 };
	uint32_t data;
	bool kick;

	guest_spin_lock_irq(cpu, &vq->lock);
	assert_int_equal(guest_vq_add(vq, &sg, 0, 1, 7), 0);
	kick = guest_vq_kick_prepare(vq, &data);
	if (kick && b->dev.config.notify_locked)
		guest_vq_notify(vq, cpu, data);
	guest_spin_unlock_irq(cpu, &vq->lock);
	if (kick && !b->dev.config.notify_locked)
		guest_vq_notify(vq, cpu, data);
}

static void
wait_for(struct bench *b, struct guest_cpu *cpu, unsigned queue, unsigned count)
{
	while (b->reaped[queue] < count)
		guest_wait(cpu, &b->got);
}

static void
both_queues(struct bench *b, struct guest_cpu *cpu)
{
	assert_int_equal(bring_up(b, cpu, QUEUES), 0);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned q = 0; q < QUEUES; q++)
			submit(b, cpu, q);
	for (unsigned q = 0; q < QUEUES; q++)
		wait_for(b, cpu, q, 3);
	guest_virtio_remove(&b->dev, cpu);
}

static void
is_removed(struct bench *b)
{
	assert_int_equal(b->vdev.status, 0);
	assert_int_equal(b->dev.state, GUEST_VIRTIO_REMOVED);
	assert_int_equal(b->kicks_before_ready, 0);
	assert_int_equal(b->use_after_delete, 0);
	assert_false(msix_enabled(b->pci->msix));
	for (unsigned q = 0; q < QUEUES; q++)
		assert_false(b->vdev.vqs[q].enabled);
}

static void
life_with_each_kind_of_interrupt(void **state)
{
	(void)state;
	for (unsigned v = 0; v <= GUEST_VECTORS_INTX; v++) {
		struct options o = { .body = both_queues, .vectors = (enum guest_vectors)v };

		assert_int_equal(explore(&o, 500, is_removed), 0);
	}
}

static void
uses_shared(struct bench *b)
{
	assert_int_equal(b->dev.vectors, GUEST_VECTORS_SHARED);
}

static void
falls_back(void **state)
{
	struct options o = { .body = both_queues, .msix_vectors = 2 };

	(void)state;
	assert_int_equal(explore(&o, 20, uses_shared), 0);
}

static void
refused(struct bench *b, struct guest_cpu *cpu)
{
	assert_int_equal(bring_up(b, cpu, 1), -ENODEV);
	assert_int_equal(b->dev.state, GUEST_VIRTIO_FAILED);
	assert_true(b->vdev.status & VIRTIO_CONFIG_S_FAILED);
	assert_false(b->vdev.status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void
missing_queue(struct bench *b, struct guest_cpu *cpu)
{
	assert_int_equal(bring_up(b, cpu, QUEUES + 1), -ENOENT);
	assert_true(b->vdev.status & VIRTIO_CONFIG_S_FAILED);
}

/* Memory decode is off: every read is all ones (the function may be gone as well). */
static void
gone(struct bench *b, struct guest_cpu *cpu)
{
	pci_set_present(b->pci->function, false);
	assert_int_equal(bring_up(b, cpu, 1), -ENODEV);
}

static void
devices_that_cannot_be_driven(void **state)
{
	struct options o = { .body = refused };

	(void)state;
	refuse = true;
	assert_int_equal(explore(&o, 5, NULL), 0);
	refuse = false;
	o.body = missing_queue;
	assert_int_equal(explore(&o, 5, NULL), 0);
	o.body = gone;
	assert_int_equal(explore(&o, 5, NULL), 0);
}

/* --- queue reset ---------------------------------------------------------------------------- */

static unsigned recycled;

static void
recycle(struct guest_vq *vq, uint64_t token)
{
	(void)vq;
	assert_int_equal(token, 7);
	recycled++;
	bench->recycled_early += bench->vdev.vqs[0].enabled || bench->vdev.vqs[0].resetting;
}

static void
reset_one_queue(struct bench *b, struct guest_cpu *cpu)
{
	struct guest_vq *vq;
	struct dp_buf sg = { gm_alloc(b->w, 16, 16), 16 };

	assert_int_equal(bring_up(b, cpu, QUEUES), 0);
	vq = &b->dev.vqs[0];
	submit(b, cpu, 0);
	wait_for(b, cpu, 0, 1);
	/* Two that the device is not told of: they come back unused. */
	recycled = 0;
	assert_int_equal(guest_vq_add(vq, &sg, 0, 1, 7), 0);
	assert_int_equal(guest_vq_add(vq, &sg, 0, 1, 7), 0);
	assert_int_equal(guest_vq_reset(vq, cpu, recycle), 0);
	assert_int_equal(recycled, 2);
	assert_false(b->vdev.vqs[0].enabled);
	submit(b, cpu, 1); /* the other queue goes on */
	wait_for(b, cpu, 1, 1);
	assert_int_equal(guest_vq_enable(vq, cpu, 4), 0);
	assert_int_equal(b->vdev.vqs[0].size, 4);
	assert_int_equal(guest_vq_enable(vq, cpu, 4), -EBUSY);
	submit(b, cpu, 0);
	wait_for(b, cpu, 0, 2);
}

static void
queue_reset(void **state)
{
	struct options o = { .body = reset_one_queue };

	(void)state;
	assert_int_equal(explore(&o, 300, NULL), 0);
}

static unsigned early, unwatched, left_running;

static void
count_early(struct bench *b)
{
	early += b->recycled_early;
}

static void
reset_slowly(struct bench *b, struct guest_cpu *cpu)
{
	struct dp_buf sg = { gm_alloc(b->w, 16, 16), 16 };

	assert_int_equal(bring_up(b, cpu, 1), 0);
	assert_int_equal(guest_vq_add(&b->dev.vqs[0], &sg, 0, 1, 7), 0);
	assert_int_equal(guest_vq_reset(&b->dev.vqs[0], cpu, recycle), 0);
}

static void
queue_reset_is_waited_for(void **state)
{
	struct options o = { .body = reset_slowly, .queue_reset_ns = 5000000 };

	(void)state;
	early = 0;
	assert_int_equal(explore(&o, 50, count_early), 0);
	assert_int_equal(early, 0);
	o.fault = FAULT_GUEST_VQ_RESET_NO_WAIT;
	assert_int_equal(explore(&o, 50, count_early), 0);
	assert_int_equal(early, 50);
}

/* --- reset and removal ---------------------------------------------------------------------- */

static void
count_unwatched(struct bench *b)
{
	unwatched += b->resets_unwatched != 0;
	left_running += b->vdev.status != 0;
}

static void
removal_resets(void **state)
{
	struct options o = { .body = both_queues };

	(void)state;
	unwatched = left_running = 0;
	assert_int_equal(explore(&o, 50, count_unwatched), 0);
	assert_int_equal(unwatched + left_running, 0);
	o.fault = FAULT_GUEST_RESET_NO_WAIT;
	assert_int_equal(explore(&o, 50, count_unwatched), 0);
	assert_int_equal(unwatched, 50);
	unwatched = 0;
	o.fault = FAULT_GUEST_REMOVE_NO_RESET;
	assert_int_equal(explore(&o, 50, count_unwatched), 0);
	assert_int_equal(left_running, 50);
}

/* --- configuration -------------------------------------------------------------------------- */

static void
watch_config(struct bench *b, struct guest_cpu *cpu)
{
	uint64_t pair[2];

	if (cpu->index) { /* the device: both halves change together */
		for (uint64_t i = 1; i <= 3; i++) {
			pair[0] = pair[1] = i;
			virtio_config_update(&b->vdev, 0, pair, sizeof(pair));
			actor_point(b->w);
		}
		return;
	}
	assert_int_equal(bring_up(b, cpu, 1), 0);
	do {
		guest_virtio_config_read(&b->dev, cpu, 0, pair, sizeof(pair));
		assert_int_equal(pair[0], pair[1]);
		if (pair[0] < 3)
			actor_yield(b->w);
	} while (pair[0] < 3);
}

static void
config_reads_are_whole(void **state)
{
	struct options o = { .body = watch_config, .tasks = 2 };

	(void)state;
	assert_int_equal(explore(&o, 2000, NULL), 0);
}

/* --- notifications -------------------------------------------------------------------------- */

static unsigned went_back;

static void
count_backwards(struct bench *b)
{
	went_back += b->backwards != 0;
}

static void
two_submitters(struct bench *b, struct guest_cpu *cpu)
{
	if (!cpu->index)
		assert_int_equal(bring_up(b, cpu, 1), 0);
	while (b->dev.state != GUEST_VIRTIO_READY)
		actor_yield(b->w);
	submit(b, cpu, 0);
	submit(b, cpu, 0);
	wait_for(b, cpu, 0, 4);
}

/* Posted outside the lock the position may go backwards; under the lock it may not. */
static void
notification_data_order(void **state)
{
	struct options o = { .body = two_submitters,
			     .tasks = 2,
			     .no_event_idx = true,
			     .features = VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) };

	(void)state;
	went_back = 0;
	assert_int_equal(explore(&o, 3000, count_backwards), 0);
	assert_true(went_back > 0);
	went_back = 0;
	o.notify_locked = true;
	assert_int_equal(explore(&o, 3000, count_backwards), 0);
	assert_int_equal(went_back, 0);
}

/* --- affinity ------------------------------------------------------------------------------- */

static void
move_interrupt(struct bench *b, struct guest_cpu *cpu)
{
	if (cpu->index) {
		while (b->dev.state != GUEST_VIRTIO_READY)
			actor_yield(b->w);
		for (unsigned i = 0; i < 4; i++)
			guest_irq_set_affinity(&b->dev.irqs[1], cpu, b->cpu[1 - i % 2]);
		return;
	}
	assert_int_equal(bring_up(b, cpu, 1), 0);
	for (unsigned i = 1; i <= 4; i++) {
		submit(b, cpu, 0);
		wait_for(b, cpu, 0, i);
	}
}

static void
affinity(void **state)
{
	struct options o = { .body = move_interrupt, .tasks = 2 };

	(void)state;
	assert_int_equal(explore(&o, 3000, NULL), 0);
	o.fault = FAULT_GUEST_MSI_AFFINITY_UNMASKED;
	assert_true(explore(&o, 3000, NULL) > 0);
}

/* --- faults of the core --------------------------------------------------------------------- */

static void
late_handlers(struct bench *b, struct guest_cpu *cpu)
{
	assert_int_equal(bring_up(b, cpu, 1), 0);
	submit(b, cpu, 0);
	guest_virtio_late_irqs(&b->dev, cpu);
	wait_for(b, cpu, 0, 1);
}

static void
handlers_after_use_lose(void **state)
{
	struct options o = { .body = late_handlers };

	(void)state;
	assert_int_equal(explore(&o, 500, NULL), 0);
	o.fault = FAULT_GUEST_IRQ_LATE;
	assert_true(explore(&o, 500, NULL) > 0);
}

/* A driver that exposes a buffer in its probe; the device uses it as soon as it starts. */
static void
early_buffer(struct bench *b, struct guest_cpu *cpu)
{
	struct guest_vq_info info = { .name = "q", .callback = callback };
	struct dp_buf sg = { gm_alloc(b->w, 16, 16), 16 };

	assert_int_equal(guest_virtio_start(&b->dev, cpu), 0);
	assert_int_equal(guest_virtio_find_vqs(&b->dev, cpu, &info, 1), 0);
	assert_int_equal(guest_vq_add(&b->dev.vqs[0], &sg, 0, 1, 7), 0);
	guest_virtio_ready(&b->dev, cpu);
	wait_for(b, cpu, 0, 1);
}

static void
early_interrupts_count(void **state)
{
	struct options o = { .body = early_buffer };

	(void)state;
	assert_int_equal(explore(&o, 200, NULL), 0);
	o.fault = FAULT_GUEST_IRQ_HARDENED;
	assert_true(explore(&o, 200, NULL) > 0);
}

/* Used buffers on a queue that the driver gave up: a poll must not want to go on. */
static void
poll_broken(struct bench *b, struct guest_cpu *cpu)
{
	struct guest_vq *vq;
	unsigned position;

	assert_int_equal(bring_up(b, cpu, 1), 0);
	vq = &b->dev.vqs[0];
	guest_irq_disable(cpu);
	position = guest_vq_enable_cb_prepare(vq);
	submit(b, cpu, 0);
	while (!guest_vq_more_used(vq))
		actor_yield(b->w);
	guest_virtio_break(&b->dev);
	b->backwards = guest_vq_poll(vq, position);
	guest_irq_enable(cpu);
}

static void
broken_queue_polls_nothing(void **state)
{
	struct options o = { .body = poll_broken };

	(void)state;
	went_back = 0;
	assert_int_equal(explore(&o, 50, count_backwards), 0);
	assert_int_equal(went_back, 0);
	o.fault = FAULT_GUEST_POLL_BROKEN;
	assert_int_equal(explore(&o, 50, count_backwards), 0);
	assert_int_equal(went_back, 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_with_each_kind_of_interrupt),
		cmocka_unit_test(falls_back),
		cmocka_unit_test(devices_that_cannot_be_driven),
		cmocka_unit_test(queue_reset),
		cmocka_unit_test(queue_reset_is_waited_for),
		cmocka_unit_test(removal_resets),
		cmocka_unit_test(config_reads_are_whole),
		cmocka_unit_test(notification_data_order),
		cmocka_unit_test(affinity),
		cmocka_unit_test(handlers_after_use_lose),
		cmocka_unit_test(early_interrupts_count),
		cmocka_unit_test(broken_queue_polls_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
