/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed virtqueue (2.8), both sides, as native ring code behind datapath/datapath.h.
 *
 *	driver                       guest memory                      device
 *	add      ---- desc[] …, wmb, flags of the head -------->       pop
 *	kick_prepare  mb, reads device event area <-----------       disable_notify, enable_notify
 *	get      <--- id, len, wmb, flags: AVAIL == USED ------       fill, flush
 *	disable_cb, enable_cb  ---- driver event area -------->       should_notify (mb)
 *
 * One ring of descriptors goes both ways.  Each side has a position, an offset and a wrap counter
 * that begins at 1 and is inverted with each lap, for what is made available and for what is used:
 *
 *	AVAIL != USED, AVAIL == avail wrap    available
 *	AVAIL == USED, USED  == used wrap     used
 *
 * A chain lies in consecutive descriptors; the buffer id in its last one (2.8.6) comes back in the
 * one descriptor that the device writes, and both sides go on by the chain's length: the others
 * keep whatever stood there.  Positions are compared linearised, as in Linux and QEMU: where an
 * event's wrap counter differs from ours, its offset lies one lap, i.e. size, behind.
 *
 * The driver has the structure of the packed half of Linux's drivers/virtio/virtio_ring.c, the
 * device that of QEMU's hw/virtio/virtio.c, with vhost's enable_notify().  What ring_split.h says
 * of single accesses and of lost notifications holds here too.
 *
 * Restrictions: start_idx must be 0 (a packed ring wraps after size descriptors anyway), size need
 * not be a power of two.  empty() cannot say how long the chain is that it saw, so enable_notify()
 * answers true for what only empty() has seen.
 *
 * Cost: as the split ring's; flush() is O(published elements).
 */
#ifndef RINGSIDE_VIRTIO_RING_PACKED_H
#define RINGSIDE_VIRTIO_RING_PACKED_H

#include "datapath/datapath.h"
#include "virtio/spec.h"

/* Features of the ring itself that both sides can do. */
#define RING_PACKED_FEATURES \
	(VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_VERSION_1) | \
	 VIRTIO_BIT(VIRTIO_F_IN_ORDER) | VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) | \
	 VIRTIO_BIT(VIRTIO_F_RING_RESET) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) | \
	 VIRTIO_BIT(VIRTIO_F_ORDER_PLATFORM))

/* What get_position() says of a ring that nobody has used: both offsets 0, both wrap counters 1. */
#define RING_PACKED_START UINT32_C(0x80008000)

extern const struct dp_driver_ops ring_packed_driver_ops;
extern const struct dp_device_ops ring_packed_device_ops;

#endif
