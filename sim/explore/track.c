/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/track.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/aside.h"
#include "engine/watch.h"

/* --- texts ---------------------------------------------------------------------------------- */

static void
tidy(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || *text == '|')
			*text = '!';
}

/* The first text among the arguments: what it is about. */
static void
subject_of(const struct event_names *names, const struct event *e, char *text, size_t size)
{
	struct event_field f = { 0 };
	const char *name;

	while (event_field_next(e->kind, &f)) {
		if (f.conversion != 's')
			continue;
		name = names->text ? names->text(names->context, e->arg[f.arg]) : NULL;
		snprintf(text, size, " %s", name ? name : "?");
		return;
	}
}

void
event_key_of(const struct event_names *names, const struct event *e, struct event_key *key)
{
	char subject[100] = "";
	struct site_frame frame;

	if ((e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH) && names->gpa) {
		subject[0] = ' ';
		names->gpa(names->context, (uint64_t)e->arg[0], subject + 1, sizeof(subject) - 1);
	} else {
		subject_of(names, e, subject, sizeof(subject));
	}
	snprintf(key->what, sizeof(key->what), "%s%s", event_info[e->kind].name, subject);
	snprintf(key->function, sizeof(key->function), "-");
	if (event_names_frame(names, e, &frame))
		snprintf(key->function, sizeof(key->function), "%s", frame.function);
	event_names_place(names, e, key->place, sizeof(key->place));
	tidy(key->what);
	tidy(key->function);
	tidy(key->place);
}

static void
name_actor(struct track_actor *a, const struct world *w, uint32_t id)
{
	const struct actor *actor = id ? world_actor(w, id) : NULL;
	unsigned same = 1;

	if (!actor) {
		snprintf(a->name, sizeof(a->name), "-");
		return;
	}
	for (uint32_t i = 1; i < id; i++)
		same += !strcmp(actor_name(world_actor(w, i)), actor_name(actor));
	snprintf(a->name, sizeof(a->name), same > 1 ? "%.50s#%u" : "%.50s", actor_name(actor),
		 same);
	tidy(a->name);
}

/* --- counting ------------------------------------------------------------------------------- */

static struct track_actor *
actor_of(struct track *t, uint32_t id)
{
	if (id >= t->actors) {
		size_t actors = (size_t)id * 2 + 8;

		must(t->of = realloc(t->of, actors * sizeof(*t->of)));
		memset(t->of + t->actors, 0, (actors - t->actors) * sizeof(*t->of));
		t->actors = actors;
	}
	return &t->of[id];
}

static struct track_counter *
slot_of(struct track_counter *table, size_t capacity, uint64_t key)
{
	size_t i = key & (capacity - 1);

	while (table[i].key && table[i].key != key)
		i = (i + 1) & (capacity - 1);
	return &table[i];
}

static uint32_t
count_up(struct track *t, uint64_t key)
{
	struct track_counter *c;

	key += !key;
	if (t->counters * 2 >= t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 256;
		struct track_counter *table = calloc(capacity, sizeof(*table));

		must(table);
		for (size_t i = 0; i < t->capacity; i++)
			if (t->counter[i].key)
				*slot_of(table, capacity, t->counter[i].key) = t->counter[i];
		free(t->counter);
		t->counter = table;
		t->capacity = capacity;
	}
	c = slot_of(t->counter, t->capacity, key);
	t->counters += !c->key;
	c->key = key;
	return ++c->count;
}

/* Equal where the texts of event_key_of() are: names and places of fields have numbers. */
static uint64_t
what_hash(const struct event *e)
{
	struct event_field f = { 0 };
	uint64_t about = 0;

	if (e->kind == EV_LOAD || e->kind == EV_STORE || e->kind == EV_FLUSH) {
		about = (uint64_t)e->arg[0];
	} else {
		while (event_field_next(e->kind, &f)) {
			if (f.conversion != 's')
				continue;
			about = (uint64_t)e->arg[f.arg];
			break;
		}
	}
	return hash_u64(hash_u64(about) ^ ((uint64_t)e->kind << 32 | e->actor));
}

