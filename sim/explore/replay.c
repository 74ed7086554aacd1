/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/replay.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"

struct replayer {
	struct chooser chooser; /* first */
	const struct schedule *schedule;
	const struct trail *trail; /* to compare with, may be null */
	struct schedule *learn_kinds; /* the same schedule, or null */
	struct trail *learn_trail;
	uint64_t signature;
	uint64_t index; /* of the next choice */
	size_t next; /* in the picks */
	bool diverged;
	struct divergence *div;
};

static const char mark_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
trail_free(struct trail *t)
{
	free(t->marks);
	*t = (struct trail){ 0 };
}

int
trail_is_mark(char c)
{
	return c && strchr(mark_alphabet, c) != NULL;
}

static char
mark_of(const struct world *w, uint32_t n, enum choice_kind kind)
{
	return mark_alphabet[hash_u64(world_digest(w) + ((uint64_t)kind << 16 | n)) >> 58];
}

/* --- saying what differed ------------------------------------------------------------------- */

/* "driver, device and 3 more" */
static void
print_ready(const struct world *w, FILE *out)
{
	unsigned shown = 0, more = 0;

	for (uint32_t id = 1; id <= world_actors(w); id++) {
		const struct actor *a = world_actor(w, id);

		if (actor_state(a) != ACTOR_READY)
			continue;
		if (shown == 6)
			more++;
		else
			fprintf(out, "%s%s", shown++ ? ", " : "", actor_name(a));
	}
	if (!shown)
		fputs("no actor", out);
	if (more)
		fprintf(out, " and %u more", more);
}

static void
diverge(struct replayer *r, struct world *w, const char *what)
{
	struct divergence *d = r->div;

	r->diverged = true;
	if (!d)
		return;
	*d = (struct divergence){ r->index, world_step(w), world_now_shown(w), "" };

	FILE *out = fmemopen(d->text, sizeof(d->text), "w");
	const struct actor *asker = actor_current(w);

	must(out);
	fprintf(out, "diverged at choice %" PRIu64 ", step %" PRIu64 ", time %" PRId64 " ns",
		d->choice, d->step, d->time_ns);
	if (asker)
		fprintf(out, ", in actor %s", actor_name(asker));
	fprintf(out, ": %s; ready: ", what);
	print_ready(w, out);
	fclose(out);
	d->text[sizeof(d->text) - 1] = 0;
}

/* --- at each choice ------------------------------------------------------------------------- */

static bool
compare_pick(struct replayer *r, struct world *w, const struct pick *p, uint32_t n,
	     enum choice_kind kind)
{
	char what[200];

	if (p->n == n && (p->kind == kind || p->kind == SCHEDULE_KIND_UNKNOWN))
		return true;
	if (p->kind == SCHEDULE_KIND_UNKNOWN)
		snprintf(what, sizeof(what), "asked one of %" PRIu32 " (%s), recorded one of %u", n,
			 choice_kind_name[kind], p->n);
	else
		snprintf(what, sizeof(what),
			 "asked one of %" PRIu32 " (%s), recorded one of %u (%s)", n,
			 choice_kind_name[kind], p->n, choice_kind_name[p->kind]);
	diverge(r, w, what);
	return false;
}

static bool
compare_mark(struct replayer *r, struct world *w, uint32_t n, enum choice_kind kind)
{
	const struct trail *t = r->trail;
	char what[200];

	if (!t || !t->stride || r->index % t->stride || r->index / t->stride >= t->count ||
	    t->marks[r->index / t->stride] == mark_of(w, n, kind))
		return true;
	if (t->stride == 1)
		snprintf(what, sizeof(what),
			 "asked one of %" PRIu32
			 " (%s), but what happened so far, what is ready or "
			 "what is asked is not as recorded",
			 n, choice_kind_name[kind]);
	else
		snprintf(what, sizeof(what),
			 "asked one of %" PRIu32
			 " (%s), but the run is not as recorded, since this or one "
			 "of the %" PRIu32 " choices before",
			 n, choice_kind_name[kind], t->stride);
	diverge(r, w, what);
	return false;
}

static void
learn(struct replayer *r, struct world *w, uint32_t n, enum choice_kind kind, bool picked)
{
	struct trail *t = r->learn_trail;

	if (picked && r->learn_kinds) {
		struct pick *p = &r->learn_kinds->picks[r->next];
		const struct actor *asker = actor_current(w);

		p->kind = (uint8_t)kind;
		r->signature =
			hash_u64(r->signature ^ ((uint64_t)(asker ? actor_id(asker) : 0) << 32 |
						 (uint64_t)kind << 16 | p->pick));
	}
	if (t && r->index % t->stride == 0 && t->count < TRAIL_MARKS_MAX)
		t->marks[t->count++] = mark_of(w, n, kind);
}

static uint32_t
replay_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct replayer *r = (struct replayer *)self;
	const struct schedule *s = r->schedule;
	const struct pick *p = r->next < s->count ? &s->picks[r->next] : NULL;
	uint32_t answer = 0;

	if (p && p->at != r->index)
		p = NULL;
	if (!r->diverged && r->index >= s->choices)
		diverge(r, w, "the recorded run had no more choices");
	if (r->diverged || (p && !compare_pick(r, w, p, n, kind)) || !compare_mark(r, w, n, kind)) {
		world_stop(w, STOP_ASKED); /* comes back only if no actor runs */
		return 0;
	}
	learn(r, w, n, kind, p != NULL);
	if (p) {
		answer = p->pick;
		r->next++;
	}
	r->index++;
	return answer;
}

/* --- the run -------------------------------------------------------------------------------- */

static int
compare_end(struct replayer *r, struct world *w, enum stop stop)
{
	const struct schedule *s = r->schedule;
	uint64_t digest = world_digest(w);
	char what[200];

	if (stop == STOP_ERROR) {
		snprintf(what, sizeof(what), "the run ended with an error: %.150s",
			 world_error(w)->text);
		diverge(r, w, what);
	} else if (r->index != s->choices) {
		snprintf(what, sizeof(what),
			 "the run ended, the recorded one had %" PRIu32 " choices", s->choices);
		diverge(r, w, what);
	} else if (digest != s->digest) {
		snprintf(what, sizeof(what),
			 "the run ended with digest %016" PRIx64 ", recorded %016" PRIx64
			 ": an event or an "
			 "access differs although the choices agree",
			 digest, s->digest);
		diverge(r, w, what);
	}
	return r->diverged ? -1 : 0;
}

static int
replay(struct replayer *r, struct world *w, enum stop *stop)
{
	enum stop why;

	r->chooser.choose = replay_choose;
	world_restore(w);
	world_set_chooser(w, &r->chooser);
	why = world_run(w);
	world_set_chooser(w, NULL);
	if (stop)
		*stop = why;
	return r->diverged ? -1 : compare_end(r, w, why);
}

int
replay_run(struct world *w, const struct schedule *s, const struct trail *trail, enum stop *stop,
	   struct divergence *div)
{
	struct replayer r = { .schedule = s, .trail = trail, .div = div };

	return replay(&r, w, stop);
}

int
replay_learn(struct world *w, struct schedule *s, struct trail *trail, uint64_t *signature,
	     enum stop *stop, struct divergence *div)
{
	struct replayer r = { .schedule = s, .learn_kinds = s, .learn_trail = trail, .div = div };

	if (trail) {
		trail_free(trail);
		trail->stride = s->choices / TRAIL_MARKS_MAX + 1;
		must(trail->marks = calloc(1, TRAIL_MARKS_MAX + 1));
	}

	int same = replay(&r, w, stop);

	if (signature)
		*signature = r.signature;
	return same;
}
