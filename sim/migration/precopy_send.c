/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ram_find_and_save_block(): the walk over the bitmap, and what becomes of a page. */
#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/page_words.h"
#include "migration/postcopy.h"
#include "migration/precopy_impl.h"
#include "migration/xbzrle.h"

/* --- the destination ------------------------------------------------------------------------ */

void
precopy_load(struct precopy *m, const struct sent_page *p, unsigned channel, const char *how)
{
	ram_store(m->dst, p->page, p->content);
	if (m->postcopy)
		postcopy_received(m->postcopy, p->page / 64, UINT64_C(1) << p->page % 64);
	if (vm_watches(m->vm, p->page)) {
		int64_t word = world_name(m->w, how);

		emit(m->w, EV_MIG_PAGE_LOAD, (int64_t)p->page, (int64_t)ram_version(p->content),
		     channel, word);
		vm_record(m->vm, p->page, p->content, "loaded", m->name);
	}
}

static void
load_main(struct precopy *m, ram_content content, const char *how, enum uncovered why)
{
	struct sent_page p = { m->on_wire.page, content };

	precopy_point(m);
	m->on_wire.page = RAM_NOT_WRITING;
	precopy_load(m, &p, 0, how);
	precopy_check_page(m, p.page, why);
}

/* --- one page ------------------------------------------------------------------------------- */

void
precopy_clear_chunk(struct precopy *m, uint64_t page)
{
	uint64_t chunk = page / m->config.clear_chunk_pages;
	uint64_t first = chunk * m->config.clear_chunk_pages, count = m->config.clear_chunk_pages;

	if (!(m->clear_pending[chunk / 64] >> chunk % 64 & 1))
		return;
	m->clear_pending[chunk / 64] &= ~(UINT64_C(1) << chunk % 64);
	if (count > ram_pages(m->vm->ram) - first)
		count = ram_pages(m->vm->ram) - first;
	if (!vm_log_clear(m->vm, first, count))
		m->cancel = true; /* QEMU is gone */
	if (vm_watches(m->vm, page))
		vm_record(m->vm, page, 0, "cleared", m->name);
}

static void
save_zero(struct precopy *m)
{
	m->stats.zero_pages++;
	precopy_put(m, WIRE_HEADER + WIRE_ZERO);
	load_main(m, RAM_ZERO, "zero", UNCOVERED_SENT);
}

static void
save_normal(struct precopy *m)
{
	m->stats.normal_pages++;
	precopy_work(m, cost_of(m->w, COST_MIG_SEND));
	precopy_put(m, WIRE_HEADER + PAGE_BYTES);
	if (ram_read(m->dst, m->on_wire.page) == RAM_ZERO)
		precopy_spend(m, cost_of(m->w, COST_MIG_FIRST), false);
	load_main(m, m->on_wire.content, "normal", UNCOVERED_SENT);
}

/* Bytes of a difference on the wire; of contents without bytes an average, and what was zero has
 * changed all over. -1: no gain. */
static int
difference_bytes(const struct precopy *m, ram_content base, ram_content content)
{
	uint8_t old[RAM_PAGE_BYTES], new[RAM_PAGE_BYTES];

	if (!ram_has_bytes(m->vm->ram, content) ||
	    (base != RAM_ZERO && !ram_has_bytes(m->vm->ram, base)))
		return base == RAM_ZERO ? -1 : (int)WIRE_XBZRLE;
	ram_bytes_of(m->vm->ram, base, old);
	ram_bytes_of(m->vm->ram, content, new);

	int bytes = xbzrle_encoded_bytes(old, new, RAM_PAGE_BYTES);

	return bytes < 0 ? bytes : bytes + (int)WIRE_XBZRLE_HEADER;
}

/* cache_is_cached(): a hit makes it fresh again. */
static struct cached_page *
cache_hit(struct precopy *m)
{
	struct cached_page *c = &m->cache[m->on_wire.page % m->cache_pages];

	if (!c->used || c->sent.page != m->on_wire.page)
		return NULL;
	c->age = m->stats.rounds;
	return c;
}

