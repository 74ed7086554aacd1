/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two sides of a ring against a slow queue: native and Linux's code on either side, split and
 * packed, with all combinations of features that both sides have.
 *
 * The model is a list of all chains ever exposed and where each stands (exposed, popped, filled,
 * used, got): chains come out of pop() in order and with their buffers unchanged, each is got
 * exactly once with its token and length (INV-CONS), and whoever was told that there is nothing to
 * do is notified of what came afterwards (INV-NOLOST).  Positions count chains in a split ring and
 * descriptors in a packed one.
 *
 * What Linux's code answers otherwise than ours is said at its place: LINUX.
 */
#include "ring_rig.h"

#define CHAINS_MAX OPS_MAX
#define SG_MAX 6u
#define TABLES (TABLES_BYTES / (32u * SG_MAX))
#define NOT_OURS 0x5a5au /* behind the rings, where no event index was negotiated */

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
	uint32_t since; /* position at which it fell asleep */
	uint32_t patience; /* it need not be woken before that much more came */
};

/* --- the model ------------------------------------------------------------------------------ */

static struct model {
	struct chain chain[CHAINS_MAX];
	uint32_t exposed, popped, used, got; /* chains [0, exposed) … in order of each stage */
	uint32_t used_order[CHAINS_MAX], by_used;
	uint32_t pos_added, pos_popped, pos_used, pos_got; /* the same, as positions */
	uint32_t known; /* position up to which the device has seen what is available */
	bool table_busy[TABLES];
	unsigned descs_out;
	bool callbacks, kicks; /* wanted */
	bool callbacks_by_event, kicks_by_event; /* … at a position, not always */
	struct sleeper driver_sleeps, device_sleeps;
	struct dp_elem elem;
	bool kick_owed; /* LINUX: it notified by itself where a chain did not fit */
	bool call_owed; /* LINUX: vringh's next answer after a hand-over */
	bool interrupted; /* LINUX: event_triggered may stand for a write to the event fields */
	bool done;
} model;

static uint32_t
span(const struct rig *r, const struct chain *c)
{
	return r->packed ? c->ndescs : 1;
}

/* A position as the ring writes it. */
static uint16_t
written(const struct rig *r, uint32_t pos)
{
	uint32_t off = r->packed ? pos % (2u * r->vring.size) : 0;

	if (!r->packed)
		return (uint16_t)(r->vring.start_idx + pos);
	return (uint16_t)(off < r->vring.size ? off | 0x8000 : off - r->vring.size);
}

static uint16_t *
used_event(struct rig *r)
{
	return &((struct vring_avail *)(r->ram + r->vring.driver))->ring[r->vring.size];
}

static uint16_t *
avail_event(struct rig *r)
{
	return (uint16_t *)&((struct vring_used *)(r->ram + r->vring.device))->ring[r->vring.size];
}

static void
begin(struct rig *r)
{
	struct model *m = &model;

	memset(m, 0, sizeof(*m));
	m->callbacks = m->kicks = true;
	m->callbacks_by_event = m->kicks_by_event = r->event && !r->packed;
	r->table_stride = SG_MAX * (r->drv->table_entry_bytes ? r->drv->table_entry_bytes : 16);
	must(r->table_stride * TABLES <= TABLES_BYTES);
	if (!r->packed && !r->event)
		*used_event(r) = *avail_event(r) = NOT_OURS;
}

/* --- after each operation ------------------------------------------------------------------- */

static void
check_flags(struct rig *r, const struct dp_state *s)
{
	const struct model *m = &model;

	if (!r->packed) {
		/* 2.7.7.1, 2.7.10.2: flags are 0 with the event index, else as asked for. */
		rig_check(r, s->avail_flags == (!r->event && !m->callbacks));
		rig_check(r, r->event ? !s->used_flags : s->used_flags == !m->kicks);
		if (!r->event) /* LINUX: the driver writes used_event all the same */
			rig_check(r, *avail_event(r) == NOT_OURS &&
					     (!r->native_driver || *used_event(r) == NOT_OURS));
		return;
	}
	if (!m->interrupted)
		rig_check(r, s->avail_flags == (m->callbacks_by_event ? VRING_PACKED_EVENT_FLAG_DESC
								      : !m->callbacks));
	rig_check(r,
		  s->used_flags == (m->kicks_by_event ? VRING_PACKED_EVENT_FLAG_DESC : !m->kicks));
}

