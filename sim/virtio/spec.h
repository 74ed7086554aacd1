/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VIRTIO 1.4 as numbers and layouts: what driver, device and transport must agree on, with the
 * section that says so.  Names are the specification's or, where it has none, those of Linux's uapi
 * headers; as there, a feature's name is its bit *number*: use VIRTIO_BIT() and virtio_has().
 *
 * Nothing here has behaviour, and nothing of Ringside is in it: code that runs outside the
 * simulator may include it.  What belongs to one device type (VIRTIO_BLK_F_…, request headers) is
 * in that type's own header.
 *
 * Fields of rings and of the PCI structures are little-endian.  Ringside runs on little-endian
 * hosts only, so they are plain integers here; the check below keeps that honest.
 */
#ifndef RINGSIDE_VIRTIO_SPEC_H
#define RINGSIDE_VIRTIO_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio's fields are read as they stand");

/* --- device status (2.1), one byte on every transport --------------------------------------- */

#define VIRTIO_CONFIG_S_ACKNOWLEDGE 1u
#define VIRTIO_CONFIG_S_DRIVER 2u
#define VIRTIO_CONFIG_S_DRIVER_OK 4u
#define VIRTIO_CONFIG_S_FEATURES_OK 8u
#define VIRTIO_CONFIG_S_SUSPEND 16u /* 3.4, with VIRTIO_F_SUSPEND */
#define VIRTIO_CONFIG_S_NEEDS_RESET 64u
#define VIRTIO_CONFIG_S_FAILED 128u

/* --- feature bits (2.2, 6): 0 … 23 and 50 … 127 belong to the device type ------------------- */

#define VIRTIO_F_NOTIFY_ON_EMPTY 24 /* legacy (6.3): interrupt when the ring runs empty, always */
#define VIRTIO_F_ANY_LAYOUT 27 /* legacy (6.3) */
#define VIRTIO_RING_F_INDIRECT_DESC 28 /* 2.7.5.3, 2.8.7 */
#define VIRTIO_RING_F_EVENT_IDX 29 /* 2.7.7, 2.7.10, 2.8.10 */
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_ACCESS_PLATFORM 33 /* device addresses are the platform's: vIOMMU */
#define VIRTIO_F_RING_PACKED 34 /* 2.8 */
#define VIRTIO_F_IN_ORDER 35 /* 2.7.9, 2.8.8 */
#define VIRTIO_F_ORDER_PLATFORM 36 /* barriers must order against a real device */
#define VIRTIO_F_SR_IOV 37
#define VIRTIO_F_NOTIFICATION_DATA 38 /* 2.9 */
#define VIRTIO_F_NOTIF_CONFIG_DATA 39 /* 4.1.5.2 */
#define VIRTIO_F_RING_RESET 40 /* 2.6.1 */
#define VIRTIO_F_ADMIN_VQ 41 /* 2.13 */
#define VIRTIO_F_SUSPEND 43 /* 3.4; bit 42 is a device type's */

#define VIRTIO_BIT(feature) (UINT64_C(1) << (feature))

static inline bool
virtio_has(uint64_t features, unsigned feature)
{
	return features >> feature & 1;
}

/* --- device types (5) ----------------------------------------------------------------------- */

#define VIRTIO_ID_NET 1u
#define VIRTIO_ID_BLOCK 2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_RNG 4u
#define VIRTIO_ID_BALLOON 5u
#define VIRTIO_ID_SCSI 8u
#define VIRTIO_ID_9P 9u
#define VIRTIO_ID_VSOCK 19u
#define VIRTIO_ID_CRYPTO 20u
#define VIRTIO_ID_IOMMU 23u
#define VIRTIO_ID_MEM 24u
#define VIRTIO_ID_FS 26u

/* --- split virtqueue (2.7) ------------------------------------------------------------------ */

#define VIRTQUEUE_MAX_SIZE 32768u /* 2.7: descriptors of a split ring; always a power of two */

/* Alignment of the three areas (2.7). */
#define VRING_DESC_ALIGN_SIZE 16u
#define VRING_AVAIL_ALIGN_SIZE 2u
#define VRING_USED_ALIGN_SIZE 4u

/* Descriptor flags (2.7.5, 2.8.7). */
#define VRING_DESC_F_NEXT 1u
#define VRING_DESC_F_WRITE 2u /* the device writes it; else it reads it */
#define VRING_DESC_F_INDIRECT 4u

/* 2.7.5 */
struct vring_desc {
	uint64_t addr; /* guest-physical */
	uint32_t len; /* bytes */
	uint16_t flags; /* VRING_DESC_F_… */
	uint16_t next;
};

/* 2.7.6. used_event stands behind ring[size], if VIRTIO_RING_F_EVENT_IDX was negotiated. */
struct vring_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

#define VRING_AVAIL_F_NO_INTERRUPT 1u /* 2.7.7: a hint */

/* 2.7.8 */
struct vring_used_elem {
	uint32_t id; /* head of the chain that was used */
	uint32_t len; /* bytes that were written into it */
};

