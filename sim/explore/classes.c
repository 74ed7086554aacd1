/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explore/classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/choice.h"
#include "engine/watch.h"
#include "engine/world.h"

/* --- the class of a run --------------------------------------------------------------------- */

#define UNIT_SHIFT 1 /* places are 2 bytes: the smallest field of a ring */

/* Chains of processes: 0 for callbacks, then two an actor. */
enum { CHAIN_CALLBACKS, CHAIN_FIRST };

struct chain {
	uint64_t hash, run; /* of this run, else empty */
	uint64_t steps;
};

struct place {
	uint64_t unit, run; /* of this run, else free */
	uint64_t store; /* chain at the last store to it */
};

struct class_watch {
	struct step_watch watch; /* first: the engine's pointer is ours */
	struct chooser chooser;
	struct chooser *inner;
	struct world *w;
	uint64_t run; /* number of it, from 1: nothing is cleared between runs */
	uint64_t models; /* the chain of all steps without an access */
	uint64_t epoch; /* how often time went on */
	uint32_t current; /* chain of the step that runs */
	bool stepping, accessed;
	struct chain *chain;
	size_t chains;
	struct place *place; /* open addressing */
	size_t capacity, used;
};

static uint64_t
mix(uint64_t a, uint64_t b)
{
	return hash_u64(a + 0x9e3779b97f4a7c15u + (b ^ a << 6));
}

static struct class_watch *
of_watch(struct step_watch *watch)
{
	return (struct class_watch *)(void *)watch;
}

static struct chain *
chain_of(struct class_watch *c, uint32_t number)
{
	struct chain *chain;

	if (number >= c->chains) {
		size_t n = c->chains ? c->chains : 16;

		while (number >= n)
			n *= 2;
		must(c->chain = realloc(c->chain, n * sizeof(*c->chain)));
		memset(c->chain + c->chains, 0, (n - c->chains) * sizeof(*c->chain));
		c->chains = n;
	}
	chain = &c->chain[number];
	if (chain->run != c->run)
		*chain = (struct chain){ .hash = hash_u64(number), .run = c->run };
	return chain;
}

static uint32_t
actor_chain(const struct actor *a)
{
	return a ? CHAIN_FIRST + 2 * actor_id(a) : CHAIN_CALLBACKS;
}

/* --- places --- */

static struct place *
place_find(struct place *table, size_t capacity, uint64_t run, uint64_t unit)
{
	size_t at = hash_u64(unit) & (capacity - 1);

	while (table[at].run == run && table[at].unit != unit)
		at = (at + 1) & (capacity - 1);
	return &table[at];
}

static void
places_grow(struct class_watch *c)
{
	size_t capacity = c->capacity ? c->capacity * 2 : 256;
	struct place *table = calloc(capacity, sizeof(*table));

	must(table);
	for (size_t i = 0; i < c->capacity; i++)
		if (c->place[i].run == c->run)
			*place_find(table, capacity, c->run, c->place[i].unit) = c->place[i];
	free(c->place);
	c->place = table;
	c->capacity = capacity;
}

static struct place *
place_of(struct class_watch *c, uint64_t unit)
{
	struct place *p;

	if (2 * c->used >= c->capacity)
		places_grow(c);
	p = place_find(c->place, c->capacity, c->run, unit);
	if (p->run != c->run) {
		*p = (struct place){ .unit = unit, .run = c->run };
		c->used++;
	}
	return p;
}

/* The chain goes on by an access to these bytes. */
static void
chain_access(struct class_watch *c, uint32_t number, uint64_t offset, uint64_t size, unsigned how)
{
	struct chain *chain = chain_of(c, number);
	uint64_t first = offset >> UNIT_SHIFT, last = (offset + size - 1) >> UNIT_SHIFT, hash;

	hash = mix(chain->hash, mix(offset, size << 8 | how));
	if (!size)
		last = first - 1; /* a fence */
	/* A store that is buffered, and a load of one that is, meet nobody. */
	if (how & (WATCH_FORWARDED | WATCH_BUFFERED))
		last = first - 1;
	for (uint64_t unit = first; unit != last + 1; unit++)
		hash = mix(hash, place_of(c, unit)->store);
	if (how & WATCH_STORE)
		for (uint64_t unit = first; unit != last + 1; unit++)
			place_of(c, unit)->store = hash;
	chain->hash = hash;
}

