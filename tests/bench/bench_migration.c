/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live migration of guests of terabytes: what a sync of bitmaps costs beside the memory bandwidth
 * of this machine, and wall time and memory of whole simulated precopies.
 *
 * The bandwidth is what one thread reaches in the very pattern of a sync, without its arithmetic:
 * read one array, read and write another, clear the first.  An operation of both is the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "base/prng.h"
#include "bench.h"
#include "engine/world.h"
#include "kvm/page_words.h"
#include "migration/dirtier.h"
#include "migration/precopy.h"

#define TIB_PAGES (UINT64_C(1) << 28)
#define GIB (INT64_C(1) << 30)

/* --- a sync --------------------------------------------------------------------------------- */

struct bitmaps {
	uint64_t pages;
	struct page_bitmap log, migration;
};

static void
make_bitmaps(struct world *w, void *arg)
{
	struct bitmaps *b = arg;

	page_bitmap_init(&b->log, w, b->pages);
	page_bitmap_init(&b->migration, w, b->pages);
	/* A page in each chunk makes them all real. */
	for (uint64_t p = 0; p < b->pages; p += PAGE_BITMAP_CHUNK_PAGES)
		page_bitmap_test_and_set(&b->migration, w, p);
}

/* Half of all bits: the worst there is for whoever goes bit by bit. */
static void
dirty_half(struct bitmaps *b, struct world *w, struct prng *prng)
{
	uint64_t chunks = b->pages / PAGE_BITMAP_CHUNK_PAGES;

	b->log.set = 0;
	for (uint64_t i = 0; i < chunks; i++) {
		if (!b->log.chunk[i])
			page_bitmap_test_and_set(&b->log, w, i * PAGE_BITMAP_CHUNK_PAGES);
		for (unsigned n = 0; n < PAGE_BITMAP_CHUNK_WORDS; n++) {
			b->log.chunk[i][n] = prng_next(prng);
			b->log.set += (uint64_t)__builtin_popcountll(b->log.chunk[i][n]);
		}
	}
}

/* Bytes a second: those of the log read and cleared, those of the bitmap read and written. */
static double
sync_rate(uint64_t pages)
{
	struct bitmaps b = { .pages = pages };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	struct prng prng;
	double best = 0;

	prng_seed(&prng, 1);
	must(w && !world_setup(w, make_bitmaps, &b, &err));
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		uint64_t had = b.migration.set, added;
		double start, rate;

		dirty_half(&b, w, &prng);
		start = bench_seconds();
		added = page_bitmap_move(&b.log, &b.migration, 0, w);
		rate = (double)(pages / 8) * 4 / (bench_seconds() - start);
		must(b.migration.set == had + added && !b.log.set);
		best = rate > best ? rate : best;
	}
	world_destroy(w);
	return best;
}

static double
memory_rate(uint64_t pages)
{
	size_t words = pages / 64;
	uint64_t *from = malloc(words * 8), *to = malloc(words * 8);
	double best = 0;

	must(from && to);
	memset(from, 1, words * 8);
	memset(to, 2, words * 8);
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		double start = bench_seconds(), rate;

		for (size_t n = 0; n < words; n++)
			to[n] |= from[n];
		memset(from, i, words * 8);
		rate = (double)(words * 8) * 4 / (bench_seconds() - start);
		best = rate > best ? rate : best;
	}
	must(to[words / 2] != 1);
	free(from);
	free(to);
	return best;
}

static void
bench_sync(const char *size, uint64_t pages)
{
	double sync = sync_rate(pages), memory = memory_rate(pages);
	char name[64];

	snprintf(name, sizeof(name), "migration: bitmap sync, %s guest", size);
	bench_print(name, (double)pages * 4096 / (1 << 30) / ((double)(pages / 8) * 4 / sync),
		    "GiB of guest/s");
	snprintf(name, sizeof(name), "migration: bitmap sync, %s guest, of memory bandwidth", size);
	bench_print(name, sync / memory, "ratio");
}

/* --- all of a sync: KVM's slot, QEMU's dirty memory, the migration's bitmap ------------------- */

struct chain {
	uint64_t pages;
	struct migration_vm *vm;
	struct ram_writer *vcpu;
	struct page_bitmap bitmap;
};

