/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio-blk driver (5.2) with the structure of Linux's drivers/block/virtio_blk.c.
 *
 *	guest_blk_submit()   (virtio_queue_rq)     guest_blk_done()   (virtblk_done)
 *	  lock, irqs off                             lock, irqs off
 *	  add header | data | status                 do {
 *	  full: stop the queue, kick, wait                   disable_cb
 *	  kick_prepare                                       while (get): complete the request
 *	  unlock                                     } while (!enable_cb)
 *	  notify                                     start a stopped queue, unlock
 *
 * One queue for each CPU up to num_queues, as blk-mq maps them.  A request is done when the
 * handler has taken it from the ring; a task that waits for it sleeps on the request's wait
 * queue.
 *
 * Memory: requests and data buffers are the caller's guest RAM; header and status live in a slot of
 * guest RAM that the driver owns, one for each request in flight.
 */
#ifndef RINGSIDE_GUEST_BLK_DRIVER_H
#define RINGSIDE_GUEST_BLK_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "guest/cpu.h"
#include "guest/suspend.h"
#include "guest/virtio_driver.h"
#include "virtio/blk.h"

/* A request's status: VIRTIO_BLK_S_… (5.2.6), or one of these. */
#define GUEST_BLK_PENDING 0x100 /* submitted, not completed */
#define GUEST_BLK_LOST 0x101 /* the device was reset, broken or removed under it */

struct guest_blk;

struct guest_blk_config {
	struct guest_virtio_config virtio; /* name, function, datapath, features beside the usual */
	struct guest_cpu **cpus; /* one queue for each, if the device has as many */
	unsigned cpu_count;
	unsigned queues; /* at most this many; 0: cpu_count */
	uint16_t queue_size; /* wanted; 0: what the device offers */
	bool scan; /* read sector 0 at probe, as device_add_disk() does for the partition table */
};

/* A request, the caller's, in world memory; zeroed before use. */
struct guest_blk_req {
	uint32_t type; /* VIRTIO_BLK_T_… */
	uint64_t sector;
	uint64_t data_gpa;
	uint32_t data_bytes;
	bool more; /* another one follows at once: leave the kick to it (blk-mq's !last) */
	/* set by the driver */
	uint64_t id; /* counts up from 1 */
	int status;
	uint16_t queue;
	uint32_t used_bytes; /* what the device said it wrote */
	struct waitq done;
};

/* What a request needs in guest RAM: struct virtio_blk_outhdr and the status byte (5.2.6). */
struct guest_blk_slot {
	uint64_t gpa; /* header at + 0, status at + 16 */
	struct guest_blk_req *req; /* null: free */
};

struct guest_blk_queue {
	struct guest_blk *blk;
	struct guest_vq *vq; /* null while frozen */
	struct guest_blk_slot *slots;
	uint16_t slot_count;
	bool stopped; /* ring full */
	struct waitq room; /* tasks that wait for it */
};

struct guest_blk {
	struct world *w;
	struct guest_virtio dev;
	struct guest_blk_config config;
	struct guest_blk_queue *queues;
	unsigned queue_count;
	uint64_t capacity_sectors;
	bool frozen, removed;
	unsigned users; /* requests between submit and completion */
	unsigned submitting; /* tasks inside submit: they may ring for what is completed already */
	struct waitq thaw, drained;
	uint64_t submitted, completed, errors;
};

/* A driver instance; nothing is touched yet. */
struct guest_blk *
guest_blk_create(struct world *w, const struct guest_blk_config *config);

/* virtblk_probe(), by a task on @cpu: 0 or a negative errno. */
int
guest_blk_probe(struct guest_blk *blk, struct guest_cpu *cpu);

/*
 * Submit @r from @cpu and return without waiting for its completion; waits while the queue is
 * stopped or the device frozen.  0 or -EIO (r->status says so too).
 */
int
guest_blk_submit(struct guest_blk *blk, struct guest_cpu *cpu, struct guest_blk_req *r);
/* Post what submissions with `more` left behind (virtio_commit_rqs()). */
void
guest_blk_commit(struct guest_blk *blk, struct guest_cpu *cpu);

/* Wait until it is completed. Returns its status. */
int
guest_blk_wait(struct guest_blk *blk, struct guest_cpu *cpu, struct guest_blk_req *r);
/* Same, for at most @ns (a real bound); GUEST_BLK_PENDING when it is still out. */
int
guest_blk_wait_for(struct guest_blk *blk, struct guest_blk_req *r, int64_t ns);

/* submit and wait, with a request of its own. */
int
guest_blk_rw(struct guest_blk *blk, struct guest_cpu *cpu, uint32_t type, uint64_t sector,
	     uint64_t gpa, uint32_t bytes);
int
guest_blk_flush(struct guest_blk *blk, struct guest_cpu *cpu);

/* The handler's work on one queue, for polling users too; how many it completed. */
unsigned
guest_blk_done(struct guest_blk *blk, struct guest_cpu *cpu, unsigned queue);

/* virtblk_remove(): reset, then complete what is left as lost. */
void
guest_blk_remove(struct guest_blk *blk, struct guest_cpu *cpu);

/*
 * virtblk_freeze(): let no request in, wait until none is out, reset, delete the queues.
 * virtblk_restore(): features again, queues, ready, let requests in.
 */
void
guest_blk_freeze(struct guest_blk *blk, struct guest_cpu *cpu);
int
guest_blk_restore(struct guest_blk *blk, struct guest_cpu *cpu);

/*
 * Let no request in, wait until none is out and nobody rings any more, suspend the device; it and
 * its queues stay as they are.  0, or why not: then requests go in again, unless the device was
 * given up.
 */
int
guest_blk_suspend(struct guest_blk *blk, struct guest_cpu *cpu, const struct guest_suspend *how);
int
guest_blk_resume(struct guest_blk *blk, struct guest_cpu *cpu, const struct guest_suspend *how);

#endif
