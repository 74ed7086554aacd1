/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/ftrace.h"

#include <stdio.h>

#include "base/error.h"
#include "base/must.h"
#include "trace/cursor.h"

#define RECOGNISE_LINES 200
#define FIELDS_MAX RECORD_ARGS
#define THREAD_MAX 128

struct field {
	const char *name, *other;
	uint8_t name_size, other_size;
	char how; /* d x v s; '(' and '^': where it stands instead of a name */
	char place;
	bool required;
};

struct kvm_event {
	const char *name;
	size_t name_size;
	unsigned kind;
	const char *spec;
	struct field field[FIELDS_MAX];
	unsigned fields;
};

static const struct kvm_event kvm_events[] = {
#define EVENT(name, kind, spec) { name, sizeof(name) - 1, RECORD_##kind, spec, { { 0 } }, 0 },
#include "trace/kvm_events.def"
#undef EVENT
};
#define KVM_EVENTS (sizeof(kvm_events) / sizeof(kvm_events[0]))

struct import {
	struct recording *r;
	struct error *err;
	const char *start;
	uint64_t line;
	const char *thread; /* the last line's, as it stands there */
	size_t thread_size;
	uint16_t thread_number;
	struct kvm_event event[KVM_EVENTS];
	size_t last; /* found again first */
};

/* --- the table ----------------------------------------------------------------------------------
 */

static void
compile(struct kvm_event *e)
{
	for (const char *p = e->spec; *p;) {
		struct field *f = &e->field[e->fields++];
		size_t n;

		must(e->fields <= FIELDS_MAX);
		f->how = 'd';
		f->required = *p == '!';
		p += f->required;
		if (p[1] == ':') {
			f->how = *p;
			p += 2;
		}
		n = strcspn(p, " |");
		f->name = p;
		f->name_size = (uint8_t)n;
		if (*p == '(' || *p == '^')
			f->place = *p;
		p += n;
		if (*p == '|') {
			f->other = ++p;
			f->other_size = (uint8_t)strcspn(p, " ");
			p += f->other_size;
		}
		p += *p == ' ';
	}
}

static const struct kvm_event *
event_find(struct import *in, const char *name, size_t size)
{
	for (size_t i = 0; i < KVM_EVENTS; i++) {
		size_t k = (in->last + i) % KVM_EVENTS;

		if (in->event[k].name_size == size && !memcmp(in->event[k].name, name, size)) {
			in->last = k;
			return &in->event[k];
		}
	}
	return NULL;
}

/* --- in front of the event ----------------------------------------------------------------------
 */

struct head {
	const char *thread;
	size_t thread_size;
	int64_t ns;
	const char *event;
	size_t event_size;
};

/* " [003]" with at least one digit; @c is left behind it. */
static bool
find_cpu(struct cursor *c, const char **before)
{
	const char *from = c->at, *at = c->at;
	uint64_t cpu;

	while ((at = memchr(at, '[', (size_t)(c->end - at)))) {
		struct cursor x = { at + 1, c->end };

		if (at > from && at[-1] == ' ' && cursor_decimal(&x, &cpu) &&
		    cursor_take(&x, ']')) {
			*before = at;
			c->at = x.at;
			return true;
		}
		at++;
	}
	return false;
}

/* To the event's name, in all three shapes; false if the line has another. */
static bool
take_head(struct cursor *c, struct head *h)
{
	const char *before, *colon;

	cursor_spaces(c);
	h->thread = c->at;
	if (!find_cpu(c, &before))
		return false;
	while (before > h->thread && before[-1] == ' ')
		before--;
	h->thread_size = (size_t)(before - h->thread);
	cursor_spaces(c);
	if (c->at < c->end && cursor_digit(*c->at) > 9) { /* the flags */
		while (c->at < c->end && *c->at != ' ')
			c->at++;
	}
	cursor_spaces(c);
	if (!cursor_seconds(c, &h->ns) || !cursor_take(c, ':'))
		return false;
	cursor_spaces(c);
	h->event = c->at;
	while (c->at < c->end && *c->at != ' ')
		c->at++;
	h->event_size = (size_t)(c->at - h->event);
	if (h->event_size < 2 || h->event[h->event_size - 1] != ':')
		return false;
	h->event_size--;
	colon = memchr(h->event, ':', h->event_size);
	if (colon) { /* "kvm:kvm_exit" */
		h->event_size -= (size_t)(colon + 1 - h->event);
		h->event = colon + 1;
	}
	return true;
}

