/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One side of a ring against another side that writes what it likes, where it likes and when it
 * likes: also between two reads of one operation (double fetch), so that nothing that was checked
 * need be what is used.  Native and Linux's code, split and packed.
 *
 * A hostile guest: descriptors, indices, lengths, links that loop or lead out of the table,
 * indirect tables anywhere.  A hostile device: ids out of range or used twice, absurd lengths,
 * indices that jump.  Whatever is written: operations end, nothing outside guest memory is
 * accessed, what they return is sound, and after the first complaint the queue is broken.
 *
 * Linux's code lets some things pass that ours refuses.  They are counted, not judged, and printed
 * at the end.
 */
#include "ring_rig.h"

#define HELD_MAX 8u
#define CHAINS_MAX OPS_MAX
#define TABLES (TABLES_BYTES / (32u * 4u))

static struct hostile {
	struct dp_elem elem;
	uint16_t held[HELD_MAX], held_ndescs[HELD_MAX]; /* heads that were popped and not used */
	unsigned holds;
	/* the driver under test */
	struct {
		bool out;
		uint16_t ndescs;
		uint32_t in_bytes;
		int table;
	} chain[CHAINS_MAX];
	uint32_t exposed, got;
	unsigned descs_out;
	bool table_busy[TABLES];
	uint32_t spared; /* bytes at the beginning of the rings that are not written */
} hostile;

/* What passes in Linux's code or a plugin, and not in ours. */
static struct {
	unsigned long empty_buffers, long_chains, round_and_round, in_flight, used_lengths;
} passes;

static void
begin(struct rig *r)
{
	memset(&hostile, 0, sizeof(hostile));
	r->table_stride = 4 * (r->drv->table_entry_bytes ? r->drv->table_entry_bytes : 16);
}

/* --- writes of the hostile side ------------------------------------------------------------- */

static uint64_t
hostile_value(struct rig *r, uint64_t was)
{
	switch (rig_below(r, 7)) {
	case 0:
		return rig_below(r, 8);
	case 1:
		return rig_below(r, 65536);
	case 2:
		return TABLES_AT + 16 * rig_below(r, 8);
	case 3: /* about the end of guest memory */
		return RAM_BYTES - 32 + rig_below(r, 64);
	case 4: /* sums that wrap */
		return UINT64_MAX - rig_below(r, 64);
	case 5: /* indices that go on */
		return was + rig_below(r, 4);
	default: /* flags that flip; AVAIL and USED are the highest of a packed ring's */
		return was ^ (UINT64_C(1)
			      << (rig_below(r, 3) ? rig_below(r, 3) : 7 + 8 * rig_below(r, 2)));
	}
}

static struct mutation
hostile_write(struct rig *r)
{
	static const unsigned bytes[] = { 2, 2, 4, 8 };
	struct mutation m = { .after = rig_below(r, rig_below(r, 4) ? 12 : 48),
			      .bytes = bytes[rig_below(r, 4)] };
	uint64_t was = 0;

	/* Mostly the rings, sometimes the first tables. */
	m.gpa = rig_below(r, 4) ? RINGS_AT + rig_below(r, (uint32_t)r->ring_bytes)
				: TABLES_AT + rig_below(r, 256);
	m.gpa &= ~(uint64_t)(m.bytes - 1);
	if (m.gpa < r->vring.desc + hostile.spared || m.gpa >= TABLES_AT)
		m.gpa = hostile.spared ? r->vring.device + rig_below(r, r->vring.size) * 8 : m.gpa;
	memcpy(&was, r->ram + m.gpa, m.bytes);
	m.value = hostile_value(r, was);
	return m;
}

static void
do_write(struct rig *r)
{
	struct mutation m = hostile_write(r);

	memcpy(r->ram + m.gpa, &m.value, m.bytes);
	rig_say(r, "write %u bytes at gpa 0x%llx: 0x%llx", m.bytes, (unsigned long long)m.gpa,
		(unsigned long long)m.value);
}

