/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COLO in timed mode: checkpoints by timer and by packets, what is released when, failover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/cost.h"
#include "engine/world.h"
#include "migration/colo.h"
#include "oracle/oracle.h"

#define PAGES 4096u
#define MS INT64_C(1000000)

struct run {
	int64_t delay_ns;
	int differ_every; /* steps of the secondary with another payload */
	bool dies;
	enum fault fault;
	/* Results */
	struct migration_vm *vm;
	struct colo *c;
	struct colo_stats stats;
	struct finding finding;
	uint64_t count[COLO_SIDES];
	bool equal;
};

static void
guest(struct run *r, enum colo_side side)
{
	for (uint64_t i = 1; i <= 200; i++) {
		int64_t payload = side == COLO_SECONDARY && r->differ_every &&
						  i % (uint64_t)r->differ_every == 0
					  ? 1
					  : 0;

		if (!colo_step(r->c, side, i * 37 % PAGES, payload))
			return;
		actor_sleep(r->vm->w, MS);
	}
}

static void
primary(struct actor *self, void *arg)
{
	guest(arg, COLO_PRIMARY);
}

static void
secondary(struct actor *self, void *arg)
{
	guest(arg, COLO_SECONDARY);
}

static void
monitor(struct actor *self, void *arg)
{
	struct run *r = arg;

	/* In the middle of what the guests do, or behind it. */
	actor_sleep(r->vm->w, (r->dies ? 150 : 600) * MS);
	if (r->dies) {
		colo_primary_dies(r->c);
		colo_failover(r->c);
		actor_sleep(r->vm->w, 200 * MS);
	} else {
		colo_checkpoint(r->c);
		assert_true(colo_wait_checkpoint(r->c));
		r->equal = ram_next_difference(r->vm->ram, colo_secondary(r->c), 0) == PAGES;
		r->count[0] = colo_register(r->c, COLO_PRIMARY);
		r->count[1] = colo_register(r->c, COLO_SECONDARY);
	}
	r->stats = *colo_stats(r->c);
	colo_stop(r->c);
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = PAGES };

	oracle_attach(w);
	r->vm = vm_create(w, &(struct migration_vm_config){
				     .blocks = &block, .block_count = 1, .manual_protect = true });
	ram_fill(r->vm->ram, 0, PAGES, 1);
	if (r->fault)
		fault_set(w, r->fault, true);
	r->c = colo_start(
		r->vm, &(struct colo_config){ .checkpoint_delay_ns = r->delay_ns, .loaders = 1 });
	actor_create(w, "guest", primary, r, 0);
	actor_create(w, "guest'", secondary, r, 0);
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
	world_destroy(w);
}

