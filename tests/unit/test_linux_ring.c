/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's virtio_ring.c and vringh.c behind the seam, operation by operation.  The measure is the
 * native ring: the same random operations are done on two queues that differ in one side only, and
 * every answer, the state and what lies in the rings are compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "datapath/native.h"
#include "linux_util.h"
#include "virtio/ring_packed_layout.h"
#include "virtio/ring_split_layout.h"
#include "virtio/spec.h"

#define RAM_BYTES 65536u
#define BUF(n) (16384u + 64u * (n))
#define TABLE(n) (32768u + 256u * (n))
#define RING_GPA 4096u
#define CHAIN_MAX 4u
#define TABLES 16u

static const uint64_t EVENT = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX);
static const uint64_t INDIRECT = VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
static const uint64_t IN_ORDER = VIRTIO_BIT(VIRTIO_F_IN_ORDER);
static const uint64_t PACKED = VIRTIO_BIT(VIRTIO_F_RING_PACKED);

struct rig {
	_Alignas(4096) char ram[RAM_BYTES];
	struct dp_host host;
	struct dp_vring vring;
	const struct dp_driver_ops *drv;
	const struct dp_device_ops *dev;
	struct dp_driver *driver;
	struct dp_device *device;
	struct dp_elem elem[16];
	unsigned popped; /* of them, not yet used */
	uint64_t table_token[TABLES]; /* of the chain that has this indirect table, plus 1; or 0 */
	char error[128]; /* the last guest_error() */
	uint64_t error_value;
	size_t allocated;
	int allocations_left; /* then there is no memory; negative: there always is */
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

	if (!r->allocations_left)
		return NULL;
	r->allocations_left--;
	r->allocated += size;
	return calloc(1, size);
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
	struct rig *r = ctx;

	snprintf(r->error, sizeof(r->error), "%s", what);
	r->error_value = value;
}

static struct rig *
rig_new(const struct datapath *driver, const struct datapath *device, uint16_t size,
	uint64_t features)
{
	struct rig *r = aligned_alloc(4096, (sizeof(*r) + 4095) & ~(size_t)4095);

	assert_non_null(r);
	memset(r, 0, sizeof(*r));
	r->host = (struct dp_host){ r, map, take, give, broke };
	r->drv = driver->driver;
	r->dev = device->device;
	r->allocations_left = -1;
	if (features & PACKED) {
		struct ring_packed_layout layout;

		ring_packed_layout_init(&layout, size);
		ring_packed_layout_place(&layout, RING_GPA, &r->vring);
	} else {
		struct ring_split_layout layout;

		ring_split_layout_init(&layout, size, 64);
		ring_split_layout_place(&layout, RING_GPA, &r->vring);
	}
	r->vring.index = 3;
	r->vring.features = features | VIRTIO_BIT(VIRTIO_F_VERSION_1);
	return r;
}

static struct rig *
rig_init(struct rig *r)
{
	assert_int_equal(r->drv->init(&r->driver, &r->vring, &r->host), 0);
	assert_int_equal(r->dev->init(&r->device, &r->vring, &r->host), 0);
	return r;
}

static void
rig_free(struct rig *r)
{
	if (r->driver)
		r->drv->destroy(r->driver);
	if (r->device)
		r->dev->destroy(r->device);
	assert_int_equal(r->allocated, 0);
	free(r);
}

/* --- the same operations on two queues ------------------------------------------------------- */

struct op {
	unsigned what, out, in, count;
	uint64_t token;
	bool indirect;
};

enum { ADD, KICK, GET, DISABLE_CB, ENABLE_CB, ENABLE_DELAYED, POLL, POP, UNPOP, USE, NOTIFY, OPS };

/* What an operation answered, in as many numbers as any needs. */
struct answer {
	int64_t n[4 + 2 * CHAIN_MAX];
};

