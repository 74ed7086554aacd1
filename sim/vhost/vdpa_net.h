/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of a vDPA network device (QEMU net/vhost-vdpa.c, 8.2).  The VMM must know what
 * the guest asks for, or a migration would lose it; so this queue is shadowed even while the data
 * queues are the device's own, if it can have an address space of its own (cvq_isolated).
 *
 *	guest's chain ──copy──▶ cmd buffer ──▶ device ──▶ status buffer
 *	                                                       │ OK: the VMM's model executes
 *	                                                       │ it, too
 *	guest's chain ◀──── the model's answer ────────────────┘
 *
 * The two buffers are mapped from start to stop, and a command at a time is in them: the VMM waits
 * for the device with the big lock held.
 *
 * A device that starts has forgotten: what the model knows is replayed in messages of the VMM's own
 * (load) before data queues are enabled.
 */
#ifndef RINGSIDE_VHOST_VDPA_NET_H
#define RINGSIDE_VHOST_VDPA_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_elem;
struct svq;
struct vdpa;

struct vdpa_net {
	uint64_t cmd_hva, status_hva; /* a page each; 0: not allocated yet */
	uint64_t cmd_iova, status_iova;
	unsigned asid;
	bool mapped;
	uint64_t commands, injected; /* for people */
};

/* vhost_vdpa_net_cvq_start(): map the buffers: 0 or a negative errno, and nothing is left. */
int
vdpa_net_start(struct vdpa *v, unsigned asid);
void
vdpa_net_stop(struct vdpa *v);

/* vhost_vdpa_net_handle_ctrl_avail(): an svq_avail_fn. */
int
vdpa_net_handle_ctrl_avail(struct svq *s, struct dp_elem *elem);

/* In the series of 2022: the device used a command that was copied, and the model follows. */
void
vdpa_net_used(struct vdpa *v, const uint8_t *command, size_t size, uint8_t ack);

/* Whether device and model agree. */
bool
vdpa_net_same(const struct vdpa *v);

/* vhost_vdpa_net_load(): 0, or -EIO if the device did not take it. */
int
vdpa_net_load(struct vdpa *v);

#endif
