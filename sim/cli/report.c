/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a failing exploration says: short enough for a mail, complete enough to do it again. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/runner.h"
#include "explore/lanes.h"

#define FOLD_COLUMNS 72

/*
 * "key: value" with the value folded: mail programs break long lines, schedule_parse() skips
 * blanks.
 */
static void
print_folded(FILE *to, const char *key, const char *value)
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

void
failure_report_print(struct session *s, const struct options *o, const struct failure_report *r,
		     FILE *to)
{
	const struct finding *f = r->finding;
	struct event_names names = event_names_of_world(s->w);
	struct lanes_options lo = { .lines_max = o->lines,
				    .columns_max = o->columns,
				    .time = s->scenario.mode == WORLD_TIMED,
				    .colour = isatty(fileno(to)),
				    .finding = f };
	struct lanes lanes;
	char *line = schedule_print(r->schedule);

	fprintf(to, "scenario: %s:%s\nverdict: %s\noracle: %s\nsubject: %s\nmessage: %s\n\n",
		s->scenario.path, s->variant->name, verdict_name[f->verdict], f->oracle, f->subject,
		f->message);
	lanes_build(&lanes, r->log, &names, &lo);
	lanes_print(&lanes, to);
	lanes_free(&lanes);
	fprintf(to, "\n");
	print_folded(to, "schedule", line);
	fprintf(to, "digest: %016" PRIx64 "\n", r->schedule->digest);
	if (r->file)
		fprintf(to, "replay: ringside replay %s\n", r->file);
	free(line);
}
