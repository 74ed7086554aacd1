/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed ring's two sides against a slow queue, with all combinations of features.
 *
 * Honest rounds: random operations of both sides, one after the other.  The model is a list of all
 * chains ever exposed and where each stands (exposed, popped, filled, used, got): chains come out
 * of pop() in order and with their buffers unchanged, each is got exactly once with its token and
 * length (INV-CONS), and whoever was told that there is nothing to do is notified of what came
 * afterwards (INV-NOLOST).
 *
 * Hostile rounds: one side is replaced by random writes to the rings, also while the other one is
 * in the middle of an operation (in map(), which it calls between two reads).  Guest memory stands
 * between two pages that nobody may touch.  Whatever is written: operations end, what they return
 * is sound, and after the first complaint the queue is broken.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/must.h"
#include "fuzz.h"
#include "virtio/ring_packed.h"
#include "virtio/ring_packed_layout.h"

#define RAM_BYTES 65536u
#define RINGS_AT 4096u
#define TABLES_AT 16384u
#define BUFFERS_AT 40960u
#define SIZE_MAX_LOG 6
#define QUEUE_MAX (1u << SIZE_MAX_LOG)
#define CHAINS_MAX 4096u
#define SG_MAX 6u

static const struct dp_driver_ops *const drv = &ring_packed_driver_ops;
static const struct dp_device_ops *const dev = &ring_packed_device_ops;

enum stage { EXPOSED, POPPED, FILLED, USED, GOT };

struct chain {
	enum stage stage;
	struct dp_buf sg[SG_MAX];
	unsigned out, in;
	uint32_t in_bytes, len;
	uint16_t ndescs, head;
	int table; /* its indirect table, or -1 */
};

/* One side that was told "nothing to do": what came since, and whether it was notified. */
struct sleeper {
	bool asleep, notified;
	uint32_t since; /* descriptors at which it fell asleep */
	uint32_t patience; /* it need not be woken before that many more came */
};

struct rig {
	struct fuzz *f;
	char *ram;
	struct dp_host host;
	struct dp_vring vring;
	struct ring_packed_layout layout;
	struct dp_driver *driver;
	struct dp_device *device,
		*other; /* two owners of the device side, of which one is at work */
	struct dp_elem elem;
	unsigned complaints;
	bool scribbling; /* in map() */
	bool event, in_order, indirect;
	/* the model */
	struct chain chain[CHAINS_MAX];
	uint32_t exposed, popped, used, got; /* chains [0, exposed) … in order of each stage */
	uint32_t used_order[CHAINS_MAX], by_used;
	bool table_busy[QUEUE_MAX];
	unsigned descs_out;
	uint32_t known; /* descriptors that the device has seen */
	uint32_t descs_added, descs_popped, descs_used, descs_got; /* since the beginning */
	bool callbacks, kicks; /* wanted */
	bool kicks_by_event, callbacks_by_event; /* … at a descriptor, not always */
	struct sleeper driver_sleeps, device_sleeps;
};

/* --- host ----------------------------------------------------------------------------------- */

static void
scribble(struct rig *r)
{
	struct fuzz *f = r->f;
	/* Mostly the rings, sometimes the first indirect table. */
	uint64_t at = fuzz_below(f, 4) ? RINGS_AT + fuzz_below(f, (uint32_t)r->layout.bytes)
				       : TABLES_AT + fuzz_below(f, 128);
	uint16_t value;

	switch (fuzz_below(f, 4)) {
	case 0:
		value = (uint16_t)fuzz_below(f, 8);
		break;
	case 1:
		value = (uint16_t)fuzz_below(f, 65536);
		break;
	case 2:
		value = (uint16_t)(TABLES_AT + 16 * fuzz_below(f, 4));
		break;
	default:
		/* A step of what is there: indices that go on, flags that flip. */
		memcpy(&value, r->ram + (at & ~1ull), sizeof(value));
		value = (uint16_t)(fuzz_below(f, 2) ? value + fuzz_below(f, 4)
						    : value ^ 1u << fuzz_below(f, 4));
	}
	memcpy(r->ram + (at & ~1ull), &value, sizeof(value));
}

