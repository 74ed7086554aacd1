/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The race detector.  Each kind of order in a pair: with it nothing is found, without it the race
 * is.  P0 runs to its end before P1 begins, so that what is found was not seen to go wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "datapath/barrier.h"
#include "engine/world.h"
#include "memory/access.h"
#include "memory/guest_memory.h"
#include "memory/model.h"
#include "memory/race.h"
#include "oracle/oracle.h"

#define ACTORS 3
#define OPS 8
#define X 0x1000
#define F 0x1100 /* what they synchronise through */

#define ONCE ACCESS_ONCE
#define ATOMIC ACCESS_ATOMIC
#define REL (ACCESS_ATOMIC | ACCESS_RELEASE)
#define ACQ (ACCESS_ATOMIC | ACCESS_ACQUIRE)

enum op { END, LOAD, STORE, RMW, FENCE, READ, WRITE, RELEASE, ACQUIRE, POINT };

/* FENCE: at is its kind. RELEASE, ACQUIRE: at is the object. */
struct step {
	enum op op;
	uint64_t at;
	uint32_t size;
	uint32_t how;
};

struct program {
	const char *name;
	unsigned races;
	struct step actor[ACTORS][OPS];
};

/* Its caller's place, in every build, is that of who executes. */
static inline __attribute__((always_inline)) void
hook(struct world *w, enum access_kind kind, const struct step *s)
{
	access_shared(w, s->at, s->size ? s->size : 4, kind | s->how, __builtin_return_address(0));
}

/* This file is not instrumented: it calls what the compiler would, and stores nothing. */
static __attribute__((noinline)) void
execute(struct world *w, const struct step *s)
{
	uint8_t bytes[128] = { 0 };

	switch (s->op) {
	case LOAD:
		hook(w, ACCESS_LOAD, s);
		break;
	case STORE:
		hook(w, ACCESS_STORE, s);
		break;
	case RMW:
		hook(w, ACCESS_RMW, s);
		break;
	case FENCE:
		ringside_fence((int)s->at);
		break;
	case READ:
		gm_read(w, s->at, bytes, s->size);
		break;
	case WRITE:
		gm_write(w, s->at, bytes, s->size);
		break;
	case RELEASE:
		race_release(w, (const void *)(uintptr_t)s->at);
		break;
	case ACQUIRE:
		race_acquire(w, (const void *)(uintptr_t)s->at);
		break;
	case POINT:
		actor_point(w);
		break;
	case END:
		break;
	}
}

struct turn {
	unsigned next; /* whose it is */
};

struct runner {
	struct turn *turn;
	const struct step *step;
	unsigned number;
};

static void
actor_main(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	const struct runner *r = arg;

	while (r->turn->next != r->number)
		actor_yield(w);
	for (unsigned i = 0; i < OPS && r->step[i].op; i++)
		execute(w, &r->step[i]);
	/* What is buffered becomes visible before the next one begins. */
	actor_point(w);
	r->turn->next++;
}

static void
actors_create(struct world *w, const struct program *p)
{
	struct turn *turn = world_alloc(w, sizeof(*turn));

	for (unsigned i = 0; i < ACTORS && p->actor[i][0].op; i++) {
		struct runner *r = world_alloc(w, sizeof(*r));
		char name[8];

		*r = (struct runner){ turn, p->actor[i], i };
		snprintf(name, sizeof(name), "P%u", i);
		actor_create(w, name, actor_main, r, 0);
	}
}

/* --- running -------------------------------------------------------------------------------- */

struct setup {
	const struct program *program;
	void (*build)(struct world *w);
	enum memory_model model;
	bool detect;
};

static void
build(struct world *w, void *arg)
{
	const struct setup *s = arg;

	gm_create(w, 1 << 20);
	memory_set_model(w, s->model);
	if (s->detect)
		race_detect(w);
	if (s->program)
		actors_create(w, s->program);
	if (s->build)
		s->build(w);
}