/* "CPU 0/KVM-7289", of "CPU 0/KVM 7289" and of "CPU 0/KVM-7289   ( 7280)", too. */
static uint16_t
thread_number(struct import *in, const struct head *h)
{
	char name[THREAD_MAX];
	size_t n = h->thread_size, digits, comm;

	if (n == in->thread_size && !memcmp(h->thread, in->thread, n))
		return in->thread_number;
	in->thread = h->thread;
	in->thread_size = n;
	if (n && h->thread[n - 1] == ')') {
		while (n && h->thread[n - 1] != '(')
			n--;
		n -= n > 0;
		while (n && h->thread[n - 1] == ' ')
			n--;
	}
	for (digits = n; digits && cursor_digit(h->thread[digits - 1]) < 10; digits--)
		;
	for (comm = digits; comm && (h->thread[comm - 1] == ' ' || h->thread[comm - 1] == '-');
	     comm--)
		;
	in->thread_number = recording_thread(
		in->r, name,
		(size_t)snprintf(name, sizeof(name), "%.*s-%.*s", comm > 64 ? 64 : (int)comm,
				 h->thread, n - digits > 20 ? 20 : (int)(n - digits),
				 h->thread + digits));
	return in->thread_number;
}

/* --- arguments ----------------------------------------------------------------------------------
 */

static bool
is_separator(char c)
{
	return c == ' ' || c == ',' || c == '=' || c == ':' || c == '(' || c == ')';
}

static bool
token(struct cursor *c, struct cursor *t, bool *parenthesis)
{
	*parenthesis = false;
	while (c->at < c->end && is_separator(*c->at))
		*parenthesis = *c->at++ == '(';
	t->at = c->at;
	while (c->at < c->end && !is_separator(*c->at))
		c->at++;
	t->end = c->at;
	return t->at < t->end;
}

static bool
value_number(char how, struct cursor t, uint64_t *value)
{
	struct cursor x = t;
	bool negative;

	if (t.end - t.at > 2 && t.at[0] == '0' && t.at[1] == 'x') {
		t.at += 2;
		how = 'x';
	}
	if (how == 'x')
		return cursor_hex(&t, value) && t.at == t.end;
	negative = cursor_take(&x, '-');
	if (cursor_decimal(&x, value) && x.at == x.end) {
		*value = negative ? -*value : *value;
		return true;
	}
	return how == 'v' && cursor_hex(&t, value) && t.at == t.end;
}

static bool
field_set(struct import *in, const struct field *f, struct cursor t, int64_t *arg)
{
	uint64_t value = 0;

	if (f->how == 's') {
		size_t strip = t.end - t.at > 4 && !memcmp(t.at, "pio_", 4) ? 4 : 0;

		*arg = recording_text(in->r, t.at + strip, (size_t)(t.end - t.at) - strip);
		return true;
	}
	if (!value_number(f->how, t, &value))
		return false;
	*arg = (int64_t)value;
	return true;
}

static bool
field_named(const struct field *f, struct cursor t)
{
	size_t n = (size_t)(t.end - t.at);

	return (n == f->name_size && !memcmp(t.at, f->name, n)) ||
	       (n == f->other_size && f->other && !memcmp(t.at, f->other, n));
}

static int
damaged(const struct import *in, const char *at, const char *what)
{
	return error_at(in->err, in->r->name, (long)in->line, at - in->start + 1,
			"damaged line: %s", what);
}

