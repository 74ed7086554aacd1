/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device side of the split virtqueue.  Indices, all modulo 2^16:
 *
 *	used_idx <= last_avail_idx <= shadow_avail_idx <= last_avail_idx + size
 *	 published    popped           known to be available
 *
 * inuse counts what lies between the first two: popped, not yet flushed.
 */
#include <errno.h>

#include "virtio/ring_split.h"
#include "virtio/ring_split_chain.h"

/* A popped chain in the order of popping, for VIRTIO_F_IN_ORDER. */
struct popped {
	uint32_t in_bytes, len;
	uint16_t head;
	bool filled;
};

struct dp_device {
	struct dp_host host;
	struct split_vring vr;
	uint64_t quirks;
	size_t bytes; /* of this object */
	bool event, indirect, in_order, notify_on_empty, broken;
	bool notify_enabled; /* what we last asked the driver for */
	bool event_unfenced; /* avail_event was moved, and no full barrier has come since */
	uint16_t last_avail_idx, shadow_avail_idx, used_idx, inuse;
	uint16_t signalled_used; /* used_idx at the last should_notify() … */
	bool signalled_used_valid; /* … if anybody can say so */
	uint16_t used_flags; /* shadow */
	uint16_t cached_used_event; /* for the quirk of that name */
	bool second_look; /* for the quirk of avail_event: buffers came, and may suffice */
	struct popped popped[]; /* IN_ORDER: by avail index modulo size, the last inuse ones */
};

static bool
device_quirk(const struct dp_device *d, enum dp_quirk q)
{
	return d->quirks & q;
}

static int
driver_broke(struct dp_device *d, const char *what, uint64_t value)
{
	d->broken = true;
	d->host.guest_error(d->host.ctx, what, value);
	return -EINVAL;
}

/* --- life ----------------------------------------------------------------------------------- */

static int
split_device_init(struct dp_device **device, const struct dp_vring *vring,
		  const struct dp_host *host)
{
	bool in_order = virtio_has(vring->features, VIRTIO_F_IN_ORDER);
	bool event = virtio_has(vring->features, VIRTIO_RING_F_EVENT_IDX);
	size_t bytes =
		sizeof(struct dp_device) + (in_order ? vring->size * sizeof(struct popped) : 0);
	struct split_vring vr;

	if (virtio_has(vring->features, VIRTIO_F_RING_PACKED))
		return -ENOTSUP;

	const char *what = split_vring_map(&vr, vring, host, event);

	if (what) {
		host->guest_error(host->ctx, what, vring->desc);
		return -EINVAL;
	}

	struct dp_device *d = host->alloc(host->ctx, bytes);

	if (!d)
		return -ENOMEM;
	d->host = *host;
	d->vr = vr;
	d->quirks = vring->quirks;
	d->bytes = bytes;
	d->event = event;
	d->indirect = virtio_has(vring->features, VIRTIO_RING_F_INDIRECT_DESC);
	d->in_order = in_order;
	d->notify_on_empty = virtio_has(vring->features, VIRTIO_F_NOTIFY_ON_EMPTY);
	d->notify_enabled = true;
	d->last_avail_idx = d->shadow_avail_idx = d->used_idx = vring->start_idx;
	d->signalled_used = d->cached_used_event = vring->start_idx;
	/* Quirk: kvmtool before b7af514 wrote avail_event whether negotiated or not, over whatever
	 * the driver kept behind its used ring. */
	if (!event && device_quirk(d, DP_QUIRK_DEVICE_EVENT_OOB) &&
	    host->map(host->ctx, vring->device, 6 + 8 * (uint64_t)vring->size))
		d->vr.avail_event = (uint16_t *)&vr.used->ring[vring->size];
	*device = d;
	return 0;
}

static void
split_device_destroy(struct dp_device *d)
{
	d->host.free(d->host.ctx, d, d->bytes);
}

/* --- what is available ---------------------------------------------------------------------- */

