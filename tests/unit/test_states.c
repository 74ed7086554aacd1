/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strategy `states` against plain depth-first search, on programs made at random and on the
 * wake-up ring: the same ends, the same verdicts.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/prng.h"
#include "engine/world.h"
#include "explore/explorer.h"
#include "explore/replay.h"
#include "memory/access.h"
#include "memory/guest_memory.h"
#include "memory/model.h"
#include "virtio/wakeup.h"

/* --- programs ------------------------------------------------------------------------------- */

enum op {
	LOAD,
	STORE,
	ADD,
	YIELD,
	WAIT,
	WAIT_FOR,
	WAKE,
	CHOOSE,
	SLEEP,
	AFTER,
	SPAWN,
	FENCE,
	CLOCK,
	LOOP,
	OPS
};

#define VARIABLES 3u
#define ACTORS_MAX 8u
#define LENGTH_MAX 6u

struct instruction {
	enum op op;
	unsigned argument;
};

struct program {
	enum memory_model model;
	unsigned actors, length;
	struct instruction code[ACTORS_MAX][LENGTH_MAX];
};

struct machine {
	struct program program;
	uint32_t *variable; /* in guest memory */
	struct waitq q[2];
	uint32_t result[ACTORS_MAX]; /* what an actor came to */
	unsigned spawned;
};

static struct machine *machine; /* in the arena */

static void
access_variable(struct world *w, unsigned v, enum access_kind kind)
{
	access_shared(w, (uint64_t)((char *)&machine->variable[v] - (char *)gm_map(w, 0, 1)), 4,
		      kind, NULL);
}

static void
later(struct world *w, void *arg)
{
	uint32_t *v = arg;

	*v = *v * 5 + world_choose(w, 2, CHOICE_OUTCOME);
}

static void
spawned(struct actor *self, void *arg)
{
	access_variable(actor_world(self), 0, ACCESS_STORE);
	machine->variable[0] += 100;
}

/* Registers are on the stack: a schedule that was put back must put them back. */
static void
interpret(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	unsigned id = (unsigned)(uintptr_t)arg, turns = 0;
	const struct instruction *code = machine->program.code[id];
	volatile uint32_t r = id;

	for (unsigned pc = 0; pc < machine->program.length; pc++) {
		unsigned v = code[pc].argument % VARIABLES;

		switch (code[pc].op) {
		case LOAD:
			access_variable(w, v, ACCESS_LOAD);
			r = machine->variable[v];
			break;
		case STORE:
			access_variable(w, v, ACCESS_STORE);
			machine->variable[v] = r;
			break;
		case ADD:
			r = r * 3 + code[pc].argument;
			break;
		case YIELD:
			actor_yield(w);
			break;
		case WAIT:
			waitq_wait(w, &machine->q[v & 1]);
			break;
		case WAIT_FOR:
			r += waitq_wait_for(w, &machine->q[v & 1], 5, false);
			break;
		case WAKE:
			actor_point(w);
			waitq_wake_one(w, &machine->q[v & 1]);
			break;
		case CHOOSE:
			r = r * 2 + world_choose(w, 2 + v % 2, CHOICE_OUTCOME);
			break;
		case SLEEP:
			actor_sleep(w, 10 + v);
			break;
		case AFTER:
			world_after(w, 10, later, &machine->variable[v]);
			break;
		case SPAWN:
			if (machine->spawned++ == 0)
				actor_create(w, "spawned", spawned, NULL, 0);
			break;
		case FENCE:
			ringside_fence(0);
			break;
		case CLOCK: /* who looks at the time sees more ends */
			r += (uint32_t)world_now(w);
			break;
		case LOOP: /* until somebody changes it; three turns are enough */
			access_variable(w, v, ACCESS_LOAD);
			if (!machine->variable[v] && ++turns < 3)
				pc = pc ? pc - 1 : 0;
			break;
		default:
			must(!"an instruction");
		}
	}
	machine->result[id] = r + 1;
}

