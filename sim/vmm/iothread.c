/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/iothread.h"

static void
iothread_run(struct actor *self, void *arg)
{
	struct iothread *t = arg;

	for (;;) {
		aio_wait(&t->ctx);
		aio_dispatch(&t->ctx);
	}
}

struct iothread *
iothread_create(struct world *w, const char *name, unsigned poll_turns)
{
	struct iothread *t = world_alloc(w, sizeof(*t));

	aio_context_init(&t->ctx, w, "iothread: events");
	aio_set_poll(&t->ctx, poll_turns);
	t->ctx.home = actor_create(w, name, iothread_run, t, 0);
	actor_set_daemon(t->ctx.home, true);
	return t;
}
