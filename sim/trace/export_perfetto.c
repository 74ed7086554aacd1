/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/export_perfetto.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/lanes.h"
#include "explore/wording.h"
#include "trace/export_json.h"
#include "trace/export_text.h"

/* Arrows from one kind of event to the next of another kind whose argument @key is the same. */
static const struct pair {
	const char *from, *to, *key;
} pairs[] = {
	{ "eventfd_signal", "eventfd_read", "fd" },    { "eventfd_write", "eventfd_read", "fd" },
	{ "eventfd_signal", "irqfd_inject", "fd" },    { "eventfd_write", "irqfd_inject", "fd" },
	{ "ioeventfd_match", "eventfd_signal", "fd" }, { "msi_send", "irq_enter", "vector" },
	{ "irq_request", "irq_enter", "vector" },
};
#define PAIRS (sizeof(pairs) / sizeof(*pairs))
#define PAIR_WAKE PAIRS /* the woken actor's next event */
/* Arrows that wait for their end: one a file descriptor, vector or actor; the oldest gives way. */
#define OPEN_ARROWS_MAX 1024u

struct arrow {
	size_t pair;
	int64_t value;
	size_t from; /* event */
};

struct exporter {
	const struct event_log *log;
	const struct event_names *names;
	FILE *out;
	bool by_step;
	bool comma;
	uint64_t arrows; /* ids */
	struct arrow open[OPEN_ARROWS_MAX];
	size_t open_count;
	int from_arg[PAIRS], to_arg[PAIRS]; /* the key's argument, -1: no such kind */
	unsigned from_kind[PAIRS], to_kind[PAIRS];
};

/* --- pieces --------------------------------------------------------------------------------- */

static int64_t
stamp_ns(const struct exporter *x, size_t i)
{
	const struct event *e = &x->log->events[i < x->log->count ? i : x->log->count - 1];

	return x->by_step ? (int64_t)e->step * 1000 : e->time_ns;
}

static void
begin(struct exporter *x, const char *ph, uint32_t tid)
{
	fprintf(x->out, "%s\n{\"ph\":\"%s\",\"pid\":1,\"tid\":%" PRIu32, x->comma ? "," : "", ph,
		tid);
	x->comma = true;
}

