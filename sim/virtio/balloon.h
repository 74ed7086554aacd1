/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon, device side (5.5).
 *
 *	inflateq       page frame numbers, 32 bits each: the guest does without these pages, and
 *	               what they hold may go (5.5.6)
 *	deflateq       it wants them back
 *	statsq         one buffer with statistics; used when the device wants new ones (5.5.6.3)
 *	free_page_vq   command ids and free pages, for a migration (5.5.6.5): vmm/balloon_hint.h
 *	reporting_vq   free pages that the device may take until the driver has them back (5.5.6.7)
 *
 * Queues are numbered as the specification does; one whose feature is not offered has no size, and
 * those behind the last one are not there.
 *
 * Discarding.  A page that the host takes reads as zeros when it is touched again; that is no
 * write of the guest, and no dirty log sees it.  Where the host's pages are larger than 4 KiB a
 * host page goes only when all of it is in the balloon: which parts are is remembered within one
 * request (QEMU a8cd64d488).
 *
 * While it is inhibited nothing is discarded: postcopy, background snapshots, assigned devices.
 */
#ifndef RINGSIDE_VIRTIO_BALLOON_H
#define RINGSIDE_VIRTIO_BALLOON_H

#include "virtio/device.h"

/* Feature bits (5.5.3). */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST 0
#define VIRTIO_BALLOON_F_STATS_VQ 1
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM 2
#define VIRTIO_BALLOON_F_FREE_PAGE_HINT 3
#define VIRTIO_BALLOON_F_PAGE_POISON 4
#define VIRTIO_BALLOON_F_PAGE_REPORTING 5

/* 5.5.2. ORDER BALLOON_VQ: guest/balloon_driver.c */
enum balloon_vq {
	BALLOON_VQ_INFLATE,
	BALLOON_VQ_DEFLATE,
	BALLOON_VQ_STATS,
	BALLOON_VQ_FREE_PAGE,
	BALLOON_VQ_REPORTING,
	BALLOON_VQS
};

#define VIRTIO_BALLOON_PFN_SHIFT 12
#define VIRTIO_BALLOON_CMD_ID_STOP 0u
#define VIRTIO_BALLOON_CMD_ID_DONE 1u
#define VIRTIO_BALLOON_CMD_ID_MIN 0x80000000u /* QEMU's first of a round */

/* 5.5.4 */
struct virtio_balloon_config {
	uint32_t num_pages; /* that the host wants */
	uint32_t actual; /* in the balloon, the driver's */
	uint32_t free_page_hint_cmd_id; /* VIRTIO_BALLOON_F_FREE_PAGE_HINT */
	uint32_t poison_val; /* VIRTIO_BALLOON_F_PAGE_POISON, the driver's */
};

/* 5.5.6.3; packed: ten bytes. */
struct virtio_balloon_stat {
	uint16_t tag;
	uint64_t val;
} __attribute__((packed));
#define VIRTIO_BALLOON_S_MEMFREE 4u
#define VIRTIO_BALLOON_S_MEMTOT 5u
#define VIRTIO_BALLOON_S_NR 16u /* tags that are kept */

struct balloon_config {
	uint32_t host_page_bytes; /* 0: 4096; a power of two up to 64 KiB */
};
#define BALLOON_SUBPAGES_MAX 16u

/* A host page of which a part is in the balloon (QEMU's PartiallyBalloonedPage). */
struct balloon_pbp {
	uint64_t base; /* gpa; with no bit it means nothing */
	uint32_t subpages;
};

struct virtio_balloon {
	struct virtio_device *vdev;
	struct balloon_config config;
	struct balloon_pbp pbp;
	uint64_t stats[VIRTIO_BALLOON_S_NR];
	uint64_t stats_updates; /* times the driver brought some */
	unsigned inhibit;
	uint64_t inflated, deflated, discarded, reported; /* pages */
	/* Where kicks of the free page queue go; null: hints are given back unlooked at. */
	void (*free_page_kick)(struct virtio_balloon *b);
	void (*free_page_running)(struct virtio_balloon *b, bool running);
	void *hinting; /* struct balloon_hint */
};

extern const struct virtio_type_ops virtio_balloon_type;

/* What a QEMU of today offers for it with all properties on. */
#define VIRTIO_BALLOON_FEATURES \
	(VIRTIO_BIT(VIRTIO_BALLOON_F_MUST_TELL_HOST) | VIRTIO_BIT(VIRTIO_BALLOON_F_STATS_VQ) | \
	 VIRTIO_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | \
	 VIRTIO_BIT(VIRTIO_BALLOON_F_FREE_PAGE_HINT) | VIRTIO_BIT(VIRTIO_BALLOON_F_PAGE_POISON) | \
	 VIRTIO_BIT(VIRTIO_BALLOON_F_PAGE_REPORTING) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_VERSION_1))

/* Make @vdev a virtio-balloon; the rest as for virtio_device_init(). */
struct virtio_balloon *
virtio_balloon_create(struct virtio_device *vdev, struct world *w, const char *name,
		      const struct dp_device_ops *datapath, uint64_t features, uint16_t queue_size,
		      const struct balloon_config *config);

static inline struct virtio_balloon *
virtio_balloon_of(const struct virtio_device *vdev)
{
	return vdev->priv;
}

/* A field of the configuration as it stands: num_pages, actual, … */
uint32_t
virtio_balloon_field(const struct virtio_balloon *b, size_t offset);

/* The host wants so many pages (virtio_balloon_to_target()). With the big lock. */
void
virtio_balloon_target(struct virtio_balloon *b, uint32_t num_pages);

/* Ask for new statistics: false if the driver has brought no buffer yet. With the big lock. */
bool
virtio_balloon_request_stats(struct virtio_balloon *b);

/* The content of [gpa, gpa + bytes) goes: zeros. False: inhibited, or no RAM. */
bool
virtio_balloon_discard(struct virtio_balloon *b, uint64_t gpa, uint64_t bytes);

/* Nested: nothing is discarded from @on until the same number of times not @on. */
void
virtio_balloon_inhibit(struct virtio_balloon *b, bool on);

#endif
