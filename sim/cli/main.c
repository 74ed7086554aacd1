/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/runner.h"
#include "cli/version.h"
#include "cli/watchdog.h"
#include "datapath/linux/linux_datapath.h"
#include "trace/tracedat.h"

#define RUN_OPTIONS "set machine db trace quiet"

const struct command command_table[] = {
	{ "run", "SCENARIO.lua[:VARIANT] | TRACE…", "one run, with its events recorded",
	  "Runs a scenario once, with all choices answered the dullest way, or as --seed, --index "
	  "or\n"
	  "--schedule say. A TRACE is a recording of a real system: it is replayed through the "
	  "models,\n"
	  "which answer what was lost and why; several of one run are merged, as by import.\n"
	  "Without a variant the first one that fails is taken, by name.",
	  "seed index schedule sweep format events pattern memory races datapath "
	  "ring " RUN_OPTIONS,
	  1, -1, command_run },
	{ "explore", "SCENARIO.lua[:VARIANT] | TRACE", "many schedules, until something is lost",
	  "Tries schedules until a property is broken or the budget is used up. A failure is "
	  "replayed,\n"
	  "shrunk, shown as swim lanes, recorded, and written to a file that `ringside replay` "
	  "takes.\n"
	  "Of a TRACE, orders between its threads other than the recorded one are tried: was more "
	  "lost\n"
	  "in one of them? That begins with the fewest deviations (--strategy bounded) unless "
	  "another\n"
	  "strategy is named.",
	  "strategy depth bound memory races datapath ring runs time seed shard jobs sweep format "
	  "events pattern "
	  "keep-going classes around out lines columns " RUN_OPTIONS,
	  1, 1, command_explore },
	{ "replay", "FAILURE | DB#ID", "run a failure again and compare",
	  "Takes the schedule of a failure and checks that the run is the same, bit for bit: same "
	  "digest,\n"
	  "same finding. Exit status 1 when it is, 3 when the run diverged; then it says at which "
	  "step\n"
	  "and how. DB#latest is the newest failure of a database.\n"
	  "With --tolerant the picks are taken where the same actor has done the same thing in the "
	  "same\n"
	  "function as often as before, whatever else has changed; where that never comes it is "
	  "guessed,\n"
	  "and said so. Exit status 0 when nothing fails now, 1 when something does.",
	  "tolerant until to-event memory races datapath ring " RUN_OPTIONS, 1, 1, command_replay },
	{ "show", "FAILURE | DB#ID", "a failure as swim lanes",
	  "Formats: text (default), json, perfetto (for the trace viewer of that name), html.",
	  "format lines columns out memory datapath ring machine quiet", 1, 1, command_show },
	{ "test", "[PATH…]", "every variant of every scenario against its expectation",
	  "A PATH is a scenario or a folder that is searched for them. A failing variant passes "
	  "if the\n"
	  "expected verdict is found within its budget and no other one before it; a holding one "
	  "if\n"
	  "nothing is found. The last line is `N passed, N failed, N skipped`.\n"
	  "With --matrix it is a table of driver, device, kind of ring and memory model for the\n"
	  "scenarios that take part.\n"
	  "With --corpus, failure files are followed as by `replay --tolerant`, too: one passes if "
	  "it ends\n"
	  "with its recorded finding, or, where the file has a line `expect: ok` (or another "
	  "verdict),\n"
	  "with that.",
	  "matrix corpus tap junit jobs runs time seed strategy depth bound memory races datapath "
	  "ring set db quiet",
	  0, -1, command_test },
	{ "diagnose", "SCENARIO.lua[:VARIANT] | FAILURE",
	  "make it hang, then find out what was lost",
	  "Explores until something hangs (or takes a failure). Then, as one would do with the "
	  "debug\n"
	  "interface of a real machine: collects all counters, and tries call and kick at each "
	  "level.\n"
	  "From what recovers it says whether a kick, an interrupt, a mask, a route or ring state "
	  "was lost.",
	  "strategy depth bound memory races datapath ring runs time seed set machine quiet", 1, 1,
	  command_diagnose },
	{ "audit", "barriers SCENARIO.lua[:VARIANT]",
	  "which barriers of the linked code are needed",
	  "Leaves out each barrier (fence, acquire, release) in turn and explores again, --runs "
	  "random\n"
	  "schedules and then all states for up to --time: what fails then needed it, and its "
	  "shortest\n"
	  "schedule is printed; what holds is not shown to be needed, within the bounds beside "
	  "it.\n"
	  "Then puts a full barrier before each access, and says where that changes nothing that "
	  "could be\n"
	  "reached. Needs a variant that holds, and --memory tso or weak. One line each, with "
	  "tabs.",
	  "memory datapath ring runs time seed set machine quiet", 2, 2, command_audit },
	{ "litmus", "FILE.litmus…", "run litmus tests of the Linux kernel's memory model",
	  "Compiles the processes of each C litmus test, explores them under the memory model "
	  "(default\n"
	  "tso), and prints the final states in the form of herd. The default strategy is dpor: "
	  "one\n"
	  "schedule of each execution that differs in who reads from whom or whose store is "
	  "first; `all`\n"
	  "is all schedules. (incomplete) says that a budget ended it, (broken dependency) that "
	  "the\n"
	  "condition is met only where the weak model ignores an address, data or control "
	  "dependency.\n"
	  "With --expect the \"Result:\" of the test's comment is compared: exit status 1 if "
	  "something\n"
	  "happens that it forbids.",
	  "memory strategy bound depth seed runs time expect quiet", 1, -1, command_litmus },
	{ "bisect", "-- COMMAND…", "exit status of a command for `git bisect run`",
	  "Runs COMMAND, commonly ringside itself, and exits with 0 (good) for 0, 1 (bad) for 1 "
	  "and 125\n"
	  "(cannot be tested) for all else: usage errors, a diverged replay, skipped, no verdict, "
	  "a crash.\n"
	  "128 ends the bisection: the command was interrupted, or is not there.\n"
	  "  git bisect run ringside bisect -- ringside replay --tolerant lost.failure",
	  "", 1, -1, command_bisect },
	{ "import", "TRACE…", "read a recording of a real system",
	  "Recognises the format, prints what was understood and what was skipped, and records "
	  "it.\n"
	  "Several recordings of one run are merged: clocks are aligned by status writes and "
	  "kicks\n"
	  "that both the host kernel and QEMU have seen. A trace.dat of trace-cmd is read where "
	  "Ringside\n"
	  "was built with libtracecmd: ringside --version says so.",
	  "format events pattern db quiet", 1, -1, command_import },
	{ "compare", "SCENARIO.lua[:VARIANT]", "the same workload under each value of a parameter",
	  "Runs the scenario once for each value of --over, records each run, and prints one "
	  "table: a line\n"
	  "for each figure, a column for each value. --beside puts the figures of a recording, or "
	  "of an\n"
	  "earlier run, in the last column. With --out FILE.svg or FILE.png it draws them, too.",
	  "over beside out seed index memory datapath ring set machine db quiet", 1, 1,
	  command_compare },
	{ "merge", "OUT.db IN.db…", "join the databases of shards",
	  "Runs that OUT.db has already are left out.", "quiet", 2, -1, command_merge },
	{ "plot", "[DB#ID]", "the ring indices of a run, or how it explored",
	  "The newest failing run of the database if none is named. Without --out FILE.svg or "
	  "FILE.png\n"
	  "it draws in text.",
	  "db of out quiet", 0, 1, command_plot },
	{ "report", "[DB]", "one page of all that a database has, for a CI artefact",
	  "Writes one HTML page that needs nothing beside it: what did not end as expected, first; "
	  "each\n"
	  "failure as swim lanes, with its schedule and how to replay it; all runs with their "
	  "figures; which\n"
	  "statements were broken; pictures, where gnuplot is there. Failures are run again, so "
	  "scenarios\n"
	  "are looked for where they were. To standard output without --out. Exit status 1 if "
	  "something did\n"
	  "not end as expected.",
	  "db out failures memory datapath ring machine quiet", 0, 1, command_report },
	{ "shell", "SCENARIO.lua[:VARIANT] | FAILURE | DB#ID", "a prompt inside the world",
	  "Stops wherever more than one can go on, and says who: pick one, let it run, take it "
	  "back; look at\n"
	  "queues, notifiers and rings; kick, call, write a notifier, run Lua. Of a FAILURE, its "
	  "schedule is\n"
	  "followed as long as nothing else is picked. `help` lists the commands. From a pipe, the "
	  "first one\n"
	  "that fails ends it with exit status 2; else it is that of the verdict, if the run was "
	  "ended.",
	  "set machine memory races datapath ring seed", 1, 1, command_shell },
	{ "faults", "[NAME]", "named faults, and the change each stands for", "", "", 0, 1,
	  command_faults },
	{ "oracles", "[NAME]", "properties that are watched",
	  "With a database, also which scenarios have tripped each.", "db", 0, 1, command_oracles },
	{ "scenarios", "[PATH…]", "scenarios and their variants",
	  "Searches ./scenarios by default.", "", 0, -1, command_scenarios },
	{ "api", "[NAME]", "reference of the Lua functions", "", "globals", 0, 1, command_api },
	{ "man", "", "the manual page, in roff", "", "", 0, 0, command_man },
	{ NULL, NULL, NULL, NULL, NULL, 0, 0, NULL }
};