/* Within the operation that comes next. */
static void
do_mutate(struct rig *r)
{
	struct mutation m = hostile_write(r);

	if (r->mutations == MUTATIONS_MAX)
		return;
	r->mutation[r->mutations++] = m;
	rig_say(r, "write %u bytes at gpa 0x%llx, after %u accesses of what comes next: 0x%llx",
		m.bytes, (unsigned long long)m.gpa, m.after, (unsigned long long)m.value);
}

/* --- a hostile guest ------------------------------------------------------------------------ */

/* A plausible descriptor, in the ring or in a table, so that walks get far. */
static void
do_desc(struct rig *r)
{
	uint32_t i = rig_below(r, r->vring.size);
	bool table = !rig_below(r, 4);
	bool indirect = !table && !rig_below(r, 4);
	struct vring_desc d = {
		.addr = indirect ? TABLES_AT + 64 * rig_below(r, 4)
				 : BUFFERS_AT + rig_below(r, 16384),
		.len = indirect ? 16 * (1 + rig_below(r, 4)) : 1 + rig_below(r, 4096),
		.flags = (uint16_t)(indirect ? VRING_DESC_F_INDIRECT
					     : rig_below(r, 4) & rig_below(r, 4)),
		.next = (uint16_t)rig_below(r, table ? 4 : r->vring.size),
	};
	uint64_t gpa = table ? TABLES_AT + 16 * rig_below(r, 16) : r->vring.desc + 16 * i;

	if (r->packed) {
		struct vring_packed_desc p = { d.addr, d.len, d.next, d.flags };

		memcpy(r->ram + gpa, &p, sizeof(p));
	} else {
		memcpy(r->ram + gpa, &d, sizeof(d));
	}
	rig_say(r, "descriptor at gpa 0x%llx: 0x%llx, %u bytes, flags %u, next or id %u",
		(unsigned long long)gpa, (unsigned long long)d.addr, d.len, d.flags, d.next);
}

/* Something is available where the device looks. */
static void
do_avail(struct rig *r)
{
	struct dp_state s;

	r->dev->state(r->device, &s);
	if (r->packed) {
		struct vring_packed_desc *d =
			(struct vring_packed_desc *)(r->ram + r->vring.desc) + s.last_avail_idx;

		d->flags =
			(uint16_t)((d->flags & ~0x8080) | (s.avail_wrap_counter ? 0x80 : 0x8000));
		rig_say(r, "descriptor %u is available", s.last_avail_idx);
	} else {
		struct vring_avail *avail = (struct vring_avail *)(r->ram + r->vring.driver);

		if (rig_below(r, 8)) /* else it may have jumped */
			avail->idx = s.last_avail_idx;
		avail->ring[avail->idx % r->vring.size] =
			(uint16_t)rig_below(r, r->vring.size + !rig_below(r, 16));
		avail->idx++;
		rig_say(r, "avail.idx is %u", avail->idx);
	}
}

/* A broken queue is reset, by a guest that says where to begin. */
static void
do_reset(struct rig *r)
{
	struct dp_state s;
	uint32_t base = r->packed ? 0x80008000u + rig_below(r, r->vring.size) : 0;

	r->dev->state(r->device, &s);
	r->dev->destroy(r->device);
	must(!r->dev->init(&r->device, &r->vring, &r->host));
	RIG_DO(r, SIDE_DEVICE,
	       r->dev->set_position(r->device,
				    r->packed ? base : s.avail_idx - rig_below(r, r->vring.size)));
	hostile.holds = r->mutations = 0;
	rig_say(r, "reset");
}

