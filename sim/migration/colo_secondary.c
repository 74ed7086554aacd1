/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secondary: RAM cache, flush, load, failover. colo_process_incoming_thread(). */
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/colo_impl.h"

/* --- memory --------------------------------------------------------------------------------- */

void
colo_copy(struct ram *to, const struct ram *from)
{
	uint64_t pages = ram_pages(from);

	ram_content content;

	for (uint64_t g = 0; (g = ram_next_difference(from, to, g)) < pages; g++)
		/* A chunk of one content stays one. */
		if (g % RAM_CHUNK_PAGES || !ram_copy_uniform(to, from, g, &content))
			ram_store(to, g, ram_read(from, g));
		else
			g += RAM_CHUNK_PAGES - 1;
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

/* What the primary sent, and what the secondary's guest wrote itself. */
void
colo_flush_cache(struct colo *c)
{
	uint64_t pages = ram_pages(c->cache), before = c->stats.flushed;

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
	colo_work(c, (int64_t)(c->stats.flushed - before) * cost_of(c->w, COST_COLO_FLUSH));
}

/* --- the checkpoint ------------------------------------------------------------------------- */

static void
go_on(struct colo *c)
{
	c->secondary_running = true;
	waitq_wake_all(c->w, &c->guests);
}

/*
 * Wait for a message; false if the sockets were shut down first.  A read that nobody ends waits
 * until the connection times out, which is after everything here.
 */
static bool
await(struct colo *c, const uint64_t *message, uint64_t epoch)
{
	while (*message < epoch && !c->shut && !c->stopped && !c->secondary_dead)
		waitq_wait(c->w, &c->incoming);
	if (*message < epoch || c->secondary_dead)
		return false;
	colo_link(c, 0, 1);
	return !c->secondary_dead;
}

/* vmstate_loading ends; who asked for a failover meanwhile is told to ask again. */
static void
loading_ends(struct colo *c, bool failed)
{
	c->loading = false;
	if (!failed || !fault_on(c->w, FAULT_COLO_NO_RELAUNCH))
		c->relaunched = c->relaunch;
	waitq_wake_all(c->w, &c->incoming);
}

/*
 * VMSTATE_RECEIVED to VMSTATE_LOADED; false on an error.  QEMU 8.2 sends the one before it takes
 * the BQL and sets vmstate_loading: FAULT_COLO_RECEIVED_FIRST.
 */
static bool
load_state(struct colo *c, uint64_t epoch, bool flushed)
{
	bool first = fault_on(c->w, FAULT_COLO_RECEIVED_FIRST);

	if (c->shut) /* the message cannot be sent any more */
		return false;
	c->loading = !first;
	c->whole = epoch;
	emit(c->w, EV_COLO_RECEIVED, (int64_t)epoch);
	waitq_wake_all(c->w, &c->primary);
	colo_point(c);
	c->loading = true;
	if (!flushed)
		colo_flush_cache(c);
	if (c->secondary_dead)
		return false;
	colo_work(c, cost_of(c->w, COST_MIG_DEVICE_STATE) / 2);
	c->count[COLO_SECONDARY] = c->sent_count;
	colo_net_load(c);
	colo_copy(c->expected, c->snapshot);
	if (!fault_on(c->w, FAULT_COLO_DISK_CHECKPOINT_LATE))
		colo_disk_checkpoint(c);
	colo_disk_loaded(c);
	c->loaded = epoch;
	if (epoch == c->config.filters_fail_at) {
		emit(c->w, EV_COLO_ERROR, world_name(c->w, "filters"), (int64_t)epoch);
		loading_ends(c, true);
		return false;
	}
	if (!c->failing) {
		emit(c->w, EV_COLO_LOADED, (int64_t)epoch, (int64_t)c->stats.flushed);
		colo_check(c, c->expected);
		colo_disk_check(c, false);
		go_on(c);
	}
	loading_ends(c, false);
	waitq_wake_all(c->w, &c->primary);
	if (fault_on(c->w, FAULT_COLO_DISK_CHECKPOINT_LATE)) {
		colo_point(c);
		colo_disk_checkpoint(c);
	}
	return true;
}

/* One of the primary's messages after the other; false if it is the last. */
static bool
process_checkpoint(struct colo *c, uint64_t epoch)
{
	bool early = fault_on(c->w, FAULT_COLO_FLUSH_EARLY);

	if (!await(c, &c->request, epoch))
		return false;
	colo_point(c);
	if (c->stopped || c->secondary_dead)
		return false;
	c->secondary_running = false;
	colo_disk_drain(c, COLO_SECONDARY);
	if (c->secondary_dead)
		return false;
	c->reply = epoch;
	waitq_wake_all(c->w, &c->primary);
	if (fault_on(c->w, FAULT_COLO_DISK_CHECKPOINT_EARLY) && await(c, &c->ram_sent, epoch))
		colo_disk_checkpoint(c);
	if (early && await(c, &c->ram_sent, epoch))
		colo_flush_cache(c);
	if (!await(c, &c->state_sent, epoch) || !load_state(c, epoch, early))
		return false;
	return !c->failing;
}

void
colo_incoming(struct actor *self, void *arg)
{
	struct colo *c = arg;
	uint64_t epoch = 1;

	while (!c->migrated && !c->stopped && !c->shut)
		waitq_wait(c->w, &c->incoming);
	if (!c->ready && c->migrated) {
		colo_point(c);
		colo_disk_start(c, COLO_SECONDARY);
		c->ready = true;
		go_on(c);
		colo_link(c, 0, 1);
		waitq_wake_all(c->w, &c->primary);
	}
	while (process_checkpoint(c, epoch))
		epoch++;
	c->incoming_ended = true;
	waitq_wake_all(c->w, &c->incoming);
}

/* --- failover ------------------------------------------------------------------------------- */

/*
 * secondary_vm_do_failover(), and the incoming coroutine behind it, which waits for the thread and
 * lets the guest go on with what is in memory; the cache is released.
 */
void
colo_failover(struct colo *c)
{
	bool whole, wait = !fault_on(c->w, FAULT_COLO_FAILOVER_LOADING);

	colo_point(c);
	c->failing = true;
	c->relaunch = c->loading && wait;
	while (c->relaunch && !c->relaunched)
		waitq_wait(c->w, &c->incoming);
	c->secondary_running = false;
	colo_disk_drain(c, COLO_SECONDARY);
	colo_disk_failover(c);
	c->shut = !fault_on(c->w, FAULT_COLO_NO_SHUTDOWN);
	waitq_wake_all(c->w, &c->incoming);
	while (wait && !c->incoming_ended)
		waitq_wait(c->w, &c->incoming);
	c->failed_over = true;
	whole = c->whole > c->loaded; /* received, and not loaded: half a state */
	emit(c->w, EV_COLO_FAILOVER, (int64_t)c->whole, (int64_t)c->loaded,
	     (int64_t)c->count[COLO_SECONDARY]);
	colo_check(c, whole ? c->snapshot : c->expected);
	colo_disk_check(c, whole);
	if (!fault_on(c->w, FAULT_COLO_NOT_STARTED))
		go_on(c);
}
