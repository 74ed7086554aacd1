/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's queue by requests, while its machine moves (relaxed mode).
 *
 *	guest    makes request n available, in its memory, and kicks whoever has the device then
 *	backend  takes it (its position goes on), writes its page, says that it is done
 *	call     the guest notifier brings an interrupt, which moves with its vCPU once it is
 *	         pending
 *	stop     no more are taken; what was taken is finished, or named in the in-flight region;
 *	         the position is the base that the destination begins from
 *	start    what the region names is done again, then the queue is looked at: a kick that the
 *	         source's eventfd had is the source's
 *
 * Which of these a backend leaves out decides whether a request is done once: EV_MIG_REQUEST is
 * said of each.
 */
#ifndef RINGSIDE_MIGRATION_VM_REQUEST_H
#define RINGSIDE_MIGRATION_VM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

struct vm_device;
struct ram_writer;

#define VM_REQUESTS_MAX 64u

/* By vm_add_device(), in relaxed mode: the queue, and backends of both sides. */
void
vm_requests_create(struct vm_device *d);

/*
 * @vcpu's driver submits a request that writes @page; waits while the machine stands.  False: there
 * were VM_REQUESTS_MAX of them.
 */
bool
vm_request_submit(struct vm_device *d, struct ram_writer *vcpu, uint64_t page);
/* Wait until all that were submitted have been done, wherever, and their guest was told. */
void
vm_requests_wait(struct vm_device *d);

/* The source's backend takes no more, and what it tells of its position is kept. */
void
vm_requests_stop(struct vm_device *d);
/* Its guest notifiers go: what was signalled and not seen yet is told the guest now. */
void
vm_requests_unwire(struct vm_device *d);
/* Images: wait for what was taken. */
void
vm_requests_drain(struct vm_device *d);
/* A side's backend goes on from where the queue stands. */
void
vm_requests_start(struct vm_device *d);

#endif
