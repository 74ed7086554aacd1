/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driver side of the split virtqueue.  Invariants, between operations on a live queue:
 *	num_free + sum of ndescs over outstanding heads == size
 *	outstanding == avail_idx_shadow - last_used_idx (mod 2^16)
 * Free descriptors are a list through next[]; with VIRTIO_F_IN_ORDER they are instead the stretch
 * of the table that begins at free_head, since descriptors go round in ring order (2.7.5).
 */
#include <errno.h>

#include "virtio/ring_split.h"
#include "virtio/ring_split_impl.h"

/* What the driver knows of the chain that begins at a descriptor. */
struct exposed {
	uint64_t token;
	uint64_t in_bytes; /* most that the device may say it wrote */
	uint16_t ndescs; /* descriptors of the table; 0: no chain begins here */
	uint16_t next; /* shadow of desc[].next: the device must not lead us astray */
};

struct dp_driver {
	struct dp_host host;
	struct split_vring vr;
	uint64_t quirks;
	size_t bytes; /* of this object */
	uint16_t index; /* of the queue */
	bool event, indirect, in_order, broken;
	uint16_t avail_idx_shadow, avail_flags_shadow;
	uint16_t num_added; /* since the last kick_prepare() */
	bool kick_owed; /* num_added went round */
	uint16_t last_used_idx;
	uint16_t outstanding; /* chains */
	uint16_t num_free, free_head;
	uint16_t in_order_head; /* IN_ORDER: the oldest outstanding chain */
	bool batch; /* IN_ORDER: within a batch that ends with batch_last */
	struct vring_used_elem batch_last;
	struct exposed head[];
};

static bool
driver_quirk(const struct dp_driver *d, enum dp_quirk q)
{
	return d->quirks & q;
}

static int
device_broke(struct dp_driver *d, const char *what, uint64_t value)
{
	d->broken = true;
	d->host.guest_error(d->host.ctx, what, value);
	return -EINVAL;
}

/* --- life ----------------------------------------------------------------------------------- */

static int
split_driver_init(struct dp_driver **driver, const struct dp_vring *vring,
		  const struct dp_host *host)
{
	size_t bytes = sizeof(struct dp_driver) + vring->size * sizeof(struct exposed);
	bool event = virtio_has(vring->features, VIRTIO_RING_F_EVENT_IDX);
	struct split_vring vr;

	if (virtio_has(vring->features, VIRTIO_F_RING_PACKED))
		return -ENOTSUP;
	if (split_vring_map(&vr, vring, host, event))
		return -EINVAL;

	struct dp_driver *d = host->alloc(host->ctx, bytes);

	if (!d)
		return -ENOMEM;
	d->host = *host;
	d->vr = vr;
	d->quirks = vring->quirks;
	d->bytes = bytes;
	d->index = vring->index;
	d->event = event;
	d->indirect = virtio_has(vring->features, VIRTIO_RING_F_INDIRECT_DESC);
	d->in_order = virtio_has(vring->features, VIRTIO_F_IN_ORDER);
	d->num_free = vr.size;
	for (uint16_t i = 0; i < vr.size; i++)
		d->head[i].next = (uint16_t)((i + 1) & vr.mask);
	if (vring->start_idx) {
		d->avail_idx_shadow = d->last_used_idx = vring->start_idx;
		DP_WRITE_ONCE(vr.avail->idx, vring->start_idx);
		DP_WRITE_ONCE(vr.used->idx, vring->start_idx);
		if (event) {
			DP_WRITE_ONCE(*vr.used_event, vring->start_idx);
			DP_WRITE_ONCE(*vr.avail_event, vring->start_idx);
		}
	}
	*driver = d;
	return 0;
}

static void
split_driver_destroy(struct dp_driver *d)
{
	d->host.free(d->host.ctx, d, d->bytes);
}

/* --- add ------------------------------------------------------------------------------------ */

static uint16_t
desc_flags(unsigned i, unsigned out, unsigned total)
{
	return (uint16_t)((i >= out ? VRING_DESC_F_WRITE : 0) |
			  (i + 1 < total ? VRING_DESC_F_NEXT : 0));
}

