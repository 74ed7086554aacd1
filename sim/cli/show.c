/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside show: a failure as a picture. The run is done again; its events need not have been kept.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/runner.h"
#include "trace/export_html.h"
#include "trace/export_json.h"
#include "trace/export_perfetto.h"

enum show_format { SHOW_TEXT, SHOW_JSON, SHOW_PERFETTO, SHOW_HTML, SHOW_FORMATS };
static const char *const show_format_name[] = { "text", "json", "perfetto", "html" };

static void
show_lanes(struct session *s, struct failure *f, const struct event_log *log,
	   const struct options *o, bool html, FILE *to)
{
	struct failure_report report = { &f->finding, &f->schedule, log, NULL, f };
	struct lanes lanes;

	if (!html) {
		failure_report_print(s, o, &report, to);
		return;
	}
	session_lanes(s, o, &f->finding, log, NULL, &lanes);
	export_html(&lanes, f, to);
	lanes_free(&lanes);
}

static void
show(struct session *s, struct failure *f, const struct event_log *log, const struct options *o,
     enum show_format format, FILE *to)
{
	struct event_names names = event_names_of_world(s->w);

	switch (format) {
	case SHOW_JSON:
		export_json(log, &names, f, to);
		break;
	case SHOW_PERFETTO:
		export_perfetto(log, &names, s->scenario.name, to);
		break;
	default:
		show_lanes(s, f, log, o, format == SHOW_HTML, to);
	}
}

static int
show_to(struct session *s, struct failure *f, const struct event_log *log, const struct options *o,
	enum show_format format, struct error *err)
{
	FILE *to = o->out ? fopen(o->out, "w") : stdout;
	int failed;

	if (!to)
		return error_set(err, "%s: %s", o->out, strerror(errno));
	show(s, f, log, o, format, to);
	failed = fflush(to) || ferror(to);
	if (o->out)
		failed |= fclose(to);
	return failed ? error_set(err, "%s: cannot be written", o->out ? o->out : "output") : 0;
}

int
command_show(const struct options *o, struct error *err)
{
	struct event_log log = { 0 };
	struct session s;
	struct failure f;
	unsigned format = 0;
	int status = EXIT_USAGE;

	while (o->format && format < SHOW_FORMATS && strcmp(o->format, show_format_name[format]))
		format++;
	if (format == SHOW_FORMATS) {
		error_set(err, "--format %s: must be text, json, perfetto or html", o->format);
		return EXIT_USAGE;
	}
	if (failure_open(o->args[0], &f, err))
		return EXIT_USAGE;
	if (!session_open_failure(&s, &f, o, err)) {
		session_explain(&s, &f);
		if (session_replay_log(&s, &f.schedule, NULL, &log, err))
			status = EXIT_DIVERGED;
		else if (!show_to(&s, &f, &log, o, (enum show_format)format, err))
			status = EXIT_HELD;
		session_close(&s);
	}
	event_log_free(&log);
	failure_free(&f);
	return status;
}
