/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An iothread: a thread of the VMM with an AioContext of its own and without the big lock
 * (QEMU iothread.c).
 */
#ifndef RINGSIDE_VMM_IOTHREAD_H
#define RINGSIDE_VMM_IOTHREAD_H

#include "vmm/aio_context.h"

struct iothread {
	struct aio_context ctx;
};

/* With its actor @name, a daemon. @poll_turns: see aio_set_poll(). */
struct iothread *
iothread_create(struct world *w, const char *name, unsigned poll_turns);

#endif
