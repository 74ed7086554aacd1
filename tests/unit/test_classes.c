/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes of schedules: as many as there are, and estimates that cover the truth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/prng.h"
#include "engine/switch.h"
#include "engine/world.h"
#include "explore/classes.h"
#include "explore/explorer.h"
#include "explore/strategy.h"
#include "virtio/wakeup.h"

/* --- of the wake-up ring, whose number is known --------------------------------------------- */

static unsigned items;

static void
setup_ring(struct world *w, void *arg)
{
	wakeup_create(w, items, &(struct ring_wakeup_quirks){ 0 });
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return VERDICT_OK;
}

static uint64_t
count_classes(const struct strategy_ops *ops, uint64_t schedules)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct strategy_config how = { .seed = 3, .depth = 3, .bound = 1000 };
	struct strategy *s = strategy_create(ops, &how, &err);
	struct class_watch *watch = class_watch_create();
	struct classes seen = { 0 };
	uint64_t found;

	assert_int_equal(world_setup(w, setup_ring, NULL, &err), 0);
	world_snapshot(w);
	for (uint64_t i = 0; i < schedules; i++) {
		uint64_t digest, class;
		enum stop stop;

		world_restore(w);
		if (!s->ops->begin(s, w, i))
			break;
		class_watch_begin(watch, w);
		stop = world_run(w);
		class = class_watch_end(watch);
		digest = world_digest(w);
		if (s->ops->end)
			s->ops->end(s, w, stop);
		assert_int_not_equal(digest, 0);
		classes_add(&seen, class);
	}
	found = seen.used;
	classes_free(&seen);
	class_watch_destroy(watch);
	strategy_destroy(s);
	world_destroy(w);
	return found;
}

static void
the_wakeup_ring_has_as_many(void **state)
{
	items = 1;
	assert_int_equal(count_classes(&strategy_bounded, 1000000), 6);
#if !SWITCH_ASAN /* some hundred times slower there */
	items = 2;
	assert_int_equal(count_classes(&strategy_bounded, 1000000), 45);
	assert_int_equal(count_classes(&strategy_random, 100000), 45);
	items = 3;
	uint64_t most = count_classes(&strategy_random, 60000);

	assert_true(most > 250 && most <= 354); /* `bounded` finds all, in half a minute */
#endif
}

/* --- estimates ------------------------------------------------------------------------------ */

/* Class 1 … of a distribution over @classes; @skew 0: all alike, else each rarer than the last. */
static unsigned
draw(struct prng *prng, const double *upto, unsigned classes)
{
	double x = (double)(prng_next(prng) >> 11) * 0x1p-53;
	unsigned i = 0;

	while (i + 1 < classes && x >= upto[i])
		i++;
	return i;
}

struct trial {
	unsigned unseen_covered, all_covered, all_above, trials;
	double unseen_off; /* mean of estimate - truth */
};

static void
try_estimates(unsigned classes, unsigned draws, double skew, struct trial *t)
{
	double *part = calloc(classes, sizeof(*part)), *upto = calloc(classes, sizeof(*upto));
	bool *seen = calloc(classes, sizeof(*seen));
	double sum = 0;
	struct prng prng;

	prng_seed(&prng, classes + draws);
	for (unsigned i = 0; i < classes; i++)
		sum += part[i] = pow(i + 1.0, -skew);
	for (unsigned i = 0; i < classes; i++) {
		part[i] /= sum;
		upto[i] = part[i] + (i ? upto[i - 1] : 0);
	}
	*t = (struct trial){ .trials = 400 };
	for (unsigned k = 0; k < t->trials; k++) {
		struct classes c = { 0 };
		struct classes_estimate e;
		double unseen = 1;

		for (unsigned i = 0; i < classes; i++)
			seen[i] = false;
		for (unsigned i = 0; i < draws; i++) {
			unsigned class = draw(&prng, upto, classes);

			classes_add(&c, hash_u64(class + 1));
			unseen -= seen[class] ? 0 : part[class];
			seen[class] = true;
		}
		classes_estimate(&c, &e);
		t->unseen_covered += fabs(e.unseen.value - unseen) <= 2 * e.unseen.error;
		t->unseen_off += (e.unseen.value - unseen) / t->trials;
		t->all_covered += fabs(e.all.value - classes) <= 2 * e.all.error;
		t->all_above += e.all.value - 2 * e.all.error > classes;
		assert_true(e.seen.value <= classes && e.seen.value > 0 && e.seen.error == 0);
		assert_true(e.all.value >= e.seen.value);
		classes_free(&c);
	}
	free(part);
	free(upto);
	free(seen);
}

