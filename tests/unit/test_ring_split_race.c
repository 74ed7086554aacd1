/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split ring inside a world: each access is a choice point, schedules are random.  Without a
 * fault no schedule loses a notification; with each fault that does not need a weaker memory model
 * one does.
 */
#define RING_FEATURES 0
#include "test_ring_race.h"

static void
correct_code_loses_nothing(void **state)
{
	static const struct plan plans[] = {
		{ .needs = 1 },
		{ .features = EVENT, .needs = 1 },
		{ .features = EVENT, .needs = 1, .start_idx = 65533, .batch = true },
		{ .features = EVENT, .needs = 1, .never_disables = true },
		{ .features = EVENT, .needs = 2 },
		{ .features = IN_ORDER, .needs = 2 },
		{ .features = EVENT | IN_ORDER, .needs = 2, .start_idx = 65535 },
	};

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct tally t = explore(&plans[i], 5000);

		assert_int_equal(t.lost, 0);
		assert_int_equal(t.livelock, 0);
		assert_int_equal(t.errors, 0);
	}
}

static void
each_fault_is_found(void **state)
{
	static const struct plan plans[] = {
		{ .features = EVENT,
		  .fault = FAULT_DRIVER_KICK_NO_WRAP,
		  .start_idx = 65533,
		  .needs = 1,
		  .batch = true },
		{ .features = EVENT, .fault = FAULT_DRIVER_ENABLE_NO_RECHECK, .needs = 1 },
		{ .fault = FAULT_DRIVER_ENABLE_NO_RECHECK, .needs = 1 },
		{ .features = EVENT,
		  .fault = FAULT_DRIVER_STALE_USED_EVENT,
		  .needs = 1,
		  .never_disables = true },
		{ .features = EVENT, .fault = FAULT_DEVICE_ENABLE_NO_RECHECK, .needs = 1 },
		{ .fault = FAULT_DEVICE_ENABLE_NO_RECHECK, .needs = 1 },
		{ .features = EVENT, .fault = FAULT_DEVICE_NO_AVAIL_EVENT, .needs = 1 },
		{ .features = EVENT, .fault = FAULT_DEVICE_STALE_AVAIL_EVENT, .needs = 2 },
		{ .features = EVENT, .fault = FAULT_DEVICE_EARLY_USED_EVENT, .needs = 1 },
		{ .features = EVENT, .fault = FAULT_DEVICE_EQUAL_USED_EVENT, .needs = 2 },
		{ .features = EVENT,
		  .fault = FAULT_DEVICE_CACHED_USED_EVENT,
		  .start_idx = 65533,
		  .needs = 1 },
	};

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct tally t = explore(&plans[i], 20000);

		print_message("%-35s %u of 20000 lost\n", fault_info[plans[i].fault].name, t.lost);
		assert_true(t.lost > 0);
		assert_int_equal(t.errors, 0);
	}

	/* The driver takes an element that is not there yet, and complains. */
	static const struct plan early = { .fault = FAULT_DEVICE_IDX_BEFORE_ELEM, .needs = 1 };

	assert_true(explore(&early, 1000).errors > 0);
}

/* Six buffers, four at a time: two are left on which the device must sleep, and none come. */
static void
too_few_is_no_livelock(void **state)
{
	struct plan plan = { .features = EVENT, .needs = 4 };

	assert_int_equal(explore(&plan, 1000).livelock, 0);
	plan.fault = FAULT_DEVICE_EMPTY_IS_NONEMPTY;
	assert_int_equal(explore(&plan, 1000).livelock, 1000);
}

/* Stores of a hostile guest fall between any two reads of the device. */
static void
hostile_guest(void **state)
{
	struct plan plan = { .features = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
			     .needs = 1,
			     .hostile = true };
	struct tally t = explore(&plan, 5000);

	assert_true(t.errors > 1000);
	assert_int_equal(t.livelock, 0);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void
fault_is_quirk(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	uint64_t all = 0;

	assert_non_null(w);
	assert_int_equal(native_quirks(w), 0);
	for (int f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		fault_set(w, (enum fault)f, true);

		uint64_t quirks = native_quirks(w);

		fault_set(w, (enum fault)f, false);
		assert_int_equal(quirks & (quirks - 1), 0); /* at most one … */
		assert_int_equal(quirks & all, 0); /* … which is nobody else's */
		all |= quirks;
	}
	assert_int_equal(all, 2 * (uint64_t)DP_QUIRK_DRIVER_PACKED_EVENT_LAP - 1);
	world_destroy(w);
}

struct seen {
	char text[4096];
	struct world *w;
};

static void
see(void *context, const struct event *e, size_t count)
{
	struct seen *seen = context;

	for (; count > 0; count--, e++) {
		size_t at = strlen(seen->text);

		if ((e->kind == EV_LOAD || e->kind == EV_STORE) && at < sizeof(seen->text) - 64) {
			gm_name(seen->w, (uint64_t)e->arg[0], seen->text + at, 64);
			strncat(seen->text, e->kind == EV_LOAD ? "? " : "! ", 3);
		}
	}
}

/* A recorded run shows each access once, by its name in the specification, in the ring's order. */
static void
accesses_have_names(void **state)
{
	static const struct plan plan = { .features = EVENT, .needs = 1 };
	static struct seen seen;
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_int_equal(world_setup(w, setup, (void *)&plan, &err), 0);
	seen.w = w;
	world_set_sink(w, see, &seen);
	world_run(w);
	world_flush(w);
	assert_non_null(strstr(seen.text, "vq0.desc[0].addr! vq0.desc[0].len! vq0.avail.ring[0]! "
					  "vq0.avail.idx! vq0.avail_event? "));
	assert_non_null(strstr(seen.text, "vq0.avail.idx? vq0.avail.ring[0]? vq0.desc[0].addr? "
					  "vq0.desc[0].len? "));
	assert_non_null(
		strstr(seen.text, "vq0.used.ring[0].id! vq0.used.ring[0].len! vq0.used.idx! "));
	assert_non_null(
		strstr(seen.text, "vq0.used.idx? vq0.used.ring[0].id? vq0.used.ring[0].len? "));
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(correct_code_loses_nothing),
		cmocka_unit_test(each_fault_is_found),
		cmocka_unit_test(too_few_is_no_livelock),
		cmocka_unit_test(hostile_guest),
		cmocka_unit_test(fault_is_quirk),
		cmocka_unit_test(accesses_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
