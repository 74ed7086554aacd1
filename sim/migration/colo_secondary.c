/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secondary: RAM cache, flush, load, failover. colo_process_incoming_thread(). */
#include "engine/fault.h"
#include "migration/colo_impl.h"

/* --- memory --------------------------------------------------------------------------------- */

void
colo_copy(struct ram *to, const struct ram *from)
{
	uint64_t pages = ram_pages(from);

	for (uint64_t g = 0; (g = ram_next_difference(from, to, g)) < pages; g++)
		ram_store(to, g, ram_read(from, g));
}

void
colo_check(struct colo *c, const struct ram *expected)
{
	uint64_t pages = ram_pages(expected), first = pages, n = 0;

	for (uint64_t g = 0; (g = ram_next_difference(expected, c->secondary, g)) < pages; g++) {
		first = first < pages ? first : g;
		n++;
	}
	if (n)
		emit(c->w, EV_MIG_PAGE_DIFFERS, (int64_t)first,
		     (int64_t)ram_version(ram_read(expected, first)),
		     (int64_t)ram_version(ram_read(c->secondary, first)), (int64_t)n);
}

/* set_bit() of a word that another loader changes too, unless bitmap_mutex is held. */
static void
mark_received(struct colo *c, uint64_t page)
{
	uint64_t seen = 0, first = page / 64 * 64;
	bool unlocked = fault_on(c->w, FAULT_COLO_BITMAP_UNLOCKED);

	if (c->config.loaders < 2) {
		page_bitmap_test_and_set(&c->received, c->w, page);
		return;
	}
	while (!unlocked && c->cache_locked)
		waitq_wait(c->w, &c->incoming);
	c->cache_locked = !unlocked;
	for (uint64_t g = first; g < first + 64 && g < c->received.npages; g++)
		seen |= (uint64_t)page_bitmap_test(&c->received, g) << (g - first);
	colo_point(c);
	seen |= UINT64_C(1) << (page - first);
	for (uint64_t g = first; g < first + 64 && g < c->received.npages; g++) {
		if (seen >> (g - first) & 1)
			page_bitmap_test_and_set(&c->received, c->w, g);
		else
			page_bitmap_test_and_clear(&c->received, c->w, g);
	}
	c->cache_locked = false;
	waitq_wake_all(c->w, &c->incoming);
}

void
colo_load(struct colo *c, uint64_t page, ram_content content)
{
	if (fault_on(c->w, FAULT_COLO_NO_RAM_CACHE)) {
		ram_store(c->secondary, page, content);
		return;
	}
	ram_store(c->cache, page, content);
	mark_received(c, page);
}

/* colo_flush_ram_cache(): what the primary sent, and what the secondary's guest wrote itself. */
static void
flush_cache(struct colo *c)
{
	uint64_t pages = ram_pages(c->cache);

	if (!fault_on(c->w, FAULT_COLO_FLUSH_RECEIVED_ONLY))
		for (uint64_t g = 0; (g = page_bitmap_next(&c->own, g)) < pages; g++)
			page_bitmap_test_and_set(&c->received, c->w, g);
	page_bitmap_clear_all(&c->own, c->w);
	for (uint64_t g = 0; (g = page_bitmap_next(&c->received, g)) < pages; g++) {
		colo_point(c);
		ram_store(c->secondary, g, ram_read(c->cache, g));
		page_bitmap_test_and_clear(&c->received, c->w, g);
		c->stats.flushed++;
	}
}

/* --- the checkpoint ------------------------------------------------------------------------- */

static void
go_on(struct colo *c)
{
	c->secondary_running = true;
	waitq_wake_all(c->w, &c->guests);
}

/* Wait for a message; false if failover came first. */
static bool
await(struct colo *c, const uint64_t *message, uint64_t epoch)
{
	while (*message < epoch && !c->failing && !c->stopped)
		waitq_wait(c->w, &c->incoming);
	return *message >= epoch;
}

/* VMSTATE_RECEIVED to VMSTATE_LOADED. */
static void
load_state(struct colo *c, uint64_t epoch, bool flushed)
{
	c->loading = true;
	c->whole = epoch;
	emit(c->w, EV_COLO_RECEIVED, (int64_t)epoch);
	waitq_wake_all(c->w, &c->primary);
	colo_point(c);
	if (!flushed)
		flush_cache(c);
	c->count[COLO_SECONDARY] = c->sent_count;
	colo_copy(c->expected, c->snapshot);
	c->loading = false;
	c->loaded = epoch;
	if (!c->failed_over) {
		emit(c->w, EV_COLO_LOADED, (int64_t)epoch, (int64_t)c->stats.flushed);
		colo_check(c, c->expected);
		go_on(c);
	}
	waitq_wake_all(c->w, &c->primary);
	waitq_wake_all(c->w, &c->incoming);
}

void
colo_incoming(struct actor *self, void *arg)
{
	struct colo *c = arg;
	uint64_t epoch = 1;
	bool early;

	for (; await(c, &c->request, epoch); epoch++) {
		colo_point(c);
		if (c->failing || c->stopped)
			break;
		c->secondary_running = false;
		c->reply = epoch;
		waitq_wake_all(c->w, &c->primary);
		early = fault_on(c->w, FAULT_COLO_FLUSH_EARLY);
		if (early && await(c, &c->ram_sent, epoch))
			flush_cache(c);
		if (!await(c, &c->state_sent, epoch))
			break;
		load_state(c, epoch, early);
	}
	c->loading = false;
	waitq_wake_all(c->w, &c->incoming);
}

/* --- failover ------------------------------------------------------------------------------- */

/*
 * secondary_vm_do_failover(): not while the state is being loaded (FAILOVER_STATUS_RELAUNCH), then
 * with what is in memory; the cache is released.
 */
void
colo_failover(struct colo *c)
{
	bool whole;

	colo_point(c);
	c->failing = true;
	waitq_wake_all(c->w, &c->incoming);
	/* What came before the heartbeat was lost is read first. */
	while (!fault_on(c->w, FAULT_COLO_FAILOVER_LOADING) &&
	       (c->loading || c->state_sent > c->loaded))
		waitq_wait(c->w, &c->incoming);
	c->failed_over = true;
	whole = c->whole > c->loaded; /* received, and not loaded: half a state */
	emit(c->w, EV_COLO_FAILOVER, (int64_t)c->whole, (int64_t)c->loaded,
	     (int64_t)c->count[COLO_SECONDARY]);
	colo_check(c, whole ? c->snapshot : c->expected);
	go_on(c);
}