static void *
map(void *ctx, uint64_t gpa, uint64_t len)
{
	struct rig *r = ctx;

	if (r->scribbling)
		scribble(r);
	return gpa <= RAM_BYTES && len <= RAM_BYTES - gpa ? r->ram + gpa : NULL;
}

static void *
take(void *ctx, size_t size)
{
	return calloc(1, size);
}

static void
give(void *ctx, void *block, size_t size)
{
	free(block);
}

static void
complain(void *ctx, const char *what, uint64_t value)
{
	((struct rig *)ctx)->complaints++;
}

static void
rig_create(struct rig *r, struct fuzz *f, char *ram)
{
	uint32_t bits = fuzz_below(f, 16);

	*r = (struct rig){ .f = f, .ram = ram, .callbacks = true, .kicks = true };
	memset(ram, 0, RAM_BYTES);
	r->host = (struct dp_host){ r, map, take, give, complain };
	r->event = bits & 1;
	r->in_order = bits & 2;
	r->indirect = bits & 4;
	r->vring.features = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_PACKED) |
			    (r->event ? VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) : 0) |
			    (r->in_order ? VIRTIO_BIT(VIRTIO_F_IN_ORDER) : 0) |
			    (r->indirect ? VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
			    (bits & 8 ? VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) : 0);
	ring_packed_layout_init(&r->layout, (uint16_t)(1 + fuzz_below(f, QUEUE_MAX)));
	ring_packed_layout_place(&r->layout, RINGS_AT, &r->vring);
	must(!drv->init(&r->driver, &r->vring, &r->host));
	must(!dev->init(&r->device, &r->vring, &r->host));
	must(!dev->init(&r->other, &r->vring, &r->host));
}

static void
rig_destroy(struct rig *r)
{
	drv->destroy(r->driver);
	dev->destroy(r->device);
	dev->destroy(r->other);
}

/* --- honest rounds: the driver's operations ------------------------------------------------- */

/* The position after @descs descriptors, as the ring writes it. */
static uint16_t
position(const struct rig *r, uint32_t descs)
{
	uint32_t off = descs % (2u * r->vring.size);

	return (uint16_t)(off < r->vring.size ? off | 0x8000 : off - r->vring.size);
}

static void
do_add(struct rig *r)
{
	struct fuzz *f = r->f;
	unsigned total = 1 + fuzz_below(f, SG_MAX);
	bool want_indirect = fuzz_below(f, 2);
	struct chain *c = &r->chain[r->exposed];
	int table = 0;

	if (r->exposed == CHAINS_MAX)
		return;
	*c = (struct chain){ .out = fuzz_below(f, total + 1), .table = -1 };
	c->in = total - c->out;
	for (unsigned i = 0; i < total; i++) {
		c->sg[i].addr = BUFFERS_AT + fuzz_below(f, 16384);
		c->sg[i].len = 1 + fuzz_below(f, 4096);
		if (i >= c->out)
			c->in_bytes += c->sg[i].len;
	}
	while (r->table_busy[table])
		table++;
	must(table < (int)QUEUE_MAX);

	bool indirect = want_indirect && r->indirect;
	unsigned needs = indirect ? 1 : total;
	int ret = drv->add(r->driver, c->sg, c->out, c->in, r->exposed, want_indirect,
			   TABLES_AT + (uint64_t)table * 16 * SG_MAX);

	if (total > r->vring.size) {
		fuzz_check(f, ret == -EINVAL);
	} else if (r->descs_out + needs > r->vring.size) {
		fuzz_check(f, ret == -ENOSPC);
	} else {
		fuzz_check(f, !ret);
		c->ndescs = (uint16_t)needs;
		r->descs_out += needs;
		r->descs_added += needs;
		if (indirect)
			r->table_busy[c->table = table] = true;
		r->exposed++;
	}
}