static struct answer
driver_op(struct rig *r, const struct op *op)
{
	struct dp_buf sg[CHAIN_MAX];
	struct answer a = { { 0 } };
	unsigned table;
	uint64_t token = 0;
	uint32_t len = 0;

	for (unsigned i = 0; i < op->out + op->in; i++)
		sg[i] = (struct dp_buf){ BUF(op->token % 64 + i), 16 + i };
	switch (op->what) {
	case ADD:
		for (table = 0; r->table_token[table]; table++)
			;
		a.n[0] = r->drv->add(r->driver, sg, op->out, op->in, op->token, op->indirect,
				     TABLE(table));
		if (!a.n[0])
			r->table_token[table] = op->token + 1;
		break;
	case KICK:
		a.n[0] = r->drv->kick_prepare(r->driver);
		a.n[1] = r->drv->notify_data(r->driver);
		break;
	case GET:
		a.n[0] = r->drv->get(r->driver, &token, &len);
		a.n[1] = (int64_t)token;
		a.n[2] = len;
		for (table = 0; a.n[0] == 1 && r->table_token[table] != token + 1; table++)
			;
		if (a.n[0] == 1)
			r->table_token[table] = 0;
		break;
	case DISABLE_CB:
		r->drv->disable_cb(r->driver);
		break;
	case ENABLE_CB:
		a.n[0] = r->drv->enable_cb(r->driver);
		break;
	case ENABLE_DELAYED:
		a.n[0] = r->drv->enable_cb_delayed(r->driver);
		break;
	case POLL:
		a.n[0] = r->drv->poll(r->driver, r->drv->enable_cb_prepare(r->driver));
		break;
	}
	return a;
}

static struct answer
device_op(struct rig *r, const struct op *op)
{
	const struct dp_elem *e = &r->elem[r->popped];
	struct answer a = { { 0 } };

	switch (op->what) {
	case POP:
		if (r->popped == 16)
			break;
		a.n[0] = r->dev->pop(r->device, &r->elem[r->popped]);
		if (a.n[0] != 1)
			break;
		r->popped++;
		a.n[1] = e->head;
		a.n[2] = e->out;
		a.n[3] = e->in;
		for (unsigned i = 0; i < e->out + e->in; i++) {
			a.n[4 + 2 * i] = (int64_t)e->sg[i].addr;
			a.n[5 + 2 * i] = e->sg[i].len;
		}
		assert_int_equal(e->out_bytes + e->in_bytes,
				 16 * (e->out + e->in) +
					 (e->out + e->in) * (e->out + e->in - 1) / 2);
		break;
	case UNPOP:
		if (r->popped)
			r->dev->unpop(r->device, &r->elem[--r->popped]);
		break;
	case USE: {
		unsigned n = op->count < r->popped ? op->count : r->popped;

		for (unsigned i = 0; i < n; i++)
			r->dev->fill(r->device, &r->elem[i], r->elem[i].in_bytes, i);
		r->dev->flush(r->device, n);
		memmove(r->elem, r->elem + n, (r->popped - n) * sizeof(r->elem[0]));
		r->popped -= n;
		a.n[0] = n ? r->dev->should_notify(r->device) : 0;
		break;
	}
	case NOTIFY:
		a.n[0] = r->dev->empty(r->device);
		/* vringh.c counts what was seen and left as more; so do not leave it. */
		if (a.n[0]) {
			a.n[1] = r->dev->enable_notify(r->device);
			r->dev->disable_notify(r->device);
		}
		a.n[2] = r->dev->get_position(r->device);
		break;
	}
	return a;
}

static struct answer
do_op(struct rig *r, const struct op *op)
{
	return op->what < POP ? driver_op(r, op) : device_op(r, op);
}

static struct op
random_op(struct prng *p, uint64_t token, uint64_t features)
{
	struct op op = { .what = prng_below(p, OPS), .token = token };

	op.out = prng_below(p, 3);
	op.in = prng_below(p, 3) + !op.out;
	op.indirect = (features & INDIRECT) && op.out + op.in > 1 && prng_below(p, 2);
	op.count = 1 + prng_below(p, 3);
	return op;
}

