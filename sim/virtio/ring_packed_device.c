/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device side of the packed virtqueue.  Positions, in ring order:
 *
 *	used <= last_avail <= last_avail + known <= used + size
 *	 published    popped        seen to be available
 *
 * descs_inuse is at least the distance of the first two: popped, not yet flushed.  known is 0 but
 * for what was given back with unpop().
 */
#include <errno.h>

#include "virtio/ring_packed.h"
#include "virtio/ring_packed_chain.h"

/* One used descriptor to write; it covers @ndescs of the ring (0: nothing was filled here). */
struct used {
	uint32_t len;
	uint16_t id, ndescs;
};

/* A popped chain in the order of popping, for VIRTIO_F_IN_ORDER. */
struct popped {
	struct used used;
	uint32_t in_bytes;
	bool filled;
};

struct dp_device {
	struct dp_host host;
	struct packed_vring vr;
	uint64_t quirks;
	size_t bytes; /* of this object */
	bool event, indirect, in_order, broken;
	bool notify_enabled; /* what we last asked the driver for */
	bool event_unfenced; /* the event was moved, and no full barrier has come since */
	uint16_t event_flags_shadow;
	struct packed_pos last_avail, used;
	uint16_t known; /* descriptors */
	uint16_t inuse, descs_inuse; /* chains, and what they took */
	uint16_t signalled_used; /* offset of used at the last should_notify() … */
	bool signalled_used_valid; /* … if that can be compared with today's */
	struct popped *popped; /* IN_ORDER: size of them, from oldest on inuse ones */
	uint16_t oldest;
	struct used filled[]; /* size of them, by fill()'s offset */
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
packed_device_init(struct dp_device **device, const struct dp_vring *vring,
		   const struct dp_host *host)
{
	bool in_order = virtio_has(vring->features, VIRTIO_F_IN_ORDER);
	size_t bytes = sizeof(struct dp_device) + vring->size * sizeof(struct used) +
		       (in_order ? vring->size * sizeof(struct popped) : 0);
	struct packed_vring vr;
	const char *what;

	if (!virtio_has(vring->features, VIRTIO_F_RING_PACKED) || vring->start_idx)
		return -ENOTSUP;
	what = packed_vring_map(&vr, vring, host);
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
	d->event = virtio_has(vring->features, VIRTIO_RING_F_EVENT_IDX);
	d->indirect = virtio_has(vring->features, VIRTIO_RING_F_INDIRECT_DESC);
	d->in_order = in_order;
	d->popped = in_order ? (struct popped *)&d->filled[vr.size] : NULL;
	d->notify_enabled = true;
	d->last_avail.wrap = d->used.wrap = true; /* 2.8.1 */
	*device = d;
	return 0;
}

static void
packed_device_destroy(struct dp_device *d)
{
	d->host.free(d->host.ctx, d, d->bytes);
}

/* --- what is available ---------------------------------------------------------------------- */

/* Whether a chain that was made available begins at @at; its flags, read once. */
static bool
look(struct dp_device *d, struct packed_pos at, uint16_t *flags)
{
	/* What pop() wrote to the event must be visible before we find that nothing is there: else
	 * the driver publishes, reads the old event and does not kick. */
	if (d->event_unfenced && !device_quirk(d, DP_QUIRK_DEVICE_ENABLE_SKIP_MB))
		dp_mb();
	d->event_unfenced = false;
	*flags = DP_READ_ONCE(d->vr.desc[at.off].flags);
	return packed_is_avail(*flags, at.wrap);
}

static bool
packed_device_empty(struct dp_device *d)
{
	uint16_t flags;

	return d->broken || !look(d, d->last_avail, &flags);
}

/*
 * The first descriptor of the next chain: its contents only after the flags that say that they are
 * there (QEMU, vhost: a read barrier).  Quirk: DPDK's vhost before 33e12d63d1 had none; here the
 * loads are made in the order that was possible then.
 */
static bool
next_head(struct dp_device *d, struct vring_packed_desc *head)
{
	const struct vring_packed_desc *from = &d->vr.desc[d->last_avail.off];
	bool early = device_quirk(d, DP_QUIRK_DEVICE_PACKED_CONTENT_FIRST);
	uint16_t flags;

	if (early)
		*head = packed_desc_read(from);
	if (!look(d, d->last_avail, &flags))
		return false;
	if (!early) {
		dp_rmb();
		head->addr = DP_READ_ONCE(from->addr);
		head->len = DP_READ_ONCE(from->len);
		head->id = DP_READ_ONCE(from->id);
	}
	head->flags = flags;
	return true;
}

static void
write_event(struct dp_device *d, struct packed_pos at)
{
	DP_WRITE_ONCE(d->vr.device->off_wrap, packed_off_wrap(at));
}

static void
note_popped(struct dp_device *d, const struct dp_elem *elem)
{
	unsigned at = (d->oldest + d->inuse) % d->vr.size;

	d->popped[at] = (struct popped){ { 0, elem->head, elem->ndescs }, elem->in_bytes, false };
}

static int
packed_device_pop(struct dp_device *d, struct dp_elem *elem)
{
	struct vring_packed_desc head;
	struct split_error err;

	if (d->broken)
		return -EINVAL;
	if (!next_head(d, &head))
		return 0;
	if (!packed_chain_read(&d->vr, &d->host, d->indirect, d->last_avail.off, &head, elem, &err))
		return driver_broke(d, err.what, err.value);
	if (d->descs_inuse + elem->ndescs > d->vr.size)
		return driver_broke(d, "more descriptors available than the queue has",
				    elem->ndescs);
	if (d->in_order)
		note_popped(d, elem);
	d->last_avail = packed_forth(&d->vr, d->last_avail, elem->ndescs);
	d->known = (uint16_t)(d->known > elem->ndescs ? d->known - elem->ndescs : 0);
	d->descs_inuse = (uint16_t)(d->descs_inuse + elem->ndescs);
	d->inuse++;
	/* A device that does not turn notifications off wants the next one, too. */
	if (d->notify_enabled && d->event_flags_shadow == VRING_PACKED_EVENT_FLAG_DESC) {
		write_event(d, d->last_avail);
		d->event_unfenced = true;
	}
	return 1;
}

static void
packed_device_unpop(struct dp_device *d, const struct dp_elem *elem)
{
	if (d->broken || !d->inuse || elem->ndescs > d->descs_inuse)
		return;
	d->last_avail = packed_back(&d->vr, d->last_avail, elem->ndescs);
	d->known = (uint16_t)(d->known + elem->ndescs);
	d->descs_inuse = (uint16_t)(d->descs_inuse - elem->ndescs);
	d->inuse--;
}

/* --- notifications we want ------------------------------------------------------------------ */

static void
write_event_flags(struct dp_device *d, uint16_t flags)
{
	d->event_flags_shadow = flags;
	DP_WRITE_ONCE(d->vr.device->flags, flags);
}

static void
packed_device_disable_notify(struct dp_device *d)
{
	if (d->broken || !d->notify_enabled)
		return;
	d->notify_enabled = false;
	write_event_flags(d, VRING_PACKED_EVENT_FLAG_DISABLE);
}

static bool
packed_device_enable_notify(struct dp_device *d)
{
	struct packed_pos next = packed_forth(&d->vr, d->last_avail, d->known);
	uint16_t flags;

	if (d->broken)
		return false;
	d->notify_enabled = true;
	if (d->event) {
		/* The first one that we do not know of, so that nothing new is missed; before the
		 * flags that make it count. */
		write_event(d, next);
		dp_wmb();
	}
	write_event_flags(d,
			  d->event ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE);
	d->event_unfenced = false;
	/* That we want kicks must be visible before we look whether we missed one: else the driver
	 * may publish and decide in between. */
	if (!device_quirk(d, DP_QUIRK_DEVICE_ENABLE_SKIP_MB))
		dp_mb();
	if (device_quirk(d, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK))
		return false;
	/* Quirk: "not all consumed" for "new came", as in the split ring. */
	if (device_quirk(d, DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY))
		next = d->last_avail;
	return look(d, next, &flags);
}

/* --- giving back ---------------------------------------------------------------------------- */

/* IN_ORDER: note the end of a chain; it is published when all before it have ended. */
static void
fill_in_order(struct dp_device *d, uint16_t id, uint32_t len)
{
	for (unsigned n = 0; n < d->inuse; n++) {
		struct popped *p = &d->popped[(d->oldest + n) % d->vr.size];

		if (p->used.id != id || p->filled)
			continue;
		p->used.len = len;
		p->filled = true;
		return;
	}
}

/*
 * Turn the chains that have ended and have no unfinished one before them into used descriptors, one
 * for as many chains as were used completely (2.8.8); it has the last one's id.  Their number.
 */
static unsigned
gather_in_order(struct dp_device *d)
{
	unsigned count = 0;
	uint16_t ndescs = 0;

	for (unsigned n = 0, inuse = d->inuse; n < inuse; n++) {
		const struct popped *p = &d->popped[d->oldest];
		const struct popped *next = &d->popped[(d->oldest + 1u) % d->vr.size];

		if (!p->filled)
			break;
		ndescs = (uint16_t)(ndescs + p->used.ndescs);
		if (p->used.len != p->in_bytes || n + 1 == inuse || !next->filled) {
			d->filled[count++] = (struct used){ p->used.len, p->used.id, ndescs };
			ndescs = 0;
		}
		d->oldest = (uint16_t)((d->oldest + 1u) % d->vr.size);
		d->inuse--;
	}
	return count;
}

static void
write_used(struct dp_device *d, struct packed_pos at, const struct used *u, bool first)
{
	struct vring_packed_desc *to = &d->vr.desc[at.off];
	/* WRITE says that len means something (2.8.4). */
	uint16_t flags = (uint16_t)(packed_used_flags(at.wrap) | (u->len ? VRING_DESC_F_WRITE : 0));
	/* Quirk: kvm-host (issue 50) let the driver look before id and len were there. */
	bool early = device_quirk(d, DP_QUIRK_DEVICE_IDX_BEFORE_ELEM);

	if (early)
		DP_WRITE_ONCE(to->flags, flags);
	DP_WRITE_ONCE(to->id, u->id);
	DP_WRITE_ONCE(to->len, u->len);
	/* Contents, those of the whole batch and the bytes in the buffers before the flags that
	 * show them.  Only the first one's flags show anything: the driver goes from one to the
	 * next. */
	if (first)
		dp_wmb();
	if (!early)
		DP_WRITE_ONCE(to->flags, flags);
}

static void
packed_device_fill(struct dp_device *d, const struct dp_elem *elem, uint32_t len, unsigned offset)
{
	if (d->broken)
		return;
	if (d->in_order)
		fill_in_order(d, elem->head, len);
	else if (offset < d->vr.size)
		d->filled[offset] = (struct used){ len, elem->head, elem->ndescs };
}

static void
packed_device_flush(struct dp_device *d, unsigned count)
{
	struct packed_pos first = d->used, at = first;
	unsigned n = 0, total = 0;

	if (d->broken)
		return;
	if (d->in_order)
		count = gather_in_order(d);
	for (; n < count && n < d->vr.size && d->filled[n].ndescs; n++) {
		const struct used *u = &d->filled[n];

		if (total + u->ndescs > d->descs_inuse)
			break;
		if (n)
			write_used(d, at, u, false);
		at = packed_forth(&d->vr, at, u->ndescs);
		total += u->ndescs;
	}
	if (!n)
		return;
	/* The first one last (QEMU: strict_order). */
	write_used(d, first, &d->filled[0], true);
	for (unsigned i = 0; i < n; i++)
		d->filled[i].ndescs = 0;
	d->used = at;
	d->descs_inuse = (uint16_t)(d->descs_inuse - total);
	if (!d->in_order)
		d->inuse = (uint16_t)(d->inuse > n ? d->inuse - n : 0);
	/* Quirk: QEMU before 750539c4c4.  Offsets of different laps do not compare: after a whole
	 * lap without should_notify() nothing seems to have been used. */
	if (at.wrap != first.wrap && !device_quirk(d, DP_QUIRK_DEVICE_PACKED_SIGNALLED_WRAP))
		d->signalled_used_valid = false;
}

/* --- notifications the driver wants --------------------------------------------------------- */

static bool
packed_device_should_notify(struct dp_device *d)
{
	uint16_t old = d->signalled_used, flags;
	bool valid = d->signalled_used_valid;

	if (d->broken)
		return false;
	/* The used flags must be visible before we look whether the driver wants to know of them:
	 * else it may ask, look and sleep in between. */
	if (!device_quirk(d, DP_QUIRK_DEVICE_PUBLISH_SKIP_MB))
		dp_mb();
	flags = DP_READ_ONCE(d->vr.driver->flags);
	d->signalled_used = d->used.off;
	d->signalled_used_valid = true;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* The driver wrote the position before the flags. */
	dp_rmb();

	uint16_t off_wrap = DP_READ_ONCE(d->vr.driver->off_wrap);

	return !valid || packed_need_event(&d->vr, d->used, off_wrap, old);
}

/* --- position and state --------------------------------------------------------------------- */

static uint32_t
packed_device_get_position(struct dp_device *d)
{
	return packed_off_wrap(d->last_avail) | (uint32_t)packed_off_wrap(d->used) << 16;
}

/* Take the ring over from somebody else; what was signalled nobody knows (as in the split ring,
 * also the quirk). */
static void
packed_device_set_position(struct dp_device *d, uint32_t position)
{
	struct packed_pos avail = packed_pos((uint16_t)position);
	struct packed_pos used = packed_pos((uint16_t)(position >> 16));

	if (avail.off >= d->vr.size || used.off >= d->vr.size) {
		driver_broke(d, "position is not in the ring", position);
		return;
	}
	d->last_avail = avail;
	d->used = used;
	d->known = d->inuse = d->descs_inuse = d->oldest = 0;
	for (unsigned i = 0; i < d->vr.size; i++)
		d->filled[i].ndescs = 0;
	if (!device_quirk(d, DP_QUIRK_DEVICE_SIGNALLED_VALID))
		d->signalled_used_valid = false;
}

/* A look from outside: not an access of the device. */
static DP_UNSEEN void
packed_device_state(struct dp_device *d, struct dp_state *state)
{
	const struct packed_vring *vr = &d->vr;

	*state = (struct dp_state){
		.last_avail_idx = d->last_avail.off,
		.shadow_avail_idx = packed_forth(vr, d->last_avail, d->known).off,
		.used_idx = d->used.off,
		.last_used_idx = d->used.off,
		.signalled_used = d->signalled_used,
		.signalled_used_valid = d->signalled_used_valid,
		.used_event = vr->driver->off_wrap,
		.avail_event = vr->device->off_wrap,
		.avail_flags = vr->driver->flags,
		.used_flags = vr->device->flags,
		.avail_wrap_counter = d->last_avail.wrap,
		.used_wrap_counter = d->used.wrap,
		.inuse = d->inuse,
		.event_idx = d->event,
		.packed = true,
		.broken = d->broken,
		.notify_enabled = d->notify_enabled,
	};
}

const struct dp_device_ops ring_packed_device_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "native",
	.features = RING_PACKED_FEATURES,
	.init = packed_device_init,
	.destroy = packed_device_destroy,
	.pop = packed_device_pop,
	.unpop = packed_device_unpop,
	.fill = packed_device_fill,
	.flush = packed_device_flush,
	.disable_notify = packed_device_disable_notify,
	.enable_notify = packed_device_enable_notify,
	.should_notify = packed_device_should_notify,
	.empty = packed_device_empty,
	.get_position = packed_device_get_position,
	.set_position = packed_device_set_position,
	.state = packed_device_state,
};
