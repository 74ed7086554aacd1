/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What predictions rest on: hinted pages are not sent unless written, and a slower thread. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/cost.h"
#include "engine/world.h"
#include "migration/precopy.h"
#include "oracle/oracle.h"

#define PAGES UINT64_C(65536)
#define HALF (PAGES / 2)
#define REUSED (HALF + 77)
#define MS INT64_C(1000000)

struct run {
	struct precopy_config config;
	bool hint, reuse;
	int64_t first_ns; /* mig_first_ns */
	/* Results */
	struct migration_vm *vm;
	struct ram_writer *vcpu;
	struct precopy *m;
	struct precopy_stats stats;
	struct finding finding;
	uint64_t early, hinted, late;
	int64_t hinted_ns;
	bool reused_arrived;
};

static void
balloon(struct actor *self, void *arg)
{
	struct run *r = arg;

	r->early = precopy_hint(r->m, HALF, HALF);
	while (precopy_state(r->m) != PRECOPY_ACTIVE)
		actor_sleep(r->vm->w, MS);
	r->hinted = precopy_hint(r->m, HALF, HALF);
	r->hinted_ns = world_now(r->vm->w);
	if (r->reuse)
		assert_true(vm_write(r->vcpu, REUSED, false));
	precopy_wait(r->m);
	r->late = precopy_hint(r->m, 0, PAGES);
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = PAGES };

	oracle_attach(w);
	cost_set(w, COST_MIG_FIRST, r->first_ns);
	r->vm = vm_create(w, &(struct migration_vm_config){ .blocks = &block, .block_count = 1 });
	r->vcpu = vm_add_writer(r->vm, WRITER_VCPU, "vcpu0");
	ram_fill(r->vm->ram, 0, PAGES, 1);
	r->m = precopy_start(r->vm, ram_create(w, &block, 1), &r->config, NULL, "migration");
	if (r->hint)
		actor_create(w, "balloon", balloon, r, 0);
}

static void
migrate(struct run *r)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = UINT64_C(1) << 30 },
		&err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up, r, &err), 0);
	oracle_judge(w, world_run(w), &r->finding);
	assert_int_equal(precopy_state(r->m), PRECOPY_COMPLETED);
	r->stats = *precopy_stats(r->m);
	r->reused_arrived =
		ram_read(r->vm->ram, REUSED) == ram_read(precopy_destination(r->m), REUSED);
	world_destroy(w);
}

static void
test_hinted_pages_stay(void **state)
{
	struct run r = { .config = precopy_config_default(), .hint = true };

	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	/* Before the bitmap is there, and once the guest is over there, a hint means nothing. */
	assert_int_equal(r.early, 0);
	assert_int_equal(r.late, 0);
	assert_int_equal(r.hinted, HALF);
	assert_int_equal(r.stats.normal_pages, HALF);
	assert_false(r.reused_arrived);
}

static void
test_written_again(void **state)
{
	struct run r = { .config = precopy_config_default(), .hint = true, .reuse = true };

	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_int_equal(r.stats.normal_pages, HALF + 1);
	assert_true(r.reused_arrived);
}

/* A thread with a quarter of a processor takes four times as long, until the guest stands. */
static void
test_thread_percent(void **state)
{
	struct run whole = { .config = precopy_config_default() }, quarter;

	whole.config.max_bandwidth = 0;
	whole.config.downtime_limit_ns = MS;
	quarter = whole;
	quarter.config.thread_percent = 25;
	migrate(&whole);
	migrate(&quarter);
	assert_int_equal(whole.stats.normal_pages, PAGES);
	assert_int_equal(quarter.stats.normal_pages, PAGES);

	int64_t before = whole.stats.total_ns - whole.stats.setup_ns - whole.stats.downtime_ns;
	int64_t after = quarter.stats.total_ns - quarter.stats.setup_ns - quarter.stats.downtime_ns;

	assert_true(after > 3 * before && after < 5 * before);
}

/* A page is allocated when it arrives for the first time, whether vCPUs run or not. */
static void
test_first_arrival(void **state)
{
	struct run none = { .config = precopy_config_default() }, first, stopped;

	none.config.max_bandwidth = 0;
	none.config.downtime_limit_ns = MS;
	first = none;
	first.first_ns = 9000;
	migrate(&none);
	migrate(&first);
	assert_int_equal(first.stats.normal_pages, PAGES);

	int64_t more = first.stats.total_ns - none.stats.total_ns - (int64_t)PAGES * 9000;

	assert_in_range(more, 0, MS); /* a sync more */

	/* All in the last pass: the guest stands for as long. */
	stopped = first;
	stopped.config.threshold_bytes = INT64_C(1) << 40;
	migrate(&stopped);
	assert_true(stopped.stats.downtime_ns > (int64_t)PAGES * 9000);
}

/* Hints that wait for bitmap_mutex get in after an iteration, also if the thread never sleeps. */
static void
test_hints_get_in(void **state)
{
	struct run r = { .config = precopy_config_default(), .hint = true };

	r.config.max_bandwidth = 0;
	r.config.downtime_limit_ns = MS;
	r.first_ns = 9000;
	migrate(&r);
	assert_int_equal(r.hinted, HALF);
	assert_int_equal(r.stats.normal_pages, HALF);
	assert_true(r.hinted_ns > 50 * MS && r.hinted_ns < 55 * MS + r.stats.setup_ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hinted_pages_stay), cmocka_unit_test(test_written_again),
		cmocka_unit_test(test_thread_percent),	  cmocka_unit_test(test_first_arrival),
		cmocka_unit_test(test_hints_get_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
