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

#include "base/must.h"
#include "cli/command.h"
#include "cli/report.h"
#include "trace/export_html.h"
#include "trace/export_text.h"

/* --- reading -------------------------------------------------------------------------------- */

bool
report_run_failed(const struct stored_run *run)
{
	return strcmp(run->verdict, "ok") && strcmp(run->verdict, "budget");
}

/* A run without an expectation is expected to hold. An unfinished one crashed or still runs. */
static bool
run_surprises(const struct stored_run *run)
{
	return *run->expected ? strcmp(run->verdict, run->expected) != 0 : report_run_failed(run);
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
	p->failed += report_run_failed(run);
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

/* --- the page ------------------------------------------------------------------------------- */

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

static int
print_all(struct report *p, struct error *err)
{
	int ret;

	print_head(p);
	report_surprises(p);
	report_failures(p);
	fputs("<h2>Statements that were broken</h2>\n", p->out);
	ret = report_statements(p, 0, err);
	report_runs(p);
	report_figures(p);
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
