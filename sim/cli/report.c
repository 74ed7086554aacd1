/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside report: one HTML page of a database, that needs nothing beside it.
 *
 *	what did not end as expected       a list, with links
 *	failures                           swim lanes, done again (the unexpected ones first)
 *	statements                         which were broken, by how many runs
 *	runs                               all of them, with their parameters
 *	figures                            a table for each scenario that measures something
 *
 * A scenario that cannot be run here any more leaves its place with the reason.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/runner.h"
#include "explore/lanes.h"
#include "record/reader.h"
#include "trace/export_html.h"
#include "trace/export_text.h"

#define REPORT_RUNS_MAX 5000u /* rows of the table; what was not as expected is always there */

struct figure {
	char *name, *unit;
	double value;
};

struct row {
	struct stored_run run;
	bool surprising;
	struct figure *figure;
	size_t figures;
};

struct report {
	const struct options *o;
	const char *db;
	struct reader *rd;
	FILE *out;
	struct row *row;
	size_t rows, capacity;
	size_t surprises, failed;
	uint64_t schedules;
	int64_t wall_ns;
	unsigned shown; /* failures as swim lanes */
	struct row *filling;
};

/* --- reading -------------------------------------------------------------------------------- */

static bool
run_failed(const struct stored_run *run)
{
	return strcmp(run->verdict, "ok") && strcmp(run->verdict, "budget");
}

/* A run without an expectation is expected to hold. An unfinished one crashed or still runs. */
static bool
run_surprises(const struct stored_run *run)
{
	return *run->expected ? strcmp(run->verdict, run->expected) != 0 : run_failed(run);
}

static void
keep_run(void *context, const struct stored_run *run)
{
	struct report *p = context;
	struct row *row;

	if (p->rows == p->capacity) {
		p->capacity = p->capacity ? 2 * p->capacity : 64;
		p->row = realloc(p->row, p->capacity * sizeof(*p->row));
		must(p->row);
	}
	row = &p->row[p->rows++];
	*row = (struct row){ .run = *run, .surprising = run_surprises(run) };
	p->surprises += row->surprising;
	p->failed += run_failed(run);
	p->schedules += run->schedules;
	p->wall_ns += run->wall_ns;
}

static void
keep_figure(void *context, const char *name, double value, const char *unit)
{
	struct row *row = ((struct report *)context)->filling;

	/* The exploration's own are in its picture. */
	if (!name || !strncmp(name, "explore.", 8))
		return;
	row->figure = realloc(row->figure, (row->figures + 1) * sizeof(*row->figure));
	must(row->figure);
	row->figure[row->figures++] =
		(struct figure){ strdup(name), strdup(unit ? unit : ""), value };
}

static int
read_all(struct report *p, struct error *err)
{
	if (reader_runs(p->rd, keep_run, p, err))
		return -1;
	for (size_t i = 0; i < p->rows; i++) {
		p->filling = &p->row[i];
		if (reader_metrics(p->rd, p->row[i].run.id, keep_figure, p, err))
			return -1;
	}
	return 0;
}

static void
free_all(struct report *p)
{
	for (size_t i = 0; i < p->rows; i++) {
		for (size_t k = 0; k < p->row[i].figures; k++) {
			free(p->row[i].figure[k].name);
			free(p->row[i].figure[k].unit);
		}
		free(p->row[i].figure);
		stored_run_free(&p->row[i].run);
	}
	free(p->row);
}

/* --- pieces of text ------------------------------------------------------------------------- */

static void
print_name(const struct stored_run *run, FILE *out)
{
	export_html_text(out, run->scenario);
	if (*run->variant) {
		fputc(':', out);
		export_html_text(out, run->variant);
	}
}

static void
print_cell(FILE *out, const char *class, const char *text)
{
	fprintf(out, "<td%s>", class);
	export_html_text(out, text);
}

static void
print_count(FILE *out, uint64_t n)
{
	fprintf(out, "<td class=\"n\">%" PRIu64, n);
}

static void
print_seconds(FILE *out, int64_t ns)
{
	fprintf(out, "<td class=\"n\">%.3f s", (double)ns / 1e9);
}

