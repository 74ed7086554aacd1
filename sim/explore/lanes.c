/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which columns and which rows: see lanes_print.c for the page. */
#include "explore/lanes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "explore/subject.h"
#include "explore/wording.h"

#define LINES_DEFAULT 40u
#define COLUMNS_DEFAULT 100u
#define LINES_MIN 8u
#define COLUMNS_MIN 40u
#define LANE_COLUMNS_MIN 20u /* fewer are not read as a lane */
#define LANE_COLUMNS_LEAST 16u /* to make room for places in code */
#define ROWS_MIN 3u
#define LANES_MAX 64u
#define LANES_ALL 3u /* so few are shown even if they did nothing but wait for work */

/* What is added to a kind's weight. */
#define NEAR_BONUS 60 /* right before the violation; half of it NEAR_EVENTS earlier */
#define NEAR_EVENTS 24
#define SWITCH_BONUS 12 /* the first of an actor after another's */
#define LATE_BONUS 30 /* a store that others did not see, and where they do */
#define FLUSH_MALUS 200 /* one that nobody could have noticed earlier */
#define MANY_MALUS 40 /* dirty pages that are not the one it is about: the last MANY will do */
#define MANY 4
#define LAST_BONUS 40 /* the last that an actor did; half for the one before, … */

enum end_state { END_NONE, END_BLOCKED, END_WOKEN, END_ENDED };

/* An actor that only waits, wakes and idles has nothing to tell: the last line says where it waits.
 */
#define IDLE_MALUS 80

/* What is known of an actor from its events. */
struct track {
	uint32_t actor;
	uint64_t events;
	int64_t blocked_on;
	enum end_state end;
	unsigned from_end; /* its events seen, walking backwards */
	int32_t best; /* score of its best event */
	bool busy; /* did something else than wait for work */
	int lane;
};

struct builder {
	struct lanes *l;
	struct track *track;
	size_t count, capacity;
	uint32_t *index; /* actor id → track + 1 */
	size_t index_size;
};

/* --- actors --------------------------------------------------------------------------------- */

static struct track *
track_of(struct builder *b, uint32_t actor)
{
	if (actor > EVENT_LOG_ACTOR_MAX)
		actor = 0; /* the id in an event's argument */
	if (actor >= b->index_size) {
		size_t size = (size_t)actor * 2 + 16;

		must(b->index = realloc(b->index, size * sizeof(*b->index)));
		memset(b->index + b->index_size, 0, (size - b->index_size) * sizeof(*b->index));
		b->index_size = size;
	}
	if (!b->index[actor]) {
		if (b->count == b->capacity) {
			b->capacity = b->capacity ? b->capacity * 2 : 16;
			must(b->track = realloc(b->track, b->capacity * sizeof(*b->track)));
		}
		b->track[b->count++] =
			(struct track){ .actor = actor, .best = INT32_MIN, .lane = -1 };
		b->index[actor] = (uint32_t)b->count;
	}
	return &b->track[b->index[actor] - 1];
}

/* What an oracle says at the end of a run is nobody's doing: a line across the page, no lane. */
static bool
across(const struct event *e)
{
	return e->kind == EV_VIOLATION && !e->actor;
}

static void
follow(struct builder *b, const struct event *e)
{
	struct track *t = track_of(b, lanes_actor(e));

	if (across(e))
		return;
	t->events++;
	if (e->kind == EV_FLUSH)
		return;
	t->end = END_NONE;
	if (e->kind == EV_ACTOR_BLOCK) {
		t->end = END_BLOCKED;
		t->blocked_on = e->arg[0];
	} else if (e->kind == EV_ACTOR_EXIT) {
		t->end = END_ENDED;
	} else if (e->kind == EV_ACTOR_WAKE) {
		t = track_of(b, (uint32_t)e->arg[0]);
		if (t->end == END_BLOCKED)
			t->end = END_WOKEN;
	}
}

/* --- scores --------------------------------------------------------------------------------- */

static size_t
violation_index(const struct event_log *log)
{
	size_t i = log->count;

	while (i && log->events[i - 1].kind != EV_VIOLATION)
		i--;
	return i ? i - 1 : log->count;
}

