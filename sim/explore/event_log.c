/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/event_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/world.h"
#include "memory/guest_memory.h"

/* --- the log -------------------------------------------------------------------------------- */

void
event_log_free(struct event_log *log)
{
	free(log->events);
	*log = (struct event_log){ .max = log->max };
}

static size_t
log_max(const struct event_log *log)
{
	return log->max ? log->max : EVENT_LOG_MAX;
}

/* Make room for @count more, which is at most the log's half. */
static void
make_room(struct event_log *log, size_t count)
{
	size_t max = log_max(log), need = log->count + count;

	if (need > max) {
		/* Drop half at once, so that each event is moved once on average. */
		size_t drop = need - max > log->count / 2 ? need - max : log->count / 2;

		memmove(log->events, log->events + drop,
			(log->count - drop) * sizeof(*log->events));
		log->count -= drop;
		log->dropped += drop;
		need = log->count + count;
	}
	if (need > log->capacity) {
		log->capacity = need < max / 2 ? need * 2 : max;
		must(log->events = realloc(log->events, log->capacity * sizeof(*log->events)));
	}
}

void
event_log_add(struct event_log *log, const struct event *e, size_t count)
{
	size_t batch_max = log_max(log) / 2 ? log_max(log) / 2 : 1;

	while (count) {
		size_t batch = count < batch_max ? count : batch_max;

		make_room(log, batch);
		must(log->count + batch <= log->capacity);
		memcpy(log->events + log->count, e, batch * sizeof(*e));
		for (size_t i = log->count; i < log->count + batch; i++) {
			must(log->events[i].kind < EV_COUNT);
			if (log->events[i].actor > EVENT_LOG_ACTOR_MAX)
				log->events[i].actor = 0;
		}
		log->count += batch;
		e += batch;
		count -= batch;
	}
}

void
event_log_sink(void *log, const struct event *e, size_t count)
{
	event_log_add(log, e, count);
}

/* --- formats -------------------------------------------------------------------------------- */

int
event_field_next(unsigned kind, struct event_field *f)
{
	const char *at = f->at ? f->at : event_info[kind].format, *begin = at, *percent;

	if (f->at)
		f->arg++;
	percent = strchr(at, '%');
	if (!percent || f->arg >= EVENT_ARGS)
		return 0;
	f->conversion = percent[1];
	f->at = percent + 2;
	f->key = percent;
	f->key_len = 0;

	/* The key is the word before the last '=' before the conversion. */
	const char *equal = percent;

	while (equal > begin && *equal != '=')
		equal--;
	if (*equal != '=')
		return 1;
	f->key = equal;
	while (f->key > begin && f->key[-1] != ' ' && f->key[-1] != ',')
		f->key--;
	f->key_len = (int)(equal - f->key);
	return 1;
}

int
event_arg(unsigned kind, const char *key)
{
	struct event_field f = { 0 };

	while (event_field_next(kind, &f))
		if (f.key_len == (int)strlen(key) && !strncmp(f.key, key, strlen(key)))
			return f.arg;
	return -1;
}

static const char *
text_of(const struct event_names *names, int64_t number, char *buffer, size_t size)
{
	const char *text = names->text ? names->text(names->context, number) : NULL;

	if (text)
		return text;
	snprintf(buffer, size, "#%" PRId64, number);
	return buffer;
}

size_t
event_names_format(const struct event_names *names, const struct event *e, char *text, size_t size)
{
	size_t n = 0, arg = 0;
	char buffer[32];

	must(size && e->kind < EV_COUNT);
	for (const char *f = event_info[e->kind].format; *f && n + 1 < size; f++) {
		int64_t v = arg < EVENT_ARGS ? e->arg[arg] : 0;
		int wrote;

		if (*f != '%') {
			text[n++] = *f;
			continue;
		}
		f++;
		arg++;
		if (*f == 'd')
			wrote = snprintf(text + n, size - n, "%" PRId64, v);
		else if (*f == 's')
			wrote = snprintf(text + n, size - n, "%s",
					 text_of(names, v, buffer, sizeof(buffer)));
		else
			wrote = snprintf(text + n, size - n, *f == 'x' ? "%" PRIx64 : "%" PRIu64,
					 (uint64_t)v);
		n = n + (size_t)wrote < size ? n + (size_t)wrote : size - 1;
	}
	text[n] = 0;
	return n;
}