static void
same_state(struct rig *a, struct rig *b, bool driver)
{
	struct dp_state s, t;

	if (driver) {
		a->drv->state(a->driver, &s);
		b->drv->state(b->driver, &t);
	} else {
		a->dev->state(a->device, &s);
		b->dev->state(b->device, &t);
		/* Not known to vringh.c, or another scheme. */
		t.shadow_avail_idx = s.shadow_avail_idx;
		t.signalled_used = s.signalled_used;
		t.signalled_used_valid = s.signalled_used_valid;
		t.avail_event = s.avail_event;
	}
#define SAME(field) \
	do { \
		if (s.field != t.field) \
			fail_msg(#field " is %u natively, %u in Linux", s.field, t.field); \
	} while (0)
	SAME(last_avail_idx);
	SAME(shadow_avail_idx);
	SAME(avail_idx);
	SAME(last_used_idx);
	SAME(used_idx);
	SAME(signalled_used);
	SAME(signalled_used_valid);
	SAME(used_event);
	SAME(avail_event);
	SAME(avail_flags);
	SAME(used_flags);
	SAME(avail_wrap_counter);
	SAME(used_wrap_counter);
	SAME(inuse);
	SAME(num_free);
	SAME(event_idx);
	SAME(packed);
	SAME(broken);
	SAME(callbacks_enabled);
	SAME(notify_enabled);
	SAME(kick_asked);
	SAME(call_asked);
#undef SAME
}

/* What may differ, and how, is taken out of the two answers. */
struct differ {
	bool driver; /* the drivers' sides differ; else the devices' */
	bool owed; /* Linux notified by itself: its next answer is yes */
	bool signalled; /* the native device answers its first question with yes */
};

static bool
may_differ(struct differ *d, const struct op *op, uint64_t features, struct answer *native,
	   struct answer *x)
{
	switch (op->what) {
	case ADD: /* for historical reasons, says the kernel; only virtqueue_add_split() */
		d->owed |= x->n[0] == -ENOSPC && op->out && !(features & PACKED);
		return false;
	case KICK:
		if (d->driver)
			native->n[0] |= d->owed;
		d->owed = false;
		/* Whether a kick is wanted depends on when a device moves avail_event. */
		return !d->driver && (features & EVENT);
	case POP: /* Linux takes as many ids as descriptors */
		if (features & PACKED)
			native->n[1] = x->n[1];
		return false;
	case USE:
		if (!d->driver && (features & EVENT) && native->n[0] && !d->signalled) {
			d->signalled = true;
			return true;
		}
		return false;
	case ENABLE_CB: /* within a batch virtqueue_poll_packed() sees nothing more that is used */
	case ENABLE_DELAYED:
	case POLL:
		return (features & PACKED) && (features & IN_ORDER);
	default:
		return false;
	}
}

/* @a is native, @b has Linux on the side of the driver or on that of the device. */
static void
same_answers(struct rig *a, struct rig *b, bool driver, uint64_t seed, unsigned ops)
{
	struct differ d = { .driver = driver };
	uint64_t features = a->vring.features;
	struct prng p;

	prng_seed(&p, seed);
	rig_init(a);
	rig_init(b);
	for (unsigned i = 0; i < ops; i++) {
		struct op op = random_op(&p, i, features);
		struct answer x = do_op(a, &op), y = do_op(b, &op);

		if (!may_differ(&d, &op, features, &x, &y) && memcmp(&x, &y, sizeof(x)))
			fail_msg("features %#jx, seed %ju, operation %u (%u): %jd %jd, %jd %jd",
				 (uintmax_t)features, (uintmax_t)seed, i, op.what, (intmax_t)x.n[0],
				 (intmax_t)x.n[1], (intmax_t)y.n[0], (intmax_t)y.n[1]);
		same_state(a, b, driver);
	}
	assert_string_equal(a->error, "");
	assert_string_equal(b->error, "");
	rig_free(a);
	rig_free(b);
}

/* In-order use, where this kernel has it (after 6.18), in the second half. */
static void
drivers_agree(void **state)
{
	static const uint64_t features[] = { 0, EVENT, INDIRECT, EVENT | INDIRECT };
	bool in_order = datapath_linux.driver->features & IN_ORDER;

	for (unsigned i = 0; i < (in_order ? 16 : 8); i++) {
		uint64_t f = features[i % 4] | (i & 4 ? PACKED : 0) | (i & 8 ? IN_ORDER : 0);
		uint16_t start = i & 5 ? 0 : 65530;

		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct rig *a = rig_new(&datapath_native, &datapath_native, 8, f);
			struct rig *b = rig_new(&datapath_linux, &datapath_native, 8, f);

			a->vring.start_idx = b->vring.start_idx = start;
			same_answers(a, b, true, seed, 3000);
		}
	}
}

