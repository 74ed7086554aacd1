/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed ring, operation by operation: bytes in memory, suppression, IN_ORDER, hand-over,
 * quirks that need no schedule, and what either side does with rubbish from the other.  Rubbish is
 * written into the rings by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/ring_packed.h"
#include "virtio/ring_packed_layout.h"

#define A 0x80u /* AVAIL */
#define U 0x8000u /* USED */
#define RAM_BYTES 16384u
#define BUF(n) (8192u + 64u * (n))
#define TABLE(n) (12288u + 256u * (n))

static const struct dp_driver_ops *const drv = &ring_packed_driver_ops;
static const struct dp_device_ops *const dev = &ring_packed_device_ops;

static const uint64_t EVENT = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
static const uint64_t INDIRECT = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
static const uint64_t IN_ORDER = VIRTIO_BIT(VIRTIO_F_IN_ORDER);

struct rig {
	_Alignas(4096) char ram[RAM_BYTES];
	struct dp_host host;
	struct dp_vring vring;
	struct dp_driver *driver;
	struct dp_device *device;
	struct dp_elem elem;
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *from_driver, *from_device;
	const char *error; /* the last guest_error() */
	size_t allocated;
	bool no_memory;
};

static void *
map(void *ctx, uint64_t gpa, uint64_t len)
{
	struct rig *r = ctx;

	return gpa <= RAM_BYTES && len <= RAM_BYTES - gpa ? r->ram + gpa : NULL;
}

static void *
take(void *ctx, size_t size)
{
	struct rig *r = ctx;

	r->allocated += size;
	return r->no_memory ? NULL : calloc(1, size);
}

static void
give(void *ctx, void *block, size_t size)
{
	((struct rig *)ctx)->allocated -= size;
	free(block);
}

static void
broke(void *ctx, const char *what, uint64_t value)
{
	((struct rig *)ctx)->error = what;
}

/* Both sides of a queue of @size. */
static struct rig *
rig_new(uint16_t size, uint64_t features, uint64_t quirks)
{
	struct rig *r = aligned_alloc(4096, (sizeof(*r) + 4095) / 4096 * 4096);
	struct ring_packed_layout layout;

	memset(r, 0, sizeof(*r));
	r->host = (struct dp_host){ r, map, take, give, broke };
	r->vring = (struct dp_vring){ .index = 3, .quirks = quirks };
	r->vring.features =
		features | VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	ring_packed_layout_init(&layout, size);
	ring_packed_layout_place(&layout, 0, &r->vring);
	r->desc = (struct vring_packed_desc *)(r->ram + r->vring.desc);
	r->from_driver = (struct vring_packed_desc_event *)(r->ram + r->vring.driver);
	r->from_device = (struct vring_packed_desc_event *)(r->ram + r->vring.device);
	assert_int_equal(drv->init(&r->driver, &r->vring, &r->host), 0);
	assert_int_equal(dev->init(&r->device, &r->vring, &r->host), 0);
	return r;
}

static void
rig_free(struct rig *r)
{
	drv->destroy(r->driver);
	dev->destroy(r->device);
	assert_int_equal(r->allocated, 0);
	free(r);
}

/* One readable and one writable buffer. */
static int
add(struct rig *r, uint64_t token)
{
	struct dp_buf sg[2] = { { BUF(0), 16 }, { BUF(1), 32 } };

	return drv->add(r->driver, sg, 1, 1, token, false, 0);
}

/* One writable buffer: one descriptor. */
static void
add_small(struct rig *r, uint64_t token)
{
	struct dp_buf sg = { BUF(0), 64 };

	assert_int_equal(drv->add(r->driver, &sg, 0, 1, token, false, 0), 0);
}

static void
use(struct rig *r, uint32_t len)
{
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	dev->fill(r->device, &r->elem, len, 0);
	dev->flush(r->device, 1);
}

static void
assert_got(struct rig *r, uint64_t token, uint32_t len)
{
	uint64_t got;
	uint32_t got_len;

	assert_int_equal(drv->get(r->driver, &got, &got_len), 1);
	assert_int_equal(got, token);
	assert_int_equal(got_len, len);
}

static void
assert_none(struct rig *r)
{
	uint64_t got;
	uint32_t len;

	assert_int_equal(drv->get(r->driver, &got, &len), 0);
}

/* --- bytes ------------------------------------------------------------------------------- */

