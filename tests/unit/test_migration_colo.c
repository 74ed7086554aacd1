/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COLO in timed mode: checkpoints by timer and by packets, what is released when, failover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),   cmocka_unit_test(test_timer),
		cmocka_unit_test(test_differ), cmocka_unit_test(test_failover),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
