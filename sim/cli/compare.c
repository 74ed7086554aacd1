/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside compare: the same workload under each value of a parameter.  One run a value, each
 * recorded as `run` records it; one table, with a line a figure; one picture, if asked for.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/run_trace.h"
#include "cli/runner.h"
#include "oracle/oracle.h"
#include "record/reader.h"
#include "script/lua_world.h"

#define VALUES_MAX 32u
#define FIGURES_MAX 256u
#define INTEGERS_MAX 16 /* values of an integer that are taken without being named */
#define CELL 32

struct figure {
	char name[64], unit[32];
	double value[VALUES_MAX];
	bool known[VALUES_MAX];
};

struct comparison {
	const struct options *o;
	struct record *r;
	char *value[VALUES_MAX]; /* the last may be what stands beside */
	char verdict[VALUES_MAX][CELL];
	unsigned values, runs;
	struct figure figure[FIGURES_MAX];
	unsigned figures;
	char param[64];
	int status;
};

/* --- values --------------------------------------------------------------------------------- */

static int
add_value(struct comparison *c, const char *text, size_t n, struct error *err)
{
	if (c->values == VALUES_MAX - 1)
		return error_set(err, "--over %s: at most %u values", c->param, VALUES_MAX - 1);
	must(c->value[c->values++] = strndup(text, n));
	return 0;
}

static int
all_values(struct comparison *c, const struct scenario_param *p, struct error *err)
{
	char text[32];

	if (p->type == PARAM_BOOLEAN)
		return add_value(c, "false", 5, err) || add_value(c, "true", 4, err) ? -1 : 0;
	if (p->type == PARAM_WORD) {
		for (unsigned i = 0; i < p->words; i++)
			if (add_value(c, p->word[i], strlen(p->word[i]), err))
				return -1;
		return 0;
	}
	if (p->max - p->min >= INTEGERS_MAX)
		return error_set(err,
				 "--over %s: it can be %" PRId64 " to %" PRId64
				 ": name the values, as in --over %s=%s",
				 p->name, p->min, p->max, p->name, p->value);
	for (int64_t v = p->min; v <= p->max; v++) {
		snprintf(text, sizeof(text), "%" PRId64, v);
		if (add_value(c, text, strlen(text), err))
			return -1;
	}
	return 0;
}

static const struct scenario_param *
find_param(const struct scenario *s, const char *name, struct error *err)
{
	char names[300] = "";

	for (unsigned i = 0; i < s->params; i++) {
		if (!strcmp(s->param[i].name, name))
			return &s->param[i];
		strncat(names, " ", sizeof(names) - strlen(names) - 1);
		strncat(names, s->param[i].name, sizeof(names) - strlen(names) - 1);
	}
	error_set(err, "--over %s: %s has no such parameter; it has:%s", name, s->path,
		  *names ? names : " none");
	return NULL;
}

static int
read_values(struct comparison *c, struct error *err)
{
	const char *over = c->o->over, *equals = over ? strchr(over, '=') : NULL;
	const struct scenario_param *p;
	struct scenario s;
	size_t n;
	char *path;
	int ret = -1;

	if (!over)
		return error_set(err, "--over NAME: which parameter?");
	snprintf(c->param, sizeof(c->param), "%.*s",
		 equals ? (int)(equals - over) : (int)strlen(over), over);
	(void)scenario_split(c->o->args[0], &n);
	must(path = strndup(c->o->args[0], n));
	if (!scenario_load(path, &s, err)) {
		p = find_param(&s, c->param, err);
		if (p && !equals)
			ret = all_values(c, p, err);
		for (const char *v = equals; p && v; v = strchr(v + 1, ','))
			if ((ret = add_value(c, v + 1, strcspn(v + 1, ","), err)))
				break;
		scenario_free(&s);
	}
	free(path);
	return ret;
}

/* --- figures -------------------------------------------------------------------------------- */

static void
put(struct comparison *c, unsigned column, const char *name, double value, const char *unit)
{
	unsigned i = 0;

	while (i < c->figures && strcmp(c->figure[i].name, name) != 0)
		i++;
	if (i == FIGURES_MAX)
		return;
	if (i == c->figures) {
		snprintf(c->figure[i].name, sizeof(c->figure[i].name), "%s", name);
		snprintf(c->figure[i].unit, sizeof(c->figure[i].unit), "%s", unit ? unit : "");
		c->figures++;
	}
	c->figure[i].value[column] = value;
	c->figure[i].known[column] = true;
}