/* --- what the engine tells --- */

/* The step is over: what it showed decides which chain it is ordered by. */
static void
step_over(struct class_watch *c)
{
	bool effect = world_take_effect(c->w);
	struct chain *chain;

	if (!c->stepping)
		return;
	c->stepping = false;
	chain = chain_of(c, c->current);
	chain->hash = mix(chain->hash, c->epoch);
	/* An actor's first step goes as far as its first access: it is set-up. */
	if (!effect && (c->accessed || chain->steps == 1))
		return;
	c->models = mix(c->models, chain->hash);
	chain->hash = c->models;
}

static uint32_t
process_chain(struct process p)
{
	if (p.kind == PROCESS_CALLBACK)
		return CHAIN_CALLBACKS;
	return actor_chain(p.id) + (p.kind == PROCESS_FLUSH);
}

static void
on_step(struct step_watch *watch, struct world *w, struct process p)
{
	struct class_watch *c = of_watch(watch);

	step_over(c);
	c->current = process_chain(p);
	c->stepping = true;
	c->accessed = false;
	chain_of(c, c->current)->steps++;
}

static void
on_access(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset,
	  uint32_t size, unsigned how)
{
	struct class_watch *c = of_watch(watch);

	c->accessed = true;
	chain_access(c, c->current, offset, size, how);
	if (how & WATCH_FENCE) {
		/* After all that the buffer held. */
		struct chain *chain = chain_of(c, c->current);

		chain->hash = mix(chain->hash, chain_of(c, actor_chain(a) + 1)->hash);
	}
}

static void
on_touch(struct step_watch *watch, struct world *w, uint64_t offset, uint64_t size, unsigned how)
{
	struct class_watch *c = of_watch(watch);

	if (size)
		chain_access(c, c->current, offset, size, how);
}

static void
on_flush(struct step_watch *watch, struct world *w, struct actor *a, uint64_t offset, uint32_t size)
{
	struct class_watch *c = of_watch(watch);

	c->accessed = true;
	chain_access(c, actor_chain(a) + 1, offset, size, WATCH_STORE);
}

static void
on_process(struct step_watch *watch, struct world *w, struct process p)
{
	/* An effect, which is in the chain of models. */
}

static void
on_advanced(struct step_watch *watch, struct world *w)
{
	struct class_watch *c = of_watch(watch);

	step_over(c);
	c->epoch++;
}

/* Answers that are no scheduling are part of what the step did. */
static uint32_t
on_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct class_watch *c =
		(struct class_watch *)(void *)((char *)self -
					       offsetof(struct class_watch, chooser));
	uint32_t pick = c->inner->choose(c->inner, w, n, kind);

	if (kind != CHOICE_ACTOR && kind != CHOICE_TIE) {
		struct chain *chain = chain_of(c, c->current);

		chain->hash = mix(chain->hash, (uint64_t)n << 32 | pick);
	}
	return pick;
}

struct class_watch *
class_watch_create(void)
{
	struct class_watch *c = calloc(1, sizeof(*c));

	must(c);
	c->watch = (struct step_watch){ .step = on_step,
					.access = on_access,
					.touch = on_touch,
					.flush = on_flush,
					.woke = on_process,
					.stopped = on_process,
					.advanced = on_advanced };
	c->chooser.choose = on_choose;
	return c;
}

void
class_watch_destroy(struct class_watch *c)
{
	if (!c)
		return;
	free(c->chain);
	free(c->place);
	free(c);
}

void
class_watch_begin(struct class_watch *c, struct world *w)
{
	c->w = w;
	c->run++;
	c->models = c->epoch = 0;
	c->current = CHAIN_CALLBACKS;
	c->stepping = false;
	c->used = 0;
	c->inner = world_chooser(w);
	world_set_chooser(w, &c->chooser);
	world_set_watch(w, &c->watch);
}

