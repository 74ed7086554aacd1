/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C-O10: no access exits as MMIO while a transaction replaces the slot under it.
 *
 *	begin      which slots there are
 *	exit       was the page in one of them, and could this access use it?
 *	commit     is it in one again?  Then the exit should not have been.
 *
 * Nothing is lost by the exit itself: QEMU's view of memory is still the old one and a plain access
 * is carried out there, but KVM cannot fetch instructions or walk page tables that way.  So what
 * else went wrong in a run is told first, and this when nothing else did: a lost page is a lost
 * page.  Slots are known from events, of one virtual machine that has transactions.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/world.h"
#include "kvm/memslot.h"
#include "oracle/oracle.h"
#include "oracle/oracle_impl.h"

struct seen_slot {
	int64_t word; /* KVM_SLOT() */
	int64_t base_gfn, npages, flags;
	bool at_begin; /* of the transaction */
	bool live;
	struct seen_slot *next;
};

/* An access that should have found memory, if its page has some at the end. */
struct seen_exit {
	int64_t as_id, gfn;
	bool write;
	uint64_t step;
	int64_t time_ns, actor;
	struct seen_exit *next;
};

struct slot_watch {
	struct seen_slot *slots;
	struct seen_exit *exits, *broken; /* of the open transaction; the first that is judged */
	bool open;
};

static bool
covers(const struct seen_slot *s, int64_t as_id, int64_t gfn, bool write)
{
	return s->word >> 16 == as_id && gfn >= s->base_gfn && gfn - s->base_gfn < s->npages &&
	       !(write && s->flags & KVM_MEM_READONLY);
}

static void
forget_dead(struct world *w, struct slot_watch *t)
{
	struct seen_slot **link = &t->slots, *s;

	while ((s = *link)) {
		if (s->live) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		world_free(w, s, sizeof(*s));
	}
}

static void
on_set_memslot(struct world *w, const struct event *e, void *context)
{
	struct slot_watch *t = context;
	struct seen_slot *s = t->slots;

	if (e->arg[4])
		return; /* KVM refused it */
	while (s && !(s->live && s->word == e->arg[0]))
		s = s->next;
	if (s && e->arg[3] && s->base_gfn == e->arg[2]) {
		s->flags = e->arg[1];
		return;
	}
	if (s)
		s->live = false;
	if (!t->open)
		forget_dead(w, t);
	if (!e->arg[3])
		return;
	s = world_alloc(w, sizeof(*s));
	*s = (struct seen_slot){ .word = e->arg[0],
				 .flags = e->arg[1],
				 .base_gfn = e->arg[2],
				 .npages = e->arg[3],
				 .live = true,
				 .next = t->slots };
	t->slots = s;
}

static void
on_begin(struct world *w, const struct event *e, void *context)
{
	struct slot_watch *t = context;

	t->open = true;
	for (struct seen_slot *s = t->slots; s; s = s->next)
		s->at_begin = true;
}

static void
on_exit(struct world *w, const struct event *e, void *context)
{
	struct slot_watch *t = context;
	bool write = e->kind == EV_KVM_WRITE_MMIO;
	struct seen_slot *s = t->slots;
	struct actor *self = actor_current(w);
	struct seen_exit *x;

	if (!t->open || t->broken || oracles_of(w)->off[ORACLE_C_O10])
		return;
	while (s && !(s->at_begin && covers(s, e->arg[0], e->arg[1], write)))
		s = s->next;
	if (!s)
		return;
	x = world_alloc(w, sizeof(*x));
	*x = (struct seen_exit){ .as_id = e->arg[0],
				 .gfn = e->arg[1],
				 .write = write,
				 .step = world_step(w),
				 .time_ns = world_now_shown(w),
				 .next = t->exits };
	x->actor = world_name(w, self ? actor_name(self) : NULL);
	t->exits = x;
}

static bool
mapped_again(const struct slot_watch *t, const struct seen_exit *x)
{
	for (const struct seen_slot *s = t->slots; s; s = s->next)
		if (s->live && covers(s, x->as_id, x->gfn, x->write))
			return true;
	return false;
}

static void
on_commit(struct world *w, const struct event *e, void *context)
{
	struct slot_watch *t = context;
	struct seen_exit *x;

	/* The list has the last one first: what is kept is the first of all. */
	while ((x = t->exits)) {
		t->exits = x->next;
		if (!mapped_again(t, x)) {
			world_free(w, x, sizeof(*x));
			continue;
		}
		if (t->broken)
			world_free(w, t->broken, sizeof(*t->broken));
		t->broken = x;
	}
	t->open = false;
	forget_dead(w, t);
	for (struct seen_slot *s = t->slots; s; s = s->next)
		s->at_begin = false;
}

void
memslot_judge(struct world *w)
{
	struct oracles *os = oracles_of(w);
	const struct seen_exit *x = os->slots->broken;

	if (!x)
		return;
	oracle_report_page(w, ORACLE_C_O10, x->gfn,
			   "a %s of page 0x%" PRIx64 " exited as MMIO at step %" PRIu64
			   ": its slot was gone, and was there again when the transaction was over",
			   x->write ? "write" : "read", x->gfn, x->step);
	/* When it happened, not when it was judged. */
	os->last->step = x->step;
	os->last->time_ns = x->time_ns;
	os->last->actor = x->actor;
}

void
memslot_attach(struct world *w)
{
	struct slot_watch *t = world_alloc(w, sizeof(*t));

	oracles_of(w)->slots = t;
	world_observe(w, EV_KVM_SET_MEMSLOT, on_set_memslot, t);
	world_observe(w, EV_MEMORY_BEGIN, on_begin, t);
	world_observe(w, EV_KVM_READ_MMIO, on_exit, t);
	world_observe(w, EV_KVM_WRITE_MMIO, on_exit, t);
	world_observe(w, EV_MEMORY_COMMIT, on_commit, t);
}