static void
check_state(struct rig *r)
{
	const struct model *m = &model;
	struct dp_state d, s;

	r->drv->state(r->driver, &d);
	r->dev->state(r->device, &s);
	rig_check(r, !r->complaints && !d.broken && !s.broken);
	rig_check(r, d.num_free == r->vring.size - m->descs_out);
	rig_check(r, d.inuse == m->exposed - m->got);
	rig_check(r, s.inuse == m->popped - m->used);
	check_flags(r, &s);
	if (r->packed) {
		rig_check(r, d.avail_idx == (uint16_t)m->exposed);
		rig_check(r, d.last_used_idx == (uint16_t)m->got);
		rig_check(r, d.used_idx == (uint16_t)m->used);
		rig_check(r, DEV(r, get_position) == (written(r, m->pos_popped) |
						      (uint32_t)written(r, m->pos_used) << 16));
		return;
	}
	rig_check(r, s.avail_idx == written(r, m->pos_added));
	rig_check(r, s.used_idx == written(r, m->pos_used));
	rig_check(r, s.last_avail_idx == written(r, m->pos_popped));
	rig_check(r, DEV(r, get_position) == written(r, m->pos_popped));
}

/* --- the driver's operations ---------------------------------------------------------------- */

static void
make_chain(struct rig *r, struct chain *c)
{
	unsigned total = 1 + rig_below(r, SG_MAX);

	*c = (struct chain){ .out = rig_below(r, total + 1), .table = -1 };
	c->in = total - c->out;
	for (unsigned i = 0; i < total; i++) {
		c->sg[i].addr = BUFFERS_AT + rig_below(r, 16384);
		c->sg[i].len = 1 + rig_below(r, 4096);
		if (i >= c->out)
			c->in_bytes += c->sg[i].len;
	}
}

static void
do_add(struct rig *r)
{
	struct model *m = &model;
	struct chain *c = &m->chain[m->exposed];
	bool want_indirect = rig_below(r, 2);
	int table = 0;

	if (m->exposed == CHAINS_MAX)
		return;
	make_chain(r, c);
	while (m->table_busy[table])
		table++;
	must(table < (int)TABLES);

	unsigned total = c->out + c->in, needs = want_indirect && r->indirect ? 1 : total;
	int ret = DRV(r, add, c->sg, c->out, c->in, m->exposed, want_indirect,
		      TABLES_AT + (uint64_t)table * r->table_stride);

	rig_say(r, "add: chain %u, %u readable and %u writable buffers%s: %d", m->exposed, c->out,
		c->in, want_indirect ? ", indirect" : "", ret);
	if (total > r->vring.size) {
		rig_check(r, ret == -EINVAL);
	} else if (m->descs_out + needs > r->vring.size) {
		rig_check(r, ret == -ENOSPC);
		/* LINUX: "for historical reasons"; only virtqueue_add_split() */
		m->kick_owed |= !r->native_driver && !r->packed && c->out;
	} else {
		rig_check(r, !ret);
		c->ndescs = (uint16_t)needs;
		m->descs_out += needs;
		m->pos_added += span(r, c);
		m->table_busy[c->table = table] = true;
		m->exposed++;
	}
}

static void
do_kick(struct rig *r)
{
	struct model *m = &model;
	struct sleeper *s = &m->device_sleeps;
	bool kick = DRV(r, kick_prepare);

	rig_say(r, "kick_prepare: %d", kick);
	if (!m->kicks_by_event)
		rig_check(r, kick == m->kicks || (kick && m->kick_owed));
	m->kick_owed = false;
	rig_check(r, DRV(r, notify_data) == (uint32_t)written(r, m->pos_added) << 16);
	s->notified |= kick;
	/* INV-NOLOST: the device sleeps, something came, so it was told. */
	if (s->asleep && m->pos_added != s->since)
		rig_check(r, s->notified);
}

static void
do_get(struct rig *r)
{
	struct model *m = &model;
	uint64_t token = 0;
	uint32_t len = 0;
	int ret = DRV(r, get, &token, &len);

	rig_say(r, "get: %d, chain %llu, %u bytes", ret, (unsigned long long)token, len);
	rig_check(r, ret == (m->got < m->used));
	if (!ret) {
		/* Callbacks are on and the ring was looked at: this is going to sleep, too. */
		if (m->callbacks && !m->driver_sleeps.asleep)
			m->driver_sleeps = (struct sleeper){ .asleep = true, .since = m->pos_used };
		return;
	}

	struct chain *c = &m->chain[m->used_order[m->got]];

	rig_check(r, token == m->used_order[m->got]);
	rig_check(r, c->stage == USED && len == c->len);
	c->stage = GOT;
	m->descs_out -= c->ndescs;
	m->pos_got += span(r, c);
	m->table_busy[c->table] = false;
	m->got++;
	m->driver_sleeps.asleep = false;
}

