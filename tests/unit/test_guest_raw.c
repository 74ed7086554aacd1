/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest pair of driver and device: nothing is lost without a fault, and each ring fault
 * loses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "datapath/datapath.h"
#include "engine/world.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "virtio/spec.h"

#define RUNS 4000
#define STEPS_MAX 10000000 /* a round of 2^16 indices */

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose_random(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct random_chooser *r = (struct random_chooser *)self;

	(void)w;
	(void)kind;
	return prng_below(&r->prng, n);
}

struct set_up {
	struct raw_config config;
	struct raw_pair *pair;
};

static void
setup(struct world *w, void *arg)
{
	struct set_up *s = arg;

	gm_create(w, 1 << 20);
	s->pair = raw_pair_create(w, &s->config);
}

/* Runs of @runs in which the driver did not get everything back. */
static unsigned
losses(const struct raw_config *config, enum world_mode mode, unsigned runs)
{
	struct set_up s = { .config = *config };
	struct random_chooser r = { { choose_random }, { { 0 } } };
	struct error err;
	struct world_config wc = { .mode = mode, .steps_max = STEPS_MAX };
	struct world *w = world_create(&wc, &err);
	unsigned lost = 0;

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, &s, &err), 0);
	world_snapshot(w);
	world_set_chooser(w, &r.base);
	for (unsigned i = 0; i < runs; i++) {
		prng_seed(&r.prng, i);
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		if (!raw_driver_done(&s.pair->driver)) {
			lost++;
			/* Lost means: it waits for a call that does not come. */
			assert_int_equal(actor_state(s.pair->driver.actor), ACTOR_BLOCKED);
			assert_string_equal(actor_waits_for(s.pair->driver.actor), "call");
		}
		world_restore(w);
	}
	world_destroy(w);
	return lost;
}

static const uint64_t feature_sets[] = {
	VIRTIO_BIT(VIRTIO_F_VERSION_1),
	VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX),
};

static void
nothing_lost_without_fault(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++)
		for (unsigned batch = 1; batch <= 3; batch++) {
			struct raw_config c = {
				.features = feature_sets[f],
				.buffers = 7,
				.batch = batch,
				.budget = 1 + batch % 2,
				.wait_each = batch == 2,
			};

			assert_int_equal(losses(&c, WORLD_TIMED, RUNS / 4), 0);
			assert_int_equal(losses(&c, WORLD_RELAXED, RUNS / 4), 0);
		}
}

/* A ring smaller than the work: the driver waits for room again and again. */
static void
ring_full_is_no_loss(void **state)
{
	struct raw_config c = { .features = feature_sets[1], .size = 2, .buffers = 9, .batch = 4 };

	(void)state;
	assert_int_equal(losses(&c, WORLD_TIMED, RUNS / 4), 0);
}

static void
each_fault_loses(void **state)
{
	static const struct {
		uint64_t driver, device;
		unsigned features; /* set in which it matters */
	} faults[] = {
		{ DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0, 0 },
		{ DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0, 1 },
		{ 0, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, 0 },
		{ 0, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, 1 },
		{ 0, DP_QUIRK_DEVICE_NO_AVAIL_EVENT, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct raw_config c = {
			.features = feature_sets[faults[i].features],
			.driver_quirks = faults[i].driver,
			.device_quirks = faults[i].device,
			.buffers = 5,
			.batch = 1,
		};
		unsigned lost = losses(&c, WORLD_TIMED, RUNS);

		assert_true(lost > 0);
		assert_true(lost < RUNS); /* only some orders lose it, but for the last one */
	}
}

/* Who never enables callbacks depends on what get() does to used_event. */
static void
a_driver_that_keeps_callbacks(void **state)
{
	struct raw_config c = {
		.features = feature_sets[1], .buffers = 5, .wait_each = true, .keep_callbacks = true
	};

	(void)state;
	assert_int_equal(losses(&c, WORLD_TIMED, RUNS / 4), 0);
	c.driver_quirks = DP_QUIRK_DRIVER_STALE_USED_EVENT;
	assert_int_equal(losses(&c, WORLD_TIMED, 10), 10);
}

/* When the ring comes back, as many buffers were used as bring signalled_used round to used idx. */
static void
a_ring_that_is_lent(void **state)
{
	struct raw_config c = { .features = feature_sets[1],
				.size = 512,
				.buffers = 512 + 0x10000,
				.batch = 512,
				.budget = 512,
				.wait_each = true,
				.lend_after = 512,
				.lend_for = 0x10000 };

	(void)state;
	assert_int_equal(losses(&c, WORLD_TIMED, 2), 0);
	c.device_quirks = DP_QUIRK_DEVICE_SIGNALLED_VALID;
	assert_int_equal(losses(&c, WORLD_TIMED, 2), 2);
}

/* Indices that wrap on the way, and the comparison that does not know of it. */
static void
indices_that_wrap(void **state)
{
	struct raw_config c = { .features = feature_sets[1],
				.buffers = 8,
				.batch = 2,
				.wait_each = true,
				.start_idx = 65532 };

	(void)state;
	assert_int_equal(losses(&c, WORLD_TIMED, RUNS / 4), 0);
	c.driver_quirks = DP_QUIRK_DRIVER_KICK_NO_WRAP;
	assert_true(losses(&c, WORLD_TIMED, RUNS / 4) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lost_without_fault),
		cmocka_unit_test(ring_full_is_no_loss),
		cmocka_unit_test(each_fault_loses),
		cmocka_unit_test(a_driver_that_keeps_callbacks),
		cmocka_unit_test(a_ring_that_is_lent),
		cmocka_unit_test(indices_that_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
