/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `states`: every distinct world once, depth first.  Where a run asks who goes on, the world is
 * kept as an image (engine/image.h), and each further answer starts from there: nothing is run
 * twice.  A world whose hash was met before is not gone on with, whoever led to it: what follows
 * from it was seen.  On loops of ring code the number of schedules grows exponentially with the
 * buffers, that of distinct worlds about quadratically.
 *
 *	path      images of the worlds between the snapshot and here, with the answer that is tried
 *	table     hashes of all worlds that were met: those that ask, and those where a run ended
 *
 * Questions of other kinds (outcomes, values of loads) come up in the middle of what an actor or a
 * callback does, where nothing can be kept.  They are answers within answers: all combinations of
 * them are tried from the world before, like an odometer.
 *
 *	world --answer 0------------------> world'
 *	      --answer 1, outcome 0-------> world''
 *	      --answer 1, outcome 1-------> world'''
 *
 * An end of a run that is like another one is judged once.  The limit of steps holds along the path
 * as it does for each schedule; a run that it cut off is judged, and makes the search incomplete.
 *
 * A loop of worlds ends the search of that path: it is how all ends are found although a schedule
 * could go round for ever.  When all worlds were met, those are looked for from which no end can be
 * reached (states_graph.h).  If there are any, the search begins anew and stops at the first of
 * them; from there it goes on, everybody in turn, until the limit of steps, and that run is judged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/limits.h"
#include "base/must.h"
#include "engine/image.h"
#include "explore/states_graph.h"
#include "explore/strategy.h"

/* Answers between two times at which the explorer looks at its budgets. */
#define SLICE 512u
#define TABLE_FIRST LIMIT((size_t)1 << 12, (size_t)4)

/* An answer to a question within an answer. */
struct inner {
	uint16_t answer, n;
};

/* A world that was met. */
struct met {
	struct world_hash hash; /* zero: none */
	uint32_t number; /* from 0, in the order of meeting */
};

/* A world on the path. */
struct node {
	size_t image; /* offset; the snapshot's, the first, has none */
	uint32_t n, answer; /* answers, and the one that is tried */
	size_t inner; /* its first in `inner`; the next node's ends them */
	uint32_t number; /* of struct met; the snapshot has none: GRAPH_END */
	bool tried; /* else the world is this one */
};

struct states {
	struct strategy base;
	uint64_t max;

	struct met *table; /* open addressing */
	size_t table_size, count;
	struct states_graph graph;

	char *images;
	size_t images_used;
	struct node *path;
	size_t depth, path_size;
	struct inner *inner;
	size_t inner_count, inner_size;
	size_t inner_at; /* of the next question, while it runs */
	struct choice *log;
	size_t log_size;

	uint64_t transitions, ends;
	size_t states; /* of the search; `count` begins anew when it is looked for a stuck one */
	size_t stuck; /* states that lead to no end */
	struct world_hash wanted; /* the first of them */
	bool hunting; /* for it */
	bool begun, running, exhausted;
	unsigned see; /* by hashes: enum image_see */
	bool limited; /* a run reached the limit of steps or time */
	bool full; /* no memory for more */
};

/* --- worlds that were met ------------------------------------------------------------------- */

static inline bool
same(const struct world_hash *a, const struct world_hash *b)
{
	return a->low == b->low && a->high == b->high;
}

static inline bool
is_free(const struct met *m)
{
	return !(m->hash.low | m->hash.high);
}

static struct met *
table_find(const struct states *s, const struct world_hash *hash)
{
	size_t mask = s->table_size - 1, i = hash->low & mask;

	while (!is_free(&s->table[i]) && !same(&s->table[i].hash, hash))
		i = (i + 1) & mask;
	return &s->table[i];
}

static void
table_grow(struct states *s)
{
	struct met *old = s->table;
	size_t size = s->table_size;

	s->table_size = size ? size * 2 : TABLE_FIRST;
	must(s->table = calloc(s->table_size, sizeof(*s->table)));
	for (size_t i = 0; i < size; i++)
		if (!is_free(&old[i]))
			*table_find(s, &old[i].hash) = old[i];
	free(old);
}

/* Its number; whether it is new in *@added. */
static uint32_t
table_add(struct states *s, const struct world_hash *hash, bool *added)
{
	struct met *at = table_find(s, hash);
	uint32_t number = at->number;

	*added = is_free(at);
	if (!*added)
		return number;
	number = (uint32_t)s->count;
	*at = (struct met){ *hash, number };
	if (++s->count > s->table_size / 8 * 5)
		table_grow(s);
	s->full |= s->count >= s->max;
	return number;
}

/* --- answers within answers ----------------------------------------------------------------- */

static void
unlike(struct states *s, const char *what)
{
	error_set(&s->base.error, "after the same answers a question of a run %s", what);
}

static uint32_t
states_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct states *s = (struct states *)self;

	(void)kind;
	if (!s->running) /* the plain run */
		return 0;
	if (s->inner_at == s->inner_count) {
		if (s->inner_count == s->inner_size) {
			s->inner_size = s->inner_size ? s->inner_size * 2 : 64;
			must(s->inner = realloc(s->inner, s->inner_size * sizeof(*s->inner)));
		}
		s->inner[s->inner_count++] = (struct inner){ 0, (uint16_t)n };
	}
	if (s->inner[s->inner_at].n != n) {
		unlike(s, "was another one");
		world_stop(w, STOP_ASKED);
		return 0;
	}
	return s->inner[s->inner_at++].answer;
}

/* --- the path ------------------------------------------------------------------------------- */

static void
push(struct states *s, size_t image_bytes, uint32_t n, uint32_t number)
{
	if (s->depth == s->path_size) {
		s->path_size = s->path_size ? s->path_size * 2 : 256;
		must(s->path = realloc(s->path, s->path_size * sizeof(*s->path)));
	}
	s->path[s->depth++] = (struct node){
		.image = s->images_used,
		.n = n,
		.inner = s->inner_count,
		.number = number,
	};
	s->images_used += (image_bytes + 7) & ~(size_t)7;
}

/* To the node's next answer, or the next ones within it; false if all were tried. */
static bool
advance(struct states *s, struct node *node)
{
	while (s->inner_count > node->inner &&
	       s->inner[s->inner_count - 1].answer + 1u == s->inner[s->inner_count - 1].n)
		s->inner_count--;
	if (s->inner_count > node->inner) {
		s->inner[s->inner_count - 1].answer++;
		return true;
	}
	return ++node->answer < node->n;
}

/* To the next world with an answer that was not tried, which stands there afterwards; or null. */
static struct node *
next_node(struct states *s, struct world *w)
{
	while (s->depth) {
		struct node *node = &s->path[s->depth - 1];
		bool here = !node->tried;

		node->tried = true;
		if (here)
			return node;
		if (advance(s, node)) {
			if (s->depth > 1)
				world_image_load(w, s->images + node->image);
			else
				world_restore(w);
			return node;
		}
		s->images_used = node->image;
		s->depth--;
	}
	return NULL;
}

/* The answers that lead to the last node, for who takes the schedule of a run from there. */
static void
log_path(struct states *s, struct world *w)
{
	size_t count = 0, need = s->depth + s->inner_count;

	if (need > s->log_size) {
		s->log_size = need * 2;
		must(s->log = realloc(s->log, s->log_size * sizeof(*s->log)));
	}
	for (size_t d = 0; d < s->depth; d++) {
		const struct node *node = &s->path[d];
		size_t end = d + 1 < s->depth ? node[1].inner : node->inner;

		if (d && d + 1 < s->depth)
			s->log[count++] =
				(struct choice){ (uint16_t)node->answer, (uint16_t)node->n };
		for (size_t i = node->inner; i < end; i++)
			s->log[count++] = (struct choice){ s->inner[i].answer, s->inner[i].n };
	}
	world_log_choices(w, s->log, count);
}

/* --- the search ----------------------------------------------------------------------------- */

/* With what was looked at seen from now on. */
static void
restart(struct states *s, struct world *w)
{
	s->see |= world_image_looked(w);
	world_restore(w);
	world_image_see(w, s->see);
	free(s->table);
	s->table = NULL;
	s->table_size = s->count = 0;
	table_grow(s);
	s->depth = s->inner_count = s->images_used = 0;
	graph_clear(&s->graph);
	push(s, 0, 1, GRAPH_END);
	if (s->hunting)
		return;
	s->transitions = s->ends = 0;
	s->limited = s->full = false;
}

static inline void
edge_to(struct states *s, uint32_t from, uint32_t to)
{
	if (from != GRAPH_END && !s->hunting)
		graph_edge(&s->graph, from, to);
}

/* Where the run from world @from stands now: gone on with if it is new. True: to be judged. */
static bool
arrive(struct states *s, struct world *w, uint32_t from, enum stop stop)
{
	struct world_hash hash;
	uint32_t number;
	size_t bytes;
	bool added;

	if (stop == STOP_STEPS || stop == STOP_TIME) {
		s->limited = true;
		edge_to(s, from, GRAPH_END);
		return true;
	}
	if (stop == STOP_ERROR)
		return true;
	bytes = world_image_take(w, s->images + s->images_used, STATES_IMAGE_BYTES - s->images_used,
				 &hash);
	if (!bytes) {
		s->full = true;
		return stop != STOP_PARKED;
	}
	number = table_add(s, &hash, &added);
	edge_to(s, from, number);
	if (!added)
		return false;
	if (stop == STOP_PARKED) {
		push(s, bytes, world_question(w), number);
		return false;
	}
	edge_to(s, number, GRAPH_END);
	s->ends++;
	return true;
}

static enum stop
answer(struct states *s, struct world *w, const struct node *node)
{
	enum stop stop;

	s->inner_at = node->inner;
	stop = s->depth > 1 ? world_resume(w, node->answer) : world_run(w);
	s->transitions += !s->hunting;
	if (s->inner_at < s->inner_count && !s->base.error.text[0] && stop != STOP_ERROR)
		unlike(s, "was not asked");
	return stop;
}

/* All worlds were met: done, or to the first that leads to no end. */
static void
finish(struct states *s, struct world *w)
{
	uint32_t first = 0;

	s->exhausted = true;
	if (s->full || s->hunting)
		return;
	s->stuck = graph_stuck(&s->graph, s->count, &first);
	if (!s->stuck)
		return;
	for (size_t i = 0; i < s->table_size; i++)
		if (!is_free(&s->table[i]) && s->table[i].number == first)
			s->wanted = s->table[i].hash;
	s->exhausted = false;
	s->hunting = true;
	restart(s, w);
}

/* From a world that leads to no end, everybody in turn. */
static enum stop
go_round(struct states *s, struct world *w)
{
	enum stop stop = STOP_PARKED;

	s->inner_at = s->inner_count;
	for (uint32_t turn = 0; stop == STOP_PARKED; turn++)
		stop = world_resume(w, turn % world_question(w));
	s->exhausted = true;
	return stop;
}

/* Whether the world that was just met is the one that is hunted. */
static bool
is_wanted(const struct states *s)
{
	const struct node *node = &s->path[s->depth - 1];

	return s->hunting && !node->tried && table_find(s, &s->wanted)->number == node->number &&
	       !is_free(table_find(s, &s->wanted));
}

/* To the next end of a run, or STOP_NONE when it is time to look at the budgets, or all is done. */
static enum stop
search(struct states *s, struct world *w)
{
	for (unsigned i = 0; i < SLICE || !s->path[s->depth - 1].tried; i++) {
		struct node *node = s->full ? NULL : next_node(s, w);
		uint32_t from;
		enum stop stop;

		if (!node) {
			finish(s, w);
			break;
		}
		from = node->number;
		stop = answer(s, w, node);
		if (s->base.error.text[0])
			return stop;
		if (world_image_looked(w))
			restart(s, w);
		else if (arrive(s, w, from, stop) && !s->hunting)
			return stop;
		else if (is_wanted(s))
			return go_round(s, w);
	}
	return STOP_NONE;
}

static enum stop
states_run(struct strategy *base, struct world *w)
{
	struct states *s = (struct states *)base;
	enum stop stop;

	if (!s->begun) {
		world_image_see(w, 0);
		restart(s, w);
	} else if (world_image_looked(w)) { /* by the judge */
		restart(s, w);
	}
	s->begun = s->running = true;
	world_set_chooser(w, &base->chooser);
	world_set_parking(w, true);
	log_path(s, w);
	stop = search(s, w);
	world_set_parking(w, false);
	world_set_chooser(w, NULL);
	s->running = false;
	if (!s->hunting)
		s->states = s->count;
	base->tally.classes = s->states;
	return stop;
}

/* --- the seam ------------------------------------------------------------------------------- */

static bool
states_begin(struct strategy *base, struct world *w, uint64_t index)
{
	struct states *s = (struct states *)base;

	(void)w;
	(void)index;
	base->left_out = s->limited || s->full;
	return !s->exhausted;
}

static void
states_state(const struct strategy *base, char *text, size_t size)
{
	const struct states *s = (const struct states *)base;
	const char *how = !s->exhausted ? "not exhausted"
			  : s->full	? "not exhausted, memory is full"
			  : s->limited	? "exhausted within the limit of steps or time"
					: "exhausted";

	int n = snprintf(text, size,
			 "%s: %zu states, %" PRIu64 " transitions, %" PRIu64 " final states", how,
			 s->states, s->transitions, s->ends);
	if (s->stuck && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, "; %zu states lead to no end", s->stuck);
}

static void
states_destroy(struct strategy *base)
{
	struct states *s = (struct states *)base;

	if (s->images)
		munmap(s->images, STATES_IMAGE_BYTES);
	graph_clear(&s->graph);
	free(s->table);
	free(s->path);
	free(s->inner);
	free(s->log);
	free(s);
}

static struct strategy *
states_create(const struct strategy_config *config, struct error *err)
{
	struct states *s = calloc(1, sizeof(*s));
	void *images = mmap(NULL, STATES_IMAGE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!s || images == MAP_FAILED) {
		free(s);
		error_set(err, "out of memory");
		return NULL;
	}
	s->base.chooser.choose = states_choose;
	s->images = images;
	s->max = config->states_max && config->states_max < STATES_MAX ? config->states_max
								       : STATES_MAX;
	return &s->base;
}

const struct strategy_ops strategy_states = {
	.name = "states",
	.what = "every distinct state of the world once, from images instead of running again",
	.exhaustive = true,
	.create = states_create,
	.begin = states_begin,
	.run = states_run,
	.state = states_state,
	.destroy = states_destroy,
};
