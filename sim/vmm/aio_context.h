/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An AioContext: what a VMM thread waits for, and the work others hand to it (QEMU util/async.c,
 * util/aio-posix.c).
 *
 *	handlers        an eventfd each, with a callback; to be polled, poll() and companions
 *	bottom halves   struct virtio_work, run once in the context's thread, from anywhere
 *
 *	a turn:  aio_wait()      until a bottom half is scheduled or an eventfd is readable
 *	         aio_dispatch()  the bottom halves that are there now, then each readable handler
 *
 * Polling.  With aio_set_poll() a thread that had something to do asks poll() of each handler for
 * some turns before it sleeps, and does not until there was something again (QEMU adapts poll_ns).
 * A source that is polled need not notify: poll_begin() turns its notifications off, poll_end() on,
 * and then it is polled once more, for what came in between.  Handlers stay in that state from turn
 * to turn as long as polling finds something; a handler that is detached then has not had its
 * poll_end(), and who attaches it again has to know (QEMU 5bdbaebcce).
 *
 * Cost: a turn is O(handlers).
 */
#ifndef RINGSIDE_VMM_AIO_CONTEXT_H
#define RINGSIDE_VMM_AIO_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/world.h"
#include "notify/eventfd.h"
#include "virtio/device.h"

#define AIO_POLL_NS 1000 /* of one look at all polled handlers */

struct aio_context;

/* Embedded in its owner; what stands below the line is the context's. */
struct aio_handler {
	struct eventfd *fd;
	void (*fn)(struct aio_handler *h); /* fd is readable: it takes what it wants */
	void *arg;
	/* For polling; all null: it is not polled. */
	bool (*poll)(struct aio_handler *h); /* anything to do? */
	void (*poll_ready)(struct aio_handler *h); /* do it; the eventfd is not touched */
	void (*poll_begin)(struct aio_handler *h);
	void (*poll_end)(struct aio_handler *h);

	struct aio_context *ctx; /* null: not attached */
	struct eventfd_wait wait;
	bool polling; /* between poll_begin() and poll_end() */
	bool ready; /* poll() said so */
	struct aio_handler *next;
};

struct aio_context {
	struct world *w;
	struct aio_handler *handlers; /* oldest first */
	uint32_t epoch; /* moves when the list does: a walk over it begins again */
	struct virtio_work *bh, **bh_last;
	unsigned poll_turns; /* before a sleep; 0: none */
	bool poll_pays; /* a handler had something to do since polling last found nothing */
	struct waitq wait; /* threads in aio_wait() */
	struct actor *home; /* the thread that runs it */
	uint64_t sleeps;
};

void
aio_context_init(struct aio_context *ctx, struct world *w, const char *name);

/*
 * From any thread; what the eventfd holds already is seen.  A detached handler is not called any
 * more, but may be running: see aio_run_there().
 */
void
aio_attach(struct aio_context *ctx, struct aio_handler *h);
void
aio_detach(struct aio_handler *h);

/* Have @work run by the context's thread (qemu_bh_schedule()). */
void
aio_bh_schedule(struct aio_context *ctx, struct virtio_work *work);
/* Take a scheduled one back. */
void
aio_bh_cancel(struct aio_context *ctx, struct virtio_work *work);

/*
 * Run @fn(@arg) in the context's thread and wait for it (aio_wait_bh_oneshot()); at once if this is
 * it. The way to be sure that no handler of it is running.
 */
void
aio_run_there(struct aio_context *ctx, void (*fn)(void *arg), void *arg);

void
aio_set_poll(struct aio_context *ctx, unsigned turns);

/* The two halves of a turn. */
void
aio_wait(struct aio_context *ctx);
void
aio_dispatch(struct aio_context *ctx);

#endif
