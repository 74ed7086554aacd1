/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged scenarios: loaded, set up, and run under a few schedules.  Whatever the script does, the
 * program goes on and says what was wrong; and the same schedule gives the same digest.
 */
#include "engine/world.h"
#include "explore/strategy.h"
#include "fuzz_input.h"
#include "script/scenario.h"

static const char *const words[] = { "nil",
				     "{}",
				     "function() end",
				     "end",
				     "return ",
				     "local ",
				     "while true do end ",
				     "error{} ",
				     "error(nil) ",
				     "pcall(",
				     "(",
				     ")",
				     "{",
				     "}",
				     "\"",
				     "--[[",
				     "]]",
				     "goto x ",
				     "::x::",
				     "..",
				     "...",
				     " = ",
				     "setmetatable({}, {",
				     "__index = function(t, k) return t[k] end",
				     "__tostring = 1",
				     "__name = 1",
				     "__pairs = print",
				     "coroutine.wrap(",
				     "string.rep('x', 1 << 40)",
				     "table.concat(",
				     "sleep(1) ",
				     "sleep(-1) ",
				     "point() ",
				     "yield() ",
				     "violate('hang', 'a', 'b') ",
				     "actor('a', function() ",
				     "machine{} ",
				     "_ENV = nil ",
				     "math.huge",
				     "0/0",
				     "1 << 63",
				     "math.mininteger",
				     "print(_G) ",
				     "choice(",
				     "note(",
				     "metric('m', ",
				     "for i = 1, 1e9 do point() end ",
				     "expect = \"ok\"",
				     "runs = 1e18",
				     "select(-1) ",
				     "utf8.char(-1) " };
static const char *const files[] = {
	"tests/cli/data/lost-wakeup.lua",	  "scenarios/kick/smallest.lua",
	"scenarios/kick/vhost-worker-wake.lua",	  "scenarios/irq/call-while-masked.lua",
	"scenarios/irq/vhost-init-masked.lua",	  "scenarios/kvm/slot-window.lua",
	"scenarios/suppress/stale-used-event.lua"
};
#define FILES (sizeof(files) / sizeof(files[0]))

static struct input examples[FILES];

static uint64_t
run(struct fuzz *f, struct world *w, struct strategy *strategy, uint64_t index)
{
	struct finding finding;
	struct error err = { "" };
	enum stop stop;

	world_restore(w);
	fuzz_check(f, strategy->ops->begin(strategy, w, index));
	world_set_chooser(w, &strategy->chooser);
	stop = world_run(w);
	if (stop == STOP_ERROR)
		input_check_error(f, world_error(w));
	else if (scenario_judge(w, stop, &finding, &err) == VERDICT_BUDGET && err.text[0])
		input_check_error(f, &err);
	return world_digest(w);
}

static void
run_some(struct fuzz *f, struct world *w)
{
	struct strategy *strategy = strategy_create(
		&strategy_random, &(struct strategy_config){ .seed = f->seed + f->round }, NULL);

	for (uint64_t i = 0; i < 3; i++) {
		uint64_t digest = run(f, w, strategy, i);

		fuzz_check(f, run(f, w, strategy, i) == digest);
	}
	strategy_destroy(strategy);
}

static void
round_one(struct fuzz *f)
{
	const char *path = input_path("damaged.lua");
	struct error err = { "" };
	struct scenario s;
	struct input in;

	input_watch(f);
	in = input_damage(f, examples, FILES, INPUT_WORDS(words));
	input_write(path, &in);
	if (scenario_load(path, &s, &err)) {
		input_check_error(f, &err);
	} else {
		const struct scenario_variant *variant = &s.variant[fuzz_below(f, s.variants)];
		struct scenario_values values;
		struct world *w;

		scenario_values_init(&values, &s, variant);
		if (s.steps_max > 20000 || !s.steps_max)
			s.steps_max = 20000;
		w = scenario_set_up(&s, variant, &values, NULL, &err);
		if (w)
			run_some(f, w);
		else
			input_check_error(f, &err);
		world_destroy(w);
		scenario_values_free(&values);
	}
	scenario_free(&s);
	free(in.data);
}

int
main(int argc, char **argv)
{
	static const char *const names[] = { "damaged.lua" };
	int status;

	for (unsigned i = 0; i < FILES; i++)
		examples[i] = input_read(files[i]);
	status = fuzz_main(argc, argv, "input_scenario", 5000, round_one);
	input_remove(names, 1);
	return status;
}