/* Fill the arguments; 0, or -1 and the error. */
static int
read_fields(struct import *in, const struct kvm_event *e, struct cursor c, struct record *record)
{
	unsigned have = 0;
	bool parenthesis, first = true;
	struct cursor t;

	while (token(&c, &t, &parenthesis)) {
		struct cursor value = t;
		unsigned i = 0;

		for (; i < e->fields; i++) {
			const struct field *f = &e->field[i];

			if (have & 1u << i)
				continue;
			if (f->place == '^'   ? first
			    : f->place == '(' ? parenthesis
					      : field_named(f, t))
				break;
		}
		first = false;
		if (i == e->fields)
			continue;
		if (!e->field[i].place && !token(&c, &value, &parenthesis))
			break;
		if (!field_set(in, &e->field[i], value, &record->arg[i]))
			return damaged(in, value.at, "not a number");
		have |= 1u << i;
	}
	for (unsigned i = 0; i < e->fields; i++) {
		if (have & 1u << i)
			continue;
		if (e->field[i].required)
			return damaged(in, c.end, "the event has not all its arguments");
		record->arg[i] = e->field[i].how == 's' ? recording_text(in->r, "?", 1) : -1;
	}
	return 0;
}

/* --- lines --------------------------------------------------------------------------------------
 */

static int
skip_line(struct import *in, struct cursor line, bool cut)
{
	static const char lost[] = "[LOST ";
	const char *p = memmem(line.at, (size_t)(line.end - line.at), lost, sizeof(lost) - 1);
	uint64_t n;

	if (p) {
		struct cursor c = { p + sizeof(lost) - 1, line.end };

		if (cursor_decimal(&c, &n))
			in->r->events_lost += n;
	}
	cursor_spaces(&line);
	if (cut && (line.at == line.end || !strchr("#=>", *line.at)))
		return damaged(in, line.end, "cut off by the end of the file");
	in->r->lines_skipped++;
	return 0;
}

static int
import_line(struct import *in, struct cursor line, bool cut)
{
	struct record record = { .line = in->line };
	const struct kvm_event *e;
	struct cursor c = line;
	struct head h;

	if (line.at == line.end || *line.at == '#' || !take_head(&c, &h))
		return skip_line(in, line, cut);
	e = event_find(in, h.event, h.event_size);
	if (!e)
		return skip_line(in, line, cut);
	if (read_fields(in, e, c, &record))
		return -1;
	if (cut) /* a number may have lost digits */
		return damaged(in, line.end, "cut off by the end of the file");
	record.kind = (uint16_t)e->kind;
	record.time_ns = h.ns;
	record.thread = thread_number(in, &h);
	*recording_add(in->r, e->kind, in->line) = record;
	return 0;
}

int
ftrace_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	      struct error *err)
{
	struct import in = { .r = r, .err = err };
	const char *at = text, *end = text + size;
	bool cut;

	memcpy(in.event, kvm_events, sizeof(in.event));
	for (size_t i = 0; i < KVM_EVENTS; i++)
		compile(&in.event[i]);
	while (at < end) {
		struct cursor line;

		in.start = at;
		line = cursor_line(&at, end, &cut);
		in.line++;
		r->lines++;
		if (import_line(&in, line, cut))
			return -1;
	}
	recording_times_check(r);
	return 0;
}

int
ftrace_recognise(const char *text, size_t size)
{
	const char *at = text, *end = text + size;
	int lines = 0, shaped = 0;
	bool cut;

	if (size > 10 && !memcmp(text, "# tracer: ", 10))
		return 100;
	while (at < end && lines < RECOGNISE_LINES) {
		struct cursor c = cursor_line(&at, end, &cut);
		struct head h;

		if (c.at == c.end || *c.at == '#')
			continue;
		lines++;
		shaped += take_head(&c, &h);
	}
	return shaped ? 50 + 49 * shaped / lines : 0;
}
