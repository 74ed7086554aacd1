/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user: a socket and eventfds without an order between them. */
#include "test_vhost_rig.h"

static void
driver_flushes(struct rig *r)
{
	rig_driver_ok(r);
	for (unsigned n = 1; n <= 3; n++) {
		rig_flush(r, 0);
		rig_kick(&r->q[0]);
		rig_wait(&r->q[0], n);
	}
}

/* The event loop reads kick fds; messages that need it were answered. */
static bool
unread(struct rig *r)
{
	return eventfd_count(r->vdev.vqs[0].host_notifier) || r->blk->completed != 3 ||
	       !r->user->messages || r->user->msg;
}

static void
test_requests(void **state)
{
	struct rig_config config = { .user = true, .driver = driver_flushes };

	rig_assert_holds(&config, unread);
	config.user_config.no_reply_ack = true;
	rig_assert_holds(&config, unread);
	config.user_config.no_protocol_features = true;
	rig_assert_holds(&config, NULL);
	config = (struct rig_config){
		.user = true, .driver = driver_flushes, .vmm = rig_stop_start, .blk.delay_ns = 1000
	};
	rig_assert_holds(&config, NULL);
	config.design = GUEST_NOTIFIER_SWAP;
	rig_assert_holds(&config, NULL);
	config.no_irqfd = true;
	rig_assert_holds(&config, NULL);
}

/* Where no kick is thrown away enabling may be late, and the other way round: both are needed. */
static void
test_enable_race(void **state)
{
	struct rig_config config = { .user = true, .driver = driver_flushes };
	enum fault late = FAULT_VHOST_USER_ENABLE_ASYNC;
	enum fault discard = FAULT_VHOST_USER_KICK_DISCARDED;

	rig_assert_fault(config, late, discard, NULL);
	rig_assert_fault(config, discard, late, NULL);
	config.user_config.no_reply_ack = true;
	rig_assert_fault(config, late, discard, NULL);
}

/* What was asked for while the device was stopped is only in the notifier's first signal. */
static void
test_kick_discarded_at_restart(void **state)
{
	struct rig_config config = { .user = true,
				     .driver = driver_flushes,
				     .vmm = rig_stop_start };

	rig_assert_fault(config, FAULT_VHOST_USER_KICK_DISCARDED, FAULT_NONE, NULL);
}

static void
test_call_after_kick(void **state)
{
	struct rig_config config = { .user = true,
				     .driver = driver_flushes,
				     .user_config.no_protocol_features = true };

	rig_assert_fault(config, FAULT_VHOST_USER_CALL_AFTER_KICK, FAULT_NONE, NULL);
	/* With SET_VRING_ENABLE the ring does not run before its call fd is there. */
	config.user_config.no_protocol_features = false;
	config.fault[2] = FAULT_VHOST_USER_CALL_AFTER_KICK;
	rig_assert_holds(&config, NULL);
}

static void
driver_masks(struct rig *r)
{
	rig_driver_ok(r);
	rig_flush(r, 0);
	rig_kick(&r->q[0]);
	msix_driver_mask(r->pci->msix, r->cpu->vcpu, 0, true);
	r->masked = true;
	actor_sleep(r->w, 1000);
	r->masked = false;
	msix_driver_mask(r->pci->msix, r->cpu->vcpu, 0, false);
	rig_wait(&r->q[0], 1);
}

static bool
injected(struct rig *r)
{
	return r->injected_masked > 0;
}

static void
test_mask_async(void **state)
{
	struct rig_config config = { .user = true,
				     .driver = driver_masks,
				     .design = GUEST_NOTIFIER_SWAP };

	rig_assert_fault(config, FAULT_VHOST_USER_MASK_ASYNC, FAULT_NONE, injected);
	config.user_config.no_reply_ack = true;
	rig_assert_holds(&config, injected);
	/* QEMU's way: there is nothing to be told. */
	config.design = GUEST_NOTIFIER_UNREGISTER;
	config.fault[0] = FAULT_VHOST_USER_MASK_ASYNC;
	rig_assert_holds(&config, injected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_enable_race),
		cmocka_unit_test(test_kick_discarded_at_restart),
		cmocka_unit_test(test_call_after_kick),
		cmocka_unit_test(test_mask_async),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
