/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringside faults, scenarios, api: lists, each made from the table that the code uses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/runner.h"
#include "cli/scenario_files.h"
#include "engine/fault.h"
#include "script/api.h"

static int
nothing(const char *what, const char *name, struct error *err)
{
	error_set(err, "there is no %s with '%s' in its name", what, name);
	return EXIT_USAGE;
}

int
command_faults(const struct options *o, struct error *err)
{
	const char *name = o->arg_count ? o->args[0] : "";
	unsigned printed = 0;

	for (unsigned i = 1; i < FAULT_COUNT; i++) {
		if (!strstr(fault_info[i].name, name))
			continue;
		printf("%s\n    %s\n    stands for: %s\n", fault_info[i].name, fault_info[i].what,
		       fault_info[i].evidence);
		printed++;
	}
	return printed ? EXIT_HELD : nothing("fault", name, err);
}

static void
print_scenario(const struct scenario *s)
{
	printf("%s\n    %s\n", s->path, s->title);
	for (unsigned i = 0; i < s->evidences; i++)
		printf("    evidence: %s\n", s->evidence[i]);
	for (unsigned i = 0; i < s->params; i++) {
		const struct scenario_param *p = &s->param[i];

		printf("    %s=%s", p->name, p->value);
		if (p->type == PARAM_INTEGER)
			printf(" (%lld … %lld)", (long long)p->min, (long long)p->max);
		for (unsigned k = 0; k < p->words; k++)
			printf("%s%s%s", k ? " " : " (", p->word[k], k + 1 == p->words ? ")" : "");
		printf("%s%s\n", *p->doc ? "  " : "", p->doc);
	}
	for (unsigned i = 0; i < s->variants; i++) {
		const struct scenario_variant *v = &s->variant[i];

		printf("    :%s expects %s", v->name, verdict_name[v->expect]);
		if (v->complete)
			printf(", complete");
		else
			printf(", %llu schedules", (unsigned long long)v->runs);
		for (unsigned k = 0; k < v->faults; k++)
			printf("%s%s", k ? " " : ", with ", fault_info[v->fault[k]].name);
		printf("%s%s\n", *v->doc ? "  " : "", v->doc);
	}
}

int
command_scenarios(const struct options *o, struct error *err)
{
	char *here = (char *)"scenarios";
	struct scenario_files files = { 0 };
	int status = scenario_files_find(&files, o->arg_count ? o->args : &here,
					 o->arg_count ? o->arg_count : 1, err)
			     ? EXIT_USAGE
			     : EXIT_HELD;

	for (size_t i = 0; i < files.count; i++) {
		struct scenario s;

		if (scenario_load(files.path[i], &s, err)) {
			fprintf(stderr, "ringside: %s\n", err->text);
			err->text[0] = 0;
			status = EXIT_USAGE;
			continue;
		}
		print_scenario(&s);
		scenario_free(&s);
	}
	scenario_files_free(&files);
	return status;
}

int
command_api(const struct options *o, struct error *err)
{
	const char *name = o->arg_count ? o->args[0] : NULL;

	if (o->globals) {
		api_print_globals(stdout);
		return EXIT_HELD;
	}
	if (!api_print(stdout, name))
		return nothing("function", name, err);
	if (!name)
		api_print_options(stdout);
	return EXIT_HELD;
}