static struct world *
world_of(struct setup *s)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct error err = { 0 };
	struct world *w = world_create(&config, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, build, s, &err), 0);
	world_snapshot(w);
	return w;
}

/* Races found, twice from the same snapshot. */
static uint64_t
races_of(struct setup *s)
{
	struct world *w = world_of(s);
	uint64_t first, second;

	assert_int_equal(world_run(w), STOP_QUIESCENT);
	first = race_count(w);
	world_restore(w);
	assert_int_equal(race_count(w), 0);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	second = race_count(w);
	assert_int_equal(first, second);
	world_destroy(w);
	return first;
}

static uint64_t
races_in(void (*body)(struct world *w))
{
	return races_of(&(struct setup){ .build = body, .detect = true });
}

static void
check_all(const struct program *p, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (enum memory_model m = 0; m < MEMORY_MODELS; m++) {
			struct setup s = { .program = &p[i], .model = m, .detect = true };
			uint64_t found = races_of(&s);

			if (found != p[i].races)
				fail_msg("%s under %s: %u races expected, %u found", p[i].name,
					 memory_model_name[m], p[i].races, (unsigned)found);
		}
}

#define CHECK_ALL(table) check_all(table, sizeof(table) / sizeof((table)[0]))

/* --- what orders ---------------------------------------------------------------------------- */

#define WX \
	{ \
		STORE, X, 4, 0 \
	}
#define RX \
	{ \
		LOAD, X, 4, 0 \
	}
#define FENCE_OF(kind) \
	{ \
		FENCE, kind, 0, 0 \
	}
#define GIVE(object) \
	{ \
		RELEASE, object, 0, 0 \
	}
#define TAKE(object) \
	{ \
		ACQUIRE, object, 0, 0 \
	}
#define PLAIN(op, at, size) \
	{ \
		op, at, size, 0 \
	}
#define A_POINT \
	{ \
		POINT, 0, 0, 0 \
	}
#define MB FENCE_OF(DP_FENCE_MB)
#define RMB FENCE_OF(DP_FENCE_RMB)
#define WMB FENCE_OF(DP_FENCE_WMB)
#define FACQ FENCE_OF(DP_FENCE_ACQUIRE)
#define FREL FENCE_OF(DP_FENCE_RELEASE)
#define F_STORE(how) \
	{ \
		STORE, F, 4, how \
	}
#define F_LOAD(how) \
	{ \
		LOAD, F, 4, how \
	}
#define F_RMW(how) \
	{ \
		RMW, F, 4, how \
	}

