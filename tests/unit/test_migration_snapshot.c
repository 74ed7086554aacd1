/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Background snapshots in timed mode: each page once, as it was; what the faults break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/world.h"
#include "migration/bg_snapshot.h"
#include "migration/dirtier.h"
#include "oracle/oracle.h"

#define PAGES 16384u
#define MS INT64_C(1000000)

struct run {
	enum fault fault;
	bool load, discard;
	int64_t file_bandwidth;
	uint64_t writes;
	struct dirtier *load_of;
	/* Results */
	struct migration_vm *vm;
	struct ram *file;
	struct bg_snapshot *s;
	struct bg_snapshot_stats stats;
	struct finding finding;
	char before[96], after[96], saved[96];
	bool discarded, discarded_later;
};

static void
monitor(struct actor *self, void *arg)
{
	struct run *r = arg;

	if (r->discard) {
		/* Behind the device state's time, before the last page. */
		actor_sleep(r->vm->w, 12 * MS);
		r->discarded = bg_snapshot_discard(r->s, PAGES / 2 - 1);
	}
	bg_snapshot_wait(r->s);
	if (r->load) {
		r->writes = dirtier_writes(r->load_of);
		dirtier_stop(r->load_of);
	}
	ram_block_digest_text(r->vm->ram, 0, r->after, sizeof(r->after));
	ram_block_digest_text(r->file, 0, r->saved, sizeof(r->saved));
	if (r->discard)
		r->discarded_later = bg_snapshot_discard(r->s, 1);
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = PAGES };
	struct bg_snapshot_config config = bg_snapshot_config_default();
	struct dirtier_config load = { .pages = PAGES, .pages_per_second = 400000 };

	oracle_attach(w);
	r->vm = vm_create(w, &(struct migration_vm_config){
				     .blocks = &block, .block_count = 1, .manual_protect = true });
	r->file = ram_create(w, &block, 1);
	ram_fill(r->vm->ram, 0, PAGES / 2, 1);
	ram_block_digest_text(r->vm->ram, 0, r->before, sizeof(r->before));
	if (r->load)
		r->load_of = dirtier_create(r->vm, "vcpu0", &load);
	if (r->fault)
		fault_set(w, r->fault, true);
	config.file_bandwidth = r->file_bandwidth;
	r->s = bg_snapshot_start(r->vm, r->file, &config);
	actor_create(w, "monitor", monitor, r, 0);
}

static void
run(struct run *r)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up, r, &err), 0);
	oracle_judge(w, world_run(w), &r->finding);
	r->stats = *bg_snapshot_stats(r->s);
	world_destroy(w);
}

static void
test_idle(void **state)
{
	struct run r = { .discard = true };

	run(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_int_equal(r.stats.pages, PAGES);
	assert_int_equal(r.stats.zero_pages, PAGES / 2);
	assert_int_equal(r.stats.faults, 0);
	assert_string_equal(r.saved, r.before);
	assert_false(r.discarded);
	assert_true(r.discarded_later);
}

static void
test_load(void **state)
{
	struct run r = { .load = true };

	run(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_int_equal(r.stats.pages, PAGES);
	assert_int_equal(r.stats.differing, 0);
	assert_true(r.stats.faults > 100);
	assert_string_not_equal(r.saved, r.after);
	assert_true(r.stats.downtime_ns < 30 * MS);
}

/* Half of memory was never touched: it is read before, while the machine runs. */
static void
test_populate(void **state)
{
	struct run r = { .load = false }, none = { .fault = FAULT_SNAPSHOT_NO_PREFAULT };

	run(&r);
	assert_int_equal(r.stats.populated, PAGES / 2);
	assert_int_equal(r.stats.populate_ns, PAGES / 2 * 250);
	run(&none);
	assert_int_equal(none.stats.populated, 0);
	assert_int_equal(none.stats.downtime_ns, r.stats.downtime_ns);
}

/* A writer waits for a page's time in the file, and for no more than one page before it. */
static void
test_wait(void **state)
{
	static const int64_t mib_s[] = { 2000, 400, 100 };
	for (unsigned i = 0; i < 3; i++) {
		struct run r = { .load = true, .file_bandwidth = mib_s[i] << 20 };
		int64_t page_ns = (4096 + 8) * (INT64_C(1000000000) >> 20) / mib_s[i];
		int64_t now;

		run(&r);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_int_equal(r.stats.differing, 0);
		assert_true(r.stats.wait_max_ns >= page_ns);
		assert_true(r.stats.wait_max_ns <= 2 * page_ns + 12000);
		/* On average: the way to the thread and back, and a page of the file, or a zero. */
		now = r.stats.wait_ns / (int64_t)r.stats.faults;
		assert_true(now > page_ns / 2 && now < page_ns + 12000);
		/* And what it waits it does not write. */
		assert_true((int64_t)r.writes <=
			    400 * (r.stats.total_ns - r.stats.wait_ns) / 1000000);
	}
}

/* migrate_caps_check() */
static void
test_refused(void **state)
{
	const char *const none[] = { "events", "compress-wait", NULL };
	const char *const multifd[] = { "events", "multifd", NULL };

	assert_null(bg_snapshot_refused(NULL, BG_SNAPSHOT_ANONYMOUS, 507));
	assert_null(bg_snapshot_refused(none, BG_SNAPSHOT_HUGETLB, 519));
	assert_string_equal(bg_snapshot_refused(multifd, BG_SNAPSHOT_ANONYMOUS, 507), "multifd");
	assert_non_null(bg_snapshot_refused(none, BG_SNAPSHOT_ANONYMOUS, 506));
	assert_non_null(bg_snapshot_refused(none, BG_SNAPSHOT_SHMEM, 518));
}

static void
test_state(void **state)
{
	static const enum fault faults[] = { FAULT_SNAPSHOT_STATE_LATE,
					     FAULT_SNAPSHOT_STATE_NOT_FLUSHED };

	for (unsigned i = 0; i < 2; i++) {
		struct run r = { .load = true, .fault = faults[i] };

		run(&r);
		assert_int_equal(r.finding.verdict, VERDICT_STATE_LOST);
		assert_string_equal(r.finding.statement, "INV-SNAPSHOT-STATE");
	}
	/* Nobody writes meanwhile: late is as good as early. */
	struct run idle = { .fault = FAULT_SNAPSHOT_STATE_LATE };

	run(&idle);
	assert_int_equal(idle.finding.verdict, VERDICT_OK);
}

static void
test_faults(void **state)
{
	struct run prefault = { .load = true, .fault = FAULT_SNAPSHOT_NO_PREFAULT };
	struct run balloon = { .discard = true, .fault = FAULT_SNAPSHOT_BALLOON };

	run(&prefault);
	assert_int_equal(prefault.finding.verdict, VERDICT_MEMORY_DIVERGENCE);
	assert_string_equal(prefault.finding.statement, "INV-SNAPSHOT");
	run(&balloon);
	assert_true(balloon.discarded);
	assert_int_equal(balloon.finding.verdict, VERDICT_MEMORY_DIVERGENCE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),   cmocka_unit_test(test_load),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_populate),
		cmocka_unit_test(test_wait),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
