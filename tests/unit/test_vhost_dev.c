/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost in the kernel: start and stop under traffic, hand-over, queue reset, masking. */
#include "test_vhost_rig.h"

/* --- start and stop ------------------------------------------------------------------------- */

static void
driver_flushes(struct rig *r)
{
	rig_driver_ok(r);
	for (unsigned n = 1; n <= 4; n++) {
		rig_flush(r, n % 2);
		rig_kick(&r->q[n % 2]);
		rig_wait(&r->q[n % 2], (n + 1) / 2);
	}
}

/* Counts agree, and nobody read the kick fds. */
static bool
counts_wrong(struct rig *r)
{
	unsigned kicks = r->q[0].kicks + r->q[1].kicks;
	uint64_t count = 0;

	for (unsigned i = 0; i < QUEUES; i++)
		count += eventfd_count(r->vdev.vqs[i].host_notifier);
	return count != kicks || r->blk->completed != 4 || r->events[EV_VIRTIO_NOTIFY] < 2;
}

static void
test_requests(void **state)
{
	rig_assert_holds(&(struct rig_config){ .driver = driver_flushes }, counts_wrong);
	rig_assert_holds(&(struct rig_config){ .driver = driver_flushes,
					       .blk.delay_ns = 1000,
					       .no_event_idx = true },
			 counts_wrong);
	rig_assert_holds(
		&(struct rig_config){ .driver = driver_flushes, .design = GUEST_NOTIFIER_SWAP },
		counts_wrong);
	rig_assert_holds(&(struct rig_config){ .driver = driver_flushes, .no_irqfd = true },
			 counts_wrong);
}

static void
driver_batches(struct rig *r)
{
	rig_driver_ok(r);
	for (unsigned n = 1; n <= 3; n++) {
		rig_flush(r, 0);
		rig_flush(r, 0);
		rig_kick(&r->q[0]);
		rig_wait(&r->q[0], 2 * n);
	}
}

/* Long enough for the disk to be done in between. */
static void
stop_sleep_start(struct rig *r)
{
	rig_lock(r);
	virtio_vm_state(&r->vdev, false);
	rig_unlock(r);
	actor_sleep(r->w, 2000);
	rig_lock(r);
	virtio_vm_state(&r->vdev, true);
	rig_unlock(r);
}

/* Each request ends a run of the handler, which is queued again. */
static void
driver_batches_light(struct rig *r)
{
	r->dev->set.vq[0].weight = 1;
	driver_batches(r);
}

static bool
few_runs(struct rig *r)
{
	return r->dev->set.vq[0].runs < 6;
}

static void
test_weight(void **state)
{
	rig_assert_holds(&(struct rig_config){ .driver = driver_batches_light }, few_runs);
}

static void
test_stop_start(void **state)
{
	struct rig_config config = { .driver = driver_batches, .vmm = rig_stop_start };

	/* Kicks that the stopped device did not look at: the start has to. */
	rig_assert_fault(config, FAULT_VHOST_START_NO_KICK, FAULT_NONE, NULL);
	config.blk.delay_ns = 1000;
	rig_assert_holds(&config, NULL);
	/* With requests in flight a stop must wait for them. */
	config.vmm = stop_sleep_start;
	rig_assert_fault(config, FAULT_STOP_NO_DRAIN, FAULT_NONE, NULL);
	config.no_event_idx = true;
	rig_assert_holds(&config, NULL);
}

/* The VMM's clean-up of a notifier runs its own handler, which turns kicks off for good. */
static void
driver_tx(struct rig *r)
{
	rig_driver_ok(r);
	for (unsigned n = 1; n <= 4; n++) {
		rig_tx_packet(r, 64);
		rig_kick(&r->q[1]);
		rig_wait(&r->q[1], n);
	}
}

static void
test_vmm_handler(void **state)
{
	struct rig_config config = { .net = true,
				     .no_event_idx = true,
				     .driver = driver_tx,
				     .vmm = rig_stop_start,
				     .user = true };

	rig_assert_fault(config, FAULT_VMM_HANDLER_WHILE_VHOST, FAULT_NONE, NULL);
}

/* --- hand-over ------------------------------------------------------------------------------ */

/* A VMM whose handler runs in the exit of the doorbell. */
static void
inline_queue_start(struct virtio_queue *vq)
{
	if (virtio_queue_take(vq, VIRTIO_OWNER_MAIN_LOOP))
		virtio_queue_handle(vq);
}

static void
inline_start(struct virtio_device *vdev)
{
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		inline_queue_start(&vdev->vqs[i]);
}

static void
inline_stop(struct virtio_device *vdev)
{
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		virtio_queue_give(&vdev->vqs[i]);
}

static void
inline_run(struct virtio_queue *vq, struct virtio_work *work)
{
	work->fn(work);
}

static void
inline_drain(struct virtio_queue *vq)
{
	assert_int_equal(vq->inflight, 0);
}

static const struct virtio_backend_ops inline_ops = {
	"inline",	   inline_start, inline_stop,  inline_queue_start,
	virtio_queue_give, inline_run,	 inline_drain,
};

