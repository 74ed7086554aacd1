/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed ring inside a world: each access is a choice point, schedules are random.  Without a
 * fault no schedule loses a notification or sees a buffer that is not the one that was handed over;
 * with each fault that does not need a weaker memory model one does.
 */
#define RING_FEATURES VIRTIO_BIT(VIRTIO_F_RING_PACKED)
#include "test_ring_race.h"

static void
correct_code_loses_nothing(void **state)
{
	/* Each combination of features, short and long chains, a ring that is no power of two. */
	for (unsigned bits = 0; bits < 32; bits++) {
		struct plan plan = {
			.features = (bits & 1 ? EVENT : 0) | (bits & 2 ? IN_ORDER : 0),
			.size = bits & 16 ? 5 : 4,
			.chain = bits & 4 ? 2 : 1,
			.needs = bits & 8 ? 2 : 1,
		};

		for (int way = 0; way < 3; way++) {
			plan.batch = way == 1;
			plan.delayed = way == 2;

			struct tally t = explore(&plan, 400);

			assert_int_equal(t.lost, 0);
			assert_int_equal(t.livelock, 0);
			assert_int_equal(t.errors, 0);
			assert_int_equal(t.wrong, 0);
		}
	}

	/* get() moves the event along. */
	static const struct plan nine = { .features = EVENT, .needs = 1, .never_disables = true };

	assert_int_equal(explore(&nine, 5000).lost, 0);
}

/* What its absence does is counted in @lost or @wrong. */
static void
each_fault_is_found(void **state)
{
	static const struct plan plans[] = {
		{ .features = EVENT, .fault = FAULT_DRIVER_ENABLE_NO_RECHECK, .needs = 1 },
		{ .fault = FAULT_DRIVER_ENABLE_NO_RECHECK, .needs = 1 },
		{ .features = EVENT, .fault = FAULT_DEVICE_ENABLE_NO_RECHECK, .needs = 1 },
		{ .fault = FAULT_DEVICE_ENABLE_NO_RECHECK, .needs = 1 },
		{ .features = EVENT,
		  .fault = FAULT_DRIVER_PACKED_DELAYED_SLOT,
		  .size = 6,
		  .chain = 2,
		  .needs = 1,
		  .delayed = true },
		{ .features = EVENT,
		  .fault = FAULT_DEVICE_PACKED_SIGNALLED_WRAP,
		  .size = 2,
		  .chain = 1,
		  .needs = 2,
		  .batch = true },
		{ .features = EVENT, .fault = FAULT_DRIVER_PACKED_EVENT_LAP, .needs = 1 },
		{ .fault = FAULT_DRIVER_PACKED_CONTENT_FIRST, .needs = 1 },
	};

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct plan without = plans[i];
		struct tally t = explore(&plans[i], 20000);

		print_message("%-35s %u of 20000 lost, %u wrong, %u broken\n",
			      fault_info[plans[i].fault].name, t.lost, t.wrong, t.errors);
		if (plans[i].fault == FAULT_DRIVER_PACKED_CONTENT_FIRST)
			assert_true(t.errors + t.wrong > 0);
		else
			assert_true(t.lost > 0 && !t.errors && !t.wrong);
		without.fault = FAULT_NONE;
		t = explore(&without, 5000);
		assert_int_equal(t.lost + t.errors + t.wrong, 0);
	}

	/* The device finds an empty descriptor, or that of the lap before. */
	static const struct plan content = { .fault = FAULT_DEVICE_PACKED_CONTENT_FIRST,
					     .needs = 1 };
	struct tally t = explore(&content, 1000);

	assert_true(t.errors > 0 && t.wrong > 0);

	/* The driver takes a used descriptor that is not there yet. */
	static const struct plan early = { .fault = FAULT_DEVICE_IDX_BEFORE_ELEM, .needs = 1 };

	assert_true(explore(&early, 1000).wrong > 0);
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
			     .size = 4,
			     .chain = 1,
			     .needs = 1,
			     .hostile = true };
	struct tally t = explore(&plan, 5000);

	assert_true(t.errors > 1000);
	assert_int_equal(t.livelock, 0);
}

/* --- the rest ----------------------------------------------------------------------------- */

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
	assert_non_null(strstr(seen.text, "vq0.desc[0].addr! vq0.desc[0].len! vq0.desc[0].id! "
					  "vq0.desc[0].flags! vq0.device_event.off_wrap? "));
	assert_non_null(strstr(seen.text, "vq0.desc[0].flags? vq0.desc[0].addr? vq0.desc[0].len? "
					  "vq0.desc[0].id? "));
	assert_non_null(strstr(seen.text, "vq0.desc[0].id! vq0.desc[0].len! vq0.desc[0].flags! "
					  "vq0.driver_event.flags? "));
	assert_non_null(strstr(seen.text, "vq0.desc[0].flags? vq0.desc[0].id? vq0.desc[0].len? "));
	assert_non_null(strstr(seen.text, "vq0.driver_event.off_wrap! vq0.driver_event.flags! "));
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(correct_code_loses_nothing), cmocka_unit_test(each_fault_is_found),
		cmocka_unit_test(too_few_is_no_livelock),     cmocka_unit_test(hostile_guest),
		cmocka_unit_test(accesses_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
