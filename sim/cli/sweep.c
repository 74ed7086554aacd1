/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/runner.h"
#include "script/yaml_tree.h"

struct grid {
	struct yaml_tree tree;
	const struct yaml_node *param[SWEEP_PARAMS_MAX];
	const struct yaml_node *value[SWEEP_PARAMS_MAX]; /* of the point */
	unsigned params;
};

static int
check_param(const struct grid *g, const struct scenario *s, const struct yaml_node *p,
	    struct error *err)
{
	struct scenario_values values = { 0 };
	struct error why;
	int ret = 0;

	if (yaml_need(&g->tree, p, YAML_LIST, p->key, err))
		return -1;
	if (!p->child)
		return yaml_error(&g->tree, p, err, "%s: has no values", p->key);
	for (const struct yaml_node *v = p->child; v && !ret; v = v->next) {
		if (yaml_need(&g->tree, v, YAML_SCALAR, p->key, err))
			ret = -1;
		else if (scenario_values_set(&values, s, p->key, v->text, &why))
			ret = yaml_error(&g->tree, v, err, "%s", why.text);
	}
	scenario_values_free(&values);
	return ret;
}

static int
read_grid(struct grid *g, const struct options *o, const struct scenario *s, struct error *err)
{
	uint64_t points = 1;

	if (yaml_tree_load(&g->tree, o->sweep, err) ||
	    yaml_need(&g->tree, g->tree.root, YAML_MAP, "a sweep", err))
		return -1;
	for (const struct yaml_node *p = g->tree.root->child; p; p = p->next) {
		unsigned n = 0;

		if (g->params == SWEEP_PARAMS_MAX)
			return yaml_error(&g->tree, p, err, "at most %u parameters",
					  SWEEP_PARAMS_MAX);
		if (check_param(g, s, p, err))
			return -1;
		for (const struct yaml_node *v = p->child; v; v = v->next)
			n++;
		points *= n;
		if (points > SWEEP_POINTS_MAX)
			return yaml_error(&g->tree, p, err, "more than %u combinations",
					  SWEEP_POINTS_MAX);
		g->value[g->params] = p->child;
		g->param[g->params++] = p;
	}
	return g->params ? 0 : yaml_error(&g->tree, g->tree.root, err, "no parameters");
}

/* The next point, the last parameter fastest; false after the last. */
static bool
next_point(struct grid *g)
{
	for (unsigned i = g->params; i-- > 0;) {
		g->value[i] = g->value[i]->next;
		if (g->value[i])
			return true;
		g->value[i] = g->param[i]->child;
	}
	return false;
}

static int
run_point(const struct grid *g, const struct options *o,
	  int (*command)(const struct options *o, struct error *err), struct error *err)
{
	struct options point = *o;

	if (!o->quiet)
		printf("sweep:");
	for (unsigned i = 0; i < g->params; i++) {
		if (point.sets == OPTIONS_SETS_MAX) {
			error_set(err, "--set: at most %d with those of the sweep",
				  OPTIONS_SETS_MAX);
			return EXIT_USAGE;
		}
		point.set_name[point.sets] = g->param[i]->key;
		point.set_value[point.sets++] = g->value[i]->text;
		if (!o->quiet)
			printf(" %s=%s", g->param[i]->key, g->value[i]->text);
	}
	if (!o->quiet)
		printf("\n");
	return command(&point, err);
}

static int
worse(int a, int b)
{
	if (a == EXIT_BROKEN || b == EXIT_BROKEN)
		return EXIT_BROKEN;
	return a == EXIT_HELD ? b : a;
}

static int
run_grid(struct grid *g, const struct options *o,
	 int (*command)(const struct options *o, struct error *err), struct error *err)
{
	int status = EXIT_HELD;

	do {
		int s = run_point(g, o, command, err);

		if (s == EXIT_USAGE || s == EXIT_DIVERGED)
			return s;
		status = worse(status, s);
		if (runner_interrupted)
			return EXIT_BUDGET;
	} while (next_point(g));
	return status;
}

int
sweep_run(const struct options *o, int (*command)(const struct options *o, struct error *err),
	  struct error *err)
{
	struct grid g = { 0 };
	struct scenario s;
	size_t n;
	char *path;
	int status = EXIT_USAGE;

	scenario_split(o->args[0], &n);
	must(path = strndup(o->args[0], n));
	if (!scenario_load(path, &s, err)) {
		if (!read_grid(&g, o, &s, err))
			status = run_grid(&g, o, command, err);
		scenario_free(&s);
	}
	yaml_tree_free(&g.tree);
	free(path);
	return status;
}