/* Under traffic to the VMM, and back. */
static void
vmm_hand_over(struct rig *r)
{
	const struct virtio_backend_ops *ops = r->vdev.backend;
	void *data = r->vdev.backend_data;

	rig_lock(r);
	virtio_set_backend(&r->vdev, &inline_ops, NULL);
	rig_unlock(r);
	actor_point(r->w);
	rig_lock(r);
	virtio_set_backend(&r->vdev, ops, data);
	rig_unlock(r);
}

static bool
more_or_less(struct rig *r)
{
	return r->q[0].got != 6 || r->q[0].added != 6 || r->blk->completed != 6;
}

static void
test_hand_over(void **state)
{
	struct rig_config config = { .driver = driver_batches, .vmm = vmm_hand_over };

	rig_assert_holds(&config, more_or_less);
	config.no_event_idx = true;
	rig_assert_holds(&config, more_or_less);
	config.user = true;
	rig_assert_holds(&config, more_or_less);
}

/* A queue is reset with requests in flight and used again. */
static void
driver_queue_reset(struct rig *r)
{
	struct virtio_queue *vq = &r->vdev.vqs[0];
	uint64_t token;

	rig_driver_ok(r);
	rig_flush(r, 0);
	rig_kick(&r->q[0]);
	rig_lock(r);
	virtio_queue_reset(vq);
	rig_unlock(r);
	assert_false(vq->enabled);
	assert_int_equal(vq->inflight, 0);
	while (datapath_native.driver->detach_unused(r->q[0].ring, &token) == 1)
		;
	datapath_native.driver->destroy(r->q[0].ring);
	ring_memory_clear(r->w, &r->q[0].vring);
	assert_int_equal(datapath_native.driver->init(&r->q[0].ring, &r->q[0].vring, &r->host), 0);
	r->q[0].added = r->q[0].got = 0;
	r->q[0].irq = false;
	vq->desc_gpa = r->q[0].vring.desc;
	vq->driver_gpa = r->q[0].vring.driver;
	vq->device_gpa = r->q[0].vring.device;
	rig_lock(r);
	guest_notifier_set_vector(virtio_pci_notifier(vq), 0);
	vq->vector = 0;
	virtio_queue_enable(vq);
	rig_unlock(r);
	rig_flush(r, 0);
	rig_kick(&r->q[0]);
	rig_wait(&r->q[0], 1);
}

static void
test_queue_reset(void **state)
{
	rig_assert_holds(&(struct rig_config){ .driver = driver_queue_reset, .blk.delay_ns = 500 },
			 NULL);
	rig_assert_holds(&(struct rig_config){ .driver = driver_queue_reset,
					       .blk.delay_ns = 500,
					       .user = true },
			 NULL);
}

/* --- masking -------------------------------------------------------------------------------- */

/* Complete while masked, look after unmasking. */
static void
driver_masks(struct rig *r)
{
	rig_driver_ok(r);
	for (unsigned n = 1; n <= 2; n++) {
		msix_driver_mask(r->pci->msix, r->cpu->vcpu, 0, true);
		r->masked = true;
		rig_flush(r, 0);
		rig_kick(&r->q[0]);
		if (n == 2)
			actor_sleep(r->w, 100); /* complete; else it races with the unmask */
		r->masked = false;
		msix_driver_mask(r->pci->msix, r->cpu->vcpu, 0, false);
		rig_wait(&r->q[0], n);
	}
}

static bool
injected(struct rig *r)
{
	return r->injected_masked > 0;
}

static void
test_masking(void **state)
{
	struct rig_config config = { .driver = driver_masks, .design = GUEST_NOTIFIER_SWAP };

	rig_assert_holds(&config, injected);
	rig_assert_fault(config, FAULT_UNMASK_TEST_FIRST, FAULT_NONE, injected);
	config.design = GUEST_NOTIFIER_UNREGISTER;
	rig_assert_holds(&config, injected);
}

static void
driver_unmasks_late(struct rig *r)
{
	rig_driver_ok(r);
	rig_flush(r, 0);
	rig_kick(&r->q[0]);
	actor_sleep(r->w, 100);
	msix_driver_mask(r->pci->msix, r->cpu->vcpu, 0, false);
	rig_wait(&r->q[0], 1);
}

/* What the notifiers' own faults do to a whole device: no interrupt, in any schedule. */
static void
test_start_masked(void **state)
{
	struct rig_config config = { .driver = driver_flushes,
				     .design = GUEST_NOTIFIER_SWAP,
				     .no_irqfd = true };

	rig_assert_fault(config, FAULT_VHOST_START_MASKED, FAULT_NONE, NULL);
	config = (struct rig_config){ .driver = driver_unmasks_late, .start_masked = true };
	rig_assert_fault(config, FAULT_INIT_MASKED_NO_CALL, FAULT_NONE, NULL);
	config.design = GUEST_NOTIFIER_SWAP;
	rig_assert_holds(&config, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),    cmocka_unit_test(test_stop_start),
		cmocka_unit_test(test_vmm_handler), cmocka_unit_test(test_queue_reset),
		cmocka_unit_test(test_masking),	    cmocka_unit_test(test_start_masked),
		cmocka_unit_test(test_hand_over),   cmocka_unit_test(test_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