/* Innermost, null outside linked code. */
static const char *
function_of(const struct track *t, const struct event *e)
{
	struct site_frame frame;

	if (e->kind != EV_LOAD && e->kind != EV_STORE && e->kind != EV_FLUSH && e->kind != EV_FENCE)
		return NULL;
	return event_names_frame(&t->names, e, &frame) ? frame.function : NULL;
}

static void
track_event(struct track *t, const struct event *e)
{
	struct track_actor *a = actor_of(t, e->actor);
	const char *function;
	uint64_t hash = what_hash(e);

	a->loose = count_up(t, hash);
	function = function_of(t, e);
	a->occurrence =
		function ? count_up(t, hash_bytes(function, strlen(function), hash)) : a->loose;
	a->any = true;
	a->last = *e;
	a->since = 0;
}

struct batch {
	struct track *t;
	const struct event *e;
	size_t count;
};

static void
take_batch(void *arg)
{
	struct batch *b = arg;

	for (size_t i = 0; i < b->count; i++)
		track_event(b->t, &b->e[i]);
	if (b->t->log)
		event_log_add(b->t->log, b->e, b->count);
}

static void
track_sink(void *context, const struct event *e, size_t count)
{
	struct batch b = { context, e, count };

	aside_call(take_batch, &b);
}

struct question {
	struct track *t;
	struct world *w;
	uint32_t n, answer;
	enum choice_kind kind;
};

static void
ask_inner(void *arg)
{
	struct question *q = arg;

	q->answer = q->t->inner->choose(q->t->inner, q->w, q->n, q->kind);
}

static uint32_t
track_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct question q = { (struct track *)self, w, n, 0, kind };

	aside_call(ask_inner, &q);
	return q.answer;
}

void
track_free(struct track *t)
{
	free(t->of);
	free(t->counter);
	*t = (struct track){ .log = t->log };
}

enum stop
track_run(struct track *t, struct world *w, struct chooser *c)
{
	enum stop stop;

	track_free(t);
	t->chooser.choose = track_choose;
	t->inner = c;
	t->names = event_names_of_world(w);
	if (t->log)
		t->log->count = t->log->dropped = 0;
	world_restore(w);
	world_set_sink(w, track_sink, t);
	world_set_chooser(w, &t->chooser);
	stop = world_run(w);
	world_set_chooser(w, NULL);
	world_flush(w);
	world_set_sink(w, NULL, NULL);
	return stop;
}

/* --- at a choice ---------------------------------------------------------------------------- */

static uint32_t
asker_of(const struct world *w)
{
	const struct actor *a = actor_current(w);

	return a ? actor_id(a) : 0;
}

void
track_choice(struct track *t, struct world *w)
{
	struct track_actor *a;

	world_flush(w);
	a = actor_of(t, asker_of(w));
	a->since++;
	a->asked++;
}

void
track_key(struct track *t, const struct world *w, struct pick_key *key)
{
	uint32_t id = asker_of(w);
	struct track_actor *a = actor_of(t, id);

	*key = (struct pick_key){ .occurrence = a->any ? a->occurrence : 0,
				  .since = a->since,
				  .loose = a->any ? a->loose : 0,
				  .asked = a->asked };
	if (!*a->name)
		name_actor(a, w, id);
	memcpy(key->asker, a->name, sizeof(key->asker));
	if (a->any)
		event_key_of(&t->names, &a->last, &key->after);
	else
		key->after = (struct event_key){ "-", "-", "" };
}

void
track_answer(struct track *t, const struct world *w, uint32_t pick, uint32_t n,
	     enum choice_kind kind, char *text, size_t size)
{
	struct process p;

	if (kind != CHOICE_ACTOR && kind != CHOICE_TIE) {
		snprintf(text, size, "%" PRIu32 "/%" PRIu32 " %s", pick, n, choice_kind_name[kind]);
		return;
	}
	p = world_alternative_process(w, pick);
	if (p.kind != PROCESS_CALLBACK) {
		uint32_t id = actor_id(p.id);
		struct track_actor *a = actor_of(t, id);

		if (!*a->name)
			name_actor(a, w, id);
		snprintf(text, size, "%s%s", p.kind == PROCESS_FLUSH ? "flush of " : "", a->name);
	} else {
		snprintf(text, size, "callback %" PRIu32 "/%" PRIu32, pick, n);
	}
}
