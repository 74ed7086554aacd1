/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split virtqueue (2.7), both sides, as native ring code behind datapath/datapath.h.
 *
 *	driver                       guest memory                      device
 *	add      ---- desc[], avail.ring[], wmb, avail.idx ---->       pop
 *	kick_prepare  mb, reads used.flags or avail_event  <----       disable_notify, enable_notify
 *	get      <--- used.ring[], wmb, used.idx -----------------     fill, flush
 *	disable_cb, enable_cb  ---- avail.flags or used_event --->     should_notify (mb)
 *
 * The driver has the structure of Linux's drivers/virtio/virtio_ring.c (shadows of everything it
 * ever wrote: it never reads back what the device could have changed), the device that of QEMU's
 * hw/virtio/virtio.c, with vhost's enable_notify().  Each field of the other side is read exactly
 * once an operation; each such access is one load or store in every build, so that a schedule of
 * single accesses does not depend on compiler or optimisation.
 *
 * Lost notifications are impossible because on each side "publish, full barrier, look at whether
 * the other one wants to know" meets "say that one wants to know, full barrier, look whether
 * something was published": one of the two looks comes later than the other side's store.  The
 * quirks of datapath.h take one of the four parts away.
 *
 * Neither Ringside nor an operating system is needed: the files ring_split*.c compile with any gcc
 * or clang and -Isim (tests/unit/test_datapath_alone.c runs them on two real threads).
 *
 * Cost: add() and pop() O(length of the chain); get(), fill(), flush() O(1); with VIRTIO_F_IN_ORDER
 * fill() is O(popped chains) where they complete out of order.  A driver takes 24 bytes a
 * descriptor.
 */
#ifndef RINGSIDE_VIRTIO_RING_SPLIT_H
#define RINGSIDE_VIRTIO_RING_SPLIT_H

#include "datapath/datapath.h"
#include "virtio/spec.h"

/* Features of the ring itself that both sides can do. */
#define RING_SPLIT_FEATURES \
	(VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_IN_ORDER) | \
	 VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) | VIRTIO_BIT(VIRTIO_F_RING_RESET) | \
	 VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) | VIRTIO_BIT(VIRTIO_F_ORDER_PLATFORM) | \
	 VIRTIO_BIT(VIRTIO_F_NOTIFY_ON_EMPTY))

extern const struct dp_driver_ops ring_split_driver_ops;
extern const struct dp_device_ops ring_split_device_ops;

#endif