/* --- help ----------------------------------------------------------------------------------- */

static void
usage(FILE *to)
{
	fprintf(to, "usage: ringside COMMAND [options] …\n\n");
	for (const struct command *c = command_table; c->name; c++)
		fprintf(to, "  %-10s %s\n", c->name, c->what);
	fprintf(to, "\nringside COMMAND --help explains a command; ringside --version.\n"
		    "Exit status: 0 every property held, 1 a property was broken, 2 usage or input "
		    "error,\n"
		    "3 a replay diverged, 77 skipped, 124 no verdict within the budget or "
		    "interrupted,\n"
		    "134 bug in Ringside.\n");
}

static void
command_help(const struct command *c, FILE *to)
{
	fprintf(to, "usage: ringside %s %s%s\n\n%s.\n", c->name, *c->options ? "[options] " : "",
		c->args, c->what);
	if (*c->help)
		fprintf(to, "%s\n", c->help);
	fprintf(to, "\n");
	options_print(c->options, to, false);
}

int
command_man(const struct options *o, struct error *err)
{
	printf(".TH RINGSIDE 1 \"\" \"ringside %s\"\n.SH NAME\nringside \\- deterministic "
	       "simulator of "
	       "virtio machines\n.SH SYNOPSIS\n.B ringside\n.I COMMAND\n[options] ...\n.SH "
	       "COMMANDS\n",
	       ringside_version);
	for (const struct command *c = command_table; c->name; c++) {
		printf(".SS ringside %s ", c->name);
		options_print_roff(c->args, stdout);
		printf("\n");
		options_print_roff(c->what, stdout);
		printf(".\n");
		options_print_roff(c->help, stdout);
		printf("\n");
		options_print(c->options, stdout, true);
	}
	printf(".SH EXIT STATUS\n0 every property held; 1 a property was broken; 2 usage, script, "
	       "machine "
	       "or trace error;\n3 a replay diverged; 77 skipped; 124 no verdict within the "
	       "budget, or "
	       "interrupted; 134 bug in Ringside.\n");
	return EXIT_HELD;
}

