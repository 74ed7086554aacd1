/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/ftrace.h"

#include "trace/cursor.h"
#include "trace/kvm_events.h"

#define RECOGNISE_LINES 200

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

/* "virtio:" and two blanks at least: the buffer that trace-cmd report puts in front. */
static void
skip_buffer(struct cursor *c)
{
	struct cursor x = *c;

	while (x.at < x.end && *x.at != ' ')
		x.at++;
	if (x.end - x.at > 2 && x.at > c->at && x.at[-1] == ':' && x.at[1] == ' ') {
		cursor_spaces(&x);
		*c = x;
	}
}

/* To the event's name, in all three shapes; false if the line has another. */
static bool
take_head(struct cursor *c, struct head *h)
{
	const char *before, *colon;

	cursor_spaces(c);
	skip_buffer(c);
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

/* --- lines --------------------------------------------------------------------------------------
 */

/*
 * "CPU:2 [LOST 17 EVENTS]" of the kernel, "CPU:2 [17 EVENTS DROPPED]" of trace-cmd report; either
 * has no number where the recorder had no room to say it.
 */
static void
look_for_lost(struct recording *r, struct cursor c)
{
	const char *bracket = memchr(c.at, '[', (size_t)(c.end - c.at));
	bool numbered;
	uint64_t n;

	if (c.end - c.at < 4 || memcmp(c.at, "CPU:", 4) || !bracket)
		return;
	c.at = bracket + 1;
	if (c.end - c.at > 5 && !memcmp(c.at, "LOST ", 5))
		c.at += 5;
	numbered = cursor_decimal(&c, &n);
	cursor_spaces(&c);
	if (c.end - c.at < 6 || memcmp(c.at, "EVENTS", 6))
		return;
	r->events_lost += numbered ? n : 0;
	r->gaps += !numbered;
}

static int
skip_line(struct kvm_events *k, const struct kvm_said *said, struct cursor line)
{
	look_for_lost(k->r, line);
	cursor_spaces(&line);
	if (said->cut && (line.at == line.end || !strchr("#=>", *line.at)))
		return kvm_event_damaged(k, said, line.end, "cut off by the end of the file");
	k->r->lines_skipped++;
	return 0;
}

static int
import_line(struct kvm_events *k, struct kvm_said *said, struct cursor line)
{
	const struct kvm_event *e = NULL;
	struct head h;

	said->args = line;
	if (line.at < line.end && *line.at != '#' && take_head(&said->args, &h))
		e = kvm_event_find(k, h.event, h.event_size);
	if (!e)
		return skip_line(k, said, line);
	said->thread = h.thread;
	said->thread_size = h.thread_size;
	said->ns = h.ns;
	return kvm_event_add(k, e, said);
}

int
ftrace_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	      struct error *err)
{
	const char *at = text, *end = text + size;
	struct kvm_events k;
	uint64_t line = 0;

	kvm_events_init(&k, r, "line", err);
	while (at < end) {
		struct kvm_said said = { .start = at, .line = ++line };

		r->lines++;
		if (import_line(&k, &said, cursor_line(&at, end, &said.cut)))
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
