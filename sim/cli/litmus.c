/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside litmus: C litmus tests of the Linux kernel's memory model, on the engine.  What is
 * printed has the form of herd's output, so that scripts which compare tools can read it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/runner.h"
#include "script/litmus_build.h"
#include "script/litmus_run.h"

struct litmus_command {
	const struct options *o;
	struct litmus_test *t; /* the one that runs */
	struct litmus_config config;
	struct litmus_result r;
	bool weak;
	bool broken_dependency; /* no outcome without one satisfies the condition */
	struct error *err;
};

/* --- running -------------------------------------------------------------------------------- */

/* An exit status, with a text in the error unless it is EXIT_HELD. */
static int
build(const struct litmus_command *c, bool order_dependencies, struct litmus_code *code)
{
	switch (litmus_build(&c->t, 1, c->weak, order_dependencies, code, c->err)) {
	case LITMUS_BUILT:
		return EXIT_HELD;
	case LITMUS_NO_COMPILER:
		return EXIT_SKIPPED;
	case LITMUS_BUILD_FAILED:
		error_prefix(c->err, "%s", c->t->path);
	}
	return EXIT_USAGE;
}

static bool
feeds(const struct litmus_expr *e)
{
	return e && (e->feeds || feeds(e->arg[0]) || feeds(e->arg[1]) || feeds(e->arg[2]));
}

static bool
has_dependency(const struct litmus_stmt *s)
{
	for (; s; s = s->next)
		if (feeds(s->right) || has_dependency(s->then) || has_dependency(s->otherwise))
			return true;
	return false;
}

/*
 * The weak model cannot see dependencies and breaks them.  Run again with those loads ordered: if
 * the outcome is gone, it was that.
 */
static int
look_for_dependency(struct litmus_command *c)
{
	struct litmus_result ordered;
	struct litmus_code code;
	bool any = false;
	int status;

	for (unsigned i = 0; i < c->t->procs; i++)
		any |= has_dependency(c->t->proc[i].body);
	/* What is allowed needs no excuse. */
	if (!c->weak || !c->r.positive || !any || (c->t->result && strcmp(c->t->result, "Never")))
		return EXIT_HELD;
	status = build(c, true, &code);
	if (status != EXIT_HELD)
		return status;
	if (litmus_run(c->t, &code, &c->config, &ordered, c->err))
		status = EXIT_USAGE;
	c->broken_dependency = status == EXIT_HELD && ordered.complete && !ordered.positive;
	litmus_result_free(&ordered);
	litmus_unload(&code);
	return status;
}

/* --- printing ------------------------------------------------------------------------------- */

static void
print_value(const struct litmus_command *c, const struct litmus_shown *s, int64_t value)
{
	struct litmus_type type =
		s->proc < 0 ? c->t->global[s->index].type : c->t->proc[s->proc].reg[s->index].type;

	for (unsigned i = 0; type.stars && i < c->t->globals; i++) {
		if (value == LITMUS_ADDRESS(i)) {
			fputs(c->t->global[i].name, stdout);
			return;
		}
	}
	printf("%" PRId64, value);
}

static void
print_outcome(const struct litmus_command *c, const struct litmus_outcome *o)
{
	char name[300];

	printf("%-6" PRIu64 "%c>", o->count, o->holds ? '*' : ':');
	for (unsigned i = 0; i < c->t->shows; i++) {
		litmus_shown_name(c->t, i, name, sizeof(name));
		printf("%s%s=", i ? " " : "", name);
		print_value(c, &c->t->shown[i], o->value[i]);
		putchar(';');
	}
	putchar('\n');
}

static const char *
observation(const struct litmus_result *r)
{
	return !r->positive ? "Never" : !r->negative ? "Always" : "Sometimes";
}

static void
print_observation(const struct litmus_command *c)
{
	printf("Observation %s %s %" PRIu64 " %" PRIu64 "%s%s\n", c->t->name, observation(&c->r),
	       c->r.positive, c->r.negative, c->r.complete ? "" : " (incomplete)",
	       c->broken_dependency ? " (broken dependency)" : "");
}

static void
print_result(const struct litmus_command *c)
{
	static const char *const kind[] = { "Allowed", "Forbidden", "Required" };
	const struct litmus_result *r = &c->r;
	bool ok = c->t->quantifier == LITMUS_EXISTS	  ? r->positive
		  : c->t->quantifier == LITMUS_NOT_EXISTS ? !r->positive
							  : !r->negative;

	printf("Test %s %s\nStates %zu\n", c->t->name, kind[c->t->quantifier], r->outcomes);
	for (size_t i = 0; i < r->outcomes; i++)
		print_outcome(c, &r->outcome[i]);
	printf("%s\nWitnesses\nPositive: %" PRIu64 " Negative: %" PRIu64 "\nCondition %s\n",
	       ok ? "Ok" : "No", r->positive, r->negative, c->t->condition_text);
	if (c->broken_dependency)
		printf("Note: only with a broken dependency: ordering the loads that addresses, "
		       "stored values\n"
		       "or conditions come from removes it\n");
}

/* --- expectations --------------------------------------------------------------------------- */

/* Against the comment's "Result:"; a model may allow less than LKMM does, not more. */
static int
check_expectation(const struct litmus_command *c)
{
	const char *result = c->t->result;
	bool wrong = false;

	if (!c->o->expect || !result)
		return EXIT_HELD;
	if (!strcmp(result, "Never"))
		wrong = c->r.positive && !c->broken_dependency;
	else if (!strcmp(result, "Always"))
		wrong = c->r.negative;
	if (!wrong)
		return EXIT_HELD;
	fprintf(stderr, "ringside: %s: %s under %s, but the memory model says %s\n", c->t->path,
		observation(&c->r), memory_model_name[c->config.memory], result);
	return EXIT_BROKEN;
}

