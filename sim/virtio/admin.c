/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/admin.h"

#include <string.h>

#include "base/must.h"
#include "memory/guest_memory.h"
#include "virtio/pci_transport.h"
#include "virtio/ring_packed.h"
#include "virtio/suspend.h"

#define CONFIG_VECTOR offsetof(struct virtio_pci_common_cfg, config_msix_vector)
#define QUEUE_SELECT offsetof(struct virtio_pci_common_cfg, queue_select)

static void
answer(struct virtio_admin_cmd *c, unsigned status, unsigned qualifier)
{
	c->status = (uint16_t)status;
	c->qualifier = (uint16_t)qualifier;
}

/* --- getting -------------------------------------------------------------------------------- */

struct writer {
	uint8_t *to; /* null: counts */
	size_t room, bytes;
};

static void
put_part(struct writer *w, unsigned type, uint64_t selector, const void *value, uint32_t length)
{
	struct virtio_dev_part_hdr hdr = { .part_type = (uint16_t)type,
					   .selector = selector,
					   .length = length };

	if (type == VIRTIO_DEV_PART_DEV_FEATURES)
		hdr.flags = VIRTIO_DEV_PART_F_OPTIONAL;
	if (w->to && w->bytes + sizeof(hdr) + length <= w->room) {
		memcpy(w->to + w->bytes, &hdr, sizeof(hdr));
		memcpy(w->to + w->bytes + sizeof(hdr), value, length);
	}
	w->bytes += sizeof(hdr) + length;
}

static void
put_queue(struct writer *w, const struct virtio_queue *vq)
{
	struct virtio_dev_part_vq_cfg cfg = {
		.queue_size = vq->size,
		.vector = vq->vector,
		.enabled = vq->enabled,
		.queue_desc = vq->desc_gpa,
		.queue_driver = vq->driver_gpa,
		.queue_device = vq->device_gpa,
	};

	put_part(w, VIRTIO_DEV_PART_VQ_CFG, vq->index, &cfg, sizeof(cfg));
}

static void
put_notify(struct writer *w, const struct virtio_queue *vq)
{
	struct virtio_dev_part_vq_notify_data data = { .queue_notify_off = vq->index,
						       .queue_notif_config_data = vq->index };

	put_part(w, VIRTIO_DEV_PART_VQ_NOTIFY_CFG, vq->index, &data, sizeof(data));
}

/* All parts, in the order of the table (2.12.1.4). */
static void
put_all(struct writer *w, const struct virtio_device *vdev)
{
	const struct virtio_pci *p = vdev->transport_data;

	put_part(w, VIRTIO_DEV_PART_DEV_FEATURES, 0, &vdev->device_features, 8);
	put_part(w, VIRTIO_DEV_PART_DRV_FEATURES, 0, &vdev->driver_features, 8);
	put_part(w, VIRTIO_DEV_PART_PCI_COMMON_CFG, CONFIG_VECTOR, &vdev->config_vector, 2);
	put_part(w, VIRTIO_DEV_PART_PCI_COMMON_CFG, QUEUE_SELECT, &p->queue_select, 2);
	put_part(w, VIRTIO_DEV_PART_DEVICE_STATUS, 0, &vdev->status, 1);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		put_queue(w, &vdev->vqs[i]);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		put_notify(w, &vdev->vqs[i]);
}

static void
parts_get(struct virtio_device *vdev, struct virtio_admin_cmd *c)
{
	bool metadata = c->opcode == VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET;
	struct writer w = { .to = metadata ? NULL : c->parts, .room = c->bytes };

	put_all(&w, vdev);
	if (!metadata && w.bytes > c->bytes)
		answer(c, VIRTIO_ADMIN_STATUS_ENOMEM, VIRTIO_ADMIN_STATUS_Q_OK);
	c->bytes = w.bytes;
}

/* --- setting -------------------------------------------------------------------------------- */

static uint32_t
length_of(const struct virtio_dev_part_hdr *hdr)
{
	switch (hdr->part_type) {
	case VIRTIO_DEV_PART_DEV_FEATURES:
	case VIRTIO_DEV_PART_DRV_FEATURES:
		return 8;
	case VIRTIO_DEV_PART_PCI_COMMON_CFG:
		return 2;
	case VIRTIO_DEV_PART_DEVICE_STATUS:
		return 1;
	case VIRTIO_DEV_PART_VQ_CFG:
		return sizeof(struct virtio_dev_part_vq_cfg);
	case VIRTIO_DEV_PART_VQ_NOTIFY_CFG:
		return sizeof(struct virtio_dev_part_vq_notify_data);
	default:
		return UINT32_MAX;
	}
}

/* What the driver could have programmed. */
static bool
queue_cfg_good(const struct virtio_device *vdev, uint16_t index, const uint8_t *value)
{
	const struct virtio_pci *p = vdev->transport_data;
	bool packed = virtio_device_has(vdev, VIRTIO_F_RING_PACKED);
	struct virtio_dev_part_vq_cfg cfg;

	memcpy(&cfg, value, sizeof(cfg));
	return cfg.queue_size <= vdev->vqs[index].size_max && cfg.enabled <= 1 &&
	       (cfg.queue_size || !cfg.enabled) &&
	       (packed || !(cfg.queue_size & (cfg.queue_size - 1))) &&
	       (cfg.vector == VIRTIO_MSI_NO_VECTOR || cfg.vector < p->msix->vectors);
}

/* Of the part at *@at, which moves behind it; null: it is no part of ours. */
static const uint8_t *
next_part(const struct virtio_device *vdev, const struct virtio_admin_cmd *c, size_t *at,
	  struct virtio_dev_part_hdr *hdr)
{
	const uint8_t *value = c->parts + *at + sizeof(*hdr);
	bool queue;

