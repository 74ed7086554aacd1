/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest thing that can lose a notification: one queue, one driver actor, one device actor
 * and two event notifiers between them.  No registers, no interrupts, no vCPU.
 *
 *	  driver                           device
 *	  add … add                        while (pop) { fill; flush; if should_notify: call }
 *	  if kick_prepare: kick   ---->    if enable_notify: go on popping
 *	  while (get) …           <----    wait for kick
 *	  if !enable_cb: go on reaping
 *	  wait for call
 *
 * Both loops have the structure of the real ones (virtblk_done(), vhost's handle_kick workers),
 * so what they lose is what ring code loses: `make bench`, the smallest lost-kick scenarios and
 * the barrier audit use them.  A loss shows as the driver blocked for ever (it is not a daemon;
 * the device is).
 *
 * Either half works alone: a driver whose kick goes to a doorbell register, a device that serves a
 * real driver's ring.
 *
 * The driver reaps only when it was called, as an interrupt handler does: it never polls on its
 * own.  With keep_callbacks it takes what is there and touches nothing else, as 9p's req_done()
 * does: then it is for get() to keep used_event up to date.
 *
 * With lend_for the device lends the ring to another owner for a while, as QEMU does to a
 * dataplane: a ring state of its own takes it over at the position where the first stands, serves
 * lend_for buffers and gives it back before it has notified of the last ones, which the first does
 * then (the last look of virtio_blk_data_plane_stop()).
 *
 * With defer the device publishes used buffers in batches, as DPDK's vhost library does, and before
 * it sleeps what it still holds, which DPDK once did not.
 *
 * Memory: everything is the world's and lives until the world is restored.  Cost: a schedule with
 * one buffer is about thirty shared accesses, a microsecond apart from restoring.
 */
#ifndef RINGSIDE_GUEST_RAW_DRIVER_H
#define RINGSIDE_GUEST_RAW_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "engine/world.h"

#define RAW_CHAIN_MAX 8u

struct eventfd;

/* How a half notifies the other one; @data is what notify_data() says (2.9), 0 from a device. */
typedef void (*raw_notify_fn)(struct world *w, void *ctx, uint32_t data);

struct raw_config {
	const char *name; /* of the queue in traces: "vq0" */
	const struct datapath *driver, *device; /* null: the world's (datapath/registry.h) */
	uint16_t size; /* of the ring; 0: 4 */
	uint64_t features; /* ring features: VIRTIO_RING_F_EVENT_IDX, …; a pair leaves out those
			      that one of its datapaths cannot do, as a negotiation would */
	uint64_t driver_quirks,
		device_quirks; /* enum dp_quirk, beside those of the world's faults */
	unsigned buffers; /* the driver exposes in all; 0: 1 */
	unsigned batch; /* added before each kick_prepare(); 0: 1 */
	unsigned budget; /* chains the device pops before it checks for notifying; 0: 1 */
	int64_t think_ns; /* the driver's before each batch, the device's for each chain */
	bool wait_each; /* the driver waits for a batch before it adds the next one */
	bool keep_callbacks; /* the driver never disables or enables callbacks */
	uint16_t start_idx; /* where both indices begin, see struct dp_vring */
	unsigned lend_after, lend_for; /* buffers before the other owner and with it; 0: none */
	unsigned chain; /* descriptors a buffer, at most RAW_CHAIN_MAX; 0: 1 */
	bool delayed; /* the driver asks for the interrupt after most of what is outstanding */
	unsigned outstanding; /* the driver has no more buffers with the device; 0: as fit */
	unsigned defer; /* used buffers that the device holds back to publish them at once */
	bool defer_forever; /* … even when nothing more is available */
};

/* What ring code gets from a half. */
struct raw_host {
	struct world *w;
	int64_t name;
	struct dp_host host;
};

/* The driver half. */
struct raw_driver {
	struct world *w;
	struct raw_host host;
	const struct dp_driver_ops *ops;
	struct dp_driver *ring;
	struct dp_vring vring;
	struct raw_config config;
	raw_notify_fn kick;
	void *kick_ctx;
	struct eventfd *call; /* what it waits for */
	uint64_t buffer_gpa;
	unsigned added, reaped;
	uint64_t kicks, waits; /* for people: notifications sent, looks at the call eventfd */
	struct actor *actor;
};

/* The device half. */
struct raw_device {
	struct world *w;
	struct raw_host host;
	const struct dp_device_ops *ops;
	struct dp_device *ring; /* of who owns it now */
	struct dp_device *lender; /* its owner otherwise; null: nothing is lent */
	struct dp_vring vring;
	struct raw_config config;
	raw_notify_fn notify;
	void *notify_ctx;
	struct eventfd *kick; /* what it waits for */
	struct dp_elem *elem; /* 16 KiB: too large for a stack */
	unsigned popped;
	unsigned held; /* used, and not published */
	uint64_t calls, waits; /* for people */
	struct actor *actor;
};

/* A pair, connected by two eventfds. */
struct raw_pair {
	struct raw_driver driver;
	struct raw_device device;
	struct eventfd *kick, *call;
};

/*
 * Make ring memory and both halves (guest RAM must exist), with their actors "driver" and "device".
 * Ends the run with an error if a datapath has not got the side or refuses the ring.
 */
struct raw_pair *
raw_pair_create(struct world *w, const struct raw_config *config);

/*
 * One half on ring memory that @vring describes: for other set-ups.  A driver waits for @call, a
 * device for @kick.  raw_driver_run() and raw_device_run() are the bodies, for actors of the
 * caller.
 */
void
raw_driver_init(struct raw_driver *d, struct world *w, const struct raw_config *config,
		const struct dp_vring *vring, raw_notify_fn kick, void *ctx, struct eventfd *call);
void
raw_device_init(struct raw_device *d, struct world *w, const struct raw_config *config,
		const struct dp_vring *vring, raw_notify_fn notify, void *ctx,
		struct eventfd *kick);
void
raw_driver_run(struct raw_driver *d);
_Noreturn void
raw_device_run(struct raw_device *d);

/* A raw_notify_fn that signals the eventfd @ctx. */
void
raw_notify_eventfd(struct world *w, void *ctx, uint32_t data);

/* Whether the driver got back all it exposed. */
static inline bool
raw_driver_done(const struct raw_driver *d)
{
	return d->reaped == d->config.buffers;
}

#endif
