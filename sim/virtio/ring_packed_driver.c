/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driver side of the packed virtqueue.  Invariants, between operations on a live queue:
 *	num_free + sum of ndescs over outstanding ids == size
 *	next_avail is num_free descriptors behind last_used, a lap on
 * Free buffer ids are a list through next; with VIRTIO_F_IN_ORDER outstanding ones are a list too,
 * oldest first.
 */
#include <errno.h>

#include "virtio/ring_packed.h"
#include "virtio/ring_packed_impl.h"

/* What the driver knows of a buffer id. */
struct buffer {
	uint64_t token;
	uint64_t in_bytes; /* most that the device may say it wrote */
	uint16_t ndescs; /* descriptors of the ring; 0: the id is free */
	uint16_t next; /* in the list of free or of outstanding ids */
};

struct used {
	uint16_t id;
	uint32_t len;
};

struct dp_driver {
	struct dp_host host;
	struct packed_vring vr;
	uint64_t quirks;
	size_t bytes; /* of this object */
	uint16_t index; /* of the queue */
	bool event, indirect, in_order, broken;
	struct packed_pos next_avail, last_used;
	uint16_t event_flags_shadow;
	uint16_t num_added; /* descriptors since the last kick_prepare() */
	bool kick_owed; /* num_added went round */
	uint16_t added, outstanding; /* chains: ever, modulo 2^16, and now */
	uint16_t num_free, free_id;
	uint16_t oldest, newest; /* IN_ORDER: outstanding ids, if there are any */
	bool batch; /* IN_ORDER: within a batch that ends with batch_last */
	struct used batch_last;
	struct buffer buffer[];
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
packed_driver_init(struct dp_driver **driver, const struct dp_vring *vring,
		   const struct dp_host *host)
{
	size_t bytes = sizeof(struct dp_driver) + vring->size * sizeof(struct buffer);
	struct packed_vring vr;

	if (!virtio_has(vring->features, VIRTIO_F_RING_PACKED) || vring->start_idx)
		return -ENOTSUP;
	if (packed_vring_map(&vr, vring, host))
		return -EINVAL;

	struct dp_driver *d = host->alloc(host->ctx, bytes);

	if (!d)
		return -ENOMEM;
	d->host = *host;
	d->vr = vr;
	d->quirks = vring->quirks;
	d->bytes = bytes;
	d->index = vring->index;
	d->event = virtio_has(vring->features, VIRTIO_RING_F_EVENT_IDX);
	d->indirect = virtio_has(vring->features, VIRTIO_RING_F_INDIRECT_DESC);
	d->in_order = virtio_has(vring->features, VIRTIO_F_IN_ORDER);
	d->next_avail.wrap = d->last_used.wrap = true; /* 2.8.1 */
	d->num_free = vr.size;
	for (uint16_t i = 0; i < vr.size; i++)
		d->buffer[i].next = (uint16_t)(i + 1);
	*driver = d;
	return 0;
}

static void
packed_driver_destroy(struct dp_driver *d)
{
	d->host.free(d->host.ctx, d, d->bytes);
}

/* --- add ------------------------------------------------------------------------------------ */

/* Write @n descriptors from next_avail on; those of the first one's flags come last. */
static void
expose(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned n, uint16_t extra)
{
	struct vring_packed_desc *head = &d->vr.desc[d->next_avail.off];
	uint16_t id = d->free_id, head_flags = 0;
	struct packed_pos at = d->next_avail;

	for (unsigned i = 0; i < n; i++, at = packed_forth(&d->vr, at, 1)) {
		struct vring_packed_desc desc = {
			sg[i].addr,
			sg[i].len,
			id,
			(uint16_t)(packed_avail_flags(at.wrap) | extra |
				   (i >= out ? VRING_DESC_F_WRITE : 0) |
				   (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
		};

		if (i) {
			packed_desc_write(&d->vr.desc[at.off], &desc);
			continue;
		}
		DP_WRITE_ONCE(head->addr, desc.addr);
		DP_WRITE_ONCE(head->len, desc.len);
		DP_WRITE_ONCE(head->id, desc.id);
		head_flags = desc.flags;
	}
	/* The chain must be there before the flags that let the device look at it (2.8.21.1). */
	dp_wmb();
	DP_WRITE_ONCE(head->flags, head_flags);
	d->next_avail = at;
	d->num_free = (uint16_t)(d->num_free - n);
	/* Linux kicks by itself when 2^16 - 1 were added without asking; we answer yes the next
	 * time. */
	if (d->num_added + n > UINT16_MAX)
		d->kick_owed = true;
	d->num_added = (uint16_t)(d->num_added + n);
}

/* The next free id, for a chain of @ndescs. */
static void
take_id(struct dp_driver *d, uint64_t token, uint64_t in_bytes, unsigned ndescs)
{
	uint16_t id = d->free_id;

	d->free_id = d->buffer[id].next;
	d->buffer[id].token = token;
	d->buffer[id].in_bytes = in_bytes;
	d->buffer[id].ndescs = (uint16_t)ndescs;
	d->added++;
	if (!d->outstanding++)
		d->oldest = id;
	else if (d->in_order)
		d->buffer[d->newest].next = id;
	d->newest = id;
}

static int
packed_driver_add(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned in,
		  uint64_t token, bool indirect, uint64_t table)
{
	struct vring_packed_desc *entry = NULL;
	unsigned total = out + in;
	uint64_t in_bytes = 0;

	if (d->broken)
		return -EIO;
	if (!total || out > d->vr.size || in > d->vr.size || total > d->vr.size)
		return -EINVAL;
	indirect = indirect && d->indirect;
	if (d->num_free < (indirect ? 1 : total))
		return -ENOSPC;
	if (indirect) {
		entry = table % VRING_PACKED_DESC_ALIGN_SIZE
				? NULL
				: d->host.map(d->host.ctx, table, total * sizeof(*entry));
		if (!entry)
			return -EINVAL;
	}
	for (unsigned n = out; n < total; n++)
		in_bytes += sg[n].len;
	if (indirect) {
		struct dp_buf whole = { table, total * (uint32_t)sizeof(*entry) };

		/* id is reserved here, and of the flags only WRITE means something (2.8.7). */
		for (unsigned n = 0; n < total; n++)
			packed_desc_write(&entry[n], &(struct vring_packed_desc){
							     sg[n].addr, sg[n].len, 0,
							     n >= out ? VRING_DESC_F_WRITE : 0 });
		expose(d, &whole, 1, 1, VRING_DESC_F_INDIRECT);
	} else {
		expose(d, sg, out, total, 0);
	}
	take_id(d, token, in_bytes, indirect ? 1 : total);
	return 0;
}

/* --- kick ----------------------------------------------------------------------------------- */

static bool
packed_driver_kick_prepare(struct dp_driver *d)
{
	typedef uint32_t __attribute__((may_alias)) event_word;
	uint16_t old = (uint16_t)(d->next_avail.off - d->num_added);
	bool owed = d->kick_owed;
	union {
		event_word word;
		struct vring_packed_desc_event event;
	} e;

	if (d->broken)
		return false;
	/* The flags must be visible before we look whether the device wants to know of them: else
	 * it may ask, look and sleep in between (2.8.21.3.1). */
	if (!driver_quirk(d, DP_QUIRK_DRIVER_KICK_SKIP_MB))
		dp_mb();
	d->num_added = 0;
	d->kick_owed = false;
	/* Both fields at once: a new offset with old flags would be somebody else's question. */
	e.word = DP_READ_ONCE(*(const event_word *)d->vr.device);
	if (e.event.flags != VRING_PACKED_EVENT_FLAG_DESC)
		return e.event.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* Quirk: as if both were of the same lap. Where the driver has wrapped and the event has
	 * not, the step seems to begin behind it. */
	if (driver_quirk(d, DP_QUIRK_DRIVER_PACKED_EVENT_LAP))
		return owed ||
		       vring_need_event(packed_pos(e.event.off_wrap).off, d->next_avail.off, old);
	return owed || packed_need_event(&d->vr, d->next_avail, e.event.off_wrap, old);
}

static uint32_t
packed_driver_notify_data(struct dp_driver *d)
{
	return virtio_notification_data(d->index, packed_off_wrap(d->next_avail));
}

/* --- get ------------------------------------------------------------------------------------ */

/* Give the chain @id, with IN_ORDER the oldest one, back to the free descriptors and ids. */
static void
detach(struct dp_driver *d, uint16_t id)
{
	struct buffer *b = &d->buffer[id];

	if (d->in_order)
		d->oldest = b->next;
	b->next = d->free_id;
	d->free_id = id;
	d->num_free = (uint16_t)(d->num_free + b->ndescs);
	b->ndescs = 0;
	d->outstanding--;
}

/*
 * The used descriptor at last_used: 1, 0 if there is none.  Its contents only after the flags that
 * say that they are there.  Quirk: DPDK's driver before 4b058fdd27 had no read barrier between the
 * two; here the loads are made in the order that was possible then.
 */
static int
look(struct dp_driver *d, struct used *used)
{
	const struct vring_packed_desc *desc = &d->vr.desc[d->last_used.off];
	bool early = driver_quirk(d, DP_QUIRK_DRIVER_PACKED_CONTENT_FIRST);

	if (early)
		*used = (struct used){ DP_READ_ONCE(desc->id), DP_READ_ONCE(desc->len) };
	if (!packed_is_used(DP_READ_ONCE(desc->flags), d->last_used.wrap))
		return 0;
	if (early)
		return 1;
	dp_rmb();
	used->id = DP_READ_ONCE(desc->id);
	/* Whether WRITE is set or not, as in Linux: QEMU does not set it. */
	used->len = DP_READ_ONCE(desc->len);
	return 1;
}

static int
used_check(struct dp_driver *d, const struct used *used)
{
	if (used->id >= d->vr.size)
		return device_broke(d, "used id is out of range", used->id);
	if (!d->buffer[used->id].ndescs)
		return device_broke(d, "used id is not that of an outstanding buffer", used->id);
	if (used->len > d->buffer[used->id].in_bytes)
		return device_broke(d, "used len is larger than the writable buffers", used->len);
	return 1;
}

/*
 * IN_ORDER (2.8.8): one used descriptor may stand for a batch; it has the id of the batch's last
 * buffer and stands where the first one's would.  What it skips was used completely.
 */
static int
used_in_order(struct dp_driver *d, struct used *used)
{
	if (!d->batch) {
		int ret = look(d, &d->batch_last);

		if (ret == 1)
			ret = used_check(d, &d->batch_last);
		if (ret != 1)
			return ret;
		d->batch = true;
	}
	if (d->oldest == d->batch_last.id) {
		*used = d->batch_last;
		d->batch = false;
	} else {
		*used = (struct used){ d->oldest, (uint32_t)d->buffer[d->oldest].in_bytes };
	}
	return 1;
}

static int
packed_driver_get(struct dp_driver *d, uint64_t *token, uint32_t *len)
{
	struct used used;
	int ret;

	if (d->broken)
		return -EINVAL;
	if (d->in_order) {
		ret = used_in_order(d, &used);
	} else {
		ret = look(d, &used);
		if (ret == 1)
			ret = used_check(d, &used);
	}
	if (ret != 1)
		return ret;
	*token = d->buffer[used.id].token;
	*len = used.len;
	d->last_used = packed_forth(&d->vr, d->last_used, d->buffer[used.id].ndescs);
	detach(d, used.id);
	/* Where an interrupt is wanted at a descriptor, want it for the next one. Quirk: as in the
	 * split ring. */
	if (d->event_flags_shadow == VRING_PACKED_EVENT_FLAG_DESC &&
	    !driver_quirk(d, DP_QUIRK_DRIVER_STALE_USED_EVENT)) {
		DP_WRITE_ONCE(d->vr.driver->off_wrap, packed_off_wrap(d->last_used));
		/* Before the next get() looks at the descriptor and finds it not used. */
		dp_mb();
	}
	return 1;
}

/* --- callbacks ------------------------------------------------------------------------------ */

static void
write_event_flags(struct dp_driver *d, uint16_t flags)
{
	if (d->event_flags_shadow == flags)
		return;
	d->event_flags_shadow = flags;
	DP_WRITE_ONCE(d->vr.driver->flags, flags);
}

static void
packed_driver_disable_cb(struct dp_driver *d)
{
	write_event_flags(d, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/* Ask for an interrupt when what is at @at gets used; without EVENT_IDX, for any. */
static void
want_event(struct dp_driver *d, struct packed_pos at)
{
	if (!d->event) {
		write_event_flags(d, VRING_PACKED_EVENT_FLAG_ENABLE);
		return;
	}
	DP_WRITE_ONCE(d->vr.driver->off_wrap, packed_off_wrap(at));
	/* The position before the flags that make it count. */
	dp_wmb();
	/* Callbacks that were never disabled stay as they are, as in Linux: always. */
	if (d->event_flags_shadow == VRING_PACKED_EVENT_FLAG_DISABLE)
		write_event_flags(d, VRING_PACKED_EVENT_FLAG_DESC);
}

static unsigned
packed_driver_enable_cb_prepare(struct dp_driver *d)
{
	want_event(d, d->last_used);
	return packed_off_wrap(d->last_used);
}

static bool
is_used(const struct dp_driver *d, struct packed_pos at)
{
	/* In a batch the ring shows nothing: what the device skipped is used nevertheless. */
	if (d->batch && at.off == d->last_used.off && at.wrap == d->last_used.wrap)
		return true;
	return packed_is_used(DP_READ_ONCE(d->vr.desc[at.off].flags), at.wrap);
}

static bool
packed_driver_poll(struct dp_driver *d, unsigned position)
{
	struct packed_pos at = packed_pos((uint16_t)position);

	if (d->broken || at.off >= d->vr.size)
		return false;
	/* That we want interrupts must be visible before we look whether one is late already: else
	 * the device may publish and decide in between. */
	if (!driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_SKIP_MB))
		dp_mb();
	/* What was got since @position was used since; IN_ORDER may have skipped its descriptor. */
	if (d->in_order && position != packed_off_wrap(d->last_used))
		return true;
	return is_used(d, at);
}

static bool
packed_driver_enable_cb(struct dp_driver *d)
{
	unsigned position = packed_driver_enable_cb_prepare(d);

	if (driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK))
		return true;
	return !packed_driver_poll(d, position);
}

/*
 * The look is at the next descriptor to be used, the only one that the device is sure to write.
 * Quirk: Linux before 40ce7919d873 looked where the event was asked for.  A device that had gone
 * beyond it already, with chains, left that one as it was: no interrupt, and a driver that thinks
 * that one will come.
 */
static bool
packed_driver_enable_cb_delayed(struct dp_driver *d)
{
	unsigned bufs = (unsigned)(d->vr.size - d->num_free) * 3 / 4; /* descriptors */
	struct packed_pos at = packed_forth(&d->vr, d->last_used, bufs);

	want_event(d, at);
	if (driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK))
		return true;
	/* As in poll(). */
	if (!driver_quirk(d, DP_QUIRK_DRIVER_ENABLE_SKIP_MB))
		dp_mb();
	return !is_used(d,
			driver_quirk(d, DP_QUIRK_DRIVER_PACKED_DELAYED_SLOT) ? at : d->last_used);
}

/* --- the rest ------------------------------------------------------------------------------- */

static int
packed_driver_detach_unused(struct dp_driver *d, uint64_t *token)
{
	uint16_t id = d->in_order ? d->oldest : 0;

	/* The queue is dead, so its ring is left as it is. */
	if (!d->outstanding)
		return 0;
	while (!d->buffer[id].ndescs)
		id++;
	*token = d->buffer[id].token;
	detach(d, id);
	return 1;
}

/* How many buffers the device has used that get() has not returned, and where it stands. */
static DP_UNSEEN uint16_t
count_used(const struct dp_driver *d, struct packed_pos *at)
{
	uint16_t count = 0, oldest = d->oldest;
	unsigned batch_last = d->batch ? d->batch_last.id : d->vr.size;

	for (*at = d->last_used; count < d->outstanding; count++) {
		const struct vring_packed_desc *desc = &d->vr.desc[at->off];
		bool used = packed_is_used(desc->flags, at->wrap);
		uint16_t id = desc->id;

		if (batch_last < d->vr.size)
			used = true;
		else if (used && d->in_order)
			batch_last = id;
		if (d->in_order)
			id = oldest;
		if (!used || id >= d->vr.size || !d->buffer[id].ndescs)
			break;
		if (id == batch_last)
			batch_last = d->vr.size;
		oldest = d->buffer[id].next;
		*at = packed_forth(&d->vr, *at, d->buffer[id].ndescs);
	}
	return count;
}

/* Whether @event asks to be told of what lies between @from and @to. */
static DP_UNSEEN bool
asks(const struct dp_driver *d, const struct vring_packed_desc_event *event, struct packed_pos from,
     struct packed_pos to)
{
	uint16_t old = (uint16_t)(from.off - (from.wrap != to.wrap ? d->vr.size : 0));

	return event->flags == VRING_PACKED_EVENT_FLAG_DESC
		       ? packed_need_event(&d->vr, to, event->off_wrap, old)
		       : event->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

/* A look from outside: not an access of the driver. */
static DP_UNSEEN void
packed_driver_state(struct dp_driver *d, struct dp_state *state)
{
	const struct packed_vring *vr = &d->vr;
	uint16_t got = (uint16_t)(d->added - d->outstanding);
	struct packed_pos used;
	uint16_t ready = count_used(d, &used);

	*state = (struct dp_state){
		.avail_idx = d->added,
		.last_used_idx = got,
		.used_idx = (uint16_t)(got + ready),
		.used_event = vr->driver->off_wrap,
		.avail_event = vr->device->off_wrap,
		.avail_flags = vr->driver->flags,
		.used_flags = vr->device->flags,
		.avail_wrap_counter = d->next_avail.wrap,
		.used_wrap_counter = d->last_used.wrap,
		.inuse = d->outstanding,
		.num_free = d->num_free,
		.event_idx = d->event,
		.packed = true,
		.broken = d->broken,
		.callbacks_enabled = d->event_flags_shadow != VRING_PACKED_EVENT_FLAG_DISABLE,
		.kick_asked = asks(d, vr->device, used, d->next_avail),
		.call_asked = asks(d, vr->driver, d->last_used, used),
	};
}

const struct dp_driver_ops ring_packed_driver_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "native",
	.features = RING_PACKED_FEATURES,
	.init = packed_driver_init,
	.destroy = packed_driver_destroy,
	.add = packed_driver_add,
	.kick_prepare = packed_driver_kick_prepare,
	.notify_data = packed_driver_notify_data,
	.get = packed_driver_get,
	.disable_cb = packed_driver_disable_cb,
	.enable_cb_prepare = packed_driver_enable_cb_prepare,
	.poll = packed_driver_poll,
	.enable_cb = packed_driver_enable_cb,
	.enable_cb_delayed = packed_driver_enable_cb_delayed,
	.detach_unused = packed_driver_detach_unused,
	.state = packed_driver_state,
};
