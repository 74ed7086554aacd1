/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of picks: their text, learning them and following them.  Counting is in track.c. */
#include "explore/keyed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/replay.h"
#include "explore/track.h"

void
pick_keys_free(struct pick_keys *k)
{
	free(k->key);
	*k = (struct pick_keys){ 0 };
}

void
pick_keys_add(struct pick_keys *k, const struct pick_key *key)
{
	must(k->key = realloc(k->key, (k->count + 1) * sizeof(*k->key)));
	k->key[k->count++] = *key;
}

/* --- text ----------------------------------------------------------------------------------- */

void
pick_key_print(const struct pick_key *k, char *text, size_t size)
{
	snprintf(text, size,
		 "%s | %s | %s%s%s | #%" PRIu32 "+%" PRIu32 ",%" PRIu32 ",%" PRIu32 " -> %s",
		 k->asker, k->after.what, k->after.function, *k->after.place ? " " : "",
		 k->after.place, k->occurrence, k->since, k->loose, k->asked, k->answer);
}

/* The text up to the next " | ", or false. */
static bool
take_part(const char **at, char *out, size_t size)
{
	const char *bar = strstr(*at, " | ");

	if (!bar || (size_t)(bar - *at) >= size || bar == *at)
		return false;
	memcpy(out, *at, (size_t)(bar - *at));
	out[bar - *at] = 0;
	*at = bar + 3;
	return true;
}

int
pick_key_parse(struct pick_key *k, const char *text, struct error *err)
{
	char code[sizeof(k->after.function) + sizeof(k->after.place)], *blank;
	int end = 0;

	*k = (struct pick_key){ 0 };
	if (!take_part(&text, k->asker, sizeof(k->asker)))
		return error_set(err, "an actor and \" | \" expected");
	if (!take_part(&text, k->after.what, sizeof(k->after.what)))
		return error_set(err, "an event and \" | \" expected");
	if (!take_part(&text, code, sizeof(code)))
		return error_set(err, "a function (or -) and \" | \" expected");
	blank = strchr(code, ' ');
	if (blank) {
		*blank = 0;
		snprintf(k->after.place, sizeof(k->after.place), "%s", blank + 1);
	}
	if (strlen(code) >= sizeof(k->after.function))
		return error_set(err, "a function's name is too long");
	memcpy(k->after.function, code, strlen(code) + 1);
	if (sscanf(text, "#%9" SCNu32 "+%9" SCNu32 ",%9" SCNu32 ",%9" SCNu32 " -> %n",
		   &k->occurrence, &k->since, &k->loose, &k->asked, &end) != 4 ||
	    !end)
		return error_set(err, "#N+N,N,N -> ANSWER expected");
	if (!text[end] || strlen(text + end) >= sizeof(k->answer))
		return error_set(err, "the name of an actor, or PICK/N KIND expected");
	snprintf(k->answer, sizeof(k->answer), "%s", text + end);
	return 0;
}

/* --- learning ------------------------------------------------------------------------------- */

struct learner {
	struct chooser chooser; /* first */
	const struct schedule *s;
	struct pick_keys *keys;
	struct track track;
	uint32_t index;
	size_t next;
};

static uint32_t
learn_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct learner *l = (struct learner *)self;
	uint32_t at = l->index++, pick = 0;
	struct pick_key key;

	track_choice(&l->track, w);
	if (l->next >= l->s->count || l->s->picks[l->next].at != at)
		return 0;
	pick = l->s->picks[l->next++].pick;
	if (pick >= n)
		return 0;
	track_key(&l->track, w, &key);
	track_answer(&l->track, w, pick, n, kind, key.answer, sizeof(key.answer));
	pick_keys_add(l->keys, &key);
	return pick;
}

int
keyed_learn(struct world *w, const struct schedule *s, struct pick_keys *keys)
{
	struct learner l = { .chooser = { learn_choose }, .s = s, .keys = keys };

	pick_keys_free(keys);
	if (s->count > KEYED_PICKS_MAX || s->choices > KEYED_CHOICES_MAX)
		return 0;
	track_run(&l.track, w, &l.chooser);
	track_free(&l.track);
	if (keys->count == s->count && world_digest(w) == s->digest)
		return 0;
	pick_keys_free(keys);
	return -1;
}

/* --- following ------------------------------------------------------------------------------ */

/* How closely a pick's place is looked for. */
enum level { LEVEL_EXACT, LEVEL_ANY_FUNCTION, LEVEL_NTH_CHOICE, LEVEL_LEFT_OUT };

struct follower {
	struct chooser chooser; /* first */
	const struct pick_keys *keys;
	uint8_t *level;
	struct track track;
	size_t next;
};

static bool
is_place(struct follower *f, const struct world *w, const struct pick_key *want)
{
	struct pick_key now;

	track_key(&f->track, w, &now);
	if (strcmp(now.asker, want->asker))
		return false;
	switch ((enum level)f->level[f->next]) {
	case LEVEL_EXACT:
		return now.occurrence == want->occurrence && now.since == want->since &&
		       !strcmp(now.after.what, want->after.what) &&
		       !strcmp(now.after.function, want->after.function);
	case LEVEL_ANY_FUNCTION:
		return now.loose == want->loose && now.since == want->since &&
		       !strcmp(now.after.what, want->after.what);
	case LEVEL_NTH_CHOICE:
		return now.asked == want->asked;
	case LEVEL_LEFT_OUT:
		break;
	}
	return false;
}

static uint32_t
follow_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct follower *f = (struct follower *)self;
	const struct pick_key *want;
	char answer[sizeof(want->answer)];

	track_choice(&f->track, w);
	while (f->next < f->keys->count && f->level[f->next] == LEVEL_LEFT_OUT)
		f->next++;
	if (f->next == f->keys->count)
		return 0;
	want = &f->keys->key[f->next];
	if (!is_place(f, w, want))
		return 0;
	for (uint32_t i = 1; i < n; i++) {
		track_answer(&f->track, w, i, n, kind, answer, sizeof(answer));
		if (!strcmp(answer, want->answer)) {
			f->next++;
			return i;
		}
	}
	return 0;
}

static const char *const level_text[] = { "", "taken after the same event in another function",
					  "taken at the same-numbered choice of that actor",
					  "left out" };

static void
say_guess(struct keyed_result *r, const struct pick_keys *keys, const uint8_t *level)
{
	char text[KEYED_TEXT_MAX];

	r->guessed = keys->count;
	for (size_t i = keys->count; i-- > 0;) {
		if (level[i] == LEVEL_EXACT)
			continue;
		r->guesses++;
		r->left_out += level[i] == LEVEL_LEFT_OUT;
		r->guessed = i;
	}
	if (r->guessed == keys->count)
		return;
	pick_key_print(&keys->key[r->guessed], text, sizeof(text));
	snprintf(r->how, sizeof(r->how), "%s; %s", text, level_text[level[r->guessed]]);
}

void
keyed_run(struct world *w, const struct pick_keys *keys, struct keyed_result *r)
{
	struct follower f = { .chooser = { follow_choose }, .keys = keys };

	*r = (struct keyed_result){ 0 };
	must(f.level = calloc(keys->count + 1, 1));
	for (;;) {
		f.next = 0;
		r->stop = track_run(&f.track, w, &f.chooser);
		r->runs++;
		while (f.next < keys->count && f.level[f.next] == LEVEL_LEFT_OUT)
			f.next++;
		if (f.next == keys->count)
			break;
		f.level[f.next]++;
	}
	say_guess(r, keys, f.level);
	track_free(&f.track);
	free(f.level);
}
