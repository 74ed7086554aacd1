/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vhost_blk.h"

/* vhost_scsi_handle_vq() */
static void
handle_kick(struct vhost_vq *v)
{
	struct virtio_ring *r = &v->ring;
	unsigned count = 0;

	virtio_ring_disable_notify(r);
	do {
		int n = virtio_ring_pop(r, r->elem);

		if (n < 0)
			break; /* the driver broke the ring: until the next kick */
		if (!n) {
			if (!virtio_ring_enable_notify(r))
				break;
			virtio_ring_disable_notify(r);
			continue;
		}
		virtio_blk_submit(r, r->elem);
	} while (!vhost_exceeds_weight(v, ++count, 0));
}

const struct vhost_ops vhost_blk_ops = {
	.name = "vhost-blk",
	.handle_kick = handle_kick,
	.weight = VHOST_SCSI_WEIGHT,
};
