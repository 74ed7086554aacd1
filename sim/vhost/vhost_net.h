/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets in a vhost worker: handle_tx() and handle_rx() of drivers/vhost/net.c around the wire of
 * virtio/net.h.
 *
 *	handle_tx                                   handle_rx
 *	  disable_notify                              disable_notify; socket not polled
 *	  do {                                        do {
 *	    pop; nothing: enable_notify,                packet? none: end, poll the socket again
 *	      more came: go on, else end                buffers for it; too few: enable_notify,
 *	    wire busy: give the chain back,               more came: go on, else end: the kick of a
 *	      end; the wire's wake-up queues us           refill queues us, packets do not
 *	    send; used, signalled in batches            copy; used, signalled
 *	  } while (!vhost_exceeds_weight)             } while (!vhost_exceeds_weight)
 *
 * Too few buffers is where the dual of a lost kick lives.  enable_notify must answer "new ones
 * came since we looked"; "there are some" makes the loop go round for ever, for those that are
 * there do not suffice (Linux 09861858a683; fault device.enable.not_all_consumed).  The weight
 * does not end it: the handler is queued again at once.
 */
#ifndef RINGSIDE_VHOST_VHOST_NET_H
#define RINGSIDE_VHOST_VHOST_NET_H

#include "vhost/vhost_vq.h"
#include "virtio/net.h"

#define VHOST_NET_PKT_WEIGHT 256u /* packets a run */
#define VHOST_NET_WEIGHT 0x80000u /* bytes a run */
#define VHOST_NET_BATCH 64u /* transmitted chains before they are published */

/*
 * For vhost_dev_create() and vhost_user_create(), of a device that virtio_net_create() made.  From
 * then on the wire wakes whoever is the device's backend: vhost, vhost-user or the VMM's handlers.
 */
extern const struct vhost_ops vhost_net_ops;

#endif
