/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a failing exploration says: short enough for a mail, complete enough to do it again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/runner.h"

#define FOLD_COLUMNS 72
#define COLUMNS_DEFAULT 100u

void
report_folded(FILE *to, const char *key, const char *value)
{
	int column = fprintf(to, "%s: ", key);

	for (; *value; value++) {
		if (column >= FOLD_COLUMNS)
			column = fprintf(to, "\n  ") - 1;
		fputc(*value, to);
		column++;
	}
	fputc('\n', to);
}

/* A paragraph of words; lines after the first begin with four blanks. */
static void
print_wrapped(FILE *to, unsigned columns, const char *text)
{
	unsigned column = 0;

	while (*text) {
		size_t bytes = strcspn(text, " ");
		unsigned width = 0;

		for (size_t i = 0; i < bytes; i++)
			width += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (column && column + 1 + width > columns)
			column = (unsigned)fprintf(to, "\n   ") - 1;
		column += (unsigned)fprintf(to, "%s", column ? " " : "") + width;
		fprintf(to, "%.*s", (int)bytes, text);
		text += bytes;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

static void
print_critical(const struct failure *f, unsigned columns, FILE *to)
{
	static const char *const which[] = { "first", "second" };
	char text[2000];

	if (f->critical) {
		snprintf(text, sizeof(text), "critical pair: %s", f->critical);
		print_wrapped(to, columns, text);
	}
	for (int i = 0; i < 2; i++) {
		if (!f->critical_stack[i] || !*f->critical_stack[i])
			continue;
		snprintf(text, sizeof(text), "  %s: %s", which[i], f->critical_stack[i]);
		print_wrapped(to, columns, text);
	}
	if (f->barrier) {
		snprintf(text, sizeof(text), "barrier: %s", f->barrier);
		print_wrapped(to, columns, text);
	}
	if (f->order) {
		snprintf(text, sizeof(text), "order: %s", f->order);
		print_wrapped(to, columns, text);
	}
}

void
session_lanes(struct session *s, const struct options *o, const struct finding *f,
	      const struct event_log *log, FILE *to, struct lanes *lanes)
{
	struct event_names names = event_names_of_world(s->w);
	struct lanes_options lo = { .lines_max = o->lines,
				    .columns_max = o->columns,
				    .time = s->scenario.mode != WORLD_RELAXED,
				    .colour = to && isatty(fileno(to)),
				    .finding = f };

	lanes_build(lanes, log, &names, &lo);
}

void
failure_report_print(struct session *s, const struct options *o, const struct failure_report *r,
		     FILE *to)
{
	const struct finding *f = r->finding;
	struct lanes lanes;
	char *line = schedule_print(r->schedule);

	fprintf(to, "scenario: %s:%s\nverdict: %s\noracle: %s\nsubject: %s\nmessage: %s\n\n",
		s->scenario.path, s->variant->name, verdict_name[f->verdict], f->oracle, f->subject,
		f->message);
	session_lanes(s, o, f, r->log, to, &lanes);
	lanes_print(&lanes, to);
	lanes_free(&lanes);
	fprintf(to, "\n");
	report_folded(to, "schedule", line);
	fprintf(to, "digest: %016" PRIx64 "\n", r->schedule->digest);
	if (r->failure)
		print_critical(r->failure, o->columns ? o->columns : COLUMNS_DEFAULT, to);
	if (r->file)
		fprintf(to, "replay: ringside replay %s\n", r->file);
	free(line);
}
