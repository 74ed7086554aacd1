/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "explore/strategy.h"

enum option_type {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_COUNT,
	OPTION_NUMBER,
	OPTION_TIME,
	OPTION_SHARD,
	OPTION_BOUND,
	OPTION_SET
};

struct option_info {
	const char *name;
	const char *arg; /* null: a flag */
	const char *what;
	enum option_type type;
	size_t offset;
};

#define AT(field) offsetof(struct options, field)

static const struct option_info option_table[] = {
	{ "strategy", "NAME", "who answers the choices; default random", OPTION_TEXT,
	  AT(strategy) },
	{ "depth", "D", "pct: depth of the bugs to find, 1 to 5; default 3", OPTION_COUNT,
	  AT(depth) },
	{ "bound", "N", "bounded: preemptions of a schedule, dN: delays; default 2", OPTION_BOUND,
	  AT(bound) },
	{ "memory", "MODEL", "memory model: sc, tso, weak; default: what the variant says",
	  OPTION_TEXT, AT(memory) },
	{ "races", NULL, "look for data races in guest memory", OPTION_FLAG, AT(races) },
	{ "datapath", "NAME[,NAME]",
	  "ring code, of driver and device: native, linux, svq (a driver), ./FILE.so", OPTION_TEXT,
	  AT(datapath) },
	{ "ring", "WORDS",
	  "kind of all rings: split or packed, and with commas event_idx, indirect, in_order; "
	  "default: as the scenario says",
	  OPTION_TEXT, AT(ring) },
	{ "runs", "N", "schedules to try; default: what the variant says, all for bounded",
	  OPTION_NUMBER, AT(runs) },
	{ "time", "TIME", "time to spend: 500ms, 60s, 5m, 2h", OPTION_TIME, AT(time_ns) },
	{ "seed", "N", "seed of the strategy; default 1", OPTION_NUMBER, AT(seed) },
	{ "index", "N", "number of the schedule of that seed; 0 is the plain run", OPTION_NUMBER,
	  AT(index) },
	{ "shard", "I/N", "do part I of N (from 0) of the schedules", OPTION_SHARD, AT(shard) },
	{ "keep-going", NULL, "collect distinct failures instead of ending at the first",
	  OPTION_FLAG, AT(keep_going) },
	{ "around", NULL,
	  "mode timed: depart from the order that time gives; of each actor the order is kept",
	  OPTION_FLAG, AT(around) },
	{ "classes", NULL,
	  "look at each schedule for the estimate of classes not seen; default: one in 256",
	  OPTION_FLAG, AT(classes) },
	{ "schedule", "LINE", "take the choices of this schedule, strictly", OPTION_TEXT,
	  AT(schedule) },
	{ "set", "NAME=VALUE", "set a parameter; may be given again", OPTION_SET, AT(sets) },
	{ "sweep", "FILE.yaml",
	  "do it for each combination of the values of parameters listed there", OPTION_TEXT,
	  AT(sweep) },
	{ "machine", "FILE.yaml", "build this machine instead of the scenario's", OPTION_TEXT,
	  AT(machine) },
	{ "db", "FILE", "database to record into, or none; default ringside.db", OPTION_TEXT,
	  AT(db) },
	{ "trace", "PATTERN",
	  "print events as they happen: names with * and ?, comma between, - takes away",
	  OPTION_TEXT, AT(trace) },
	{ "until", "STEP", "stop at this step and show where everybody stands", OPTION_NUMBER,
	  AT(until) },
	{ "to-event", "N", "stop at the N-th event (from 1)", OPTION_NUMBER, AT(to_event) },
	{ "tolerant", NULL, "follow the picks by actor, event and function: for changed code",
	  OPTION_FLAG, AT(tolerant) },
	{ "corpus", "DIR", "a folder of *.failure files, each followed as by replay --tolerant",
	  OPTION_TEXT, AT(corpus) },
	{ "format", "NAME", "form of the output, or of the input", OPTION_TEXT, AT(format) },
	{ "events", "FILE", "definitions of more of QEMU's trace events, as its trace-events files",
	  OPTION_TEXT, AT(events) },
	{ "pattern", "FILE.lua", "read the log by these patterns", OPTION_TEXT, AT(pattern) },
	{ "lines", "N", "lines a picture may take; default 40", OPTION_COUNT, AT(lines) },
	{ "columns", "N", "columns a picture may take; default 100", OPTION_COUNT, AT(columns) },
	{ "failures", "N", "failures to show as swim lanes; default 20", OPTION_COUNT,
	  AT(failures) },
	{ "of", "NAME", "which picture: rings (default), exploration", OPTION_TEXT, AT(of) },
	{ "over", "NAME[=A,B,…]", "the parameter, and its values; default: all it can have",
	  OPTION_TEXT, AT(over) },
	{ "beside", "TRACE | DB#ID", "show the figures of a recording or of a run beside it",
	  OPTION_TEXT, AT(beside) },
	{ "out", "FILE", "file to write", OPTION_TEXT, AT(out) },
	{ "expect", NULL, "compare with the result that the test's comment names", OPTION_FLAG,
	  AT(expect) },
	{ "matrix", NULL,
	  "each with all ring code, kinds of rings and memory models; --datapath adds ring code",
	  OPTION_FLAG, AT(matrix) },
	{ "tap", NULL, "results as TAP", OPTION_FLAG, AT(tap) },
	{ "junit", "FILE", "write results as JUnit XML, too", OPTION_TEXT, AT(junit) },
	{ "jobs", "N", "processes at a time; default 1", OPTION_COUNT, AT(jobs) },
	{ "globals", NULL, "only the names of globals, for .luacheckrc", OPTION_FLAG, AT(globals) },
	{ "quiet", NULL, "say only what is needed", OPTION_FLAG, AT(quiet) },
	{ "help", NULL, "this text", OPTION_FLAG, AT(help) },
};

