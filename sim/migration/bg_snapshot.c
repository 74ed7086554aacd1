/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/bg_snapshot.h"

#include <string.h>

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/page_words.h"
#include "migration/vm_stop.h"

#define FAULTS_MAX 64u
#define BATCH_NS INT64_C(1000000)
#define IO_BUF_SIZE 32768u /* of a QEMUFile, which writes it out when it is full */
#define PAGE_BYTES 4096
#define PAGE_HEADER 8
#define UFFD_WP 507u /* Linux that protects anonymous memory, and all of it */
#define UFFD_WP_ALL 519u

/* check_caps_background_snapshot */
static const char *const incompatible[] = {
	"postcopy-ram",
	"dirty-bitmaps",
	"postcopy-blocktime",
	"late-block-activate",
	"return-path",
	"multifd",
	"pause-before-switchover",
	"auto-converge",
	"release-ram",
	"rdma-pin-all",
	"compress",
	"xbzrle",
	"x-colo",
	"validate-uuid",
	"zero-copy-send",
};

/* ORDER BG_SNAPSHOT_MEMORY */
const char *const bg_snapshot_memory_word[] = { "anonymous", "shmem", "hugetlbfs" };

struct bg_snapshot {
	struct migration_vm *vm;
	struct world *w;
	struct ram *file;
	struct bg_snapshot_config config;
	struct ram *as_it_was; /* for the check alone */
	struct page_bitmap left; /* to be saved */
	struct page_bitmap present; /* has an entry in the page table */
	struct page_bitmap protected;
	uint64_t fault[FAULTS_MAX]; /* in the order in which they came */
	unsigned faults;
	uint64_t writes; /* since the machine stood */
	uint64_t buffered; /* bytes of device state that left the QEMUFile */
	uint64_t state_writes; /* and what the guest had written when it was taken */
	int64_t ahead_ns;
	bool ended;
	struct waitq unprotected, done, faulted;
	struct bg_snapshot_stats stats;
};

const struct bg_snapshot_stats *
bg_snapshot_stats(const struct bg_snapshot *s)
{
	return &s->stats;
}

struct bg_snapshot_config
bg_snapshot_config_default(void)
{
	return (struct bg_snapshot_config){ .state_bytes = 200000,
					    .ring_page = BG_SNAPSHOT_NO_PAGE };
}

const char *
bg_snapshot_refused(const char *const *capabilities, enum bg_snapshot_memory memory,
		    unsigned linux_version)
{
	if (linux_version < UFFD_WP)
		return "Background-snapshot is not supported by host kernel";
	if (memory != BG_SNAPSHOT_ANONYMOUS && linux_version < UFFD_WP_ALL)
		return "Background-snapshot is not compatible with guest memory configuration";
	for (; capabilities && *capabilities; capabilities++)
		for (unsigned i = 0; i < sizeof(incompatible) / sizeof(incompatible[0]); i++)
			if (!strcmp(*capabilities, incompatible[i]))
				return incompatible[i];
	return NULL;
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

	s->writes++;
	if (!page_bitmap_test(&s->protected, page)) {
		page_bitmap_test_and_set(&s->present, s->w, page);
		return;
	}
	if (s->faults == FAULTS_MAX)
		world_fail(s->w, "background snapshot: more than %u writers wait", FAULTS_MAX);
	s->fault[s->faults++] = page;
	s->stats.faults++;
	emit(s->w, EV_SNAPSHOT_FAULT, (int64_t)page);
	waitq_wake_all(s->w, &s->faulted);
	while (page_bitmap_test(&s->protected, page))
		waitq_wait(s->w, &s->unprotected);
	took = world_now(s->w) - began;
	s->stats.wait_ns += took;
	if (took > s->stats.wait_max_ns)
		s->stats.wait_max_ns = took;
}

/* What a page takes until it is in the file. */
static int64_t
page_ns(const struct bg_snapshot *s, uint64_t page)
{
	bool zero = ram_read(s->vm->ram, page) == RAM_ZERO;
	int64_t bytes = PAGE_HEADER + (zero ? 1 : PAGE_BYTES), ns = cost_of(s->w, COST_MIG_PAGE);

	if (!zero)
		ns += cost_of(s->w, COST_MIG_SEND);
	if (s->config.file_bandwidth)
		ns += (int64_t)((__int128)bytes * 1000000000 / s->config.file_bandwidth);
	return ns;
}

