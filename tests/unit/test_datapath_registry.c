/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of ring code, which of it a world's queues get, and features that one side cannot do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/registry.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "virtio/spec.h"

static void
test_names(void **state)
{
	struct datapath_choice c;
	struct error err;

	assert_ptr_equal(datapath_find("native", &err), &datapath_native);
	assert_null(datapath_find("nativ", &err));
	assert_non_null(strstr(err.text, "native"));
	assert_null(datapath_find("./no-such-ring.so", &err));
	assert_non_null(strstr(err.text, "no-such-ring.so"));
	assert_int_equal(datapath_choose(&c, "native", &err), 0);
	assert_ptr_equal(c.driver, &datapath_native);
	assert_ptr_equal(c.device, &datapath_native);
	assert_int_equal(datapath_choose(&c, "native,native", &err), 0);
	assert_string_equal(c.text, "native,native");
	assert_int_equal(datapath_choose(&c, "", &err), -1);
	assert_int_equal(datapath_choose(&c, "native,", &err), -1);
	assert_int_equal(datapath_choose(&c, ",native", &err), -1);
	assert_int_equal(datapath_choose(&c, "native,native,native", &err), -1);
}

/* Our rings under another name, without the event index. */
static struct dp_driver_ops plain_driver;
static struct dp_device_ops plain_device;
static const struct datapath plain = { "plain", &plain_driver, &plain_device };

static void
make_plain(void)
{
	plain_driver = *datapath_native.driver;
	plain_driver.name = "plain";
	plain_driver.features &= ~VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
	plain_device = *datapath_native.device;
	plain_device.name = "plain";
}

struct wanted {
	struct datapath_choice choice;
	uint64_t mask, value;
	struct raw_pair *pair;
};

static void
set_up(struct world *w, void *arg)
{
	struct wanted *x = arg;
	struct raw_config c = { .features = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |
					    VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) };

	assert_false(datapath_used(w));
	gm_create(w, UINT64_C(1) << 20);
	if (x->choice.driver)
		datapath_select(w, &x->choice);
	if (x->mask)
		datapath_force_features(w, x->mask, x->value);
	x->pair = raw_pair_create(w, &c);
	assert_true(datapath_used(w));
}

static struct world *
world_with(struct wanted *x)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct error err;
	struct world *w = world_create(&config, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up, x, &err), 0);
	world_snapshot(w);
	return w;
}

static void
test_selection(void **state)
{
	struct wanted none = { 0 };
	struct wanted x = { .choice = { "plain,native", &plain, &datapath_native } };
	struct world *w, *other = world_with(&none);

	make_plain();
	w = world_with(&x);
	assert_ptr_equal(x.pair->driver.ops, &plain_driver);
	assert_ptr_equal(x.pair->device.ops, datapath_native.device);
	assert_string_equal(datapath_text(w), "plain,native");
	assert_ptr_equal(none.pair->driver.ops, datapath_native.driver);
	assert_string_equal(datapath_text(other), "native");
	for (unsigned i = 0; i < 2; i++) {
		world_restore(w);
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		assert_true(raw_driver_done(&x.pair->driver));
		assert_string_equal(datapath_text(w), "plain,native");
	}
	world_destroy(w);
	world_destroy(other);
}

static void
test_features_left_out(void **state)
{
	struct wanted x = { .choice = { "plain,native", &plain, &datapath_native } };
	struct world *w;

	make_plain();
	w = world_with(&x);
	assert_int_equal(x.pair->driver.vring.features, VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC));
	assert_int_equal(x.pair->device.vring.features, VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC));
	world_destroy(w);
}

static void
test_features_forced(void **state)
{
	uint64_t packed = VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	uint64_t indirect = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	struct wanted x = { .mask = packed | indirect, .value = packed };
	struct world *w = world_with(&x);

	assert_int_equal(x.pair->driver.vring.features,
			 packed | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX));
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_true(raw_driver_done(&x.pair->driver));
	world_destroy(w);
}

static void
test_ring_words(void **state)
{
	static const char *const wrong[] = {
		"",	  "split,packed", "event_idx",	  "split,",
		",split", "split,split",  "packed,event", "packed event_idx",
		"Split"
	};
	char text[DATAPATH_RING_TEXT_MAX];
	struct error err;
	uint64_t features, back;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(datapath_ring_parse(wrong[i], &features, &err), -1);
		assert_non_null(strstr(err.text, wrong[i]));
	}
	assert_int_equal(datapath_ring_parse("in_order,packed,event_idx", &features, &err), 0);
	assert_int_equal(features, VIRTIO_BIT(VIRTIO_F_RING_PACKED) |
					   VIRTIO_BIT(VIRTIO_F_IN_ORDER) |
					   VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX));
	assert_string_equal(datapath_ring_text(features, text), "packed,event_idx,in_order");
	assert_string_equal(datapath_ring_text(0, text), "split");
	assert_string_equal(datapath_ring_text(datapath_ring_features, text),
			    "packed,event_idx,indirect,in_order");
	assert_int_equal(datapath_ring_parse(text, &back, &err), 0);
	assert_int_equal(back, datapath_ring_features);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_features_left_out),
		cmocka_unit_test(test_features_forced),
		cmocka_unit_test(test_ring_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
