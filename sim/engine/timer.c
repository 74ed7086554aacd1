/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"
#include "engine/image.h"
#include "engine/world_impl.h"

void
timer_init(struct timer *t, void (*fn)(struct world *w, struct timer *t), void *arg)
{
	*t = (struct timer){ .fn = fn, .arg = arg };
}

/* A timer's turn: picked from the ready queue. */
void
timer_due(struct world *w, void *arg)
{
	struct timer *t = arg;

	t->state = TIMER_IDLE;
	if (t->at_ns > w->now)
		w->now = t->at_ns;
	t->at_ns = 0; /* a time that is past would tell equal worlds apart */
	t->fn(w, t);
}

void
timer_arm(struct world *w, struct timer *t, int64_t delay_ns, bool bound)
{
	memory_sync(w, true);
	race_order(w, w->current, NULL);
	timer_cancel(w, t);
	t->at_ns = w->now + (delay_ns > 0 ? delay_ns : 0);
	t->bound = bound;
	if (w->mode != WORLD_TIMED && !bound) {
		t->state = TIMER_DUE;
		ready_push(w, timer_due, t);
		watch_woke(w, callback_process(timer_due, t));
		return;
	}
	t->state = TIMER_HEAP;
	w->host->looked |= IMAGE_TIME;
	if (!heap_push(&w->heap, w->arena, t->at_ns, (void *)timer_due, t, &t->handle))
		world_fail(w, "out of memory for timers");
}

bool
timer_cancel(struct world *w, struct timer *t)
{
	uint8_t was = t->state;

	world_effect(w);
	t->state = TIMER_IDLE;
	if (was == TIMER_HEAP && heap_remove(&w->heap, t->handle))
		return true;
	/* In the heap as it thought, but moved to the ready queue as one of several ties; or due.
	 */
	if (was == TIMER_IDLE || !ready_remove(w, timer_due, t))
		return false;
	watch_stopped(w, callback_process(timer_due, t));
	return true;
}

bool
timer_pending(const struct timer *t)
{
	return t->state != TIMER_IDLE;
}

struct after {
	void (*fn)(struct world *w, void *arg);
	void *arg;
	struct timer timer;
};

static void
after_due(struct world *w, struct timer *t)
{
	struct after a = *(struct after *)t->arg;

	world_free(w, t->arg, sizeof(a));
	a.fn(w, a.arg);
}

void
world_after(struct world *w, int64_t delay_ns, void (*fn)(struct world *w, void *arg), void *arg)
{
	world_effect(w);
	race_order(w, w->current, NULL);
	/* In timed mode the heap holds the callback itself: no block, no second call. */
	if (w->mode == WORLD_TIMED) {
		if (!heap_push(&w->heap, w->arena, w->now + (delay_ns > 0 ? delay_ns : 0),
			       (void *)fn, arg, NULL))
			world_fail(w, "out of memory for timers");
		return;
	}

	struct after *a = world_alloc(w, sizeof(*a));

	a->fn = fn;
	a->arg = arg;
	timer_init(&a->timer, after_due, a);
	timer_arm(w, &a->timer, delay_ns, false);
}