static void
check_elem(struct rig *r)
{
	const struct dp_elem *e = &hostile.elem;
	unsigned n = (unsigned)e->out + e->in;
	uint64_t out = 0, in = 0;

	rig_check(r, r->packed || e->head < r->vring.size);
	rig_check(r, n > 0 && n <= (r->native_device ? r->vring.size : DP_SG_MAX));
	passes.long_chains += n > r->vring.size;
	for (unsigned i = 0; i < n; i++) {
		const struct dp_buf *b = &e->sg[i];

		rig_check(r, b->addr <= RAM_BYTES && b->len <= RAM_BYTES - b->addr);
		if (!r->native_device)
			passes.empty_buffers += !b->len;
		else
			rig_check(r, b->len > 0);
		*(i < e->out ? &out : &in) += b->len;
	}
	rig_check(r, out == e->out_bytes && in == e->in_bytes);
}

static void
check_device(struct rig *r)
{
	struct dp_state s;

	r->dev->state(r->device, &s);
	if (r->native_device)
		rig_check(r, s.inuse <= r->vring.size);
	else
		passes.in_flight += s.inuse > r->vring.size;
}

static void
do_pop(struct rig *r)
{
	struct dp_elem *e = &hostile.elem;
	unsigned before;
	struct dp_state s;
	int ret;

	r->dev->state(r->device, &s);
	if (s.broken && rig_below(r, 4))
		do_reset(r);
	before = r->complaints;
	ret = DEV(r, pop, e);
	passes.round_and_round += r->accesses > ACCESSES_MAX;
	rig_say(r, "pop: %d", ret);
	r->mutations = 0;
	r->dev->state(r->device, &s);
	rig_check(r, ret == 1 || ret == 0 || ret == -EINVAL);
	rig_check(r, (ret == -EINVAL) == s.broken && r->complaints <= before + 1);
	check_device(r);
	if (ret != 1)
		return;
	check_elem(r);
	if (hostile.holds == HELD_MAX || !rig_below(r, 8)) {
		RIG_DO(r, SIDE_DEVICE, r->dev->unpop(r->device, e));
		rig_say(r, "unpop");
		return;
	}
	hostile.held[hostile.holds] = e->head;
	hostile.held_ndescs[hostile.holds++] = e->ndescs;
}

static void
do_use(struct rig *r)
{
	struct dp_elem *e = &hostile.elem;
	unsigned n = hostile.holds ? rig_below(r, hostile.holds) + 1 : 0;

	n = n < r->vring.size ? n : r->vring.size;
	for (unsigned i = 0; i < n; i++) {
		e->head = hostile.held[--hostile.holds];
		e->ndescs = hostile.held_ndescs[hostile.holds];
		RIG_DO(r, SIDE_DEVICE,
		       r->dev->fill(r->device, e, rig_below(r, 4) ? rig_below(r, 100) : UINT32_MAX,
				    i));
	}
	RIG_DO(r, SIDE_DEVICE, r->dev->flush(r->device, n));
	rig_say(r, "fill and flush %u", n);
	RIG_CALL(r, SIDE_DEVICE, r->dev->should_notify(r->device));
	r->mutations = 0;
	check_device(r);
}

static void
do_notify(struct rig *r)
{
	unsigned which = rig_below(r, 4);

	if (which == 0)
		RIG_DO(r, SIDE_DEVICE, r->dev->disable_notify(r->device));
	else if (which == 1)
		DEV(r, enable_notify);
	else if (which == 2)
		DEV(r, empty);
	else
		DEV(r, should_notify);
	r->mutations = 0;
	rig_say(r, "%s",
		(const char *[]){ "disable_notify", "enable_notify", "empty",
				  "should_notify" }[which]);
}

static void (*const guest_operation[])(struct rig *r) = {
	do_mutate, do_write, do_desc, do_avail, do_pop, do_use, do_notify, do_reset,
};

static void
guest_op(struct rig *r, const struct op *op)
{
	guest_operation[op->what](r);
}

/* Plausible descriptors first. */
static void
begin_guest(struct rig *r)
{
	begin(r);
	prng_seed(&r->prng, r->vring.size);
	for (unsigned i = 0; i < 4u * r->vring.size; i++)
		do_desc(r);
}

