/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy at the destination: the guest that runs there, its faults, and what is placed. */
#include <errno.h>

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/postcopy_impl.h"

void
postcopy_received(struct postcopy *p, uint64_t word, uint64_t mask)
{
	for (; mask; mask &= mask - 1)
		page_bitmap_test_and_set(&p->received, p->w,
					 word * 64 + (unsigned)__builtin_ctzll(mask));
}

/* --- pages ---------------------------------------------------------------------------------- */

/* postcopy_place_page(): UFFDIO_COPY of a host page, and who waits for it goes on. */
static int
place(struct postcopy *p, const struct ram_host_page *host, const ram_content *content,
      enum postcopy_channel channel)
{
	int ret = page_bitmap_next(&p->received, host->first) < host->end ? -EEXIST : 0;

	emit(p->w, EV_POSTCOPY_PLACE, (int64_t)host->first, (int64_t)ram_version(content[0]),
	     channel, ret, page_bitmap_next(&p->written, host->first) < host->end);
	if (ret)
		return ret;
	for (uint64_t page = host->first; page < host->end; page++) {
		page_bitmap_test_and_set(&p->received, p->w, page);
		page_bitmap_test_and_clear(&p->on_wire, p->w, page);
		ram_store(p->m->dst, page, content[page - host->first]);
	}
	page_bitmap_test_and_clear(&p->requested, p->w, host->first);
	waitq_wake_all(p->w, &p->placed);
	if (postcopy_two_senders(p) && !p->requested.set)
		waitq_wake_all(p->w, &p->work);
	return 0;
}

/* offset_in_ramblock(), of a block that the destination's firmware made smaller meanwhile. */
static bool
illegal_offset(struct postcopy *p, uint64_t page)
{
	const struct ram_block *block;
	unsigned number = 0;

	if (!fault_on(p->w, FAULT_POSTCOPY_USED_LENGTH))
		return false; /* postcopy_length: as at the switch */
	ram_blocks(p->m->dst, &block);
	while (page >= block[number].first + block[number].pages)
		number++;
	if (page - block[number].first < p->used_pages[number])
		return false;
	emit(p->w, EV_POSTCOPY_ILLEGAL, (int64_t)page, number);
	return true;
}

int
postcopy_load(struct postcopy *p, const struct sent_page *page, enum postcopy_channel channel)
{
	struct ram_host_page host = ram_host_page(p->m->dst, page->page);
	struct postcopy_tmp *t = &p->tmp[channel];

	if (illegal_offset(p, page->page))
		return -EINVAL;
	if (!t->pages++)
		t->first = host.first;
	if (t->first != host.first) {
		emit(p->w, EV_POSTCOPY_MIXED, (int64_t)page->page, channel, (int64_t)t->pages - 1,
		     (int64_t)t->first);
		return -EINVAL;
	}
	t->content[page->page - host.first] = page->content;
	if (p->m->vm->steps && host.end - host.first > 1)
		emit(p->w, EV_POSTCOPY_PART, (int64_t)page->page, channel, (int64_t)t->pages,
		     (int64_t)(host.end - host.first));
	if (t->pages < host.end - host.first)
		return 0;
	t->pages = 0;
	return place(p, &host, t->content, channel);
}

/*
 * postcopy_chunk_hostpages_pass(): a host page is dirty as a whole or not at all.  From one dirty
 * page to the next host page.
 */
static void
round_to_host_pages(struct postcopy *p)
{
	struct precopy *m = p->m;
	struct ram_host_page host;

	for (uint64_t page = 0; (page = page_bitmap_next(&m->bitmap, page)) < m->bitmap.npages;
	     page = host.end) {
		host = ram_host_page(m->dst, page);
		for (uint64_t g = host.first; host.end - host.first > 1 && g < host.end; g++)
			m->dirty_pages += !page_bitmap_test_and_set(&m->bitmap, p->w, g);
	}
}

/* ram_block_discard_range() takes whole host pages only. */
static bool
aligned(struct postcopy *p, uint64_t page)
{
	struct ram_host_page host = ram_host_page(p->m->dst, page);

	for (uint64_t g = host.first; g < host.end; g++)
		if (!page_bitmap_test(&p->m->bitmap, g)) {
			emit(p->w, EV_POSTCOPY_UNALIGNED, (int64_t)page,
			     (int64_t)(host.end - host.first));
			return false;
		}
	return true;
}