static void
devices_agree(void **state)
{
	static const uint64_t features[] = { 0, EVENT, INDIRECT, EVENT | INDIRECT };

	for (unsigned i = 0; i < 8; i++)
		for (uint64_t seed = 1; seed <= 20; seed++) {
			const struct datapath *d = i < 4 ? &datapath_native : &datapath_linux;
			struct rig *a = rig_new(d, &datapath_native, 8, features[i % 4]);
			struct rig *b = rig_new(d, &datapath_linux, 8, features[i % 4]);

			a->vring.start_idx = b->vring.start_idx = seed & 1 ? 65530 : 0;
			same_answers(a, b, false, seed, 3000);
		}
}

/* A packed ring need not be a power of two long. */
static void
odd_size(void **state)
{
	struct rig *a = rig_new(&datapath_native, &datapath_native, 7, PACKED | EVENT);
	struct rig *b = rig_new(&datapath_linux, &datapath_native, 7, PACKED | EVENT);

	same_answers(a, b, true, 5, 5000);
}

/* --- what is refused ------------------------------------------------------------------------- */

static int
init_driver(struct rig *r)
{
	return r->drv->init(&r->driver, &r->vring, &r->host);
}

static int
init_device(struct rig *r)
{
	return r->dev->init(&r->device, &r->vring, &r->host);
}

static void
refusals(void **state)
{
	struct rig *r = rig_new(&datapath_linux, &datapath_linux, 8, PACKED);
	const struct dp_buf sg[9] = { { BUF(0), 16 } };

	assert_int_equal(init_device(r), -ENOTSUP); /* vringh.c has no packed ring */
	r->vring.start_idx = 1;
	assert_int_equal(init_driver(r), -ENOTSUP);
	rig_free(r);

	r = rig_new(&datapath_linux, &datapath_linux, 8, 0);
	r->vring.desc = RAM_BYTES - 64;
	assert_int_equal(init_driver(r), -EINVAL);
	assert_int_equal(init_device(r), -EINVAL);
	assert_string_equal(r->error, "ring is not in guest memory");
	r->vring.size = 7;
	assert_int_equal(init_driver(r), -EINVAL);
	assert_int_equal(init_device(r), -EINVAL);
	rig_free(r);

	r = rig_init(rig_new(&datapath_linux, &datapath_linux, 8, INDIRECT));
	assert_int_equal(r->drv->add(r->driver, sg, 0, 0, 0, false, 0), -EINVAL);
	assert_int_equal(r->drv->add(r->driver, sg, 0, 9, 0, false, 0), -EINVAL);
	assert_int_equal(r->drv->add(r->driver, sg, 0, 1, UINT64_MAX, false, 0), -EINVAL);
	assert_int_equal(r->drv->add(r->driver, sg, 0, 2, 0, true, RAM_BYTES - 16), -EINVAL);
	assert_int_equal(r->drv->add(r->driver, sg, 0, 2, 0, true, TABLE(0) + 8), -EINVAL);
	assert_int_equal(r->drv->add(r->driver, sg, 0, 1, UINT64_MAX - 1, false, 0), 0);
	rig_free(r);
}

/* Each allocation of either side fails once; nothing is left behind. */
static void
no_memory(void **state)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct rig *r = rig_new(&datapath_linux, &datapath_linux, 8, packed ? PACKED : 0);
		int n = 0, ret = -ENOMEM;

		while (ret) {
			r->allocations_left = n++;
			ret = init_driver(r);
			assert_true(ret ? ret == -ENOMEM && !r->allocated : !!r->driver);
		}
		assert_int_equal(n, 1 + 4); /* ours; the virtqueue's, its states, its extras */
		r->allocations_left = 0;
		if (!packed)
			assert_int_equal(init_device(r), -ENOMEM);
		rig_free(r);
	}
}