static const struct rig_fuzzer guest = { begin_guest, guest_op };

static void
make_guest(struct fuzz *f, struct list *l)
{
	static const uint8_t of[] = { 0, 0, 0, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 6, 7 };

	l->count = fuzz_below(f, 600);
	for (unsigned i = 0; i < l->count; i++)
		l->op[i] = (struct op){ of[fuzz_below(f, sizeof(of))], prng_next(&f->prng) };
}

/* --- a hostile device ----------------------------------------------------------------------- */

static void
do_add(struct rig *r)
{
	struct hostile *h = &hostile;
	unsigned total = 1 + rig_below(r, 4), out = rig_below(r, total + 1);
	bool indirect = rig_below(r, 2);
	unsigned needs = indirect && r->indirect ? 1 : total;
	struct dp_buf sg[4];
	struct dp_state s;
	int table = 0;

	r->drv->state(r->driver, &s);
	if (h->exposed == CHAINS_MAX || s.broken)
		return;
	while (h->table_busy[table])
		table++;
	h->chain[h->exposed].in_bytes = 0;
	for (unsigned i = 0; i < total; i++) {
		sg[i] = (struct dp_buf){ BUFFERS_AT + rig_below(r, 16384), 1 + rig_below(r, 64) };
		if (i >= out)
			h->chain[h->exposed].in_bytes += sg[i].len;
	}

	int ret = DRV(r, add, sg, out, total - out, h->exposed, indirect,
		      TABLES_AT + (uint64_t)table * r->table_stride);

	r->mutations = 0;
	rig_say(r, "add: chain %u, %u buffers: %d", h->exposed, total, ret);
	if (total > r->vring.size || h->descs_out + needs > r->vring.size) {
		rig_check(r, ret == (total > r->vring.size ? -EINVAL : -ENOSPC));
		return;
	}
	rig_check(r, !ret);
	h->chain[h->exposed].out = h->table_busy[table] = true;
	h->chain[h->exposed].table = table;
	h->chain[h->exposed++].ndescs = (uint16_t)needs;
	h->descs_out += needs;
}

/* Something plausible is used where the driver looks. */
static void
do_used(struct rig *r)
{
	uint32_t id = rig_below(r, r->vring.size + !rig_below(r, 16)), len = rig_below(r, 64);
	struct dp_state s;

	r->drv->state(r->driver, &s);
	if (!rig_below(r, 8))
		len = UINT32_MAX - rig_below(r, 4);
	if (!r->packed) {
		struct vring_used *used = (struct vring_used *)(r->ram + r->vring.device);

		used->ring[used->idx % r->vring.size] = (struct vring_used_elem){ id, len };
		if (rig_below(r, 2))
			used->idx = s.last_used_idx;
		used->idx++;
		rig_say(r, "used.idx is %u: id %u, %u bytes", used->idx, id, len);
		return;
	}

	/* Where the driver looks only it knows: all are used, in one of the two laps. */
	struct vring_packed_desc *d = (struct vring_packed_desc *)(r->ram + r->vring.desc);
	uint16_t flags = rig_below(r, 2) ? 0x8080 : 0;

	for (uint16_t i = 0; i < r->vring.size; i++) {
		d[i].id = (uint16_t)((id + i) % r->vring.size);
		d[i].len = len;
		d[i].flags = flags;
	}
	rig_say(r, "all are used: ids from %u, %u bytes, flags 0x%x", id, len, flags);
}

