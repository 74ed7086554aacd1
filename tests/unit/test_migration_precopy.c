/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Precopy in timed mode: figures that follow from rates and limits, and what QEMU's loop does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/world.h"
#include "kvm/dirty_ring.h"
#include "migration/dirtier.h"
#include "migration/precopy.h"
#include "oracle/oracle.h"

#define MIB_PAGES 256u
#define MS INT64_C(1000000)

struct run {
	uint64_t pages, filled, ring_pages;
	struct dirtier_config load; /* none if pages is 0 */
	struct precopy_config config;
	enum fault fault;
	int64_t cancel_ns;
	const struct vmstate *devices;
	/* Results */
	struct migration_vm *vm;
	struct precopy *m;
	struct precopy_stats stats;
	enum precopy_state state;
	uint64_t announces, raises;
	uint64_t left[2]; /* by the last sync, and by the one before: pages */
	uint64_t pushed[2]; /* ring entries, in the first half of cancel_ns and in the second */
	struct finding finding;
	bool equal;
};

static void
on_announce(struct world *w, const struct event *e, void *context)
{
	((struct run *)context)->announces++;
}

static void
on_throttle(struct world *w, const struct event *e, void *context)
{
	((struct run *)context)->raises++;
}

static void
on_sync(struct world *w, const struct event *e, void *context)
{
	struct run *r = context;

	r->left[1] = r->left[0];
	r->left[0] = (uint64_t)e->arg[1];
}

static void
sleep_half(struct run *r, unsigned half)
{
	const struct ram_writer *v = r->ring_pages ? r->vm->writers : NULL;
	uint32_t before = v ? kvm_dirty_ring_pushed(v->vcpu) : 0;

	actor_sleep(r->vm->w, r->cancel_ns / 2);
	r->pushed[half] = v ? kvm_dirty_ring_pushed(v->vcpu) - before : 0;
}

static void
monitor(struct actor *self, void *arg)
{
	struct run *r = arg;

	if (r->cancel_ns) {
		sleep_half(r, 0);
		sleep_half(r, 1);
		precopy_cancel(r->m);
	}
	precopy_wait(r->m);
	/* A cancelled migration leaves the guest running: time would not end. */
	if (precopy_state(r->m) != PRECOPY_COMPLETED)
		world_stop(r->vm->w, STOP_ASKED);
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = r->pages };
	struct ram *dst = ram_create(w, &block, 1);

	oracle_attach(w);
	r->vm = vm_create(w, &(struct migration_vm_config){ .blocks = &block,
							    .block_count = 1,
							    .manual_protect = true,
							    .ring_pages = r->ring_pages });
	if (r->filled)
		ram_fill(r->vm->ram, 0, r->filled, 1);
	if (r->load.pages)
		dirtier_create(r->vm, "vcpu0", &r->load);
	if (r->fault)
		fault_set(w, r->fault, true);
	r->m = precopy_start(r->vm, dst, &r->config, r->devices, "migration");
	actor_create(w, "monitor", monitor, r, 0);
	world_observe(w, EV_MIG_ANNOUNCE, on_announce, r);
	world_observe(w, EV_MIG_THROTTLE, on_throttle, r);
	world_observe(w, EV_MIG_SYNC, on_sync, r);
}

static void
migrate(struct run *r)
{
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = WORLD_TIMED, .steps_max = UINT64_C(1) << 40 },
		&err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up, r, &err), 0);
	oracle_judge(w, world_run(w), &r->finding);
	r->stats = *precopy_stats(r->m);
	r->state = precopy_state(r->m);
	r->equal = ram_next_difference(r->vm->ram, precopy_destination(r->m), 0) == r->pages;
	world_destroy(w);
}

static void
assert_near(int64_t value, int64_t expected, int64_t within)
{
	if (value < expected - within || value > expected + within)
		fail_msg("%lld is not %lld +- %lld", (long long)value, (long long)expected,
			 (long long)within);
}