bool
postcopy_discard(struct postcopy *p)
{
	const struct page_bitmap *dirty = &p->m->bitmap;
	bool rounds = !fault_on(p->w, FAULT_POSTCOPY_NO_CHUNK);

	precopy_point(p->m);
	if (rounds)
		round_to_host_pages(p);
	for (uint64_t page = 0; (page = page_bitmap_next(dirty, page)) < dirty->npages; page++) {
		if (!rounds && !aligned(p, page))
			return false;
		if (!page_bitmap_test_and_clear(&p->received, p->w, page))
			continue;
		ram_store(p->m->dst, page, RAM_ZERO);
		p->stats.discarded++;
	}
	emit(p->w, EV_POSTCOPY_DISCARD, (int64_t)p->stats.discarded, (int64_t)dirty->set);
	return true;
}

static void
uncovered(struct postcopy *p, uint64_t page, const char *why)
{
	struct precopy *m = p->m;
	ram_content have = ram_read(m->vm->ram, page), there = ram_read(m->dst, page);
	const struct ram_writer *v = vm_writer(m->vm, ram_writer_of(have));
	int64_t word = world_name(p->w, why);

	emit(p->w, EV_MIG_PAGE_UNCOVERED, (int64_t)page, v ? v->name : 0,
	     (int64_t)ram_version(have), (int64_t)ram_version(there), word);
}

void
postcopy_check_switch(struct postcopy *p)
{
	struct precopy *m = p->m;
	uint64_t pages = ram_pages(m->dst);

	for (uint64_t g = 0; (g = ram_next_difference(m->vm->ram, m->dst, g)) < pages; g++) {
		if (page_bitmap_test(&m->dropped, g))
			continue;
		if (page_bitmap_test(&p->received, g))
			uncovered(p, g, page_bitmap_test(&m->bitmap, g) ? "discard" : "sent");
		else if (!page_bitmap_test(&m->bitmap, g) &&
			 !multifd_carries(m, g, ram_read(m->vm->ram, g)))
			uncovered(p, g, "never");
	}
}

uint64_t
postcopy_compare(struct postcopy *p)
{
	struct precopy *m = p->m;
	uint64_t pages = ram_pages(m->dst), first = pages, n = 0;

	for (uint64_t g = 0; (g = ram_next_difference(m->vm->ram, m->dst, g)) < pages; g++) {
		if (page_bitmap_test(&m->dropped, g) || page_bitmap_test(&p->written, g))
			continue;
		first = first < pages ? first : g;
		n++;
	}
	if (n)
		emit(p->w, EV_MIG_PAGE_DIFFERS, (int64_t)first,
		     (int64_t)ram_version(ram_read(m->vm->ram, first)),
		     (int64_t)ram_version(ram_read(m->dst, first)), (int64_t)n);
	return n;
}

/* --- the fault thread ----------------------------------------------------------------------- */

/* postcopy_ram_fault_thread() */
static void
fault_thread(struct actor *self, void *arg)
{
	struct postcopy *p = arg;
	uint64_t page;

	for (;;) {
		while (!p->uffd.count || p->link != POSTCOPY_UP)
			waitq_wait(p->w, &p->fault_work);
		precopy_point(p->m);
		if (p->link != POSTCOPY_UP || !postcopy_pop(&p->uffd, &page))
			continue;
		/* migrate_send_rp_req_pages(): not what came meanwhile, and each page once. */
		if (page_bitmap_test(&p->received, page)) {
			waitq_wake_all(p->w, &p->placed);
			continue;
		}
		page = ram_host_page(p->m->dst, page).first;
		if (page_bitmap_test_and_set(&p->requested, p->w, page))
			continue;
		if (!postcopy_push(&p->rp, page, postcopy_request_arrival(p)))
			world_fail(p->w, "postcopy: more than %u requests under way",
				   POSTCOPY_QUEUE_MAX);
		waitq_wake_all(p->w, &p->rp_work);
	}
}

/* handle_userfault(): sleep until the page is there, or nobody serves faults any more. */
static void
wait_for_page(struct postcopy *p, uint64_t page, int64_t who)
{
	emit(p->w, EV_POSTCOPY_FAULT, (int64_t)page, who);
	if (!postcopy_push(&p->uffd, page, 0))
		world_fail(p->w, "postcopy: more than %u faults at once", POSTCOPY_QUEUE_MAX);
	waitq_wake_all(p->w, &p->fault_work);
	while (!page_bitmap_test(&p->received, page) && !p->ended)
		waitq_wait(p->w, &p->placed);
}

void
postcopy_listen(struct postcopy *p)
{
	actor_set_daemon(actor_create(p->w, "postcopy/fault", fault_thread, p, 0), true);
}

/* --- the package ---------------------------------------------------------------------------- */

