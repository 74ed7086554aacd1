/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's ring code inside a world: each access is a choice point, schedules are random.  Unchanged
 * it loses nothing against itself and against native rings; a driver that leaves out what the
 * kernel's drivers do before they sleep does; and whatever a hostile guest or device writes between
 * two accesses ends in an error, not in a crash or for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "datapath/native.h"
#include "linux_queue.h"
#include "linux_util.h"

#define EVENT VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define PACKED VIRTIO_BIT(VIRTIO_F_RING_PACKED)
#define IN_ORDER VIRTIO_BIT(VIRTIO_F_IN_ORDER)
#define DMA VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM)

static const struct plan plans[] = {
	{ .size = 4, .buffers = 3, .chain = 1 },
	{ .features = EVENT, .size = 4, .buffers = 3, .chain = 1 },
	{ .features = EVENT, .size = 4, .buffers = 6, .chain = 1, .start_idx = 65533 },
	{ .features = EVENT, .size = 4, .buffers = 6, .chain = 2 },
	{ .features = EVENT, .size = 4, .buffers = 6, .chain = 1, .keep_cb = true },
	{ .features = EVENT, .size = 4, .buffers = 6, .chain = 1, .delayed = true },
	{ .features = EVENT, .size = 4, .buffers = 6, .chain = 1, .keep_notify = true },
	{ .size = 4, .buffers = 6, .chain = 1, .keep_notify = true },
	{ .features = EVENT | INDIRECT, .size = 4, .buffers = 6, .chain = 3 },
	{ .features = EVENT | INDIRECT | DMA, .size = 2, .buffers = 5, .chain = 2 },
};

static void
nothing_is_lost(const struct datapath *driver, const struct datapath *device, uint64_t features)
{
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct plan plan = plans[i];
		struct tally t;

		plan.driver = driver;
		plan.device = device;
		plan.features |= features;
		if (features & PACKED)
			plan.start_idx = 0;
		t = queue_explore(&plan, 4000);
		if (t.lost || t.livelock || t.errors || t.wrong)
			fail_msg("plan %zu, %s against %s: %u lost, %u livelocks, %u errors, "
				 "%u wrong",
				 i, driver->name, device->name, t.lost, t.livelock, t.errors,
				 t.wrong);
	}
}

static void
linux_against_linux(void **state)
{
	nothing_is_lost(&datapath_linux, &datapath_linux, 0);
}

static void
linux_driver(void **state)
{
	nothing_is_lost(&datapath_linux, &datapath_native, 0);
	nothing_is_lost(&datapath_linux, &datapath_native, PACKED);
	if (datapath_linux.driver->features & IN_ORDER) {
		nothing_is_lost(&datapath_linux, &datapath_native, IN_ORDER);
		nothing_is_lost(&datapath_linux, &datapath_native, IN_ORDER | PACKED);
	}
}

static void
vringh_device(void **state)
{
	nothing_is_lost(&datapath_native, &datapath_linux, 0);
}

/* The same driver that does not look again after it asked for interrupts. */
static void
without_recheck_is_lost(void **state)
{
	for (size_t i = 0; i < 2; i++)
		for (size_t packed = 0; packed < 2; packed++) {
			struct plan plan = plans[i];
			struct tally t;

			plan.driver = &datapath_linux;
			plan.device = packed ? &datapath_native : &datapath_linux;
			plan.features |= packed ? PACKED : 0;
			plan.skip_recheck = true;
			t = queue_explore(&plan, 4000);
			assert_true(t.lost > 0);
			assert_int_equal(t.errors + t.wrong, 0);
		}
}

/*
 * vring_interrupt() sets event_triggered without a lock, on any CPU, while the driver looks at it
 * and clears it: KCSAN reports that, and it is tagged as benign ("virtio_ring: tag event_triggered
 * as racy for KCSAN").  It is: whichever value is seen, the driver writes what it need not, or is
 * called once more.  Nothing is lost, and no race is reported in what the two sides share.
 */
static void
event_triggered_is_benign(void **state)
{
	for (enum memory_model model = MEMORY_SC; model < MEMORY_MODELS; model++)
		for (unsigned i = 0; i < 8; i++) {
			struct plan plan = { .driver = &datapath_linux,
					     .device = &datapath_native,
					     .features = EVENT | (i & 1 ? PACKED : 0),
					     .size = 4,
					     .buffers = 4,
					     .chain = 1,
					     .delayed = i & 2,
					     .keep_cb = i & 4,
					     .stray = 4,
					     .races = true,
					     .model = model };
			struct tally t = queue_explore(&plan, 600);

			if (t.lost || t.livelock || t.errors || t.wrong || t.races)
				fail_msg("plan %u under %s: %u lost, %u livelocks, %u errors, %u "
					 "wrong, %u races",
					 i, memory_model_name[model], t.lost, t.livelock, t.errors,
					 t.wrong, t.races);
		}
}