/* Take descriptors from the free ones for a chain of @total; returns its head. */
static uint16_t
add_direct(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned total)
{
	uint16_t first = d->free_head, i = first;

	for (unsigned n = 0; n < total; n++) {
		split_desc_write(&d->vr.desc[i], sg[n].addr, sg[n].len, desc_flags(n, out, total),
				 d->head[i].next);
		i = d->head[i].next;
	}
	d->free_head = i;
	d->num_free = (uint16_t)(d->num_free - total);
	d->head[first].ndescs = (uint16_t)total;
	return first;
}

/* The same with all of the chain in the table at gpa @table, and one descriptor that refers to
 * it. */
static uint16_t
add_indirect(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned total,
	     uint64_t table, struct vring_desc *entry)
{
	struct dp_buf whole = { table, total * (uint32_t)sizeof(*entry) };
	uint16_t first = d->free_head;

	/* next counts up also where nothing follows: IN_ORDER wants 1, 2, 3 … (2.7.5.3.1). */
	for (unsigned n = 0; n < total; n++)
		split_desc_write(&entry[n], sg[n].addr, sg[n].len, desc_flags(n, out, total),
				 (uint16_t)(n + 1 < total ? n + 1 : 0));
	split_desc_write(&d->vr.desc[first], whole.addr, whole.len, VRING_DESC_F_INDIRECT,
			 d->head[first].next);
	d->free_head = d->head[first].next;
	d->num_free--;
	d->head[first].ndescs = 1;
	return first;
}

static void
expose(struct dp_driver *d, uint16_t first)
{
	DP_WRITE_ONCE(d->vr.avail->ring[d->avail_idx_shadow & d->vr.mask], first);
	/* Descriptors and ring entry must be there before the index that lets the device look at
	 * them (2.7.13.3.1). */
	dp_wmb();
	d->avail_idx_shadow++;
	DP_WRITE_ONCE(d->vr.avail->idx, d->avail_idx_shadow);
	d->outstanding++;
	/* Linux kicks by itself when 2^16 - 1 were added without asking; we answer yes the next
	 * time. */
	if (++d->num_added == UINT16_MAX)
		d->kick_owed = true;
}

static int
split_driver_add(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned in,
		 uint64_t token, bool indirect, uint64_t table)
{
	unsigned total = out + in;
	struct vring_desc *entry = NULL;
	uint64_t in_bytes = 0;
	uint16_t first;

	if (d->broken)
		return -EIO;
	/* A chain may not be longer than the queue; that the entries of an indirect table count is
	 * the strict reading of 2.7.5.3.1. */
	if (!total || out > d->vr.size || in > d->vr.size || total > d->vr.size)
		return -EINVAL;
	indirect = indirect && d->indirect;
	if (d->num_free < (indirect ? 1 : total))
		return -ENOSPC;
	if (indirect) {
		entry = table % VRING_DESC_ALIGN_SIZE
				? NULL
				: d->host.map(d->host.ctx, table, total * sizeof(*entry));
		if (!entry)
			return -EINVAL;
	}
	for (unsigned n = out; n < total; n++)
		in_bytes += sg[n].len;
	first = indirect ? add_indirect(d, sg, out, total, table, entry)
			 : add_direct(d, sg, out, total);
	d->head[first].token = token;
	d->head[first].in_bytes = in_bytes;
	expose(d, first);
	return 0;
}

/* --- kick ----------------------------------------------------------------------------------- */

static bool
split_driver_kick_prepare(struct dp_driver *d)
{
	uint16_t new_idx = d->avail_idx_shadow, old = (uint16_t)(new_idx - d->num_added);
	bool owed = d->kick_owed;

	if (d->broken)
		return false;
	/* The index must be visible before we look whether the device wants to know of it: else it
	 * may ask, look and sleep in between (2.7.13.4.1). Quirk: DPDK before d21d05c7a9 had no
	 * barrier. */
	if (!driver_quirk(d, DP_QUIRK_DRIVER_KICK_SKIP_MB))
		dp_mb();
	d->num_added = 0;
	d->kick_owed = false;
	if (!d->event)
		return !(DP_READ_ONCE(d->vr.used->flags) & VRING_USED_F_NO_NOTIFY);

	uint16_t event = DP_READ_ONCE(*d->vr.avail_event);

	/* Quirk: should_notify() of rcore-os/virtio-drivers since 7385d61 compares numbers. True
	 * more often than needed before the wrap, and not when needed after it. */
	if (driver_quirk(d, DP_QUIRK_DRIVER_KICK_NO_WRAP))
		return new_idx >= (uint16_t)(event + 1);
	return owed || vring_need_event(event, new_idx, old);
}