void
bg_snapshot_write_now(struct bg_snapshot *s, uint64_t page)
{
	s->writes++;
	if (!page_bitmap_test_and_clear(&s->protected, s->w, page))
		return;
	s->stats.faults++;
	s->ahead_ns += page_ns(s, page);
	if (page_bitmap_test_and_clear(&s->left, s->w, page))
		save(s, page);
}

bool
bg_snapshot_discard(struct bg_snapshot *s, uint64_t page)
{
	if (!s->ended && !fault_on(s->w, FAULT_SNAPSHOT_BALLOON))
		return false;
	/* MADV_DONTNEED: the page goes, and its protection with it. */
	ram_store(s->vm->ram, page, RAM_ZERO);
	page_bitmap_test_and_clear(&s->present, s->w, page);
	unprotect(s, page);
	return true;
}

/* --- the thread ----------------------------------------------------------------------------- */

static void
work(struct bg_snapshot *s, int64_t ns)
{
	if (!s->vm->steps && ns > 0)
		actor_work(s->w, ns);
}

/* What is not zeros was written once; nothing is in `as_it_was` yet. */
static void
find_present(struct bg_snapshot *s)
{
	uint64_t pages = ram_pages(s->vm->ram);

	for (uint64_t g = 0; (g = ram_next_difference(s->vm->ram, s->as_it_was, g)) < pages; g++)
		page_bitmap_test_and_set(&s->present, s->w, g);
}

/* ram_write_tracking_prepare(): a byte of each page is read, while the machine runs. */
static void
populate(struct bg_snapshot *s)
{
	const struct bg_snapshot_config *c = &s->config;
	uint64_t pages = ram_pages(s->vm->ram);
	int64_t began = world_now(s->w);

	find_present(s);
	if (fault_on(s->w, FAULT_SNAPSHOT_NO_PREFAULT))
		return;
	s->stats.populated = pages - s->present.set;
	page_bitmap_fill(&s->present, s->w);
	if (c->unplugged_pages && fault_on(s->w, FAULT_SNAPSHOT_POPULATES_UNPLUGGED))
		emit(s->w, EV_UNPLUGGED_READ, (int64_t)c->unplugged_first,
		     (int64_t)c->unplugged_pages);
	else
		s->stats.populated -= page_words_clear_range(&s->present, s->w, c->unplugged_first,
							     c->unplugged_pages);
	work(s, (int64_t)s->stats.populated * cost_of(s->w, COST_SNAPSHOT_POPULATE));
	s->stats.populate_ns = world_now(s->w) - began;
}

/* ram_write_tracking_start(): UFFDIO_WRITEPROTECT passes over what has no entry. */
static void
protect(struct bg_snapshot *s)
{
	uint64_t pages = ram_pages(s->vm->ram);

	page_bitmap_fill(&s->left, s->w);
	page_words_clear_range(&s->left, s->w, s->config.unplugged_first,
			       s->config.unplugged_pages);
	page_bitmap_fill(&s->protected, s->w);
	for (uint64_t g = 0; s->present.set < pages && g < pages; g++)
		if (!page_bitmap_test(&s->present, g) && ram_read(s->vm->ram, g) == RAM_ZERO)
			page_bitmap_test_and_clear(&s->protected, s->w, g);
}

/* qemu_savevm_state_complete_precopy_non_iterable() into a buffer in memory. */
static void
save_state(struct bg_snapshot *s)
{
	bool flushed = !fault_on(s->w, FAULT_SNAPSHOT_STATE_NOT_FLUSHED);

	work(s, cost_of(s->w, COST_MIG_DEVICE_STATE));
	s->buffered =
		flushed ? s->config.state_bytes : s->config.state_bytes / IO_BUF_SIZE * IO_BUF_SIZE;
	s->state_writes = s->writes;
}

/* A batch of pages, unless somebody waits for one. */
static void
spend(struct bg_snapshot *s, bool flush)
{
	int64_t ns = s->ahead_ns, began = world_now(s->w);

	if (s->vm->steps || ns <= 0 || (ns < BATCH_NS && !flush))
		return;
	if (!s->faults)
		waitq_wait_for(s->w, &s->faulted, ns, false);
	s->ahead_ns -= world_now(s->w) - began;
	if (flush && s->ahead_ns > 0 && !s->faults)
		spend(s, true);
}