/* Rules that were broken and only counted (oracle_count() of a scenario). */
static void
put_counted(struct comparison *c, unsigned column, const struct world *w)
{
	for (int o = 0; o < ORACLE_COUNT; o++) {
		uint64_t n = oracle_counted(w, (enum oracle)o);

		if (n)
			put(c, column, oracle_info[o].name, (double)n, "broken");
	}
}

static int
run_value(struct comparison *c, unsigned column, struct error *err)
{
	struct options with = *c->o;
	const struct script *script;
	struct session s;
	struct finding f;
	int status;

	if (with.sets == OPTIONS_SETS_MAX)
		return error_set(err, "too many --set");
	with.set_name[with.sets] = c->param;
	with.set_value[with.sets++] = c->value[column];
	with.quiet = true;
	if (session_open(&s, with.args[0], &with, err))
		return -1;
	status = session_run(&s, &with, c->r, &f, err);
	if (status == EXIT_USAGE || status == EXIT_DIVERGED) {
		session_close(&s);
		return -1;
	}
	if (c->status == EXIT_HELD || status == EXIT_BROKEN)
		c->status = status;
	snprintf(c->verdict[column], CELL, "%s", verdict_name[f.verdict]);
	script = script_of_world(s.w);
	put(c, column, "time", (double)world_now(s.w), "ns");
	put(c, column, "steps", (double)world_step(s.w), "");
	for (unsigned i = 0; i < script->metrics; i++)
		put(c, column, script->metric[i].name, (double)script->metric[i].value,
		    script->metric[i].unit);
	put_counted(c, column, s.w);
	session_close(&s);
	return 0;
}

static void
put_beside(void *context, const char *name, double value, const char *unit)
{
	struct comparison *c = context;

	put(c, c->values - 1, name, value, unit);
}

static int
read_beside(struct comparison *c, const char *db, int64_t id, struct error *err)
{
	struct reader *rd = reader_open(db, err);
	struct stored_run run;
	int ret = -1;

	if (!rd)
		return -1;
	if (!reader_run(rd, id, &run, err)) {
		snprintf(c->verdict[c->values - 1], CELL, "%s", run.verdict);
		ret = reader_metrics(rd, run.id, put_beside, c, err);
		stored_run_free(&run);
	}
	reader_close(rd);
	return ret;
}

/* A recording is replayed into a database of its own, and its figures read there. */
static int
trace_beside(struct comparison *c, struct error *err)
{
	char db[] = "/tmp/ringside-compare-XXXXXX";
	char *args[] = { (char *)(uintptr_t)c->o->beside, NULL };
	struct options with = { .db = db, .args = args, .arg_count = 1, .quiet = true };
	int fd = mkstemp(db), status, ret = -1;

	if (fd < 0)
		return error_set(err, "%s: cannot be made", db);
	close(fd);
	unlink(db);
	status = run_trace(&with, err);
	if (status == EXIT_HELD || status == EXIT_BROKEN)
		ret = read_beside(c, db, 1, err);
	unlink(db);
	return ret;
}

static int
beside(struct comparison *c, struct error *err)
{
	const char *text = c->o->beside, *slash;
	size_t len = strlen(text);
	int64_t id;
	char *db;
	int ret;

	slash = strrchr(text, '/');
	must(c->value[c->values++] = strdup(slash ? slash + 1 : text));
	if (!reader_parse_ref(text, &len, &id))
		return trace_beside(c, err);
	must(db = strndup(text, len));
	ret = read_beside(c, db, id, err);
	free(db);
	return ret;
}

/* --- the table and the picture -------------------------------------------------------------- */

static void
cell_text(const struct figure *f, unsigned column, char *text)
{
	double v = f->value[column];

	if (!f->known[column])
		snprintf(text, CELL, "-");
	else if (v == floor(v) && fabs(v) < 1e15)
		snprintf(text, CELL, "%.0f", v);
	else
		snprintf(text, CELL, "%.4g", v);
}

/*
 * Whether a figure says something: it is of the scenario, or not 0.  A picture has room only for
 * those that are both, and that what stands beside has, too.
 */
static bool
tells(const struct comparison *c, const struct figure *f, bool picture)
{
	bool ours = false, theirs = c->runs == c->values, any = false;

	for (unsigned k = 0; k < c->values; k++) {
		ours = ours || (f->known[k] && k < c->runs);
		theirs = theirs || (f->known[k] && k >= c->runs);
		any = any || (f->known[k] && f->value[k] != 0);
	}
	return picture ? ours && theirs && any : ours || any;
}

static void
leave_out(struct comparison *c, bool picture)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->figures; i++)
		if (tells(c, &c->figure[i], picture))
			c->figure[n++] = c->figure[i];
	c->figures = n;
}

