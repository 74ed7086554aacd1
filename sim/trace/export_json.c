/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/export_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/lanes.h"
#include "explore/wording.h"
#include "trace/export_text.h"

static void
member(FILE *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	fputs(",\n ", out);
	export_json_string(out, key);
	fputc(':', out);
	export_json_string(out, value);
}

static void
print_failure(const struct failure *f, FILE *out)
{
	char *schedule;

	if (!f) {
		fputs("null", out);
		return;
	}
	schedule = schedule_print(&f->schedule);
	fputs("{\"verdict\":", out);
	export_json_string(out, verdict_name[f->finding.verdict]);
	member(out, "oracle", f->finding.oracle);
	member(out, "subject", f->finding.subject);
	member(out, "message", f->finding.message);
	member(out, "scenario", f->scenario);
	member(out, "variant", f->variant);
	fputs(",\n \"params\":{", out);
	for (size_t i = 0; i < f->param_count; i++) {
		fputs(i ? "," : "", out);
		export_json_string(out, f->params[i].name);
		fputc(':', out);
		export_json_string(out, f->params[i].value);
	}
	fputc('}', out);
	member(out, "strategy", f->strategy);
	member(out, "memory", f->memory);
	member(out, "datapath", f->datapath);
	member(out, "schedule", schedule);
	member(out, "version", f->version);
	member(out, "build", f->build);
	member(out, "critical", f->critical);
	member(out, "critical_first", f->critical_stack[0]);
	member(out, "critical_second", f->critical_stack[1]);
	member(out, "barrier", f->barrier);
	member(out, "order", f->order);
	fprintf(out, ",\n \"seed\":\"%" PRIu64 "\",\"steps\":%" PRIu64 "}", f->seed, f->steps);
	free(schedule);
}

void
export_json_args(const struct event_names *names, const struct event *e, FILE *out)
{
	struct event_field f = { 0 };
	unsigned count = 0;

	fputc('{', out);
	while (event_field_next(e->kind, &f)) {
		int64_t v = e->arg[f.arg];
		const char *text = names->text ? names->text(names->context, v) : NULL;

		if (f.key_len)
			fprintf(out, "%s\"%.*s\":", count ? "," : "", f.key_len, f.key);
		else
			fprintf(out, "%s\"text\":", count ? "," : "");
		if (f.conversion == 'x')
			fprintf(out, "\"0x%" PRIx64 "\"", (uint64_t)v);
		else if (f.conversion == 's' && text)
			export_json_string(out, text);
		else
			export_json_integer(out, v);
		count++;
	}
	fputc('}', out);
}

void
export_json_stack(const struct event_names *names, const struct event *e, FILE *out)
{
	struct site_frame frame[EVENT_FRAMES_MAX];
	size_t frames = event_names_frames(names, e, frame, EVENT_FRAMES_MAX);
	const char *access = wording_access(e);
	char place[LANES_PLACE_MAX];

	if (*access)
		fprintf(out, ",\"access\":\"%s\"", access);

	if (!frames)
		return;
	event_names_place(names, e, place, sizeof(place));
	fputs(",\"place\":", out);
	export_json_string(out, place);
	fputs(",\"stack\":[", out);
	for (size_t i = 0; i < frames; i++) {
		char text[2 * LANES_PLACE_MAX];

		site_frame_text(&frame[i], text, sizeof(text));
		fputs(i ? "," : "", out);
		export_json_string(out, text);
	}
	fputc(']', out);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* All that did something, by id. */
static void
print_actors(const struct event_log *log, const struct event_names *names, FILE *out)
{
	uint32_t *ids = calloc(log->count + 1, sizeof(*ids)), last = 0;
	bool first = true;
	char name[64];

	must(ids);
	for (size_t i = 0; i < log->count; i++)
		ids[i] = log->events[i].actor;
	qsort(ids, log->count, sizeof(*ids), by_number);
	for (size_t i = 0; i < log->count; i++) {
		if (!first && ids[i] == last)
			continue;
		last = ids[i];
		event_names_actor(names, last, name, sizeof(name));
		fprintf(out, "%s{\"id\":%" PRIu32 ",\"name\":", first ? "" : ",", last);
		export_json_string(out, name);
		fputc('}', out);
		first = false;
	}
	free(ids);
}

void
export_json(const struct event_log *log, const struct event_names *names,
	    const struct failure *failure, FILE *out)
{
	char text[LANES_TEXT_MAX];

	fputs("{\"ringside\":1,\n\"failure\":", out);
	print_failure(failure, out);
	fprintf(out, ",\n\"dropped\":%" PRIu64 ",\n\"actors\":[", log->dropped);
	print_actors(log, names, out);
	fputs("],\n\"events\":[", out);
	for (size_t i = 0; i < log->count; i++) {
		const struct event *e = &log->events[i];

		fprintf(out,
			"%s\n{\"step\":%" PRIu64 ",\"time_ns\":%" PRId64 ",\"actor\":%" PRIu32
			",\"kind\":\"%s\",\"text\":",
			i ? "," : "", e->step, e->time_ns, e->actor, event_info[e->kind].name);
		wording_text(names, e, text, sizeof(text));
		export_json_string(out, text);
		fputs(",\"args\":", out);
		export_json_args(names, e, out);
		export_json_stack(names, e, out);
		fputc('}', out);
	}
	fputs("\n]}\n", out);
}