static void
do_kick(struct rig *r)
{
	uint32_t data = (uint32_t)position(r, r->descs_added) << 16;
	bool kick = drv->kick_prepare(r->driver);
	struct sleeper *s = &r->device_sleeps;

	if (!r->kicks_by_event)
		fuzz_check(r->f, kick == r->kicks);
	fuzz_check(r->f, drv->notify_data(r->driver) == data);
	s->notified |= kick;
	/* INV-NOLOST: the device sleeps, something came, so it was told. */
	if (s->asleep && r->descs_added != s->since)
		fuzz_check(r->f, s->notified);
}

static void
do_get(struct rig *r)
{
	struct fuzz *f = r->f;
	uint64_t token;
	uint32_t len;
	int ret = drv->get(r->driver, &token, &len);

	fuzz_check(f, ret == (r->got < r->used));
	if (!ret) {
		/* Callbacks are on and the ring was looked at: this is going to sleep, too. */
		if (r->callbacks && !r->driver_sleeps.asleep)
			r->driver_sleeps =
				(struct sleeper){ .asleep = true, .since = r->descs_used };
		return;
	}

	struct chain *c = &r->chain[r->used_order[r->got]];

	fuzz_check(f, token == r->used_order[r->got]);
	fuzz_check(f, c->stage == USED && len == c->len);
	c->stage = GOT;
	r->descs_out -= c->ndescs;
	r->descs_got += c->ndescs;
	if (c->table >= 0)
		r->table_busy[c->table] = false;
	r->got++;
	r->driver_sleeps.asleep = false;
}

static void
do_callbacks(struct rig *r)
{
	struct fuzz *f = r->f;
	struct sleeper *s = &r->driver_sleeps;
	uint32_t bufs = r->descs_out * 3 / 4;
	bool ready = r->used > r->got;
	bool sleep;

	s->asleep = false;
	switch (fuzz_below(f, 4)) {
	case 0:
		drv->disable_cb(r->driver);
		r->callbacks = r->callbacks_by_event = false;
		return;
	case 1:
		sleep = drv->enable_cb_delayed(r->driver);
		fuzz_check(f, sleep == !ready);
		s->patience = r->event ? bufs : 0;
		break;
	case 2:
		sleep = !drv->poll(r->driver, drv->enable_cb_prepare(r->driver));
		fuzz_check(f, sleep == !ready);
		s->patience = 0;
		break;
	default:
		sleep = drv->enable_cb(r->driver);
		fuzz_check(f, sleep == !ready);
		s->patience = 0;
	}
	/* Callbacks that were not disabled before stay as they were. */
	if (!r->callbacks)
		r->callbacks_by_event = r->event;
	r->callbacks = true;
	if (sleep)
		*s = (struct sleeper){ true, false, r->descs_used, s->patience };
}

static void
check_state(struct rig *r)
{
	struct dp_state d, s;

	drv->state(r->driver, &d);
	dev->state(r->device, &s);
	fuzz_check(r->f, !r->complaints && !d.broken && !s.broken);
	fuzz_check(r->f, d.num_free == r->vring.size - r->descs_out);
	fuzz_check(r->f, d.inuse == r->exposed - r->got);
	fuzz_check(r->f, s.inuse == r->popped - r->used);
	fuzz_check(r->f, d.avail_idx == (uint16_t)r->exposed);
	fuzz_check(r->f, d.last_used_idx == (uint16_t)r->got);
	fuzz_check(r->f, d.used_idx == (uint16_t)r->used);
	fuzz_check(r->f,
		   dev->get_position(r->device) == (position(r, r->descs_popped) |
						    (uint32_t)position(r, r->descs_used) << 16));
	fuzz_check(r->f, s.avail_flags == (r->callbacks_by_event ? VRING_PACKED_EVENT_FLAG_DESC
								 : !r->callbacks));
	fuzz_check(r->f,
		   s.used_flags == (r->kicks_by_event ? VRING_PACKED_EVENT_FLAG_DESC : !r->kicks));
}

