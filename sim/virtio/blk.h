/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk, device side (5.2): requests, a disk, and the handler that a VMM runs.
 *
 *	chain = header (16, readable) | data (readable or writable) | status (1, writable)
 *
 *	handler   do { notifications off; while (pop) submit }
 *	          while (notifications on, and more came)        (QEMU's virtio_blk_handle_vq())
 *	submit    parse; a disk that takes no time completes at once, else a timer hands the
 *	          request to the thread that runs the queue
 *	complete  read or write the disk, data and status into the guest, push, signal
 *
 * The disk is sparse and counts for each sector how often it was written, so that what a read
 * brought can be judged: version 0 is zeros.  The disk is read or written when a request completes;
 * requests in flight complete in any order their delays allow, as on a real disk.
 *
 * vhost/vhost_blk.h submits from its own loop.
 */
#ifndef RINGSIDE_VIRTIO_BLK_H
#define RINGSIDE_VIRTIO_BLK_H

#include "virtio/device.h"

/* Feature bits (5.2.3). */
#define VIRTIO_BLK_F_RO 5
#define VIRTIO_BLK_F_FLUSH 9
#define VIRTIO_BLK_F_MQ 12

/* Request types and status (5.2.6). */
#define VIRTIO_BLK_T_IN 0u
#define VIRTIO_BLK_T_OUT 1u
#define VIRTIO_BLK_T_FLUSH 4u
#define VIRTIO_BLK_T_GET_ID 8u
#define VIRTIO_BLK_S_OK 0u
#define VIRTIO_BLK_S_IOERR 1u
#define VIRTIO_BLK_S_UNSUPP 2u
#define VIRTIO_BLK_ID_BYTES 20u

#define BLK_SECTOR_BYTES 512u
#define BLK_CAPACITY_SECTORS 2048u /* the default: 1 MiB */
#define BLK_BUCKETS 256u /* of the sector table: 2 KiB a disk */

/* 5.2.4, up to the last field that an offered feature gives meaning. */
struct virtio_blk_config {
	uint64_t capacity; /* sectors */
	uint32_t size_max, seg_max;
	uint16_t cylinders;
	uint8_t heads, sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback;
	uint8_t unused0;
	uint16_t num_queues; /* VIRTIO_BLK_F_MQ */
} __attribute__((packed));

/* 5.2.6 */
struct virtio_blk_outhdr {
	uint32_t type, reserved;
	uint64_t sector;
};

/* The disk behind it. */
struct blk_config {
	uint64_t capacity_sectors; /* 0: BLK_CAPACITY_SECTORS */
	int64_t delay_ns; /* of each request; 0: completed where it is submitted */
	uint64_t error_first, error_sectors; /* requests that touch these fail: IOERR */
	unsigned fail_every; /* each n-th read or write fails: IOERR; 0: none */
	bool readonly; /* VIRTIO_BLK_F_RO */
};

struct blk_sector {
	uint64_t number, version;
	struct blk_sector *next; /* in its bucket */
	uint8_t data[BLK_SECTOR_BYTES];
};

struct virtio_blk_req {
	struct virtio_blk *blk;
	struct virtio_ring *ring; /* it was popped from */
	struct dp_elem *elem;
	uint32_t type;
	uint64_t sector;
	uint32_t data_bytes;
	uint8_t status;
	struct timer timer;
	struct virtio_work work;
};

struct virtio_blk {
	struct virtio_device *vdev;
	struct blk_config config;
	struct blk_sector *bucket[BLK_BUCKETS];
	uint64_t requests, completed, errors, flushes, transfers;
};

extern const struct virtio_type_ops virtio_blk_type;

/* What a QEMU of today offers for it, as far as it is here. */
#define VIRTIO_BLK_FEATURES \
	(VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_VERSION_1))

/*
 * Make @vdev a virtio-blk with @queues request queues; the rest as for virtio_device_init().
 * VIRTIO_BLK_F_MQ and VIRTIO_BLK_F_RO are offered as the configuration has it.
 */
struct virtio_blk *
virtio_blk_create(struct virtio_device *vdev, struct world *w, const char *name,
		  const struct dp_device_ops *datapath, uint64_t features, uint16_t queues,
		  uint16_t queue_size, const struct blk_config *config);

static inline struct virtio_blk *
virtio_blk_of(const struct virtio_device *vdev)
{
	return vdev->priv;
}

/* Work on @elem, which @r popped; the caller may reuse @elem at once. */
void
virtio_blk_submit(struct virtio_ring *r, const struct dp_elem *elem);

/* The disk as it is now, for tests and oracles. Null: never written, zeros. */
const struct blk_sector *
virtio_blk_sector(const struct virtio_blk *blk, uint64_t sector);

/* The disk grows or shrinks, and the driver is told (5.2.4). With the big lock. */
void
virtio_blk_resize(struct virtio_blk *blk, uint64_t capacity_sectors);

#endif