static uint32_t
split_driver_notify_data(struct dp_driver *d)
{
	return virtio_notification_data(d->index, d->avail_idx_shadow);
}

/* --- get ------------------------------------------------------------------------------------ */

/* Give the chain at @first back to the free descriptors. */
static void
detach(struct dp_driver *d, uint16_t first)
{
	uint16_t ndescs = d->head[first].ndescs, last = first;

	if (d->in_order) {
		d->in_order_head = (uint16_t)((first + ndescs) & d->vr.mask);
	} else {
		for (uint16_t n = 1; n < ndescs; n++)
			last = d->head[last].next;
		d->head[last].next = d->free_head;
		d->free_head = first;
	}
	d->num_free = (uint16_t)(d->num_free + ndescs);
	d->head[first].ndescs = 0;
	d->outstanding--;
}

/* The used element at last_used_idx, checked against what we know is out. */
static int
used_elem(struct dp_driver *d, struct vring_used_elem *elem)
{
	const struct vring_used_elem *from = &d->vr.used->ring[d->last_used_idx & d->vr.mask];
	uint32_t id = DP_READ_ONCE(from->id), len = DP_READ_ONCE(from->len);

	if (id >= d->vr.size)
		return device_broke(d, "used id is out of range", id);
	if (!d->head[id].ndescs)
		return device_broke(d, "used id is not the head of an outstanding chain", id);
	if (len > d->head[id].in_bytes)
		return device_broke(d, "used len is larger than the writable buffers", len);
	*elem = (struct vring_used_elem){ id, len };
	return 0;
}

/*
 * IN_ORDER (2.7.9): one element may stand for a batch; it names the batch's last chain and stands
 * where the first one's would.  What it skips was used completely.
 */
static int
used_in_order(struct dp_driver *d, uint16_t used_idx, struct vring_used_elem *elem)
{
	uint16_t first = d->in_order_head, last = first, count = 1;

	if (!d->batch) {
		int ret = used_elem(d, &d->batch_last);

		if (ret)
			return ret;
		for (; last != d->batch_last.id; count++)
			last = (uint16_t)((last + d->head[last].ndescs) & d->vr.mask);
		if (count > (uint16_t)(used_idx - d->last_used_idx))
			return device_broke(d, "used id lies beyond used idx", d->batch_last.id);
		d->batch = true;
	}
	if (first == d->batch_last.id) {
		*elem = d->batch_last;
		d->batch = false;
	} else {
		*elem = (struct vring_used_elem){ first, (uint32_t)d->head[first].in_bytes };
	}
	return 0;
}

static int
split_driver_get(struct dp_driver *d, uint64_t *token, uint32_t *len)
{
	struct vring_used_elem elem;

	if (d->broken)
		return -EINVAL;

	uint16_t used_idx = DP_READ_ONCE(d->vr.used->idx);
	uint16_t ahead = (uint16_t)(used_idx - d->last_used_idx);

	if (!ahead)
		return 0;
	if (ahead > d->outstanding)
		return device_broke(d, "used idx is ahead of what was made available", used_idx);
	/* Element and buffers only after the index that says they are there. */
	dp_rmb();

	int ret = d->in_order ? used_in_order(d, used_idx, &elem) : used_elem(d, &elem);

	if (ret)
		return ret;
	*token = d->head[elem.id].token;
	*len = elem.len;
	detach(d, (uint16_t)elem.id);
	d->last_used_idx++;
	/*
	 * Where an interrupt is wanted, want it for the next one.  Quirk: 35395770f803 in
	 * linux-next left used_event behind once the device had interrupted; 9p, which never calls
	 * enable_cb(), was not interrupted again.
	 */
	if (d->event && !(d->avail_flags_shadow & VRING_AVAIL_F_NO_INTERRUPT) &&
	    !driver_quirk(d, DP_QUIRK_DRIVER_STALE_USED_EVENT)) {
		DP_WRITE_ONCE(*d->vr.used_event, d->last_used_idx);
		/* Before the next get() looks at used idx and finds nothing. */
		dp_mb();
	}
	return 1;
}

/* --- callbacks ------------------------------------------------------------------------------ */