/* The kernel has the connection at some time: the main loop learns of it when it is there. */
static void
connection(struct actor *self, void *arg)
{
	struct postcopy *p = arg;

	precopy_point(p->m);
	if (!p->m->vm->steps)
		actor_sleep(p->w, cost_of(p->w, COST_MIG_ROUND_TRIP));
	p->connected = true;
	waitq_wake_all(p->w, &p->accept);
}

static void
accept_channel(struct postcopy *p)
{
	while (!p->connected)
		waitq_wait(p->w, &p->accept);
	p->accepted = true;
	waitq_wake_all(p->w, &p->accept);
	waitq_wake_all(p->w, &p->wire[POSTCOPY_PREEMPT].arrived);
}

/* loadvm_handle_cmd_packaged(): while it loads nothing else runs in the main loop. */
static void
main_thread(struct actor *self, void *arg)
{
	struct postcopy *p = arg;

	precopy_point(p->m);
	if (!fault_on(p->w, FAULT_POSTCOPY_PREEMPT_NOT_READY) || p->connected)
		accept_channel(p);
	if (!page_bitmap_test(&p->received, p->config.load_page))
		wait_for_page(p, p->config.load_page, world_name(p->w, "main thread"));
	accept_channel(p);
	postcopy_run_guest(p);
}

/* QEMU 7.1 connects when the migration begins: the channel is there long before. */
void
postcopy_load_package(struct postcopy *p)
{
	p->connected = p->accepted = !postcopy_two_senders(p) || !p->config.load_touches;
	if (!p->config.load_touches) {
		postcopy_run_guest(p);
		return;
	}
	if (!p->connected)
		actor_create(p->w, "preempt channel", connection, p, 0);
	actor_create(p->w, "main thread", main_thread, p, 0);
}

/* --- vCPUs ---------------------------------------------------------------------------------- */

struct postcopy_vcpu *
postcopy_add_vcpu(struct postcopy *p, const char *name)
{
	struct postcopy_vcpu *v = world_alloc(p->w, sizeof(*v));

	must(p->vcpus < POSTCOPY_WRITER_FIRST);
	v->p = p;
	v->number = POSTCOPY_WRITER_FIRST + p->vcpus++;
	v->name = world_name(p->w, name);
	return v;
}

struct postcopy *
postcopy_vcpu_of(const struct postcopy_vcpu *v)
{
	return v->p;
}

const struct postcopy_vcpu_stats *
postcopy_vcpu_stats(const struct postcopy_vcpu *v)
{
	return &v->stats;
}

/* mark_postcopy_blocktime_begin(), _end(): of one vCPU, and of all at the same time. */
static void
count_blocktime(struct postcopy_vcpu *v, int64_t began)
{
	struct postcopy *p = v->p;
	int64_t now = world_now(p->w), took = now - began;

	if (p->blocked == p->vcpus)
		p->stats.blocktime_all_ns += now - p->all_blocked_ns;
	p->blocked--;
	v->stats.blocktime_ns += took;
	p->stats.blocktime_ns += took;
	if (took > v->stats.blocktime_max_ns)
		v->stats.blocktime_max_ns = took;
	if (took > p->stats.blocktime_max_ns)
		p->stats.blocktime_max_ns = took;
}

static void
fault(struct postcopy_vcpu *v, uint64_t page)
{
	struct postcopy *p = v->p;
	int64_t began = world_now(p->w);

	p->stats.faults++;
	v->stats.faults++;
	if (++p->blocked == p->vcpus)
		p->all_blocked_ns = began;
	wait_for_page(p, page, v->name);
	count_blocktime(v, began);
}

bool
postcopy_access(struct postcopy_vcpu *v, uint64_t page, bool write)
{
	struct postcopy *p = v->p;
	struct precopy *m = p->m;
	ram_content have;

	must(page < ram_pages(m->dst));
	while (!p->running && m->state != PRECOPY_COMPLETED) {
		if (m->state == PRECOPY_CANCELLED || m->state == PRECOPY_FAILED)
			return false;
		waitq_wait(p->w, &m->done);
	}
	precopy_point(m);
	if (p->running && !p->ended && !page_bitmap_test(&p->received, page))
		fault(v, page);
	have = ram_read(m->dst, page);
	if (!page_bitmap_test(&p->written, page) && !page_bitmap_test(&m->dropped, page) &&
	    have != ram_read(m->vm->ram, page))
		uncovered(p, page, "seen");
	if (write) {
		have = ram_write(m->dst, page, v->number);
		page_bitmap_test_and_set(&p->written, p->w, page);
	}
	emit(p->w, EV_POSTCOPY_ACCESS, (int64_t)page, v->name, (int64_t)ram_version(have), write);
	return true;
}
