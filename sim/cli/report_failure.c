/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/report.h"
#include "trace/export_html.h"
#include "trace/export_text.h"

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
		struct lanes lanes;

		export_html_failure(f, 3, p->out);
		session_lanes(&s, p->o, &f->finding, &log, NULL, &lanes);
		export_html_lanes(&lanes, p->out);
		lanes_free(&lanes);
	}
	event_log_free(&log);
	session_close(&s);
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
		if (report_statements(p, row->run.id, &err))
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
	report_name(&row->run, p->out);
	fputs("</h2>\n", p->out);
	print_again_or_why(p, row, ref);
	print_picture(p, &row->run, "rings");
	print_picture(p, &row->run, "exploration");
	free(ref);
}

void
report_failures(struct report *p)
{
	if (!p->failed || !p->o->failures)
		return;
	for (int expected = 0; expected < 2; expected++)
		for (size_t i = 0; i < p->rows && p->shown < p->o->failures; i++) {
			const struct row *row = &p->row[i];

			if (row->surprising == !expected && report_run_failed(&row->run)) {
				print_failure(p, row);
				p->shown++;
			}
		}
	if (p->shown < p->failed)
		fprintf(p->out, "<p>%zu more failures are in the table of runs alone.</p>\n",
			p->failed - p->shown);
}
