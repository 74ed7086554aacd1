/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy in timed mode: downtime, what is discarded, faults, a link that fails, hints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/world.h"
#include "migration/dirtier.h"
#include "migration/postcopy.h"
#include "oracle/oracle.h"

#define MIB_PAGES 256u
#define PAGES (64 * MIB_PAGES)
#define MS INT64_C(1000000)

struct run {
	bool preempt, start, hint, load_touches;
	enum postcopy_preempt as; /* if not 0 */
	uint64_t host_pages;
	int64_t break_ns; /* after the switch; 0: never */
	bool again; /* and once more during the recovery */
	enum fault fault;
	/* Results */
	struct migration_vm *vm;
	struct precopy *m;
	struct postcopy *p;
	struct postcopy_vcpu *vcpu;
	struct postcopy_stats stats;
	struct postcopy_vcpu_stats vcpu_stats;
	struct precopy_stats precopy;
	enum precopy_state state;
	struct finding finding;
	uint64_t placed;
	bool hint_taken, vcpu_ran, source_runs;
};

static void
on_place(struct world *w, const struct event *e, void *context)
{
	((struct run *)context)->placed++;
}

/* While the source waits for the bitmaps. */
static void
fail_again(struct actor *self, void *arg)
{
	struct run *r = arg;

	actor_sleep(r->vm->w, 10000);
	assert_int_equal(precopy_state(r->m), PRECOPY_POSTCOPY_RECOVER);
	assert_true(postcopy_pause(r->p));
}

static void
monitor(struct actor *self, void *arg)
{
	struct run *r = arg;
	struct world *w = r->vm->w;

	actor_sleep(w, 100 * MS);
	if (r->hint)
		r->hint_taken = postcopy_hint(r->m, PAGES - 1, 1) > 0;
	actor_sleep(w, 700 * MS);
	if (r->start)
		postcopy_start(r->p);
	while (r->break_ns && !postcopy_running(r->p))
		actor_sleep(w, MS);
	if (r->break_ns) {
		actor_sleep(w, r->break_ns);
		assert_true(postcopy_break_link(r->p));
		assert_false(postcopy_break_link(r->p));
		actor_sleep(w, 500 * MS);
		assert_int_equal(precopy_state(r->m), PRECOPY_POSTCOPY_PAUSED);
		if (r->again) {
			actor_create(w, "network", fail_again, r, 0);
			assert_false(postcopy_recover(r->p));
			assert_int_equal(precopy_state(r->m), PRECOPY_POSTCOPY_PAUSED);
			assert_false(postcopy_pause(r->p));
		}
		precopy_cancel(r->m); /* refused: the guest has left */
		assert_int_equal(precopy_state(r->m), PRECOPY_POSTCOPY_PAUSED);
		assert_true(postcopy_recover(r->p));
	}
	assert_false(postcopy_recover(r->p));
	precopy_wait(r->m);
}

/* The last page first: far from where the push is. */
static void
guest(struct actor *self, void *arg)
{
	struct run *r = arg;

	r->vcpu_ran = postcopy_access(r->vcpu, PAGES - 1, true);
	for (uint64_t page = PAGES - 2; r->vcpu_ran && page > PAGES - 200; page -= 7) {
		postcopy_access(r->vcpu, page, page % 2);
		actor_sleep(r->vm->w, MS);
	}
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = PAGES, .host_pages = r->host_pages };
	struct ram *dst = ram_create(w, &block, 1);
	struct precopy_config config = precopy_config_default();
	struct dirtier_config load = { .pages = PAGES,
				       .pages_per_second = 300 * MIB_PAGES,
				       .pattern = DIRTIER_UNIFORM };

	oracle_attach(w);
	world_observe(w, EV_POSTCOPY_PLACE, on_place, r);
	config.link_bandwidth = INT64_C(1) << 30;
	config.announce_rounds = 0;
	r->vm = vm_create(w, &(struct migration_vm_config){
				     .blocks = &block, .block_count = 1, .manual_protect = true });
	ram_fill(r->vm->ram, 0, PAGES, 1);
	if (r->start)
		dirtier_create(r->vm, "vcpu0", &load);
	if (r->fault)
		fault_set(w, r->fault, true);
	r->m = precopy_start(r->vm, dst, &config, NULL, "migration");
	assert_true(postcopy_possible(r->m));
	r->p = postcopy_enable(r->m, &(struct postcopy_config){
					     .preempt = r->as	     ? r->as
							: r->preempt ? POSTCOPY_PREEMPT_THREAD
								     : POSTCOPY_PREEMPT_NONE,
					     .load_touches = r->load_touches,
					     .load_page = PAGES - 1,
				     });
	assert_false(postcopy_possible(r->m));
	r->vcpu = postcopy_add_vcpu(r->p, "vcpu0");
	actor_create(w, "monitor", monitor, r, 0);
	actor_create(w, "vcpu0 there", guest, r, 0);
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
	r->stats = *postcopy_stats(r->p);
	r->vcpu_stats = *postcopy_vcpu_stats(r->vcpu);
	r->precopy = *precopy_stats(r->m);
	r->state = precopy_state(r->m);
	r->source_runs = r->vm->running;
	world_destroy(w);
}

