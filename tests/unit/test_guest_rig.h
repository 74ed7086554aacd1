/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the guest's drivers share: a machine with one device, guest CPUs, and a loop
 * over random schedules.  A run *hangs* if an actor of the test ("task…") is not done when
 * nothing can run.
 */
#ifndef TEST_GUEST_RIG_H
#define TEST_GUEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "guest/cpu.h"
#include "memory/guest_memory.h"
#include "vmm/machine.h"

#define RIG_CPUS_MAX 4

struct rig;

struct rig_config {
	struct machine_device_config device;
	unsigned cpus;
	enum fault fault; /* on from the start */
	enum world_mode mode;
	uint64_t steps_max;
	/* Makes drivers and tasks; at set-up. */
	void (*setup)(struct rig *r);
	/* Looks at a finished run: false is a loss. Null: only hanging is. */
	bool (*good)(struct rig *r);
	const void *arg; /* the test's */
};

struct rig {
	struct rig_config config;
	struct world *w;
	struct machine *m;
	struct machine_device *d;
	struct guest_cpu *cpu[RIG_CPUS_MAX];
	struct actor *task[8];
	unsigned tasks;
	void *state; /* in the arena */
};

struct rig_result {
	unsigned runs, hung, bad, stopped; /* stopped: steps or time used up */
	uint64_t steps;
};

struct rig_chooser {
	struct chooser base;
	struct prng prng;
	unsigned rate; /* one point in so many is a choice */
};

static uint32_t
rig_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct rig_chooser *r = (struct rig_chooser *)self;

	(void)w;
	/* Who is first when one blocks: anybody. Preemption: often in some runs, rare in others. */
	if (kind == CHOICE_ACTOR && prng_below(&r->prng, r->rate))
		return 0;
	return prng_below(&r->prng, n);
}

/* Start a task of the test; @fn calls drivers. */
static struct actor *
rig_task(struct rig *r, const char *name, actor_fn fn, void *arg)
{
	struct actor *a = actor_create(r->w, name, fn, arg, 0);

	r->task[r->tasks++] = a;
	return a;
}

static void
rig_setup(struct world *w, void *arg)
{
	struct rig *r = arg;
	struct machine_config mc = { .vcpus = r->config.cpus ? r->config.cpus : 1 };

	r->w = w;
	if (r->config.fault)
		fault_set(w, r->config.fault, true);
	r->m = machine_create(w, &mc);
	r->d = machine_add_device(r->m, &r->config.device);
	for (unsigned i = 0; i < mc.vcpus; i++)
		r->cpu[i] = guest_cpu_create(w, r->m->vcpus[i], r->m->view, i);
	r->config.setup(r);
}

/* @runs random schedules, the first of them the plain one. */
static struct rig_result
rig_explore(const struct rig_config *config, unsigned runs)
{
	struct rig r = { .config = *config };
	struct rig_chooser chooser = { .base = { rig_choose } };
	struct rig_result result = { 0 };
	struct error err;
	struct world *w = world_create(
		&(struct world_config){ .mode = config->mode, .steps_max = config->steps_max },
		&err);

	assert_non_null(w);
	if (world_setup(w, rig_setup, &r, &err))
		fail_msg("set-up: %s", err.text);
	world_snapshot(w);
	for (unsigned i = 0; i < runs; i++) {
		bool hung = false;
		enum stop stop;

		prng_seed(&chooser.prng, i);
		chooser.rate = 2u << i % 4 * 2; /* 2, 8, 32, 128 */
		world_set_chooser(w, i ? &chooser.base : NULL);
		stop = world_run(w);
		if (stop == STOP_ERROR)
			fail_msg("run %u: %s", i, world_error(w)->text);
		for (unsigned t = 0; t < r.tasks; t++)
			hung |= actor_state(r.task[t]) != ACTOR_DONE;
		result.runs++;
		result.steps += world_step(w);
		result.stopped += stop != STOP_QUIESCENT;
		result.hung += hung && stop == STOP_QUIESCENT;
		result.bad += !hung && config->good && !config->good(&r);
		world_restore(w);
	}
	world_destroy(w);
	return result;
}

#define rig_assert_clean(result) \
	do { \
		struct rig_result rr_ = (result); \
		if (rr_.hung || rr_.bad || rr_.stopped) \
			fail_msg("%u runs: %u hung, %u bad, %u out of steps", rr_.runs, rr_.hung, \
				 rr_.bad, rr_.stopped); \
	} while (0)

#endif