/* Refresh shadow_avail_idx. False if the driver's index cannot be. */
static bool
look_at_idx(struct dp_device *d)
{
	/* What pop() wrote to avail_event must be visible before we find that nothing is there:
	 * else the driver publishes, reads the old event and does not kick. Quirk: kvmtool before
	 * 66ba0ba. */
	if (d->event_unfenced && !device_quirk(d, DP_QUIRK_DEVICE_ENABLE_SKIP_MB))
		dp_mb();
	d->event_unfenced = false;

	uint16_t avail_idx = DP_READ_ONCE(d->vr.avail->idx);

	if ((uint16_t)(avail_idx - d->last_avail_idx) > d->vr.size) {
		driver_broke(d, "avail idx moved by more than the queue size", avail_idx);
		return false;
	}
	d->shadow_avail_idx = avail_idx;
	return true;
}

/* Same, for who reads the ring entry and the descriptors next: only after the index that says they
 * are there (QEMU a821ce5933). */
static bool
look(struct dp_device *d)
{
	if (!look_at_idx(d))
		return false;
	dp_rmb();
	return true;
}

/* Same, for who only asks whether there is anything. A pop() may go by what was seen here, and
 * needs the barrier as well. Quirk: vhost before Linux 22e1992cf7b0. */
static bool
peek(struct dp_device *d)
{
	return device_quirk(d, DP_QUIRK_DEVICE_EMPTY_SKIP_RMB) ? look_at_idx(d) : look(d);
}

static bool
split_device_empty(struct dp_device *d)
{
	if (d->broken)
		return true;
	if (d->shadow_avail_idx != d->last_avail_idx)
		return false;
	return !peek(d) || d->shadow_avail_idx == d->last_avail_idx;
}

static void
write_avail_event(struct dp_device *d, uint16_t event)
{
	DP_WRITE_ONCE(*d->vr.avail_event, event);
	d->event_unfenced = true;
}

static int
split_device_pop(struct dp_device *d, struct dp_elem *elem)
{
	struct split_error err;

	if (d->broken)
		return -EINVAL;
	if (d->shadow_avail_idx == d->last_avail_idx) {
		if (!look(d))
			return -EINVAL;
		if (d->shadow_avail_idx == d->last_avail_idx)
			return 0;
	}
	if (d->inuse == d->vr.size)
		return driver_broke(d, "more chains available than the queue has descriptors",
				    d->inuse);

	uint16_t head = DP_READ_ONCE(d->vr.avail->ring[d->last_avail_idx & d->vr.mask]);

	if (head >= d->vr.size)
		return driver_broke(d, "available head is out of range", head);
	if (!split_chain_read(&d->vr, &d->host, d->indirect, head, elem, &err))
		return driver_broke(d, err.what, err.value);
	if (d->in_order)
		d->popped[d->last_avail_idx & d->vr.mask] =
			(struct popped){ .in_bytes = elem->in_bytes, .head = head };
	d->last_avail_idx++;
	d->inuse++;
	/* A device that never turns notifications off wants the next one, too (QEMU does this
	 * here). */
	if (d->notify_enabled && !d->second_look && d->vr.avail_event &&
	    !device_quirk(d, DP_QUIRK_DEVICE_NO_AVAIL_EVENT))
		write_avail_event(d, d->last_avail_idx);
	return 1;
}

static void
split_device_unpop(struct dp_device *d, const struct dp_elem *elem)
{
	if (d->broken || !d->inuse)
		return;
	d->last_avail_idx--;
	d->inuse--;
}

/* --- notifications we want ------------------------------------------------------------------ */

static void
write_used_flags(struct dp_device *d, uint16_t flags)
{
	d->used_flags = flags;
	DP_WRITE_ONCE(d->vr.used->flags, flags);
}

/* Whether used.flags does the suppressing. Quirk: in DPDK before 77de7c781c always; avail_event
 * never moved and the driver, which looks at nothing else, did not kick until the index had gone
 * round. */
