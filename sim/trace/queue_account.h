/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The account of a recording's devices and queues: what a virtio device may do next, by what the
 * recording has shown of it so far.
 *
 *	status 0 ─▶ … ─▶ DRIVER_OK ─▶ kick ─▶ pop ─▶ fill ─▶ flush ─▶ interrupt
 *	   ▲                                   element: the device's from pop to fill
 *	   └── a reset takes everything back
 *
 * A log of QEMU does not show what the driver put into a ring, so a pop is held to what must have
 * come before it: DRIVER_OK, and a kick since the reset, for the first buffer of a queue is always
 * announced (the queue is empty then, and no suppression in force).  A queue whose
 * kicks are not in the recording at all (not traced, or a vhost's) is not held to it.  A device's
 * queues are known by their kicks and interrupts.
 *
 * Whether an interrupt was due cannot be seen for certain either, as the driver's suppression is in
 * the ring.  What is held against the recording: a queue that interrupts, an element with room for
 * the device to write (the driver waits for an answer), used more than ANNOUNCE_NS after the
 * queue's last interrupt (a handler that re-checks the ring is long done), and no interrupt ever
 * after, nor another kick (a driver that polls goes on by itself).  Not asked of a timeless one.
 *
 * QEMU gives elements back unseen (virtqueue_unpop(), virtqueue_detach_element()): an element that
 * is popped again, or whose memory is allocated again, is no disagreement.
 *
 * Memory: the world's, O(names of the recording).
 */
#ifndef RINGSIDE_TRACE_QUEUE_ACCOUNT_H
#define RINGSIDE_TRACE_QUEUE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/disagree.h"
#include "trace/recording.h"

#define ANNOUNCE_NS 10000000 /* 10 ms */

struct queue_account_figures {
	uint64_t status_writes, resets, kicks, pops, completions, flushes, interrupts;
	uint64_t requests, requests_complete; /* of block devices */
	uint64_t outstanding, outstanding_max; /* elements with the devices */
	uint64_t given_back; /* elements that went back without being used */
	int64_t request_ns_max, request_ns_sum; /* pop to fill */
	uint64_t unannounced; /* completions after their queue's last interrupt */
};

struct queue_account;

struct queue_account *
queue_account_create(struct world *w, const struct recording *r, struct disagreements *d);

/* Take a record of a device or queue; others are ignored. */
void
queue_account_take(struct queue_account *q, const struct record *record);

/* The recording has ended. */
void
queue_account_end(struct queue_account *q);

const struct queue_account_figures *
queue_account_figures(const struct queue_account *q);

#endif
