/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO's disk against a reference of two arrays: random writes of both guests, checkpoints, at the
 * end a failover with its commit, that fails or not, and more writes beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/prng.h"
#include "engine/world.h"
#include "migration/colo_disk.h"
#include "oracle/oracle.h"

#define SECTORS 24u
#define OPERATIONS 200u
#define SEEDS 60u
#define MS INT64_C(1000000)

struct run {
	uint64_t seed;
	int64_t commit_fails_at;
	bool link_fails; /* before the last checkpoint */
	struct migration_vm *vm;
	struct colo *c;
	struct prng rng;
	/* What each guest must see; of the secondary's, by version read after each write. */
	uint64_t primary[SECTORS], secondary[SECTORS];
	enum colo_disk_stage stage;
	bool refused;
	struct finding finding;
};

static void
check(const struct run *r)
{
	for (uint64_t s = 0; s < SECTORS; s++) {
		assert_int_equal(colo_disk_read(r->c, COLO_PRIMARY, s), r->primary[s]);
		assert_int_equal(colo_disk_read(r->c, COLO_SECONDARY, s), r->secondary[s]);
	}
}

static void
write_one(struct run *r, enum colo_side side)
{
	uint64_t *seen = side == COLO_PRIMARY ? r->primary : r->secondary;
	uint64_t sector = prng_below(&r->rng, SECTORS);
	uint64_t before = seen[sector];

	assert_true(colo_disk_write(r->c, side, sector));
	seen[sector] = colo_disk_read(r->c, side, sector);
	assert_true(seen[sector] > before);
}

static void
monitor(struct actor *self, void *arg)
{
	struct run *r = arg;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		unsigned what = prng_below(&r->rng, 10);

		if (what < 9) {
			write_one(r, what < 5 ? COLO_PRIMARY : COLO_SECONDARY);
		} else {
			colo_checkpoint(r->c);
			assert_true(colo_wait_checkpoint(r->c));
			memcpy(r->secondary, r->primary, sizeof(r->secondary));
		}
		check(r);
	}
	if (r->link_fails) {
		colo_disk_link_fails(r->c);
		write_one(r, COLO_PRIMARY);
		colo_checkpoint(r->c);
		r->refused = !colo_wait_checkpoint(r->c);
	}
	colo_primary_dies(r->c);
	colo_failover(r->c);
	for (unsigned i = 0; i < 20; i++) {
		write_one(r, COLO_SECONDARY);
		check(r);
		if (i == 10)
			colo_disk_wait_commit(r->c);
	}
	r->stage = colo_disk_stage(r->c);
	colo_stop(r->c);
}

static void
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = 16 };

	oracle_attach(w);
	r->vm = vm_create(w, &(struct migration_vm_config){ .blocks = &block, .block_count = 1 });
	r->c = colo_start(r->vm, &(struct colo_config){ .loaders = 1,
							.disk_sectors = SECTORS,
							.commit_fails_at = r->commit_fails_at,
							.rtt_ns = MS });
	prng_seed(&r->rng, r->seed);
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
	assert_int_equal(r->finding.verdict, VERDICT_OK);
}

static void
test_reference(void **state)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct run r = { .seed = seed, .commit_fails_at = -1 };

		run(&r);
		assert_int_equal(r.stage, COLO_DISK_DONE);
	}
}

/* The first sector of the commit fails: the overlays stay, and each sector is where it is read. */
static void
test_commit_fails(void **state)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct run r = { .seed = seed };

		run(&r);
		/* Nothing to commit right after a checkpoint is nothing to fail. */
		assert_true(r.stage == COLO_DISK_FAILOVER_FAILED || r.stage == COLO_DISK_DONE);
	}
}

/* What could not be forwarded ends the checkpoint in which it would be. */
static void
test_link_fails(void **state)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct run r = { .seed = seed, .commit_fails_at = -1, .link_fails = true };

		run(&r);
		assert_true(r.refused);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_commit_fails),
		cmocka_unit_test(test_link_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