/* --- what the other side breaks -------------------------------------------------------------- */

/* One buffer available, on a split ring; the fields are written by hand. */
static struct rig *
one_buffer(uint64_t features)
{
	struct rig *r = rig_init(rig_new(&datapath_linux, &datapath_linux, 8, features));
	const struct dp_buf sg = { BUF(0), 16 };

	assert_int_equal(r->drv->add(r->driver, &sg, 0, 1, 7, false, 0), 0);
	return r;
}

static void
driver_complains(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rig *r = one_buffer(0);
		uint32_t *id = (uint32_t *)(r->ram + r->vring.device + 4);
		struct dp_state s;
		uint64_t token;
		uint32_t len;

		*id = i ? 5 : 8;
		*(uint16_t *)(r->ram + r->vring.device + 2) = 1;
		assert_int_equal(r->drv->get(r->driver, &token, &len), -EINVAL);
		assert_string_equal(r->error, i ? "id %u is not a head!" : "id %u out of range");
		assert_int_equal(r->error_value, *id);
		r->drv->state(r->driver, &s);
		assert_true(s.broken);
		assert_int_equal(r->drv->get(r->driver, &token, &len), -EINVAL);
		assert_false(r->drv->kick_prepare(r->driver));
		assert_int_equal(
			r->drv->add(r->driver, &(struct dp_buf){ BUF(1), 16 }, 0, 1, 8, false, 0),
			-EIO);
		rig_free(r);
	}
}

static void
write_desc(struct rig *r, uint64_t gpa, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	struct vring_desc d = { addr, len, flags, next };

	memcpy(r->ram + gpa, &d, sizeof(d));
}

static void
device_complains(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
		const char *error;
	} bad[] = {
		{ RAM_BYTES, 16, 0, 0, "address is not in guest memory" },
		{ BUF(0), 16, VRING_DESC_F_NEXT, 8, "Chained index %u > %u" },
		{ BUF(0), 16, VRING_DESC_F_NEXT, 0, "Descriptor loop in %p" },
		{ TABLE(0), 24, VRING_DESC_F_INDIRECT, 0, "Strange indirect len %u" },
		{ TABLE(0), 32, VRING_DESC_F_INDIRECT, 0, "Multilevel indirect %u->%u" },
		{ UINT64_MAX - 15, 16, VRING_DESC_F_INDIRECT, 0, "address is not in guest memory" },
	};
	struct dp_elem e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rig *r = one_buffer(INDIRECT);
		struct dp_state s;

		write_desc(r, TABLE(0), TABLE(1), 16, VRING_DESC_F_INDIRECT, 0);
		write_desc(r, r->vring.desc, bad[i].addr, bad[i].len, bad[i].flags, bad[i].next);
		assert_int_equal(r->dev->pop(r->device, &e), -EINVAL);
		assert_string_equal(r->error, bad[i].error);
		r->dev->state(r->device, &s);
		assert_true(s.broken);
		assert_int_equal(r->dev->pop(r->device, &e), -EINVAL);
		assert_true(r->dev->empty(r->device));
		assert_false(r->dev->enable_notify(r->device));
		rig_free(r);
	}

	struct rig *r = one_buffer(0);

	*(uint16_t *)(r->ram + r->vring.driver + 4) = 9;
	assert_int_equal(r->dev->pop(r->device, &e), -EINVAL);
	assert_string_equal(r->error, "Guest says index %u > %u is available");
	assert_int_equal(r->error_value, 9);
	rig_free(r);
}

/* vringh.c 6.1 counts neither descriptors that refer to a table nor, together, those in several
 * tables: a chain leads through one table until there is no room for more buffers. */
