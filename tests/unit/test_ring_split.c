/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split ring, operation by operation: bytes in memory, suppression, IN_ORDER, hand-over, each
 * quirk, and what either side does with rubbish from the other.  Rubbish is written into the rings
 * by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/ring_split.h"
#include "virtio/ring_split_layout.h"

#define RAM_BYTES 16384u
#define BUF(n) (8192u + 64u * (n))
#define TABLE(n) (12288u + 256u * (n))

static const struct dp_driver_ops *const drv = &ring_split_driver_ops;
static const struct dp_device_ops *const dev = &ring_split_device_ops;

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
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
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

static uint16_t *
used_event(struct rig *r)
{
	return &r->avail->ring[r->vring.size];
}

static uint16_t *
avail_event(struct rig *r)
{
	return (uint16_t *)&r->used->ring[r->vring.size];
}

/* Both sides of a queue of @size. */
static struct rig *
rig_new(uint16_t size, uint64_t features, uint64_t quirks, uint16_t start_idx)
{
	struct rig *r = aligned_alloc(4096, (sizeof(*r) + 4095) / 4096 * 4096);
	struct ring_split_layout layout;

	memset(r, 0, sizeof(*r));
	r->host = (struct dp_host){ r, map, take, give, broke };
	r->vring = (struct dp_vring){ .index = 3,
				      .features = features | VIRTIO_BIT(VIRTIO_F_VERSION_1),
				      .quirks = quirks,
				      .start_idx = start_idx };
	ring_split_layout_init(&layout, size, 4);
	ring_split_layout_place(&layout, 0, &r->vring);
	r->desc = (struct vring_desc *)(r->ram + r->vring.desc);
	r->avail = (struct vring_avail *)(r->ram + r->vring.driver);
	r->used = (struct vring_used *)(r->ram + r->vring.device);
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

/* --- bytes ---------------------------------------------------------------------------------- */

static void
bytes_in_memory(void **state)
{
	struct rig *r = rig_new(4, 0, 0, 0);

	assert_int_equal(add(r, 77), 0);
	assert_int_equal(r->desc[0].addr, BUF(0));
	assert_int_equal(r->desc[0].len, 16);
	assert_int_equal(r->desc[0].flags, VRING_DESC_F_NEXT);
	assert_int_equal(r->desc[0].next, 1);
	assert_int_equal(r->desc[1].addr, BUF(1));
	assert_int_equal(r->desc[1].len, 32);
	assert_int_equal(r->desc[1].flags, VRING_DESC_F_WRITE);
	assert_int_equal(r->avail->ring[0], 0);
	assert_int_equal(r->avail->idx, 1);
	assert_int_equal(r->avail->flags, 0);
	assert_int_equal(drv->notify_data(r->driver), 1 << 16 | 3);

	use(r, 20);
	assert_int_equal(r->elem.out, 1);
	assert_int_equal(r->elem.in, 1);
	assert_int_equal(r->elem.out_bytes, 16);
	assert_int_equal(r->elem.in_bytes, 32);
	assert_int_equal(r->elem.ndescs, 2);
	assert_int_equal(r->elem.sg[1].addr, BUF(1));
	assert_int_equal(r->used->ring[0].id, 0);
	assert_int_equal(r->used->ring[0].len, 20);
	assert_int_equal(r->used->idx, 1);
	assert_got(r, 77, 20);
	assert_none(r);
	rig_free(r);
}

static void
full_and_reused(void **state)
{
	struct rig *r = rig_new(4, 0, 0, 0);
	struct dp_state s;

	for (int round = 0; round < 50; round++) {
		assert_int_equal(add(r, 1), 0);
		assert_int_equal(add(r, 2), 0);
		assert_int_equal(add(r, 3), -ENOSPC);
		use(r, 0);
		use(r, 32);
		assert_int_equal(dev->pop(r->device, &r->elem), 0);
		assert_got(r, 1, 0);
		assert_got(r, 2, 32);
		drv->state(r->driver, &s);
		assert_int_equal(s.num_free, 4);
		assert_int_equal(s.inuse, 0);
	}
	rig_free(r);
}

static void
indirect_tables(void **state)
{
	struct rig *r = rig_new(4, INDIRECT | IN_ORDER, 0, 0);
	struct dp_buf sg[3] = { { BUF(0), 16 }, { BUF(1), 32 }, { BUF(2), 8 } };
	const struct vring_desc *table = (struct vring_desc *)(r->ram + TABLE(0));

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(drv->add(r->driver, sg, 2, 1, i, true, TABLE(i)), 0);
	assert_int_equal(drv->add(r->driver, sg, 2, 1, 9, true, TABLE(0)), -ENOSPC);
	assert_int_equal(r->desc[0].flags, VRING_DESC_F_INDIRECT);
	assert_int_equal(r->desc[0].len, 48);
	assert_int_equal(table[0].next, 1);
	assert_int_equal(table[1].next, 2);
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

/* 2.7.5.3.2: direct descriptors, then one that refers to a table, its WRITE flag meaning
 * nothing. */
static void
direct_then_indirect(void **state)
{
	struct rig *r = rig_new(4, INDIRECT, 0, 0);
	struct vring_desc *table = (struct vring_desc *)(r->ram + TABLE(0));

	r->desc[2] = (struct vring_desc){ BUF(0), 8, VRING_DESC_F_NEXT, 1 };
	r->desc[1] =
		(struct vring_desc){ TABLE(0), 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0 };
	table[0] = (struct vring_desc){ BUF(1), 16, VRING_DESC_F_NEXT, 1 };
	table[1] = (struct vring_desc){ BUF(2), 32, VRING_DESC_F_WRITE, 0 };
	r->avail->ring[0] = 2;
	r->avail->idx = 1;
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	assert_int_equal(r->elem.head, 2);
	assert_int_equal(r->elem.ndescs, 2);
	assert_int_equal(r->elem.out, 2);
	assert_int_equal(r->elem.in, 1);
	assert_int_equal(r->elem.out_bytes, 24);
	assert_int_equal(r->elem.sg[1].addr, BUF(1));
	rig_free(r);
}

static void
unpop_gives_back(void **state)
{
	struct rig *r = rig_new(4, 0, 0, 0);

	add(r, 5);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	assert_int_equal(dev->pop(r->device, &r->elem), 0);
	dev->unpop(r->device, &r->elem);
	assert_false(dev->empty(r->device));
	assert_int_equal(dev->get_position(r->device), 0);
	use(r, 1);
	assert_true(dev->empty(r->device));
	assert_got(r, 5, 1);
	rig_free(r);
}

static void
fill_is_not_visible(void **state)
{
	struct rig *r = rig_new(4, 0, 0, 0);
	struct dp_elem second;

	add(r, 1);
	add(r, 2);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	assert_int_equal(dev->pop(r->device, &second), 1);
	dev->fill(r->device, &second, 2, 0);
	dev->fill(r->device, &r->elem, 1, 1);
	assert_none(r);
	dev->flush(r->device, 2);
	assert_got(r, 2, 2);
	assert_got(r, 1, 1);
	rig_free(r);
}

static void
detach_unused(void **state)
{
	struct rig *r = rig_new(8, 0, 0, 0);
	uint64_t token, sum = 0;

	for (uint64_t i = 1; i <= 3; i++)
		add(r, i);
	use(r, 0);
	assert_got(r, 1, 0);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(drv->detach_unused(r->driver, &token), 1);
		sum += token;
	}
	assert_int_equal(drv->detach_unused(r->driver, &token), 0);
	assert_int_equal(sum, 5);
	rig_free(r);
}

/* --- notifications -------------------------------------------------------------------------- */

static void
suppression_by_flags(void **state)
{
	struct rig *r = rig_new(4, 0, 0, 0);

	*used_event(r) = *avail_event(r) = 0x5a5a;
	add(r, 1);
	assert_true(drv->kick_prepare(r->driver));
	dev->disable_notify(r->device);
	assert_int_equal(r->used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(drv->kick_prepare(r->driver));
	assert_true(dev->enable_notify(r->device)); /* it had not seen that one */
	assert_int_equal(r->used->flags, 0);
	assert_false(dev->enable_notify(r->device));

	use(r, 0);
	assert_true(dev->should_notify(r->device));
	drv->disable_cb(r->driver);
	assert_int_equal(r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	assert_false(dev->should_notify(r->device));
	assert_false(drv->enable_cb(r->driver)); /* one is used already */
	assert_int_equal(r->avail->flags, 0);
	assert_got(r, 1, 0);
	assert_true(drv->enable_cb(r->driver));
	assert_int_equal(*used_event(r), 0x5a5a); /* not ours without the feature */
	assert_int_equal(*avail_event(r), 0x5a5a);
	rig_free(r);
}

/* The index events in batches, over the wrap of the index. */
static void
suppression_by_event(void **state)
{
	struct rig *r = rig_new(8, EVENT, 0, 65533);

	assert_int_equal(*avail_event(r), 65533);
	for (uint64_t i = 0; i < 5; i++)
		add_small(r, i);
	assert_true(drv->kick_prepare(r->driver)); /* [65533, 2) crosses 65533 */
	assert_false(drv->kick_prepare(r->driver));
	dev->disable_notify(r->device);
	assert_int_equal(r->used->flags, 0);
	for (int i = 0; i < 5; i++) {
		use(r, 0);
		assert_int_equal(dev->should_notify(r->device), i == 0);
	}
	assert_int_equal(*avail_event(r), 65533); /* disabled: does not move */
	assert_false(dev->enable_notify(r->device));
	assert_int_equal(*avail_event(r), 2);
	add_small(r, 5);
	assert_true(drv->kick_prepare(r->driver));
	add_small(r, 6);
	assert_false(drv->kick_prepare(r->driver));

	for (uint64_t i = 0; i < 5; i++)
		assert_got(r, i, 0);
	assert_int_equal(*used_event(r), 2);
	use(r, 0);
	assert_true(dev->should_notify(r->device));
	assert_int_equal(r->avail->flags, 0);
	rig_free(r);
}

static void
delayed_enable(void **state)
{
	struct rig *r = rig_new(16, EVENT, 0, 65530);

	for (uint64_t i = 0; i < 8; i++)
		add_small(r, i);
	drv->disable_cb(r->driver);
	assert_true(drv->enable_cb_delayed(r->driver));
	assert_int_equal(*used_event(r), (uint16_t)(65530 + 6));
	assert_true((use(r, 0),
		     dev->should_notify(r->device))); /* nobody knows what it signalled before */
	for (int i = 1; i < 6; i++) {
		use(r, 0);
		assert_false(dev->should_notify(r->device));
	}
	assert_true(drv->enable_cb_delayed(r->driver)); /* six used are not more than six */
	use(r, 0);
	assert_true(dev->should_notify(r->device));
	assert_false(drv->enable_cb_delayed(r->driver)); /* seven are */
	rig_free(r);
}

/* enable_notify() says "changed since", not "not empty". */
static void
enable_says_changed(void **state)
{
	struct rig *r = rig_new(8, EVENT, 0, 0);

	add(r, 1);
	assert_false(dev->empty(r->device)); /* seen, and left */
	dev->disable_notify(r->device);
	assert_false(dev->enable_notify(r->device));
	assert_int_equal(*avail_event(r), 1);
	add(r, 2);
	assert_true(dev->enable_notify(r->device));
	assert_false(dev->enable_notify(r->device));
	assert_int_equal(*avail_event(r), 2);
	rig_free(r);
}

/* A device that never turns notifications off: pop() moves avail_event. */
static void
pop_moves_avail_event(void **state)
{
	struct rig *r = rig_new(4, EVENT, 0, 0);

	for (uint64_t i = 0; i < 9; i++) {
		add_small(r, i);
		assert_true(drv->kick_prepare(r->driver));
		use(r, 0);
		assert_int_equal(dev->pop(r->device, &r->elem), 0);
		assert_got(r, i, 0);
	}
	rig_free(r);
}

static void
notify_on_empty(void **state)
{
	struct rig *r = rig_new(4, VIRTIO_BIT(VIRTIO_F_NOTIFY_ON_EMPTY), 0, 0);

	drv->disable_cb(r->driver);
	add_small(r, 1);
	add_small(r, 2);
	use(r, 0);
	assert_false(dev->should_notify(r->device));
	use(r, 0);
	assert_true(dev->should_notify(r->device));
	rig_free(r);
}

/* 2^15 uses that nobody asked about: signalled_used is not believed any more. */
static void
signalled_used_grows_old(void **state)
{
	struct rig *r = rig_new(4, EVENT, 0, 0);
	struct dp_state s;

	add_small(r, 0);
	use(r, 0);
	dev->should_notify(r->device);
	assert_got(r, 0, 0);
	for (int i = 0; i < 40000; i++) {
		add_small(r, 1);
		use(r, 0);
		assert_got(r, 1, 0);
	}
	dev->state(r->device, &s);
	assert_false(s.signalled_used_valid);
	assert_true(dev->should_notify(r->device));
	rig_free(r);
}

/* --- IN_ORDER ------------------------------------------------------------------------------- */

static void
in_order_batch(void **state)
{
	struct rig *r = rig_new(8, IN_ORDER, 0, 0);
	struct dp_elem e[3];

	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(add(r, i), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dev->pop(r->device, &e[i]), 1);
	assert_int_equal(e[2].head, 4); /* descriptors go round in ring order */
	memset(r->used->ring, 0xee, 8 * sizeof(struct vring_used_elem));

	/* The last one first: nothing can be published. */
	dev->fill(r->device, &e[2], 7, 0);
	dev->flush(r->device, 1);
	assert_int_equal(r->used->idx, 0);
	dev->fill(r->device, &e[1], 32, 0);
	dev->fill(r->device, &e[0], 32, 0);
	dev->flush(r->device, 2);
	assert_int_equal(r->used->idx, 3);
	assert_int_equal(r->used->ring[0].id, 4);
	assert_int_equal(r->used->ring[0].len, 7);
	assert_int_equal(r->used->ring[1].id, 0xeeeeeeee);
	assert_got(r, 0, 32);
	assert_got(r, 1, 32);
	assert_got(r, 2, 7);
	assert_none(r);

	/* One that was not used completely cannot be skipped. */
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(add(r, i), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dev->pop(r->device, &e[i]), 1);
		dev->fill(r->device, &e[i], i == 1 ? 5 : 32, (unsigned)i);
	}
	dev->flush(r->device, 3);
	assert_int_equal(r->used->ring[3].id, e[1].head);
	assert_int_equal(r->used->ring[5].id, e[2].head);
	assert_got(r, 0, 32);
	assert_got(r, 1, 5);
	assert_got(r, 2, 32);
	rig_free(r);
}

/* --- hand-over and quirks ------------------------------------------------------------------- */

/* The device's owner changes twice; the second one is a stranger who moved used idx far. */
static bool
interrupted_after_handover(uint64_t quirks)
{
	struct rig *r = rig_new(8, EVENT, quirks, 0);
	struct dp_device *other;
	bool interrupted;

	assert_int_equal(dev->init(&other, &r->vring, &r->host), 0);
	add_small(r, 0);
	use(r, 0);
	assert_true(dev->should_notify(r->device)); /* signalled_used is 1 now */
	assert_got(r, 0, 0);
	dev->set_position(other, dev->get_position(r->device));
	for (int i = 0; i < 4; i++) {
		add_small(r, 1);
		assert_int_equal(dev->pop(other, &r->elem), 1);
		dev->fill(other, &r->elem, 0, 0);
		dev->flush(other, 1);
		dev->should_notify(other);
		assert_got(r, 1, 0);
	}
	/* Rather more, as a busy dataplane would: 2^16 - 4 of them bring used idx back to 1. */
	r->used->idx = r->avail->idx = 1;
	*used_event(r) = 0;
	dev->set_position(r->device, 1);
	interrupted = dev->should_notify(r->device);
	dev->destroy(other);
	rig_free(r);
	return interrupted;
}

static void
handover(void **state)
{
	assert_true(interrupted_after_handover(0));
	assert_false(interrupted_after_handover(DP_QUIRK_DEVICE_SIGNALLED_VALID));
}

static void
position_with_inflight(void **state)
{
	struct rig *r = rig_new(8, EVENT | IN_ORDER, 0, 0);
	struct dp_device *next;
	struct dp_state s;

	for (uint64_t i = 0; i < 3; i++)
		add_small(r, i);
	use(r, 64);
	assert_int_equal(dev->init(&next, &r->vring, &r->host), 0);
	dev->set_position(next, 1);
	dev->state(next, &s);
	assert_int_equal(s.last_avail_idx, 1);
	assert_int_equal(s.last_used_idx, 1);
	assert_int_equal(dev->pop(next, &r->elem), 1);
	assert_int_equal(r->elem.head, 1);
	dev->fill(next, &r->elem, 3, 0);
	dev->flush(next, 1);
	assert_got(r, 0, 64);
	assert_got(r, 1, 3);
	dev->destroy(next);
	rig_free(r);
}

static bool
kicks_over_wrap(uint64_t quirks)
{
	struct rig *r = rig_new(8, EVENT, quirks, 65534);
	bool kicked;

	for (uint64_t i = 0; i < 4; i++)
		add_small(r, i);
	kicked = drv->kick_prepare(r->driver); /* [65534, 2) crosses 65534 */
	rig_free(r);
	return kicked;
}

static void
quirk_kick_no_wrap(void **state)
{
	assert_true(kicks_over_wrap(0));
	assert_false(kicks_over_wrap(DP_QUIRK_DRIVER_KICK_NO_WRAP));
}

static void
quirks_of_driver(void **state)
{
	struct rig *r = rig_new(8, EVENT, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0);

	add_small(r, 1);
	drv->disable_cb(r->driver);
	use(r, 0);
	assert_true(drv->enable_cb(r->driver)); /* although there is one */
	rig_free(r);

	r = rig_new(8, EVENT, DP_QUIRK_DRIVER_STALE_USED_EVENT, 0);
	add_small(r, 1);
	add_small(r, 2);
	use(r, 0);
	assert_true(dev->should_notify(r->device));
	assert_got(r, 1, 0);
	assert_none(r);
	use(r, 0);
	assert_false(dev->should_notify(r->device)); /* 9p waits for ever */
	rig_free(r);
}

static void
quirks_of_enable_notify(void **state)
{
	struct rig *r = rig_new(8, EVENT, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, 0);

	dev->disable_notify(r->device);
	add_small(r, 1);
	assert_false(dev->enable_notify(r->device));
	rig_free(r);

	r = rig_new(8, EVENT, DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY, 0);
	add_small(r, 1);
	assert_false(dev->empty(r->device));
	assert_true(dev->enable_notify(r->device));
	assert_true(dev->enable_notify(r->device)); /* and so on */
	rig_free(r);

	r = rig_new(8, EVENT, DP_QUIRK_DEVICE_NO_AVAIL_EVENT, 0);
	dev->disable_notify(r->device);
	assert_int_equal(r->used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(dev->enable_notify(r->device));
	assert_int_equal(r->used->flags, 0);
	add_small(r, 1);
	assert_true(drv->kick_prepare(r->driver)); /* 0 is crossed once */
	use(r, 0);
	assert_false(dev->enable_notify(r->device));
	add_small(r, 2);
	assert_false(drv->kick_prepare(r->driver));
	rig_free(r);
}

/* avail_event is a sample behind which the driver has gone on; where what came does not suffice,
 * the device sleeps and leaves it there. */
static void
quirk_stale_avail_event(void **state)
{
	for (int on = 0; on < 2; on++) {
		struct rig *r = rig_new(8, EVENT, on ? DP_QUIRK_DEVICE_STALE_AVAIL_EVENT : 0, 0);

		add_small(r, 1);
		assert_false(dev->empty(r->device)); /* one does not suffice */
		add_small(r, 2);
		assert_true(dev->enable_notify(r->device));
		assert_int_equal(dev->pop(r->device, &r->elem), 1);
		dev->unpop(r->device, &r->elem); /* nor do two */
		add_small(r, 3);
		assert_int_equal(dev->enable_notify(r->device), !on);
		assert_int_equal(*avail_event(r), 2);
		assert_int_equal(dev->enable_notify(r->device), on); /* once kicked */
		rig_free(r);
	}
}

static void
quirk_event_oob(void **state)
{
	for (int on = 0; on < 2; on++) {
		struct rig *r = rig_new(4, 0, on ? DP_QUIRK_DEVICE_EVENT_OOB : 0, 0);

		*avail_event(r) = 0xbeef; /* SeaBIOS keeps something there */
		add_small(r, 1);
		use(r, 0);
		dev->enable_notify(r->device);
		assert_int_equal(*avail_event(r), on ? 1 : 0xbeef);
		rig_free(r);
	}
}

/* The copy lies ahead; the driver moves used_event back and is not heard. */
static void
quirk_cached_used_event(void **state)
{
	for (int on = 0; on < 2; on++) {
		struct rig *r = rig_new(8, EVENT, on ? DP_QUIRK_DEVICE_CACHED_USED_EVENT : 0, 0);

		for (uint64_t i = 0; i < 6; i++)
			add_small(r, i);
		*used_event(r) = 5;
		use(r, 0);
		assert_true(dev->should_notify(r->device));
		use(r, 0);
		assert_false(dev->should_notify(r->device));
		*used_event(r) = 2;
		use(r, 0);
		assert_int_equal(dev->should_notify(r->device), !on);
		rig_free(r);
	}
}

static void
quirk_idx_before_elem(void **state)
{
	for (int on = 0; on < 2; on++) {
		struct rig *r = rig_new(4, 0, on ? DP_QUIRK_DEVICE_IDX_BEFORE_ELEM : 0, 0);

		add_small(r, 1);
		assert_int_equal(dev->pop(r->device, &r->elem), 1);
		dev->fill(r->device, &r->elem, 0, 0);
		assert_int_equal(r->used->idx, on);
		dev->flush(r->device, 1);
		assert_got(r, 1, 0);
		rig_free(r);
	}
}

/* --- rubbish from the driver ---------------------------------------------------------------- */

#define D(...) ((struct vring_desc){ __VA_ARGS__ })
#define F_N VRING_DESC_F_NEXT
#define F_W VRING_DESC_F_WRITE
#define F_I VRING_DESC_F_INDIRECT

static const struct {
	const char *error;
	struct vring_desc desc[3], table[3];
	uint16_t head, idx;
	bool no_indirect;
} bad_chains[] = {
	{ "available head is out of range", .head = 4, .idx = 1 },
	{ "avail idx moved by more than the queue size", .idx = 5 },
	{ "avail idx moved by more than the queue size", .idx = 65535 },
	{ "chain is longer than the queue", { D(64, 8, F_N, 0) }, .idx = 1 },
	{ "chain is longer than the queue", { D(64, 8, F_N, 1), D(64, 8, F_N, 0) }, .idx = 1 },
	{ "next is out of range", { D(64, 8, F_N, 4) }, .idx = 1 },
	{ "next is out of range", { D(64, 8, F_N, 65535) }, .idx = 1 },
	{ "descriptor of zero length", { D(64, 0, 0, 0) }, .idx = 1 },
	{ "buffer is not in guest memory", { D(RAM_BYTES, 1, 0, 0) }, .idx = 1 },
	{ "buffer is not in guest memory", { D(RAM_BYTES - 1, 2, F_W, 0) }, .idx = 1 },
	{ "buffer is not in guest memory", { D(UINT64_MAX, 2, 0, 0) }, .idx = 1 },
	{ "buffer is not in guest memory", { D(64, UINT32_MAX, 0, 0) }, .idx = 1 },
	{ "readable descriptor after a writable one",
	  { D(64, 8, F_N | F_W, 1), D(64, 8, 0, 0) },
	  .idx = 1 },
	{ "indirect descriptor with NEXT", { D(TABLE(0), 32, F_I | F_N, 1) }, .idx = 1 },
	{ "indirect table's length is no multiple of 16", { D(TABLE(0), 0, F_I, 0) }, .idx = 1 },
	{ "indirect table's length is no multiple of 16", { D(TABLE(0), 24, F_I, 0) }, .idx = 1 },
	{ "indirect table is not aligned", { D(TABLE(0) + 4, 16, F_I, 0) }, .idx = 1 },
	{ "indirect table is not in guest memory", { D(RAM_BYTES, 16, F_I, 0) }, .idx = 1 },
	{ "indirect table is not in guest memory",
	  { D(TABLE(0), UINT32_MAX - 15, F_I, 0) },
	  .idx = 1 },
	{ "indirect descriptor in an indirect table",
	  { D(TABLE(0), 32, F_I, 0) },
	  { D(TABLE(0), 32, F_I, 0) },
	  .idx = 1 },
	{ "next is out of range", { D(TABLE(0), 32, F_I, 0) }, { D(64, 8, F_N, 2) }, .idx = 1 },
	{ "chain is longer than the queue",
	  { D(TABLE(0), 16, F_I, 0) },
	  { D(64, 8, F_N, 0) },
	  .idx = 1 },
	{ "readable descriptor after a writable one",
	  { D(64, 8, F_W | F_N, 1), D(TABLE(0), 16, F_I, 0) },
	  { D(64, 8, 0, 0) },
	  .idx = 1 },
	{ "indirect descriptor without VIRTIO_RING_F_INDIRECT_DESC",
	  { D(TABLE(0), 16, F_I, 0) },
	  { D(64, 8, 0, 0) },
	  .idx = 1,
	  .no_indirect = true },
};

static void
driver_breaks_chain(void **state)
{
	for (size_t i = 0; i < sizeof(bad_chains) / sizeof(bad_chains[0]); i++) {
		struct rig *r = rig_new(4, bad_chains[i].no_indirect ? 0 : INDIRECT, 0, 0);
		struct dp_state s;

		memcpy(r->desc, bad_chains[i].desc, sizeof(bad_chains[i].desc));
		memcpy(r->ram + TABLE(0), bad_chains[i].table, sizeof(bad_chains[i].table));
		r->avail->ring[0] = bad_chains[i].head;
		r->avail->idx = bad_chains[i].idx;
		assert_int_equal(dev->pop(r->device, &r->elem), -EINVAL);
		assert_string_equal(r->error, bad_chains[i].error);
		dev->state(r->device, &s);
		assert_true(s.broken);
		r->error = NULL;
		assert_int_equal(dev->pop(r->device, &r->elem), -EINVAL); /* said once */
		assert_null(r->error);
		assert_true(dev->empty(r->device));
		assert_false(dev->enable_notify(r->device));
		assert_false(dev->should_notify(r->device));
		rig_free(r);
	}
}

/* 2^32 bytes in one chain need as much memory: a map() that says yes to all. */
static void *
map_all(void *ctx, uint64_t gpa, uint64_t len)
{
	struct rig *r = ctx;

	return r->ram + gpa % RAM_BYTES;
}

static void
chain_of_too_many_bytes(void **state)
{
	struct rig *r = rig_new(4, 0, 0, 0);

	r->host.map = map_all;
	dev->destroy(r->device);
	assert_int_equal(dev->init(&r->device, &r->vring, &r->host), 0);
	r->desc[0] = D(0, UINT32_MAX, F_N | F_W, 1);
	r->desc[1] = D(0, 1, F_W, 0);
	r->avail->idx = 1;
	assert_int_equal(dev->pop(r->device, &r->elem), -EINVAL);
	assert_string_equal(r->error, "chain is longer than 2^32 bytes");
	rig_free(r);
}

static void
driver_reuses_before_used(void **state)
{
	struct rig *r = rig_new(2, 0, 0, 0);

	add_small(r, 1);
	add_small(r, 2);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	assert_int_equal(dev->pop(r->device, &r->elem), 1);
	r->avail->idx = 3;
	assert_int_equal(dev->pop(r->device, &r->elem), -EINVAL);
	assert_string_equal(r->error, "more chains available than the queue has descriptors");
	rig_free(r);
}

/* --- rubbish from the device ---------------------------------------------------------------- */

static void
assert_device_broke(struct rig *r, const char *error)
{
	struct dp_buf sg = { BUF(0), 8 };
	uint64_t token;
	uint32_t len;

	assert_int_equal(drv->get(r->driver, &token, &len), -EINVAL);
	assert_string_equal(r->error, error);
	r->error = NULL;
	assert_int_equal(drv->get(r->driver, &token, &len), -EINVAL);
	assert_null(r->error);
	assert_int_equal(drv->add(r->driver, &sg, 1, 0, 1, false, 0), -EIO);
	assert_false(drv->kick_prepare(r->driver));
	assert_false(drv->poll(r->driver, 7));
	rig_free(r);
}

/* A queue on which two chains of two descriptors are out: heads 0 and 2, 32 writable bytes each. */
static struct rig *
rig_with_used(uint64_t features, uint32_t id, uint32_t len, uint16_t idx)
{
	struct rig *r = rig_new(8, features, 0, 0);

	add(r, 1);
	add(r, 2);
	r->used->ring[0] = (struct vring_used_elem){ id, len };
	r->used->idx = idx;
	return r;
}

static void
device_breaks_used(void **state)
{
	const uint64_t features[] = { 0, IN_ORDER };

	for (int i = 0; i < 2; i++) {
		uint64_t f = features[i];

		assert_device_broke(rig_with_used(f, 8, 0, 1), "used id is out of range");
		assert_device_broke(rig_with_used(f, 0x10000, 0, 1), "used id is out of range");
		assert_device_broke(rig_with_used(f, 1, 0, 1),
				    "used id is not the head of an outstanding chain");
		assert_device_broke(rig_with_used(f, 0, 33, 1),
				    "used len is larger than the writable buffers");
		assert_device_broke(rig_with_used(f, 0, 32, 3),
				    "used idx is ahead of what was made available");
		assert_device_broke(rig_with_used(f, 0, 32, 65535),
				    "used idx is ahead of what was made available");
	}
	assert_device_broke(rig_with_used(IN_ORDER, 2, 32, 1), "used id lies beyond used idx");

	struct rig *r = rig_with_used(0, 2, 32, 2);

	assert_got(r, 2, 32);
	r->used->ring[1] = r->used->ring[0]; /* twice the same */
	assert_device_broke(r, "used id is not the head of an outstanding chain");
}

/* --- arguments, layout ---------------------------------------------------------------------- */

static void
bad_arguments(void **state)
{
	struct rig *r = rig_new(4, INDIRECT, 0, 0);
	struct dp_buf sg[5] = {
		{ BUF(0), 8 }, { BUF(1), 8 }, { BUF(2), 8 }, { BUF(3), 8 }, { BUF(4), 8 }
	};
	struct dp_vring v = r->vring;
	struct dp_driver *d;
	struct dp_device *e;

	assert_int_equal(drv->add(r->driver, sg, 0, 0, 0, false, 0), -EINVAL);
	assert_int_equal(drv->add(r->driver, sg, 3, 2, 0, false, 0), -EINVAL);
	assert_int_equal(drv->add(r->driver, sg, UINT32_MAX, 2, 0, false, 0), -EINVAL);
	assert_int_equal(drv->add(r->driver, sg, 1, 1, 0, true, RAM_BYTES), -EINVAL);
	assert_int_equal(drv->add(r->driver, sg, 2, 2, 0, false, 0), 0);

	v.desc = RAM_BYTES;
	assert_int_equal(drv->init(&d, &v, &r->host), -EINVAL);
	assert_int_equal(dev->init(&e, &v, &r->host), -EINVAL);
	assert_string_equal(r->error, "ring is not in guest memory");
	v = r->vring;
	v.features |= VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	assert_int_equal(drv->init(&d, &v, &r->host), -ENOTSUP);
	assert_int_equal(dev->init(&e, &v, &r->host), -ENOTSUP);
	size_t before = r->allocated;

	r->no_memory = true;
	assert_int_equal(drv->init(&d, &r->vring, &r->host), -ENOMEM);
	assert_int_equal(dev->init(&e, &r->vring, &r->host), -ENOMEM);
	r->allocated = before;
	rig_free(r);
}

static void
layout_checks(void **state)
{
	const struct dp_vring good = {
		.size = 8, .desc = 0x1000, .driver = 0x2000, .device = 0x3000
	};
	struct dp_vring v = good;

	assert_null(ring_split_check(&v));
	v.size = 0;
	assert_non_null(ring_split_check(&v));
	v.size = 6;
	assert_non_null(ring_split_check(&v));
	v.size = 2048;
	assert_string_equal(ring_split_check(&v), "queue size is too large");
	v = good, v.desc += 8;
	assert_string_equal(ring_split_check(&v), "descriptor table is not aligned to 16 bytes");
	v = good, v.driver += 1;
	assert_string_equal(ring_split_check(&v), "available ring is not aligned to 2 bytes");
	v = good, v.device += 2;
	assert_string_equal(ring_split_check(&v), "used ring is not aligned to 4 bytes");
	v = good, v.desc = UINT64_MAX - 15;
	assert_string_equal(ring_split_check(&v), "ring runs past the end of the address space");

	struct ring_split_layout l;

	ring_split_layout_init(&l, 256, 4096); /* the size that Linux's vring_size() gives: 10246 */
	assert_int_equal(l.used, 8192);
	assert_int_equal(l.bytes, 8192 + 6 + 8 * 256);
}

static void
assert_name(const struct ring_split_layout *l, uint64_t offset, const char *name)
{
	char text[64];

	ring_split_describe(l, offset, text, sizeof(text));
	assert_string_equal(text, name);
}

static void
names(void **state)
{
	struct ring_split_layout l;

	ring_split_layout_init(&l, 4, 64);
	assert_name(&l, 0, "desc[0].addr");
	assert_name(&l, 3, "desc[0].addr+3");
	assert_name(&l, 16 * 3, "desc[3].addr");
	assert_name(&l, 16 * 3 + 8, "desc[3].len");
	assert_name(&l, 16 * 3 + 12, "desc[3].flags");
	assert_name(&l, 16 * 3 + 14, "desc[3].next");
	assert_name(&l, 64, "avail.flags");
	assert_name(&l, 66, "avail.idx");
	assert_name(&l, 68, "avail.ring[0]");
	assert_name(&l, 72, "avail.ring[2]");
	assert_name(&l, 73, "avail.ring[2]+1");
	assert_name(&l, 76, "used_event");
	assert_name(&l, 80, "padding+2");
	assert_name(&l, 128, "used.flags");
	assert_name(&l, 130, "used.idx");
	assert_name(&l, 132, "used.ring[0].id");
	assert_name(&l, 144, "used.ring[1].len");
	assert_name(&l, 146, "used.ring[1].len+2");
	assert_name(&l, 164, "avail_event");
	assert_int_equal(l.bytes, 166);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_in_memory),
		cmocka_unit_test(full_and_reused),
		cmocka_unit_test(indirect_tables),
		cmocka_unit_test(direct_then_indirect),
		cmocka_unit_test(unpop_gives_back),
		cmocka_unit_test(fill_is_not_visible),
		cmocka_unit_test(detach_unused),
		cmocka_unit_test(suppression_by_flags),
		cmocka_unit_test(suppression_by_event),
		cmocka_unit_test(delayed_enable),
		cmocka_unit_test(enable_says_changed),
		cmocka_unit_test(pop_moves_avail_event),
		cmocka_unit_test(notify_on_empty),
		cmocka_unit_test(signalled_used_grows_old),
		cmocka_unit_test(in_order_batch),
		cmocka_unit_test(handover),
		cmocka_unit_test(position_with_inflight),
		cmocka_unit_test(quirk_kick_no_wrap),
		cmocka_unit_test(quirks_of_driver),
		cmocka_unit_test(quirks_of_enable_notify),
		cmocka_unit_test(quirk_stale_avail_event),
		cmocka_unit_test(quirk_event_oob),
		cmocka_unit_test(quirk_cached_used_event),
		cmocka_unit_test(quirk_idx_before_elem),
		cmocka_unit_test(driver_breaks_chain),
		cmocka_unit_test(chain_of_too_many_bytes),
		cmocka_unit_test(driver_reuses_before_used),
		cmocka_unit_test(device_breaks_used),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(layout_checks),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
