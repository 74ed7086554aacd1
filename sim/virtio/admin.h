/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Group administration commands about one member: its mode and its parts (2.12.1.4, 2.14).
 *
 *	owner's driver ── command ──▶ member: stopped, or going on again
 *	                              parts out, parts in (in force when it goes on)
 *
 * A stopped member touches no queue and sends nothing; doorbells are taken and looked at when it
 * goes on, registers answer, a reset or FLR clears its parts and leaves it stopped.  Commands wait
 * for a reset that is under way: they take the big lock, which a reset holds.
 *
 * There is no administration virtqueue, no group and no resource object: who calls this is the
 * owner's device, a command about a member that cannot be stopped is INVALID_COMMAND.
 *
 * Parts, in their order: features of device and driver, fields of the common configuration, status,
 * and of each queue its configuration (2.14).  None says where a queue stands.  For a split ring it
 * follows from used.idx, because what was observed was written back; a packed ring starts anew,
 * which is wrong unless it stood at its beginning.
 */
#ifndef RINGSIDE_VIRTIO_ADMIN_H
#define RINGSIDE_VIRTIO_ADMIN_H

#include "virtio/device.h"

#define VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET 0x0eu
#define VIRTIO_ADMIN_CMD_DEV_PARTS_GET 0x0fu
#define VIRTIO_ADMIN_CMD_DEV_PARTS_SET 0x10u
#define VIRTIO_ADMIN_CMD_DEV_MODE_SET 0x11u
#define VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED 0 /* bit number */

#define VIRTIO_ADMIN_STATUS_OK 0u
#define VIRTIO_ADMIN_STATUS_ENOMEM 12u
#define VIRTIO_ADMIN_STATUS_EINVAL 22u
#define VIRTIO_ADMIN_STATUS_Q_OK 0u
#define VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND 1u
#define VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE 2u
#define VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD 3u

#define VIRTIO_DEV_PART_DEV_FEATURES 0x100u
#define VIRTIO_DEV_PART_DRV_FEATURES 0x101u
#define VIRTIO_DEV_PART_PCI_COMMON_CFG 0x102u
#define VIRTIO_DEV_PART_DEVICE_STATUS 0x103u
#define VIRTIO_DEV_PART_VQ_CFG 0x104u
#define VIRTIO_DEV_PART_VQ_NOTIFY_CFG 0x105u
#define VIRTIO_DEV_PART_F_OPTIONAL 1u /* bit 0 */

/* 2.14 */
struct virtio_dev_part_hdr {
	uint16_t part_type;
	uint8_t flags, reserved;
	uint64_t selector; /* offset, or index of the queue */
	uint32_t length; /* of the value behind it */
} __attribute__((packed));

struct virtio_dev_part_vq_cfg {
	uint16_t queue_size, vector, enabled, reserved;
	uint64_t queue_desc, queue_driver, queue_device;
};

struct virtio_dev_part_vq_notify_data {
	uint16_t queue_notify_off, queue_notif_config_data;
	uint8_t reserved[4];
};

_Static_assert(sizeof(struct virtio_dev_part_hdr) == 16, "2.14");

struct virtio_admin_cmd {
	uint16_t opcode;
	uint8_t flags; /* DEV_MODE_SET */
	/* DEV_PARTS_SET: parts; DEV_PARTS_GET: room for all of them. bytes: how many; after a GET
	 * and METADATA_GET how many there are. */
	uint8_t *parts;
	size_t bytes;
	/* set by the member */
	uint16_t status, qualifier;
};

/* Carry @c out at the member @vdev. May wait. */
void
virtio_admin_command(struct virtio_device *vdev, struct virtio_admin_cmd *c);

#endif
