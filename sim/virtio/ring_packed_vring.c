/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_packed_impl.h"
#include "virtio/ring_packed_layout.h"

const char *
packed_vring_map(struct packed_vring *vr, const struct dp_vring *vring, const struct dp_host *host)
{
	const char *wrong = ring_packed_check(vring);

	if (wrong)
		return wrong;
	vr->size = vring->size;
	vr->desc = host->map(host->ctx, vring->desc, ring_packed_desc_bytes(vring->size));
	vr->driver = host->map(host->ctx, vring->driver, RING_PACKED_EVENT_BYTES);
	vr->device = host->map(host->ctx, vring->device, RING_PACKED_EVENT_BYTES);
	return vr->desc && vr->driver && vr->device ? NULL : "ring is not in guest memory";
}