static void
do_get(struct rig *r)
{
	struct hostile *h = &hostile;
	uint64_t token = 0;
	uint32_t len = 0;
	struct dp_state s;
	int ret = DRV(r, get, &token, &len);

	r->mutations = 0;
	r->drv->state(r->driver, &s);
	rig_say(r, "get: %d, chain %llu, %u bytes", ret, (unsigned long long)token, len);
	rig_check(r, ret == 1 || ret == 0 || ret == -EINVAL);
	rig_check(r, (ret == -EINVAL) == s.broken);
	rig_check(r, r->native_driver ? r->complaints == s.broken : r->complaints >= s.broken);
	if (ret == 1) {
		rig_check(r, token < h->exposed && h->chain[token].out);
		if (r->native_driver)
			rig_check(r, len <= h->chain[token].in_bytes);
		else
			passes.used_lengths += len > h->chain[token].in_bytes;
		h->chain[token].out = h->table_busy[h->chain[token].table] = false;
		h->descs_out -= h->chain[token].ndescs;
		h->got++;
	}
	rig_check(r, s.num_free == r->vring.size - h->descs_out);
	rig_check(r, s.inuse == h->exposed - h->got);
}

static void
do_callbacks(struct rig *r)
{
	unsigned which = rig_below(r, 6);
	unsigned position = which == 3 ? DRV(r, enable_cb_prepare) : 0;

	if (which == 0)
		RIG_DO(r, SIDE_DRIVER, r->drv->disable_cb(r->driver));
	else if (which == 1)
		DRV(r, enable_cb);
	else if (which == 2)
		DRV(r, enable_cb_delayed);
	else if (which == 3)
		DRV(r, poll, position);
	else if (which == 4 && r->drv->interrupt)
		DRV(r, interrupt);
	else
		DRV(r, kick_prepare);
	r->mutations = 0;
	rig_say(r, "%s",
		(const char *[]){ "disable_cb", "enable_cb", "enable_cb_delayed",
				  "enable_cb_prepare and poll", "interrupt",
				  "kick_prepare" }[which]);
}

/* A device that broke its ring is reset: all that it still has comes back once. */
static void
do_detach(struct rig *r)
{
	struct hostile *h = &hostile;
	struct dp_state s;
	uint64_t token;

	r->drv->state(r->driver, &s);
	if (!s.broken)
		return;
	while (DRV(r, detach_unused, &token) == 1) {
		rig_check(r, token < h->exposed && h->chain[token].out);
		h->chain[token].out = h->table_busy[h->chain[token].table] = false;
		h->got++;
	}
	rig_say(r, "detach_unused, and a new queue");
	rig_check(r, h->exposed == h->got);
	r->drv->destroy(r->driver);
	memset(r->ram + RINGS_AT, 0, r->ring_bytes);
	must(!r->drv->init(&r->driver, &r->vring, &r->host));
	r->complaints = h->exposed = h->got = h->descs_out = 0;
}

static void (*const device_operation[])(struct rig *r) = {
	do_mutate, do_write, do_used, do_add, do_get, do_callbacks, do_detach,
};

static void
device_op(struct rig *r, const struct op *op)
{
	device_operation[op->what](r);
}

/* LINUX: virtio_ring.c (6.1) believes the NEXT flags in a split ring's table when it gives a
 * chain's descriptors back; a device that writes there makes num_free wrong. Ours keeps its own
 * links. */
static void
begin_device(struct rig *r)
{
	begin(r);
	if (!r->native_driver && !r->packed)
		hostile.spared = 16u * r->vring.size;
}

static const struct rig_fuzzer device = { begin_device, device_op };

static void
make_device(struct fuzz *f, struct list *l)
{
	static const uint8_t of[] = { 0, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6 };

	l->count = fuzz_below(f, 600);
	for (unsigned i = 0; i < l->count; i++)
		l->op[i] = (struct op){ of[fuzz_below(f, sizeof(of))], prng_next(&f->prng) };
}

/* --- what must be found --------------------------------------------------------------------- */

/* What the compiler would put before a read of instrumented code. */
void
__tsan_read2(void *p);
void
__tsan_read8(void *p);
void
__tsan_write4(void *p);