/* --- honest rounds: the device's operations ------------------------------------------------- */

static void
do_pop(struct rig *r)
{
	struct fuzz *f = r->f;
	int ret = dev->pop(r->device, &r->elem);

	fuzz_check(f, ret == (r->popped < r->exposed));
	if (!ret) {
		if (r->kicks && !r->device_sleeps.asleep)
			r->device_sleeps =
				(struct sleeper){ .asleep = true, .since = r->descs_popped };
		return;
	}

	struct chain *c = &r->chain[r->popped];

	fuzz_check(f,
		   r->elem.out == c->out && r->elem.in == c->in && r->elem.in_bytes == c->in_bytes);
	fuzz_check(f, !memcmp(r->elem.sg, c->sg, (c->out + c->in) * sizeof(c->sg[0])));
	r->device_sleeps.asleep = false;
	if (!fuzz_below(f, 8)) {
		dev->unpop(r->device, &r->elem);
		if (r->known < r->descs_popped + c->ndescs)
			r->known = r->descs_popped + c->ndescs;
		fuzz_check(f, !dev->empty(r->device));
		return;
	}
	c->stage = POPPED;
	c->head = r->elem.head;
	fuzz_check(f, r->elem.ndescs == c->ndescs);
	r->descs_popped += c->ndescs;
	r->known = r->descs_popped > r->known ? r->descs_popped : r->known;
	r->popped++;
}

static void
mark_used(struct rig *r, uint32_t i)
{
	r->chain[i].stage = USED;
	r->used_order[r->used++] = i;
	r->descs_used += r->chain[i].ndescs;
}

/* Whether should_notify() is right to say @interrupt for what is used now. */
static void
check_interrupt(struct rig *r, bool interrupt)
{
	struct sleeper *s = &r->driver_sleeps;
	uint32_t came = r->descs_used - s->since;

	if (!r->callbacks_by_event)
		fuzz_check(r->f, interrupt == r->callbacks);
	s->notified |= interrupt;
	/* INV-NOLOST */
	if (s->asleep && came > s->patience)
		fuzz_check(r->f, s->notified);
}

/* Fill up to four popped chains, any of them, and publish. */
static void
do_use(struct rig *r)
{
	struct fuzz *f = r->f;
	unsigned count = 0, most = 1 + fuzz_below(f, 4);
	uint32_t pick[4];

	for (uint32_t i = r->by_used; i < r->popped && count < most; i++) {
		struct chain *c = &r->chain[i];

		if (c->stage != POPPED || fuzz_below(f, 3) == 0)
			continue;
		c->stage = FILLED;
		c->len = fuzz_below(f, 2) ? c->in_bytes : fuzz_below(f, c->in_bytes + 1);
		r->elem.head = c->head;
		r->elem.ndescs = c->ndescs;
		dev->fill(r->device, &r->elem, c->len, count);
		check_state(r);
		pick[count++] = i;
	}
	dev->flush(r->device, count);
	if (!r->in_order)
		for (unsigned n = 0; n < count; n++)
			mark_used(r, pick[n]);
	else
		for (uint32_t i = r->used; i < r->popped && r->chain[i].stage == FILLED; i++)
			mark_used(r, i);
	while (r->by_used < r->popped && r->chain[r->by_used].stage >= USED)
		r->by_used++;
	check_interrupt(r, dev->should_notify(r->device));
}

static void
do_notify(struct rig *r)
{
	struct sleeper *s = &r->device_sleeps;

	s->asleep = false;
	if (!fuzz_below(r->f, 3)) {
		dev->disable_notify(r->device);
		r->kicks = r->kicks_by_event = false;
		return;
	}

	bool more = dev->enable_notify(r->device);

	fuzz_check(r->f, more == (r->known != r->descs_added));
	r->kicks = true;
	r->kicks_by_event = r->event;
	if (!more)
		*s = (struct sleeper){ .asleep = true, .since = r->descs_added };
}

