/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy at the source: which host page is next, and its pages one after the other. */
#include "engine/fault.h"
#include "migration/postcopy_impl.h"

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
	if (postcopy_two_senders(p))
		precopy_point(m); /* the other thread, if nothing keeps it out */
	precopy_clear_dirty(m, page);
	precopy_clear_chunk(m, page);
	return true;
}

/* A request for a host page all of which is clean: it was sent, or it will never be. */
static void
refuse(struct postcopy *p, const struct ram_host_page *host)
{
	if (p->link != POSTCOPY_UP)
		return; /* recovery sees to it */
	if (page_bitmap_next(&p->on_wire, host->first) < host->end)
		return;
	if (!page_bitmap_test(&p->received, host->first))
		emit(p->w, EV_POSTCOPY_REFUSED, (int64_t)host->first);
}

/* --- a page --------------------------------------------------------------------------------- */

/* Before 2.8: a page that both sides had is sent as a difference, which nobody can apply. */
static bool
sent_as_difference(struct postcopy *p, uint64_t page)
{
	struct precopy *m = p->m;

	if (!fault_on(p->w, FAULT_POSTCOPY_XBZRLE) || !m->xbzrle_started ||
	    m->cache[page % m->cache_pages].sent.page != page)
		return false;
	emit(p->w, EV_POSTCOPY_MIXED, (int64_t)page, POSTCOPY_MAIN, 0, -1);
	precopy_set_state(m, PRECOPY_FAILED);
	return true;
}

static ram_content
read_page(struct postcopy *p, uint64_t page)
{
	if (precopy_unplugged(&p->m->config, page))
		emit(p->w, EV_UNPLUGGED_READ, (int64_t)page, 1);
	if (!p->config.release_ram)
		return ram_read(p->m->vm->ram, page);
	if (page_bitmap_test_and_set(&p->released, p->w, page))
		return RAM_ZERO;
	return ram_read(p->m->vm->ram, page);
}

/* Relaxed: a point between the socket and the destination, which are one page apart. */
static bool
send_step(struct postcopy *p, const struct sent_page *sent, enum postcopy_channel channel)
{
	unsigned generation = p->generation;

	p->flight[channel] = *sent;
	precopy_point(p->m);
	while (channel == POSTCOPY_PREEMPT && !p->accepted)
		waitq_wait(p->w, &p->accept);
	p->flight[channel].page = RAM_NOT_WRITING;
	if (p->link != POSTCOPY_UP || p->generation != generation)
		return false;
	if (channel == POSTCOPY_PREEMPT && !p->preempt_up)
		return true; /* lost, and nobody knows yet */
	if (postcopy_load(p, sent, channel))
		precopy_set_state(p->m, PRECOPY_FAILED);
	return true;
}

/* Read @page, which nobody writes any more, and bring it across; false if the link failed. */
static bool
send_page(struct postcopy *p, uint64_t page, enum postcopy_channel channel)
{
	struct precopy *m = p->m;
	struct sent_page sent = { page, 0 };
	unsigned generation = p->generation;
	uint64_t bytes;
	bool zero;

	if (channel == POSTCOPY_MAIN && sent_as_difference(p, page))
		return true;
	if (channel == POSTCOPY_PREEMPT && !p->preempt_up) {
		postcopy_preempt_failed(p);
		return false;
	}
	sent.content = read_page(p, page);
	zero = sent.content == RAM_ZERO;
	bytes = WIRE_HEADER + (zero ? WIRE_ZERO : PAGE_BYTES);
	page_bitmap_test_and_set(&p->on_wire, p->w, page);
	m->stats.zero_pages += zero;
	m->stats.normal_pages += !zero;
	m->stats.bytes += bytes;
	if (m->vm->steps)
		return send_step(p, &sent, channel);
	postcopy_wire_work(p, channel, zero);
	return p->generation == generation && postcopy_wire_send(p, channel, &sent, bytes);
}

/* --- the migration thread ------------------------------------------------------------------- */

/* get_queued_page(): whether there is something to send for @page. */
static bool
serve(struct postcopy *p, uint64_t page)
{
	struct ram_host_page host = ram_host_page(p->m->dst, page);
	bool breaks = p->config.preempt == POSTCOPY_PREEMPT_BREAK;
	uint64_t first;

	if (p->broken.sending && p->broken.first == host.first) {
		/* Half of it is in the main channel: the rest has to go there, but now. */
		if (fault_on(p->w, FAULT_POSTCOPY_REQUEST_DROPPED))
			return false;
		p->search = p->broken;
		p->broken.sending = false;
	} else {
		first = page_bitmap_next(&p->m->bitmap, host.first);
		if (first >= host.end) {
			refuse(p, &host);
			return false;
		}
		p->search = (struct postcopy_search){
			.sending = true,
			.channel = breaks ? POSTCOPY_PREEMPT : POSTCOPY_MAIN,
			.page = first,
			.first = host.first,
			.end = host.end,
		};
	}
	p->search.urgent = true;
	p->stats.urgent++;
	return true;
}

