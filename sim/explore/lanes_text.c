/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an event says in its lane: its words, its place, and whether its store was late. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/lanes.h"
#include "explore/wording.h"
#include "memory/access.h"

/* --- stores in buffers ---------------------------------------------------------------------- */

uint32_t
lanes_actor(const struct event *e)
{
	return e->kind == EV_FLUSH ? (uint32_t)e->arg[4] : e->actor;
}

static bool
is_buffered(const struct event *e)
{
	return e->kind == EV_STORE && (e->arg[4] & ACCESS_BUFFERED);
}

/* Buffered stores whose flush has not been met, the oldest first. */
struct in_buffer {
	size_t *event;
	size_t count, capacity;
};

/* Mark the store that this flush makes visible, and the flush, if others went on between them. */
static void
mark_flush(struct lanes *l, struct in_buffer *b, size_t flush, size_t last_other)
{
	const struct event *e = &l->log->events[flush];

	for (size_t i = 0; i < b->count; i++) {
		const struct event *s = &l->log->events[b->event[i]];

		if (s->actor != lanes_actor(e) || s->arg[0] != e->arg[0] || s->arg[1] != e->arg[1])
			continue;
		if (last_other > b->event[i])
			l->row[b->event[i]].late = l->row[flush].late = true;
		memmove(&b->event[i], &b->event[i + 1], (--b->count - i) * sizeof(*b->event));
		return;
	}
}

void
lanes_mark_late(struct lanes *l)
{
	const struct event_log *log = l->log;
	struct in_buffer b = { 0 };
	/* The last event of an actor, and the last before it of another one. */
	size_t last = 0, before = 0;
	bool any = false;

	for (size_t i = 0; i < log->count; i++) {
		const struct event *e = &log->events[i];

		if (e->kind == EV_FLUSH) {
			bool own = any && log->events[last].actor == lanes_actor(e);

			mark_flush(l, &b, i, !any ? 0 : own ? before : last);
			continue;
		}
		if (!e->actor)
			continue;
		if (any && log->events[last].actor != e->actor)
			before = last;
		last = i;
		any = true;
		if (!is_buffered(e))
			continue;
		if (b.count == b.capacity) {
			b.capacity = b.capacity * 2 + 64;
			must(b.event = realloc(b.event, b.capacity * sizeof(*b.event)));
		}
		b.event[b.count++] = i;
	}
	for (size_t i = 0; i < b.count; i++)
		l->row[b.event[i]].late = any && (before > b.event[i] || last > b.event[i]);
	free(b.event);
}

/* --- texts ---------------------------------------------------------------------------------- */

void
lanes_text(const struct lanes *l, size_t i, char *text, size_t size)
{
	struct event e = l->log->events[i];

	if (is_buffered(&e) && !l->row[i].late)
		e.arg[4] &= ~(int64_t)ACCESS_BUFFERED;
	wording_text(&l->names, &e, text, size);
}

void
lanes_place(const struct lanes *l, size_t i, char *text, size_t size)
{
	const struct event *e = &l->log->events[i];
	size_t n = event_names_place(&l->names, e, text, size);
	const char *access = wording_access(e);

	if (n && *access)
		snprintf(text + n, size - n, " %s", access);
}