static void
split_driver_disable_cb(struct dp_driver *d)
{
	if (d->avail_flags_shadow & VRING_AVAIL_F_NO_INTERRUPT)
		return;
	d->avail_flags_shadow |= VRING_AVAIL_F_NO_INTERRUPT;
	/* With the event index there is no "off": 0 is far behind most of the time, as in Linux.
	 * avail.flags must stay 0 then (2.7.7.1). */
	if (d->event)
		DP_WRITE_ONCE(*d->vr.used_event, 0);
	else
		DP_WRITE_ONCE(d->vr.avail->flags, d->avail_flags_shadow);
}

static void
clear_no_interrupt(struct dp_driver *d)
{
	if (!(d->avail_flags_shadow & VRING_AVAIL_F_NO_INTERRUPT))
		return;
	d->avail_flags_shadow &= (uint16_t)~VRING_AVAIL_F_NO_INTERRUPT;
	if (!d->event)
		DP_WRITE_ONCE(d->vr.avail->flags, d->avail_flags_shadow);
}

static unsigned
split_driver_enable_cb_prepare(struct dp_driver *d)
{
	clear_no_interrupt(d);
	if (d->event)
		DP_WRITE_ONCE(*d->vr.used_event, d->last_used_idx);
	return d->last_used_idx;
}

static bool
split_driver_poll(struct dp_driver *d, unsigned position)
{
	if (d->broken)
		return false;
	/* That we want interrupts must be visible before we look whether one is late already: else
	 * the device may publish and decide in between. Quirk: DPDK before 8f66bc4ac3. */
	if (!driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_SKIP_MB))
		dp_mb();
	return (uint16_t)position != DP_READ_ONCE(d->vr.used->idx);
}

static bool
split_driver_enable_cb(struct dp_driver *d)
{
	unsigned position = split_driver_enable_cb_prepare(d);

	/* Quirk: rcore-os/virtio-drivers' set_dev_notify() leaves the look to its callers. */
	if (driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK))
		return true;
	return !split_driver_poll(d, position);
}

static bool
split_driver_enable_cb_delayed(struct dp_driver *d)
{
	uint16_t bufs = (uint16_t)((uint32_t)d->outstanding * 3 / 4);

	clear_no_interrupt(d);
	if (d->event)
		DP_WRITE_ONCE(*d->vr.used_event, (uint16_t)(d->last_used_idx + bufs));
	if (driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK))
		return true;
	/* As in poll(). */
	if (!driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_SKIP_MB))
		dp_mb();
	return (uint16_t)(DP_READ_ONCE(d->vr.used->idx) - d->last_used_idx) <= bufs;
}

/* --- the rest ------------------------------------------------------------------------------- */

static int
split_driver_detach_unused(struct dp_driver *d, uint64_t *token)
{
	/* The queue is dead: nothing of it is in anybody's hands, so the rings are left as they
	 * are. */
	for (uint16_t i = 0; i < d->vr.size; i++) {
		if (!d->head[i].ndescs)
			continue;
		*token = d->head[i].token;
		detach(d, i);
		return 1;
	}
	return 0;
}

/* A look from outside: not an access of the driver. */
static DP_UNSEEN void
split_driver_state(struct dp_driver *d, struct dp_state *state)
{
	const struct split_vring *vr = &d->vr;

	*state = (struct dp_state){
		.avail_idx = vr->avail->idx,
		.last_used_idx = d->last_used_idx,
		.used_idx = vr->used->idx,
		.used_event = d->event ? *vr->used_event : 0,
		.avail_event = d->event ? *vr->avail_event : 0,
		.avail_flags = vr->avail->flags,
		.used_flags = vr->used->flags,
		.inuse = d->outstanding,
		.num_free = d->num_free,
		.event_idx = d->event,
		.broken = d->broken,
		.callbacks_enabled = !(d->avail_flags_shadow & VRING_AVAIL_F_NO_INTERRUPT),
	};
}

const struct dp_driver_ops ring_split_driver_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "native",
	.features = RING_SPLIT_FEATURES,
	.init = split_driver_init,
	.destroy = split_driver_destroy,
	.add = split_driver_add,
	.kick_prepare = split_driver_kick_prepare,
	.notify_data = split_driver_notify_data,
	.get = split_driver_get,
	.disable_cb = split_driver_disable_cb,
	.enable_cb_prepare = split_driver_enable_cb_prepare,
	.poll = split_driver_poll,
	.enable_cb = split_driver_enable_cb,
	.enable_cb_delayed = split_driver_enable_cb_delayed,
	.detach_unused = split_driver_detach_unused,
	.state = split_driver_state,
};