/* An idle guest: one pass at the limit's rate; two syncs but for the one of set-up. */
static void
test_idle(void **state)
{
	struct run r = { .pages = 512 * MIB_PAGES, .filled = 256 * MIB_PAGES };

	r.config = precopy_config_default();
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.equal);
	assert_int_equal(r.stats.normal_pages, 256 * MIB_PAGES);
	assert_int_equal(r.stats.zero_pages, 256 * MIB_PAGES);
	assert_int_equal(r.stats.rounds, 3);
	assert_int_equal(r.announces, 5);
	/* 256 MiB in budgets of 12.8 MiB a tenth of a second. */
	assert_near(r.stats.total_ns, 2050 * MS, 150 * MS);
	assert_true(r.stats.downtime_ns < 30 * MS);
	/* Pages, headers, sections' ends: nothing else is sent. */
	assert_near((int64_t)r.stats.bytes, (int64_t)(256 * MIB_PAGES * 4104 + 256 * MIB_PAGES * 9),
		    1000);
}

/* V(k+1) = D V(k) / B until it fits the limit. */
static void
test_converges(void **state)
{
	struct run r = { .pages = 512 * MIB_PAGES, .filled = 512 * MIB_PAGES };

	r.config = precopy_config_default();
	r.config.downtime_limit_ns = 100 * MS;
	r.load = (struct dirtier_config){ .pages = 512 * MIB_PAGES,
					  .pages_per_second = 32 * MIB_PAGES,
					  .pattern = DIRTIER_SWEEP };
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.equal);
	/* D / B is a quarter: 512 + 128 + 32 + 8 MiB at 128 MiB/s. */
	assert_near(r.stats.total_ns, 5300 * MS, 300 * MS);
	assert_near((int64_t)r.stats.rounds, 5, 1);
	assert_true(r.stats.downtime_ns < 150 * MS);
	assert_near(r.stats.dirty_rate, 32 * MIB_PAGES, 8 * MIB_PAGES);
}

static struct run
too_fast(void)
{
	struct run r = { .pages = 256 * MIB_PAGES, .filled = 256 * MIB_PAGES };

	r.config = precopy_config_default();
	r.load = (struct dirtier_config){ .pages = 256 * MIB_PAGES,
					  .pages_per_second = 400 * MIB_PAGES };
	return r;
}

/* More is dirtied than is sent: no end until it is cancelled, and the guest goes on. */
static void
test_does_not_converge(void **state)
{
	struct run r = too_fast();

	r.cancel_ns = 20000 * MS;
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_CANCELLED);
	assert_true(r.vm != NULL && r.stats.rounds > 5);
	assert_int_equal(r.stats.throttle_percent, 0);
	assert_near(r.stats.total_ns, 20000 * MS, 200 * MS);
}

static void
test_auto_converge(void **state)
{
	struct run r = too_fast();

	r.config.auto_converge = true;
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.equal);
	assert_true(r.stats.throttle_percent >= 60 && r.stats.throttle_percent <= 99);
	/* 20 %, then 10 more each time; twice as many evaluations. */
	assert_int_equal(r.raises, 1 + (r.stats.throttle_percent - 20 + 9) / 10);
	assert_true(r.stats.throttle_evaluations >= 2 * r.raises);
	assert_true((int64_t)r.stats.throttle_evaluations * 1000 * MS <= r.stats.total_ns);
}

static void
test_dirty_limit(void **state)
{
	struct run r = too_fast();

	r.config.vcpu_dirty_limit = 1 << 20;
	r.ring_pages = 4096;
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.equal);
}

/* What the limit is set to is what a vCPU comes to, within dirty-limit's tolerance of 25 MB/s. */
static void
test_dirty_limit_rate(void **state)
{
	for (int64_t mib = 60; mib <= 180; mib += 120) {
		struct run r = too_fast();

		r.config.vcpu_dirty_limit = mib << 20;
		r.config.max_bandwidth = 20 << 20; /* so that it does not end */
		r.config.downtime_limit_ns = MS;
		r.ring_pages = 4096;
		r.cancel_ns = 60000 * MS;
		migrate(&r);
		assert_int_equal(r.state, PRECOPY_CANCELLED);
		assert_near((int64_t)r.pushed[1] / 30 / MIB_PAGES, mib, 30);
	}
}

