/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/export_html.h"

#include <inttypes.h>
#include <stdlib.h>

#include "explore/wording.h"
#include "trace/export_text.h"

static const char style[] =
	":root{color-scheme:light dark;--line:#8884;--soft:#888}\n"
	"body{font:14px/1.45 ui-monospace,monospace;margin:2em auto;max-width:80em;padding:0 1em}\n"
	"h1{font-size:1.2em}h2{font-size:1.1em}h3{font-size:1em}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1em}\n"
	"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
	".r{display:grid;grid-template-columns:5em repeat(var(--n),minmax(0,1fr))}\n"
	".r>*{padding:0 .6em;border-left:1px solid var(--line);overflow-wrap:anywhere}\n"
	".r>:first-child{border:0;color:var(--soft);text-align:right}\n"
	".h{position:sticky;top:0;background:Canvas;font-weight:bold}\n"
	".h>*{border-bottom:1px solid var(--line)}\n"
	".e{border-top:1px solid var(--line);color:var(--soft)}\n"
	".v{background:#d002;font-weight:bold}.w>*{color:var(--soft)}\n"
	"table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:0 .6em}\n"
	"td,th{border-top:1px solid var(--line)}td.n,th.n{text-align:right}.bad{background:#d002}\n"
	"img{max-width:100%;background:#fff}\n"
	"summary{color:var(--soft);cursor:pointer;padding-left:5.6em}\n";

static void
print_item(FILE *out, const char *term, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, "<dt>%s<dd>", term);
	export_html_text(out, text);
	fputc('\n', out);
}

void
export_html_failure(const struct failure *f, int level, FILE *out)
{
	char *schedule = schedule_print(&f->schedule), number[24];

	fprintf(out, "<h%d>%s", level, verdict_name[f->finding.verdict]);
	fputs(*f->finding.message ? ": " : "", out);
	export_html_text(out, f->finding.message);
	fprintf(out, "</h%d>\n<dl>\n", level);
	print_item(out, "scenario", f->scenario);
	print_item(out, "variant", f->variant);
	for (size_t i = 0; i < f->param_count; i++)
		print_item(out, f->params[i].name, f->params[i].value);
	print_item(out, "oracle", f->finding.oracle);
	print_item(out, "subject", f->finding.subject);
	print_item(out, "memory model", f->memory);
	print_item(out, "datapath", f->datapath);
	snprintf(number, sizeof(number), "%" PRIu64, f->seed);
	print_item(out, "seed", number);
	print_item(out, "schedule", schedule);
	print_item(out, "critical pair", f->critical);
	print_item(out, "barrier", f->barrier);
	print_item(out, "version", f->version);
	fputs("</dl>\n", out);
	free(schedule);
}

/* A grid line: the step, then a cell a lane, all empty but one. */
static void
print_row(const struct lanes *l, size_t i, FILE *out)
{
	const struct event *e = &l->log->events[i];
	char text[LANES_TEXT_MAX], place[LANES_PLACE_MAX];

	lanes_text(l, i, text, sizeof(text));
	lanes_place(l, i, place, sizeof(place));
	fprintf(out, "<div class=\"r%s\" title=\"%s, %" PRId64 " ns\"><span>%" PRIu64 "</span>",
		e->kind == EV_VIOLATION	    ? " v"
		: e->kind == EV_ACTOR_BLOCK ? " w"
					    : "",
		event_info[e->kind].name, e->time_ns, e->step);
	for (int lane = 0; lane < (int)l->lane_count; lane++) {
		fputs("<span>", out);
		if (lane == l->row[i].lane) {
			export_html_text(out, text);
			fputs(*place ? " <small>" : "", out);
			export_html_text(out, place);
			fputs(*place ? "</small>" : "", out);
		}
		fputs("</span>", out);
	}
	fputs("</div>\n", out);
}

static void
print_folded(const struct lanes *l, size_t from, size_t to, size_t count, FILE *out)
{
	if (!count)
		return;
	fprintf(out, "<details><summary>… %zu more</summary>\n", count);
	for (size_t i = from; i < to; i++)
		if (l->row[i].lane >= 0)
			print_row(l, i, out);
	fputs("</details>\n", out);
}

static void
print_rows(const struct lanes *l, size_t first, FILE *out)
{
	size_t folded_from = first, folded = 0;

	for (size_t i = first; i < l->log->count; i++) {
		if (!l->row[i].kept) {
			folded += l->row[i].lane >= 0;
			continue;
		}
		print_folded(l, folded_from, i, folded, out);
		print_row(l, i, out);
		folded_from = i + 1;
		folded = 0;
	}
	print_folded(l, folded_from, l->log->count, folded, out);
}

static void
print_names(const struct lanes *l, const char *class, bool ends, FILE *out)
{
	fprintf(out, "<div class=\"r %s\"><span>%s</span>", class, ends ? "end" : "step");
	for (size_t i = 0; i < l->lane_count; i++) {
		fputs("<span>", out);
		export_html_text(out, ends ? l->lane[i].end : l->lane[i].name);
		fputs("</span>", out);
	}
	fputs("</div>\n", out);
}

void
export_html_begin(const char *title, FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>", out);
	export_html_text(out, title);
	fprintf(out, "</title>\n<style>\n%s</style></head>\n<body>\n", style);
}

void
export_html_end(FILE *out)
{
	fputs("</body></html>\n", out);
}

void
export_html_lanes(const struct lanes *l, FILE *out)
{
	size_t first =
		l->log->count > EXPORT_HTML_ROWS_MAX ? l->log->count - EXPORT_HTML_ROWS_MAX : 0;

	fprintf(out, "<div style=\"--n:%zu\">\n", l->lane_count);
	if (first || l->log->dropped)
		fprintf(out, "<p>%" PRIu64 " earlier events are not shown.</p>\n",
			l->log->dropped + first);
	print_names(l, "h", false, out);
	print_rows(l, first, out);
	print_names(l, "e", true, out);
	if (l->actors_hidden)
		fprintf(out, "<p>Not shown: %u other actors, %" PRIu64 " events.</p>\n",
			l->actors_hidden, l->events_hidden);
	fputs("</div>\n", out);
}

void
export_html(const struct lanes *l, const struct failure *failure, FILE *out)
{
	export_html_begin(failure && failure->scenario ? failure->scenario : "Ringside", out);
	if (failure)
		export_html_failure(failure, 1, out);
	export_html_lanes(l, out);
	export_html_end(out);
}
