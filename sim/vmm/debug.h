/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug interface that "Add debug interface to kick/call on purpose" (qemu-devel, March 2021)
 * asked for and the thread argued about: make one step of the notification path happen on purpose,
 * at a level that is named, and see from what recovers which step was lost.
 *
 *	kick  DEBUG_RING       the owner of the ring looks at it; no eventfd is touched
 *	      DEBUG_EVENTFD    the host notifier is written: what a working ioeventfd does
 *	      DEBUG_DOORBELL   the doorbell register is written through the PCI decode
 *	call  DEBUG_RING       the driver is interrupted as the owner would, whatever the ring says
 *	      DEBUG_EVENTFD    the guest notifier is written: passes a mask in the swap design,
 *	                       waits in the counter in the other one
 *	      DEBUG_MSI        the vector's message is sent as the table has it: past every mask
 *
 * Looking changes nothing: dumps emit no events.  Acting is an event (EV_DEBUG_KICK,
 * EV_DEBUG_CALL). Notifiers are listed and written by notify/notifier.h.
 *
 * Acting may be called by any actor, or between runs by the host through debug_run().
 */
#ifndef RINGSIDE_VMM_DEBUG_H
#define RINGSIDE_VMM_DEBUG_H

#include "vmm/machine.h"

/* ORDER DEBUG_LEVEL */
enum debug_level {
	DEBUG_RING,
	DEBUG_EVENTFD,
	DEBUG_DOORBELL, /* kick only */
	DEBUG_MSI, /* call only */
	DEBUG_LEVELS
};
extern const char *const debug_level_name[DEBUG_LEVELS + 1]; /* "ring", …; a null ends it */

/* 0; -ENOENT: no such queue; -ENOTCONN: no notifier, or not set up; -EINVAL: no such level. */
int
debug_kick(struct machine_device *d, unsigned queue, enum debug_level level);
int
debug_call(struct machine_device *d, unsigned queue, enum debug_level level);

/* A queue, in the words of QEMU's x-query-virtio-queue-status; more where they do not suffice. */
struct debug_queue_status {
	const char *name;
	uint16_t queue_index;
	unsigned inuse; /* popped, not pushed */
	uint16_t vring_num, vring_num_default;
	uint64_t vring_desc, vring_avail, vring_used;
	bool enabled, resetting;
	enum virtio_owner owner;
	struct dp_state ring; /* last_avail_idx, shadow_avail_idx, used_idx, signalled_used, … */
	uint16_t vector;
	bool host_notifier_enabled, ioeventfd_assigned;
	uint64_t doorbell; /* gpa */
	bool doorbell_decoded; /* a vCPU's write would reach it now */
	uint64_t kicks, pops, pushes, interrupts;
};
bool
debug_queue_status(struct machine_device *d, unsigned queue, struct debug_queue_status *s);
/* The same as lines of "key=value", each "\n"-ended; length, cut to @size - 1. */
size_t
debug_queue_text(const struct debug_queue_status *s, char *text, size_t size);

/*
 * Have @fn(@arg) run as an actor of a world whose run has ended (a hang): the caller goes on with
 * world_run().
 */
void
debug_run(struct machine *m, void (*fn)(struct machine *m, void *arg), void *arg);

#endif