static void
table_again_and_again(void **state)
{
	struct rig *r = one_buffer(INDIRECT);
	struct dp_elem e;

	write_desc(r, TABLE(0), BUF(0), 16, 0, 0);
	write_desc(r, r->vring.desc, TABLE(0), 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	write_desc(r, r->vring.desc + 16, TABLE(0), 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT,
		   1);
	assert_int_equal(r->dev->pop(r->device, &e), -EINVAL);
	assert_string_equal(r->error, "chain is too long");
	rig_free(r);
}

/* virtio_ring.c 6.1 believes the NEXT flags in a split ring's table when it takes descriptors back;
 * with native code nothing but the driver's own links counts. */
static void
flags_in_the_table(void **state)
{
	static const struct datapath *const path[] = { &datapath_native, &datapath_linux };

	for (unsigned i = 0; i < 2; i++) {
		struct rig *r = rig_init(rig_new(path[i], &datapath_native, 8, 0));
		const struct dp_buf sg = { BUF(0), 16 };
		struct dp_state s;
		uint64_t token;
		uint32_t len;

		assert_int_equal(r->drv->add(r->driver, &sg, 0, 1, 7, false, 0), 0);
		assert_int_equal(r->dev->pop(r->device, r->elem), 1);
		r->dev->fill(r->device, r->elem, 16, 0);
		r->dev->flush(r->device, 1);
		*(uint16_t *)(r->ram + r->vring.desc + 12) |= VRING_DESC_F_NEXT;
		assert_int_equal(r->drv->get(r->driver, &token, &len), 1);
		r->drv->state(r->driver, &s);
		assert_int_equal(s.num_free, i && !strncmp(linux_version, "6.1.", 4) ? 9 : 8);
		rig_free(r);
	}
}

/* A buffer that only begins in guest memory is cut where that ends: vringh.c looks for the rest in
 * another range, and there is none. */
static void
buffer_past_the_end(void **state)
{
	struct rig *r = one_buffer(0);
	struct dp_elem e;

	write_desc(r, r->vring.desc, RAM_BYTES - 8, 16, 0, 0);
	assert_int_equal(r->dev->pop(r->device, &e), -EINVAL);
	assert_string_equal(r->error, "address is not in guest memory");
	rig_free(r);
}

/* --- the rest -------------------------------------------------------------------------------- */

/* More of a table than dp_elem holds, which vringh.c would follow. */
static void
too_long(void **state)
{
	struct rig *r = one_buffer(INDIRECT);
	struct dp_elem e;

	for (unsigned i = 0; i < DP_SG_MAX + 1; i++)
		write_desc(r, TABLE(0) + 16 * i, BUF(0), 1, VRING_DESC_F_NEXT * (i < DP_SG_MAX),
			   (uint16_t)(i + 1));
	write_desc(r, r->vring.desc, TABLE(0), (DP_SG_MAX + 1) * 16, VRING_DESC_F_INDIRECT, 0);
	assert_int_equal(r->dev->pop(r->device, &e), -EINVAL);
	assert_string_equal(r->error, "chain is too long");
	rig_free(r);
}

static void
detach_and_destroy(void **state)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct rig *r = rig_new(&datapath_linux, &datapath_native, 8,
					INDIRECT | (packed ? PACKED : 0));
		struct dp_buf sg[3] = { { BUF(0), 16 }, { BUF(1), 16 }, { BUF(2), 16 } };
		uint64_t token, sum = 0;

		rig_init(r);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(
				r->drv->add(r->driver, sg, 1, 1 + i % 2, 10 + i, true, TABLE(i)),
				0);
		assert_int_equal(r->drv->detach_unused(r->driver, &token), 1);
		sum += token;
		assert_int_equal(r->drv->detach_unused(r->driver, &token), 1);
		sum += token;
		if (packed) { /* the third is outstanding when the queue goes */
			rig_free(r);
			continue;
		}
		assert_int_equal(r->drv->detach_unused(r->driver, &token), 1);
		assert_int_equal(sum + token, 33);
		assert_int_equal(r->drv->detach_unused(r->driver, &token), 0);
		rig_free(r);
	}
}

/* The next interrupt is asked for 3/4 of what is outstanding on; vringh.c interrupts once. */
static void
one_interrupt_for_many(void **state)
{
	struct rig *r = rig_init(rig_new(&datapath_linux, &datapath_linux, 8, EVENT));
	struct dp_buf sg = { BUF(0), 16 };
	unsigned interrupts = 0;

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(r->drv->add(r->driver, &sg, 0, 1, i, false, 0), 0);
	assert_true(r->drv->enable_cb_delayed(r->driver));
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(r->dev->pop(r->device, r->elem), 1);
		r->dev->fill(r->device, r->elem, 16, 0);
		r->dev->flush(r->device, 1);
		interrupts += r->dev->should_notify(r->device);
		assert_int_equal(interrupts, i >= 6);
	}
	assert_false(r->drv->enable_cb(r->driver));
	rig_free(r);
}

