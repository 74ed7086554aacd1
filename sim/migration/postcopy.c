/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy at the source: the switch, background push, requests, recovery. */
#include "migration/postcopy.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/postcopy_impl.h"
#include "migration/vm_stop.h"

bool
postcopy_possible(const struct precopy *m)
{
	return m->state == PRECOPY_NONE && !m->postcopy && !m->config.channels && !m->config.xbzrle;
}

struct postcopy *
postcopy_enable(struct precopy *m, bool preempt)
{
	struct postcopy *p = world_alloc(m->w, sizeof(*p));

	must(postcopy_possible(m));
	p->m = m;
	p->w = m->w;
	p->preempt = preempt;
	p->link_up = true;
	for (int i = 0; i < POSTCOPY_CHANNELS; i++)
		p->flight[i].page = RAM_NOT_WRITING;
	page_bitmap_init(&p->received, p->w, ram_pages(m->dst));
	page_bitmap_init(&p->requested, p->w, ram_pages(m->dst));
	page_bitmap_init(&p->written, p->w, ram_pages(m->dst));
	waitq_init(&p->work, p->w, "postcopy source");
	waitq_init(&p->rp_work, p->w, "return path");
	waitq_init(&p->fault_work, p->w, "userfaultfd");
	waitq_init(&p->placed, p->w, "page fault");
	m->postcopy = p;
	return p;
}

struct postcopy *
postcopy_of(const struct precopy *m)
{
	return m->postcopy;
}

struct precopy *
postcopy_migration(const struct postcopy *p)
{
	return p->m;
}

void
postcopy_start(struct postcopy *p)
{
	p->asked = true;
}

bool
postcopy_wanted(const struct precopy *m)
{
	return m->postcopy && m->postcopy->asked;
}

bool
postcopy_running(const struct postcopy *p)
{
	return p->running;
}

const struct postcopy_stats *
postcopy_stats(const struct postcopy *p)
{
	return &p->stats;
}

bool
postcopy_push(struct postcopy_queue *q, uint64_t page)
{
	if (q->count == POSTCOPY_QUEUE_MAX)
		return false;
	q->page[q->count++] = page;
	return true;
}

bool
postcopy_pop(struct postcopy_queue *q, uint64_t *page)
{
	if (!q->count)
		return false;
	*page = q->page[0];
	q->count--;
	for (unsigned i = 0; i < q->count; i++)
		q->page[i] = q->page[i + 1];
	return true;
}

uint64_t
postcopy_hint(struct precopy *m, uint64_t first, uint64_t count)
{
	if (m->postcopy && !fault_on(m->w, FAULT_FPH_POSTCOPY))
		return 0;
	return m->state == PRECOPY_ACTIVE ? precopy_hint(m, first, count) : 0;
}

/* --- the bitmap ----------------------------------------------------------------------------- */

static void
lock(struct postcopy *p)
{
	if (!fault_on(p->w, FAULT_POSTCOPY_BITMAP_UNLOCKED))
		precopy_bitmap_lock(p->m);
}

static void
unlock(struct postcopy *p)
{
	precopy_bitmap_unlock(p->m);
}

/* Whether @page is to be sent by who asks: migration_bitmap_clear_dirty(). Under the mutex. */
static bool
take_page(struct postcopy *p, uint64_t page)
{
	struct precopy *m = p->m;

	if (!page_bitmap_test(&m->bitmap, page))
		return false;
	if (p->preempt)
		precopy_point(m); /* the other thread, if nothing keeps it out */
	precopy_clear_dirty(m, page);
	precopy_clear_chunk(m, page);
	return true;
}

/* A request for a page that is clean: it was sent, or it will never be. */
static void
refuse(struct postcopy *p, uint64_t page)
{
	if (!p->link_up)
		return; /* recovery sees to it */
	for (int i = 0; i < POSTCOPY_CHANNELS; i++)
		if (p->flight[i].page == page)
			return;
	if (!page_bitmap_test(&p->received, page))
		emit(p->w, EV_POSTCOPY_REFUSED, (int64_t)page);
}

