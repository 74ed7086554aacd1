/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "trace/ftrace.h"
#include "trace/pattern.h"
#include "trace/qemu.h"
#include "trace/simpletrace.h"
#include "trace/syslog.h"
#include "trace/tracedat.h"

const struct trace_format trace_formats[] = {
	{ "qemu", "QEMU's -trace in text, with time stamps or without", qemu_recognise,
	  qemu_import },
	{ "simpletrace", "QEMU's simpletrace files", simpletrace_recognise, simpletrace_import },
	{ "ftrace", "kvm:* events of the host kernel: ftrace, trace-cmd report, perf script",
	  ftrace_recognise, ftrace_import },
	{ "tracedat", "trace-cmd's trace.dat, its kvm:* events", tracedat_recognise,
	  tracedat_import },
	{ "syslog", "a host's syslog or dmesg with KVM's and QEMU's dirty-bitmap messages",
	  syslog_recognise, syslog_import },
	{ "pattern", "any log, by the patterns of --pattern", NULL, pattern_import },
};
const size_t trace_formats_count = sizeof(trace_formats) / sizeof(trace_formats[0]);

const struct trace_format *
trace_format_find(const char *name)
{
	for (size_t i = 0; i < trace_formats_count; i++)
		if (!strcmp(trace_formats[i].name, name))
			return &trace_formats[i];
	return NULL;
}

const struct trace_format *
trace_recognise(const char *text, size_t size)
{
	const struct trace_format *best = NULL;
	int best_sure = 0;

	for (size_t i = 0; i < trace_formats_count; i++) {
		int sure = trace_formats[i].recognise ? trace_formats[i].recognise(text, size) : 0;

		if (sure > best_sure) {
			best_sure = sure;
			best = &trace_formats[i];
		}
	}
	return best;
}

/* "'syslog', 'ftrace'" */
static const char *
format_names(char *names, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < trace_formats_count && used < size; i++)
		used += (size_t)snprintf(names + used, size - used, "%s'%s'", i ? ", " : "",
					 trace_formats[i].name);
	return names;
}

/* By its name, by what else the options say, or by the text. */
static const struct trace_format *
format_of(const struct trace_options *o, const char *text, size_t size)
{
	const struct trace_format *f;

	if (o->format)
		return trace_format_find(o->format);
	if (o->pattern)
		return trace_format_find("pattern");
	f = trace_recognise(text, size);
	return f || !o->events || !size ? f : trace_format_find("qemu");
}

int
trace_open_text_with(const char *name, const char *text, size_t size, const struct trace_options *o,
		     struct recording *r, struct error *err)
{
	const struct trace_format *f = format_of(o, text, size);
	char names[256];

	if (!f && o->format)
		return error_set(err, "no trace format '%s': there is %s", o->format,
				 format_names(names, sizeof(names)));
	if (!f && !size)
		return error_at(err, name, 0, 0, "the file is empty");
	if (!f)
		return error_at(err, name, 0, 0, "not a trace of a format we know: %s",
				format_names(names, sizeof(names)));
	r->name = strdup(name);
	must(r->name);
	r->format = f->name;
	if (f->import(r, text, size, o, err)) {
		recording_free(r);
		return -1;
	}
	return 0;
}

int
trace_open_text(const char *name, const char *text, size_t size, const char *format,
		struct recording *r, struct error *err)
{
	struct trace_options o = { .format = format };

	return trace_open_text_with(name, text, size, &o, r, err);
}

/* All of a file, malloc'ed, or null and @err. */
static char *
read_all(FILE *from, const char *path, size_t *size, struct error *err)
{
	size_t capacity = 1u << 16;
	char *text = malloc(capacity);

	*size = 0;
	for (;;) {
		must(text);
		*size += fread(text + *size, 1, capacity - *size, from);
		if (ferror(from)) {
			error_at(err, path, 0, 0, "cannot be read: %s", strerror(errno));
			break;
		}
		if (*size < capacity)
			return text;
		if (capacity >= TRACE_BYTES_MAX) {
			error_at(err, path, 0, 0, "is larger than %" PRIu64 " bytes",
				 TRACE_BYTES_MAX);
			break;
		}
		capacity *= 2;
		text = realloc(text, capacity);
	}
	free(text);
	return NULL;
}

char *
trace_read_file(const char *path, size_t *size, struct error *err)
{
	FILE *from = fopen(path, "rb");
	char *text;

	if (!from) {
		error_at(err, path, 0, 0, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	text = read_all(from, path, size, err);
	fclose(from);
	return text;
}

int
trace_open_with(const char *path, const struct trace_options *o, struct recording *r,
		struct error *err)
{
	size_t size;
	char *text = trace_read_file(path, &size, err);
	int result;

	if (!text)
		return -1;
	result = trace_open_text_with(path, text, size, o, r, err);
	free(text);
	return result;
}

int
trace_open(const char *path, const char *format, struct recording *r, struct error *err)
{
	struct trace_options o = { .format = format };

	return trace_open_with(path, &o, r, err);
}

void
trace_print_import(const struct recording *r, FILE *to)
{
	fprintf(to, "%s: format %s, %" PRIu64 " lines, %zu records, %" PRIu64 " lines skipped\n",
		r->name, r->format, r->lines, r->count, r->lines_skipped);
	if (r->times_backwards)
		fprintf(to,
			"%s: the time goes backwards %" PRIu64
			" times; the order of lines counts\n",
			r->name, r->times_backwards);
	if (r->timeless)
		fprintf(to, "%s: no line has a time stamp; the order of lines is all there is\n",
			r->name);
	if (r->events_lost)
		fprintf(to, "%s: the recorder lost %" PRIu64 " events\n", r->name, r->events_lost);
	if (r->gaps)
		fprintf(to, "%s: the recorder lost events without a number: %" PRIu64 " times\n",
			r->name, r->gaps);
	for (size_t i = 0; i < r->notes; i++)
		fprintf(to, "%s: %s\n", r->name, r->note[i]);
	if (r->threads > 1)
		fprintf(to, "%s: %zu threads\n", r->name, r->threads);
	for (unsigned kind = 0; kind < RECORD_KINDS + r->kinds_added; kind++) {
		const struct record_info *info = recording_kind(r, kind);
		uint64_t count = recording_count(r, kind);

		if (count)
			fprintf(to, "  %8" PRIu64 "  %-20s  %s\n", count, info->name, info->what);
	}
}