/* 300 MiB/s against 128: precopy alone would not end.  Postcopy does, with a short downtime. */
static void
test_switch(void **state)
{
	for (int preempt = 0; preempt < 2; preempt++) {
		struct run r = { .start = true, .preempt = preempt };

		migrate(&r);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_int_equal(r.state, PRECOPY_COMPLETED);
		assert_true(r.vcpu_ran && !r.source_runs);
		assert_true(r.precopy.downtime_ns < 30 * MS);
		assert_int_equal(r.precopy.differing, 0);
		assert_true(r.stats.discarded > PAGES / 2);
		assert_true(r.stats.faults > 0 && r.stats.requested > 0);
		/* One vCPU: its blocktime is that of all. */
		assert_int_equal(r.vcpu_stats.faults, r.stats.faults);
		assert_int_equal(r.vcpu_stats.blocktime_ns, r.stats.blocktime_ns);
		assert_int_equal(r.vcpu_stats.blocktime_max_ns, r.stats.blocktime_max_ns);
		assert_int_equal(r.stats.blocktime_all_ns, r.stats.blocktime_ns);
		assert_int_equal(r.placed, r.stats.pushed + (preempt ? r.stats.urgent : 0));
		assert_true(r.placed >= r.stats.discarded && r.placed <= PAGES);
		/* By the main channel it comes behind what the sockets hold: 7 MiB at 1 GiB/s. */
		assert_true(r.stats.blocktime_max_ns < (preempt ? MS / 5 : 8 * MS));
		assert_true(r.stats.blocktime_max_ns > (preempt ? MS / 10 : 6 * MS));
	}
}

/* The capability alone changes nothing. */
static void
test_not_started(void **state)
{
	struct run r = { .start = false };

	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_int_equal(r.stats.faults + r.stats.discarded + r.placed, 0);
	assert_true(r.vcpu_ran);
}

static void
test_recover(void **state)
{
	for (int preempt = 0; preempt < 2; preempt++) {
		struct run r = { .start = true, .preempt = preempt, .break_ns = 3 * MS };

		migrate(&r);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_int_equal(r.state, PRECOPY_COMPLETED);
		assert_int_equal(r.stats.pauses, 1);
		assert_int_equal(r.precopy.differing, 0);
		/* What was on the wire: what sockets hold, and a page in hand at each end. */
		assert_true(r.stats.recovered > 0);
		assert_true(r.stats.recovered <= POSTCOPY_SOCKET_BYTES / 4096 + 4);
	}
}

/* The link fails once more in the recovery: two pauses, and all is well after the second. */
static void
test_recover_again(void **state)
{
	struct run r = { .start = true, .break_ns = 3 * MS, .again = true };

	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_int_equal(r.state, PRECOPY_COMPLETED);
	assert_int_equal(r.stats.pauses, 2);
	assert_int_equal(r.precopy.differing, 0);
}