static bool
idles(const struct event *e)
{
	switch (e->kind) {
	case EV_ACTOR_BLOCK:
	case EV_ACTOR_WAKE:
	case EV_ACTOR_CREATE:
	case EV_VCPU_HLT:
	case EV_VCPU_BLOCK:
	case EV_VCPU_WAKE:
		return true;
	default:
		return false;
	}
}

static void
score_rows(struct builder *b)
{
	const struct event_log *log = b->l->log;
	size_t violation = violation_index(log), many = 0;
	struct subject subject = subject_of(b->l->options.finding, log);
	/* Memories are compared long after they began to differ. */
	size_t near = subject.memory ? NEAR_BONUS / 2 : NEAR_BONUS;

	for (size_t i = log->count; i-- > 0;) {
		const struct event *e = &log->events[i];
		struct track *t = track_of(b, lanes_actor(e));
		size_t far = i <= violation ? violation - i : (i - violation) * 4;
		int32_t about = subject_score(&b->l->names, e, &subject);
		int32_t score = wording_weight(&b->l->names, e) + about;

		if ((e->kind == EV_KVM_PAGE_DIRTY || e->kind == EV_KVM_DIRTY_RING_PUSH) &&
		    about <= 0 && ++many > MANY)
			score -= MANY_MALUS;
		t->busy = t->busy || !wording_idle(&b->l->names, e);
		if (b->l->row[i].late)
			score += LATE_BONUS;
		else if (e->kind == EV_FLUSH)
			score -= FLUSH_MALUS;
		score += (int32_t)(near * NEAR_EVENTS / (NEAR_EVENTS + far));
		if (i && lanes_actor(&log->events[i - 1]) != lanes_actor(e))
			score += SWITCH_BONUS;
		if (t->from_end < 4 && (about >= 0 || !subject.has_gfn))
			score += LAST_BONUS >> t->from_end;
		t->from_end++;
		if (!across(e) && score - (idles(e) ? IDLE_MALUS : 0) > t->best)
			t->best = score - (idles(e) ? IDLE_MALUS : 0);
		b->l->row[i].lane = -1;
		b->l->row[i].score = score;
	}
}

/* --- columns -------------------------------------------------------------------------------- */

static int
by_relevance(const void *pa, const void *pb)
{
	const struct track *a = pa, *b = pb;

	if (a->best != b->best)
		return a->best < b->best ? 1 : -1;
	return a->actor < b->actor ? -1 : 1;
}

static int
by_id(const void *pa, const void *pb)
{
	const struct lane *a = pa, *b = pb;

	/* Timers last: they are nobody's thread. */
	return (a->actor - 1 > b->actor - 1) - (a->actor - 1 < b->actor - 1);
}

/* Names come from scenarios: one that breaks the line would break the page. */
static void
make_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static void
name_lane(struct lanes *l, struct lane *lane, const struct track *t)
{
	char buffer[32] = "?";
	const char *on = l->names.text ? l->names.text(l->names.context, t->blocked_on) : NULL;

	lane->actor = t->actor;
	event_names_actor(&l->names, t->actor, lane->name, sizeof(lane->name));
	if (!on) {
		snprintf(buffer, sizeof(buffer), "#%" PRId64, t->blocked_on);
		on = buffer;
	}
	if (t->end == END_BLOCKED)
		snprintf(lane->end, sizeof(lane->end), "waits for %s", on);
	else if (t->end == END_WOKEN)
		snprintf(lane->end, sizeof(lane->end), "woken, did not run");
	else if (t->end == END_ENDED)
		snprintf(lane->end, sizeof(lane->end), "ended");
	make_one_line(lane->name);
	make_one_line(lane->end);
}

static uint32_t
lane_index(const struct lanes *l, size_t i)
{
	uint32_t actor = lanes_actor(&l->log->events[i]);

	return actor > EVENT_LOG_ACTOR_MAX ? 0 : actor;
}

