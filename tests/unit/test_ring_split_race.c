/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split ring inside a world: each access is a choice point, schedules are random.  Without a
 * fault no schedule loses a notification; with each fault that does not need a weaker memory model
 * one does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/prng.h"
#include "datapath/native.h"
#include "engine/world.h"
#include "memory/guest_memory.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

#define RAM_BYTES 65536u
#define BUFFERS 6u

/* What is built; @needs: how many buffers the device must have before it uses any (mergeable
 * receive). */
struct plan {
	uint64_t features;
	enum fault fault;
	uint16_t start_idx;
	unsigned needs;
	bool never_disables; /* the driver keeps callbacks on for ever, as 9p does */
	bool batch; /* one kick for all that was added */
	bool hostile; /* an actor writes to the rings */
};

struct queue {
	const struct plan *plan;
	struct world *w;
	struct dp_host host;
	struct dp_vring vring;
	struct ring_split_layout layout;
	struct dp_driver *driver;
	struct dp_device *device;
	struct waitq kick_wait, call_wait;
	bool kicked, called;
	unsigned errors, got;
	struct dp_elem elem[4];
};

static struct queue *queue; /* in the arena */

/* --- host --------------------------------------------------------------------------------- */

static void *
map(void *ctx, uint64_t gpa, uint64_t len)
{
	return gm_map(((struct queue *)ctx)->w, gpa, len);
}

static void *
take(void *ctx, size_t size)
{
	return world_alloc(((struct queue *)ctx)->w, size);
}

static void
give(void *ctx, void *block, size_t size)
{
	world_free(((struct queue *)ctx)->w, block, size);
}

static void
broke(void *ctx, const char *what, uint64_t value)
{
	((struct queue *)ctx)->errors++;
}

/* A notification: kept while nobody waits, as an eventfd keeps it. */
static void
post(struct world *w, bool *flag, struct waitq *q)
{
	*flag = true;
	waitq_wake_one(w, q);
}

static void
wait_for(struct world *w, bool *flag, struct waitq *q)
{
	while (!*flag)
		waitq_wait(w, q);
	*flag = false;
}

/* --- actors ------------------------------------------------------------------------------- */

static void
driver_actor(struct actor *self, void *arg)
{
	struct queue *q = arg;
	const struct dp_driver_ops *ops = datapath_native.driver;
	struct dp_buf sg = { 32768, 64 };
	unsigned added = 0;
	uint64_t token;
	uint32_t len;

	while (q->got < BUFFERS) {
		while (added < BUFFERS && !ops->add(q->driver, &sg, 0, 1, added, false, 0)) {
			added++;
			if (!q->plan->batch && ops->kick_prepare(q->driver))
				post(q->w, &q->kicked, &q->kick_wait);
		}
		if (q->plan->batch && ops->kick_prepare(q->driver))
			post(q->w, &q->kicked, &q->kick_wait);

		unsigned before = q->got;

		if (!q->plan->never_disables)
			ops->disable_cb(q->driver);
		while (ops->get(q->driver, &token, &len) == 1)
			q->got++;
		if (q->errors)
			return;
		if (q->got != before)
			continue;
		if (q->plan->never_disables || ops->enable_cb(q->driver))
			wait_for(q->w, &q->called, &q->call_wait);
	}
}

/* Pop what is needed, or nothing. */
static unsigned
pop_all(struct queue *q)
{
	const struct dp_device_ops *ops = datapath_native.device;
	unsigned n = 0;

	while (n < q->plan->needs && ops->pop(q->device, &q->elem[n]) == 1)
		n++;
	if (n == q->plan->needs)
		return n;
	while (n > 0)
		ops->unpop(q->device, &q->elem[--n]);
	return 0;
}

static void
device_actor(struct actor *self, void *arg)
{
	struct queue *q = arg;
	const struct dp_device_ops *ops = datapath_native.device;

	for (;;) {
		unsigned n = pop_all(q);

		if (!n) {
			if (!ops->enable_notify(q->device))
				wait_for(q->w, &q->kicked, &q->kick_wait);
			ops->disable_notify(q->device);
			continue;
		}
		for (unsigned i = 0; i < n; i++)
			ops->fill(q->device, &q->elem[i], 64, i);
		ops->flush(q->device, n);
		if (ops->should_notify(q->device))
			post(q->w, &q->called, &q->call_wait);
	}
}

/* Writes small numbers over rings and descriptors, one at a time, and kicks. */
static void
hostile_actor(struct actor *self, void *arg)
{
	struct queue *q = arg;

	for (unsigned i = 0; i < 40; i++) {
		uint16_t value = (uint16_t)world_choose(q->w, 8, CHOICE_OUTCOME);
		uint64_t at =
			world_choose(q->w, (uint32_t)(q->layout.bytes / 2), CHOICE_OUTCOME) * 2;

		gm_write(q->w, q->vring.desc + at, &value, sizeof(value));
		actor_point(q->w);
		post(q->w, &q->kicked, &q->kick_wait);
	}
}

static void
setup(struct world *w, void *arg)
{
	struct queue *q = queue = world_alloc(w, sizeof(*q));

	q->plan = arg;
	q->w = w;
	q->host = (struct dp_host){ q, map, take, give, broke };
	gm_create(w, RAM_BYTES);
	if (q->plan->fault != FAULT_NONE)
		fault_set(w, q->plan->fault, true);
	waitq_init(&q->kick_wait, w, "kick");
	waitq_init(&q->call_wait, w, "call");
	ring_split_layout_init(&q->layout, 4, 4);
	ring_split_layout_place(&q->layout, gm_alloc(w, q->layout.bytes, 16), &q->vring);
	gm_region(w, q->vring.desc, q->layout.bytes, "vq0", ring_split_describe, &q->layout);
	q->vring.features = q->plan->features | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	q->vring.start_idx = q->plan->start_idx;
	q->vring.quirks = native_quirks(w);
	assert_int_equal(datapath_native.driver->init(&q->driver, &q->vring, &q->host), 0);
	assert_int_equal(datapath_native.device->init(&q->device, &q->vring, &q->host), 0);
	actor_set_daemon(actor_create(w, "device", device_actor, q, 0), true);
	if (q->plan->hostile)
		actor_create(w, "hostile", hostile_actor, q, 0);
	else
		actor_create(w, "driver", driver_actor, q, 0);
}

/* --- schedules ---------------------------------------------------------------------------- */

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

struct tally {
	unsigned lost, livelock, errors; /* schedules */
};

static struct tally
explore(const struct plan *plan, unsigned schedules)
{
	struct random_chooser r = { { choose }, { { 0 } } };
	struct tally t = { 0 };
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = 5000 }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, (void *)plan, &err), 0);
	world_snapshot(w);
	prng_seed(&r.prng, 42);
	world_set_chooser(w, &r.base);
	for (unsigned i = 0; i < schedules; i++) {
		enum stop why = world_run(w);

		if (queue->errors)
			t.errors++;
		else if (why == STOP_STEPS)
			t.livelock++;
		else if (!plan->hostile && queue->got < BUFFERS)
			t.lost++;
		world_restore(w);
	}
	world_destroy(w);
	return t;
}

#define EVENT VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)
#define IN_ORDER VIRTIO_BIT(VIRTIO_F_IN_ORDER)

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
	assert_int_equal(all, 2 * (uint64_t)DP_QUIRK_DEVICE_EQUAL_USED_EVENT - 1);
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