static void
print_table(const struct comparison *c)
{
	int width[VALUES_MAX], first = (int)strlen(c->param);
	char text[CELL];

	for (unsigned i = 0; i < c->figures; i++) {
		int n = (int)(strlen(c->figure[i].name) + strlen(c->figure[i].unit)) + 3;

		first = n > first ? n : first;
	}
	for (unsigned k = 0; k < c->values; k++) {
		width[k] = (int)strlen(c->value[k]);
		if ((int)strlen(c->verdict[k]) > width[k])
			width[k] = (int)strlen(c->verdict[k]);
		for (unsigned i = 0; i < c->figures; i++) {
			cell_text(&c->figure[i], k, text);
			if ((int)strlen(text) > width[k])
				width[k] = (int)strlen(text);
		}
	}
	printf("%-*s", first, c->param);
	for (unsigned k = 0; k < c->values; k++)
		printf("  %*s", width[k], c->value[k]);
	printf("\n%-*s", first, "verdict");
	for (unsigned k = 0; k < c->values; k++)
		printf("  %*s", width[k], c->verdict[k]);
	printf("\n");
	for (unsigned i = 0; i < c->figures; i++) {
		const struct figure *f = &c->figure[i];
		char name[100];

		snprintf(name, sizeof(name), *f->unit ? "%s (%s)" : "%s", f->name, f->unit);
		printf("%-*s", first, name);
		for (unsigned k = 0; k < c->values; k++) {
			cell_text(f, k, text);
			printf("  %*s", width[k], text);
		}
		printf("\n");
	}
}

/* As gnuplot has strings: in double quotes. */
static void
quote(const char *text, FILE *to)
{
	fputc('"', to);
	for (const char *p = text; *p; p++)
		fprintf(to, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	fputc('"', to);
}

/* What analysis/compare.gp wants to know: a line of data a value, a column a figure. */
static void
write_data(const struct comparison *c, FILE *to)
{
	fprintf(to, "$data << END\n");
	for (unsigned k = 0; k < c->values; k++) {
		quote(k < c->runs ? c->value[k] : "beside", to);
		for (unsigned i = 0; i < c->figures; i++)
			fprintf(to, c->figure[i].known[k] ? "\t%.17g" : "\t?",
				c->figure[i].value[k]);
		fprintf(to, "\n");
	}
	fprintf(to, "END\nfigures = %u\nvalues = %u\nruns = %u\narray heading[%u]\n", c->figures,
		c->values, c->runs, c->figures);
	for (unsigned i = 0; i < c->figures; i++) {
		char name[100];

		snprintf(name, sizeof(name), *c->figure[i].unit ? "%s (%s)" : "%s",
			 c->figure[i].name, c->figure[i].unit);
		fprintf(to, "heading[%u] = ", i + 1);
		quote(name, to);
		fprintf(to, "\n");
	}
	fprintf(to, "param = ");
	quote(c->param, to);
	fprintf(to, "\nbeside = ");
	quote(c->runs < c->values ? c->value[c->runs] : "", to);
	fprintf(to, "\nout = ");
	quote(c->o->out, to);
	fprintf(to, "\n");
}

static int
draw(const struct comparison *c, struct error *err)
{
	char script[1024];
	FILE *to;

	if (!c->figures)
		return error_set(err, "--out: no figure is there to be drawn");
	if (find_analysis("compare.gp", script, sizeof(script), err))
		return -1;
	to = popen("gnuplot -", "w");
	if (!to)
		return error_set(err, "--out: gnuplot cannot be started");
	write_data(c, to);
	fprintf(to, "load ");
	quote(script, to);
	fprintf(to, "\n");
	if (pclose(to))
		return error_set(err, "--out %s: gnuplot failed", c->o->out);
	return 0;
}

static int
compare(struct comparison *c, struct error *err)
{
	if (read_values(c, err))
		return -1;
	c->r = record_open(c->o->db, err);
	if (!c->r)
		return -1;
	c->runs = c->values;
	for (unsigned k = 0; k < c->runs; k++)
		if (run_value(c, k, err))
			return -1;
	if (c->o->beside && beside(c, err))
		return -1;
	leave_out(c, false);
	print_table(c);
	if (!c->o->out)
		return 0;
	leave_out(c, true);
	return draw(c, err);
}

int
command_compare(const struct options *o, struct error *err)
{
	struct comparison *c;
	int status;

	must(c = calloc(1, sizeof(*c)));
	c->o = o;
	status = compare(c, err) ? EXIT_USAGE : c->status;
	record_close(c->r);
	for (unsigned k = 0; k < c->values; k++)
		free(c->value[k]);
	free(c);
	return status;
}