	if (c->bytes - *at < sizeof(*hdr))
		return NULL;
	memcpy(hdr, c->parts + *at, sizeof(*hdr));
	queue = hdr->part_type == VIRTIO_DEV_PART_VQ_CFG ||
		hdr->part_type == VIRTIO_DEV_PART_VQ_NOTIFY_CFG;
	if (hdr->length != length_of(hdr) || c->bytes - *at - sizeof(*hdr) < hdr->length ||
	    (queue && (uint16_t)hdr->selector >= vdev->queue_count))
		return NULL;
	if (hdr->part_type == VIRTIO_DEV_PART_DEV_FEATURES &&
	    memcmp(value, &vdev->device_features, 8) != 0)
		return NULL;
	if (hdr->part_type == VIRTIO_DEV_PART_VQ_CFG &&
	    !queue_cfg_good(vdev, (uint16_t)hdr->selector, value))
		return NULL;
	*at += sizeof(*hdr) + hdr->length;
	return value;
}

/* Where a ring stands that somebody else ran, as far as it shows (2.14 has no part for it). */
static uint32_t
position_of(const struct virtio_queue *vq)
{
	uint16_t used = 0;

	if (virtio_device_has(vq->vdev, VIRTIO_F_RING_PACKED))
		return RING_PACKED_START;
	gm_read(vq->vdev->w, vq->device_gpa + offsetof(struct vring_used, idx), &used,
		sizeof(used));
	return used;
}

static void
set_queue(struct virtio_queue *vq, const uint8_t *value)
{
	struct virtio_dev_part_vq_cfg cfg;

	memcpy(&cfg, value, sizeof(cfg));
	vq->size = cfg.queue_size;
	vq->desc_gpa = cfg.queue_desc;
	vq->driver_gpa = cfg.queue_driver;
	vq->device_gpa = cfg.queue_device;
	vq->enabled = cfg.enabled;
	vq->vector = cfg.vector;
	guest_notifier_set_vector(virtio_pci_notifier(vq), cfg.vector);
	virtio_ring_destroy(&vq->ring);
	if (vq->enabled)
		vq->position = position_of(vq);
}

static void
set_part(struct virtio_device *vdev, const struct virtio_dev_part_hdr *hdr, const uint8_t *value)
{
	struct virtio_pci *p = vdev->transport_data;

	switch (hdr->part_type) {
	case VIRTIO_DEV_PART_DRV_FEATURES:
		memcpy(&vdev->driver_features, value, 8);
		break;
	case VIRTIO_DEV_PART_PCI_COMMON_CFG:
		if ((uint32_t)hdr->selector == QUEUE_SELECT) {
			memcpy(&p->queue_select, value, 2);
		} else if ((uint32_t)hdr->selector == CONFIG_VECTOR) {
			memcpy(&vdev->config_vector, value, 2);
			guest_notifier_set_vector(
				guest_notifier_of(p->notifiers, GUEST_NOTIFIER_CONFIG),
				vdev->config_vector);
		}
		break;
	case VIRTIO_DEV_PART_DEVICE_STATUS:
		vdev->status = *value;
		break;
	case VIRTIO_DEV_PART_VQ_CFG:
		set_queue(&vdev->vqs[(uint16_t)hdr->selector], value);
		break;
	default:
		break;
	}
}

static void
parts_set(struct virtio_device *vdev, struct virtio_admin_cmd *c)
{
	struct virtio_dev_part_hdr hdr;
	const uint8_t *value;
	unsigned last = 0;

	if (!virtio_suspended(vdev)) {
		answer(c, VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND);
		return;
	}
	/* A command that fails has no effects: all of it is looked at first. */
	for (size_t at = 0; at < c->bytes; last = hdr.part_type) {
		if (!next_part(vdev, c, &at, &hdr) || hdr.part_type < last) {
			answer(c, VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD);
			return;
		}
	}
	for (size_t at = 0; at < c->bytes;) {
		value = next_part(vdev, c, &at, &hdr);
		set_part(vdev, &hdr, value);
	}
}

/* --- commands ------------------------------------------------------------------------------- */

static void
mode_set(struct virtio_device *vdev, const struct virtio_admin_cmd *c)
{
	if (c->flags & 1u << VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED)
		virtio_suspend_enter(vdev);
	else
		virtio_suspend_leave(vdev);
}

void
virtio_admin_command(struct virtio_device *vdev, struct virtio_admin_cmd *c)
{
	struct world *w = vdev->w;

	answer(c, VIRTIO_ADMIN_STATUS_OK, VIRTIO_ADMIN_STATUS_Q_OK);
	emit(w, EV_VIRTIO_ADMIN_CMD, vdev->name, c->opcode, c->flags);
	if (!vdev->suspend || vdev->suspend->policy->by != SUSPEND_BY_OWNER)
		answer(c, VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND);
	else if (c->opcode == VIRTIO_ADMIN_CMD_DEV_MODE_SET)
		mode_set(vdev, c);
	else if (c->opcode == VIRTIO_ADMIN_CMD_DEV_PARTS_SET)
		parts_set(vdev, c);
	else if (c->opcode == VIRTIO_ADMIN_CMD_DEV_PARTS_GET ||
		 c->opcode == VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET)
		parts_get(vdev, c);
	else
		answer(c, VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE);
	emit(w, EV_VIRTIO_ADMIN_DONE, vdev->name, c->opcode, c->flags, c->status, c->qualifier);
}