static void
put_us(struct exporter *x, const char *key, int64_t ns)
{
	fprintf(x->out, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

static void
put_name(struct exporter *x, const char *name)
{
	fputs(",\"name\":", x->out);
	export_json_string(x->out, name);
}

static void
put_slice(struct exporter *x, uint32_t tid, int64_t from_ns, int64_t to_ns, const char *name)
{
	begin(x, "X", tid);
	put_us(x, "ts", from_ns);
	put_us(x, "dur", to_ns > from_ns ? to_ns - from_ns : 0);
	put_name(x, name);
	fputc('}', x->out);
}

static void
put_arrow(struct exporter *x, size_t from, size_t to, const char *name)
{
	x->arrows++;
	begin(x, "s", x->log->events[from].actor);
	put_us(x, "ts", stamp_ns(x, from));
	fprintf(x->out, ",\"id\":%" PRIu64 ",\"cat\":\"flow\"", x->arrows);
	put_name(x, name);
	fputc('}', x->out);
	begin(x, "f", x->log->events[to].actor);
	put_us(x, "ts", stamp_ns(x, to));
	fprintf(x->out, ",\"id\":%" PRIu64 ",\"cat\":\"flow\",\"bp\":\"e\"", x->arrows);
	put_name(x, name);
	fputc('}', x->out);
}

/* --- tracks --------------------------------------------------------------------------------- */

static void
put_metadata(struct exporter *x, const char *what, uint32_t tid, const char *name)
{
	begin(x, "M", tid);
	put_name(x, what);
	fputs(",\"args\":{\"name\":", x->out);
	export_json_string(x->out, name);
	fputs("}}", x->out);
}

/* Names of those that did something. */
static void
put_tracks(struct exporter *x)
{
	uint32_t max = 0;
	uint8_t *seen;
	char name[64];

	for (size_t i = 0; i < x->log->count; i++)
		if (x->log->events[i].actor > max)
			max = x->log->events[i].actor;
	must(seen = calloc((size_t)max + 1, 1));
	for (size_t i = 0; i < x->log->count; i++) {
		uint32_t id = x->log->events[i].actor;

		if (seen[id]++)
			continue;
		seen[id] = 1;
		event_names_actor(x->names, id, name, sizeof(name));
		put_metadata(x, "thread_name", id, name);
		begin(x, "M", id);
		fprintf(x->out,
			",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%" PRIu32 "}}",
			id ? id : max + 1);
	}
	free(seen);
}

/* --- slices --------------------------------------------------------------------------------- */

static bool
ends_run(const struct event *e)
{
	return e->kind == EV_ACTOR_BLOCK || e->kind == EV_ACTOR_EXIT;
}

/* From the first of an actor's events in a row until another's first, or until it blocks. */
static void
put_run_slices(struct exporter *x)
{
	const struct event *e = x->log->events;

	for (size_t i = 0, next; i < x->log->count; i = next) {
		size_t last = i;

		for (next = i + 1; next < x->log->count && e[next].actor == e[i].actor; next++)
			if (!ends_run(&e[last]))
				last = next;
			else
				break;
		put_slice(x, e[i].actor, stamp_ns(x, i),
			  stamp_ns(x, ends_run(&e[last]) ? last : next), "runs");
	}
}

/* From a block to the actor's next event; backwards, so that each event is looked at once. */
static void
put_wait_slices(struct exporter *x)
{
	const struct event *e = x->log->events;
	uint32_t max = 0;
	size_t *next;

	for (size_t i = 0; i < x->log->count; i++)
		max = e[i].actor > max ? e[i].actor : max;
	must(next = malloc(((size_t)max + 1) * sizeof(*next)));
	for (size_t id = 0; id <= max; id++)
		next[id] = x->log->count;
	for (size_t i = x->log->count; i-- > 0;) {
		char text[LANES_TEXT_MAX];

		if (e[i].kind == EV_ACTOR_BLOCK) {
			wording_text(x->names, &e[i], text, sizeof(text));
			put_slice(x, e[i].actor, stamp_ns(x, i), stamp_ns(x, next[e[i].actor]),
				  text);
		}
		next[e[i].actor] = i;
	}
	free(next);
}

/* --- arrows --------------------------------------------------------------------------------- */

static unsigned
kind_of(const char *name)
{
	unsigned kind = 0;

	while (kind < EV_COUNT && strcmp(event_info[kind].name, name))
		kind++;
	return kind;
}

static void
resolve_pairs(struct exporter *x)
{
	for (size_t i = 0; i < PAIRS; i++) {
		x->from_kind[i] = kind_of(pairs[i].from);
		x->to_kind[i] = kind_of(pairs[i].to);
		must(x->from_kind[i] < EV_COUNT && x->to_kind[i] < EV_COUNT);
		x->from_arg[i] = event_arg(x->from_kind[i], pairs[i].key);
		x->to_arg[i] = event_arg(x->to_kind[i], pairs[i].key);
		must(x->from_arg[i] >= 0 && x->to_arg[i] >= 0);
	}
}

/* Take the open arrow of this pair and value: its event, or the log's length. */
static size_t
take_arrow(struct exporter *x, size_t pair, int64_t value)
{
	for (size_t i = 0; i < x->open_count; i++) {
		struct arrow a = x->open[i];

		if (a.pair != pair || a.value != value)
			continue;
		memmove(&x->open[i], &x->open[i + 1], (--x->open_count - i) * sizeof(a));
		return a.from;
	}
	return x->log->count;
}

/* The latest cause replaces an earlier one that had no effect: a counter collects them. */
static void
open_arrow(struct exporter *x, size_t pair, int64_t value, size_t from)
{
	take_arrow(x, pair, value);
	if (x->open_count == OPEN_ARROWS_MAX)
		memmove(x->open, x->open + 1, --x->open_count * sizeof(*x->open));
	x->open[x->open_count++] = (struct arrow){ pair, value, from };
}

static void
put_arrows(struct exporter *x)
{
	for (size_t i = 0; i < x->log->count; i++) {
		const struct event *e = &x->log->events[i];
		size_t from = take_arrow(x, PAIR_WAKE, e->actor);

		if (from < x->log->count)
			put_arrow(x, from, i, "wakes");
		for (size_t p = 0; p < PAIRS; p++) {
			if (e->kind == x->to_kind[p]) {
				from = take_arrow(x, p, e->arg[x->to_arg[p]]);
				if (from < x->log->count)
					put_arrow(x, from, i, pairs[p].from);
			}
			if (e->kind == x->from_kind[p])
				open_arrow(x, p, e->arg[x->from_arg[p]], i);
		}
		if (e->kind == EV_ACTOR_WAKE)
			open_arrow(x, PAIR_WAKE, e->arg[0], i);
	}
}

/* --- all of it ------------------------------------------------------------------------------ */

static void
put_instants(struct exporter *x)
{
	for (size_t i = 0; i < x->log->count; i++) {
		const struct event *e = &x->log->events[i];
		char text[LANES_TEXT_MAX];

		wording_text(x->names, e, text, sizeof(text));
		begin(x, "i", e->actor);
		put_us(x, "ts", stamp_ns(x, i));
		fputs(",\"s\":\"t\"", x->out);
		put_name(x, text);
		fprintf(x->out,
			",\"args\":{\"step\":%" PRIu64 ",\"kind\":\"%s\",\"detail\":", e->step,
			event_info[e->kind].name);
		export_json_args(x->names, e, x->out);
		export_json_stack(x->names, e, x->out);
		fputs("}}", x->out);
	}
}

void
export_perfetto(const struct event_log *log, const struct event_names *names, const char *title,
		FILE *out)
{
	struct exporter *x = calloc(1, sizeof(*x));
	const struct event *e = log->events;

	must(x);
	x->log = log;
	x->names = names;
	x->out = out;
	x->by_step = log->count && e[0].time_ns == e[log->count - 1].time_ns;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
	put_metadata(x, "process_name", 0, title ? title : "ringside");
	resolve_pairs(x);
	put_tracks(x);
	put_run_slices(x);
	put_wait_slices(x);
	put_instants(x);
	put_arrows(x);
	fputs("\n]}\n", out);
	free(x);
}