static void
hostile_guest(void **state)
{
	struct plan plan = { .driver = &datapath_linux,
			     .device = &datapath_linux,
			     .features = INDIRECT,
			     .size = 4,
			     .hostile_guest = true };
	struct tally t = queue_explore(&plan, 5000);

	assert_true(t.errors > 1000);
	assert_int_equal(t.livelock, 0);
}

static void
hostile_device(void **state)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct plan plan = { .driver = &datapath_linux,
				     .device = &datapath_native,
				     .features = EVENT | INDIRECT | (packed ? PACKED : 0),
				     .size = 4,
				     .buffers = 6,
				     .chain = 2,
				     .hostile_device = true };
		struct tally t = queue_explore(&plan, 5000);

		assert_true(t.errors > 100);
		assert_int_equal(t.livelock, 0);
	}
}

/* --- what a recording shows ------------------------------------------------------------------ */

struct seen {
	char text[16384];
	unsigned fences;
	struct world *w;
};

static void
see(void *context, const struct event *e, size_t count)
{
	struct seen *seen = context;

	for (; count > 0; count--, e++) {
		size_t at = strlen(seen->text);

		if (at > sizeof(seen->text) - 128)
			return;
		if (e->kind == EV_LOAD || e->kind == EV_STORE) {
			gm_name(seen->w, (uint64_t)e->arg[0], seen->text + at, 64);
			strncat(seen->text, e->kind == EV_LOAD ? "? " : "! ", 3);
		} else if (e->kind == EV_FENCE) {
			seen->fences++;
			snprintf(seen->text + at, 64, "%s. ", world_name_text(seen->w, e->arg[0]));
		}
	}
}

static void
record(struct seen *seen, const struct plan *plan)
{
	struct world *w = queue_world(plan);

	memset(seen, 0, sizeof(*seen));
	seen->w = w;
	world_set_sink(w, see, seen);
	world_run(w);
	world_flush(w);
	world_destroy(w);
}

/*
 * Each access and each barrier of the kernel's, as the source has them; where no barrier stands
 * between plain accesses the compiler has a say in their order and number.
 */
static void
accesses_and_barriers(void **state)
{
	static struct seen seen;
	struct plan plan = { .driver = &datapath_linux,
			     .device = &datapath_linux,
			     .features = EVENT,
			     .size = 4,
			     .buffers = 1,
			     .chain = 1 };
	const char *publish;

	record(&seen, &plan);
	/* virtqueue_add_split(), virtqueue_kick_prepare_split() */
	publish = strstr(seen.text, "vq0.avail.ring[0]! wmb. vq0.avail.idx! mb. vq0.avail_event? ");
	assert_non_null(publish);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const field[] = { "addr! ", "len! ", "flags! ", "next! " };
		const char *at = strstr(seen.text, field[i]);

		assert_true(at && at < publish);
	}
	/* __vringh_get_head(), __vringh_iov(), __vringh_complete(), __vringh_need_notify() */
	assert_non_null(strstr(seen.text, "vq0.avail.idx? rmb. vq0.avail.ring[0]? "
					  "vq0.desc[0].addr? vq0.desc[0].len? "));
	assert_non_null(strstr(seen.text, "vq0.used.ring[0].id! vq0.used.ring[0].len! wmb. "
					  "vq0.used.idx! mb. vq0.used_event? "));
	/* virtqueue_get_buf_ctx_split(): callbacks are off, so used_event is left alone */
	assert_non_null(strstr(seen.text, "vq0.used.idx? rmb. vq0.used.ring[0].id? "
					  "vq0.used.ring[0].len? vq0.desc[0].flags? "));
	plan.keep_cb = true;
	record(&seen, &plan);
	assert_non_null(strstr(seen.text, "vq0.desc[0].flags? vq0.used_event! mb. "));
}

/* The first flags come last, behind the barrier. */
static void
packed_accesses(void **state)
{
	static struct seen seen;
	struct plan plan = { .driver = &datapath_linux,
			     .device = &datapath_native,
			     .features = EVENT | PACKED,
			     .size = 4,
			     .buffers = 1,
			     .chain = 2 };
	const char *publish;

	record(&seen, &plan);
	publish = strstr(seen.text, "wmb. vq0.desc[0].flags! mb. ");
	assert_non_null(publish);
	assert_true(strstr(seen.text, "vq0.desc[0].id! ") < publish);
	assert_true(strstr(seen.text, "vq0.desc[1].id! ") < publish);
	assert_true(strstr(seen.text, "vq0.desc[1].flags! ") < publish);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_against_linux),
		cmocka_unit_test(linux_driver),
		cmocka_unit_test(vringh_device),
		cmocka_unit_test(without_recheck_is_lost),
		cmocka_unit_test(event_triggered_is_benign),
		cmocka_unit_test(hostile_guest),
		cmocka_unit_test(hostile_device),
		cmocka_unit_test(accesses_and_barriers),
		cmocka_unit_test(packed_accesses),
	};

	if (!&datapath_linux)
		return linux_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