static void
do_disable_cb(struct rig *r)
{
	struct model *m = &model;

	RIG_DO(r, SIDE_DRIVER, r->drv->disable_cb(r->driver));
	rig_say(r, "disable_cb");
	m->driver_sleeps.asleep = false;
	m->callbacks = false;
	m->callbacks_by_event = r->event && !r->packed;
}

/* Asked for interrupts: @sleep if nothing was there. */
static void
callbacks_on(struct rig *r, bool sleep, uint32_t patience)
{
	struct model *m = &model;

	/* Packed: callbacks that were not disabled before stay as they were. */
	if (!m->callbacks)
		m->callbacks_by_event = r->event;
	m->callbacks = true;
	/* A sleeper that leaves used buffers behind (delayed) is woken for more of them only. */
	m->driver_sleeps = (struct sleeper){ sleep, false, m->pos_used, patience };
}

static void
do_enable_cb(struct rig *r)
{
	bool sleep = DRV(r, enable_cb);

	rig_say(r, "enable_cb: %d", sleep);
	rig_check(r, sleep == (model.got == model.used));
	callbacks_on(r, sleep, 0);
}

static void
do_poll(struct rig *r)
{
	unsigned position = DRV(r, enable_cb_prepare);
	bool more = DRV(r, poll, position);

	rig_say(r, "enable_cb_prepare and poll: %d", more);
	rig_check(r, more == (model.got < model.used));
	callbacks_on(r, !more, 0);
}

static void
do_enable_delayed(struct rig *r)
{
	struct model *m = &model;
	uint32_t ready = m->used - m->got;
	uint32_t bufs = (r->packed ? m->descs_out : m->exposed - m->got) * 3 / 4;
	bool sleep = DRV(r, enable_cb_delayed);

	rig_say(r, "enable_cb_delayed: %d", sleep);
	/* When it is "about 3/4" is a plugin's to say. */
	rig_check(r, sleep == (r->packed ? !ready : ready <= bufs) ||
			     (r->plan->driver == rig_plugin && !sleep && ready));
	callbacks_on(r, sleep, !r->event ? 0 : r->packed ? bufs : bufs - ready);
}

/* --- the device's operations ---------------------------------------------------------------- */

static void
do_pop(struct rig *r)
{
	struct model *m = &model;
	struct dp_elem *e = &m->elem;
	struct chain *c = &m->chain[m->popped];
	int ret = DEV(r, pop, e);

	rig_check(r, ret == (m->popped < m->exposed));
	if (!ret) {
		rig_say(r, "pop: 0");
		if (m->kicks && !m->device_sleeps.asleep)
			m->device_sleeps =
				(struct sleeper){ .asleep = true, .since = m->pos_popped };
		return;
	}
	rig_say(r, "pop: head %u, %u readable and %u writable buffers", e->head, e->out, e->in);
	rig_check(r, e->out == c->out && e->in == c->in && e->in_bytes == c->in_bytes);
	rig_check(r, !memcmp(e->sg, c->sg, (c->out + c->in) * sizeof(c->sg[0])));
	rig_check(r, !r->packed || e->ndescs == c->ndescs);
	m->device_sleeps.asleep = false;
	/* A split ring's device has seen all that was there when it looked. */
	if (!r->packed && m->known < m->pos_popped + 1)
		m->known = m->pos_added;
	if (m->known < m->pos_popped + span(r, c))
		m->known = m->pos_popped + span(r, c);
	if (!rig_below(r, 8)) {
		RIG_DO(r, SIDE_DEVICE, r->dev->unpop(r->device, e));
		rig_say(r, "unpop: head %u", e->head);
		rig_check(r, !DEV(r, empty));
		return;
	}
	c->stage = POPPED;
	c->head = e->head;
	m->pos_popped += span(r, c);
	m->popped++;
}

static void
do_empty(struct rig *r)
{
	struct model *m = &model;
	bool empty = DEV(r, empty);

	rig_say(r, "empty: %d", empty);
	rig_check(r, empty == (m->popped == m->exposed));
	if (!r->packed && r->native_device && m->known == m->pos_popped)
		m->known = m->pos_added;
}

static void
mark_used(struct rig *r, uint32_t i)
{
	struct model *m = &model;

	m->chain[i].stage = USED;
	m->used_order[m->used++] = i;
	m->pos_used += span(r, &m->chain[i]);
}

