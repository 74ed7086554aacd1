/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VMM's main loop and its big lock (QEMU util/main-loop.c, system/cpus.c: the BQL).
 *
 *	main loop:  for ever { wait for the context, unlocked; bql_lock; dispatch; bql_unlock }
 *	a vCPU:     exit to the VMM; bql_lock; the device's register callback; bql_unlock; back
 *
 * Holders of the lock exclude each other, nothing else does: vCPUs in the guest, iothreads and
 * vhost workers go on.  A holder that waits for the main context (a drain in a register write) runs
 * the context's turns itself, as nested aio_poll() does: main_loop_poll().
 *
 * Taking the lock when one has it is counted; QEMU's callers ask bql_locked() first.
 */
#ifndef RINGSIDE_VMM_MAIN_LOOP_H
#define RINGSIDE_VMM_MAIN_LOOP_H

#include "vmm/aio_context.h"

struct bql {
	struct actor *owner;
	unsigned depth;
	struct waitq wait;
};

struct main_loop {
	struct world *w;
	struct aio_context ctx;
	struct bql bql;
};

/* With its actor "main-loop", a daemon. */
struct main_loop *
main_loop_create(struct world *w);

/* A point, then waits for the lock. In timer callbacks, where nobody else runs: no-ops. */
void
bql_lock(struct main_loop *loop);
void
bql_unlock(struct main_loop *loop);
/* Whether the running actor has it. */
bool
bql_locked(const struct main_loop *loop);

/* With the lock held: turns of the main context until @done(@arg). */
void
main_loop_poll(struct main_loop *loop, bool (*done)(void *arg), void *arg);

#endif