static const struct program orders[] = {
	{ "nothing", 1, { { WX }, { RX } } },
	{ "both store", 1, { { WX }, { WX } } },
	{ "both load", 0, { { RX }, { RX } } },
	{ "load, then store", 1, { { RX }, { WX } } },
	{ "program order", 0, { { WX, RX, WX } } },

	{ "release, acquire", 0, { { WX, F_STORE(REL) }, { F_LOAD(ACQ), RX } } },
	{ "no release", 1, { { WX, F_STORE(ATOMIC) }, { F_LOAD(ACQ), RX } } },
	{ "no acquire", 1, { { WX, F_STORE(REL) }, { F_LOAD(ATOMIC), RX } } },
	{ "release too early", 1, { { F_STORE(REL), WX }, { F_LOAD(ACQ), RX } } },
	{ "acquire too late", 1, { { WX, F_STORE(REL) }, { RX, F_LOAD(ACQ) } } },
	{ "load before release", 0, { { RX, F_STORE(REL) }, { F_LOAD(ACQ), WX } } },
	{ "another place", 1, { { WX, F_STORE(REL) }, { { LOAD, F + 64, 4, ACQ }, RX } } },
	{ "overwritten", 1, { { WX, F_STORE(REL), F_STORE(ATOMIC) }, { F_LOAD(ACQ), RX } } },
	{ "two in a row",
	  0,
	  { { WX, F_STORE(REL) },
	    { F_LOAD(ACQ), { STORE, F + 64, 4, REL } },
	    { { LOAD, F + 64, 4, ACQ }, RX } } },
	{ "one byte of the word", 0, { { WX, F_STORE(REL) }, { { LOAD, F + 3, 1, ACQ }, RX } } },

	{ "wmb, rmb", 0, { { WX, WMB, F_STORE(ONCE) }, { F_LOAD(ONCE), RMB, RX } } },
	{ "no wmb", 1, { { WX, F_STORE(ONCE) }, { F_LOAD(ONCE), RMB, RX } } },
	{ "no rmb", 1, { { WX, WMB, F_STORE(ONCE) }, { F_LOAD(ONCE), RX } } },
	{ "wmb before the store", 1, { { WMB, WX, F_STORE(ONCE) }, { F_LOAD(ONCE), RMB, RX } } },
	{ "rmb before the load", 1, { { WX, WMB, F_STORE(ONCE) }, { RMB, F_LOAD(ONCE), RX } } },
	{ "rmb where wmb is wanted", 1, { { WX, RMB, F_STORE(ONCE) }, { F_LOAD(ONCE), RMB, RX } } },
	{ "wmb where rmb is wanted", 1, { { WX, WMB, F_STORE(ONCE) }, { F_LOAD(ONCE), WMB, RX } } },
	{ "fences", 0, { { WX, FREL, F_STORE(ATOMIC) }, { F_LOAD(ATOMIC), FACQ, RX } } },
	{ "full barriers", 0, { { WX, MB, F_STORE(ONCE) }, { F_LOAD(ONCE), MB, RX } } },
	{ "full barriers and no load", 1, { { WX, MB, F_STORE(ONCE) }, { MB, RX } } },
	{ "fence, then acquire", 0, { { WX, WMB, F_STORE(ONCE) }, { F_LOAD(ACQ), RX } } },
	{ "plain words",
	  1, /* of the words themselves, no more */
	  { { WX, WMB, F_STORE(0) }, { F_LOAD(0), RMB, RX } } },

	{ "a read-modify-write passes on",
	  0,
	  { { WX, F_STORE(REL) }, { F_RMW(ATOMIC) }, { F_LOAD(ACQ), RX } } },
	{ "a store does not",
	  1,
	  { { WX, F_STORE(REL) }, { F_STORE(ATOMIC) }, { F_LOAD(ACQ), RX } } },
	{ "it acquires", 0, { { WX, F_STORE(REL) }, { F_RMW(ACQ), RX } } },
	{ "it releases", 0, { { WX, F_RMW(REL) }, { F_LOAD(ACQ), RX } } },
	{ "a full one orders what is behind",
	  0,
	  { { WX, F_RMW(REL | ACQ | ACCESS_SEQ_CST), { STORE, F + 64, 4, ONCE } },
	    { { LOAD, F + 64, 4, ONCE }, RMB, RX } } },

	{ "an object", 0, { { WX, GIVE(1) }, { TAKE(1), RX } } },
	{ "another object", 1, { { WX, GIVE(1) }, { TAKE(2), RX } } },
	{ "released too early", 1, { { GIVE(1), WX }, { TAKE(1), RX } } },
	{ "released by two",
	  0,
	  { { WX, GIVE(1) },
	    { PLAIN(STORE, X + 4, 4), GIVE(1) },
	    { TAKE(1), PLAIN(LOAD, X, 8) } } },
	{ "a point is a barrier",
	  0,
	  { { WX, A_POINT, F_STORE(ONCE) }, { F_LOAD(ONCE), A_POINT, RX } } },
	{ "and no order by itself", 1, { { WX, A_POINT }, { A_POINT, RX } } },
};

static void
test_orders(void **state)
{
	CHECK_ALL(orders);
}

/* --- which accesses ------------------------------------------------------------------------- */

#define PAIR(a, at_a, size_a, how_a, b, at_b, size_b, how_b) \
	{ \
		{ { a, at_a, size_a, how_a } }, \
		{ \
			{ \
				b, at_b, size_b, how_b \
			} \
		} \
	}

