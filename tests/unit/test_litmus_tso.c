/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The outcomes of litmus tests, set by set: under sc and tso against an x86-TSO machine
 * (litmus_machine.h), each strategy against all schedules, and each model against the stronger one:
 * what that shows, the weaker one shows, too.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "litmus_machine.h"

/* --- comparing ------------------------------------------------------------------------------ */

static void
run(struct litmus_test *t, const struct litmus_code *code, enum memory_model memory,
    const struct strategy_ops *strategy, struct litmus_result *r)
{
	struct litmus_config config = { .memory = memory, .strategy = strategy };
	struct error err = { "" };

	if (litmus_run(t, code, &config, r, &err))
		fail_msg("%s", err.text);
	assert_true(r->complete);
}

static void
compare_with_machine(struct litmus_test *t, const struct litmus_result *r, enum memory_model memory)
{
	const char *wrong = machine_compare(t, r, memory == MEMORY_TSO);

	if (wrong)
		fail_msg("%s: under %s, %s", t->path, memory_model_name[memory], wrong);
}

/* Distinct states are more than executions where loads have choices: a bound on the time. */
#define STATES_SCHEDULES_MAX 300u

static void
compare_strategies(struct litmus_test *t, const struct litmus_code *code, enum memory_model memory,
		   const struct litmus_result *all)
{
	const struct strategy_ops *const strategy[] = { &strategy_dpor, &strategy_states };

	for (unsigned i = 0; i < 2; i++) {
		struct litmus_result r;

		if (strategy[i] == &strategy_states && all->schedules > STATES_SCHEDULES_MAX)
			continue;
		run(t, code, memory, strategy[i], &r);
		if (!outcomes_within(t, &r, all) || !outcomes_within(t, all, &r))
			fail_msg("%s: under %s, %s finds %zu outcomes, all schedules %zu", t->path,
				 memory_model_name[memory], strategy[i]->name, r.outcomes,
				 all->outcomes);
		litmus_result_free(&r);
	}
}

static void
compare_test(struct litmus_test *t, const struct litmus_code *strong,
	     const struct litmus_code *weak)
{
	struct litmus_result r[MEMORY_MODELS];

	for (int i = 0; i < MEMORY_MODELS; i++) {
		enum memory_model m = (enum memory_model)i;
		const struct litmus_code *code = m == MEMORY_WEAK ? weak : strong;

		run(t, code, m, NULL, &r[m]);
		compare_strategies(t, code, m, &r[m]);
		/* Grace periods are no machine's. */
		if (m != MEMORY_WEAK && !t->has_rcu_sync)
			compare_with_machine(t, &r[m], m);
	}
	if (!outcomes_within(t, &r[MEMORY_SC], &r[MEMORY_TSO]))
		fail_msg("%s: sc shows an outcome that tso does not", t->path);
	/* Parts of a granule are not told apart under weak. */
	if (strcmp(t->name, "SB+mixed") != 0 &&
	    !outcomes_within(t, &r[MEMORY_TSO], &r[MEMORY_WEAK]))
		fail_msg("%s: tso shows an outcome that weak does not", t->path);
	for (int m = 0; m < MEMORY_MODELS; m++)
		litmus_result_free(&r[m]);
}

#define FILES_MAX 100

static void
compare_all(const char *pattern)
{
	static struct litmus_test *t[FILES_MAX];
	static struct litmus_code strong[FILES_MAX], weak[FILES_MAX];
	struct error err = { "" };
	enum litmus_built built;
	unsigned count = 0;
	glob_t files;

	if (glob(pattern, 0, NULL, &files)) {
		print_message("no %s\n", pattern);
		skip();
	}
	for (; count < files.gl_pathc && count < FILES_MAX; count++) {
		t[count] = litmus_load(files.gl_pathv[count], &err);
		if (!t[count])
			fail_msg("%s", err.text);
	}
	globfree(&files);
	built = litmus_build(t, count, false, false, strong, &err);
	if (built == LITMUS_BUILT)
		built = litmus_build(t, count, true, false, weak, &err);
	if (built == LITMUS_BUILD_FAILED)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < count; i++) {
		if (built == LITMUS_BUILT)
			compare_test(t[i], &strong[i], &weak[i]);
		litmus_unload(&strong[i]);
		litmus_unload(&weak[i]);
		litmus_free(t[i]);
	}
	if (built == LITMUS_NO_COMPILER) {
		print_message("%s\n", err.text);
		skip();
	}
}

static void
our_tests(void **state)
{
	compare_all("tests/litmus/*.litmus");
}

/* Made by `make litmus`, or with the linux datapath, from an installed kernel source. */
static void
kernel_tests(void **state)
{
	compare_all("build/linux-source/tools/memory-model/litmus-tests/*.litmus");
}

static void
kernel_documentation(void **state)
{
	compare_all("build/linux-source/Documentation/litmus-tests/*/*.litmus");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_tests),
		cmocka_unit_test(kernel_tests),
		cmocka_unit_test(kernel_documentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