/* --- mistyped names ------------------------------------------------------------------------- */

/* Levenshtein's distance, for words shorter than 32. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[33];
	size_t n = strnlen(b, 32);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] && i < 33; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static int
unknown_command(const char *name)
{
	bool any = false;

	fprintf(stderr, "ringside: there is no command '%s'", name);
	for (const struct command *c = command_table; c->name; c++) {
		if (distance(name, c->name) > 2 && strncmp(name, c->name, strlen(name)))
			continue;
		fprintf(stderr, "%s %s", any ? "," : "; did you mean:", c->name);
		any = true;
	}
	fprintf(stderr, "\nringside --help lists them\n");
	return EXIT_USAGE;
}

/* A result that was not written is no result. */
static int
end_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "ringside: cannot write the output\n");
	return status == EXIT_HELD ? EXIT_USAGE : status;
}

int
main(int argc, char **argv)
{
	const struct command *c = command_table;
	struct options o;
	struct error err = { "" };
	int status;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    (!strcmp(argv[1], "help") && argc == 2)) {
		usage(argc < 2 ? stderr : stdout);
		return end_output(argc < 2 ? EXIT_USAGE : EXIT_HELD);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("ringside %s (%s)\n", ringside_version, ringside_commit);
		if (&datapath_linux)
			printf("with the ring code of Linux %s\n", linux_version);
		if (tracedat_built_in())
			printf("with libtracecmd, for trace.dat\n");
		return end_output(EXIT_HELD);
	}
	if (!strcmp(argv[1], "help")) {
		argv[1] = argv[2];
		argv[2] = (char *)"--help";
	}
	while (c->name && strcmp(c->name, argv[1]))
		c++;
	if (!c->name)
		return unknown_command(argv[1]);
	if (options_parse(&o, c, argc - 1, argv + 1, &err)) {
		fprintf(stderr, "ringside: %s\n", err.text);
		return EXIT_USAGE;
	}
	if (o.help) {
		command_help(c, stdout);
		return end_output(EXIT_HELD);
	}
	runner_catch_signals(true);
	watchdog_start();
	status = c->run(&o, &err);
	if (err.text[0])
		fprintf(stderr, "ringside: %s\n", err.text);
	return end_output(status);
}