/* bg_migration_vm_start_bh(), in the main loop. */
static void
start_machine(struct actor *self, void *arg)
{
	struct bg_snapshot *s = arg;

	vm_start(s->vm);
	if (s->config.ring_page != BG_SNAPSHOT_NO_PAGE)
		bg_snapshot_write(s, s->config.ring_page);
}

static void
set_up(struct bg_snapshot *s)
{
	uint64_t pages = ram_pages(s->vm->ram);
	int64_t began;

	point(s);
	populate(s);
	point(s);
	began = world_now(s->w);
	vm_stop(s->vm);
	if (!fault_on(s->w, FAULT_SNAPSHOT_STATE_LATE))
		save_state(s);
	for (uint64_t g = 0; (g = ram_next_difference(s->vm->ram, s->as_it_was, g)) < pages; g++)
		ram_store(s->as_it_was, g, ram_read(s->vm->ram, g));
	protect(s);
	s->writes = 0;
	s->vm->snapshot = s;
	s->stats.downtime_ns = world_now(s->w) - began;
	if (s->config.ring_page == BG_SNAPSHOT_NO_PAGE ||
	    fault_on(s->w, FAULT_SNAPSHOT_STARTED_BY_THREAD))
		start_machine(NULL, s);
	else
		actor_create(s->w, "main loop", start_machine, s, 0);
}

/* The page that a writer waits for, and none of it ahead of its time. */
static void
serve_fault(struct bg_snapshot *s, uint64_t *at)
{
	uint64_t page = s->fault[0];

	s->faults--;
	memmove(s->fault, s->fault + 1, s->faults * sizeof(s->fault[0]));
	work(s, cost_of(s->w, COST_SNAPSHOT_FAULT));
	if (page_bitmap_test(&s->left, page))
		work(s, page_ns(s, page));
	save_and_release(s, page);
	*at = page + 1;
}

static void
save_all(struct bg_snapshot *s)
{
	uint64_t pages = ram_pages(s->vm->ram), at = 0, page;

	while (s->left.set || s->faults) {
		point(s);
		if (s->faults) {
			serve_fault(s, &at);
			continue;
		}
		page = page_bitmap_next(&s->left, at < pages ? at : 0);
		at = page + 1;
		if (page >= pages)
			continue;
		s->ahead_ns += page_ns(s, page);
		save_and_release(s, page);
		spend(s, false);
	}
	spend(s, true);
}

static void
thread(struct actor *self, void *arg)
{
	struct bg_snapshot *s = arg;
	int64_t began = world_now(s->w);

	set_up(s);
	save_all(s);
	if (fault_on(s->w, FAULT_SNAPSHOT_STATE_LATE))
		save_state(s);
	emit(s->w, EV_SNAPSHOT_STATE, (int64_t)s->config.state_bytes, (int64_t)s->buffered,
	     (int64_t)s->state_writes);
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
bg_snapshot_start(struct migration_vm *vm, struct ram *file, const struct bg_snapshot_config *c)
{
	struct world *w = vm->w;
	struct bg_snapshot *s = world_alloc(w, sizeof(*s));
	const struct ram_block *blocks;
	unsigned n = ram_blocks(vm->ram, &blocks);

	must(!vm->migration && !vm->snapshot && ram_pages(file) == ram_pages(vm->ram));
	s->vm = vm;
	s->w = w;
	s->file = file;
	s->config = c ? *c : bg_snapshot_config_default();
	s->as_it_was = ram_create(w, blocks, n);
	page_bitmap_init(&s->left, w, ram_pages(file));
	page_bitmap_init(&s->present, w, ram_pages(file));
	page_bitmap_init(&s->protected, w, ram_pages(file));
	waitq_init(&s->unprotected, w, "write fault");
	waitq_init(&s->done, w, "snapshot");
	waitq_init(&s->faulted, w, "pages to save");
	actor_create(w, "bg_snapshot", thread, s, 0);
	return s;
}

void
bg_snapshot_wait(struct bg_snapshot *s)
{
	while (!s->ended)
		waitq_wait(s->w, &s->done);
}
