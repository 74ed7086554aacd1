/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost worker: a kernel thread with a list of work (drivers/vhost/vhost.c,
 * kernel/vhost_task.c).
 *
 *	vhost_work_queue()                      the worker, for ever
 *	  queued already? done                    state := sleeping          (set_current_state())
 *	  put it on the list                      take the whole list
 *	  vhost_task_wake():                      something there: state := running, run it in order
 *	    state := running                      nothing: sleep while state is sleeping
 *
 * The order of the worker's first two lines is the wake-up rule: whoever queues after the list was
 * taken finds the state already set and undoes it.  With the state set after the look, a wake-up
 * in between finds a running task and does nothing, and the worker sleeps on a list that is not
 * empty (Linux 4b13cbef7970; fault vhost.worker.check_before_state).
 *
 * Work is a struct virtio_work: queued once however often it is queued, until it has begun to run;
 * it may queue itself again.  Queueing is allowed from anywhere, eventfd wake-ups and timer
 * callbacks included; it is no point, because nothing in it can be seen half done.
 *
 * A vhost_poll queues work when an eventfd is signalled.  A kernel worker never reads that
 * eventfd: its counter only grows, which is why a crash dump shows a kick fd with a count of 15
 * and a wait-queue entry (the entry is what works, the count says nothing).  A process with an
 * event loop does read it.
 *
 * The same thread serves the data side of a vhost-user process (vhost_user.h), without the fault.
 * Memory: the world's; a worker lives as long as the world.  Cost: O(1) each.
 */
#ifndef RINGSIDE_VHOST_WORKER_H
#define RINGSIDE_VHOST_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "notify/eventfd.h"
#include "virtio/device.h"

struct vhost_worker {
	struct world *w;
	int64_t name; /* world_name() */
	struct virtio_work *work, **last; /* in the order of queueing */
	bool running; /* task state: running, or sleeping as soon as it calls schedule() */
	bool kernel; /* a kernel thread: its wake-up can be got wrong */
	struct waitq wait;
	struct actor *task;
	uint64_t works, sleeps; /* run, times slept: for people */
};

/* With its actor @name, a daemon. @kernel: see the field. */
struct vhost_worker *
vhost_worker_create(struct world *w, const char *name, bool kernel);

void
vhost_work_queue(struct vhost_worker *worker, struct virtio_work *work);

/* Wait until all work queued before has run (vhost_dev_flush()). By an actor, not the worker. */
void
vhost_worker_flush(struct vhost_worker *worker);

/* Queues @work each time @fd is signalled. Embedded in its owner; zeroed memory polls nothing. */
struct vhost_poll {
	struct vhost_worker *worker;
	struct virtio_work *work;
	struct eventfd *fd; /* null: not started */
	struct eventfd_wait wait;
};

void
vhost_poll_init(struct vhost_poll *poll, struct vhost_worker *worker, struct virtio_work *work);
/* Attach to @fd; an fd that is readable already queues the work at once. Again: does nothing. */
void
vhost_poll_start(struct vhost_poll *poll, struct eventfd *fd);
/* Detach. Work that is queued stays queued: flush. */
void
vhost_poll_stop(struct vhost_poll *poll);

#endif
