/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block requests in a vhost worker: vhost-scsi's loop (vhost_scsi_handle_vq()) around the disk of
 * virtio/blk.h.
 *
 *	disable_notify
 *	do {
 *		pop; nothing: enable_notify, and if something came meanwhile go on, else end
 *		submit
 *	} while (!vhost_exceeds_weight)
 *
 * A request that takes time completes as work of the same worker.
 */
#ifndef RINGSIDE_VHOST_VHOST_BLK_H
#define RINGSIDE_VHOST_VHOST_BLK_H

#include "vhost/vhost_vq.h"
#include "virtio/blk.h"

#define VHOST_SCSI_WEIGHT 256u /* requests a run */

/* For vhost_dev_create() and vhost_user_create(), of a device that virtio_blk_create() made. */
extern const struct vhost_ops vhost_blk_ops;

#endif
