/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/look.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "memory/guest_memory.h"
#include "notify/notifier.h"

#define WORDS_MAX 1000u /* lines of a pattern that matches too much */
#define WORD_BYTES 2u /* the smallest thing in a ring that has a name */

void
look_notifiers(const struct machine *m, FILE *to)
{
	struct notifier_info i;
	uint32_t pos = 0;

	while (notifier_next(m->notifiers, NULL, &pos, &i)) {
		fprintf(to,
			"notifier: id=%u %s role=%s queue=%d count=%" PRIu64 " signals=%" PRIu64
			" reads=%" PRIu64,
			i.id, i.name, eventfd_role_name[i.role], i.queue, i.count, i.signals,
			i.reads);
		if (i.ioeventfd)
			fprintf(to, " ioeventfd=0x%" PRIx64 " matched=%" PRIu64, i.address,
				i.matched);
		if (i.irqfd)
			fprintf(to, " gsi=%u routed=%d injected=%" PRIu64, i.gsi,
				i.route.type != IRQROUTE_NONE, i.injected);
		if (i.has_vector)
			fprintf(to, " vector=%u masked=%d pending=%d", i.vector, i.masked,
				i.pending);
		fprintf(to, "\n");
	}
}

void
look_queue(const struct debug_queue_status *s, FILE *to)
{
	char text[2048];

	debug_queue_text(s, text, sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\n' && c[1])
			*c = ' ';
	fprintf(to, "queue: %s", text);
}

unsigned
look_blocked(const struct world *w, FILE *to)
{
	unsigned n = 0;

	for (uint32_t id = 1; id <= world_actors(w); id++) {
		const struct actor *a = world_actor(w, id);

		if (actor_is_daemon(a) || actor_state(a) != ACTOR_BLOCKED)
			continue;
		n++;
		if (to)
			fprintf(to, "blocked: %s waits for %s\n", actor_name(a),
				actor_waits_for(a));
	}
	return n;
}

void
look_actors(const struct world *w, FILE *to)
{
	static const char *const word[] = { "ready", "blocked", "sleeping", "done" };

	for (uint32_t id = 1; id <= world_actors(w); id++) {
		const struct actor *a = world_actor(w, id);

		fprintf(to, "actor: %s-%u %s%s%s\n", actor_name(a), id, word[actor_state(a)],
			*actor_waits_for(a) ? " on " : "", actor_waits_for(a));
	}
}

/* A value of as many bytes as have one name, 8 at most. */
static void
print_word(const struct world *w, const char *name, uint64_t gpa, unsigned bytes, FILE *to)
{
	uint64_t value = 0;

	gm_read(w, gpa, &value, bytes); /* little-endian, as rings are */
	fprintf(to, value < 65536 ? "%s = %" PRIu64 "\n" : "%s = 0x%" PRIx64 "\n", name, value);
}

unsigned
look_words(const struct world *w, const char *pattern, FILE *to)
{
	const char *region;
	const void *pos = NULL;
	uint64_t gpa, len;
	unsigned n = 0;

	while (gm_next_region(w, &pos, &gpa, &len, &region)) {
		uint64_t from = gpa;
		char name[160], next[160];

		for (uint64_t at = gpa; at < gpa + len && n < WORDS_MAX; from = at) {
			gm_name(w, from, name, sizeof(name));
			do {
				at += WORD_BYTES;
				gm_name(w, at, next, sizeof(next));
			} while (at < gpa + len && at - from < 8 && !strcmp(name, next));
			if (fnmatch(pattern, name, 0))
				continue;
			print_word(w, name, from, (unsigned)(at - from), to);
			n++;
		}
	}
	return n;
}