static const struct program kinds[] = {
	{ "once, once", 0, PAIR(STORE, X, 4, ONCE, LOAD, X, 4, ONCE) },
	{ "atomic, once", 0, PAIR(STORE, X, 4, ATOMIC, LOAD, X, 4, ONCE) },
	{ "once, plain", 1, PAIR(STORE, X, 4, ONCE, LOAD, X, 4, 0) },
	{ "plain, once", 1, PAIR(STORE, X, 4, 0, LOAD, X, 4, ONCE) },
	{ "plain load, once", 1, PAIR(LOAD, X, 4, 0, STORE, X, 4, ONCE) },
	{ "rmw, plain", 1, PAIR(RMW, X, 4, ATOMIC, LOAD, X, 4, 0) },
	{ "rmw, rmw", 0, PAIR(RMW, X, 4, ATOMIC, RMW, X, 4, ATOMIC) },
	/* A later access does not hide an earlier one that it is weaker than. */
	{ "plain, then once",
	  1,
	  { { { STORE, X, 4, 0 }, { STORE, X, 4, ONCE } }, { { LOAD, X, 4, ONCE } } } },
	{ "store, then load",
	  1,
	  { { { STORE, X, 4, 0 }, { LOAD, X, 4, 0 } }, { { LOAD, X, 4, 0 } } } },
	/* Two marked stores: a plain load must be behind both. */
	{ "behind one of two",
	  1,
	  { { { STORE, X, 4, ONCE } },
	    { { STORE, X, 4, ONCE }, GIVE(1) },
	    { TAKE(1), { LOAD, X, 4, 0 } } } },
	{ "behind both",
	  0,
	  { { { STORE, X, 4, ONCE }, GIVE(1) },
	    { { STORE, X, 4, ONCE }, GIVE(1) },
	    { TAKE(1), { LOAD, X, 4, 0 } } } },

	{ "last byte", 1, PAIR(STORE, X, 8, 0, LOAD, X + 7, 1, 0) },
	{ "next byte", 0, PAIR(STORE, X, 8, 0, LOAD, X + 8, 1, 0) },
	{ "neighbours in a cell", 0, PAIR(STORE, X, 1, 0, STORE, X + 1, 1, 0) },
	{ "across two cells", 1, PAIR(STORE, X + 6, 4, 0, LOAD, X + 9, 1, 0) },
	{ "before what is across", 0, PAIR(STORE, X + 6, 4, 0, LOAD, X + 5, 1, 0) },
	{ "16 bytes", 1, PAIR(STORE, X, 16, 0, LOAD, X + 12, 2, 0) },
	{ "a range", 1, PAIR(STORE, X - 8, 100, 0, LOAD, X + 90, 2, 0) },
	{ "across two pages", 1, PAIR(STORE, X + 4090, 12, 0, LOAD, X + 4096, 2, 0) },
	{ "an overwritten part",
	  1,
	  { { { STORE, X, 8, 0 } },
	    { TAKE(1), { STORE, X + 100, 8, 0 }, GIVE(1) },
	    { TAKE(1), { STORE, X + 100, 2, 0 }, { LOAD, X + 4, 2, 0 } } } },

	{ "models", 1, PAIR(WRITE, X, 4, 0, READ, X, 4, 0) },
	{ "a model and code", 1, PAIR(WRITE, X, 100, 0, LOAD, X + 64, 2, ONCE) },
	{ "models read", 0, PAIR(READ, X, 4, 0, READ, X, 4, 0) },
	{ "models in order",
	  0,
	  { { PLAIN(WRITE, X, 4), WMB, F_STORE(ONCE) },
	    { F_LOAD(ONCE), RMB, PLAIN(READ, X, 4) } } },
};

static void
test_kinds(void **state)
{
	CHECK_ALL(kinds);
}

/* --- what bytes are for --------------------------------------------------------------------- */