/* The handler runs, as vring_interrupt() decides. */
static void
interrupt(struct rig *r)
{
	struct model *m = &model;

	if (!r->drv->interrupt)
		return;

	bool handled = DRV(r, interrupt);

	rig_say(r, "interrupt: %d", handled);
	rig_check(r, handled == (m->got < m->used));
	m->interrupted = true;
}

/* Whether the device is right in what it says of an interrupt for what is used now. */
static void
check_interrupt(struct rig *r)
{
	struct model *m = &model;
	struct sleeper *s = &m->driver_sleeps;
	bool call = DEV(r, should_notify);

	rig_say(r, "should_notify: %d", call);
	if (!m->callbacks_by_event && !m->interrupted)
		rig_check(r, call == m->callbacks || (call && m->call_owed));
	m->call_owed = false;
	s->notified |= call;
	/* INV-NOLOST */
	if (s->asleep && m->pos_used - s->since > s->patience)
		rig_check(r, s->notified);
	if (call && !rig_below(r, 4))
		interrupt(r);
}

/* Fill up to four popped chains, any of them, and publish. */
static void
do_use(struct rig *r)
{
	struct model *m = &model;
	unsigned count = 0, most = 1 + rig_below(r, 4);
	uint32_t pick[4];

	for (uint32_t i = m->by_used; i < m->popped && count < most; i++) {
		struct chain *c = &m->chain[i];

		if (c->stage != POPPED || rig_below(r, 3) == 0)
			continue;
		c->stage = FILLED;
		c->len = rig_below(r, 2) ? c->in_bytes : rig_below(r, c->in_bytes + 1);
		m->elem.head = c->head;
		m->elem.ndescs = c->ndescs;
		RIG_DO(r, SIDE_DEVICE, r->dev->fill(r->device, &m->elem, c->len, count));
		rig_say(r, "fill: chain %u, head %u, %u bytes, offset %u", i, c->head, c->len,
			count);
		check_state(r);
		pick[count++] = i;
	}
	RIG_DO(r, SIDE_DEVICE, r->dev->flush(r->device, count));
	rig_say(r, "flush: %u", count);
	if (!r->in_order)
		for (unsigned n = 0; n < count; n++)
			mark_used(r, pick[n]);
	else
		for (uint32_t i = m->used; i < m->popped && m->chain[i].stage == FILLED; i++)
			mark_used(r, i);
	while (m->by_used < m->popped && m->chain[m->by_used].stage >= USED)
		m->by_used++;
	check_interrupt(r);
}

static void
do_disable_notify(struct rig *r)
{
	struct model *m = &model;

	RIG_DO(r, SIDE_DEVICE, r->dev->disable_notify(r->device));
	rig_say(r, "disable_notify");
	m->device_sleeps.asleep = false;
	m->kicks = false;
	m->kicks_by_event = r->event && !r->packed;
}

static void
do_enable_notify(struct rig *r)
{
	struct model *m = &model;
	bool more = DEV(r, enable_notify);
	/* LINUX: vringh measures against what was popped, not against what was seen. */
	uint32_t known = r->native_device ? m->known : m->pos_popped;

	rig_say(r, "enable_notify: %d", more);
	rig_check(r, more == (known != m->pos_added));
	m->known = r->packed ? m->known : m->pos_added;
	m->kicks = true;
	m->kicks_by_event = r->event;
	m->device_sleeps = (struct sleeper){ .asleep = !more, .since = m->pos_added };
}

/* Another owner takes the device side over, as vhost does from QEMU and back: nothing may be in
 * flight. */
static void
do_handover(struct rig *r)
{
	struct model *m = &model;

	if (m->popped != m->used)
		return;

	uint32_t base = DEV(r, get_position);
	struct dp_device *next = r->other;

	r->other = r->device;
	r->device = next;
	RIG_DO(r, SIDE_DEVICE, r->dev->set_position(r->device, base));
	rig_say(r, "another owner, from position 0x%x", base);
	m->known = m->pos_popped;
	m->call_owed = !r->native_device;
	/* The new owner looks by itself, and interrupts once for all that it cannot know. */
	do_enable_notify(r);
	m->device_sleeps.asleep = false;
	if (m->used != m->got)
		check_interrupt(r);
}

