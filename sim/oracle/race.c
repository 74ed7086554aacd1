/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INV-data-race: what the race detector of memory/ finds, in words. */
#include <stdio.h>
#include <string.h>

#include "memory/access.h"
#include "memory/guest_memory.h"
#include "memory/race.h"
#include "memory/site.h"
#include "oracle/oracle_impl.h"

#define NAME_BYTES 64
#define PLACE_BYTES 96

/* "write_used ring_split_device.c:271" */
static void
describe_place(const struct race_access *a, char *text, size_t size)
{
	struct site_frame frame;

	site_frame(access_site(a->site), &frame);
	site_frame_text(&frame, text, size);
}

static const char *
function_of(const struct race_access *a)
{
	struct site_frame frame;

	site_frame(access_site(a->site), &frame);
	return frame.function;
}

static const char *
kind_of(const struct race_access *a)
{
	/* ORDER ACCESS */
	static const char *const plain[] = { "load", "store", "read-modify-write" };
	static const char *const marked[] = { "marked load", "marked store",
					      "atomic read-modify-write" };
	unsigned kind = a->how & ACCESS_KIND_MASK;

	return (a->how & (ACCESS_ONCE | ACCESS_ATOMIC) ? marked : plain)[kind];
}

static const char *
actor_of(const struct race_access *a)
{
	return a->actor ? actor_name(a->actor) : "a callback";
}

/* Races at the same field, whatever entry it is of, are the same: without what is in brackets. */
static void
field_of(const char *name, char *text, size_t size)
{
	size_t n = 0;
	bool inside = false;

	for (; *name && n + 1 < size; name++) {
		inside = inside && *name != ']';
		if (!inside)
			text[n++] = *name;
		inside |= *name == '[';
	}
	text[n] = 0;
}

static void
on_race(struct world *w, const struct race *r, void *context)
{
	const char *first = function_of(&r->first), *second = function_of(&r->second);
	bool in_order = strcmp(first, second) <= 0;
	char name[NAME_BYTES], field[NAME_BYTES] = "", subject[3 * NAME_BYTES];
	char place[2][PLACE_BYTES];

	gm_name(w, r->offset, name, sizeof(name));
	/* Nameless bytes differ from run to run: the functions say what it is. */
	if (strncmp(name, "gpa ", 4))
		field_of(name, field, sizeof(field));
	snprintf(subject, sizeof(subject), "%s%s%s/%s", field, *field ? " " : "",
		 in_order ? first : second, in_order ? second : first);
	describe_place(&r->first, place[0], sizeof(place[0]));
	describe_place(&r->second, place[1], sizeof(place[1]));
	oracle_report(w, ORACLE_DATA_RACE, subject,
		      "%s: nothing orders the %s by %s (%s) and the %s by %s (%s)", name,
		      kind_of(&r->first), actor_of(&r->first), place[0], kind_of(&r->second),
		      actor_of(&r->second), place[1]);
}

void
oracle_watch_races(struct world *w)
{
	race_detect(w);
	race_on_found(w, on_race, NULL);
}