static enum gm_role
role(const void *context, uint64_t offset)
{
	return offset < 16 ? GM_WORD : GM_CONTENT;
}

static const struct program *role_program;

static void
build_roles(struct world *w)
{
	gm_region(w, X, 32, "ring", NULL, NULL);
	gm_region_roles(w, role);
	actors_create(w, role_program);
}

static void
test_roles(void **state)
{
	static const struct program roles[] = {
		{ "plain words", 0, PAIR(STORE, X, 2, 0, LOAD, X, 2, 0) },
		{ "and what they order",
		  0,
		  { { PLAIN(STORE, X + 64, 4), WMB, PLAIN(STORE, X, 2) },
		    { PLAIN(LOAD, X, 2), RMB, PLAIN(LOAD, X + 64, 4) } } },
		{ "words at once only", 1, PAIR(STORE, X + 1, 2, 0, LOAD, X + 1, 2, 0) },
		{ "in a range", 1, PAIR(STORE, X, 12, 0, LOAD, X, 2, 0) },
		{ "careful contents", 1, PAIR(STORE, X + 16, 8, ONCE, LOAD, X + 16, 8, ONCE) },
		{ "neither", 0, PAIR(STORE, X + 32, 8, ONCE, LOAD, X + 32, 8, ONCE) },
	};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		role_program = &roles[i];
		if (races_in(build_roles) != roles[i].races)
			fail_msg("%s", roles[i].name);
	}
}

/* --- what the engine orders ----------------------------------------------------------------- */

static struct waitq queue;
static struct actor *other;
static struct timer timer;
static bool twist; /* the pair without the order */

static void
touch(struct world *w, enum op op)
{
	execute(w, &(struct step){ op, X, 4, 0 });
}

static void
sleeper(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	waitq_wait(w, &queue);
	touch(w, LOAD);
}

static void
waker(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	if (!twist)
		touch(w, STORE);
	waitq_wake_one(w, &queue);
	if (twist)
		touch(w, STORE);
}

static void
build_wake(struct world *w)
{
	waitq_init(&queue, w, "queue");
	actor_create(w, "sleeper", sleeper, NULL, 0);
	actor_create(w, "waker", waker, NULL, 0);
}

static void
child(struct actor *self, void *arg)
{
	touch(actor_world(self), LOAD);
}

static void
parent(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	if (!twist)
		touch(w, STORE);
	actor_create(w, "child", child, NULL, 0);
	if (twist)
		touch(w, STORE);
}

static void
build_create(struct world *w)
{
	actor_create(w, "parent", parent, NULL, 0);
}

static void
holder(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	if (!twist)
		actor_hold(other);
	touch(w, STORE);
	if (!twist)
		actor_release(other);
}

static void
held(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	touch(w, STORE);
	actor_yield(w);
	touch(w, STORE);
}

static void
build_hold(struct world *w)
{
	other = actor_create(w, "held", held, NULL, 0);
	actor_create(w, "holder", holder, NULL, 0);
}

static void
on_timer(struct world *w, struct timer *t)
{
	touch(w, STORE);
	if (!twist)
		waitq_wake_one(w, &queue);
}

static void
armer(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	touch(w, STORE);
	timer_init(&timer, on_timer, NULL);
	timer_arm(w, &timer, 1, false);
	waitq_wait_for(w, &queue, 1000, true);
	touch(w, LOAD);
}

static void
build_timer(struct world *w)
{
	waitq_init(&queue, w, "queue");
	actor_create(w, "armer", armer, NULL, 0);
}

/* Somebody else touches what the callback touches. */
static void
build_timer_race(struct world *w)
{
	build_timer(w);
	actor_create(w, "other", child, NULL, 0);
}

static void
pair(void (*body)(struct world *w))
{
	twist = false;
	assert_int_equal(races_in(body), 0);
	twist = true;
	assert_true(races_in(body) > 0);
}