/* Another owner takes the device side over, as vhost does from QEMU and back: nothing may be in
 * flight. */
static void
do_handover(struct rig *r)
{
	if (r->popped != r->used)
		return;

	uint32_t base = dev->get_position(r->device);
	struct dp_device *next = r->other;

	r->other = r->device;
	r->device = next;
	dev->set_position(r->device, base);
	r->known = r->descs_popped;
	/* The new owner looks by itself, and interrupts once for all that it cannot know. */
	r->kicks = true;
	r->kicks_by_event = r->event;
	r->device_sleeps.asleep = false;
	if (dev->enable_notify(r->device))
		fuzz_check(r->f, r->popped < r->exposed);
	if (r->used != r->got)
		check_interrupt(r, dev->should_notify(r->device));
}

static void
honest_round(struct fuzz *f, struct rig *r)
{
	/* Each round has its own habits, so that rings run full and empty. */
	uint32_t adds = 1 + fuzz_below(f, 6), pops = 1 + fuzz_below(f, 6),
		 uses = 1 + fuzz_below(f, 6);

	for (uint32_t n = fuzz_below(f, 2000); n > 0; n--) {
		uint32_t what = fuzz_below(f, adds + pops + uses + 9);

		f->operation++;
		if (what < adds)
			do_add(r);
		else if ((what -= adds) < pops)
			do_pop(r);
		else if ((what -= pops) < uses)
			do_use(r);
		else if ((what -= uses) < 3)
			do_get(r);
		else if (what < 5)
			do_kick(r);
		else if (what < 6)
			do_callbacks(r);
		else if (what < 8)
			do_notify(r);
		else if (!fuzz_below(f, 8))
			do_handover(r);
		check_state(r);
	}
}

/* --- hostile rounds ------------------------------------------------------------------------- */

static void
check_elem(struct rig *r)
{
	const struct dp_elem *e = &r->elem;
	uint64_t out = 0, in = 0;

	fuzz_check(r->f, e->out + e->in > 0 && e->out + e->in <= r->vring.size);
	for (unsigned i = 0; i < (unsigned)(e->out + e->in); i++) {
		fuzz_check(r->f, e->sg[i].len > 0 && e->sg[i].addr < RAM_BYTES);
		fuzz_check(r->f, e->sg[i].len <= RAM_BYTES - e->sg[i].addr);
		*(i < e->out ? &out : &in) += e->sg[i].len;
	}
	fuzz_check(r->f, out == e->out_bytes && in == e->in_bytes);
}

/* A guest that writes whatever it likes, wherever it likes, whenever it likes. */
static void
hostile_driver(struct fuzz *f, struct rig *r)
{
	struct vring_packed_desc *desc = (struct vring_packed_desc *)(r->ram + RINGS_AT);
	uint16_t at = 0;
	bool wrap = true;
	struct dp_state s;

	/* Plausible descriptors first, so that walks get far. */
	for (unsigned i = 0; i < r->vring.size; i++)
		desc[i] = (struct vring_packed_desc){
			TABLES_AT,
			16 * (1 + fuzz_below(f, 4)),
			(uint16_t)fuzz_below(f, r->vring.size),
			(uint16_t)fuzz_below(f, fuzz_below(f, 3) ? 4 : 8),
		};
	memcpy(r->ram + TABLES_AT, desc, 64 < 16 * r->vring.size ? 64 : 16 * r->vring.size);
	for (uint32_t n = fuzz_below(f, 300); n > 0; n--) {
		f->operation++;
		scribble(r);
		dev->state(r->device, &s);
		if (fuzz_below(f, 2)) { /* available where the device looks */
			at = s.last_avail_idx;
			wrap = s.avail_wrap_counter;
			desc[at].flags =
				(uint16_t)((desc[at].flags & ~0x8080) | (wrap ? 0x80 : 0x8000));
		}
		r->scribbling = fuzz_below(f, 2);

		unsigned before = r->complaints;
		int ret = dev->pop(r->device, &r->elem);

		r->scribbling = false;
		dev->state(r->device, &s);
		fuzz_check(f, ret == 1 || ret == 0 || ret == -EINVAL);
		fuzz_check(f, (ret == -EINVAL) == s.broken && r->complaints <= before + 1);
		fuzz_check(f, s.inuse <= r->vring.size);
		if (ret == 1) {
			check_elem(r);
			if (!fuzz_below(f, 4))
				dev->unpop(r->device, &r->elem);
			dev->fill(r->device, &r->elem, fuzz_below(f, 100), fuzz_below(f, 4));
			dev->flush(r->device, fuzz_below(f, 3));
		}
		dev->should_notify(r->device);
		if (fuzz_below(f, 2))
			dev->enable_notify(r->device);
		if (s.broken && !fuzz_below(f, 4)) { /* reset */
			dev->destroy(r->device);
			must(!dev->init(&r->device, &r->vring, &r->host));
			dev->set_position(r->device,
					  RING_PACKED_START + fuzz_below(f, r->vring.size));
		}
	}
}

