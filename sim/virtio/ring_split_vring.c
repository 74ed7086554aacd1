/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_split_impl.h"
#include "virtio/ring_split_layout.h"

const char *
split_vring_map(struct split_vring *vr, const struct dp_vring *vring, const struct dp_host *host,
		bool event)
{
	const char *wrong = ring_split_check(vring);
	uint16_t size = vring->size;

	if (wrong)
		return wrong;

	/* Without the event index the two bytes behind each ring are not ours to touch
	 * (2.7.6, 2.7.8). */
	uint64_t avail_bytes = ring_split_avail_bytes(size) - (event ? 0 : 2);
	uint64_t used_bytes = ring_split_used_bytes(size) - (event ? 0 : 2);

	vr->size = size;
	vr->mask = (uint16_t)(size - 1);
	vr->desc = host->map(host->ctx, vring->desc, ring_split_desc_bytes(size));
	vr->avail = host->map(host->ctx, vring->driver, avail_bytes);
	vr->used = host->map(host->ctx, vring->device, used_bytes);
	if (!vr->desc || !vr->avail || !vr->used)
		return "ring is not in guest memory";
	vr->used_event = event ? &vr->avail->ring[size] : NULL;
	vr->avail_event = event ? (uint16_t *)&vr->used->ring[size] : NULL;
	return NULL;
}
