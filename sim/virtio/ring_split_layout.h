/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a split virtqueue are (2.7), and what to call them.
 *
 *	desc    16 * size      descriptor table          align 16
 *	avail   6 + 2 * size   flags idx ring[] used_event     2
 *	used    6 + 8 * size   flags idx ring[] avail_event    4
 *
 * The three areas may lie anywhere (the PCI transport has three addresses);
 * ring_split_layout_init() puts them behind each other, which is what most drivers do.  The sizes
 * include the event fields also where VIRTIO_RING_F_EVENT_IDX was not negotiated; a device had
 * better leave them alone then, because drivers have put something of their own there (kvmtool
 * b7af514 learned it from SeaBIOS).
 *
 * The describe functions have the shape of gm_describe_fn (memory/guest_memory.h) and turn an
 * offset into the field's name in the specification's words: "desc[3].addr", "avail.ring[2]",
 * "avail_event".
 */
#ifndef RINGSIDE_VIRTIO_RING_SPLIT_LAYOUT_H
#define RINGSIDE_VIRTIO_RING_SPLIT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"

/* Offsets from the start of one contiguous piece of memory. */
struct ring_split_layout {
	uint16_t size; /* descriptors */
	uint64_t desc, avail, used;
	uint64_t bytes; /* of all */
};

static inline uint64_t
ring_split_desc_bytes(uint16_t size)
{
	return 16 * (uint64_t)size;
}

static inline uint64_t
ring_split_avail_bytes(uint16_t size)
{
	return 6 + 2 * (uint64_t)size;
}

static inline uint64_t
ring_split_used_bytes(uint16_t size)
{
	return 6 + 8 * (uint64_t)size;
}

/*
 * One area behind the other, the used ring at a multiple of @align: 4 (2.7), or 4096 as the legacy
 * interface demanded (2.7.2) and Linux still does on PCI.
 */
void
ring_split_layout_init(struct ring_split_layout *layout, uint16_t size, uint32_t align);

/* Fill in size and addresses of @vring for a layout that stands at @gpa. */
void
ring_split_layout_place(const struct ring_split_layout *layout, uint64_t gpa,
			struct dp_vring *vring);

/*
 * Whether a queue can stand as @vring says: size a power of two up to VIRTQUEUE_MAX_SIZE (2.7) and
 * DP_SG_MAX, areas aligned (VIRTIO-2.7.1), none running past 2^64.  Null if so, else what is wrong.
 */
const char *
ring_split_check(const struct dp_vring *vring);

/* gm_describe_fn over all of a layout: @context is the struct ring_split_layout. */
void
ring_split_describe(const void *context, uint64_t offset, char *text, size_t size);
/* The same for a region that holds one area only; @context is the layout too, for its size. */
void
ring_split_describe_desc(const void *context, uint64_t offset, char *text, size_t size);
void
ring_split_describe_avail(const void *context, uint64_t offset, char *text, size_t size);
void
ring_split_describe_used(const void *context, uint64_t offset, char *text, size_t size);

#endif