static bool
by_flags(const struct dp_device *d)
{
	return !d->event || device_quirk(d, DP_QUIRK_DEVICE_NO_AVAIL_EVENT);
}

static void
split_device_disable_notify(struct dp_device *d)
{
	if (d->broken || !d->notify_enabled)
		return;
	d->notify_enabled = d->second_look = false;
	/* With the event index it is enough not to move avail_event; used.flags must stay 0
	 * (2.7.10.2). */
	if (by_flags(d))
		write_used_flags(d, d->used_flags | VRING_USED_F_NO_NOTIFY);
}

/*
 * Quirk: QEMU's virtio-net before f937309fbd.  avail idx was sampled, the driver went on beyond it
 * and was not asked to kick, then the sample was published as avail_event.  Since 06b1297017 the
 * device looks again whether there is enough.  If what came does not suffice it sleeps, behind an
 * event that the driver has passed.  The second look is the device's next pop(), which leaves
 * avail_event alone (virtqueue_avail_bytes() does); that it did not suffice is told by the device
 * asking for kicks again before it has turned them off.
 */
static bool
enable_notify_stale(struct dp_device *d, uint16_t known)
{
	if (d->second_look) {
		d->second_look = false;
		return false;
	}
	if (!look(d))
		return false;
	DP_WRITE_ONCE(*d->vr.avail_event, d->shadow_avail_idx);
	dp_mb();
	d->second_look = look(d) && d->shadow_avail_idx != known;
	return d->second_look;
}

static bool
split_device_enable_notify(struct dp_device *d)
{
	uint16_t known = d->shadow_avail_idx;

	if (d->broken)
		return false;
	d->notify_enabled = true;
	if (d->event && device_quirk(d, DP_QUIRK_DEVICE_STALE_AVAIL_EVENT))
		return enable_notify_stale(d, known);
	if (by_flags(d))
		write_used_flags(d, d->used_flags & (uint16_t)~VRING_USED_F_NO_NOTIFY);
	/* The first index that we do not know of, so that nothing new is missed. */
	if (d->vr.avail_event && !device_quirk(d, DP_QUIRK_DEVICE_NO_AVAIL_EVENT))
		DP_WRITE_ONCE(*d->vr.avail_event, known);
	d->event_unfenced = false;
	/* That we want kicks must be visible before we look whether we missed one: else the driver
	 * may publish and decide in between. Quirk: QEMU before 92045d80ba, kvmtool before
	 * 66ba0ba. */
	if (!device_quirk(d, DP_QUIRK_DEVICE_ENABLE_SKIP_MB))
		dp_mb();
	/* Quirk: virtio-crypto before QEMU 600f5ce356 did not look again. */
	if (device_quirk(d, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK) || !peek(d))
		return false;
	/* Quirk: vhost before Linux 09861858a683 answered "not all consumed"; a worker that cannot
	 * use what is left tries for ever. */
	if (device_quirk(d, DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY))
		return d->shadow_avail_idx != d->last_avail_idx;
	return d->shadow_avail_idx != known;
}

/* --- giving back ---------------------------------------------------------------------------- */

static void
write_used(struct dp_device *d, uint16_t idx, uint32_t id, uint32_t len)
{
	struct vring_used_elem *to = &d->vr.used->ring[idx & d->vr.mask];

	DP_WRITE_ONCE(to->id, id);
	DP_WRITE_ONCE(to->len, len);
}

static void
write_used_idx(struct dp_device *d, uint16_t idx)
{
	/* Elements, and the bytes in the buffers, before the index that shows them (2.7.8.2). */
	dp_wmb();
	DP_WRITE_ONCE(d->vr.used->idx, idx);
}

/* IN_ORDER: note the end of a chain; it is published when all before it have ended. */
static void
fill_in_order(struct dp_device *d, uint16_t head, uint32_t len)
{
	for (uint16_t n = 0, idx = (uint16_t)(d->last_avail_idx - d->inuse); n < d->inuse;
	     n++, idx++) {
		struct popped *p = &d->popped[idx & d->vr.mask];

		if (p->head != head || p->filled)
			continue;
		p->len = len;
		p->filled = true;
		return;
	}
}