/* --- the command ---------------------------------------------------------------------------- */

static int
report(struct litmus_command *c, bool quiet, int64_t began_ns)
{
	if (!quiet)
		print_result(c);
	print_observation(c);
	if (!quiet && isatty(STDOUT_FILENO))
		printf("Time %s %.2f\n", c->t->name, (double)(runner_clock(NULL) - began_ns) / 1e9);
	if (!quiet)
		putchar('\n');
	fflush(stdout);
	if (check_expectation(c))
		return EXIT_BROKEN;
	return c->r.complete ? EXIT_HELD : EXIT_BUDGET;
}

/* @code may have been built with others. */
static int
run_test(struct litmus_command *c, struct litmus_code *code)
{
	int64_t began_ns = runner_clock(NULL);
	int status = EXIT_HELD;

	if (c->t->unsupported) {
		error_set(c->err, "%s: skipped: %s() is not modelled", c->t->path,
			  c->t->unsupported->name);
		return EXIT_SKIPPED;
	}
	if (!code->handle)
		status = build(c, false, code);
	if (status == EXIT_HELD && litmus_run(c->t, code, &c->config, &c->r, c->err))
		status = EXIT_USAGE;
	if (status == EXIT_HELD)
		status = look_for_dependency(c);
	if (status == EXIT_HELD)
		status = report(c, c->o->quiet, began_ns);
	litmus_result_free(&c->r);
	return status;
}

/* The one that says more: 2 before 1 before 124 before 0; 77 only if nothing was run. */
static int
worse(int a, int b)
{
	static const int order[] = { EXIT_USAGE, EXIT_BROKEN, EXIT_BUDGET, EXIT_HELD };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return EXIT_SKIPPED;
}

static int
configure(const struct options *o, struct litmus_config *config, struct error *err)
{
	int memory = memory_model_find(o->memory_given ? o->memory : "tso", err);

	if (memory < 0)
		return -1;
	*config = (struct litmus_config){ .memory = (enum memory_model)memory,
					  .strategy_config = { .seed = o->seed,
							       .depth = o->depth,
							       .bound = o->bound,
							       .delays = o->bound_delays },
					  .runs_max = o->runs,
					  .time_max_ns = o->time_ns,
					  .clock = runner_clock,
					  .interrupted = &runner_interrupted };
	config->strategy = &strategy_dpor;
	if (o->strategy_given && !strcmp(o->strategy, litmus_search.name))
		config->strategy = NULL;
	else if (o->strategy_given && !(config->strategy = strategy_find(o->strategy, err)))
		return -1;
	if (config->strategy && !config->strategy->exhaustive && !o->runs && !o->time_ns)
		return error_set(err,
				 "strategy %s never ends: give it a number of schedules (--runs) "
				 "or a time (--time)",
				 o->strategy);
	return 0;
}

/* Say what is wrong, if anything is; it is not the end. */
static void
complain(struct error *err)
{
	if (err->text[0])
		fprintf(stderr, "ringside: %s\n", err->text);
	err->text[0] = 0;
}

/*
 * All at once, because the compiler takes longer to start than to compile a test.  If one of them
 * does not compile, each is built by itself later.
 */
static void
build_all(const struct litmus_command *c, struct litmus_test **tests, struct litmus_code *code,
	  unsigned count)
{
	struct litmus_test **good = calloc(count, sizeof(struct litmus_test *));
	struct litmus_code *built = calloc(count, sizeof(*built));
	struct error ignored;
	unsigned n = 0;

	must(good && built);
	for (unsigned i = 0; i < count; i++)
		if (tests[i] && !tests[i]->unsupported)
			good[n++] = tests[i];
	if (n > 1 && litmus_build(good, n, c->weak, false, built, &ignored) == LITMUS_BUILT)
		for (unsigned i = 0, k = 0; i < count; i++)
			if (tests[i] && !tests[i]->unsupported)
				code[i] = built[k++];
	free(good);
	free(built);
}

/* Load, build, run, free. */
static int
run_all(struct litmus_command *c, struct litmus_test **tests, struct litmus_code *code,
	unsigned count)
{
	int all = EXIT_SKIPPED;

	for (unsigned i = 0; i < count; i++) {
		tests[i] = litmus_load(c->o->args[i], c->err);
		if (!tests[i])
			all = EXIT_USAGE;
		complain(c->err);
	}
	build_all(c, tests, code, count);
	for (unsigned i = 0; i < count; i++) {
		c->t = tests[i];
		c->broken_dependency = false;
		if (tests[i] && !runner_interrupted)
			all = worse(all, run_test(c, &code[i]));
		complain(c->err);
		litmus_unload(&code[i]);
		litmus_free(tests[i]);
	}
	return all;
}

int
command_litmus(const struct options *o, struct error *err)
{
	struct litmus_command c = { .o = o, .err = err };
	unsigned count = (unsigned)o->arg_count;
	struct litmus_test **tests;
	struct litmus_code *code;
	int status;

	if (configure(o, &c.config, err))
		return EXIT_USAGE;
	c.weak = c.config.memory == MEMORY_WEAK;
	must(tests = calloc(count, sizeof(struct litmus_test *)));
	must(code = calloc(count, sizeof(*code)));
	status = run_all(&c, tests, code, count);
	free(tests);
	free(code);
	return runner_interrupted && status != EXIT_BROKEN ? EXIT_BUDGET : status;
}
