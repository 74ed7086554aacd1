/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as lines of text, with the skeleton of ftrace's, so that eyes and tools know their way. */
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "cli/runner.h"
#include "engine/aside.h"

bool
event_matches(const char *pattern, const char *name)
{
	bool matches = false;

	while (*pattern) {
		size_t n = strcspn(pattern, ",");
		bool take_away = *pattern == '-';
		char one[64];

		snprintf(one, sizeof(one), "%.*s", (int)(n - take_away), pattern + take_away);
		if (!fnmatch(one, name, 0))
			matches = !take_away;
		pattern += n;
		pattern += *pattern == ',';
	}
	return matches;
}

void
event_print(const struct world *w, const struct event *e, FILE *to)
{
	struct actor *a = world_actor(w, e->actor);
	struct event_names names = event_names_of_world(w);
	char who[64], detail[400], place[96];

	snprintf(who, sizeof(who), "%s-%u", a ? actor_name(a) : "timers", e->actor);
	event_format(w, e, detail, sizeof(detail));
	event_names_place(&names, e, place, sizeof(place));
	fprintf(to, "%16s [vm0] ..... %" PRId64 ".%09" PRId64 ": %s: %s%s%s\n", who,
		e->time_ns / 1000000000, e->time_ns % 1000000000, event_info[e->kind].name, detail,
		*place ? " at=" : "", place);
}

struct print {
	const struct event_tap *tap;
	const struct event *e;
};

static void
print_aside(void *arg)
{
	const struct print *p = arg;

	event_print(p->tap->w, p->e, p->tap->to);
}

void
event_tap_sink(void *context, const struct event *e, size_t count)
{
	struct event_tap *tap = context;

	for (size_t i = 0; tap->pattern && i < count; i++)
		if (event_matches(tap->pattern, event_info[e[i].kind].name))
			aside_call(print_aside, &(struct print){ tap, &e[i] });
	if (tap->next)
		tap->next(tap->next_context, e, count);
}

void
event_tap_open(struct event_tap *tap, struct world *w, const struct options *o, sink_fn next,
	       void *next_context)
{
	*tap = (struct event_tap){ o->trace, w, next, next_context, stdout };
	if (o->trace)
		world_set_sink(w, event_tap_sink, tap);
	else if (next)
		world_set_sink(w, next, next_context);
}
