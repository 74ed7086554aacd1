/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host notifiers: the eventfds that carry doorbells from KVM to the thread that holds a ring (QEMU
 * hw/virtio/virtio-bus.c: virtio_bus_set_host_notifier(), virtio_bus_cleanup_host_notifier()).
 *
 *	transaction begin                            the caller's, see virtio_transport_ops
 *	  virtio_host_notifier_set(vq, true)   each  eventfd there, ioeventfd assigned, VMM relays
 *	transaction commit                           ioeventfds are in force, one after the other
 *	…
 *	transaction begin
 *	  virtio_host_notifier_set(vq, false)  each
 *	transaction commit                           from here doorbells exit to the VMM
 *	  virtio_host_notifier_cleanup(vq)     each  a kick that nobody took runs the VMM's handler
 *
 * A kick that comes before the commit that takes the ioeventfd away is in the counter: dropping it
 * there would lose it.  A notifier begins signalled, so that its holder looks at the ring once:
 * what was made available before the holder was there is seen.
 */
#ifndef RINGSIDE_VIRTIO_HOST_NOTIFIER_H
#define RINGSIDE_VIRTIO_HOST_NOTIFIER_H

#include "virtio/device.h"

/* Make the eventfd, "blk0.kick0", if it is not there yet. */
struct eventfd *
virtio_host_notifier(struct virtio_queue *vq);

void
virtio_host_notifier_set(struct virtio_queue *vq, bool assign);

void
virtio_host_notifier_cleanup(struct virtio_queue *vq);

/* The thread that holds the ring was woken by it: clear, then look at the ring, in this order. */
void
virtio_host_notifier_read(struct virtio_queue *vq);

/* The holder is to look at the ring, whatever was signalled before. */
void
virtio_host_notifier_self_kick(struct virtio_queue *vq);

#endif