/* A ring of three and chains of two: over the wrap in the middle of the second one. */
static void
bytes_in_memory(void **state)
{
	struct rig *r = rig_new(3, 0, 0);

	assert_int_equal(add(r, 77), 0);
	assert_int_equal(r->desc[0].addr, BUF(0));
	assert_int_equal(r->desc[0].len, 16);
	assert_int_equal(r->desc[0].flags, A | VRING_DESC_F_NEXT);
	assert_int_equal(r->desc[1].addr, BUF(1));
	assert_int_equal(r->desc[1].len, 32);
	assert_int_equal(r->desc[1].flags, A | VRING_DESC_F_WRITE);
	assert_int_equal(r->desc[1].id, 0);
	assert_int_equal(drv->notify_data(r->driver), 0x8002u << 16 | 3);
	assert_int_equal(add(r, 78), -ENOSPC);

	use(r, 20);
	assert_int_equal(r->elem.out, 1);
	assert_int_equal(r->elem.in, 1);
	assert_int_equal(r->elem.out_bytes, 16);
	assert_int_equal(r->elem.in_bytes, 32);
	assert_int_equal(r->elem.ndescs, 2);
	assert_int_equal(r->desc[0].id, 0);
	assert_int_equal(r->desc[0].len, 20);
	assert_int_equal(r->desc[0].flags, A | U | VRING_DESC_F_WRITE);
	assert_int_equal(r->desc[1].flags, A | VRING_DESC_F_WRITE); /* skipped */
	assert_got(r, 77, 20);
	assert_none(r);

	assert_int_equal(add(r, 78), 0);
	assert_int_equal(r->desc[2].flags, A | VRING_DESC_F_NEXT);
	assert_int_equal(r->desc[0].flags, U | VRING_DESC_F_WRITE); /* the next lap */
	assert_int_equal(drv->notify_data(r->driver), 1u << 16 | 3);
	use(r, 0);
	assert_int_equal(r->desc[2].flags, A | U); /* nothing written, no WRITE */
	assert_int_equal(dev->get_position(r->device), 0x00010001);
	assert_got(r, 78, 0);

	assert_int_equal(add(r, 79), 0);
	assert_int_equal(r->desc[1].flags, U | VRING_DESC_F_NEXT);
	use(r, 1);
	assert_int_equal(r->desc[1].flags, VRING_DESC_F_WRITE);
	assert_got(r, 79, 1);
	assert_int_equal(dev->get_position(r->device), RING_PACKED_START);
	rig_free(r);
}

static void
indirect_tables(void **state)
{
	struct rig *r = rig_new(4, INDIRECT, 0);
	struct dp_buf sg[3] = { { BUF(0), 16 }, { BUF(1), 32 }, { BUF(2), 8 } };
	const struct vring_packed_desc *table = (struct vring_packed_desc *)(r->ram + TABLE(0));

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(drv->add(r->driver, sg, 2, 1, i, true, TABLE(i)), 0);
	assert_int_equal(drv->add(r->driver, sg, 2, 1, 9, true, TABLE(0)), -ENOSPC);
	assert_int_equal(r->desc[0].flags, A | VRING_DESC_F_INDIRECT);
	assert_int_equal(r->desc[0].len, 48);
	assert_int_equal(table[0].flags, 0); /* no NEXT here */
	assert_int_equal(table[2].flags, VRING_DESC_F_WRITE);
	for (uint32_t i = 0; i < 4; i++) {
		use(r, i);
		assert_int_equal(r->elem.out, 2);
		assert_int_equal(r->elem.in, 1);
		assert_int_equal(r->elem.ndescs, 1);
		assert_int_equal(r->elem.sg[2].addr, BUF(2));
		assert_got(r, i, i);
	}
	rig_free(r);
}

static void
unpop_gives_back(void **state)
{
	struct rig *r = rig_new(3, 0, 0);

	add(r, 5);
	use(r, 0);
	assert_got(r, 5, 0);
	add(r, 6);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	assert_int_equal(dev->get_position(r->device), 0x80020001);
	assert_int_equal(dev->pop(r->device, &r->elem), 0);
	dev->unpop(r->device, &r->elem);
	assert_int_equal(dev->get_position(r->device), 0x80028002);
	assert_false(dev->empty(r->device));
	assert_false(dev->enable_notify(r->device)); /* it is known */
	use(r, 1);
	assert_true(dev->empty(r->device));
	assert_got(r, 6, 1);
	rig_free(r);
}