/* Read @page, which nobody writes any more, and bring it across; false if the link failed. */
static bool
send_page(struct postcopy *p, uint64_t page, enum postcopy_channel channel)
{
	struct precopy *m = p->m;
	unsigned generation = p->generation;
	struct sent_page sent = { page, ram_read(m->vm->ram, page) };
	bool zero = sent.content == RAM_ZERO;
	uint64_t bytes = WIRE_HEADER + (zero ? WIRE_ZERO : PAGE_BYTES);

	p->flight[channel] = sent;
	m->stats.zero_pages += zero;
	m->stats.normal_pages += !zero;
	if (channel == POSTCOPY_MAIN) {
		precopy_spend(m, cost_of(p->w, COST_MIG_PAGE) + cost_of(p->w, COST_MIG_SEND),
			      false);
		precopy_put(m, bytes);
	} else {
		m->stats.bytes += bytes;
		if (!m->vm->steps)
			actor_work(p->w, cost_of(p->w, COST_MIG_SEND));
	}
	precopy_point(m);
	p->flight[channel].page = RAM_NOT_WRITING;
	if (!p->link_up || p->generation != generation)
		return false;
	if (postcopy_place(p, &sent, channel))
		precopy_set_state(m, PRECOPY_FAILED);
	return true;
}

/* --- the return path ------------------------------------------------------------------------ */

static void
urgent(struct postcopy *p, uint64_t page)
{
	bool mine;

	lock(p);
	mine = take_page(p, page);
	unlock(p);
	if (!mine) {
		refuse(p, page);
		return;
	}
	p->stats.urgent++;
	send_page(p, page, POSTCOPY_PREEMPT);
}

/* source_return_path_thread(): MIG_RP_MSG_REQ_PAGES */
static void
return_path(struct actor *self, void *arg)
{
	struct postcopy *p = arg;
	uint64_t page;

	for (;;) {
		while (!p->rp.count)
			waitq_wait(p->w, &p->rp_work);
		precopy_point(p->m);
		if (!postcopy_pop(&p->rp, &page))
			continue; /* the link failed with it */
		emit(p->w, EV_POSTCOPY_REQUEST, (int64_t)page,
		     page_bitmap_test(&p->m->bitmap, page));
		p->stats.requested++;
		p->rp_busy = true;
		if (p->preempt)
			urgent(p, page);
		else
			postcopy_push(&p->requests, page);
		p->rp_busy = false;
		waitq_wake_all(p->w, &p->work);
		waitq_wake_all(p->w, &p->m->done);
	}
}

/* --- the migration thread ------------------------------------------------------------------- */

/* get_queued_page(): requested pages first; the walk goes on behind them. */
static bool
next_page(struct postcopy *p, uint64_t *page)
{
	struct precopy *m = p->m;
	uint64_t pages = ram_pages(m->dst);

	while (postcopy_pop(&p->requests, page)) {
		if (take_page(p, *page)) {
			p->stats.urgent++;
			m->at = *page + 1;
			return true;
		}
		refuse(p, *page);
	}
	while (m->bitmap.set) {
		*page = page_bitmap_next(&m->bitmap, m->at < pages ? m->at : 0);
		if (*page >= pages) {
			m->at = 0;
			*page = page_bitmap_next(&m->bitmap, 0);
		}
		m->at = *page + 1;
		if (*page < pages && take_page(p, *page))
			return true;
	}
	return false;
}

/* postcopy_pause() */
static void
pause_here(struct postcopy *p)
{
	precopy_spend(p->m, 0, true);
	precopy_set_state(p->m, PRECOPY_POSTCOPY_PAUSED);
	p->stats.pauses++;
	p->paused = true;
	waitq_wake_all(p->w, &p->m->done);
	while (!p->link_up)
		waitq_wait(p->w, &p->work);
	p->paused = false;
	precopy_set_state(p->m, PRECOPY_POSTCOPY_ACTIVE);
}

/* Nothing is left, nothing is asked for, nothing is under way. */
static bool
all_sent(const struct postcopy *p)
{
	return !p->m->bitmap.set && !p->rp.count && !p->rp_busy && !p->requests.count &&
	       p->flight[POSTCOPY_PREEMPT].page == RAM_NOT_WRITING &&
	       p->flight[POSTCOPY_MAIN].page == RAM_NOT_WRITING;
}

static void
push(struct postcopy *p)
{
	uint64_t page;
	bool found;

	while (p->m->state != PRECOPY_FAILED) {
		if (!p->link_up) {
			pause_here(p);
			continue;
		}
		if (fault_on(p->w, FAULT_POSTCOPY_RESYNC))
			precopy_sync(p->m, false);
		lock(p);
		found = next_page(p, &page);
		unlock(p);
		if (found) {
			p->stats.pushed++;
			send_page(p, page, POSTCOPY_MAIN);
			continue;
		}
		precopy_spend(p->m, 0, true);
		if (all_sent(p))
			break;
		if (p->link_up && !p->rp.count)
			waitq_wait(p->w, &p->work);
		else
			precopy_point(p->m);
	}
	precopy_spend(p->m, 0, true);
}