/* cache_insert(): another page gives way when nobody used it for CACHED_PAGE_LIFETIME rounds. */
static void
cache_insert(struct precopy *m, ram_content content)
{
	struct cached_page *c = &m->cache[m->on_wire.page % m->cache_pages];

	if (c->used && c->sent.page != m->on_wire.page &&
	    c->age + CACHED_PAGE_LIFETIME > m->stats.rounds)
		return;
	*c = (struct cached_page){ { m->on_wire.page, content }, m->stats.rounds, true };
}

/*
 * save_xbzrle_page(): a difference to what was sent last is worth sending only if the destination
 * has just that, so whatever is sent of a cached page has to be in the cache, zeros included.  In
 * the last pass nothing is put there any more.
 */
static void
save_xbzrle(struct precopy *m)
{
	ram_content content = m->on_wire.content, base;
	struct cached_page *c;
	int bytes;

	if (content == RAM_ZERO) {
		if (!fault_on(m->w, FAULT_MIG_XBZRLE_ZERO_NOT_CACHED))
			cache_insert(m, RAM_ZERO);
		save_zero(m);
		return;
	}
	c = cache_hit(m);
	if (!c) {
		if (!m->last_sync)
			cache_insert(m, content);
		save_normal(m);
		return;
	}
	base = c->sent.content;
	if (base == content) {
		m->stats.skipped_pages++;
		m->on_wire.page = RAM_NOT_WRITING;
		return;
	}
	if (!m->last_sync)
		c->sent.content = content;
	bytes = difference_bytes(m, base, content);
	if (bytes < 0) { /* overflow */
		save_normal(m);
		return;
	}
	m->stats.xbzrle_pages++;
	precopy_put(m, WIRE_HEADER + (uint64_t)bytes);
	if (ram_read(m->dst, m->on_wire.page) != base)
		load_main(m, RAM_GARBAGE, "xbzrle", UNCOVERED_BASE);
	else
		load_main(m, content, "xbzrle", UNCOVERED_SENT);
}

static void
save_page(struct precopy *m, uint64_t page)
{
	bool late = fault_on(m->w, FAULT_MIG_CLEAR_AFTER_READ);

	if (!late)
		precopy_clear_chunk(m, page);
	if (!precopy_clear_dirty(m, page))
		return; /* a hint was faster */
	m->reading = page;
	precopy_point(m);
	m->reading = RAM_NOT_WRITING;
	m->on_wire = (struct sent_page){ page, ram_read(m->vm->ram, page) };
	if (vm_watches(m->vm, page)) {
		emit(m->w, EV_MIG_PAGE_READ, (int64_t)page,
		     (int64_t)ram_version(m->on_wire.content));
		vm_record(m->vm, page, m->on_wire.content, "read", m->name);
	}
	if (late) {
		precopy_point(m);
		precopy_clear_chunk(m, page);
		precopy_check_page(m, page, UNCOVERED_CLEAR);
	}
	precopy_work(m, cost_of(m->w, COST_MIG_PAGE));
	if (m->xbzrle_started) {
		save_xbzrle(m);
	} else if (m->on_wire.content == RAM_ZERO) {
		save_zero(m);
	} else if (m->channel) {
		struct sent_page p = m->on_wire;

		m->stats.normal_pages++;
		multifd_queue(m, p.page, p.content);
		m->on_wire.page = RAM_NOT_WRITING;
		precopy_check_page(m, p.page, UNCOVERED_SENT);
	} else {
		save_normal(m);
	}
}

/* --- the walk ------------------------------------------------------------------------------- */

/* find_dirty_block(): the next page that is to be sent; at the end of RAM the walk begins anew. */
static bool
find_dirty(struct precopy *m, uint64_t *page)
{
	uint64_t pages = ram_pages(m->vm->ram);

	if (!m->bitmap.set)
		return false;
	*page = page_bitmap_next(&m->bitmap, m->at);
	if (*page < pages)
		return true;
	if (m->channel && !fault_on(m->w, FAULT_MIG_MULTIFD_NO_FLUSH))
		multifd_flush(m);
	if (m->cache)
		m->xbzrle_started = true;
	m->at = 0;
	*page = page_bitmap_next(&m->bitmap, 0);
	return *page < pages;
}

