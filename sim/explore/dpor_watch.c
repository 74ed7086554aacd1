/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine says of a run's steps (engine/watch.h). */
#include "explore/dpor.h"

/* Bytes that have one history under the weak model: which of its values are seen is one choice. */
#define CHOICE_UNIT 2u

static struct dpor *
dpor_of_watch(struct step_watch *watch)
{
	return (struct dpor *)((char *)watch - offsetof(struct dpor, watch));
}

static void
on_step(struct step_watch *watch, struct world *w, struct process process)
{
	struct dpor *d = dpor_of_watch(watch);
	unsigned p;

	if (d->blocked)
		return;
	if (d->at + 1 < d->fixed) {
		dpor_replay_event(d, process);
		return;
	}
	p = dpor_process_number(d, process);
	dpor_finish(d, w);
	if (d->at + 1 == d->count) { /* it was alone, and not asked for */
		struct dpor_event *e = dpor_push(d, dpor_bit(p), 1);

		e->process = (uint8_t)p;
		e->backtrack = dpor_bit(p);
		if (!dpor_may_go_on(d, e))
			return;
	}
	dpor_begin_event(d, w, p);
}

/*
 * Of a load while its actor's buffer is not empty: what of it comes from memory, which is all that
 * conflicts now, and what from the buffer.
 */
static void
buffered_load(struct dpor *d, struct dpor_event *e, uint64_t offset, uint32_t size, unsigned how)
{
	uint64_t missing = dpor_buffer_load(d, e->process, offset, size);
	unsigned first, last;

	if (d->at < d->fixed)
		return;
	if (missing && how & WATCH_FORWARDED) {
		first = (unsigned)__builtin_ctzll(missing);
		last = 63 - (unsigned)__builtin_clzll(missing);
		dpor_footprint_add(&e->footprint, offset + first,
				   last < 63 ? last - first + 1 : size - first, WATCH_LOAD);
	}
	dpor_footprint_add(&e->footprint, offset, size, how);
}

/*
 * A barrier that found the buffer empty is a step of its own, if there was an access before it:
 * it follows what the actor's buffer did, and that access need not.
 */
static void
fence(struct dpor *d, struct world *w, struct actor *a)
{
	struct dpor_event *e;
	bool own = d->accessed;

	if (own)
		on_step(&d->watch, w, (struct process){ .kind = PROCESS_ACTOR, .id = a });
	d->accessed = true;
	if (d->blocked || d->at < d->fixed)
		return;
	e = &d->event[d->at];
	e->split = own;
	e->fence = true;
	/* It began here, too, if the actor waited for its buffer; else with a step of a model. */
	d->plain |= own || (e->woken_by != DPOR_NONE &&
			    d->process[d->event[e->woken_by].process].p.kind == PROCESS_FLUSH);
}

static void
on_access(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
	  uint32_t size, unsigned how)
{
	struct dpor *d = dpor_of_watch(watch);
	struct dpor_event *e;

	if (!d->blocked && how & WATCH_FENCE)
		fence(d, w, a);
	if (d->blocked && a)
		world_stop(w, STOP_ASKED);
	if (d->blocked || how & WATCH_FENCE)
		return;
	e = &d->event[d->at];
	if (how & WATCH_BUFFERED) {
		dpor_buffer_store(d, e->process, offset, size);
		return;
	}
	d->accessed = true;
	d->plain |= a != NULL;
	if (how & WATCH_CHOICE) {
		size = (uint32_t)((offset + size + CHOICE_UNIT - 1) / CHOICE_UNIT -
				  offset / CHOICE_UNIT) *
		       CHOICE_UNIT;
		offset -= offset % CHOICE_UNIT;
	}
	e->fence |= (how & WATCH_LOAD) && (how & WATCH_STORE);
	if (a && how & WATCH_LOAD &&
	    d->process[e->process].buffer.first < d->process[e->process].buffer.count)
		buffered_load(d, e, offset, size, how);
	else if (d->at >= d->fixed)
		dpor_footprint_add(&e->footprint, offset, size, how);
}

static void
on_touch(struct step_watch *watch, struct world *w, uint64_t offset, uint64_t size, unsigned how)
{
	struct dpor *d = dpor_of_watch(watch);

	(void)w;
	if (!d->blocked && d->at != DPOR_NONE && d->at >= d->fixed)
		dpor_footprint_add(&d->event[d->at].footprint, offset, size, how);
}

/* In a step of the buffer's own, or in one of an actor that empties it at once. */
static void
on_flush(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset, uint32_t size)
{
	struct dpor *d = dpor_of_watch(watch);
	struct dpor_event *e;
	unsigned actor, own;
	uint32_t entry;

	(void)w;
	if (d->blocked)
		return;
	e = &d->event[d->at];
	actor = dpor_process_number(d, (struct process){ .kind = PROCESS_ACTOR, .id = a });
	entry = dpor_buffer_flush(d, actor);
	if (d->at < d->fixed)
		return;
	own = dpor_process_number(d, (struct process){ .kind = PROCESS_FLUSH, .id = a });
	if (e->process == own)
		d->plain = true;
	else
		e->footprint.stops |= dpor_bit(own);
	if (!e->entries++)
		e->entry = entry;
	e->buffer_of = (uint8_t)actor;
	/* Who is held back by another one had not to store first: that can be turned round. */
	if (d->process[e->process].owner == actor)
		e->stored_by = d->process[actor].buffer.entry[entry].event;
	dpor_footprint_add(&e->footprint, offset, size, WATCH_STORE);
}

static void
on_woke(struct step_watch *watch, struct world *w, struct process process)
{
	struct dpor *d = dpor_of_watch(watch);

	(void)w;
	if (!d->blocked)
		d->woken_by[dpor_process_number(d, process)] = d->at;
}

static void
on_stopped(struct step_watch *watch, struct world *w, struct process process)
{
	struct dpor *d = dpor_of_watch(watch);

	unsigned p;

	(void)w;
	if (d->blocked || d->at == DPOR_NONE)
		return;
	p = dpor_process_number(d, process);
	d->held_by[p] = d->at;
	if (d->at >= d->fixed)
		d->event[d->at].footprint.stops |= dpor_bit(p);
}

static void
on_advanced(struct step_watch *watch, struct world *w)
{
	struct dpor *d = dpor_of_watch(watch);

	if (d->blocked)
		return;
	if (d->at != DPOR_NONE && d->at >= d->fixed && !d->sealed) {
		d->event[d->at].footprint.effect |= world_take_effect(w);
		d->sealed = true;
	}
	d->barrier = d->at + 1;
}

const struct step_watch dpor_watch = { .step = on_step,
				       .access = on_access,
				       .touch = on_touch,
				       .flush = on_flush,
				       .woke = on_woke,
				       .stopped = on_stopped,
				       .advanced = on_advanced };