static struct vring_desc *
first_descriptor(void)
{
	struct rig *r = &rig_storage;
	struct vring_avail *avail = (struct vring_avail *)(r->ram + r->vring.driver);
	uint16_t head = avail->ring[(uint16_t)(avail->idx - 1) % r->vring.size];

	return (struct vring_desc *)(r->ram + r->vring.desc) + head % r->vring.size;
}

/* Believes a length that it reads again. */
static int
pop_twice(struct dp_device *d, struct dp_elem *elem)
{
	int ret = datapath_native.device->pop(d, elem);
	const struct vring_desc *desc =
		(struct vring_desc *)(rig_storage.ram + rig_storage.vring.desc) + elem->head;

	if (ret == 1 && !(desc->flags & VRING_DESC_F_INDIRECT))
		elem->sg[0].len = desc->len;
	return ret;
}

/* Follows links as far as they lead. */
static int
pop_round(struct dp_device *d, struct dp_elem *elem)
{
	struct rig *r = &rig_storage;
	struct vring_desc *desc = first_descriptor();

	while (desc->flags & VRING_DESC_F_NEXT) {
		__tsan_read2(&desc->next);
		desc = (struct vring_desc *)(r->ram + r->vring.desc) + desc->next % r->vring.size;
	}
	return datapath_native.device->pop(d, elem);
}

/* Reads a table wherever it is said to be. */
static int
pop_anywhere(struct dp_device *d, struct dp_elem *elem)
{
	const struct vring_desc *desc = first_descriptor();

	if (desc->flags & VRING_DESC_F_INDIRECT && desc->addr < RAM_BYTES + MARGIN)
		__tsan_read8(rig_storage.ram + desc->addr);
	return datapath_native.device->pop(d, elem);
}

/* Writes where only the driver may. */
static int
pop_writing(struct dp_device *d, struct dp_elem *elem)
{
	int ret = datapath_native.device->pop(d, elem);

	if (ret == 1)
		__tsan_write4(&first_descriptor()->len);
	return ret;
}

static void
defects(struct rig *r)
{
	static const struct {
		const char *name;
		int (*pop)(struct dp_device *d, struct dp_elem *elem);
	} careless[] = {
		{ "a double fetch", pop_twice },
		{ "an endless walk", pop_round },
		{ "a table outside guest memory", pop_anywhere },
		{ "a write to a descriptor", pop_writing },
	};

	for (size_t i = 0; i < sizeof(careless) / sizeof(careless[0]); i++) {
		struct dp_device_ops ops = *datapath_native.device;
		struct plan p = {
			.driver = &datapath_native,
			.device = &datapath_native,
			.features = VIRTIO_BIT(VIRTIO_F_VERSION_1) |
				    VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC),
			.size = 8,
			.careless = &ops,
		};

		ops.pop = careless[i].pop;
		rig_must_find(r, &guest, make_guest, careless[i].name, &p, 200, 6);
	}
	memset(&passes, 0, sizeof(passes));
}

static void
fuzz_round(struct fuzz *f)
{
	static struct list l;
	struct rig *r = &rig_storage;
	struct plan p = rig_plan(f);
	bool by_guest = fuzz_below(f, 2);
	const struct rig_fuzzer *z = by_guest ? &guest : &device;

	(by_guest ? make_guest : make_device)(f, &l);
	if (list_fails(r, z, &p, &l))
		list_report(r, z, &p, &l, f);
}

int
main(int argc, char **argv)
{
	int status = rig_main(
		&(struct rig_main){ argc, argv, "ring_hostile", 20000, defects, fuzz_round, 1 });

	printf("what others let pass and native rings do not: %lu empty buffers, "
	       "%lu chains longer than the queue, %lu that lead through a table again and again, "
	       "%lu times more chains in flight than descriptors, %lu used lengths beyond the "
	       "buffers, %lu reads behind guest memory\n",
	       passes.empty_buffers, passes.long_chains, passes.round_and_round, passes.in_flight,
	       passes.used_lengths, rig_storage.past_the_end);
	return status;
}
