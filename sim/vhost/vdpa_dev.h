/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vDPA device and the vhost-vdpa character device in front of it: the host's half of
 * vhost/vdpa.h.  What the VMM does to it are ioctls and messages, in force when they return.
 *
 *	VHOST_IOTLB_UPDATE, _INVALIDATE      IOVA to the VMM's virtual addresses, for one address
 *	                                     space (ASID); in batches where it can
 *	VHOST_VDPA_SET_GROUP_ASID            which address space a group of queues goes through
 *	VHOST_SET_VRING_ADDR, _NUM, _BASE, _KICK, _CALL; VHOST_VDPA_SET_VRING_ENABLE
 *	VHOST_VDPA_SET_STATUS                DRIVER_OK: enabled queues run.  0: reset
 *	VHOST_VDPA_SUSPEND, _RESUME          what was begun is finished; positions stay as they are
 *	VHOST_GET_VRING_BASE                 where a queue stands, now: of a queue that runs this is
 *	                                     out of date when it is read
 *
 * The queues are run by a worker (vdpasim has one; a hardware queue is no different from outside),
 * with the same handlers as a vhost device's, through the IOTLB: an access to what is not mapped,
 * or not for writing, is an event and transfers nothing.
 *
 * There is no dirty log: VHOST_F_LOG_ALL is not offered, and what the device writes nobody notes.
 *
 * A reset may drop the IOTLB's maps or keep them: parent drivers disagreed, and who relies on
 * either is wrong with the other (VHOST_BACKEND_F_IOTLB_PERSIST says which; fault
 * vdpa.reset.drops_iotlb).
 */
#ifndef RINGSIDE_VHOST_VDPA_DEV_H
#define RINGSIDE_VHOST_VDPA_DEV_H

#include "vhost/hva.h"
#include "vhost/iova_tree.h"
#include "vhost/vhost_vq.h"
#include "virtio/dma.h"

#define VDPA_AS_MAX 2u /* address spaces, and groups of queues: data, control */
#define VDPA_UNMAPPED_KEPT 16u /* maps that are gone, to tell "unmapped" from "never mapped" */

struct vdpa_dev_config {
	uint64_t iova_first, iova_last; /* VHOST_VDPA_GET_IOVA_RANGE; last 0: 2^48 - 1 */
	uint32_t page_bytes; /* of host and IOMMU: maps are of whole ones; 0: HVA_PAGE */
	bool no_suspend; /* VHOST_BACKEND_F_SUSPEND is not offered */
	bool no_asid; /* one address space for all queues */
	unsigned map_fails_at; /* the n-th UPDATE fails, as with no memory left to pin; 0: none */
};

struct vdpa_dev;

struct vdpa_group {
	struct vdpa_dev *dev;
	unsigned asid;
	struct dma_domain dma;
};

/* What the device was told of a queue. */
struct vdpa_vring {
	struct virtio_queue *vq; /* whose size and addresses: in IOVA */
	struct vdpa_group *group;
	uint32_t base;
	struct eventfd *kick, *call; /* call null: the guest's, the transport's way */
	bool enabled, live;
};

struct vdpa_dev {
	struct world *w;
	int64_t name;
	struct vdpa_dev_config config;
	struct vhost_vqs *set; /* the queues' threads */
	struct hva_space *hva;
	struct vdpa_vring *vring;
	struct vdpa_group group[VDPA_AS_MAX];
	struct iova_tree iotlb[VDPA_AS_MAX];
	struct dma_map unmapped[VDPA_UNMAPPED_KEPT];
	uint64_t unmaps, updates, faults;
	uint8_t status;
	bool suspended, batch;
	uint64_t batched; /* bytes mapped in this batch */
};

/* For the queues of @set, of which queue @control (or UINT16_MAX) is in group 1. */
void
vdpa_dev_init(struct vdpa_dev *d, struct vhost_vqs *set, struct hva_space *hva, uint16_t control,
	      const struct vdpa_dev_config *config);

/* 0, -EEXIST if some of it is mapped, -EINVAL, -ENOMEM. */
int
vdpa_iotlb_update(struct vdpa_dev *d, unsigned asid, const struct dma_map *map);
/* Whole maps that overlap [iova, iova + bytes): 0. */
int
vdpa_iotlb_invalidate(struct vdpa_dev *d, unsigned asid, uint64_t iova, uint64_t bytes);
/* Between the two a device's tables are not made anew at each message. */
void
vdpa_iotlb_batch(struct vdpa_dev *d, bool begin);
int
vdpa_set_group_asid(struct vdpa_dev *d, unsigned group, unsigned asid);

/* @vq has size and addresses; the device goes by them from its next start on. */
void
vdpa_set_vring(struct vdpa_dev *d, uint16_t i, struct virtio_queue *vq, uint32_t base,
	       struct eventfd *kick, struct eventfd *call);
void
vdpa_set_vring_enable(struct vdpa_dev *d, uint16_t i);
/* It may run: see above. */
uint32_t
vdpa_get_vring_base(struct vdpa_dev *d, uint16_t i);

/* Bits are added; 0 resets. */
void
vdpa_set_status(struct vdpa_dev *d, uint8_t status);
/* 0, or -EOPNOTSUPP. */
int
vdpa_suspend(struct vdpa_dev *d);
int
vdpa_resume(struct vdpa_dev *d);

/* Maps of the VMM's own memory, of all address spaces. */
size_t
vdpa_own_maps(const struct vdpa_dev *d);

#endif