static void
errors_cover_the_truth(void **state)
{
	static const struct {
		unsigned classes, draws;
		double skew;
	} cases[] = { { 45, 60, 0 },   { 45, 200, 0 },	 { 300, 300, 0 },    { 300, 900, 0 },
		      { 300, 300, 1 }, { 300, 2000, 1 }, { 2000, 1000, 0.5 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trial t;

		try_estimates(cases[i].classes, cases[i].draws, cases[i].skew, &t);
		/* Two errors are 95 %; of skewed classes Chao's is a lower bound. */
		assert_true(t.unseen_covered >= 0.9 * t.trials);
		assert_true(fabs(t.unseen_off) < 0.006);
		assert_true(t.all_above <= 0.03 * t.trials);
		if (cases[i].skew == 0)
			assert_true(t.all_covered >= 0.86 * t.trials);
	}
}

static void
a_part_stands_for_all(void **state)
{
	const uint64_t classes = 4 * (uint64_t)CLASSES_KEPT;
	struct classes c = { 0 };
	struct classes_estimate e;
	struct prng prng;

	prng_seed(&prng, 11);
	for (uint64_t i = 0; i < 3 * classes; i++)
		classes_add(&c, hash_u64(1 + prng_next(&prng) % classes));
	classes_estimate(&c, &e);
	assert_true(c.halved >= 2 && c.used <= CLASSES_KEPT);
	/* 1 - exp(-3) of them were seen. */
	assert_true(fabs(e.seen.value - (double)classes * (1 - exp(-3))) < 4 * e.seen.error);
	assert_true(fabs(e.unseen.value - exp(-3)) < 4 * e.unseen.error);
	assert_true(e.unseen.error < 0.002);
	assert_true(fabs(e.all.value - (double)classes) < 4 * e.all.error);
	assert_true(e.all.error < 0.02 * (double)classes);
	classes_free(&c);
}

/* All schedules of the ring within a bound, and what some runs at random say of their number. */
static void
bounded_estimates_its_tree(void **state)
{
	for (unsigned bound = 0; bound < 7; bound++) {
		struct error err;
		struct world *w =
			world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
		struct strategy_config how = { .bound = bound / 2, .delays = bound % 2 };
		struct explorer_config config = { .judge = judge };
		struct explorer_result r;
		struct estimate all;

		items = 2;
		assert_int_equal(world_setup(w, setup_ring, NULL, &err), 0);
		world_snapshot(w);
		config.strategy = strategy_create(&strategy_bounded, &how, &err);
		assert_int_equal(explorer_run(w, &config, &r), 0);
		assert_true(strategy_bounded.estimate(config.strategy, w, 1000, &all));
		assert_true(fabs(all.value - (double)r.schedules) <= 3 * all.error + 1e-6);
		assert_true(all.error < 0.1 * all.value);
		strategy_destroy(config.strategy);
		explorer_result_free(&r);
		world_destroy(w);
	}
}

/* --- the way through a tree ----------------------------------------------------------------- */

static void
stretches_of_a_straight_way(void **state)
{
	struct stretches s = { .length = 1 };
	struct estimate all;

	for (uint64_t done = 1; done <= 777; done++) {
		if (stretches_due(&s, done))
			stretches_note(&s, (double)done / 1000);
		stretches_estimate(&s, done, (double)done / 1000, &all);
		if (done < 4)
			assert_true(all.value == 0);
		else
			assert_true(fabs(all.value - 1000) < 1e-6 && all.error < 1e-3);
	}
	assert_true(s.count <= STRETCHES_MAX && s.length == 32);
}

/* Parts of very different size, in any order: the errors cover the truth. */
static void
stretches_of_a_rough_way(void **state)
{
	const uint64_t leaves = 3000;
	double *weight = calloc(leaves, sizeof(*weight));
	struct prng prng;
	unsigned covered = 0, trials = 0;

	prng_seed(&prng, 5);
	for (unsigned k = 0; k < 200; k++) {
		struct stretches s = { .length = 1 };
		struct estimate all;
		uint64_t stop = 300 + prng_below(&prng, 2400);
		double sum = 0, behind = 0;

		for (uint64_t i = 0; i < leaves; i++)
			sum += weight[i] = pow(2, -(double)prng_below(&prng, 8));
		for (uint64_t done = 1; done <= stop; done++) {
			behind += weight[done - 1] / sum;
			if (stretches_due(&s, done))
				stretches_note(&s, behind);
		}
		stretches_estimate(&s, stop, behind, &all);
		covered += fabs(all.value - (double)leaves) <= 2 * all.error;
		assert_true(all.error < 0.3 * all.value);
		trials++;
	}
	free(weight);
	assert_true(covered >= 0.9 * trials);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wakeup_ring_has_as_many),
		cmocka_unit_test(errors_cover_the_truth),
		cmocka_unit_test(a_part_stands_for_all),
		cmocka_unit_test(bounded_estimates_its_tree),
		cmocka_unit_test(stretches_of_a_straight_way),
		cmocka_unit_test(stretches_of_a_rough_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
