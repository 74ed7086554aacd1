/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one descriptor chain on the device side (2.7.5): direct descriptors, an indirect table,
 * or direct ones with an indirect table at their end (2.7.5.3.2).
 *
 * The guest is an adversary.  Each descriptor is read once into a local and judged there; whatever
 * it says, the walk ends after at most queue-size buffers and touches nothing outside guest memory.
 */
#ifndef RINGSIDE_VIRTIO_RING_SPLIT_CHAIN_H
#define RINGSIDE_VIRTIO_RING_SPLIT_CHAIN_H

#include "virtio/ring_split_impl.h"

/* What was wrong, in words for guest_error(); @what is null while nothing is. */
struct split_error {
	const char *what;
	uint64_t value;
};

/* The chain at @head < size into @elem; false and @err if the driver broke a rule. O(length). */
bool
split_chain_read(const struct split_vring *vr, const struct dp_host *host, bool indirect,
		 uint16_t head, struct dp_elem *elem, struct split_error *err);

/* One buffer behind those that @elem has, of a queue of @size; for the packed ring, too. O(1). */
bool
split_chain_take(uint16_t size, const struct dp_host *host, const struct vring_desc *buffer,
		 struct dp_elem *elem, struct split_error *err);

#endif