/* A batch shows with its first descriptor's flags, which are written last. */
static void
fill_is_not_visible(void **state)
{
	struct rig *r = rig_new(8, 0, 0);
	struct dp_elem second;

	add(r, 1);
	add(r, 2);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	assert_int_equal(dev->pop(r->device, &second), 1);
	dev->fill(r->device, &second, 2, 0);
	dev->fill(r->device, &r->elem, 1, 1);
	assert_none(r);
	dev->flush(r->device, 2);
	assert_int_equal(r->desc[0].id, 1);
	assert_int_equal(r->desc[2].id, 0);
	assert_got(r, 2, 2);
	assert_got(r, 1, 1);
	rig_free(r);
}

static void
detach_unused(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct rig *r = rig_new(8, i ? IN_ORDER : 0, 0);
		uint64_t token, sum = 0;
		struct dp_state s;

		for (uint64_t n = 1; n <= 3; n++)
			add(r, n);
		use(r, 0);
		assert_got(r, 1, 0);
		for (int n = 0; n < 2; n++) {
			assert_int_equal(drv->detach_unused(r->driver, &token), 1);
			sum += token;
		}
		assert_int_equal(drv->detach_unused(r->driver, &token), 0);
		assert_int_equal(sum, 5);
		drv->state(r->driver, &s);
		assert_int_equal(s.num_free, 8);
		rig_free(r);
	}
}

/* --- notifications ----------------------------------------------------------------------- */

