/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of sim/notify/ share: a machine with two vCPUs, counted events, and a run under
 * the plain or a random schedule.  The bench lives in the arena, so restoring puts it back, too.
 */
#ifndef RINGSIDE_TESTS_TEST_NOTIFY_H
#define RINGSIDE_TESTS_TEST_NOTIFY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "notify/guest_notifier.h"
#include "notify/iobus.h"
#include "notify/irqchip.h"
#include "notify/irqfd.h"
#include "notify/memview.h"
#include "notify/notifier.h"

#define VECTOR 0x41 /* what the tests' handlers are for */

struct bench {
	struct world *w;
	struct irqchip *chip;
	struct vcpu *v[2];
	struct iobus *bus;
	struct memview *view;
	struct pci_bus *pci;
	uint64_t events[EV_COUNT];
	struct event last[EV_COUNT]; /* the last of each kind */
	int hits; /* interrupts that a test's handler saw */
	int order[16], ordered; /* a test's own log */
	void *extra;
};

static struct bench *bench;

static void
bench_observe(struct world *w, const struct event *e, void *context)
{
	(void)w;
	(void)context;
	bench->events[e->kind]++;
	bench->last[e->kind] = *e;
}

static inline void
note_order(int what)
{
	assert_true(bench->ordered < 16);
	bench->order[bench->ordered++] = what;
}

/* The usual handler: counts. */
static inline void
count_hit(struct vcpu *v, unsigned vector, void *arg)
{
	(void)v;
	(void)vector;
	(void)arg;
	bench->hits++;
}

static void (*bench_more)(struct world *w);

static void
bench_setup(struct world *w, void *arg)
{
	(void)arg;
	bench = world_alloc(w, sizeof(*bench));
	bench->w = w;
	world_observe(w, EV_COUNT, bench_observe, NULL);
	bench->chip = irqchip_create(w);
	for (uint32_t i = 0; i < 2; i++) {
		bench->v[i] = vcpu_create(w, i);
		irqchip_add_vcpu(bench->chip, bench->v[i]);
		vcpu_set_handler(bench->v[i], VECTOR, count_hit, NULL, VCPU_EOI_FIRST);
	}
	bench->bus = iobus_create(w);
	bench->view = memview_create(w, bench->bus);
	bench->pci = pci_bus_create(w, bench->view);
	if (bench_more)
		bench_more(w);
}

/* A world after set-up; @more adds to the bench. */
static inline struct world *
bench_world(void (*more)(struct world *w))
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);

	assert_non_null(w);
	bench_more = more;
	if (world_setup(w, bench_setup, NULL, &err))
		fail_msg("%s", err.text);
	world_snapshot(w);
	return w;
}

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose_random(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	(void)w;
	(void)kind;
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

/* One run; @seed 0 is the plain schedule. */
static inline void
bench_run(struct world *w, uint64_t seed)
{
	struct random_chooser r = { { choose_random }, { { 0 } } };

	prng_seed(&r.prng, seed);
	world_set_chooser(w, seed ? &r.base : &chooser_first);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	world_set_chooser(w, &chooser_first);
}

/*
 * Run @runs schedules with @fault; how many end with @bad() true.  The world is restored after
 * each.
 */
static inline int
bench_explore(struct world *w, int runs, enum fault fault, bool (*bad)(void))
{
	int found = 0;

	for (int i = 0; i < runs; i++) {
		if (fault)
			fault_set(w, fault, true);
		bench_run(w, (uint64_t)i);
		found += bad();
		world_restore(w);
	}
	return found;
}

/* An actor bound to vCPU @cpu. */
static inline struct actor *
bench_task(const char *name, actor_fn fn, void *arg, int cpu)
{
	struct actor *a = actor_create(bench->w, name, fn, arg, 0);

	vcpu_bind(bench->v[cpu], a);
	return a;
}

static inline bool
no_hit(void)
{
	return bench->hits == 0;
}

#endif
