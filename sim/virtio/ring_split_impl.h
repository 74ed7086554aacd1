/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two sides of the split ring share: the mapped areas and the single accesses to them. For
 * the files ring_split_*.c only.
 */
#ifndef RINGSIDE_VIRTIO_RING_SPLIT_IMPL_H
#define RINGSIDE_VIRTIO_RING_SPLIT_IMPL_H

#include "datapath/barrier.h"
#include "datapath/datapath.h"
#include "virtio/spec.h"

/* The areas of one queue, as this side's mapping shows them. */
struct split_vring {
	uint16_t size, mask; /* descriptors, and size - 1 */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *used_event; /* behind avail->ring[]; null if it may not be touched */
	uint16_t *avail_event; /* behind used->ring[]; null if it may not be touched */
};

/* Map @vring's areas, the event fields only if @event. Null, or what is wrong. */
const char *
split_vring_map(struct split_vring *vr, const struct dp_vring *vring, const struct dp_host *host,
		bool event);

/*
 * A descriptor is moved in two pieces of 8 bytes: few choice points, and no field can be read
 * twice. may_alias, because guest memory has no type of its own.
 */
typedef uint64_t __attribute__((may_alias)) split_word;

union split_desc {
	struct vring_desc desc;
	split_word word[2];
};

static inline struct vring_desc
split_desc_read(const struct vring_desc *p)
{
	const union split_desc *from = (const union split_desc *)p;
	union split_desc d;

	d.word[0] = DP_READ_ONCE(from->word[0]);
	d.word[1] = DP_READ_ONCE(from->word[1]);
	return d.desc;
}

static inline void
split_desc_write(struct vring_desc *p, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	union split_desc *to = (union split_desc *)p;
	union split_desc d = { { addr, len, flags, next } };

	DP_WRITE_ONCE(to->word[0], d.word[0]);
	DP_WRITE_ONCE(to->word[1], d.word[1]);
}

#endif