static void
setup_program(struct world *w, void *arg)
{
	machine = world_alloc(w, sizeof(*machine));
	machine->program = *(const struct program *)arg;
	gm_create(w, 1 << 16);
	machine->variable = gm_map(w, gm_alloc(w, VARIABLES * 4, 64), VARIABLES * 4);
	memory_set_model(w, machine->program.model);
	waitq_init(&machine->q[0], w, "q0");
	waitq_init(&machine->q[1], w, "q1");
	for (unsigned i = 0; i < machine->program.actors; i++)
		actor_create(w, "actor", interpret, (void *)(uintptr_t)i, 0);
}

static struct program
random_program(struct prng *p, enum memory_model model)
{
	struct program program = { .model = model,
				   .actors = 2 + prng_below(p, 2),
				   .length = 2 + prng_below(p, 4) };

	for (unsigned i = 0; i < program.actors; i++)
		for (unsigned k = 0; k < program.length; k++)
			program.code[i][k] = (struct instruction){
				prng_below(p, 2) ? prng_below(p, ADD) : prng_below(p, OPS),
				prng_below(p, 6),
			};
	return program;
}

static struct world *
make(enum world_mode mode, uint64_t steps_max, void (*setup)(struct world *w, void *arg), void *arg)
{
	struct error err;
	struct world *w =
		world_create(&(struct world_config){ .mode = mode, .steps_max = steps_max }, &err);

	assert_non_null(w);
	if (world_setup(w, setup, arg, &err))
		fail_msg("%s", err.text);
	world_snapshot(w);
	return w;
}

/* --- ends ----------------------------------------------------------------------------------- */

#define ENDS_MAX 200000u

struct ends {
	uint64_t what[ENDS_MAX];
	size_t count;
};

static struct ends plain, found;

/* All that can be seen of a program at its end, but for the time. */
static uint64_t
observe(struct world *w, enum stop stop)
{
	uint64_t h = hash_bytes(machine->variable, VARIABLES * 4, (uint64_t)stop);

	h = hash_bytes(machine->result, sizeof(machine->result), h);
	for (uint32_t i = 1; i <= world_actors(w); i++) {
		uint64_t state = (uint64_t)actor_state(world_actor(w, i));

		h = hash_bytes(&state, sizeof(state), h);
	}
	return h;
}

static void
ends_add(struct ends *e, uint64_t what)
{
	if (e->count < ENDS_MAX)
		e->what[e->count++] = what;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each once. */
static void
ends_sort(struct ends *e)
{
	size_t n = 0;

	qsort(e->what, e->count, sizeof(*e->what), by_value);
	for (size_t i = 0; i < e->count; i++)
		if (!n || e->what[n - 1] != e->what[i])
			e->what[n++] = e->what[i];
	e->count = n;
}

/* A property that some ends break: findings are compared, too. */
static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	uint64_t what = observe(w, stop);

	if (context)
		ends_add(context, what);
	if (stop != STOP_QUIESCENT)
		return VERDICT_BUDGET;
	return what % 5 ? VERDICT_OK : VERDICT_HANG;
}

/* --- plain depth-first search ----------------------------------------------------------------- */

#define QUESTIONS_MAX 256

static struct odometer {
	struct chooser chooser; /* first */
	uint32_t answer[QUESTIONS_MAX], n[QUESTIONS_MAX];
	size_t given, at;
} odometer;

static uint32_t
choose_odometer(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	struct odometer *o = &odometer;
	size_t i = o->at++;

	assert_true(i < QUESTIONS_MAX);
	if (i >= o->given)
		o->answer[i] = 0;
	o->n[i] = n;
	return o->answer[i];
}

/* How many schedules there are; 0: more than @most. */
static unsigned
enumerate(struct world *w, unsigned most, bool *fails, judge_fn judge_it)
{
	struct odometer *o = &odometer;
	struct finding f;
	unsigned schedules = 0;

	*o = (struct odometer){ .chooser = { choose_odometer } };
	plain.count = 0;
	*fails = false;
	do {
		o->at = 0;
		world_restore(w);
		world_set_chooser(w, &o->chooser);
		*fails |= verdict_fails(judge_it(w, world_run(w), &f, &plain));
		schedules++;
		while (o->at && o->answer[o->at - 1] + 1 == o->n[o->at - 1])
			o->at--;
		if (o->at)
			o->answer[o->at - 1]++;
		o->given = o->at;
	} while (o->given && schedules < most);
	world_set_chooser(w, NULL);
	ends_sort(&plain);
	return o->given ? 0 : schedules;
}

