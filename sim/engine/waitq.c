/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"
#include "engine/world_impl.h"

void
waitq_init(struct waitq *q, struct world *w, const char *name)
{
	*q = (struct waitq){ .name = world_name(w, name) };
}

static void
unlink_actor(struct waitq *q, struct actor *a)
{
	if (a->prev)
		a->prev->next = a->next;
	else
		q->first = a->next;
	if (a->next)
		a->next->prev = a->prev;
	else
		q->last = a->prev;
	a->next = a->prev = NULL;
	a->waitq = NULL;
}

static void
link_actor(struct waitq *q, struct actor *a)
{
	a->waitq = q;
	a->prev = q->last;
	a->next = NULL;
	if (q->last)
		q->last->next = a;
	else
		q->first = a;
	q->last = a;
	a->state = ACTOR_BLOCKED;
}

void
waitq_wait(struct world *w, struct waitq *q)
{
	struct actor *self = w->current;

	must(self); /* a callback cannot wait */
	world_effect(w);
	link_actor(q, self);
	emit(w, EV_ACTOR_BLOCK, q->name);
	actor_leave(w);
	parked_scrub(w);
}

static void
wait_timeout(struct world *w, struct timer *t)
{
	struct actor *a = t->arg;

	(void)w;
	if (a->state != ACTOR_BLOCKED)
		return;
	unlink_actor(a->waitq, a);
	a->timed_out = true;
	actor_make_ready(a);
}

bool
waitq_wait_for(struct world *w, struct waitq *q, int64_t ns, bool bound)
{
	struct actor *self = w->current;
	struct timer t;

	must(self);
	self->timed_out = false;
	timer_init(&t, wait_timeout, self);
	timer_arm(w, &t, ns, bound);
	waitq_wait(w, q);
	timer_cancel(w, &t);
	return !self->timed_out;
}

bool
waitq_wake_one(struct world *w, struct waitq *q)
{
	struct actor *a = q->first;

	world_effect(w); /* that nobody waits is news, too */
	memory_sync(w, true); /* also with nobody there: locks are released so */
	if (__builtin_expect(w->race != NULL, 0))
		w->race->release(w, q);
	if (!a)
		return false;
	unlink_actor(q, a);
	actor_make_ready(a);
	emit(w, EV_ACTOR_WAKE, a->id, q->name);
	return true;
}

void
waitq_wake_all(struct world *w, struct waitq *q)
{
	while (waitq_wake_one(w, q))
		;
}