/* A device that writes whatever it likes: the driver gets what it added, at most once, or
 * complains. */
static void
hostile_device(struct fuzz *f, struct rig *r)
{
	struct vring_packed_desc *desc = (struct vring_packed_desc *)(r->ram + RINGS_AT);
	bool broken = false;
	struct dp_state s;

	for (uint32_t n = fuzz_below(f, 300); n > 0; n--) {
		uint64_t token;
		uint32_t len;

		f->operation++;
		if (!broken)
			do_add(r);
		scribble(r);
		/* A plausible descriptor where the driver looks, so that it goes on for a while. */
		if (fuzz_below(f, 2)) {
			uint16_t at = position(r, r->descs_got);
			struct vring_packed_desc *d = &desc[at & 0x7fff];

			if (fuzz_below(f, 4)) {
				d->id = (uint16_t)fuzz_below(f, r->vring.size);
				d->len = fuzz_below(f, 64);
			}
			d->flags = at & 0x8000 ? 0x8080 : 0;
		}

		int ret = drv->get(r->driver, &token, &len);

		drv->state(r->driver, &s);
		fuzz_check(f, (ret == -EINVAL) == s.broken && r->complaints == s.broken);
		if (ret == 1) {
			fuzz_check(f, token < r->exposed && r->chain[token].stage == EXPOSED);
			fuzz_check(f, len <= r->chain[token].in_bytes);
			r->chain[token].stage = GOT;
			r->descs_out -= r->chain[token].ndescs;
			r->descs_got += r->chain[token].ndescs;
			if (r->chain[token].table >= 0)
				r->table_busy[r->chain[token].table] = false;
			r->got++;
		}
		broken = s.broken;
		fuzz_check(f, s.num_free == r->vring.size - r->descs_out);
		fuzz_check(f, s.inuse == r->exposed - r->got);
		if (fuzz_below(f, 2))
			drv->enable_cb(r->driver);
		drv->kick_prepare(r->driver);
	}
}

static void
fuzz_round(struct fuzz *f)
{
	static struct rig rig;
	static char *ram;

	if (!ram) {
		char *pages =
			mmap(NULL, RAM_BYTES + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(pages != MAP_FAILED);
		ram = pages + 4096;
		must(!mprotect(ram, RAM_BYTES, PROT_READ | PROT_WRITE));
	}
	rig_create(&rig, f, ram);
	switch (fuzz_below(f, 4)) {
	case 0:
		hostile_driver(f, &rig);
		break;
	case 1:
		hostile_device(f, &rig);
		break;
	default:
		honest_round(f, &rig);
	}
	rig_destroy(&rig);
}

int
main(int argc, char **argv)
{
	return fuzz_main(argc, argv, "ring_packed", 2000, fuzz_round);
}
