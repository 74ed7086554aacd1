/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/bg_snapshot.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/vm_stop.h"

#define FAULTS_MAX 64u
#define BATCH_NS INT64_C(1000000)

struct bg_snapshot {
	struct migration_vm *vm;
	struct world *w;
	struct ram *file;
	struct ram *as_it_was; /* for the check alone */
	struct page_bitmap left; /* to be saved */
	struct page_bitmap protected;
	uint64_t fault[FAULTS_MAX];
	unsigned faults;
	int64_t ahead_ns;
	bool ended;
	struct waitq unprotected, done;
	struct bg_snapshot_stats stats;
};

const struct bg_snapshot_stats *
bg_snapshot_stats(const struct bg_snapshot *s)
{
	return &s->stats;
}

static void
point(struct bg_snapshot *s)
{
	if (s->vm->steps)
		actor_point(s->w);
}

/* --- pages ---------------------------------------------------------------------------------- */

static void
unprotect(struct bg_snapshot *s, uint64_t page)
{
	page_bitmap_test_and_clear(&s->protected, s->w, page);
	waitq_wake_all(s->w, &s->unprotected);
}

static void
save(struct bg_snapshot *s, uint64_t page)
{
	ram_content content = ram_read(s->vm->ram, page), was = ram_read(s->as_it_was, page);

	ram_store(s->file, page, content);
	s->stats.pages++;
	s->stats.zero_pages += content == RAM_ZERO;
	s->stats.differing += content != was;
	if (s->vm->steps || content != was)
		emit(s->w, EV_SNAPSHOT_SAVE, (int64_t)page, (int64_t)ram_version(content),
		     (int64_t)ram_version(was), content != was);
}

/* ram_save_host_page(), ram_save_release_protection() */
static void
save_and_release(struct bg_snapshot *s, uint64_t page)
{
	if (!page_bitmap_test_and_clear(&s->left, s->w, page)) {
		unprotect(s, page);
		return;
	}
	if (fault_on(s->w, FAULT_SNAPSHOT_UNPROTECT_FIRST)) {
		/* The stream has the page's address, and reads it when it is flushed. */
		unprotect(s, page);
		point(s);
		save(s, page);
		return;
	}
	save(s, page);
	point(s);
	unprotect(s, page);
}

void
bg_snapshot_write(struct bg_snapshot *s, uint64_t page)
{
	int64_t began = world_now(s->w), took;

	if (!page_bitmap_test(&s->protected, page))
		return;
	if (s->faults == FAULTS_MAX)
		world_fail(s->w, "background snapshot: more than %u writers wait", FAULTS_MAX);
	s->fault[s->faults++] = page;
	s->stats.faults++;
	emit(s->w, EV_SNAPSHOT_FAULT, (int64_t)page);
	while (page_bitmap_test(&s->protected, page))
		waitq_wait(s->w, &s->unprotected);
	took = world_now(s->w) - began;
	s->stats.wait_ns += took;
	if (took > s->stats.wait_max_ns)
		s->stats.wait_max_ns = took;
}

void
bg_snapshot_write_now(struct bg_snapshot *s, uint64_t page)
{
	if (!page_bitmap_test_and_clear(&s->protected, s->w, page))
		return;
	s->stats.faults++;
	if (page_bitmap_test_and_clear(&s->left, s->w, page))
		save(s, page);
	s->ahead_ns += cost_of(s->w, COST_MIG_PAGE) + cost_of(s->w, COST_MIG_SEND);
}

bool
bg_snapshot_discard(struct bg_snapshot *s, uint64_t page)
{
	if (!s->ended && !fault_on(s->w, FAULT_SNAPSHOT_BALLOON))
		return false;
	/* MADV_DONTNEED: the page goes, and its protection with it. */
	ram_store(s->vm->ram, page, RAM_ZERO);
	unprotect(s, page);
	return true;
}

/* --- the thread ----------------------------------------------------------------------------- */

/* ram_write_tracking_prepare(), ram_write_tracking_start() */
static void
protect(struct bg_snapshot *s)
{
	uint64_t pages = ram_pages(s->vm->ram);

	page_bitmap_fill(&s->left, s->w);
	page_bitmap_fill(&s->protected, s->w);
	if (!fault_on(s->w, FAULT_SNAPSHOT_NO_PREFAULT))
		return;
	for (uint64_t g = 0; g < pages; g++)
		if (ram_read(s->vm->ram, g) == RAM_ZERO)
			page_bitmap_test_and_clear(&s->protected, s->w, g);
}

static void
spend(struct bg_snapshot *s, bool flush)
{
	int64_t ns = s->ahead_ns;

	if (s->vm->steps || !ns || (ns < BATCH_NS && !flush))
		return;
	s->ahead_ns = 0;
	actor_work(s->w, ns);
}

static void
set_up(struct bg_snapshot *s)
{
	uint64_t pages = ram_pages(s->vm->ram);
	int64_t began;

	point(s);
	began = world_now(s->w);
	vm_stop(s->vm);
	if (!s->vm->steps)
		actor_work(s->w, cost_of(s->w, COST_MIG_DEVICE_STATE));
	for (uint64_t g = 0; (g = ram_next_difference(s->vm->ram, s->as_it_was, g)) < pages; g++)
		ram_store(s->as_it_was, g, ram_read(s->vm->ram, g));
	protect(s);
	s->vm->snapshot = s;
	vm_start(s->vm);
	s->stats.downtime_ns = world_now(s->w) - began;
}

static void
thread(struct actor *self, void *arg)
{
	struct bg_snapshot *s = arg;
	uint64_t pages = ram_pages(s->vm->ram), at = 0, page;
	int64_t began = world_now(s->w);

	set_up(s);
	while (s->left.set || s->faults) {
		point(s);
		if (s->faults) {
			page = s->fault[--s->faults];
		} else {
			page = page_bitmap_next(&s->left, at < pages ? at : 0);
			at = page + 1;
			if (page >= pages)
				continue;
		}
		save_and_release(s, page);
		s->ahead_ns += cost_of(s->w, COST_MIG_PAGE) + cost_of(s->w, COST_MIG_SEND);
		spend(s, false);
	}
	spend(s, true);
	s->ended = true;
	s->vm->snapshot = NULL;
	page_bitmap_clear_all(&s->protected, s->w);
	s->stats.total_ns = world_now(s->w) - began;
	emit(s->w, EV_SNAPSHOT_END, (int64_t)s->stats.pages, (int64_t)s->stats.faults,
	     (int64_t)s->stats.differing);
	waitq_wake_all(s->w, &s->unprotected);
	waitq_wake_all(s->w, &s->done);
}

struct bg_snapshot *
bg_snapshot_start(struct migration_vm *vm, struct ram *file)
{
	struct world *w = vm->w;
	struct bg_snapshot *s = world_alloc(w, sizeof(*s));
	const struct ram_block *blocks;
	unsigned n = ram_blocks(vm->ram, &blocks);

	must(!vm->migration && !vm->snapshot && ram_pages(file) == ram_pages(vm->ram));
	s->vm = vm;
	s->w = w;
	s->file = file;
	s->as_it_was = ram_create(w, blocks, n);
	page_bitmap_init(&s->left, w, ram_pages(file));
	page_bitmap_init(&s->protected, w, ram_pages(file));
	waitq_init(&s->unprotected, w, "write fault");
	waitq_init(&s->done, w, "snapshot");
	actor_create(w, "bg_snapshot", thread, s, 0);
	return s;
}

void
bg_snapshot_wait(struct bg_snapshot *s)
{
	while (!s->ended)
		waitq_wait(s->w, &s->done);
}