/* --- the strategy --------------------------------------------------------------------------- */

static struct counts {
	size_t states;
	uint64_t transitions, ends;
} counts;

static void
explore(struct world *w, struct explorer_config c, struct strategy_config sc,
	struct explorer_result *r)
{
	struct error err;
	const char *colon;

	c.strategy = strategy_create(&strategy_states, &sc, &err);
	assert_non_null(c.strategy);
	if (explorer_run(w, &c, r))
		fail_msg("%s", r->error.text);
	strategy_destroy(c.strategy);
	colon = strchr(r->statement, ':');
	assert_non_null(colon);
	assert_int_equal(sscanf(colon, ": %zu states, %" SCNu64 " transitions, %" SCNu64 " final",
				&counts.states, &counts.transitions, &counts.ends),
			 3);
}

/* All ends, into found. Whether one of them fails. */
static bool
explore_ends(struct world *w, judge_fn judge_it)
{
	struct explorer_config c = { .judge = judge_it,
				     .judge_context = &found,
				     .keep_going = true };
	struct explorer_result r;

	found.count = 0;
	explore(w, c, (struct strategy_config){ 0 }, &r);
	ends_sort(&found);
	explorer_result_free(&r);
	return r.failing;
}

/* --- tests ---------------------------------------------------------------------------------- */

struct compared {
	unsigned programs, failing, fewer;
};

static void
compare(enum memory_model model, uint64_t seed, unsigned programs, struct compared *c)
{
	struct prng p;

	prng_seed(&p, seed);
	for (unsigned i = 0; i < programs; i++) {
		struct program program = random_program(&p, model);
		struct world *w =
			make(i % 5 ? WORLD_RELAXED : WORLD_TIMED, 0, setup_program, &program);
		bool fails;
		unsigned schedules = enumerate(w, 3000, &fails, judge);

		if (schedules > 1) {
			assert_int_equal(explore_ends(w, judge), fails);
			assert_int_equal(found.count, plain.count);
			assert_memory_equal(found.what, plain.what, 8 * plain.count);
			assert_true(counts.ends >= plain.count);
			c->programs++;
			c->failing += fails;
			c->fewer += counts.transitions < schedules;
		}
		world_destroy(w);
	}
}

static void
same_ends_as_plain_search(void **state)
{
	for (enum memory_model model = 0; model < MEMORY_MODELS; model++) {
		struct compared c = { 0 };

		compare(model, 11 + model, 300, &c);
		printf("%s: %u programs compared, %u fail, %u with fewer transitions than "
		       "schedules\n",
		       memory_model_name[model], c.programs, c.failing, c.fewer);
		assert_true(c.programs > 120 && c.failing > 30 && c.fewer > 60);
	}
}

/* --- the wake-up ring ----------------------------------------------------------------------- */

static struct wakeup *wakeup; /* in the arena */

struct ring_case {
	unsigned items;
	enum memory_model model;
	struct ring_wakeup_quirks quirks;
};

static void
setup_ring(struct world *w, void *arg)
{
	const struct ring_case *c = arg;

	wakeup = wakeup_create(w, c->items, &c->quirks);
	memory_set_model(w, c->model);
}

static enum verdict
judge_ring(struct world *w, enum stop stop, struct finding *f, void *context)
{
	uint64_t what = hash_bytes(&wakeup->end, sizeof(wakeup->end), stop);

	what = hash_bytes(wakeup->ring, sizeof(*wakeup->ring), what);
	if (context)
		ends_add(context, what);
	if (stop != STOP_QUIESCENT)
		return VERDICT_BUDGET;
	return wakeup_lost(wakeup) ? VERDICT_LOST_KICK : VERDICT_OK;
}