static void
print_verdict(FILE *out, const struct row *row)
{
	print_cell(out, row->surprising ? " class=\"bad\"" : "", row->run.verdict);
	if (row->surprising && *row->run.expected) {
		fputs(", expected ", out);
		export_html_text(out, row->run.expected);
	}
}

/* --- pictures ------------------------------------------------------------------------------- */

static void
print_base64(FILE *out, FILE *in)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char b[3] = { 0 };
	size_t n;

	while ((n = fread(b, 1, sizeof(b), in)) > 0) {
		uint32_t bits = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];

		for (size_t i = 0; i < 4; i++)
			fputc(i <= n ? digit[bits >> (18 - 6 * i) & 63] : '=', out);
		memset(b, 0, sizeof(b));
	}
}

/* As an image of its own, so that names in one picture are not those in another. */
static void
print_picture(struct report *p, const struct stored_run *run, const char *picture)
{
	char folder[] = "/tmp/ringside-report-XXXXXX", svg[64], data[64];
	FILE *in;

	if (!mkdtemp(folder))
		return;
	snprintf(svg, sizeof(svg), "%s/picture.svg", folder);
	snprintf(data, sizeof(data), "%s/picture.dat", folder);
	fflush(p->out);
	in = plot_draw(picture, p->db, run->id, svg, NULL) ? NULL : fopen(svg, "r");
	if (in) {
		fprintf(p->out,
			"<p><img alt=\"%s of run %" PRId64 "\" src=\"data:image/svg+xml;base64,",
			picture, run->id);
		print_base64(p->out, in);
		fputs("\"></p>\n", p->out);
		fclose(in);
	}
	unlink(svg);
	unlink(data);
	rmdir(folder);
}

/* --- a failure ------------------------------------------------------------------------------ */

static int
print_again(struct report *p, struct failure *f, struct error *err)
{
	struct event_log log = { 0 };
	struct session s;
	int ret;

	if (session_open_failure(&s, f, p->o, err))
		return -1;
	session_explain(&s, f);
	ret = session_replay_log(&s, &f->schedule, NULL, &log, err);
	if (!ret) {
		struct event_names names = event_names_of_world(s.w);
		struct lanes_options lo = { .lines_max = p->o->lines,
					    .columns_max = p->o->columns,
					    .time = s.scenario.mode != WORLD_RELAXED,
					    .finding = &f->finding };
		struct lanes lanes;

		export_html_failure(f, 3, p->out);
		lanes_build(&lanes, &log, &names, &lo);
		export_html_lanes(&lanes, p->out);
		lanes_free(&lanes);
	}
	event_log_free(&log);
	session_close(&s);
	return ret;
}

static void
print_statement(void *context, const struct stored_statement *row)
{
	FILE *out = ((struct report *)context)->out;

	fputs("<tr>", out);
	print_cell(out, "", row->statement);
	print_cell(out, "", row->oracle);
	print_cell(out, "", row->severity);
	print_count(out, (uint64_t)row->runs);
	print_count(out, (uint64_t)row->first_run);
	print_cell(out, "", row->message);
	fputc('\n', out);
}

/* Of one run, or of all if @id is 0. */
static int
print_statements(struct report *p, int64_t id, struct error *err)
{
	int ret;

	fputs("<table>\n<tr><th>statement<th>oracle<th>severity<th class=\"n\">runs"
	      "<th class=\"n\">first<th>which said\n",
	      p->out);
	ret = reader_statements(p->rd, id, print_statement, p, err);
	fputs("</table>\n", p->out);
	return ret;
}

/* By its failure file, or if it kept none (a recording) by what it broke. */
static void
print_again_or_why(struct report *p, const struct row *row, const char *ref)
{
	struct error err = { 0 };
	struct failure f;
	int bad;

	if (failure_open(ref, &f, &err)) {
		if (print_statements(p, row->run.id, &err))
			fputs("<p>Its violations cannot be read.</p>\n", p->out);
		return;
	}
	bad = print_again(p, &f, &err);
	if (bad) {
		export_html_failure(&f, 3, p->out);
		fputs("<p>Not run again here: ", p->out);
		export_html_text(p->out, err.text);
	} else {
		fputs("<p>ringside replay ", p->out);
		export_html_text(p->out, ref);
	}
	fputs("</p>\n", p->out);
	failure_free(&f);
}

