/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one chain of a packed ring on the device side: consecutive descriptors linked by NEXT
 * (2.8.6), or a single one that refers to a table, all of whose entries are the chain (2.8.7).
 *
 * As with the split ring the guest is an adversary, and what is asked of one buffer is the same:
 * split_chain_take().
 */
#ifndef RINGSIDE_VIRTIO_RING_PACKED_CHAIN_H
#define RINGSIDE_VIRTIO_RING_PACKED_CHAIN_H

#include "virtio/ring_packed_impl.h"
#include "virtio/ring_split_chain.h"

/*
 * The chain that begins at offset @off with @first, which was read already, into @elem; false and
 * @err if the driver broke a rule.  elem->head is the buffer id.  O(length).
 */
bool
packed_chain_read(const struct packed_vring *vr, const struct dp_host *host, bool indirect,
		  uint16_t off, const struct vring_packed_desc *first, struct dp_elem *elem,
		  struct split_error *err);

#endif