/* Third differences of the number of states are small: n^2, not 9^n. */
static void
ring_grows_quadratically(void **state)
{
	for (enum memory_model model = MEMORY_SC; model <= MEMORY_TSO; model++) {
		long states[9] = { 0 };

		for (unsigned n = 1; n <= 8; n++) {
			struct ring_case c = { .items = n, .model = model };
			struct world *w = make(WORLD_RELAXED, 0, setup_ring, &c);
			struct explorer_result r;

			explore(w, (struct explorer_config){ .judge = judge_ring },
				(struct strategy_config){ 0 }, &r);
			printf("%s %u: %s\n", memory_model_name[model], n, r.statement);
			assert_int_equal(r.end, EXPLORER_COMPLETE);
			assert_int_equal(r.schedules, counts.ends);
			assert_int_equal(r.count[VERDICT_OK], r.schedules);
			states[n] = (long)counts.states;
			world_destroy(w);
		}
		for (unsigned n = 5; n <= 8; n++) {
			long third =
				states[n] - 3 * states[n - 1] + 3 * states[n - 2] - states[n - 3];

			assert_true(labs(third) * 20 < states[n]);
		}
	}
}

/* All that can go wrong in it, by both. */
static void
ring_ends_as_plain_search_says(void **state)
{
	for (unsigned i = 0; i < 16; i++) {
		struct ring_case c = { .items = 1, .model = i & 8 ? MEMORY_TSO : MEMORY_SC };
		bool fails;

		c.quirks.skip_producer_fence = i & 1;
		c.quirks.skip_consumer_fence = i & 2;
		c.quirks.skip_recheck = i & 4;

		struct world *w = make(WORLD_RELAXED, 0, setup_ring, &c);

		assert_true(enumerate(w, 1000000, &fails, judge_ring));
		assert_int_equal(fails, (i & 4) || ((i & 8) && (i & 3)));
		assert_int_equal(explore_ends(w, judge_ring), fails);
		assert_int_equal(found.count, plain.count);
		assert_memory_equal(found.what, plain.what, 8 * plain.count);
		world_destroy(w);
	}
}

