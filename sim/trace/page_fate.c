/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/page_fate.h"

#include <stdlib.h>

#include "base/must.h"
#include "engine/world.h"

static int
compare_page(const void *gfn, const void *page)
{
	uint64_t a = *(const uint64_t *)gfn, b = ((const struct page_fate *)page)->gfn;

	return (a > b) - (a < b);
}

static void
on_page_dirty(struct world *w, const struct event *e, void *context)
{
	struct page_fates *f = context;
	uint64_t gfn = (uint64_t)e->arg[0];
	uint32_t id = (uint32_t)e->arg[1];
	struct page_fate *page = bsearch(&gfn, f->page, f->pages, sizeof(*f->page), compare_page);

	must(page && id < f->ids);

	uint32_t index = (uint32_t)(page - f->page);

	f->marks++;
	page->dirtied++;
	page->dirtied_ns = e->time_ns;
	page->died = false;
	page_bitmap_test_and_set(&f->round, w, index);
	if (page->waiting)
		return;
	page->waiting = id + 1;
	page->next = f->waiting[id];
	f->waiting[id] = index + 1;
}

/* Take the next page out of a bitmap's list; null at its end. */
static struct page_fate *
pop_waiting(struct page_fates *f, uint32_t id)
{
	must(id < f->ids);
	if (!f->waiting[id])
		return NULL;

	struct page_fate *page = &f->page[f->waiting[id] - 1];

	must(page->waiting == id + 1);
	f->waiting[id] = page->next;
	page->waiting = 0;
	return page;
}

static void
on_bitmap_destroyed(struct world *w, const struct event *e, void *context)
{
	struct page_fates *f = context;
	struct page_fate *page;
	uint64_t bits = 0;

	while ((page = pop_waiting(f, (uint32_t)e->arg[0]))) {
		bits++;
		page->died = true;
		page->slot = (uint32_t)e->arg[0];
		page->base_gfn = (uint64_t)e->arg[1];
		page->npages = (uint64_t)e->arg[2];
		page->died_ns = e->time_ns;
		page->died_line = f->line;
		page->died_assumed = f->assumed;
	}
	must(bits == (uint64_t)e->arg[3]);
	f->bitmaps_destroyed++;
	f->bits_destroyed += bits;
}

static void
on_dirty_log(struct world *w, const struct event *e, void *context)
{
	struct page_fates *f = context;
	uint64_t bits = 0;

	if (e->arg[4])
		return;
	while (pop_waiting(f, (uint32_t)e->arg[0]))
		bits++;
	must(bits == (uint64_t)e->arg[3]);
	f->logs_read++;
}

struct page_fates *
page_fates_create(struct world *w, const uint64_t *gfn, size_t pages, uint32_t ids)
{
	struct page_fates *f = world_alloc(w, sizeof(*f));

	must(pages < UINT32_MAX);
	f->pages = pages;
	f->page = world_alloc(w, (pages + 1) * sizeof(*f->page));
	for (size_t i = 0; i < pages; i++) {
		must(!i || gfn[i - 1] < gfn[i]);
		f->page[i].gfn = gfn[i];
	}
	page_bitmap_init(&f->round, w, pages + 1);
	f->ids = ids;
	f->waiting = world_alloc(w, ids * sizeof(*f->waiting));
	world_observe(w, EV_KVM_PAGE_DIRTY, on_page_dirty, f);
	world_observe(w, EV_KVM_DIRTY_BITMAP_DESTROYED, on_bitmap_destroyed, f);
	world_observe(w, EV_KVM_DIRTY_LOG, on_dirty_log, f);
	return f;
}

void
page_fates_next_round(struct page_fates *f, struct world *w)
{
	for (uint64_t i = 0; (i = page_bitmap_next(&f->round, i)) < f->round.npages; i++) {
		f->page[i].dirtied = 0;
		f->page[i].died = false;
	}
	page_bitmap_clear_all(&f->round, w);
}