/* ram_find_and_save_block(): what is asked for, what was left, what is dirty. Under the mutex. */
static bool
find_next(struct postcopy *p)
{
	struct precopy *m = p->m;
	uint64_t pages = ram_pages(m->dst), page;
	struct ram_host_page host;

	while (postcopy_pop(&p->requests, &page))
		if (serve(p, page))
			return true;
	if (p->broken.sending) {
		p->search = p->broken;
		p->broken.sending = false;
		return true;
	}
	if (!m->bitmap.set)
		return false;
	if (p->hinted)
		m->at = p->hint;
	p->hinted = false;
	page = page_bitmap_next(&m->bitmap, m->at < pages ? m->at : 0);
	if (page >= pages)
		page = page_bitmap_next(&m->bitmap, 0);
	if (page >= pages)
		return false;
	host = ram_host_page(m->dst, page);
	p->search = (struct postcopy_search){
		.sending = true, .page = page, .first = host.first, .end = host.end
	};
	return true;
}

/* postcopy_needs_preempt(): QEMU 7.1 leaves a huge page for what is asked for. */
static bool
needs_preempt(const struct postcopy *p)
{
	const struct postcopy_search *s = &p->search;

	return p->config.preempt == POSTCOPY_PREEMPT_BREAK && s->end - s->first > 1 && !s->urgent &&
	       p->requests.count;
}

/* ram_save_host_page(); false if the link failed. */
static bool
save_host_page(struct postcopy *p)
{
	struct postcopy_search *s = &p->search;
	bool ok = true, taken;

	while (ok && p->m->state != PRECOPY_FAILED) {
		lock(p);
		if (needs_preempt(p)) {
			p->broken = *s;
			p->stats.broken++;
			emit(p->w, EV_POSTCOPY_BREAK, (int64_t)s->first, (int64_t)s->page);
			s->sending = false;
			unlock(p);
			return true;
		}
		s->page = page_bitmap_next(&p->m->bitmap, s->page);
		if (s->page >= s->end) {
			unlock(p);
			break;
		}
		taken = take_page(p, s->page);
		unlock(p);
		if (taken) {
			p->stats.pushed++;
			ok = send_page(p, s->page, s->channel);
		}
		s->page++;
	}
	s->sending = false;
	p->m->at = s->end;
	return ok;
}

bool
postcopy_save_next(struct postcopy *p, bool *found)
{
	lock(p);
	*found = find_next(p);
	unlock(p);
	if (!*found)
		postcopy_wire_rest(p, POSTCOPY_MAIN);
	return !*found || save_host_page(p);
}

/* --- the return path ------------------------------------------------------------------------ */

/* pss_overlap(): the migration thread is at it, and the destination wants all of it there. */
static bool
overlaps(const struct postcopy *p, const struct ram_host_page *host)
{
	return p->search.sending && p->search.first == host->first && host->end - host->first > 1 &&
	       !fault_on(p->w, FAULT_POSTCOPY_NO_OVERLAP_CHECK);
}

/* ram_save_host_page_urgent(): all of it is taken under the mutex. */
void
postcopy_save_urgent(struct postcopy *p, uint64_t page)
{
	struct precopy *m = p->m;
	struct ram_host_page host = ram_host_page(m->dst, page);
	bool mine = false, left;

	lock(p);
	left = overlaps(p, &host);
	for (page = host.first; !left && (page = page_bitmap_next(&m->bitmap, page)) < host.end;
	     page++)
		if (take_page(p, page)) {
			page_bitmap_test_and_set(&p->taken, p->w, page);
			mine = true;
		}
	if (mine && p->config.preempt == POSTCOPY_PREEMPT_HINT && !p->hinted) {
		p->hint = host.end;
		p->hinted = true;
	}
	unlock(p);
	if (!mine) {
		if (!left)
			refuse(p, &host);
		return;
	}
	p->stats.urgent++;
	for (page = host.first; (page = page_bitmap_next(&p->taken, page)) < host.end; page++) {
		page_bitmap_test_and_clear(&p->taken, p->w, page);
		if (!send_page(p, page, POSTCOPY_PREEMPT))
			break;
	}
	postcopy_wire_rest(p, POSTCOPY_PREEMPT);
}