/* postcopy_start(); false if the guest did not leave. */
static bool
switch_over(struct postcopy *p)
{
	struct precopy *m = p->m;

	precopy_spend(m, 0, true);
	m->stats.stop_ns = vm_stop(m->vm);
	if (m->cancel)
		return false;
	precopy_set_state(m, PRECOPY_POSTCOPY_ACTIVE);
	m->rate_off = true;
	vm_phase_begin(m->vm, VM_PHASE_RAM);
	precopy_sync(m, true);
	m->last_sync = true;
	if (!fault_on(p->w, FAULT_POSTCOPY_NO_DISCARD))
		postcopy_discard(p);
	if (precopy_send_devices(m)) {
		precopy_set_state(m, PRECOPY_FAILED);
		return false;
	}
	postcopy_listen(p);
	actor_set_daemon(actor_create(p->w, "return path", return_path, p, 0), true);
	precopy_start_destination(m);
	p->running = true;
	postcopy_check_switch(p);
	emit(p->w, EV_POSTCOPY_RUN, (int64_t)m->bitmap.set, m->stats.downtime_ns);
	waitq_wake_all(p->w, &m->done);
	if (m->vm->devices)
		precopy_announce(m);
	return true;
}

void
postcopy_run(struct precopy *m)
{
	struct postcopy *p = m->postcopy;

	if (!switch_over(p))
		return;
	push(p);
	p->ended = true;
	m->stats.differing = postcopy_compare(p);
	if (m->state != PRECOPY_FAILED)
		precopy_set_state(m, PRECOPY_COMPLETED);
	waitq_wake_all(p->w, &p->placed);
}

/* --- the link ------------------------------------------------------------------------------- */

bool
postcopy_break_link(struct postcopy *p)
{
	if (!p->running || p->ended || !p->link_up)
		return false;
	p->link_up = false;
	p->generation++;
	p->rp.count = 0;
	for (int i = 0; i < POSTCOPY_CHANNELS; i++)
		p->flight[i].page = RAM_NOT_WRITING;
	emit(p->w, EV_POSTCOPY_LINK, 0, (int64_t)p->received.set, (int64_t)p->m->bitmap.set);
	waitq_wake_all(p->w, &p->work);
	return true;
}

/* ram_dirty_bitmap_reload(): MIG_RP_MSG_RECV_BITMAP, and its complement. */
static void
reload_bitmap(struct postcopy *p)
{
	struct page_bitmap *dirty = &p->m->bitmap;

	page_bitmap_fill(dirty, p->w);
	for (uint64_t page = 0; (page = page_bitmap_next(&p->received, page)) < p->received.npages;
	     page++)
		page_bitmap_test_and_clear(dirty, p->w, page);
	p->m->dirty_pages = dirty->set; /* ram_state_resume_prepare() */
}

bool
postcopy_recover(struct postcopy *p)
{
	uint64_t before = p->m->bitmap.set;

	if (p->link_up || !p->running || p->ended)
		return false;
	/* Both threads of the source are to have let go of the old link. */
	while (!p->paused || p->rp_busy)
		waitq_wait(p->w, &p->m->done);
	precopy_set_state(p->m, PRECOPY_POSTCOPY_RECOVER);
	precopy_point(p->m);
	p->requests.count = 0;
	if (!fault_on(p->w, FAULT_POSTCOPY_NO_RECV_BITMAP))
		reload_bitmap(p);
	p->stats.recovered += p->m->bitmap.set - before;
	p->link_up = true;
	emit(p->w, EV_POSTCOPY_LINK, 1, (int64_t)p->received.set, (int64_t)p->m->bitmap.set);
	/* What was asked for and did not come is asked for again. */
	for (uint64_t page = 0;
	     (page = page_bitmap_next(&p->requested, page)) < p->requested.npages; page++)
		postcopy_push(&p->rp, page);
	waitq_wake_all(p->w, &p->rp_work);
	waitq_wake_all(p->w, &p->fault_work);
	waitq_wake_all(p->w, &p->work);
	return true;
}