#define OPTIONS_ALL (sizeof(option_table) / sizeof(option_table[0]))

/* Whether a blank-separated list holds the word. */
static bool
lists(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += strspn(p, " ")) {
		size_t k = strcspn(p, " ");

		if (k == n && !memcmp(p, word, n))
			return true;
		p += k;
	}
	return !strcmp(word, "help");
}

/* --- values --------------------------------------------------------------------------------- */

bool
options_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end && !errno && *value <= max;
}

static int
parse_number(const char *name, const char *text, uint64_t max, uint64_t *value, struct error *err)
{
	if (!options_number(text, max, value))
		return error_set(err, "--%s %s: must be a number from 0 to %llu", name, text,
				 (unsigned long long)max);
	return 0;
}

static int
parse_time(const char *text, int64_t *ns, struct error *err)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = { { "ms", 1000000 },
		      { "s", 1000000000 },
		      { "", 1000000000 },
		      { "m", INT64_C(60000000000) },
		      { "h", INT64_C(3600000000000) } };
	char *end;
	double number;

	number = strtod(text, &end);
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (end == text || strcmp(end, units[i].unit))
			continue;
		if (!(number > 0) || number * (double)units[i].ns > 9e18)
			break;
		*ns = (int64_t)(number * (double)units[i].ns);
		return *ns ? 0 : error_set(err, "--time %s: is no time", text);
	}
	return error_set(err, "--time %s: must be a number above 0 with ms, s, m or h", text);
}

static int
parse_shard(const char *text, struct options *o, struct error *err)
{
	char *slash, *end;
	unsigned long part = strtoul(text, &slash, 10);
	unsigned long parts = *slash == '/' ? strtoul(slash + 1, &end, 10) : 0;

	if (*text >= '0' && *text <= '9' && parts && slash[1] >= '0' && slash[1] <= '9' && !*end &&
	    part < parts && parts <= UINT32_MAX) {
		o->shard = (uint32_t)part;
		o->shards = (uint32_t)parts;
		return 0;
	}
	return error_set(err, "--shard %s: must be I/N with I from 0 to N - 1", text);
}

/* "2": preemptions; "d2": delays. */
static int
parse_bound(const char *text, struct options *o, struct error *err)
{
	uint64_t number;

	o->bound_given = true;
	o->bound_delays = *text == 'd';
	if (parse_number("bound", text + o->bound_delays, UINT16_MAX, &number, err))
		return -1;
	o->bound = (unsigned)number;
	return 0;
}

static int
parse_set(char *text, struct options *o, struct error *err)
{
	char *equal = strchr(text, '=');

	if (!equal || equal == text)
		return error_set(err, "--set %s: must be NAME=VALUE", text);
	if (o->sets == OPTIONS_SETS_MAX)
		return error_set(err, "--set: at most %d", OPTIONS_SETS_MAX);
	*equal = 0;
	o->set_name[o->sets] = text;
	o->set_value[o->sets++] = equal + 1;
	return 0;
}