static void
print_failure(struct report *p, const struct row *row)
{
	size_t size = strlen(p->db) + 32;
	char *ref = malloc(size);

	must(ref);
	snprintf(ref, size, "%s#%" PRId64, p->db, row->run.id);
	fprintf(p->out, "<h2 id=\"run%" PRId64 "\">run %" PRId64 ": ", row->run.id, row->run.id);
	print_name(&row->run, p->out);
	fputs("</h2>\n", p->out);
	print_again_or_why(p, row, ref);
	print_picture(p, &row->run, "rings");
	print_picture(p, &row->run, "exploration");
	free(ref);
}

static void
print_failures(struct report *p)
{
	if (!p->failed || !p->o->failures)
		return;
	for (int expected = 0; expected < 2; expected++)
		for (size_t i = 0; i < p->rows && p->shown < p->o->failures; i++) {
			const struct row *row = &p->row[i];

			if (row->surprising == !expected && run_failed(&row->run)) {
				print_failure(p, row);
				p->shown++;
			}
		}
	if (p->shown < p->failed)
		fprintf(p->out, "<p>%zu more failures are in the table of runs alone.</p>\n",
			p->failed - p->shown);
}

/* --- tables --------------------------------------------------------------------------------- */

static void
print_head(struct report *p)
{
	export_html_begin(p->db, p->out);
	fputs("<h1>", p->out);
	export_html_text(p->out, p->db);
	fprintf(p->out, ": %zu runs, %zu not as expected</h1>\n<dl>\n", p->rows, p->surprises);
	fprintf(p->out, "<dt>schedules<dd>%" PRIu64 "\n<dt>time<dd>%.1f s\n", p->schedules,
		(double)p->wall_ns / 1e9);
	if (p->rows) {
		fputs("<dt>version<dd>", p->out);
		export_html_text(p->out, p->row[p->rows - 1].run.version);
	}
	fputs("</dl>\n", p->out);
}

static void
print_surprises(struct report *p)
{
	if (!p->surprises)
		return;
	fputs("<h2>Not as expected</h2>\n<table>\n<tr><th class=\"n\">run<th>scenario<th>verdict\n",
	      p->out);
	for (size_t i = 0; i < p->rows; i++) {
		const struct row *row = &p->row[i];

		if (!row->surprising)
			continue;
		fprintf(p->out,
			"<tr><td class=\"n\"><a href=\"#row%" PRId64 "\">%" PRId64 "</a><td>",
			row->run.id, row->run.id);
		print_name(&row->run, p->out);
		print_verdict(p->out, row);
		fputc('\n', p->out);
	}
	fputs("</table>\n", p->out);
}

static void
print_run(struct report *p, const struct row *row)
{
	const struct stored_run *run = &row->run;

	fprintf(p->out, "<tr id=\"row%" PRId64 "\">", run->id);
	print_count(p->out, (uint64_t)run->id);
	fputs("<td>", p->out);
	print_name(run, p->out);
	fputs("<small>", p->out);
	for (size_t i = 0; i < run->param_count; i++) {
		fputc(' ', p->out);
		export_html_text(p->out, run->params[i].name);
		fputc('=', p->out);
		export_html_text(p->out, run->params[i].value);
	}
	fputs("</small>", p->out);
	print_verdict(p->out, row);
	print_cell(p->out, "", run->strategy);
	print_cell(p->out, "", run->memory);
	print_cell(p->out, "", run->datapath);
	print_count(p->out, run->seed);
	print_count(p->out, run->schedules);
	fputs(run->complete ? ", complete" : "", p->out);
	print_count(p->out, run->steps);
	print_seconds(p->out, run->sim_time_ns);
	print_seconds(p->out, run->wall_ns);
	fputc('\n', p->out);
}

