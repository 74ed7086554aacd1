/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COLO's compare against what it is for: two guests that say the same, however they cut it and
 * whenever they send, are let go to the last byte without a checkpoint; of two that say different
 * things nothing is let go from the first difference on until there was a checkpoint.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "engine/world.h"
#include "migration/colo_net.h"
#include "oracle/oracle.h"

#define BYTES 600u
#define ROUNDS 60u
#define US INT64_C(1000)

struct run {
	uint64_t seed;
	unsigned differs_at; /* BYTES: nowhere */
	bool checkpoint; /* when both have sent all */
	uint32_t iss[COLO_SIDES];
	/* Results */
	struct migration_vm *vm;
	struct colo *c;
	struct finding finding;
	struct colo_stats stats;
	bool left[BYTES], early; /* bytes that left; one behind the difference did too early */
	unsigned sending;
};

static void
on_release(struct world *w, const struct event *e, void *context)
{
	struct run *r = context;
	unsigned from = (unsigned)e->arg[0], size = (unsigned)e->arg[1];

	assert_true(from + size <= BYTES);
	for (unsigned i = from; i < from + size; i++) {
		assert_false(r->left[i]); /* once each */
		r->left[i] = true;
		r->early |= i >= r->differs_at && e->arg[3] != 0;
	}
}

static void
guest(struct run *r, enum colo_side side)
{
	struct prng rng;
	uint8_t bytes[BYTES];

	prng_seed(&rng, r->seed * 2 + side);
	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 50);
	if (side == COLO_SECONDARY && r->differs_at < BYTES)
		bytes[r->differs_at] ^= 0x80;
	for (unsigned at = 0; at < BYTES;) {
		unsigned size = 1 + (unsigned)prng_below(&rng, 90);

		size = size < BYTES - at ? size : BYTES - at;
		actor_sleep(r->vm->w, (int64_t)prng_below(&rng, 500) * US);
		assert_true(colo_tcp_send(r->c, side, 1, bytes + at, size,
					  1 + (unsigned)prng_below(&rng, COLO_PAYLOAD_MAX)));
		at += size;
	}
	if (--r->sending)
		return;
	if (r->checkpoint) {
		colo_checkpoint(r->c);
		assert_true(colo_wait_checkpoint(r->c));
	}
	r->stats = *colo_stats(r->c);
	colo_stop(r->c);
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
set_up(struct world *w, void *arg)
{
	struct run *r = arg;
	struct ram_block block = { .name = "pc.ram", .pages = 16 };

	oracle_attach(w);
	r->vm = vm_create(w, &(struct migration_vm_config){ .blocks = &block, .block_count = 1 });
	/* The first checkpoint must not let go what the second half of a test is about. */
	r->c = colo_start(r->vm, &(struct colo_config){ .loaders = 1, .rtt_ns = 1000000 * US });
	colo_tcp_open(r->c, 1, r->iss, UINT32_MAX);
	world_observe(w, EV_COLO_RELEASE, on_release, r);
	r->sending = 2;
	actor_create(w, "guest", primary, r, 0);
	actor_create(w, "guest'", secondary, r, 0);
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

static unsigned
count_left(const struct run *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BYTES; i++)
		n += r->left[i];
	return n;
}

static void
test_same(void **state)
{
	static const uint32_t isn[] = { 0, 1000, UINT32_MAX - 300, UINT32_MAX };

	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct run r = { .seed = seed, .differs_at = BYTES };

		r.iss[COLO_PRIMARY] = isn[seed % 4];
		r.iss[COLO_SECONDARY] = isn[seed / 4 % 4];
		run(&r);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_int_equal(r.stats.mismatched, 0);
		assert_int_equal(r.stats.checkpoints, 0);
		assert_int_equal(count_left(&r), BYTES);
	}
}

static void
test_differ(void **state)
{
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct run r = { .seed = seed,
				 .differs_at = (unsigned)(seed * 37 % BYTES),
				 .iss = { 7, 70000 },
				 .checkpoint = true };

		run(&r);
		assert_int_equal(r.finding.verdict, VERDICT_OK);
		assert_true(r.stats.mismatched >= 1 && r.stats.checkpoints >= 1);
		assert_false(r.early);
		assert_int_equal(count_left(&r), BYTES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
