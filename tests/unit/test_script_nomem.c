/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The n-th allocation of a scenario fails, for n = 1, 2, … until the scenario does not notice:
 * once, and for ever. While it is loaded and set up, while it runs, while it is judged: always an
 * error of one line, or the run that it would have been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "engine/world.h"
#include "oracle/oracle.h"
#include "script/lua_world.h"
#include "script/scenario.h"

static const char *const files[] = { "tests/cli/data/lost-wakeup.lua",
				     "scenarios/kick/smallest.lua",
				     "scenarios/irq/call-while-masked.lua" };

static void
check_error(const struct error *err)
{
	assert_true(err->text[0]);
	for (const char *c = err->text; *c; c++)
		assert_true((unsigned char)*c >= ' ');
}

/* Step through small numbers, then by larger strides: each place of the code is met, not each
 * allocation. */
static uint64_t
next(uint64_t n)
{
	return n + 1 + n / 60;
}

/* --- set-up --------------------------------------------------------------------------------- */

/* What scenario_set_up() does, in a world whose arena is at hand. */
static void
set_up(struct world *w, void *arg)
{
	const struct scenario *s = arg;
	struct script *script;

	oracle_attach(w);
	script = script_create(w, s->path);
	script_run_source(script, s->path, s->source, s->source_bytes);
	script->loading = false;
	lua_getfield(script->L, -1, "setup");
	lua_createtable(script->L, 0, (int)s->params);
	for (unsigned i = 0; i < s->params; i++) {
		if (s->param[i].type == PARAM_INTEGER)
			lua_pushinteger(script->L, strtoll(s->param[i].value, NULL, 0));
		else if (s->param[i].type == PARAM_BOOLEAN)
			lua_pushboolean(script->L, !strcmp(s->param[i].value, "true"));
		else
			lua_pushstring(script->L, s->param[i].value);
		lua_setfield(script->L, -2, s->param[i].name);
	}
	script_call(script->L, 1, 0);
}

/* 0, or -1 after an error. */
static int
set_up_failing(struct scenario *s, uint64_t n, bool forever)
{
	struct world_config config = { .mode = s->mode };
	struct error err = { "" };
	struct world *w = world_create(&config, &err);
	int ret;

	assert_non_null(w);
	arena_fail_nth(world_arena(w), n, forever);
	ret = world_setup(w, set_up, s, &err);
	if (ret)
		check_error(&err);
	world_destroy(w);
	return ret;
}

static void
test_set_up(void **state)
{
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct error err = { "" };
		struct scenario s;
		uint64_t n = 1;

		if (scenario_load(files[i], &s, &err))
			fail_msg("%s", err.text);
		while (set_up_failing(&s, n, true))
			n = next(n);
		assert_true(n > 500); /* it did fail */
		for (uint64_t k = 1; k < n; k = next(k))
			set_up_failing(&s, k, false);
		scenario_free(&s);
	}
}

/* --- run and judgement ---------------------------------------------------------------------- */

struct outcome {
	enum stop stop;
	uint64_t digest;
	enum verdict verdict;
};

static struct outcome
run(struct world *w, uint64_t n, bool forever)
{
	struct outcome o;
	struct finding f;
	struct error err = { "" };

	world_restore(w);
	arena_fail_nth(world_arena(w), n, forever);
	o.stop = world_run(w);
	o.digest = world_digest(w);
	o.verdict = VERDICT_BUDGET;
	if (o.stop == STOP_ERROR)
		check_error(world_error(w));
	else
		o.verdict = scenario_judge(w, o.stop, &f, &err);
	if (o.stop != STOP_ERROR && o.verdict == VERDICT_BUDGET && err.text[0])
		check_error(&err);
	arena_fail_nth(world_arena(w), 0, false);
	return o;
}

static bool
same(struct outcome a, struct outcome b)
{
	return a.stop == b.stop && a.digest == b.digest && a.verdict == b.verdict;
}

static void
run_all(struct scenario *s, const struct scenario_variant *variant)
{
	struct scenario_values values;
	struct outcome good;
	struct error err = { "" };
	struct world *w;
	uint64_t n = 1;

	scenario_values_init(&values, s, variant);
	w = scenario_set_up(s, variant, &values, NULL, &err);
	if (!w)
		fail_msg("%s", err.text);
	good = run(w, 0, false);
	while (!same(good, run(w, n, true))) {
		n++;
		assert_true(n < 100000);
	}
	assert_true(n > 1); /* it did fail */
	for (uint64_t k = 1; k < n; k++)
		run(w, k, false);
	assert_true(same(good, run(w, 0, false))); /* nothing of it stays */
	world_destroy(w);
	scenario_values_free(&values);
}

static void
test_run(void **state)
{
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct error err = { "" };
		struct scenario s;

		if (scenario_load(files[i], &s, &err))
			fail_msg("%s", err.text);
		for (unsigned k = 0; k < s.variants; k++)
			run_all(&s, &s.variant[k]);
		scenario_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_up),
		cmocka_unit_test(test_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