static void
print_runs(struct report *p)
{
	size_t left_out = 0;

	fputs("<h2>Runs</h2>\n<table>\n<tr><th class=\"n\">run<th>scenario<th>verdict<th>strategy"
	      "<th>memory<th>datapath<th class=\"n\">seed<th class=\"n\">schedules"
	      "<th class=\"n\">steps<th class=\"n\">simulated<th class=\"n\">took\n",
	      p->out);
	for (size_t i = 0; i < p->rows; i++) {
		if (i < REPORT_RUNS_MAX || p->row[i].surprising)
			print_run(p, &p->row[i]);
		else
			left_out++;
	}
	fputs("</table>\n", p->out);
	if (left_out)
		fprintf(p->out, "<p>%zu more ended as expected.</p>\n", left_out);
}

/* --- figures -------------------------------------------------------------------------------- */

static const struct figure *
figure_of(const struct row *row, const char *name)
{
	for (size_t i = 0; i < row->figures; i++)
		if (!strcmp(row->figure[i].name, name))
			return &row->figure[i];
	return NULL;
}

/* A column for each figure that the first run of the scenario has. */
static void
print_figures_of(struct report *p, size_t first)
{
	const struct row *head = &p->row[first];

	fputs("<h3>", p->out);
	export_html_text(p->out, head->run.scenario);
	fputs("</h3>\n<table>\n<tr><th class=\"n\">run<th>variant", p->out);
	for (size_t k = 0; k < head->figures; k++) {
		fputs("<th class=\"n\">", p->out);
		export_html_text(p->out, head->figure[k].name);
		fputs(*head->figure[k].unit ? "<br>" : "", p->out);
		export_html_text(p->out, head->figure[k].unit);
	}
	for (size_t i = first; i < p->rows; i++) {
		const struct row *row = &p->row[i];

		if (!row->figures || strcmp(row->run.scenario, head->run.scenario))
			continue;
		fprintf(p->out, "\n<tr><td class=\"n\"><a href=\"#row%" PRId64 "\">%" PRId64 "</a>",
			row->run.id, row->run.id);
		print_cell(p->out, "", row->run.variant);
		for (size_t k = 0; k < head->figures; k++) {
			const struct figure *f = figure_of(row, head->figure[k].name);

			fputs("<td class=\"n\">", p->out);
			if (f)
				fprintf(p->out, "%.6g", f->value);
		}
	}
	fputs("\n</table>\n", p->out);
}

static bool
figures_before(const struct report *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (p->row[k].figures && !strcmp(p->row[k].run.scenario, p->row[i].run.scenario))
			return true;
	return false;
}

static void
print_figures(struct report *p)
{
	bool any = false;

	for (size_t i = 0; i < p->rows; i++) {
		if (!p->row[i].figures || figures_before(p, i))
			continue;
		fputs(any ? "" : "<h2>Figures</h2>\n", p->out);
		any = true;
		print_figures_of(p, i);
	}
}

/* --- the command ---------------------------------------------------------------------------- */

static int
print_all(struct report *p, struct error *err)
{
	int ret;

	print_head(p);
	print_surprises(p);
	print_failures(p);
	fputs("<h2>Statements that were broken</h2>\n", p->out);
	ret = print_statements(p, 0, err);
	print_runs(p);
	print_figures(p);
	export_html_end(p->out);
	return ret;
}

int
command_report(const struct options *o, struct error *err)
{
	struct report p = { .o = o, .db = o->arg_count ? o->args[0] : o->db };
	int bad;

	p.rd = reader_open(p.db, err);
	if (!p.rd)
		return EXIT_USAGE;
	bad = read_all(&p, err);
	if (!bad) {
		p.out = o->out ? fopen(o->out, "w") : stdout;
		bad = p.out ? print_all(&p, err)
			    : error_set(err, "%s: %s", o->out, strerror(errno));
	}
	if (p.out && (fflush(p.out) || ferror(p.out)))
		bad = error_set(err, "%s: cannot be written", o->out ? o->out : "output");
	if (p.out && o->out)
		fclose(p.out);
	reader_close(p.rd);
	free_all(&p);
	if (bad)
		return EXIT_USAGE;
	if (o->out && !o->quiet)
		printf("report: %s, %zu runs, %zu not as expected\n", o->out, p.rows, p.surprises);
	return p.surprises ? EXIT_BROKEN : EXIT_HELD;
}