/* After an interrupt there is none to be turned off until the driver asks again (8d622d21d248). */
static void
event_triggered(void **state)
{
	struct rig *r = rig_init(rig_new(&datapath_linux, &datapath_linux, 8, EVENT));
	uint16_t *used_event = (uint16_t *)(r->ram + r->vring.driver + 4 + 2 * 8);
	struct dp_buf sg = { BUF(0), 16 };
	struct dp_state s;

	assert_int_equal(r->drv->add(r->driver, &sg, 0, 1, 1, false, 0), 0);
	assert_false(r->drv->interrupt(r->driver)); /* nothing is used */
	*used_event = 77;
	r->drv->disable_cb(r->driver);
	assert_int_equal(*used_event, 0);
	assert_true(r->drv->enable_cb(r->driver));
	assert_int_equal(r->dev->pop(r->device, r->elem), 1);
	r->dev->fill(r->device, r->elem, 16, 0);
	r->dev->flush(r->device, 1);
	assert_true(r->drv->interrupt(r->driver));
	*used_event = 77;
	r->drv->disable_cb(r->driver);
	assert_int_equal(*used_event, 77);
	r->drv->state(r->driver, &s);
	assert_false(s.callbacks_enabled);
	assert_false(r->drv->enable_cb(r->driver));
	assert_int_equal(*used_event, 0);
	rig_free(r);
}

/* The ring goes to another owner and comes back: what that one signalled is not known. */
static void
position(void **state)
{
	struct rig *r = rig_init(rig_new(&datapath_linux, &datapath_linux, 8, EVENT));
	struct dp_buf sg = { BUF(0), 16 };
	struct dp_state s;
	uint64_t token;
	uint32_t len;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(r->drv->add(r->driver, &sg, 0, 1, i, false, 0), 0);
	assert_int_equal(r->dev->pop(r->device, r->elem), 1);
	assert_int_equal(r->dev->get_position(r->device), 1);
	r->dev->unpop(r->device, r->elem);
	assert_int_equal(r->dev->get_position(r->device), 0);
	r->dev->set_position(r->device, 2);
	r->dev->state(r->device, &s);
	assert_false(s.signalled_used_valid);
	assert_int_equal(s.inuse, 0);
	assert_int_equal(r->dev->pop(r->device, r->elem), 1);
	assert_int_equal(r->elem[0].head, 2);
	r->dev->fill(r->device, r->elem, 16, 0);
	r->dev->flush(r->device, 1);
	*(uint16_t *)(r->ram + r->vring.driver + 4 + 2 * 8) = 100; /* used_event: not yet */
	assert_true(r->dev->should_notify(r->device));
	assert_false(r->dev->should_notify(r->device));
	r->dev->state(r->device, &s);
	assert_true(s.signalled_used_valid);
	assert_int_equal(r->drv->get(r->driver, &token, &len), 1);
	assert_int_equal(token, 2);
	rig_free(r);
}

static void
names(void **state)
{
	assert_string_equal(datapath_linux.name, "linux");
	assert_true(strlen(linux_version) >= 3);
	assert_false(datapath_linux.device->features & PACKED);
	assert_true(datapath_linux.driver->features & PACKED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drivers_agree),
		cmocka_unit_test(devices_agree),
		cmocka_unit_test(odd_size),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(driver_complains),
		cmocka_unit_test(device_complains),
		cmocka_unit_test(table_again_and_again),
		cmocka_unit_test(flags_in_the_table),
		cmocka_unit_test(buffer_past_the_end),
		cmocka_unit_test(too_long),
		cmocka_unit_test(detach_and_destroy),
		cmocka_unit_test(one_interrupt_for_many),
		cmocka_unit_test(event_triggered),
		cmocka_unit_test(position),
		cmocka_unit_test(names),
	};

	if (!&datapath_linux)
		return linux_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
