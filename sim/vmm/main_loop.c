/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/main_loop.h"

#include "base/must.h"
#include "memory/race.h"

static void
main_loop_run(struct actor *self, void *arg)
{
	struct main_loop *loop = arg;

	for (;;) {
		aio_wait(&loop->ctx);
		bql_lock(loop);
		aio_dispatch(&loop->ctx);
		bql_unlock(loop);
	}
}

struct main_loop *
main_loop_create(struct world *w)
{
	struct main_loop *loop = world_alloc(w, sizeof(*loop));

	loop->w = w;
	aio_context_init(&loop->ctx, w, "main loop: events");
	waitq_init(&loop->bql.wait, w, "BQL");
	loop->ctx.home = actor_create(w, "main-loop", main_loop_run, loop, 0);
	actor_set_daemon(loop->ctx.home, true);
	return loop;
}

void
bql_lock(struct main_loop *loop)
{
	struct actor *self = actor_current(loop->w);
	struct bql *l = &loop->bql;

	if (!self)
		return;
	if (l->owner != self) {
		actor_point(loop->w);
		while (l->owner)
			waitq_wait(loop->w, &l->wait);
		race_acquire(loop->w, &l->wait);
		l->owner = self;
	}
	l->depth++;
}

void
bql_unlock(struct main_loop *loop)
{
	struct bql *l = &loop->bql;

	if (!actor_current(loop->w))
		return;
	must(bql_locked(loop));
	if (--l->depth)
		return;
	l->owner = NULL;
	waitq_wake_one(loop->w, &l->wait);
}

bool
bql_locked(const struct main_loop *loop)
{
	return loop->bql.owner && loop->bql.owner == actor_current(loop->w);
}

void
main_loop_poll(struct main_loop *loop, bool (*done)(void *arg), void *arg)
{
	must(bql_locked(loop));
	while (!done(arg)) {
		aio_wait(&loop->ctx);
		aio_dispatch(&loop->ctx);
	}
}