/*
 * Publish the chains that have ended and have no unfinished one before them.  One element, that of
 * the last chain, stands where the first one's would, for as many chains as were used completely
 * (2.7.9).
 */
static uint16_t
flush_in_order(struct dp_device *d)
{
	uint16_t oldest = (uint16_t)(d->last_avail_idx - d->inuse), batch = 0, n = 0;

	while (n < d->inuse) {
		const struct popped *p = &d->popped[(oldest + n) & d->vr.mask];
		const struct popped *next = &d->popped[(oldest + n + 1) & d->vr.mask];

		if (!p->filled)
			break;
		n++;
		if (p->len != p->in_bytes || n == d->inuse || !next->filled) {
			write_used(d, (uint16_t)(d->used_idx + batch), p->head, p->len);
			batch = n;
		}
	}
	return n;
}

static void
split_device_fill(struct dp_device *d, const struct dp_elem *elem, uint32_t len, unsigned offset)
{
	if (d->broken)
		return;
	if (d->in_order) {
		fill_in_order(d, elem->head, len);
		return;
	}

	uint16_t idx = (uint16_t)(d->used_idx + offset);

	/* Quirk: kvmtool before 9490278 incremented the index in the element's subscript. */
	if (device_quirk(d, DP_QUIRK_DEVICE_IDX_BEFORE_ELEM))
		DP_WRITE_ONCE(d->vr.used->idx, (uint16_t)(idx + 1));
	write_used(d, idx, elem->head, len);
}

static void
split_device_flush(struct dp_device *d, unsigned count)
{
	uint16_t old = d->used_idx;

	if (d->broken)
		return;
	if (d->in_order)
		count = flush_in_order(d);
	if (!count)
		return;

	uint16_t new_idx = (uint16_t)(old + count);

	/* Quirk: used_event is looked at before used idx is published: a driver that moves it in
	 * between and finds nothing used yet sleeps. */
	if (d->event && device_quirk(d, DP_QUIRK_DEVICE_EARLY_USED_EVENT))
		d->cached_used_event = DP_READ_ONCE(*d->vr.used_event);
	if (!device_quirk(d, DP_QUIRK_DEVICE_IDX_BEFORE_ELEM) || d->in_order)
		write_used_idx(d, new_idx);
	d->used_idx = new_idx;
	d->inuse = (uint16_t)(d->inuse > count ? d->inuse - count : 0);
	/* Nobody asked for 2^15 buffers: signalled_used means nothing any more. */
	if ((int16_t)(new_idx - d->signalled_used) < (int)(uint16_t)(new_idx - old))
		d->signalled_used_valid = false;
}

/* --- notifications the driver wants --------------------------------------------------------- */

/* Quirk: vhost 809ecb9bca6a, reverted by 8d65843c4426.  A copy of used_event was trusted while it
 * lay ahead, so that a driver which moved it back was not heard.  Linux does since 8d622d21d248: it
 * writes 0 to disable, which lies ahead shortly before the index wraps, and then what it waits
 * for. */
static bool
cached_event_ahead(const struct dp_device *d, uint16_t new_idx, uint16_t old)
{
	return vring_need_event(d->cached_used_event, (uint16_t)(new_idx + d->vr.size), new_idx) &&
	       !vring_need_event(d->cached_used_event, new_idx, old);
}