/* Both send the same: all leave at once, and the one checkpoint is the one asked for. */
static void
test_same(void **state)
{
	struct run r = { 0 };

	run(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_int_equal(r.stats.mismatched, 0);
	assert_int_equal(r.stats.checkpoints, 1);
	assert_true(r.stats.matched >= 140 && r.stats.pages >= 140);
	assert_true(r.equal);
	assert_int_equal(r.count[0], r.count[1]);
}

/* A checkpoint each 20 ms, which takes 5 ms for the devices. */
static void
test_timer(void **state)
{
	struct run r = { .delay_ns = 20 * MS };

	run(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.stats.checkpoints >= 22 && r.stats.checkpoints <= 25);
	assert_true(r.equal);
}

/* A checkpoint for each packet that differs, which leaves with it. */
static void
test_differ(void **state)
{
	struct run r = { .differ_every = 10 };

	run(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.stats.mismatched >= 10);
	assert_true(r.stats.checkpoints >= r.stats.mismatched);
	assert_true(r.stats.released >= r.stats.matched + r.stats.mismatched);
	assert_true(r.equal);
}

static void
test_failover(void **state)
{
	struct run r = { .differ_every = 10, .dies = true };

	run(&r);
	assert_int_equal(r.finding.verdict, VERDICT_OK);
	assert_true(r.stats.released > 0);
}

static void
test_faults(void **state)
{
	struct run early = { .differ_every = 10, .fault = FAULT_COLO_RELEASE_EARLY };
	struct run flush = { .differ_every = 10, .fault = FAULT_COLO_FLUSH_RECEIVED_ONLY };

	run(&early);
	assert_int_equal(early.finding.verdict, VERDICT_STATE_LOST);
	assert_string_equal(early.finding.statement, "C-O3");
	run(&flush);
	/* Both sides wrote the same pages here, so what the primary sent covers it all. */
	assert_int_equal(flush.finding.verdict, VERDICT_OK);
}

/* --- the phases of a checkpoint ------------------------------------------------------------- */

#define DIRTY 1000u

struct phases {
	struct migration_vm *vm;
	struct colo *c;
	unsigned loaders;
	struct colo_sample sample;
};

static void
one_checkpoint(struct actor *self, void *arg)
{
	struct phases *p = arg;
	uint64_t count;

	assert_true(colo_write(p->c, COLO_PRIMARY, 0, DIRTY));
	colo_checkpoint(p->c);
	assert_true(colo_wait_checkpoint(p->c));
	p->sample = colo_samples(p->c, &count)[0];
	assert_int_equal(count, 1);
	colo_stop(p->c);
}

static void
set_up_phases(struct world *w, void *arg)
{
	struct phases *p = arg;
	struct ram_block block = { .name = "pc.ram", .pages = PAGES };

	oracle_attach(w);
	cost_set(w, COST_MIG_PAGE, 1000);
	cost_set(w, COST_MIG_SEND, 3000);
	cost_set(w, COST_MIG_SYNC_GIB, 64000); /* of 16 MiB: 1000 */
	cost_set(w, COST_MIG_DEVICE_STATE, 4 * MS);
	cost_set(w, COST_COLO_FLUSH, 500);
	cost_set(w, COST_COLO_SYNC, 10000);
	p->vm = vm_create(w, &(struct migration_vm_config){ .blocks = &block, .block_count = 1 });
	p->c = colo_start(p->vm,
			  &(struct colo_config){ .loaders = p->loaders,
						 .link_bandwidth = 4104000000, /* 1 us a page */
						 .rtt_ns = 200000,
						 .device_state_bytes = 4104000 });
	actor_create(w, "guest", one_checkpoint, p, 0);
}

static void
check_phases(unsigned loaders, int64_t ram_ns)
{
	const int64_t expected[COLO_PHASES] = {
		[COLO_PHASE_REQUEST] = 200000,
		[COLO_PHASE_SAVE] = 2 * MS,
		[COLO_PHASE_RAM] = 1000 + ram_ns,
		[COLO_PHASE_STATE] = 1 * MS + 200000, /* the buffer, and there and back */
		[COLO_PHASE_LOAD] = 2 * MS + DIRTY * 500,
	};
	struct phases p = { .loaders = loaders };
	struct finding finding;
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_TIMED }, &err);
	int64_t stopped = 0;

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up_phases, &p, &err), 0);
	oracle_judge(w, world_run(w), &finding);
	world_destroy(w);
	assert_int_equal(finding.verdict, VERDICT_OK);
	assert_int_equal(p.sample.pages, DIRTY);
	for (int i = 0; i < COLO_PHASE_STOPPED; i++) {
		assert_int_equal(p.sample.ns[i], expected[i]);
		stopped += i == COLO_PHASE_REQUEST ? 0 : p.sample.ns[i];
	}
	assert_int_equal(p.sample.ns[COLO_PHASE_STOPPED], stopped);
}

static void
test_phases(void **state)
{
	check_phases(1, DIRTY * 4000); /* the thread */
	check_phases(2, DIRTY * 2000 + 2 * 10000); /* two of them, and their sync */
	check_phases(8, DIRTY * 1000 + 8 * 10000); /* the wire */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),   cmocka_unit_test(test_timer),
		cmocka_unit_test(test_differ), cmocka_unit_test(test_failover),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_phases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