/* --- names ---------------------------------------------------------------------------------- */

void
event_names_actor(const struct event_names *names, uint32_t id, char *text, size_t size)
{
	const char *name = names->actor && id ? names->actor(names->context, id) : NULL;

	if (name)
		snprintf(text, size, "%s", name);
	else if (id)
		snprintf(text, size, "actor %" PRIu32, id);
	else
		snprintf(text, size, "timers");
}

static const char *
world_text(const void *context, int64_t number)
{
	return world_name_text(context, number);
}

static const char *
world_actor_name(const void *context, uint32_t id)
{
	const struct actor *a = world_actor(context, id);

	return a ? actor_name(a) : NULL;
}

static void
world_gpa(const void *context, uint64_t gpa, char *text, size_t size)
{
	gm_name(context, gpa, text, size);
}

static unsigned
world_site(const void *context, int64_t site, struct site_frame *frame, unsigned max)
{
	return site_frames(site, frame, max);
}

static void
world_frame(const void *context, int64_t site, struct site_frame *frame)
{
	site_frame(site, frame);
}

static size_t
world_calls(const void *context, uint16_t stack, int64_t *site, size_t max)
{
	return calls_sites(context, stack, site, max);
}

struct event_names
event_names_of_world(const struct world *w)
{
	return (struct event_names){ .text = world_text,
				     .actor = world_actor_name,
				     .gpa = world_gpa,
				     .context = w,
				     .site = world_site,
				     .frame = world_frame,
				     .calls = world_calls };
}

/* --- places in code ------------------------------------------------------------------------- */

size_t
event_names_frames(const struct event_names *names, const struct event *e, struct site_frame *frame,
		   size_t max)
{
	int at = event_arg(e->kind, "site");
	int64_t call[CALLS_DEPTH_MAX];
	size_t calls, n = 0;

	if (at < 0 || !e->arg[at] || !names->site || !max)
		return 0;
	n = names->site(names->context, e->arg[at], frame, (unsigned)max);
	calls = names->calls && e->stack
			? names->calls(names->context, e->stack, call, CALLS_DEPTH_MAX)
			: 0;
	for (size_t i = 0; i < calls && n < max; i++)
		n += names->site(names->context, call[i], frame + n, (unsigned)(max - n));
	return n;
}

bool
event_names_frame(const struct event_names *names, const struct event *e, struct site_frame *frame)
{
	int at = event_arg(e->kind, "site");

	if (at < 0 || !e->arg[at] || !names->frame)
		return false;
	names->frame(names->context, e->arg[at], frame);
	return true;
}

size_t
event_names_place(const struct event_names *names, const struct event *e, char *text, size_t size)
{
	struct site_frame f;
	int n = 0;

	*text = 0;
	if (!event_names_frame(names, e, &f))
		return 0;
	if (f.file)
		n = snprintf(text, size, "%s:%d", f.file, f.line);
	else
		n = snprintf(text, size, "%s+0x%x", f.function, f.offset);
	return (size_t)n < size ? (size_t)n : size - 1;
}

size_t
event_names_stack(const struct event_names *names, const struct event *e, char *text, size_t size)
{
	struct site_frame frame[EVENT_FRAMES_MAX];
	size_t frames = event_names_frames(names, e, frame, EVENT_FRAMES_MAX), n = 0;

	*text = 0;
	for (size_t i = 0; i < frames; i++) {
		if (i)
			n += (size_t)snprintf(text + n, size - n, " <- ");
		if (n + 1 >= size)
			return size - 1;
		n += site_frame_text(&frame[i], text + n, size - n);
	}
	return n;
}
