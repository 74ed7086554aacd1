/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shadow virtqueue's vring behind datapath/datapath.h: what QEMU's loops do with it, one by one.
 */
#include <errno.h>

#include "virtio/ring_split_impl.h"
#include "virtio/ring_svq.h"

struct dp_driver {
	struct dp_host host;
	struct svq_ring ring;
	size_t bytes; /* of this object */
	uint16_t index;
	bool needs_kick; /* QEMU kicks with each add; here who adds asks after several */
	bool broken, callbacks;
	struct svq_desc_state state[];
};

static int
driver_init(struct dp_driver **driver, const struct dp_vring *vring, const struct dp_host *host)
{
	bool event = virtio_has(vring->features, VIRTIO_RING_F_EVENT_IDX);
	size_t bytes = sizeof(struct dp_driver) +
		       vring->size * (sizeof(struct svq_desc_state) + sizeof(uint16_t));
	struct dp_driver *d;
	struct split_vring vr;

	if (virtio_has(vring->features, VIRTIO_F_RING_PACKED) || vring->start_idx)
		return -ENOTSUP;
	if (split_vring_map(&vr, vring, host, event))
		return -EINVAL;
	d = host->alloc(host->ctx, bytes);
	if (!d)
		return -ENOMEM;
	d->host = *host;
	d->bytes = bytes;
	d->index = vring->index;
	d->callbacks = true;
	d->ring = (struct svq_ring){
		.desc = vr.desc,
		.avail = vr.avail,
		.used = vr.used,
		.used_event = vr.used_event,
		.avail_event = vr.avail_event,
		.state = d->state,
		.desc_next = (uint16_t *)&d->state[vr.size],
		.num = vr.size,
		.event_idx = event,
	};
	svq_ring_start(&d->ring);
	*driver = d;
	return 0;
}

static void
driver_destroy(struct dp_driver *d)
{
	d->host.free(d->host.ctx, d, d->bytes);
}

static int
driver_add(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned in, uint64_t token,
	   bool indirect, uint64_t table)
{
	uint16_t head;
	int ret;

	if (d->broken)
		return -EIO;
	ret = svq_ring_add(&d->ring, sg, out, in, (void *)(uintptr_t)token, &head);
	if (!ret && svq_ring_needs_kick(&d->ring))
		d->needs_kick = true;
	return ret;
}

static bool
driver_kick_prepare(struct dp_driver *d)
{
	bool needs_kick = d->needs_kick;

	d->needs_kick = false;
	return needs_kick;
}

static uint32_t
driver_notify_data(struct dp_driver *d)
{
	return d->index | (uint32_t)d->ring.shadow_avail_idx << 16;
}

static int
driver_get(struct dp_driver *d, uint64_t *token, uint32_t *len)
{
	void *elem = NULL;
	uint32_t head = 0;
	int ret;

	if (d->broken)
		return -EINVAL;
	ret = svq_ring_get(&d->ring, &elem, &head, len);
	if (ret < 0) {
		d->broken = true;
		d->host.guest_error(d->host.ctx, "device used what was not available", head);
	}
	*token = (uintptr_t)elem;
	return ret;
}

static void
driver_disable_cb(struct dp_driver *d)
{
	d->callbacks = false;
	svq_ring_disable_notification(&d->ring);
}

static bool
driver_enable_cb(struct dp_driver *d)
{
	d->callbacks = true;
	return svq_ring_enable_notification(&d->ring);
}

static unsigned
driver_enable_cb_prepare(struct dp_driver *d)
{
	driver_enable_cb(d);
	return d->ring.last_used_idx;
}

static bool
driver_poll(struct dp_driver *d, unsigned position)
{
	dp_mb();
	return (uint16_t)position != DP_READ_ONCE(d->ring.used->idx);
}

static int
driver_detach_unused(struct dp_driver *d, uint64_t *token)
{
	for (uint16_t i = 0; i < d->ring.num; i++) {
		if (!d->state[i].ndescs)
			continue;
		*token = (uintptr_t)d->state[i].elem;
		d->ring.num_free = (uint16_t)(d->ring.num_free + d->state[i].ndescs);
		d->state[i] = (struct svq_desc_state){ 0 };
		return 1;
	}
	return 0;
}

static DP_UNSEEN void
driver_state(struct dp_driver *d, struct dp_state *state)
{
	const struct svq_ring *r = &d->ring;

	*state = (struct dp_state){
		.avail_idx = r->avail->idx,
		.last_used_idx = r->last_used_idx,
		.used_idx = r->used->idx,
		.used_event = r->event_idx ? *r->used_event : 0,
		.avail_event = r->event_idx ? *r->avail_event : 0,
		.avail_flags = r->avail->flags,
		.used_flags = r->used->flags,
		.inuse = (uint16_t)(r->shadow_avail_idx - r->last_used_idx),
		.num_free = r->num_free,
		.event_idx = r->event_idx,
		.broken = d->broken,
		.callbacks_enabled = d->callbacks,
	};
}

const struct dp_driver_ops ring_svq_driver_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "svq",
	.features = VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
		    VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_RESET) |
		    VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM),
	.init = driver_init,
	.destroy = driver_destroy,
	.add = driver_add,
	.kick_prepare = driver_kick_prepare,
	.notify_data = driver_notify_data,
	.get = driver_get,
	.disable_cb = driver_disable_cb,
	.enable_cb_prepare = driver_enable_cb_prepare,
	.poll = driver_poll,
	.enable_cb = driver_enable_cb,
	.enable_cb_delayed = driver_enable_cb,
	.detach_unused = driver_detach_unused,
	.state = driver_state,
};
