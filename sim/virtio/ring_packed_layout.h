/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a packed virtqueue are (2.8), and what to call them.
 *
 *	desc     16 * size   descriptor ring              align 16
 *	driver   4           driver event suppression           4
 *	device   4           device event suppression           4
 *
 * The three areas may lie anywhere; ring_packed_layout_init() puts them behind each other.
 *
 * ring_packed_describe() has the shape of gm_describe_fn (memory/guest_memory.h) and turns an
 * offset into the field's name: "desc[3].id", "driver_event.off_wrap", "device_event.flags".
 */
#ifndef RINGSIDE_VIRTIO_RING_PACKED_LAYOUT_H
#define RINGSIDE_VIRTIO_RING_PACKED_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"

#define RING_PACKED_EVENT_BYTES 4u

/* Offsets from the start of one contiguous piece of memory. */
struct ring_packed_layout {
	uint16_t size; /* descriptors */
	uint64_t desc, driver, device;
	uint64_t bytes; /* of all */
};

static inline uint64_t
ring_packed_desc_bytes(uint16_t size)
{
	return 16 * (uint64_t)size;
}

void
ring_packed_layout_init(struct ring_packed_layout *layout, uint16_t size);

/* Fill in size and addresses of @vring for a layout that stands at @gpa. */
void
ring_packed_layout_place(const struct ring_packed_layout *layout, uint64_t gpa,
			 struct dp_vring *vring);

/*
 * Whether a queue can stand as @vring says: size up to VIRTQUEUE_MAX_SIZE_PACKED (2.8) and
 * DP_SG_MAX, areas aligned (2.8), none running past 2^64.  Null if so, else what is wrong.
 */
const char *
ring_packed_check(const struct dp_vring *vring);

/* gm_describe_fn over all of a layout: @context is the struct ring_packed_layout. */
void
ring_packed_describe(const void *context, uint64_t offset, char *text, size_t size);

#endif
