/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The twin of a case, in the hostile build: the same variant set up twice, in worlds at two places
 * of the address space, run by the same first schedules.  Their digests must agree; where they do
 * not, an address (or another thing that nobody controls) decided an order.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/runner.h"
#include "cli/test.h"

#define TWIN_SCHEDULES 24u

/* The digests of the first schedules in a world of its own. 0, or -1 and @err. */
static int
digests(const struct test_case *c, const struct options *o, uint64_t out[TWIN_SCHEDULES],
	struct error *err)
{
	struct strategy_config how = { .seed = o->seed };
	struct strategy *strategy = strategy_create(&strategy_random, &how, err);
	struct session s;

	if (!strategy)
		return -1;
	if (session_open(&s, c->name, o, err)) {
		strategy_destroy(strategy);
		return -1;
	}
	for (uint64_t i = 0; i < TWIN_SCHEDULES; i++) {
		world_restore(s.w);
		strategy->ops->begin(strategy, s.w, i);
		world_set_chooser(s.w, &strategy->chooser);
		world_run(s.w);
		out[i] = world_digest(s.w);
	}
	world_set_chooser(s.w, NULL);
	session_close(&s);
	strategy_destroy(strategy);
	return 0;
}

int
test_twin(const struct test_case *c, const struct options *o, struct error *err)
{
	uint64_t here[TWIN_SCHEDULES], there[TWIN_SCHEDULES];

	if (digests(c, o, here, err) || digests(c, o, there, err))
		return -1;
	for (unsigned i = 0; i < TWIN_SCHEDULES; i++)
		if (here[i] != there[i])
			return error_set(
				err,
				"schedule %u of seed %" PRIu64 " has digest %016" PRIx64
				" here and %016" PRIx64
				" in a world at another address: an address decides an order",
				i, o->seed, here[i], there[i]);
	return 0;
}
