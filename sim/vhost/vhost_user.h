/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user: the back-end is another process, told by messages (QEMU docs/interop/vhost-user.rst,
 * hw/virtio/vhost-user.c; libvhost-user, rust-vmm's vhost-user-backend).
 *
 *	VMM, big lock held                 the other process
 *	  send ──▶ socket, in order ──▶ control thread ──▶ rings ◀── data thread ◀── kick fds
 *	  wait ◀────── reply, if asked for ─┘                              └──▶ call fds
 *
 * Two channels to one process, a socket and eventfds, and no order between them: that is what goes
 * wrong.
 *
 *	start   guest notifiers on          (call fds are remembered, the ring is not known yet)
 *	        host notifiers on, signalled: look at what is in the rings already
 *	        each queue:                 SET_VRING_NUM, _BASE, _ADDR, _KICK, _CALL
 *	        each queue:                 SET_VRING_ENABLE 1, waited for: when DRIVER_OK
 *	                                    returns the driver kicks (QEMU d7dc0682f5)
 *	stop    each queue:                 SET_VRING_ENABLE 0, GET_VRING_BASE: waits for the
 *	                                    position, and thereby for handler and requests
 *
 * Waiting is a reply (VHOST_USER_PROTOCOL_F_REPLY_ACK) or, without it, a GET_FEATURES behind the
 * message. Without VHOST_USER_F_PROTOCOL_FEATURES there is no SET_VRING_ENABLE: a ring begins with
 * its kick fd.
 *
 * The process, as it should be:
 *	- a kick fd is watched only while its ring has one and is enabled; what is in it waits there
 *	  (rust-vmm 8c00b88; fault vhost_user.backend.kick_discarded)
 *	- a ring works with or without a call fd; the first one that comes to a working ring is
 *	  signalled once, for what was used before (libvhost-user's vu_set_vring_call_exec() does so
 *	  with each; fault vhost_user.backend.call_after_kick)
 *
 * Masking by another call fd (GUEST_NOTIFIER_SWAP) is a message, too: until it is handled the old
 * one is used, and the driver has already been told that the vector is masked.  QEMU therefore
 * masks such devices by taking the irqfd away (5669655aaf); where a machine asks for the swap
 * nevertheless, the message is waited for, unless fault qemu.vhost_user.mask_async is on.
 *
 * Both processes share all of guest memory from the start: SET_MEM_TABLE and the log are not
 * modelled.
 */
#ifndef RINGSIDE_VHOST_VHOST_USER_H
#define RINGSIDE_VHOST_VHOST_USER_H

#include "notify/guest_notifier.h"
#include "vhost/vhost_vq.h"

/* Requests, with the numbers of the protocol. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_REQUESTS
};

struct vhost_user_config {
	bool no_reply_ack; /* VHOST_USER_PROTOCOL_F_REPLY_ACK is not negotiated */
	bool no_base; /* the VMM leaves SET_VRING_BASE out: rings begin at 0 anyway */
	bool no_protocol_features; /* nor VHOST_USER_F_PROTOCOL_FEATURES: no SET_VRING_ENABLE */
};

/* On the socket. Where the sender waits it is on the sender's stack, else the channel's. */
struct vhost_user_msg {
	enum vhost_user_request request;
	uint16_t index; /* of the ring */
	bool need_reply;
	bool done; /* handled, and the reply sent */
	int64_t value; /* SET_VRING_NUM, _BASE, _ENABLE; the reply to GET_VRING_BASE */
	struct eventfd *fd; /* SET_VRING_KICK, _CALL; null: none */
	struct vhost_user_msg *next;
};

/* What the process knows of a ring beside its vhost_vq. */
struct vhost_user_ring {
	struct vhost_vq *v;
	uint32_t base;
	bool based; /* SET_VRING_BASE came */
	struct eventfd *kick; /* null: the ring is stopped */
	bool enabled;
	struct virtio_work kick_work; /* of the data thread: the kick fd is readable */
	uint64_t kicks_discarded;
	struct guest_notifier *notifier; /* whose call fd it uses; null: none was ever given */
	struct eventfd *call; /* the VMM's: what it is to use, sent or to be sent at its set-up */
};

struct vhost_user {
	struct vhost_vqs set; /* first: vhost_vq_of(); set.worker is the data thread */
	struct vhost_user_config config;
	struct vhost_user_ring *ring;
	struct vhost_user_msg *msg, **last; /* on the socket */
	struct waitq readable, replied;
	struct actor *control;
	bool starting; /* call fds are kept for the rings' set-up */
	int64_t request_name[VHOST_USER_REQUESTS];
	uint64_t messages, replies; /* for people */
};

extern const struct virtio_backend_ops vhost_user_backend_ops;

/*
 * The other process, with its actors "@name-control" and "@name-data".  @config may be null.  Put
 * to use as vhost_dev_create() says, with vhost_user_backend_ops.
 */
struct vhost_user *
vhost_user_create(struct virtio_device *vdev, const char *name, const struct vhost_ops *ops,
		  const struct vhost_user_config *config);

/*
 * The guest notifiers' set_call; @arg: the struct vhost_user.  With the PCI transport start() and
 * stop() put it there and take it away; others do it in their guest_notifiers().
 */
void
vhost_user_set_call(void *arg, struct guest_notifier *n, struct eventfd *fd);

#endif
