/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtqueue as a guest driver holds it: the ring (any datapath's driver side), the lock around
 * it, the doorbell and the interrupt.  Linux: struct virtqueue with drivers/virtio/virtio_ring.c
 * behind it; the prefix guest_ keeps clear of the names of linked kernel code.
 *
 *	submit                                     interrupt
 *	  lock (irqs off)                            vring_interrupt: anything used? broken?
 *	    add … add                                  no: IRQ_NONE
 *	    kick_prepare  -> wanted, data              yes: callback(vq)
 *	  unlock                                         lock; disable_cb, get …, enable_cb; unlock
 *	  notify: MMIO write to the doorbell
 *
 * Rules.  add, kick_prepare, get and the cb functions are called with the queue's lock held or by
 * the only user of the queue (NAPI); notify without it: an exit to the host under a lock makes
 * every other vCPU spin.  Between kick_prepare and notify another vCPU may therefore prepare and
 * notify, and with VIRTIO_F_NOTIFICATION_DATA the device sees indices go backwards (thread
 * "virtio_blk: always post notifications under the lock", 2025; unresolved:
 * guest_virtio_config.notify_locked is that proposal).
 *
 * event_triggered: with VIRTIO_RING_F_EVENT_IDX a device that interrupted once does not do so
 * again until used_event moves, so disable_cb() has nothing to do (Linux 8d622d21d248).  Ring code
 * with an interrupt() of its own keeps that note itself.
 *
 * A queue is broken when the device broke its ring or the driver gave the device up
 * (virtio_break_device()): it answers that nothing is used, and wants no kick.
 */
#ifndef RINGSIDE_GUEST_VIRTQUEUE_H
#define RINGSIDE_GUEST_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "engine/world.h"
#include "guest/cpu.h"
#include "notify/irqdesc.h"

struct guest_virtio;
struct guest_vq;

typedef void (*guest_vq_callback)(struct guest_cpu *cpu, struct guest_vq *vq);

/*
 * Buffers in one chain at most; what a slot's indirect table has room for. Linux: MAX_SKB_FRAGS +
 * 2.
 */
#define GUEST_SG_MAX 20u

struct guest_vq_slot {
	uint64_t token; /* the driver's */
	uint16_t next; /* in the free list */
	bool used;
};

/* What find_vqs() is asked for. */
struct guest_vq_info {
	const char *name; /* "requests", "input.0"; null: leave this queue alone */
	guest_vq_callback callback; /* null: the queue needs no interrupt */
	void *priv; /* the driver's */
	struct guest_cpu *affinity; /* where its interrupt goes; null: cpu of the probe */
	uint16_t size; /* wanted; 0: what the device offers */
};

struct guest_vq {
	struct guest_virtio *dev;
	struct world *w;
	uint16_t index; /* in its device */
	int64_t name; /* world_name(): "vda.requests" */
	struct guest_vq_info info;
	const struct dp_driver_ops *ops;
	struct dp_driver *ring; /* null before set-up and after deletion */
	struct dp_vring vring;
	struct guest_spinlock lock;
	uint16_t vector; /* MSI-X, VIRTIO_MSI_NO_VECTOR if it has none */
	uint64_t doorbell_gpa;
	struct dp_host host; /* what the ring gets from us */
	bool enabled; /* queue_enable was written */
	bool broken, event_triggered;
	struct guest_vq_slot
		*slots; /* one for each outstanding chain; its index is the ring's token */
	uint16_t slot_free; /* first of the free list */
	uint64_t tables_gpa; /* indirect tables, one a slot; 0: none */
	uint64_t added, got, kicks, interrupts, spurious; /* counts, for people and benches */
};

/* Expose a chain. 0, -ENOSPC, or -EIO on a broken queue. */
int
guest_vq_add(struct guest_vq *vq, const struct dp_buf *sg, unsigned out, unsigned in,
	     uint64_t token);

/* Whether the device wants a notification; *@data is what to hand to notify(). */
bool
guest_vq_kick_prepare(struct guest_vq *vq, uint32_t *data);

/*
 * Write the doorbell: 16 bits, the queue's index; with NOTIFICATION_DATA 32 bits, @data
 * (4.1.5.2).
 */
void
guest_vq_notify(struct guest_vq *vq, struct guest_cpu *cpu, uint32_t data);

/* Both, for users that hold no lock over them. */
void
guest_vq_kick(struct guest_vq *vq, struct guest_cpu *cpu);

/* The next used buffer's token: true; false if there is none or the queue is broken. */
bool
guest_vq_get(struct guest_vq *vq, uint64_t *token, uint32_t *len);

void
guest_vq_disable_cb(struct guest_vq *vq);
/* False: buffers were used meanwhile, go on reaping. */
bool
guest_vq_enable_cb(struct guest_vq *vq);
bool
guest_vq_enable_cb_delayed(struct guest_vq *vq);
unsigned
guest_vq_enable_cb_prepare(struct guest_vq *vq);
bool
guest_vq_poll(struct guest_vq *vq, unsigned position);

/* Next outstanding token after a reset of queue or device. */
bool
guest_vq_detach_unused(struct guest_vq *vq, uint64_t *token);

/* Free descriptors, as the ring counts them. */
unsigned
guest_vq_num_free(struct guest_vq *vq);

/* Whether something is used that get() has not returned. */
bool
guest_vq_more_used(struct guest_vq *vq);

/* The interrupt handler of one queue (vring_interrupt()); @arg is the queue. */
enum irq_return
guest_vq_interrupt(struct guest_cpu *cpu, void *arg);

/* --- for the driver core -------------------------------------------------------------------- */

/*
 * Allocate, zero and name ring memory and make the driver side; the transport's registers come
 * after.
 */
void
guest_vq_create(struct guest_vq *vq, struct guest_virtio *dev, uint16_t index,
		const struct guest_vq_info *info, uint16_t size, uint64_t features);
/* Give the ring back; what is outstanding is forgotten. The queue must not be live any more. */
void
guest_vq_destroy(struct guest_vq *vq);

#endif