/* 2.7.8. avail_event stands behind ring[size], if VIRTIO_RING_F_EVENT_IDX was negotiated. */
struct vring_used {
	uint16_t flags;
	uint16_t idx;
	struct vring_used_elem ring[];
};

#define VRING_USED_F_NO_NOTIFY 1u /* 2.7.10: a hint */

_Static_assert(sizeof(struct vring_desc) == 16, "2.7.5");
_Static_assert(offsetof(struct vring_avail, ring) == 4, "2.7.6");
_Static_assert(offsetof(struct vring_used, ring) == 4, "2.7.8");

/*
 * Whether an index that went from @old to @new_idx passed @event: one of old … new_idx - 1 is it.
 * That is "notify when index event is used" (2.7.7.2, 2.7.10.1) for a batch, modulo 2^16, as
 * Linux's function of this name.  Wrong only for batches of 2^16 and more.
 */
static inline bool
vring_need_event(uint16_t event, uint16_t new_idx, uint16_t old)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old);
}

/* --- packed virtqueue (2.8) ----------------------------------------------------------------- */

#define VIRTQUEUE_MAX_SIZE_PACKED 32768u /* offsets have 15 bits; need not be a power of two */

#define VRING_PACKED_DESC_ALIGN_SIZE 16u
#define VRING_PACKED_EVENT_ALIGN_SIZE 4u

/* Bit numbers in flags, beside VRING_DESC_F_… (2.8.1). */
#define VRING_PACKED_DESC_F_AVAIL 7
#define VRING_PACKED_DESC_F_USED 15

/* 2.8.13 */
struct vring_packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id; /* of the buffer: in the last descriptor of a list */
	uint16_t flags;
};

/* 2.8.14 */
struct vring_packed_desc_event {
	uint16_t off_wrap; /* offset in bits 0 … 14, wrap counter in bit 15 */
	uint16_t flags; /* VRING_PACKED_EVENT_FLAG_… */
};

#define VRING_PACKED_EVENT_FLAG_ENABLE 0u
#define VRING_PACKED_EVENT_FLAG_DISABLE 1u
#define VRING_PACKED_EVENT_FLAG_DESC 2u /* only with VIRTIO_RING_F_EVENT_IDX */
#define VRING_PACKED_EVENT_F_WRAP_CTR 15 /* bit number in off_wrap */

_Static_assert(sizeof(struct vring_packed_desc) == 16, "2.8.13");
_Static_assert(sizeof(struct vring_packed_desc_event) == 4, "2.8.14");

/* --- driver notifications (2.9) ------------------------------------------------------------- */

/*
 * The 32 bits written to the doorbell with VIRTIO_F_NOTIFICATION_DATA: the queue in the low half,
 * in the upper half the position (split: avail idx; packed: offset in 15 bits and the wrap
 * counter).
 */
static inline uint32_t
virtio_notification_data(uint16_t vq_index, uint16_t position)
{
	return (uint32_t)position << 16 | vq_index;
}

/* --- PCI (4.1) ------------------------------------------------------------------------------ */

#define VIRTIO_PCI_VENDOR_ID 0x1af4u
#define VIRTIO_PCI_DEVICE_ID(type) (0x1040u + (type)) /* 4.1.2.1 */

/* cfg_type of the vendor capabilities (4.1.4). */
#define VIRTIO_PCI_CAP_COMMON_CFG 1u
#define VIRTIO_PCI_CAP_NOTIFY_CFG 2u
#define VIRTIO_PCI_CAP_ISR_CFG 3u
#define VIRTIO_PCI_CAP_DEVICE_CFG 4u
#define VIRTIO_PCI_CAP_PCI_CFG 5u
#define VIRTIO_PCI_CAP_SHARED_MEMORY_CFG 8u
#define VIRTIO_PCI_CAP_VENDOR_CFG 9u

#define VIRTIO_MSI_NO_VECTOR 0xffffu /* 4.1.5.1.2 */

/* ISR status (4.1.4.5), cleared by reading. */
#define VIRTIO_PCI_ISR_QUEUE 1u
#define VIRTIO_PCI_ISR_CONFIG 2u

/* 4.1.4.3 */
struct virtio_pci_common_cfg {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_msix_vector;
	uint16_t num_queues;
	uint8_t device_status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_msix_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint64_t queue_desc;
	uint64_t queue_driver;
	uint64_t queue_device;
	uint16_t queue_notif_config_data; /* VIRTIO_F_NOTIF_CONFIG_DATA */
	uint16_t queue_reset; /* VIRTIO_F_RING_RESET */
	uint16_t admin_queue_index; /* VIRTIO_F_ADMIN_VQ */
	uint16_t admin_queue_num;
};

_Static_assert(offsetof(struct virtio_pci_common_cfg, device_status) == 20, "4.1.4.3");
_Static_assert(offsetof(struct virtio_pci_common_cfg, queue_desc) == 32, "4.1.4.3");
_Static_assert(sizeof(struct virtio_pci_common_cfg) == 64, "4.1.4.3");

#endif
