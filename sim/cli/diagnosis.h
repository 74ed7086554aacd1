/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what recovers a hung machine to what it had lost.  For each queue there are up to six
 * attempts: call and kick, each at its levels (vmm/debug.h).  Reading them together:
 *
 *	call at the eventfd recovers     the way from the guest notifier to the driver is whole:
 *	                                 nobody signalled it.  Either the ring said so
 *	                                 (suppression) or a signal was lost before it
 *	only call by message recovers    the signal stays in the notifier: the vector is masked, or
 *	                                 its GSI has no route
 *	kick at the doorbell recovers    the way from the doorbell to the device is whole now: the
 *	                                 kick was not sent (suppression), or vanished on its way
 *	kick at the eventfd, not at the  the doorbell does not reach the eventfd: not decoded, or
 *	doorbell                         no ioeventfd there
 *	only kick at the ring recovers   the device does not listen to its notifier
 *	nothing recovers                 it is not a notification: the state of ring or device
 *
 * The evidence are the counters, which were collected before anything was tried.
 */
#ifndef RINGSIDE_CLI_DIAGNOSIS_H
#define RINGSIDE_CLI_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/debug.h"

enum attempt_kind { ATTEMPT_CALL, ATTEMPT_KICK, ATTEMPT_KINDS };

struct attempt {
	bool done; /* there is such a level, and the call returned 0 */
	bool recovered; /* fewer actors are blocked */
};

/* One queue: what was seen at the hang, and what each attempt did. */
struct queue_findings {
	const char *device;
	struct debug_queue_status status;
	struct notifier_info guest, host;
	bool has_guest, has_host;
	struct attempt attempt[ATTEMPT_KINDS][DEBUG_LEVELS];
};

/*
 * Sentences, each one line: @what was lost, and the @evidence.  False if nothing recovered here and
 * the queue shows nothing wrong.
 */
bool
diagnosis_make(const struct queue_findings *q, char *what, size_t what_size, char *evidence,
	       size_t evidence_size);

#endif