static void
choose_lanes(struct builder *b)
{
	struct lanes *l = b->l;
	size_t max = (l->options.columns_max - l->gutter) / LANE_COLUMNS_MIN, seen = 0;

	/* An actor that was only woken, or did not do a thing, is no lane. */
	for (size_t i = 0; i < b->count; i++) {
		uint64_t events = b->track[i].events;

		if (events && (b->count <= LANES_ALL || b->track[i].busy)) {
			b->track[seen++] = b->track[i];
		} else {
			l->events_hidden += events;
			l->actors_hidden += events > 0;
		}
	}
	b->count = seen;
	if (seen)
		qsort(b->track, seen, sizeof(*b->track), by_relevance);
	max = max < LANES_MAX ? max : LANES_MAX;
	l->lane_count = seen < max ? seen : max;
	must(l->lane = calloc(l->lane_count + 1, sizeof(*l->lane)));
	for (size_t i = 0; i < seen; i++) {
		if (i < l->lane_count) {
			name_lane(l, &l->lane[i], &b->track[i]);
		} else {
			l->actors_hidden++;
			l->events_hidden += b->track[i].events;
		}
	}
	if (l->lane_count)
		qsort(l->lane, l->lane_count, sizeof(*l->lane), by_id);
	memset(b->index, 0, b->index_size * sizeof(*b->index));
	for (size_t i = 0; i < l->lane_count; i++)
		b->index[l->lane[i].actor] = (uint32_t)i + 1;
	for (size_t i = 0; i < l->log->count; i++) {
		l->row[i].lane = (int16_t)((int)b->index[lane_index(l, i)] - 1);
		if (across(&l->log->events[i]) && l->lane_count)
			l->row[i].lane = 0;
	}
}

/* --- rows ----------------------------------------------------------------------------------- */

struct rank {
	int32_t score;
	size_t row;
};

static int
by_score(const void *pa, const void *pb)
{
	const struct rank *a = pa, *b = pb;

	if (a->score != b->score)
		return a->score < b->score ? 1 : -1;
	return a->row < b->row ? 1 : -1; /* the later one is worth more */
}

/* Lines that the rows take; a run of one is kept, being as long as the line that would count it. */
static size_t
rows_lines(struct lanes *l, bool fill)
{
	size_t lines = 0, run = 0, last = 0;

	for (size_t i = 0; i < l->log->count; i++) {
		if (l->row[i].lane < 0)
			continue;
		if (!l->row[i].kept) {
			run++;
			last = i;
			continue;
		}
		if (run == 1 && fill)
			l->row[last].kept = true;
		lines += 1 + (run > 0);
		run = 0;
	}
	if (run == 1 && fill)
		l->row[last].kept = true;
	return lines + (run > 0);
}

static void
choose_rows(struct lanes *l, size_t lines)
{
	size_t count = 0, keep;
	struct rank *rank = calloc(l->log->count + 1, sizeof(*rank));

	must(rank);
	for (size_t i = 0; i < l->log->count; i++)
		if (l->row[i].lane >= 0)
			rank[count++] = (struct rank){ l->row[i].score, i };
	if (count)
		qsort(rank, count, sizeof(*rank), by_score);
	keep = count < lines ? count : lines;
	for (size_t i = 0; i < keep; i++)
		l->row[rank[i].row].kept = true;
	while (keep && rows_lines(l, false) > lines)
		l->row[rank[--keep].row].kept = false;
	rows_lines(l, true);
	free(rank);
}

/* --- all of it ------------------------------------------------------------------------------ */

static unsigned
gutter_of(const struct lanes *l)
{
	char text[32];
	const struct event *last = l->log->count ? &l->log->events[l->log->count - 1] : NULL;
	int n = last ? snprintf(text, sizeof(text), "%" PRIu64, last->step) : 0;

	n = n > 4 ? n : 4;
	if (l->options.time)
		n += 14;
	return (unsigned)n + 2;
}

/* The last lane has nothing to its right to run over: it gives way when no other can. */
static struct lane *
widest_lane(struct lanes *l, unsigned least)
{
	struct lane *widest = NULL;

	for (size_t i = 0; i + 1 < l->lane_count; i++)
		if (l->lane[i].width > least && (!widest || l->lane[i].width > widest->width))
			widest = &l->lane[i];
	for (size_t i = 0; !widest && i < l->lane_count; i++)
		if (i + 1 == l->lane_count || l->lane[i].width > l->lane[l->lane_count - 1].width)
			widest = &l->lane[i];
	return widest;
}