static void
suppression_by_flags(void **state)
{
	struct rig *r = rig_new(4, 0, 0);

	add(r, 1);
	assert_true(drv->kick_prepare(r->driver));
	dev->disable_notify(r->device);
	assert_int_equal(r->from_device->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	assert_false(drv->kick_prepare(r->driver));
	assert_true(dev->enable_notify(r->device)); /* it had not seen that one */
	assert_int_equal(r->from_device->flags, VRING_PACKED_EVENT_FLAG_ENABLE);

	use(r, 0);
	assert_false(dev->enable_notify(r->device));
	assert_true(dev->should_notify(r->device));
	drv->disable_cb(r->driver);
	assert_int_equal(r->from_driver->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	assert_false(dev->should_notify(r->device));
	assert_false(drv->enable_cb(r->driver)); /* one is used already */
	assert_int_equal(r->from_driver->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
	assert_got(r, 1, 0);
	assert_true(drv->enable_cb(r->driver));
	assert_int_equal(r->from_driver->off_wrap, 0); /* not without the feature */
	assert_int_equal(r->from_device->off_wrap, 0);
	rig_free(r);
}

/* Positions in both areas over the wrap: a ring of four, events at 0x8003 and at 1. */
static void
suppression_by_event(void **state)
{
	struct rig *r = rig_new(4, EVENT, 0);

	for (uint64_t i = 0; i < 3; i++) {
		add_small(r, i);
		use(r, 0);
		assert_got(r, i, 0);
	}
	assert_true(drv->kick_prepare(r->driver));
	drv->disable_cb(r->driver);
	assert_true(drv->enable_cb(r->driver));
	assert_int_equal(r->from_driver->flags, VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(r->from_driver->off_wrap, 0x8003);
	assert_false(dev->enable_notify(r->device));
	assert_int_equal(r->from_device->flags, VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(r->from_device->off_wrap, 0x8003);

	add_small(r, 3);
	add_small(r, 4);
	assert_true(drv->kick_prepare(r->driver)); /* [0x8003, 1) goes over the wrap */
	assert_false(drv->kick_prepare(r->driver));
	add_small(r, 5);
	assert_false(drv->kick_prepare(r->driver)); /* that event is past, a lap behind */

	dev->should_notify(r->device); /* now it knows what it signalled */
	use(r, 0);
	assert_int_equal(r->from_device->off_wrap, 0); /* pop() moves it along */
	assert_true(dev->should_notify(r->device));
	use(r, 0);
	assert_false(dev->should_notify(r->device)); /* still 0x8003 */
	assert_got(r, 3, 0);
	assert_int_equal(r->from_driver->off_wrap, 0);
	assert_got(r, 4, 0);
	assert_int_equal(r->from_driver->off_wrap, 1);
	use(r, 0);
	assert_true(dev->should_notify(r->device));
	rig_free(r);
}

/* Chains of two in a ring of eight: the event falls on a descriptor that the device never writes
 * (Linux 40ce7919d873). */
static void
delayed_enable(void **state)
{
	for (int quirk = 0; quirk < 2; quirk++) {
		struct rig *r = rig_new(8, EVENT, quirk ? DP_QUIRK_DRIVER_PACKED_DELAYED_SLOT : 0);

		add(r, 1);
		add(r, 2);
		drv->disable_cb(r->driver);
		assert_true(drv->enable_cb_delayed(r->driver));
		assert_int_equal(r->from_driver->off_wrap, 0x8003);
		dev->should_notify(r->device);
		drv->disable_cb(r->driver);
		use(r, 0);
		use(r, 0);
		assert_false(dev->should_notify(r->device));
		assert_int_equal(drv->enable_cb_delayed(r->driver), quirk);
		rig_free(r);
	}
}

/* QEMU 750539c4c4: a lap between two questions. */
static void
signalled_used_wraps(void **state)
{
	for (int quirk = 0; quirk < 2; quirk++) {
		struct rig *r =
			rig_new(4, EVENT, quirk ? DP_QUIRK_DEVICE_PACKED_SIGNALLED_WRAP : 0);

		drv->disable_cb(r->driver);
		drv->enable_cb(r->driver);
		add_small(r, 0);
		use(r, 0);
		dev->should_notify(r->device);
		assert_got(r, 0, 0);
		for (uint64_t i = 0; i < 4; i++)
			add_small(r, i);
		for (int i = 0; i < 4; i++)
			use(r, 0);
		assert_int_equal(dev->should_notify(r->device), !quirk);
		rig_free(r);
	}
}

/* --- IN_ORDER, hand-over ----------------------------------------------------------------- */

/* Ended in any order, one used descriptor for all that were used completely. */
static void
in_order_batches(void **state)
{
	struct rig *r = rig_new(8, IN_ORDER, 0);
	struct dp_elem e[3];
	struct dp_state s;

	for (uint64_t i = 0; i < 3; i++)
		add(r, i);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dev->pop(r->device, &e[i]), 1);
	dev->fill(r->device, &e[1], 32, 0);
	dev->flush(r->device, 1);
	assert_none(r);
	dev->fill(r->device, &e[2], 7, 0);
	dev->fill(r->device, &e[0], 32, 0);
	dev->flush(r->device, 1);
	assert_int_equal(r->desc[0].id, 2);
	assert_int_equal(r->desc[0].len, 7);
	assert_int_equal(r->desc[2].flags & (A | U), A); /* skipped */
	assert_int_equal(dev->get_position(r->device), 0x80068006);

	unsigned position = drv->enable_cb_prepare(r->driver);

	assert_got(r, 0, 32);
	assert_false(drv->enable_cb(r->driver)); /* within the batch */
	assert_true(drv->poll(r->driver, position));
	assert_got(r, 1, 32);
	assert_got(r, 2, 7);
	assert_none(r);
	drv->state(r->driver, &s);
	assert_int_equal(s.num_free, 8);
	rig_free(r);
}

static void
hand_over(void **state)
{
	struct rig *r = rig_new(3, EVENT, 0);
	struct dp_device *other;

	assert_int_equal(dev->init(&other, &r->vring, &r->host), 0);
	assert_int_equal(dev->get_position(other), RING_PACKED_START);
	for (uint64_t i = 0; i < 5; i++) {
		add(r, i);
		dev->set_position(other, dev->get_position(r->device));

		struct dp_device *first = r->device;

		r->device = other;
		other = first;
		use(r, 0);
		assert_got(r, i, 0);
	}
	dev->set_position(other, 3); /* there are offsets 0, 1 and 2 */
	assert_string_equal(r->error, "position is not in the ring");
	assert_int_equal(dev->pop(other, &r->elem), -EINVAL);
	dev->destroy(other);
	rig_free(r);
}

/* --- rubbish ----------------------------------------------------------------------------- */

static void
assert_refused(struct rig *r, const char *what)
{
	assert_int_equal(dev->pop(r->device, &r->elem), -EINVAL);
	assert_string_equal(r->error, what);
	r->error = NULL;
	assert_int_equal(dev->pop(r->device, &r->elem), -EINVAL); /* said once */
	assert_null(r->error);
	rig_free(r);
}

static void
hostile_driver(void **state)
{
	static const struct {
		struct vring_packed_desc desc[2];
		const char *what;
	} bad[] = {
		{ { { BUF(0), 0, 0, A } }, "descriptor of zero length" },
		{ { { RAM_BYTES - 4, 8, 0, A } }, "buffer is not in guest memory" },
		{ { { BUF(0), 8, 0, A | 3 }, { BUF(0), 8, 0, 1 } },
		  "readable descriptor after a writable one" },
		{ { { BUF(0), 8, 0, A | 1 }, { BUF(0), 8, 0, 1 } },
		  "chain is longer than the queue" },
		{ { { TABLE(0), 17, 0, A | 4 } }, "indirect table's length is no multiple of 16" },
		{ { { TABLE(0) + 4, 16, 0, A | 4 } }, "indirect table is not aligned" },
		{ { { RAM_BYTES, 16, 0, A | 4 } }, "indirect table is not in guest memory" },
		{ { { TABLE(0), 16, 0, A | 5 } }, "indirect descriptor in a chain" },
		{ { { BUF(0), 8, 0, A | 1 }, { TABLE(0), 16, 0, 4 } },
		  "indirect descriptor in a chain" },
		{ { { TABLE(0), 48, 0, A | 4 } }, "chain is longer than the queue" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rig *r = rig_new(2, INDIRECT, 0);
		struct vring_packed_desc *table = (struct vring_packed_desc *)(r->ram + TABLE(0));

		for (int n = 0; n < 3; n++)
			table[n] = (struct vring_packed_desc){ BUF(0), 8, 0, 0 };
		memcpy(r->desc, bad[i].desc, sizeof(bad[i].desc));
		assert_refused(r, bad[i].what);
	}

	struct rig *r = rig_new(2, 0, 0);

	r->desc[0] = (struct vring_packed_desc){ TABLE(0), 16, 0, A | VRING_DESC_F_INDIRECT };
	assert_refused(r, "indirect descriptor without VIRTIO_RING_F_INDIRECT_DESC");

	/* Available again before it was used. */
	r = rig_new(1, 0, 0);
	add_small(r, 1);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	r->desc[0].flags = U;
	assert_refused(r, "more descriptors available than the queue has");
}

static void
hostile_device(void **state)
{
	static const struct {
		struct vring_packed_desc used;
		const char *what;
	} bad[] = {
		{ { 0, 8, 4, A | U }, "used id is out of range" },
		{ { 0, 8, 2, A | U }, "used id is not that of an outstanding buffer" },
		{ { 0, 33, 0, A | U }, "used len is larger than the writable buffers" },
	};

	for (int order = 0; order < 2; order++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct rig *r = rig_new(4, order ? IN_ORDER : 0, 0);
			uint64_t token;
			uint32_t len;

			add(r, 1);
			r->desc[0] = bad[i].used;
			assert_int_equal(drv->get(r->driver, &token, &len), -EINVAL);
			assert_string_equal(r->error, bad[i].what);
			assert_int_equal(drv->get(r->driver, &token, &len), -EINVAL);
			assert_false(drv->kick_prepare(r->driver));
			assert_int_equal(add(r, 2), -EIO);
			rig_free(r);
		}
}

static void
bad_set_up(void **state)
{
	struct rig *r = rig_new(4, 0, 0);
	struct dp_driver *driver;
	struct dp_device *device;
	static const struct {
		uint16_t size;
		uint64_t desc, driver, device;
	} bad[] = {
		{ 0, 0, 64, 68 },    { DP_SG_MAX + 1, 0, 64, 68 },
		{ 4, 8, 128, 132 },  { 4, 0, 66, 72 },
		{ 4, 0, 64, 70 },    { 4, RAM_BYTES - 16, 64, 68 },
		{ 4, -16u, 64, 68 }, { 4, 0, RAM_BYTES, 68 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct dp_vring v = r->vring;

		v.size = bad[i].size;
		v.desc = bad[i].desc;
		v.driver = bad[i].driver;
		v.device = bad[i].device;
		assert_int_equal(drv->init(&driver, &v, &r->host), -EINVAL);
		assert_int_equal(dev->init(&device, &v, &r->host), -EINVAL);
	}

	struct dp_vring v = r->vring;

	v.start_idx = 1;
	assert_int_equal(drv->init(&driver, &v, &r->host), -ENOTSUP);
	assert_int_equal(dev->init(&device, &v, &r->host), -ENOTSUP);
	v.start_idx = 0;
	v.features = 0;
	assert_int_equal(drv->init(&driver, &v, &r->host), -ENOTSUP);
	assert_int_equal(dev->init(&device, &v, &r->host), -ENOTSUP);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_in_memory),
		cmocka_unit_test(indirect_tables),
		cmocka_unit_test(unpop_gives_back),
		cmocka_unit_test(fill_is_not_visible),
		cmocka_unit_test(detach_unused),
		cmocka_unit_test(suppression_by_flags),
		cmocka_unit_test(suppression_by_event),
		cmocka_unit_test(delayed_enable),
		cmocka_unit_test(signalled_used_wraps),
		cmocka_unit_test(in_order_batches),
		cmocka_unit_test(hand_over),
		cmocka_unit_test(hostile_driver),
		cmocka_unit_test(hostile_device),
		cmocka_unit_test(bad_set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
