/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed ring inside a world: each access is a choice point, schedules are random.  Without a
 * fault no schedule loses a notification or sees a buffer that is not the one that was handed over;
 * with each fault that does not need a weaker memory model one does.
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
#include "virtio/ring_packed_layout.h"
#include "virtio/spec.h"

#define RAM_BYTES 65536u
#define BUFFERS 6u
#define USED_BYTES 32u /* of each buffer */

/* What is built; @needs: how many buffers the device must have before it uses any (mergeable
 * receive). */
struct plan {
	uint64_t features;
	enum fault fault;
	uint16_t size;
	unsigned chain; /* descriptors a buffer */
	unsigned needs;
	bool never_disables; /* the driver keeps callbacks on for ever, as 9p does */
	bool batch; /* one kick for all that was added */
	bool delayed; /* enable_cb_delayed() */
	bool hostile; /* an actor writes to the rings */
};

struct queue {
	const struct plan *plan;
	struct world *w;
	struct dp_host host;
	struct dp_vring vring;
	struct ring_packed_layout layout;
	struct dp_driver *driver;
	struct dp_device *device;
	struct waitq kick_wait, call_wait;
	bool kicked, called;
	unsigned errors, got;
	unsigned wrong; /* buffers that are not what the other side handed over */
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
	const struct dp_buf sg[3] = { { 32768, 64 }, { 33024, 64 }, { 33280, 64 } };
	unsigned added = 0;
	uint64_t token;
	uint32_t len;

	while (q->got < BUFFERS) {
		while (added < BUFFERS &&
		       !ops->add(q->driver, sg, 0, q->plan->chain, added, false, 0)) {
			added++;
			if (!q->plan->batch && ops->kick_prepare(q->driver))
				post(q->w, &q->kicked, &q->kick_wait);
		}
		if (q->plan->batch && ops->kick_prepare(q->driver))
			post(q->w, &q->kicked, &q->kick_wait);

		unsigned before = q->got;

		if (!q->plan->never_disables)
			ops->disable_cb(q->driver);
		while (ops->get(q->driver, &token, &len) == 1) {
			q->got++;
			q->wrong += len != USED_BYTES;
		}
		if (q->errors)
			return;
		if (q->got != before)
			continue;
		if (q->plan->never_disables || (q->plan->delayed ? ops->enable_cb_delayed(q->driver)
								 : ops->enable_cb(q->driver)))
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
		q->wrong += q->elem[n++].in_bytes != 64 * q->plan->chain;
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
			ops->fill(q->device, &q->elem[i], USED_BYTES, i);
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
		uint16_t value = (uint16_t)(world_choose(q->w, 8, CHOICE_OUTCOME) |
					    world_choose(q->w, 4, CHOICE_OUTCOME) << 7);
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
	ring_packed_layout_init(&q->layout, q->plan->size);
	ring_packed_layout_place(&q->layout, gm_alloc(w, q->layout.bytes, 16), &q->vring);
	gm_region(w, q->vring.desc, q->layout.bytes, "vq0", ring_packed_describe, &q->layout);
	q->vring.features = q->plan->features | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			    VIRTIO_BIT(VIRTIO_F_RING_PACKED);
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
	unsigned lost, livelock, errors, wrong; /* schedules */
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
		else if (queue->wrong && !plan->hostile)
			t.wrong++;
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
	static const struct plan nine = {
		.features = EVENT, .size = 4, .chain = 1, .needs = 1, .never_disables = true
	};

	assert_int_equal(explore(&nine, 5000).lost, 0);
}

/* What its absence does is counted in @lost or @wrong. */
static void
each_fault_is_found(void **state)
{
	static const struct plan plans[] = {
		{ .features = EVENT,
		  .fault = FAULT_DRIVER_ENABLE_NO_RECHECK,
		  .size = 4,
		  .chain = 1,
		  .needs = 1 },
		{ .fault = FAULT_DRIVER_ENABLE_NO_RECHECK, .size = 4, .chain = 1, .needs = 1 },
		{ .features = EVENT,
		  .fault = FAULT_DEVICE_ENABLE_NO_RECHECK,
		  .size = 4,
		  .chain = 1,
		  .needs = 1 },
		{ .fault = FAULT_DEVICE_ENABLE_NO_RECHECK, .size = 4, .chain = 1, .needs = 1 },
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
		{ .fault = FAULT_DRIVER_PACKED_CONTENT_FIRST, .size = 4, .chain = 1, .needs = 1 },
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
	static const struct plan content = {
		.fault = FAULT_DEVICE_PACKED_CONTENT_FIRST, .size = 4, .chain = 1, .needs = 1
	};
	struct tally t = explore(&content, 1000);

	assert_true(t.errors > 0 && t.wrong > 0);

	/* The driver takes a used descriptor that is not there yet. */
	static const struct plan early = {
		.fault = FAULT_DEVICE_IDX_BEFORE_ELEM, .size = 4, .chain = 1, .needs = 1
	};

	assert_true(explore(&early, 1000).wrong > 0);
}

/* Six buffers, four at a time: two are left on which the device must sleep, and none come. */
static void
too_few_is_no_livelock(void **state)
{
	struct plan plan = { .features = EVENT, .size = 4, .chain = 1, .needs = 4 };

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
	static const struct plan plan = { .features = EVENT, .size = 4, .chain = 1, .needs = 1 };
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
