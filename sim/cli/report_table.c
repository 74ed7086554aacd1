/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "cli/report.h"
#include "trace/export_text.h"

#define REPORT_RUNS_MAX 5000u /* rows of the table; what was not as expected is always there */

/* --- pieces of text ------------------------------------------------------------------------- */

void
report_name(const struct stored_run *run, FILE *out)
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

/* --- statements and runs ------------------------------------------------------------------- */

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
int
report_statements(struct report *p, int64_t id, struct error *err)
{
	int ret;

	fputs("<table>\n<tr><th>statement<th>oracle<th>severity<th class=\"n\">runs"
	      "<th class=\"n\">first<th>which said\n",
	      p->out);
	ret = reader_statements(p->rd, id, print_statement, p, err);
	fputs("</table>\n", p->out);
	return ret;
}

void
report_surprises(struct report *p)
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
		report_name(&row->run, p->out);
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
	report_name(run, p->out);
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

void
report_runs(struct report *p)
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

void
report_figures(struct report *p)
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