uint64_t
class_watch_end(struct class_watch *c)
{
	uint64_t class = 0;

	step_over(c);
	for (size_t i = 0; i < c->chains; i++)
		if (c->chain[i].run == c->run)
			class += hash_u64(c->chain[i].hash);
	world_set_watch(c->w, NULL);
	world_set_chooser(c->w, c->inner);
	return class ? class : 1;
}

/* --- how many there are --------------------------------------------------------------------- */

static struct class_count *
count_of(const struct classes *c, uint64_t class)
{
	size_t at = hash_u64(class) & (c->capacity - 1);

	while (c->slot[at].class && c->slot[at].class != class)
		at = (at + 1) & (c->capacity - 1);
	return &c->slot[at];
}

/* Whether it is one of those that stand for all. */
static bool
is_kept(const struct classes *c, uint64_t class)
{
	return !(class >> 16 & ((UINT64_C(1) << c->halved) - 1));
}

/* The same classes, as far as they are kept, in a table of @capacity. */
static void
move_to(struct classes *c, size_t capacity)
{
	struct classes to = *c;

	to.capacity = capacity;
	to.used = 0;
	must(to.slot = calloc(capacity, sizeof(*to.slot)));
	for (size_t i = 0; i < c->capacity; i++) {
		if (!c->slot[i].class || !is_kept(c, c->slot[i].class))
			continue;
		*count_of(&to, c->slot[i].class) = c->slot[i];
		to.used++;
	}
	free(c->slot);
	*c = to;
}

void
classes_add(struct classes *c, uint64_t class)
{
	struct class_count *count;

	c->looked++;
	if (!is_kept(c, class))
		return;
	if (c->used >= CLASSES_KEPT) {
		c->halved++;
		move_to(c, c->capacity);
		if (!is_kept(c, class))
			return;
	} else if (2 * c->used >= c->capacity) {
		move_to(c, c->capacity ? c->capacity * 2 : 256);
	}
	count = count_of(c, class);
	if (!count->class) {
		count->class = class;
		c->used++;
	}
	count->times++;
}

void
classes_free(struct classes *c)
{
	free(c->slot);
	*c = (struct classes){ 0 };
}

/* Chao's lower bound from the classes seen, those seen once and twice, in @n schedules. */
static struct estimate
chao(double seen, double f1, double f2, double n)
{
	double m = (n - 1) / n, r = f2 > 0 ? f1 / f2 : 0, more, variance;

	if (f2 > 0) {
		more = m * f1 * f1 / (2 * f2);
		variance = f2 * (m / 2 * r * r + m * m * r * r * r + m * m / 4 * r * r * r * r);
	} else {
		more = m * f1 * (f1 - 1) / 2;
		variance = m * f1 * (f1 - 1) / 2 + m * m * f1 * (2 * f1 - 1) * (2 * f1 - 1) / 4;
		if (seen + more > 0)
			variance -= m * m * f1 * f1 * f1 * f1 / (4 * (seen + more));
	}
	return (struct estimate){ seen + more, variance > 0 ? sqrt(variance) : 0 };
}

void
classes_estimate(const struct classes *c, struct classes_estimate *e)
{
	double n = (double)c->looked, part = pow(0.5, c->halved), f1 = 0, f2 = 0, seen, variance;

	*e = (struct classes_estimate){ .looked = c->looked };
	if (!c->looked)
		return;
	for (size_t i = 0; i < c->capacity; i++) {
		f1 += c->slot[i].times == 1;
		f2 += c->slot[i].times == 2;
	}
	seen = (double)c->used / part;
	/* That only a part of the classes was kept is a binomial error more. */
	e->seen = (struct estimate){ seen, sqrt((double)c->used * (1 - part)) / part };
	variance = f1 * (1 - part) / (part * part);
	f1 /= part;
	f2 /= part;
	e->once = (uint64_t)f1;
	variance += f1 * (1 - f1 / n) + 2 * f2;
	e->unseen.value = f1 / n;
	e->unseen.error = f1 > 0 ? sqrt(variance) / n : 1 / n;
	e->all = chao(seen, f1, f2, n);
	e->all.error = sqrt(e->all.error * e->all.error / part + e->seen.error * e->seen.error);
}