/* "expected downtime" is of what the last sync left, and at the bandwidth that was given for it. */
static void
test_expected_downtime(void **state)
{
	struct run r = too_fast();
	int64_t given = INT64_C(64) << 20, expected[2];

	r.cancel_ns = 20000 * MS;
	r.config.switchover_bandwidth = given;
	migrate(&r);
	for (int i = 0; i < 2; i++)
		expected[i] = (int64_t)((__int128)r.left[i] * 4096 * 1000000000 / given);
	assert_true(r.stats.expected_downtime_ns == expected[0] ||
		    r.stats.expected_downtime_ns == expected[1]);
	assert_true(r.stats.expected_downtime_ns > r.config.downtime_limit_ns);
	/* Until a dirty rate is known it is the limit. */
	r = (struct run){ .pages = MIB_PAGES, .config = precopy_config_default() };
	migrate(&r);
	assert_int_equal(r.stats.expected_downtime_ns, 300 * MS);
}

/* Half as many slots as pages that are dirty each round: those that came first stay (page_cache.c).
 */
static void
test_xbzrle_keeps_fresh(void **state)
{
	struct run r = { .pages = 4 * MIB_PAGES, .filled = 4 * MIB_PAGES };

	r.config = precopy_config_default();
	r.config.xbzrle = true;
	r.config.xbzrle_pages = 64;
	r.config.link_bandwidth = 8 << 20;
	r.config.downtime_limit_ns = MS / 10;
	r.cancel_ns = 5000 * MS;
	r.load = (struct dirtier_config){ .pages = 128,
					  .pages_per_second = 100000,
					  .pattern = DIRTIER_SWEEP };
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_CANCELLED);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.stats.rounds > 20);
	/* After the first pass every other one is a hit: replaced by turns none would be. */
	assert_near((int64_t)r.stats.xbzrle_pages, (int64_t)(r.stats.normal_pages - 4 * MIB_PAGES),
		    256);
}

static void
test_multifd_and_xbzrle(void **state)
{
	for (int how = 0; how < 2; how++) {
		struct run r = { .pages = 256 * MIB_PAGES, .filled = 128 * MIB_PAGES };

		r.config = precopy_config_default();
		r.config.link_bandwidth = INT64_C(1) << 30;
		r.config.channels = how ? 0 : 4;
		r.config.xbzrle = how;
		r.load = (struct dirtier_config){ .pages = 64 * MIB_PAGES,
						  .pages_per_second = 60 * MIB_PAGES };
		migrate(&r);
		assert_int_equal(r.state, PRECOPY_COMPLETED);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_true(r.equal);
		assert_true(!how == !r.stats.xbzrle_pages);
	}
}

/* The last sync left out: found at this size, too. */
static void
test_no_final_sync(void **state)
{
	struct run r = { .pages = 64 * MIB_PAGES, .filled = 64 * MIB_PAGES };

	r.config = precopy_config_default();
	r.load = (struct dirtier_config){ .pages = 64 * MIB_PAGES,
					  .pages_per_second = 10 * MIB_PAGES };
	r.fault = FAULT_MIG_NO_FINAL_SYNC;
	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_DIRTY_PAGE_LOST);
	assert_string_equal(r.finding.statement, "C-O4");
}

/* A destination that does not know a subsection: the source goes on. */
static void
test_vmstate(void **state)
{
	struct vmstate v = {
		.name = "virtio-blk0",
		.bytes = 1000,
		.source = { .there = true,
			    .version_id = 2,
			    .subsection = { { .name = "virtio/started", .needed = true } },
			    .subsections = 1 },
		.destination = { .there = true, .version_id = 2 }
	};
	struct run r = { .pages = MIB_PAGES, .devices = &v };

	r.config = precopy_config_default();
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_FAILED);
	v.source.subsection[0].needed = false;
	migrate(&r);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_converges),
		cmocka_unit_test(test_does_not_converge),
		cmocka_unit_test(test_auto_converge),
		cmocka_unit_test(test_dirty_limit),
		cmocka_unit_test(test_dirty_limit_rate),
		cmocka_unit_test(test_expected_downtime),
		cmocka_unit_test(test_xbzrle_keeps_fresh),
		cmocka_unit_test(test_multifd_and_xbzrle),
		cmocka_unit_test(test_no_final_sync),
		cmocka_unit_test(test_vmstate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