static void
make_chain(struct world *w, void *arg)
{
	struct chain *c = arg;
	struct ram_block block = { .name = "pc.ram", .pages = c->pages };

	c->vm = vm_create(w, &(struct migration_vm_config){ .blocks = &block, .block_count = 1 });
	c->vcpu = vm_add_writer(c->vm, WRITER_VCPU, "vcpu0");
	page_bitmap_init(&c->bitmap, w, c->pages);
	vm_log_start(c->vm);
}

/* A page in each word is dirty: a sync goes by words, however many bits are in one. */
static void
bench_chain(const char *size, uint64_t pages)
{
	struct chain c = { .pages = pages };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	double best = 0;
	char name[64];

	must(w && !world_setup(w, make_chain, &c, &err));
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		double start, rate;

		for (uint64_t p = 0; p < pages; p += 64)
			vm_write_now(c.vcpu, p + (uint64_t)i);
		start = bench_seconds();
		must(vm_log_sync(c.vm, &c.bitmap, false) == pages / 64);
		rate = (double)pages * 4096 / (1 << 30) / (bench_seconds() - start);
		best = rate > best ? rate : best;
	}
	snprintf(name, sizeof(name), "migration: KVM to bitmap, %s guest", size);
	bench_print(name, best, "GiB of guest/s");
	world_destroy(w);
}

/* --- a whole migration ---------------------------------------------------------------------- */

struct whole {
	uint64_t pages, filled, dirty_pages, hot_pages;
	int64_t bandwidth;
	struct precopy *m;
};

static void
make_whole(struct world *w, void *arg)
{
	struct whole *b = arg;
	struct ram_block block = { .name = "pc.ram", .pages = b->pages };
	struct migration_vm *vm =
		vm_create(w, &(struct migration_vm_config){
				  .blocks = &block, .block_count = 1, .manual_protect = true });
	struct precopy_config config = precopy_config_default();

	ram_fill(vm->ram, 0, b->filled, 1);
	if (b->dirty_pages)
		dirtier_create(vm, "vcpu0",
			       &(struct dirtier_config){ .pages = b->hot_pages,
							 .pages_per_second = b->dirty_pages });
	config.max_bandwidth = b->bandwidth;
	b->m = precopy_start(vm, ram_create(w, &block, 1), &config, NULL, "migration");
}

/* In a process of its own, so that its peak is its own. */
static void
bench_whole(const char *name, struct whole b)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0);
	if (!pid) {
		struct error err;
		double start = bench_seconds(), wall;
		struct rusage usage;
		char line[128];
		struct world *w =
			world_create(&(struct world_config){ .mode = WORLD_TIMED,
							     .steps_max = UINT64_C(1) << 40 },
				     &err);

		must(w && !world_setup(w, make_whole, &b, &err));
		world_snapshot(w);
		must(world_run(w) == STOP_QUIESCENT && precopy_state(b.m) == PRECOPY_COMPLETED &&
		     !precopy_stats(b.m)->differing);
		wall = bench_seconds() - start;
		must(!getrusage(RUSAGE_SELF, &usage));
		snprintf(line, sizeof(line), "migration: precopy, %s, wall time", name);
		bench_print(line, wall, "s");
		snprintf(line, sizeof(line), "migration: precopy, %s, peak memory", name);
		bench_print(line, (double)usage.ru_maxrss / 1024, "MiB");
		snprintf(line, sizeof(line), "migration: precopy, %s, simulated", name);
		bench_print(line, (double)precopy_stats(b.m)->total_ns / 1e9 / wall, "guest s/s");
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
}

int
main(void)
{
	bench_whole("1 TiB idle", (struct whole){ .pages = TIB_PAGES,
						  .filled = TIB_PAGES / 4,
						  .bandwidth = 10 * GIB / 8 });
	bench_whole("1 TiB idle, no zero page", (struct whole){ .pages = TIB_PAGES,
								.filled = TIB_PAGES,
								.bandwidth = 10 * GIB / 8 });
	bench_whole("4 TiB idle", (struct whole){ .pages = 4 * TIB_PAGES,
						  .filled = TIB_PAGES,
						  .bandwidth = 10 * GIB / 8 });
	bench_whole("1 TiB dirtying 1 GB/s", (struct whole){ .pages = TIB_PAGES,
							     .filled = TIB_PAGES / 4,
							     .dirty_pages = 1000000000 / 4096,
							     .hot_pages = TIB_PAGES / 64,
							     .bandwidth = 25 * GIB / 8 });
	bench_sync("1 TiB", TIB_PAGES);
	bench_sync("4 TiB", 4 * TIB_PAGES);
	bench_chain("1 TiB", TIB_PAGES);
	return 0;
}
