/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy at the source: what is asked of it, the switch, background push, the return path. */
#include "migration/postcopy.h"

#include "base/must.h"
#include "engine/fault.h"
#include "migration/postcopy_impl.h"
#include "migration/vm_stop.h"

/* ORDER POSTCOPY_PREEMPT */
const char *const postcopy_preempt_word[POSTCOPY_PREEMPTS] = { "off", "7.1", "8.0", "10.1" };

bool
postcopy_possible(const struct precopy *m)
{
	return m->state == PRECOPY_NONE && !m->postcopy &&
	       (!m->config.channels || fault_on(m->w, FAULT_POSTCOPY_MULTIFD));
}

static void
init_bitmaps(struct postcopy *p)
{
	struct page_bitmap *all[] = { &p->received, &p->requested, &p->written,
				      &p->on_wire,  &p->taken,	   &p->released };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		page_bitmap_init(all[i], p->w, ram_pages(p->m->dst));
}

struct postcopy *
postcopy_enable(struct precopy *m, const struct postcopy_config *c)
{
	struct postcopy *p = world_alloc(m->w, sizeof(*p));
	const struct ram_block *blocks;
	unsigned n = ram_blocks(m->dst, &blocks);

	must(postcopy_possible(m));
	p->m = m;
	p->w = m->w;
	if (c)
		p->config = *c;
	if (!p->config.socket_bytes)
		p->config.socket_bytes = POSTCOPY_SOCKET_BYTES;
	p->preempt_up = postcopy_preempts(p);
	for (int i = 0; i < POSTCOPY_CHANNELS; i++) {
		p->flight[i].page = RAM_NOT_WRITING;
		p->tmp[i].content =
			world_alloc(m->w, ram_host_pages_max(m->dst) * sizeof(ram_content));
	}
	for (unsigned i = 0; i < n; i++)
		p->used_pages[i] = blocks[i].pages;
	init_bitmaps(p);
	waitq_init(&p->work, p->w, "postcopy source");
	waitq_init(&p->rp_work, p->w, "return path");
	waitq_init(&p->fault_work, p->w, "userfaultfd");
	waitq_init(&p->placed, p->w, "page fault");
	waitq_init(&p->accept, p->w, "accept");
	postcopy_wire_init(p);
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
postcopy_push(struct postcopy_queue *q, uint64_t page, int64_t at_ns)
{
	if (q->count == POSTCOPY_QUEUE_MAX)
		return false;
	q->page[q->count] = page;
	q->at_ns[q->count++] = at_ns;
	return true;
}

bool
postcopy_pop(struct postcopy_queue *q, uint64_t *page)
{
	if (!q->count)
		return false;
	*page = q->page[0];
	q->count--;
	for (unsigned i = 0; i < q->count; i++) {
		q->page[i] = q->page[i + 1];
		q->at_ns[i] = q->at_ns[i + 1];
	}
	return true;
}

bool
postcopy_wait_state(struct postcopy *p, enum precopy_state state)
{
	struct precopy *m = p->m;

	while (m->state != state && !p->ended && m->state != PRECOPY_COMPLETED &&
	       m->state != PRECOPY_CANCELLED && m->state != PRECOPY_FAILED)
		waitq_wait(p->w, &m->done);
	return m->state == state;
}

uint64_t
postcopy_hint(struct precopy *m, uint64_t first, uint64_t count)
{
	if (m->postcopy && !fault_on(m->w, FAULT_FPH_POSTCOPY))
		return 0;
	return m->state == PRECOPY_ACTIVE ? precopy_hint(m, first, count) : 0;
}

/* --- the return path ------------------------------------------------------------------------ */

/* source_return_path_thread(): MIG_RP_MSG_REQ_PAGES */
static void
return_path(struct actor *self, void *arg)
{
	struct postcopy *p = arg;
	uint64_t page;
	int64_t wait;

	for (;;) {
		while (!p->rp.count)
			waitq_wait(p->w, &p->rp_work);
		wait = p->rp.at_ns[0] - world_now(p->w);
		if (!p->m->vm->steps && wait > 0) {
			actor_sleep(p->w, wait);
			continue;
		}
		precopy_point(p->m);
		if (!postcopy_pop(&p->rp, &page))
			continue; /* the link failed with it */
		emit(p->w, EV_POSTCOPY_REQUEST, (int64_t)page,
		     page_bitmap_test(&p->m->bitmap, page));
		p->stats.requested++;
		p->rp_busy = true;
		if (postcopy_two_senders(p))
			postcopy_save_urgent(p, page);
		else
			postcopy_push(&p->requests, page, 0);
		p->rp_busy = false;
		waitq_wake_all(p->w, &p->work);
		waitq_wake_all(p->w, &p->m->done);
	}
}

/* --- the migration thread ------------------------------------------------------------------- */

/* postcopy_pause() */
static void
pause_here(struct postcopy *p)
{
	precopy_set_state(p->m, PRECOPY_POSTCOPY_PAUSED);
	p->stats.pauses++;
	p->paused = true;
	p->broken.sending = false;
	waitq_wake_all(p->w, &p->m->done);
	while (p->paused) /* whoever recovers ends it; a cancel does not (QEMU 8.2) */
		waitq_wait(p->w, &p->work);
}

/* Nothing is left, nothing is asked for, and the destination has read the main channel. */
static bool
main_sent(const struct postcopy *p)
{
	return p->running && !p->m->bitmap.set && !p->rp.count && !p->requests.count &&
	       !p->broken.sending && postcopy_wire_empty(p, POSTCOPY_MAIN);
}

/*
 * postcopy_ram_incoming_cleanup(): what the destination still expects by the preempt channel comes
 * before it closes that (QEMU cf02f29e1e). A source that finds it dead pauses.
 */
static bool
preempt_sent(struct postcopy *p)
{
	if (fault_on(p->w, FAULT_POSTCOPY_PREEMPT_CLOSED_EARLY))
		return true;
	if (p->rp_busy || !postcopy_wire_empty(p, POSTCOPY_PREEMPT))
		return false;
	if (!postcopy_preempts(p) || !p->requested.set)
		return true;
	if (!p->preempt_up)
		postcopy_preempt_failed(p);
	return false;
}

static void
push(struct postcopy *p)
{
	bool found;

	while (p->m->state != PRECOPY_FAILED && !p->m->cancel) {
		if (p->link != POSTCOPY_UP) {
			pause_here(p);
			continue;
		}
		if (fault_on(p->w, FAULT_POSTCOPY_RESYNC))
			precopy_sync(p->m, false);
		if (!postcopy_save_next(p, &found) || found)
			continue;
		if (main_sent(p) && preempt_sent(p))
			break;
		/* A request that the return path has not taken yet: it says so when it has. */
		if (p->link == POSTCOPY_UP)
			waitq_wait(p->w, &p->work);
	}
}

void
postcopy_run_guest(struct postcopy *p)
{
	struct precopy *m = p->m;

	precopy_start_destination(m);
	p->running = true;
	emit(p->w, EV_POSTCOPY_RUN, (int64_t)m->bitmap.set, m->stats.downtime_ns);
	waitq_wake_all(p->w, &m->done);
	waitq_wake_all(p->w, &p->work);
	if (m->vm->devices)
		precopy_announce(m);
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
	m->at = 0;
	if (!fault_on(p->w, FAULT_POSTCOPY_NO_DISCARD) && !postcopy_discard(p)) {
		precopy_set_state(m, PRECOPY_FAILED);
		return false;
	}
	if (precopy_send_devices(m)) {
		precopy_set_state(m, PRECOPY_FAILED);
		return false;
	}
	postcopy_listen(p);
	postcopy_wire_start(p);
	actor_set_daemon(actor_create(p->w, "return path", return_path, p, 0), true);
	postcopy_check_switch(p);
	postcopy_load_package(p);
	return true;
}

void
postcopy_run(struct precopy *m)
{
	struct postcopy *p = m->postcopy;

	if (!switch_over(p))
		return;
	push(p);
	p->generation++;
	if (m->cancel) { /* the destination pauses, and has nobody to be recovered from */
		p->link = POSTCOPY_DOWN;
		p->stuck = true;
		return;
	}
	p->ended = true;
	if (m->state != PRECOPY_FAILED) {
		m->stats.differing = postcopy_compare(p);
		precopy_set_state(m, PRECOPY_COMPLETED);
	}
	waitq_wake_all(p->w, &p->placed);
}
