/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/aio_context.h"

#include "base/must.h"
#include "engine/cost.h"
#include "memory/race.h"

void
aio_context_init(struct aio_context *ctx, struct world *w, const char *name)
{
	ctx->w = w;
	ctx->bh_last = &ctx->bh;
	waitq_init(&ctx->wait, w, name);
}

void
aio_set_poll(struct aio_context *ctx, unsigned turns)
{
	ctx->poll_turns = turns;
}

/* --- handlers ------------------------------------------------------------------------------- */

static bool
on_readable(struct eventfd_wait *wait, struct eventfd *fd)
{
	struct aio_handler *h = wait->arg;

	waitq_wake_all(h->ctx->w, &h->ctx->wait);
	return false;
}

void
aio_attach(struct aio_context *ctx, struct aio_handler *h)
{
	struct aio_handler **at = &ctx->handlers;

	must(!h->ctx);
	while (*at)
		at = &(*at)->next;
	*at = h;
	h->next = NULL;
	h->ctx = ctx;
	h->polling = h->ready = false;
	ctx->epoch++;
	h->wait = (struct eventfd_wait){ .wake = on_readable, .arg = h };
	eventfd_attach(h->fd, &h->wait);
	waitq_wake_all(ctx->w, &ctx->wait);
}

void
aio_detach(struct aio_handler *h)
{
	struct aio_handler **at;

	if (!h->ctx)
		return;
	for (at = &h->ctx->handlers; *at != h; at = &(*at)->next)
		;
	*at = h->next;
	eventfd_detach(h->fd, &h->wait);
	h->ctx->epoch++;
	h->ctx = NULL;
}

/* --- bottom halves -------------------------------------------------------------------------- */

void
aio_bh_schedule(struct aio_context *ctx, struct virtio_work *work)
{
	/* Also if it is queued already: it will see what its scheduler did. */
	race_release(ctx->w, &ctx->wait);
	if (work->queued)
		return;
	work->queued = true;
	work->next = NULL;
	*ctx->bh_last = work;
	ctx->bh_last = &work->next;
	waitq_wake_all(ctx->w, &ctx->wait);
}

void
aio_bh_cancel(struct aio_context *ctx, struct virtio_work *work)
{
	struct virtio_work **at = &ctx->bh;

	if (!work->queued)
		return;
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	if (ctx->bh_last == &work->next)
		ctx->bh_last = at;
	work->queued = false;
}

static struct virtio_work *
bh_take(struct aio_context *ctx)
{
	struct virtio_work *work = ctx->bh;

	if (work)
		aio_bh_cancel(ctx, work);
	return work;
}

struct oneshot {
	struct virtio_work work;
	void (*fn)(void *arg);
	void *arg;
	bool done;
	struct waitq wait;
};

static void
oneshot_run(struct virtio_work *work)
{
	struct oneshot *o = work->arg;
	struct world *w = world_current();

	o->fn(o->arg);
	o->done = true;
	waitq_wake_all(w, &o->wait);
}

void
aio_run_there(struct aio_context *ctx, void (*fn)(void *arg), void *arg)
{
	struct oneshot o = { .work = { .fn = oneshot_run }, .fn = fn, .arg = arg };

	if (actor_current(ctx->w) == ctx->home) {
		fn(arg);
		return;
	}
	o.work.arg = &o;
	o.wait.name = ctx->wait.name;
	aio_bh_schedule(ctx, &o.work);
	while (!o.done)
		waitq_wait(ctx->w, &o.wait);
	race_acquire(ctx->w, &o.wait);
}

/* --- a turn --------------------------------------------------------------------------------- */

static bool
anything(const struct aio_context *ctx)
{
	if (ctx->bh)
		return true;
	for (const struct aio_handler *h = ctx->handlers; h; h = h->next)
		if (h->ready || eventfd_poll(h->fd) & EVENTFD_IN)
			return true;
	return false;
}

/* Ask each polled handler. A point lies in each look at a ring: the list may move meanwhile. */
static bool
poll_all(struct aio_context *ctx)
{
	bool found = false;

	for (struct aio_handler *h = ctx->handlers; h; h = h->next) {
		uint32_t epoch = ctx->epoch;
		bool ready = h->poll && h->poll(h);

		if (epoch != ctx->epoch)
			return true; /* look again before sleeping */
		h->ready |= ready;
		found |= ready;
	}
	return found;
}

/* Turn polling on or off at each handler; whether there was one. */
static bool
poll_switch(struct aio_context *ctx, bool on)
{
	bool polled = false;

again:
	for (struct aio_handler *h = ctx->handlers; h; h = h->next) {
		uint32_t epoch = ctx->epoch;

		if (!h->poll)
			continue;
		polled = true;
		if (h->polling == on)
			continue;
		h->polling = on;
		if (on)
			h->poll_begin(h);
		else
			h->poll_end(h);
		if (epoch != ctx->epoch)
			goto again;
	}
	return polled;
}

/* True if polling found something to do. */
static bool
poll_mode(struct aio_context *ctx)
{
	if (!ctx->poll_turns || !ctx->poll_pays)
		return false;
	ctx->poll_pays = poll_switch(ctx, true);
	if (!ctx->poll_pays)
		return false;
	for (unsigned i = 0; i < ctx->poll_turns; i++) {
		if (poll_all(ctx) || anything(ctx))
			return true;
		actor_work(ctx->w, AIO_POLL_NS);
	}
	ctx->poll_pays = false;
	poll_switch(ctx, false);
	return poll_all(ctx);
}

void
aio_wait(struct aio_context *ctx)
{
	while (!anything(ctx) && !poll_mode(ctx)) {
		/* Polling has points in it: what came meanwhile is to be seen before sleeping. */
		if (anything(ctx))
			return;
		ctx->sleeps++;
		waitq_wait(ctx->w, &ctx->wait);
		cost_spend(ctx->w, COST_WAKEUP);
	}
}

void
aio_dispatch(struct aio_context *ctx)
{
	struct virtio_work *last = NULL, *work;
	struct aio_handler *h;

	race_acquire(ctx->w, &ctx->wait);
	/* Those scheduled while these run belong to the next turn. */
	for (work = ctx->bh; work; work = work->next)
		last = work;
	while (last && (work = bh_take(ctx))) {
		work->fn(work);
		if (work == last)
			break;
	}
again:
	for (h = ctx->handlers; h; h = h->next) {
		uint32_t epoch = ctx->epoch;

		if (h->ready) {
			h->ready = false;
			h->poll_ready(h);
		} else if (eventfd_poll(h->fd) & EVENTFD_IN) {
			h->fn(h);
		} else {
			continue;
		}
		ctx->poll_pays = true;
		if (epoch != ctx->epoch)
			goto again;
	}
}