/* Huge pages of 2 MiB, by each way of sending what is asked for, with and without a failure. */
static void
test_host_pages(void **state)
{
	for (int as = POSTCOPY_PREEMPT_NONE; as < POSTCOPY_PREEMPTS; as++) {
		for (int fails = 0; fails < 2; fails++) {
			struct run r = { .start = true,
					 .as = (enum postcopy_preempt)as,
					 .host_pages = 512,
					 .break_ns = fails ? 5 * MS : 0 };

			migrate(&r);
			assert_int_equal(r.finding.verdict, VERDICT_OK);
			assert_int_equal(r.state, PRECOPY_COMPLETED);
			assert_int_equal(r.precopy.differing, 0);
			/* All of 32 huge pages are dirty, so each is placed once. */
			assert_int_equal(r.placed, PAGES / 512);
			assert_int_equal(r.stats.discarded % 512, 0);
			/* The guest stays in one huge page. */
			assert_int_equal(r.stats.faults, 1);
			assert_true(r.stats.blocktime_max_ns > 2 * MS);
			assert_int_equal(r.stats.blocktime_all_ns, r.stats.blocktime_ns);
			assert_true(fails || r.stats.broken == (as == POSTCOPY_PREEMPT_BREAK));
		}
	}
}

/* A device's load waits for a page of its own: part of the downtime.  In timed mode the channel is
 * there a round trip after the package, so with the fault the load always comes first. */
static void
test_load_page(void **state)
{
	for (int as = POSTCOPY_PREEMPT_NONE; as < POSTCOPY_PREEMPTS; as++) {
		struct run plain = { .start = true, .as = (enum postcopy_preempt)as };
		struct run r = plain, not_ready;

		r.load_touches = true;
		not_ready = r;
		not_ready.fault = FAULT_POSTCOPY_PREEMPT_NOT_READY;
		migrate(&plain);
		migrate(&r);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_int_equal(r.precopy.differing, 0);
		assert_true(r.precopy.downtime_ns > plain.precopy.downtime_ns + MS / 10);
		migrate(&not_ready);
		assert_int_equal(not_ready.finding.verdict,
				 as >= POSTCOPY_PREEMPT_THREAD ? VERDICT_HANG : VERDICT_OK);
	}
}

static void
test_no_chunk(void **state)
{
	struct run r = { .start = true, .host_pages = 512, .fault = FAULT_POSTCOPY_NO_CHUNK };

	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_STATE_LOST);
	assert_string_equal(r.finding.statement, "INV-POSTCOPY-WHOLE");
	/* With pages of 4 KiB there is nothing to round. */
	r = (struct run){ .start = true, .fault = FAULT_POSTCOPY_NO_CHUNK };
	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
}

static void
test_no_recv_bitmap(void **state)
{
	struct run r = { .start = true,
			 .break_ns = 3 * MS,
			 .fault = FAULT_POSTCOPY_NO_RECV_BITMAP };

	migrate(&r);
	assert_int_equal(r.stats.recovered, 0);
	assert_true(r.finding.verdict == VERDICT_MEMORY_DIVERGENCE ||
		    r.finding.verdict == VERDICT_HANG);
}

static void
test_no_discard(void **state)
{
	struct run r = { .start = true, .fault = FAULT_POSTCOPY_NO_DISCARD };

	migrate(&r);
	assert_int_equal(r.finding.verdict, VERDICT_MEMORY_DIVERGENCE);
	assert_string_equal(r.finding.statement, "C-O5");
}

/* Hints have no effect with postcopy; where they had, who touches the page waits for good. */
static void
test_hints(void **state)
{
	struct run r = { .hint = true };

	migrate(&r);
	assert_false(r.hint_taken);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	r = (struct run){ .hint = true, .fault = FAULT_FPH_POSTCOPY };
	migrate(&r);
	assert_true(r.hint_taken);
	/* It was precopy to the end: the page was given up, and that is all. */
	assert_int_equal(r.finding.verdict, VERDICT_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switch),	      cmocka_unit_test(test_not_started),
		cmocka_unit_test(test_recover_again), cmocka_unit_test(test_host_pages),
		cmocka_unit_test(test_no_chunk),      cmocka_unit_test(test_load_page),
		cmocka_unit_test(test_recover),	      cmocka_unit_test(test_no_recv_bitmap),
		cmocka_unit_test(test_no_discard),    cmocka_unit_test(test_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
