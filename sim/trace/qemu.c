/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/qemu.h"

#include <stdlib.h>

#include "base/error.h"
#include "trace/cursor.h"
#include "trace/event_defs.h"

#define RECOGNISE_LINES 200

struct import {
	struct recording *r;
	struct event_defs *defs;
	struct error *err;
	const char *start; /* of the line */
	uint64_t line;
	int64_t last_ns;
	const char *thread; /* the last line's, as it stands there */
	size_t thread_size;
	uint16_t thread_number;
	bool timed; /* some line has a stamp */
};

/* "9750@1795168139.096198:" if it is there, or the cursor stays. */
static bool
take_prefix(struct cursor *c, size_t *thread_size, int64_t *ns)
{
	struct cursor x = *c;
	uint64_t thread;

	if (!cursor_decimal(&x, &thread))
		return false;
	*thread_size = (size_t)(x.at - c->at);
	if (!cursor_take(&x, '@') || !cursor_seconds(&x, ns) || !cursor_take(&x, ':'))
		return false;
	c->at = x.at;
	return true;
}

static size_t
name_size(const struct cursor *c)
{
	const char *p = c->at;

	while (p < c->end && *p != ' ')
		p++;
	return (size_t)(p - c->at);
}

static int
damaged(const struct import *in, const char *at, const char *what)
{
	return error_at(in->err, in->r->name, (long)in->line, at - in->start + 1,
			"damaged line: %s", what);
}

/* Digits, an @ and what follows: the prefix of a line that the end of the file cut off. */
static bool
prefix_cut(struct cursor c)
{
	uint64_t number;
	int64_t ns;

	if (!cursor_decimal(&c, &number))
		return false;
	if (c.at == c.end)
		return true;
	if (!cursor_take(&c, '@'))
		return false;
	cursor_seconds(&c, &ns);
	return c.at == c.end;
}

static uint16_t
thread_number(struct import *in, const char *thread, size_t size)
{
	if (size != in->thread_size || memcmp(thread, in->thread, size)) {
		in->thread = thread;
		in->thread_size = size;
		in->thread_number = recording_thread(in->r, thread, size);
	}
	return in->thread_number;
}

void
qemu_record_finish(struct record *record)
{
	/* The address space of a slot, which newer versions print apart. */
	if (record->kind == RECORD_MEMSLOT_UPDATE)
		record->arg[0] |= record->arg[6] << 16;
}

static int
import_event(struct import *in, const struct event_def *def, struct cursor c, bool cut,
	     struct record *record)
{
	const char *furthest = c.at;
	const struct event_def *nearest = def;
	char what[256] = "not the arguments that this event has: ";
	size_t n = strlen(what);

	for (; def; def = def->next) {
		struct cursor x = c;

		if (def->opaque)
			continue;

		if (event_def_parse(def, in->r, &x, record)) {
			/* A number or a text at the very end of a file may have lost its end. */
			if (cut)
				return damaged(in, x.end, "cut off by the end of the file");
			qemu_record_finish(record);
			return 0;
		}
		if (x.at > furthest) {
			furthest = x.at;
			nearest = def;
		}
	}
	event_def_form(nearest, what + n, sizeof(what) - n);
	return damaged(in, furthest,
		       cut && furthest == c.end ? "cut off by the end of the file" : what);
}

static int
import_line(struct import *in, struct cursor c, bool cut)
{
	size_t thread_size = 4, n;
	const struct event_def *def;
	struct record record = { .line = in->line };
	const char *thread = c.at;
	bool stamp = take_prefix(&c, &thread_size, &record.time_ns);

	n = name_size(&c);
	def = n ? event_defs_find(in->defs, c.at, n) : NULL;
	if (!def) {
		if (cut && ((!stamp && prefix_cut(c)) || (stamp && !n) ||
			    (n && c.at + n == c.end && event_defs_prefix(in->defs, c.at, n))))
			return damaged(in, c.end, "cut off by the end of the file");
		in->r->lines_skipped++;
		return 0;
	}
	if (def->opaque) {
		in->r->lines_skipped++;
		return 0;
	}
	c.at += n;
	if (import_event(in, def, c, cut, &record))
		return -1;
	record.thread = stamp ? thread_number(in, thread, thread_size)
			      : thread_number(in, "qemu", thread_size);
	record.estimated = !stamp;
	if (stamp)
		in->last_ns = record.time_ns;
	else
		record.time_ns = in->timed ? in->last_ns : (int64_t)in->r->count;
	in->timed |= stamp;
	*recording_add(in->r, record.kind, in->line) = record;
	return 0;
}

struct event_defs *
qemu_event_defs(struct recording *r, const struct trace_options *o, struct error *err)
{
	struct event_defs *defs = event_defs_create(r);
	size_t size;
	char *text;
	int ret;

	if (!o || !o->events)
		return defs;
	text = trace_read_file(o->events, &size, err);
	ret = text ? event_defs_add(defs, o->events, text, size, err) : -1;
	free(text);
	if (!ret)
		return defs;
	event_defs_destroy(defs);
	return NULL;
}

/* Lines without a stamp that came before the first with one: not later than that. */
static void
settle_times(const struct import *in)
{
	struct recording *r = in->r;
	size_t i = 0;

	r->timeless = !in->timed;
	while (i < r->count && r->record[i].estimated)
		i++;
	for (size_t k = 0; in->timed && k < i; k++)
		r->record[k].time_ns = r->record[i].time_ns;
	recording_times_check(r);
}

int
qemu_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	    struct error *err)
{
	struct import in = { .r = r, .err = err, .defs = qemu_event_defs(r, o, err) };
	const char *at = text, *end = text + size;
	int ret = in.defs ? 0 : -1;
	bool cut;

	while (!ret && at < end) {
		struct cursor line;

		in.start = at;
		line = cursor_line(&at, end, &cut);
		in.line++;
		r->lines++;
		ret = import_line(&in, line, cut);
	}
	if (!ret)
		settle_times(&in);
	event_defs_destroy(in.defs);
	return ret;
}

int
qemu_recognise(const char *text, size_t size)
{
	struct recording none = { 0 };
	struct event_defs *defs = event_defs_create(&none);
	const char *at = text, *end = text + size;
	int lines = 0, stamped = 0, known = 0;
	bool cut;

	for (; at < end && lines < RECOGNISE_LINES; lines++) {
		struct cursor c = cursor_line(&at, end, &cut);
		size_t thread_size;
		int64_t ns;

		stamped += take_prefix(&c, &thread_size, &ns);
		known += event_defs_find(defs, c.at, name_size(&c)) != NULL;
	}
	event_defs_destroy(defs);
	recording_free(&none);
	if (!stamped && !known)
		return 0;
	return 50 + 49 * (stamped > known ? stamped : known) / lines;
}
