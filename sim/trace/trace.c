/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/must.h"
#include "trace/syslog.h"

const struct trace_format trace_formats[] = {
	{ "syslog", "a host's syslog or dmesg with KVM's and QEMU's dirty-bitmap messages",
	  syslog_recognise, syslog_import },
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
		int sure = trace_formats[i].recognise(text, size);

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

int
trace_open_text(const char *name, const char *text, size_t size, const char *format,
		struct recording *r, struct error *err)
{
	char names[256];
	const struct trace_format *f =
		format ? trace_format_find(format) : trace_recognise(text, size);

	if (!f && format)
		return error_set(err, "no trace format '%s': there is %s", format,
				 format_names(names, sizeof(names)));
	if (!f && !size)
		return error_at(err, name, 0, 0, "the file is empty");
	if (!f)
		return error_at(err, name, 0, 0, "not a trace of a format we know: %s",
				format_names(names, sizeof(names)));
	r->name = strdup(name);
	must(r->name);
	r->format = f->name;
	if (f->import(r, text, size, err)) {
		recording_free(r);
		return -1;
	}
	return 0;
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

int
trace_open(const char *path, const char *format, struct recording *r, struct error *err)
{
	FILE *from = fopen(path, "rb");
	size_t size;

	if (!from)
		return error_at(err, path, 0, 0, "cannot be opened: %s", strerror(errno));

	char *text = read_all(from, path, &size, err);

	fclose(from);
	if (!text)
		return -1;

	int result = trace_open_text(path, text, size, format, r, err);

	free(text);
	return result;
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
	for (int kind = 0; kind < RECORD_KINDS; kind++) {
		uint64_t count = recording_count(r, (enum record_kind)kind);

		if (count)
			fprintf(to, "  %8" PRIu64 "  %-16s  %s\n", count, record_info[kind].name,
				record_info[kind].what);
	}
}
