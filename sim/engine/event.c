/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/world_impl.h"

const struct event_info event_info[EV_COUNT] = {
#define EVENT(id, name, format, what) [EV_##id] = { name, format, what },
#include "engine/events.def"
#undef EVENT
};

size_t
event_format(const struct world *w, const struct event *e, char *text, size_t size)
{
	size_t n = 0, arg = 0;

	for (const char *f = event_info[e->kind].format; *f && n + 1 < size; f++) {
		int64_t v = arg < EVENT_ARGS ? e->arg[arg] : 0;
		int wrote = 0;

		if (*f != '%') {
			text[n++] = *f;
			continue;
		}
		f++;
		arg++;
		if (*f == 'd')
			wrote = snprintf(text + n, size - n, "%" PRId64, v);
		else if (*f == 'u')
			wrote = snprintf(text + n, size - n, "%" PRIu64, (uint64_t)v);
		else if (*f == 'x')
			wrote = snprintf(text + n, size - n, "%" PRIx64, (uint64_t)v);
		else if (*f == 's')
			wrote = snprintf(text + n, size - n, "%s", world_name_text(w, v));
		else
			must(!"an event's format uses only %d %u %x %s");
		n = n + (size_t)wrote < size ? n + (size_t)wrote : size - 1;
	}
	if (size)
		text[n] = 0;
	return n;
}

/* --- the stream ----------------------------------------------------------------------------- */

#define SINK_BUFFER 1024u

static void
fold_buffer(struct world *w)
{
	w->digest = hash_bytes(w->host->buffer, w->buffered * sizeof(struct event), w->digest);
	w->buffered = 0;
}

static void
sink_put(struct world *w, const struct event *e)
{
	struct world_host *h = w->host;
	struct event *put = &h->sink_buffer[h->sink_count++];

	*put = *e;
	if (h->calls)
		put->stack = h->calls_now(w);
	if (h->sink_count == SINK_BUFFER)
		world_flush(w);
}

static void
observe(struct world *w, const struct event *e, int kind)
{
	bool outer = w->observing;

	w->observing = true;
	for (struct observer *o = w->host->observers[kind]; o; o = o->next)
		o->fn(w, e, o->context);
	w->observing = outer;
}

void
event_digest_kinds(uint16_t digest_kind[EV_COUNT])
{
	for (int i = 0; i < EV_COUNT; i++)
		digest_kind[i] =
			(uint16_t)hash_bytes(event_info[i].name, strlen(event_info[i].name), 0);
}

void
world_emit(struct world *w, enum event_kind kind, int64_t a, int64_t b, int64_t c, int64_t d,
	   int64_t e)
{
	if (w->buffered == EVENT_BUFFER_COUNT)
		fold_buffer(w);
	if (w->current)
		memory_settle(w, w->current);

	struct event *ev = &w->host->buffer[w->buffered++];

	*ev = (struct event){
		.step = w->step,
		.time_ns = w->now,
		.actor = w->current ? w->current->id : 0,
		.kind = w->host->digest_kind[kind],
		.arg = { a, b, c, d, e },
	};
	w->events++;
	if ((w->host->observers[kind] || w->host->observers[EV_COUNT]) && kind != EV_ACTOR_EXIT &&
	    kind != EV_ACTOR_CREATE)
		world_effect(w);
	if (w->host->sink || w->host->observers[kind] || w->host->observers[EV_COUNT]) {
		struct event copy =
			*ev; /* an observer may emit: the buffer can be folded under it */

		copy.kind = (uint16_t)kind;
		if (w->host->sink)
			sink_put(w, &copy);
		observe(w, &copy, kind);
		observe(w, &copy, EV_COUNT);
	}
	parked_scrub(w);
}

void
world_emit_detail(struct world *w, enum event_kind kind, int64_t a, int64_t b, int64_t c, int64_t d,
		  int64_t e)
{
	struct event ev = {
		.step = w->step,
		.time_ns = w->now,
		.actor = w->current ? w->current->id : 0,
		.kind = (uint16_t)kind,
		.arg = { a, b, c, d, e },
	};

	if (w->host->sink)
		sink_put(w, &ev);
}

void
world_fold(struct world *w, uint64_t word)
{
	w->trail = trail_mix(w->trail, word);
}

uint64_t
world_digest(const struct world *w)
{
	uint64_t h = hash_bytes(w->host->buffer, w->buffered * sizeof(struct event), w->digest);
	uint64_t end[4] = { w->trail, w->step, (uint64_t)w->now, w->events };

	return hash_bytes(end, sizeof(end), h);
}

void
world_observe(struct world *w, enum event_kind kind, observe_fn fn, void *context)
{
	struct observer **end = &w->host->observers[kind], *o;

	must(!w->host->saved); /* a restore does not take it back */
	o = world_alloc(w, sizeof(*o));
	while (*end)
		end = &(*end)->next;
	*o = (struct observer){ fn, context, NULL };
	*end = o;
}

void
world_set_sink(struct world *w, sink_fn fn, void *context)
{
	struct world_host *h = w->host;

	world_flush(w);
	if (fn && !h->sink_buffer)
		must(h->sink_buffer = calloc(SINK_BUFFER, sizeof(*h->sink_buffer)));
	h->sink = fn;
	h->sink_context = context;
}

bool
world_recording(const struct world *w)
{
	return w->host->sink != NULL;
}

void
world_flush(struct world *w)
{
	struct world_host *h = w->host;

	if (h->sink && h->sink_count)
		h->sink(h->sink_context, h->sink_buffer, h->sink_count);
	h->sink_count = 0;
}