static int
parse_value(struct options *o, const struct option_info *i, char *text, struct error *err)
{
	char *field = (char *)o + i->offset;
	uint64_t number;

	switch (i->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		o->strategy_given |= i->offset == AT(strategy);
		o->memory_given |= i->offset == AT(memory);
		*(const char **)field = text;
		return 0;
	case OPTION_COUNT:
		if (parse_number(i->name, text, 100000, &number, err))
			return -1;
		*(unsigned *)field = (unsigned)number;
		return 0;
	case OPTION_NUMBER:
		o->seed_given |= i->offset == AT(seed);
		return parse_number(i->name, text, UINT64_MAX, (uint64_t *)field, err);
	case OPTION_TIME:
		return parse_time(text, (int64_t *)field, err);
	case OPTION_SHARD:
		return parse_shard(text, o, err);
	case OPTION_BOUND:
		return parse_bound(text, o, err);
	case OPTION_SET:
		return parse_set(text, o, err);
	}
	return -1;
}

/* --- parsing -------------------------------------------------------------------------------- */

int
options_parse(struct options *o, const struct command *c, int argc, char **argv, struct error *err)
{
	struct option longs[OPTIONS_ALL + 1] = { { 0 } };
	unsigned n = 0;
	int k;

	*o = (struct options){ .db = "ringside.db",
			       .seed = 1,
			       .jobs = 1,
			       .failures = 20,
			       .strategy = "random",
			       .depth = STRATEGY_DEPTH_DEFAULT,
			       .bound = STRATEGY_BOUND_DEFAULT };
	for (unsigned i = 0; i < OPTIONS_ALL; i++)
		if (lists(c->options, option_table[i].name))
			longs[n++] = (struct option){ option_table[i].name,
						      option_table[i].arg ? required_argument
									  : no_argument,
						      NULL, (int)i + 256 };
	optind = 0;
	opterr = 0;
	while ((k = getopt_long(argc, argv, ":qh", longs, NULL)) != -1) {
		if (k == 'h')
			o->help = true;
		else if (k == 'q')
			o->quiet = true;
		else if (k == ':')
			return error_set(err, "%s: %s needs a value; see: ringside %s --help",
					 c->name, argv[optind - 1], c->name);
		else if (k < 256)
			return error_set(err, "%s: no option %s here; see: ringside %s --help",
					 c->name, argv[optind - 1], c->name);
		else if (parse_value(o, &option_table[k - 256], optarg, err))
			return -1;
	}
	o->args = argv + optind;
	o->arg_count = argc - optind;
	if (o->help)
		return 0;
	if (o->arg_count < c->args_min || (c->args_max >= 0 && o->arg_count > c->args_max))
		return error_set(err, "usage: ringside %s %s", c->name, c->args);
	return 0;
}

void
options_print_roff(const char *text, FILE *to)
{
	static const char dots[] = "\xe2\x80\xa6"; /* U+2026 */

	while (*text) {
		if (!strncmp(text, dots, 3)) {
			fputs("...", to);
			text += 3;
		} else if (*text == '-') {
			fputs("\\-", to);
			text++;
		} else {
			fputc(*text++, to);
		}
	}
}

/* Below --strategy: what there is. */
static void
print_strategies(FILE *to, bool roff)
{
	for (size_t i = 0; strategy_table[i]; i++) {
		fprintf(to, roff ? ".br\n%s: " : "    %-20s ", strategy_table[i]->name);
		if (roff)
			options_print_roff(strategy_table[i]->what, to);
		else
			fputs(strategy_table[i]->what, to);
		fputc('\n', to);
	}
}

void
options_print(const char *list, FILE *to, bool roff)
{
	for (unsigned i = 0; i < OPTIONS_ALL; i++) {
		const struct option_info *info = &option_table[i];
		char left[64];

		if (!lists(list, info->name))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", info->name, info->arg ? " " : "",
			 info->arg ? info->arg : "");
		if (roff) {
			fprintf(to, ".TP\n.B ");
			options_print_roff(left, to);
			fputc('\n', to);
			options_print_roff(info->what, to);
			fputc('\n', to);
		} else {
			fprintf(to, "  %-22s %s\n", left, info->what);
		}
		if (info->offset == AT(strategy))
			print_strategies(to, roff);
	}
}