/* After a reset: each chain that was not got comes back once. */
static void
do_detach(struct rig *r)
{
	struct model *m = &model;
	uint64_t token = 0;

	for (uint32_t left = m->exposed - m->got; left > 0; left--) {
		rig_check(r, DRV(r, detach_unused, &token) == 1);
		rig_say(r, "detach_unused: chain %llu", (unsigned long long)token);
		rig_check(r, token < m->exposed && m->chain[token].stage != GOT);
		m->chain[token].stage = GOT;
	}
	rig_check(r, !DRV(r, detach_unused, &token));
	m->done = true;
}

/* --- lists ---------------------------------------------------------------------------------- */

static void (*const operation[])(struct rig *r) = {
	do_add,		  do_pop,
	do_use,		  do_get,
	do_kick,	  do_disable_cb,
	do_enable_cb,	  do_enable_delayed,
	do_poll,	  do_disable_notify,
	do_enable_notify, do_empty,
	do_handover,	  do_detach,
};
enum { ADD, POP, USE, GET, KICK, DISABLE_CB, EMPTY = 11, HANDOVER, DETACH };

static void
do_op(struct rig *r, const struct op *op)
{
	if (model.done)
		return;
	operation[op->what](r);
	if (!model.done)
		check_state(r);
}

static void
make_list(struct fuzz *f, struct list *l)
{
	/* Each round has its own habits, so that rings run full and empty. */
	uint32_t weight[sizeof(operation) / sizeof(operation[0])] = {
		[ADD] = 2 + fuzz_below(f, 12), [POP] = 2 + fuzz_below(f, 12),
		[USE] = 2 + fuzz_below(f, 12), [GET] = 6, [KICK] = 4,
	}, sum = 0;

	for (unsigned i = DISABLE_CB; i <= EMPTY; i++)
		weight[i] = 1 + fuzz_below(f, 2);
	weight[HANDOVER] = fuzz_below(f, 2);
	for (unsigned i = 0; i < DETACH; i++)
		sum += weight[i];
	l->count = fuzz_below(f, OPS_MAX);
	for (unsigned n = 0; n < l->count; n++) {
		uint32_t pick = fuzz_below(f, sum);
		unsigned what = 0;

		while (pick >= weight[what])
			pick -= weight[what++];
		l->op[n] = (struct op){ what, prng_next(&f->prng) };
	}
	if (l->count)
		l->op[l->count - 1].what = DETACH;
}

static const struct rig_fuzzer fuzzer = { begin, do_op };

/* --- what must be found --------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t quirk, features;
	uint16_t start_idx;
} defect[] = {
	{ "driver: kick without the wrap", DP_QUIRK_DRIVER_KICK_NO_WRAP,
	  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 65530 },
	{ "driver: no second look", DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0, 0 },
	{ "driver: stale used_event", DP_QUIRK_DRIVER_STALE_USED_EVENT,
	  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 0 },
	{ "driver: packed, delayed", DP_QUIRK_DRIVER_PACKED_DELAYED_SLOT,
	  VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 0 },
	{ "driver: packed, event of another lap", DP_QUIRK_DRIVER_PACKED_EVENT_LAP,
	  VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 0 },
	{ "device: no second look", DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, 0, 0 },
	{ "device: avail_event stays", DP_QUIRK_DEVICE_NO_AVAIL_EVENT,
	  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 0 },
	{ "device: index first", DP_QUIRK_DEVICE_IDX_BEFORE_ELEM, 0, 0 },
	{ "device: event field of others", DP_QUIRK_DEVICE_EVENT_OOB, 0, 0 },
	{ "device: used_event for equality", DP_QUIRK_DEVICE_EQUAL_USED_EVENT,
	  VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX), 0 },
	{ "device: all that is left is new", DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY, 0, 0 },
};

static void
defects(struct rig *r)
{
	for (size_t i = 0; i < sizeof(defect) / sizeof(defect[0]); i++) {
		const struct plan p = {
			.driver = &datapath_native,
			.device = &datapath_native,
			.features = VIRTIO_BIT(VIRTIO_F_VERSION_1) | defect[i].features,
			.quirks = defect[i].quirk,
			.start_idx = defect[i].start_idx,
			.size = 8,
		};

		rig_must_find(r, &fuzzer, make_list, defect[i].name, &p, 500, 20);
	}
}

static void
fuzz_round(struct fuzz *f)
{
	static struct list l;
	struct rig *r = &rig_storage;
	struct plan p = rig_plan(f);

	make_list(f, &l);
	if (list_fails(r, &fuzzer, &p, &l))
		list_report(r, &fuzzer, &p, &l, f);
}

int
main(int argc, char **argv)
{
	return rig_main(&(struct rig_main){ argc, argv, "ring", 6000, defects, fuzz_round, 1 });
}
