/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside litmus: C litmus tests of the Linux kernel's memory model, on the engine.  What is
 * printed has the form of herd's output, so that scripts which compare tools can read it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/runner.h"
#include "script/litmus_build.h"
#include "script/litmus_run.h"

struct litmus_command {
	const struct options *o;
	const struct litmus_test *t;
	struct litmus_config config;
	struct litmus_result r;
	bool weak;
	bool broken_dependency; /* no outcome without one satisfies the condition */
	struct error *err;
};

/* --- running -------------------------------------------------------------------------------- */

/* Compile and run; an exit status, with a text in the error unless it is EXIT_HELD. */
static int
build_and_run(const struct litmus_command *c, bool order_dependencies, struct litmus_result *r)
{
	struct litmus_code code;
	int status = EXIT_HELD;

	switch (litmus_build(c->t, c->weak, order_dependencies, &code, c->err)) {
	case LITMUS_BUILT:
		break;
	case LITMUS_NO_COMPILER:
		return EXIT_SKIPPED;
	case LITMUS_BUILD_FAILED:
		return EXIT_USAGE;
	}
	if (litmus_run(c->t, &code, &c->config, r, c->err))
		status = EXIT_USAGE;
	litmus_unload(&code);
	return status;
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
	bool any = false;
	int status;

	for (unsigned i = 0; i < c->t->procs; i++)
		any |= has_dependency(c->t->proc[i].body);
	/* What is allowed needs no excuse. */
	if (!c->weak || !c->r.positive || !any || (c->t->result && strcmp(c->t->result, "Never")))
		return EXIT_HELD;
	status = build_and_run(c, true, &ordered);
	if (status != EXIT_HELD)
		return status;
	c->broken_dependency = ordered.complete && !ordered.positive;
	litmus_result_free(&ordered);
	return EXIT_HELD;
}

/* --- printing ------------------------------------------------------------------------------- */

static void
print_value(const struct litmus_command *c, const struct litmus_shown *s, int64_t value)
{
	struct litmus_type type =
		s->proc < 0 ? c->t->global[s->index].type : c->t->proc[s->proc].reg[s->index].type;

	for (unsigned i = 0; type.stars && i < c->t->globals; i++) {
		if (value == c->r.address[i]) {
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

static int
run_test(struct litmus_command *c)
{
	int64_t began_ns = runner_clock(NULL);
	int status;

	if (c->t->unsupported) {
		error_set(c->err, "%s: skipped: %s() is not modelled", c->t->path,
			  c->t->unsupported->name);
		return EXIT_SKIPPED;
	}
	status = build_and_run(c, false, &c->r);
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
	if (o->strategy_given && !(config->strategy = strategy_find(o->strategy, err)))
		return -1;
	if (config->strategy && !config->strategy->exhaustive && !o->runs && !o->time_ns)
		return error_set(err,
				 "strategy %s never ends: give it a number of schedules (--runs) "
				 "or a time (--time)",
				 o->strategy);
	return 0;
}

int
command_litmus(const struct options *o, struct error *err)
{
	struct litmus_command c = { .o = o, .err = err };
	int all = EXIT_SKIPPED;

	if (configure(o, &c.config, err))
		return EXIT_USAGE;
	c.weak = c.config.memory == MEMORY_WEAK;
	for (int i = 0; i < o->arg_count && !runner_interrupted; i++) {
		struct litmus_test *t = litmus_load(o->args[i], err);
		int status = EXIT_USAGE;

		c.t = t;
		c.broken_dependency = false;
		if (t)
			status = run_test(&c);
		litmus_free(t);
		if (err->text[0])
			fprintf(stderr, "ringside: %s\n", err->text);
		err->text[0] = 0;
		all = worse(all, status);
	}
	return runner_interrupted && all != EXIT_BROKEN ? EXIT_BUDGET : all;
}