/* Columns for places in linked code: what the kept rows need, but the lanes keep their least. */
static unsigned
source_width(const struct lanes *l)
{
	unsigned room = l->options.columns_max - l->gutter, width = 0;
	unsigned lanes = (unsigned)l->lane_count * LANE_COLUMNS_LEAST;
	char text[LANES_PLACE_MAX];

	for (size_t i = 0; i < l->log->count; i++) {
		if (!l->row[i].kept)
			continue;
		lanes_place(l, i, text, sizeof(text));
		if (*text && lanes_columns(text) + 2 > width)
			width = lanes_columns(text) + 2;
	}
	if (width && width + lanes > room)
		width = lanes + LANES_PLACE_COLUMNS_MIN + 2 < room ? room - lanes
								   : LANES_PLACE_COLUMNS_MIN + 2;
	return width;
}

/* Widths by what the kept rows need, the widest giving way; text may run over bars to its right. */
static void
size_lanes(struct lanes *l)
{
	unsigned source = source_width(l), sum = 0, column = l->gutter;
	unsigned room = l->options.columns_max - l->gutter - source;

	for (size_t i = 0; i < l->lane_count; i++)
		l->lane[i].width = lanes_columns(l->lane[i].name) + 2;
	for (size_t i = 0; i < l->log->count; i++) {
		char text[LANES_TEXT_MAX];
		struct lane *lane = l->row[i].kept ? &l->lane[l->row[i].lane] : NULL;

		if (!lane || across(&l->log->events[i]))
			continue;
		lanes_text(l, i, text, sizeof(text));
		if (lane->width < lanes_columns(text) + 2)
			lane->width = lanes_columns(text) + 2;
	}
	for (size_t i = 0; i < l->lane_count; i++)
		sum += l->lane[i].width;
	while (sum > room) {
		struct lane *widest =
			widest_lane(l, source ? LANE_COLUMNS_LEAST : LANE_COLUMNS_MIN);

		must(widest && widest->width);
		widest->width--;
		sum--;
	}
	for (size_t i = 0; i < l->lane_count; i++) {
		l->lane[i].column = column;
		column += l->lane[i].width;
	}
	l->source = source ? column : 0;
}

static unsigned
foot_lines(const struct lanes *l)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	unsigned lines;

	must(out);
	lines = lanes_print_foot(l, out);
	fclose(out);
	free(text);
	return lines;
}

void
lanes_build(struct lanes *l, const struct event_log *log, const struct event_names *names,
	    const struct lanes_options *options)
{
	struct builder b = { .l = l };
	unsigned fixed;

	*l = (struct lanes){ .options = *options, .log = log, .names = *names };
	if (!l->options.lines_max)
		l->options.lines_max = LINES_DEFAULT;
	if (l->options.lines_max < LINES_MIN)
		l->options.lines_max = LINES_MIN;
	if (!l->options.columns_max)
		l->options.columns_max = COLUMNS_DEFAULT;
	if (l->options.columns_max < COLUMNS_MIN)
		l->options.columns_max = COLUMNS_MIN;
	must(l->row = calloc(log->count + 1, sizeof(*l->row)));
	l->gutter = gutter_of(l);
	track_of(&b, 0);
	for (size_t i = 0; i < log->count; i++)
		follow(&b, &log->events[i]);
	lanes_mark_late(l);
	score_rows(&b);
	choose_lanes(&b);
	fixed = 1 + (log->dropped > 0) + foot_lines(l);
	choose_rows(l, fixed + ROWS_MIN < l->options.lines_max ? l->options.lines_max - fixed
							       : ROWS_MIN);
	size_lanes(l);
	free(b.track);
	free(b.index);
}

void
lanes_free(struct lanes *l)
{
	free(l->lane);
	free(l->row);
	*l = (struct lanes){ 0 };
}