/*
 * What @n pages, @zeros of them zero, take of time and wire.  The destination had touched @touched
 * pages before: what it must allocate it does in the fault of its own store, and a socket's buffer
 * is soon full.
 */
static void
count_pages(struct precopy *m, uint64_t n, uint64_t zeros, uint64_t touched)
{
	m->stats.zero_pages += zeros;
	m->stats.normal_pages += n - zeros;
	precopy_work(m, (int64_t)n * cost_of(m->w, COST_MIG_PAGE) +
				(int64_t)(n - zeros) * cost_of(m->w, COST_MIG_SEND));
	precopy_spend(m, (int64_t)(ram_touched(m->dst) - touched) * cost_of(m->w, COST_MIG_FIRST),
		      false);
	precopy_put(m,
		    zeros * (WIRE_HEADER + WIRE_ZERO) + (n - zeros) * (WIRE_HEADER + PAGE_BYTES));
}

/* A chunk of one content, all of which is to be sent: most of what a first pass meets. */
static bool
save_chunk(struct precopy *m, uint64_t page)
{
	uint64_t touched = ram_touched(m->dst);
	ram_content content;

	if (page % RAM_CHUNK_PAGES || precopy_room_pages(m) < RAM_CHUNK_PAGES)
		return false;
	for (unsigned i = 0; i < RAM_CHUNK_PAGES / 64; i++)
		if (page + 64 * i >= m->bitmap.npages || ~page_words_get(&m->bitmap, page / 64 + i))
			return false;
	if (m->config.clear_chunk_pages < RAM_CHUNK_PAGES ||
	    !ram_copy_uniform(m->dst, m->vm->ram, page, &content))
		return false;
	precopy_clear_chunk(m, page);
	m->dirty_pages -= page_words_clear_range(&m->bitmap, m->w, page, RAM_CHUNK_PAGES);
	for (unsigned i = 0; m->postcopy && i < RAM_CHUNK_PAGES / 64; i++)
		postcopy_received(m->postcopy, page / 64 + i, UINT64_MAX);
	count_pages(m, RAM_CHUNK_PAGES, content == RAM_ZERO ? RAM_CHUNK_PAGES : 0, touched);
	m->at = page + RAM_CHUNK_PAGES;
	return true;
}

/* Up to 64 pages at a time, where no page's own way is looked at. */
static uint64_t
save_word(struct precopy *m, uint64_t page)
{
	uint64_t word = page / 64, room = precopy_room_pages(m), touched = ram_touched(m->dst);
	uint64_t mask = page_words_get(&m->bitmap, word) & UINT64_MAX << page % 64;
	unsigned n = (unsigned)__builtin_popcountll(mask), zeros;

	for (; n > room; n--)
		mask &= ~(UINT64_C(1) << (63 - __builtin_clzll(mask)));
	precopy_clear_chunk(m, page);
	page_words_take(&m->bitmap, m->w, word, mask);
	m->dirty_pages -= n;
	zeros = ram_copy_word(m->dst, m->vm->ram, word, mask);
	count_pages(m, n, zeros, touched);
	if (m->postcopy)
		postcopy_received(m->postcopy, word, mask);
	m->at = word * 64 + 64 - (unsigned)__builtin_clzll(mask);
	return n;
}

static bool
watched_word(const struct migration_vm *vm, uint64_t page)
{
	uint64_t first = page / 64 * 64;

	return vm->watch_count && first + 64 > vm->watch_first &&
	       first < vm->watch_first + vm->watch_count;
}

bool
precopy_send_next(struct precopy *m, uint64_t *pages)
{
	uint64_t page;

	if (!find_dirty(m, &page))
		return false;
	*pages = 1;
	if (m->channel || m->cache || watched_word(m->vm, page)) {
		m->at = page + 1;
		save_page(m, page);
	} else if (!m->vm->watch_count && save_chunk(m, page)) {
		*pages = RAM_CHUNK_PAGES;
	} else {
		*pages = save_word(m, page);
		precopy_point(m);
	}
	return true;
}