/* What it finds is a schedule like any other: it replays, and shrinks. */
static void
what_is_found_replays(void **state)
{
	struct ring_case c = { .items = 3,
			       .model = MEMORY_TSO,
			       .quirks = { .skip_producer_fence = true } };
	struct world *w = make(WORLD_RELAXED, 0, setup_ring, &c);
	struct explorer_result r;
	struct finding f = { 0 };
	enum stop stop;

	explore(w, (struct explorer_config){ .judge = judge_ring }, (struct strategy_config){ 0 },
		&r);
	assert_int_equal(r.end, EXPLORER_FOUND);
	assert_int_equal(r.found->finding.verdict, VERDICT_LOST_KICK);
	assert_int_equal(replay_run(w, &r.found->schedule, NULL, &stop, NULL), 0);
	assert_int_equal(judge_ring(w, stop, &f, NULL), VERDICT_LOST_KICK);
	explorer_result_free(&r);
	world_destroy(w);
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void
polls(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	do {
		access_variable(w, 0, ACCESS_LOAD);
		arg ? actor_sleep(w, 7) : actor_yield(w);
	} while (machine->variable[0] < 2);
}

static void
counts_up(struct actor *self, void *arg)
{
	access_variable(actor_world(self), 0, ACCESS_STORE);
	machine->variable[0]++;
}

static char alone[1], in_vain[1];

static void
setup_polls(struct world *w, void *arg)
{
	machine = world_alloc(w, sizeof(*machine));
	gm_create(w, 1 << 16);
	machine->variable = gm_map(w, gm_alloc(w, VARIABLES * 4, 64), VARIABLES * 4);
	actor_create(w, "polls", polls, NULL, 0);
	actor_create(w, "counts", counts_up, NULL, 0);
	if (arg != alone)
		actor_create(w, "polls and sleeps", polls, w, 0);
	if (!arg)
		actor_create(w, "counts", counts_up, NULL, 0);
}

/* Schedules without end, but few worlds: time goes on, and nobody looks. */
static void
loops_end(void **state)
{
	struct world *w = make(WORLD_RELAXED, 0, setup_polls, NULL);
	struct explorer_result r;

	explore(w, (struct explorer_config){ .judge = judge }, (struct strategy_config){ 0 }, &r);
	assert_int_equal(r.end, EXPLORER_COMPLETE);
	assert_in_range(counts.states, 20, 4000);
	assert_int_equal(r.count[VERDICT_BUDGET], 0);
	assert_null(strstr(r.statement, "no end"));
	world_destroy(w);
}

static enum verdict
judge_steps(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return stop == STOP_STEPS ? VERDICT_LIVELOCK : VERDICT_OK;
}

/* Two poll for what never comes: no run ends, none is cut off, and one is found all the same. */
static void
no_end_is_found(void **state)
{
	struct world *w = make(WORLD_RELAXED, 500, setup_polls, in_vain);
	struct explorer_config c = { .judge = judge };
	struct explorer_result r;
	enum stop stop;

	explore(w, c, (struct strategy_config){ 0 }, &r);
	assert_int_equal(r.end, EXPLORER_COMPLETE);
	assert_int_equal(r.count[VERDICT_BUDGET], 1);
	assert_int_equal(r.schedules, 1);
	assert_int_equal(counts.ends, 0);
	assert_non_null(strstr(r.statement, " states lead to no end"));

	c.judge = judge_steps;
	explore(w, c, (struct strategy_config){ 0 }, &r);
	assert_int_equal(r.end, EXPLORER_FOUND);
	assert_int_equal(replay_run(w, &r.found->schedule, NULL, &stop, NULL), 0);
	assert_int_equal(stop, STOP_STEPS);
	explorer_result_free(&r);
	world_destroy(w);
}

static void
says_how_far_it_came(void **state)
{
	struct ring_case c = { .items = 4 };
	struct explorer_config config = { .judge = judge_ring };
	struct strategy_config sc = { 0 };
	struct explorer_result r;
	struct world *w;

	/* Who polls alone for what never comes meets the limit of steps. */
	w = make(WORLD_RELAXED, 2000, setup_polls, alone);
	explore(w, (struct explorer_config){ .judge = judge }, sc, &r);
	assert_int_equal(r.end, EXPLORER_BOUNDED);
	assert_non_null(strstr(r.statement, "exhausted within the limit of steps or time: "));
	assert_true(r.count[VERDICT_BUDGET]);
	world_destroy(w);

	w = make(WORLD_RELAXED, 0, setup_ring, &c);
	sc.states_max = 100;
	explore(w, config, sc, &r);
	assert_int_equal(r.end, EXPLORER_BOUNDED);
	assert_non_null(strstr(r.statement, "not exhausted, memory is full: 100 states"));

	sc.states_max = 0;
	config.schedules_max = 3;
	explore(w, config, sc, &r);
	assert_int_equal(r.end, EXPLORER_SCHEDULES);
	assert_int_equal(r.schedules, 3);
	assert_non_null(strstr(r.statement, "not exhausted: "));
	world_destroy(w);
}

static unsigned leaked; /* state that no image holds */

static void
leaky(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	actor_point(w);
	world_choose(w, 2 + leaked++ % 2, CHOICE_OUTCOME);
	actor_point(w);
}

static void
setup_leaky(struct world *w, void *arg)
{
	machine = world_alloc(w, sizeof(*machine));
	machine->variable = world_alloc(w, VARIABLES * 4);
	actor_create(w, "leaky", leaky, NULL, 0);
	actor_create(w, "leaky", leaky, NULL, 0);
}

static void
notices_another_world(void **state)
{
	struct world *w = make(WORLD_RELAXED, 0, setup_leaky, NULL);
	struct error err;
	struct explorer_config c = { .judge = judge };
	struct explorer_result r;

	leaked = 0;
	c.strategy = strategy_create(&strategy_states, &(struct strategy_config){ 0 }, &err);
	assert_int_equal(explorer_run(w, &c, &r), -1);
	assert_int_equal(r.end, EXPLORER_NONDETERMINISTIC);
	assert_non_null(strstr(r.error.text, "after the same answers a question of a run was"));
	strategy_destroy(c.strategy);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_ends_as_plain_search),
		cmocka_unit_test(ring_grows_quadratically),
		cmocka_unit_test(ring_ends_as_plain_search_says),
		cmocka_unit_test(what_is_found_replays),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(no_end_is_found),
		cmocka_unit_test(says_how_far_it_came),
		cmocka_unit_test(notices_another_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