static bool
split_device_should_notify(struct dp_device *d)
{
	/* Quirk: crosvm c6554e9c7 took the scheme below from vhost, without the full barrier that
	 * it needs: a crossing missed once is never looked at again (reverted by b0423fd52). */
	bool barrier = !device_quirk(d, DP_QUIRK_DEVICE_PUBLISH_SKIP_MB) &&
		       !device_quirk(d, DP_QUIRK_DEVICE_SIGNALLED_EAGER);
	uint16_t old = d->signalled_used, new_idx = d->used_idx;
	bool valid = d->signalled_used_valid;

	if (d->broken)
		return false;
	if (d->event && device_quirk(d, DP_QUIRK_DEVICE_CACHED_USED_EVENT) && valid &&
	    cached_event_ahead(d, new_idx, old)) {
		d->signalled_used = new_idx;
		return false;
	}
	/* The index must be visible before we look whether the driver wants to know of it: else it
	 * may ask, look and sleep in between. Quirk: QEMU before a281ebc11a, DPDK before
	 * 159793ac86, kvmtool before d7d79bd. */
	if (barrier)
		dp_mb();
	if (d->notify_on_empty && !d->inuse && split_device_empty(d))
		return true;
	if (!d->event)
		return !(DP_READ_ONCE(d->vr.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	d->signalled_used = new_idx;
	d->signalled_used_valid = true;
	if (!valid)
		return true;
	if (!device_quirk(d, DP_QUIRK_DEVICE_EARLY_USED_EVENT))
		d->cached_used_event = DP_READ_ONCE(*d->vr.used_event);
	/* Quirk: LKL (issue 148) compared indices for equality. A batch steps over the event. */
	if (device_quirk(d, DP_QUIRK_DEVICE_EQUAL_USED_EVENT))
		return d->cached_used_event == (uint16_t)(new_idx - 1);
	return vring_need_event(d->cached_used_event, new_idx, old);
}

/* --- position and state --------------------------------------------------------------------- */

static uint32_t
split_device_get_position(struct dp_device *d)
{
	return d->last_avail_idx;
}

/*
 * Take the ring over from somebody else.  What was published is read from the ring; what the other
 * one signalled nobody knows, hence valid is cleared.  Quirk: QEMU before 6793dfd1b6 and
 * 3561ba1418, DPDK before 2f706027c8 kept it.  Where the other owner used most of 2^16 buffers, the
 * old value lies ahead of used_event again, and the driver is taken for notified.
 */
static void
split_device_set_position(struct dp_device *d, uint32_t position)
{
	d->last_avail_idx = d->shadow_avail_idx = (uint16_t)position;
	d->used_idx = DP_READ_ONCE(d->vr.used->idx);
	d->inuse = 0;
	if (!device_quirk(d, DP_QUIRK_DEVICE_SIGNALLED_VALID))
		d->signalled_used_valid = false;
}

/* A look from outside: not an access of the device. */
static DP_UNSEEN void
split_device_state(struct dp_device *d, struct dp_state *state)
{
	const struct split_vring *vr = &d->vr;

	*state = (struct dp_state){
		.last_avail_idx = d->last_avail_idx,
		.shadow_avail_idx = d->shadow_avail_idx,
		.avail_idx = vr->avail->idx,
		.last_used_idx = d->used_idx,
		.used_idx = vr->used->idx,
		.signalled_used = d->signalled_used,
		.signalled_used_valid = d->signalled_used_valid,
		.used_event = d->event ? *vr->used_event : 0,
		.avail_event = d->event ? *vr->avail_event : 0,
		.avail_flags = vr->avail->flags,
		.used_flags = vr->used->flags,
		.inuse = d->inuse,
		.event_idx = d->event,
		.broken = d->broken,
		.notify_enabled = d->notify_enabled,
	};
}

const struct dp_device_ops ring_split_device_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "native",
	.features = RING_SPLIT_FEATURES,
	.init = split_device_init,
	.destroy = split_device_destroy,
	.pop = split_device_pop,
	.unpop = split_device_unpop,
	.fill = split_device_fill,
	.flush = split_device_flush,
	.disable_notify = split_device_disable_notify,
	.enable_notify = split_device_enable_notify,
	.should_notify = split_device_should_notify,
	.empty = split_device_empty,
	.get_position = split_device_get_position,
	.set_position = split_device_set_position,
	.state = split_device_state,
};