static void
test_engine(void **state)
{
	pair(build_wake);
	pair(build_create);
	pair(build_hold);
	twist = false;
	assert_int_equal(races_in(build_timer), 0);
	assert_true(races_in(build_timer_race) > 0);
}

static void
look(struct world *w, const struct event *e, void *context)
{
	uint32_t bytes;

	gm_read(w, X, &bytes, sizeof(bytes));
}

static void
look_at_write(struct world *w, uint64_t gpa, uint64_t len, void *context)
{
	look(w, NULL, context);
}

static void
build_observed(struct world *w)
{
	world_observe(w, EV_ACTOR_EXIT, look, NULL);
	actor_create(w, "P0", child, NULL, 0);
	gm_on_write(w, look_at_write, NULL);
	build_create(w);
}

/* What an observer reads is no access of the run. */
static void
test_observers(void **state)
{
	twist = false;
	assert_int_equal(races_in(build_observed), 1); /* of the child that nobody made late */
}

/* --- many ----------------------------------------------------------------------------------- */

#define MANY 4000

static void
worker(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (unsigned i = 0; i < 3; i++) {
		execute(w, &(struct step)TAKE(1));
		touch(w, STORE);
		execute(w, &(struct step)GIVE(1));
		actor_yield(w);
	}
}

static void
build_many(struct world *w)
{
	for (unsigned i = 0; i < MANY; i++)
		actor_create(w, "worker", worker, NULL, 0);
}

static void
test_many(void **state)
{
	struct setup with = { .build = build_many, .detect = true }, without = with;
	struct world *w[2];

	without.detect = false;
	w[0] = world_of(&without);
	w[1] = world_of(&with);
	for (int i = 0; i < 2; i++)
		assert_int_equal(world_run(w[i]), STOP_QUIESCENT);
	assert_int_equal(race_count(w[1]), 0);
	/* Looking changes nothing, and takes at most a clock an actor. */
	assert_int_equal(world_digest(w[0]), world_digest(w[1]));
	assert_true(arena_used(world_arena(w[1])) - arena_used(world_arena(w[0])) <
		    MANY * (4 * RACE_SLOTS + 512));
	world_destroy(w[0]);
	world_destroy(w[1]);
}

/* --- what is said --------------------------------------------------------------------------- */

static void
writer(struct actor *self, void *arg)
{
	touch(actor_world(self), STORE);
}

static void
build_said(struct world *w)
{
	gm_region(w, X, 32, "ring[3].x", NULL, NULL);
	oracle_attach(w);
	oracle_watch_races(w);
	actor_create(w, "driver", writer, NULL, 0);
	actor_create(w, "device", child, NULL, 0);
}

static void
test_said(void **state)
{
	struct setup s = { .build = build_said };
	struct world *w = world_of(&s);
	enum stop stop = world_run(w);
	struct finding f;

	assert_int_equal(stop, STOP_ASKED);
	assert_int_equal(oracle_judge(w, stop, &f), VERDICT_DATA_RACE);
	assert_string_equal(f.oracle, "data-race");
	assert_string_equal(f.subject, "ring[].x+0x0 touch/touch");
	assert_non_null(strstr(f.message, "ring[3].x+0x0: nothing orders the store by driver ("));
	assert_non_null(strstr(f.message, ") and the load by device ("));
	assert_non_null(strstr(f.message, "touch test_race.c:"));
	world_destroy(w);
}

static void
build_off(struct world *w)
{
	build_said(w);
	oracle_enable(w, ORACLE_DATA_RACE, false);
}

static void
test_off(void **state)
{
	struct setup s = { .build = build_off };
	struct world *w = world_of(&s);

	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_int_equal(oracle_judge(w, STOP_QUIESCENT, NULL), VERDICT_OK);
	assert_int_equal(race_count(w), 1);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),	  cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_roles),	  cmocka_unit_test(test_engine),
		cmocka_unit_test(test_observers), cmocka_unit_test(test_many),
		cmocka_unit_test(test_said),	  cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
