/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dpor` against plain depth-first search over all schedules, on random programs small enough for
 * both; and against the known numbers of executions of the wake-up ring.
 */
#include "test_dpor.h"

#include "base/must.h"
#include "explore/explorer.h"
#include "guest/raw_driver.h"
#include "memory/model.h"
#include "oracle/oracle.h"
#include "virtio/wakeup.h"

/* Under AddressSanitizer all of it takes twice as long: fewer programs. */
#ifdef __SANITIZE_ADDRESS__
#define PART 4u
#else
#define PART 1u
#endif

/* --- depth-first search --------------------------------------------------------------------- */

#define DFS_QUESTIONS 512u

static struct dfs {
	struct chooser chooser;
	struct choice path[DFS_QUESTIONS];
	size_t count, at;
} dfs;

static uint32_t
dfs_choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	if (dfs.at == dfs.count) {
		assert_true(dfs.count < DFS_QUESTIONS);
		dfs.path[dfs.count++] = (struct choice){ 0, (uint16_t)n };
	}
	assert_int_equal(dfs.path[dfs.at].n, n);
	return dfs.path[dfs.at++].pick;
}

static bool
dfs_next(void)
{
	while (dfs.count && dfs.path[dfs.count - 1].pick + 1 == dfs.path[dfs.count - 1].n)
		dfs.count--;
	if (!dfs.count)
		return false;
	dfs.path[dfs.count - 1].pick++;
	return true;
}

static void
explore_dfs(struct world *w, uint64_t most, struct outcome *o)
{
	memset(&dfs, 0, sizeof(dfs));
	dfs.chooser.choose = dfs_choose;
	do {
		if (o->executions == most)
			return;
		world_restore(w);
		dfs.at = 0;
		world_set_chooser(w, &dfs.chooser);
		order_install(w, NULL);
		outcome_add(o, w, world_run(w));
	} while (dfs_next());
	o->complete = true;
}

static void
explore_dpor(struct world *w, uint32_t shard, uint32_t shards, struct outcome *o)
{
	struct strategy_config config = { .shard = shard, .shards = shards };
	struct error err;
	struct strategy *s = strategy_create(&strategy_dpor, &config, &err);

	for (;;) {
		enum stop stop;

		world_restore(w);
		if (!s->ops->begin(s, w, 0))
			break;
		order_install(w, &((struct dpor *)s)->watch);
		stop = world_run(w);
		s->ops->end(s, w, stop);
		assert_string_equal(s->error.text, "");
		if (!s->repeated)
			outcome_add(o, w, stop);
	}
	assert_false(s->left_out);
	assert_true(((struct dpor *)s)->executions == o->executions);
	strategy_destroy(s);
}

/* --- comparing ------------------------------------------------------------------------------ */

static struct world *
make(struct program *p, enum memory_model model, enum world_mode mode)
{
	struct world_config config = { .mode = mode };
	struct error err;
	struct world *w = world_create(&config, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, program_setup, p, &err), 0);
	memory_set_model(w, model);
	world_snapshot(w);
	return w;
}

static void
fail_program(const struct program *p, unsigned number, const struct outcome *all,
	     const struct outcome *reduced, const char *what)
{
	printf("program %u: %s: %zu states, %zu traces in %llu schedules; dpor %zu, %zu in %llu\n",
	       number, what, all->states.count, all->traces.count,
	       (unsigned long long)all->executions, reduced->states.count, reduced->traces.count,
	       (unsigned long long)reduced->executions);
	program_print(p);
	fail();
}

/*
 * Programs of accesses and fences: as many executions as traces, each trace once.  With models:
 * no state and no trace is lost.  Under weak the order in time is not that of coherence: states.
 */
static unsigned
compare(uint64_t seed, unsigned programs, bool models, enum memory_model model,
	enum world_mode mode, uint64_t most)
{
	struct prng prng;
	unsigned compared = 0;

	prng_seed(&prng, seed);
	for (unsigned i = 0; i < programs; i++) {
		struct outcome all = { 0 }, reduced = { 0 };
		struct program p;
		struct world *w;

		program_random(&p, &prng, models);
		w = make(&p, model, mode);
		explore_dfs(w, most, &all);
		if (all.complete) {
			explore_dpor(w, 0, 0, &reduced);
			compared++;
			if (!set_same(&all.states, &reduced.states))
				fail_program(&p, i, &all, &reduced, "other final states");
			if (model != MEMORY_WEAK && !set_same(&all.traces, &reduced.traces))
				fail_program(&p, i, &all, &reduced, "other traces");
			if (!models && model != MEMORY_WEAK &&
			    reduced.executions != reduced.traces.count)
				fail_program(&p, i, &all, &reduced, "a trace more than once");
		}
		outcome_free(&all);
		outcome_free(&reduced);
		world_destroy(w);
	}
	return compared;
}

static void
accesses_sc(void **state)
{
	assert_true(compare(1, 200 / PART, false, MEMORY_SC, WORLD_RELAXED, 10000) >
		    150 / PART / 2);
}

static void
accesses_tso(void **state)
{
	assert_true(compare(2, 200 / PART, false, MEMORY_TSO, WORLD_RELAXED, 10000) >
		    100 / PART / 2);
}

static void
models_sc(void **state)
{
	assert_true(compare(3, 200 / PART, true, MEMORY_SC, WORLD_RELAXED, 5000) > 80 / PART / 2);
}

static void
models_timed(void **state)
{
	assert_true(compare(4, 150 / PART, true, MEMORY_SC, WORLD_TIMED, 5000) > 60 / PART / 2);
}

static void
models_tso(void **state)
{
	assert_true(compare(5, 200 / PART, true, MEMORY_TSO, WORLD_RELAXED, 5000) > 60 / PART / 2);
}

static void
accesses_weak(void **state)
{
	assert_true(compare(7, 150 / PART, false, MEMORY_WEAK, WORLD_RELAXED, 5000) >
		    60 / PART / 2);
}

/* Shards have no trace in common, and together all of them. */
static void
shards_split_the_traces(void **state)
{
	struct prng prng;

	prng_seed(&prng, 6);
	for (unsigned i = 0; i < 40 / PART; i++) {
		uint32_t shards = 2 + i % 4;
		struct outcome all = { 0 }, parts = { 0 };
		struct program p;
		struct world *w;

		program_random(&p, &prng, i % 3 == 2);
		w = make(&p, i % 2 ? MEMORY_TSO : MEMORY_SC, WORLD_RELAXED);
		explore_dpor(w, 0, 0, &all);
		for (uint32_t shard = 0; shard < shards; shard++) {
			struct outcome part = { 0 };

			explore_dpor(w, shard, shards, &part);
			for (size_t k = 0; k < part.traces.capacity; k++)
				if (part.traces.word[k] &&
				    !set_add(&parts.traces, part.traces.word[k]) && !p.models)
					fail_program(&p, i, &all, &part, "a trace in two shards");
			parts.executions += part.executions;
			outcome_free(&part);
		}
		if (!set_same(&all.traces, &parts.traces) ||
		    (!p.models && all.executions != parts.executions))
			fail_program(&p, i, &all, &parts, "shards are not the whole");
		outcome_free(&all);
		outcome_free(&parts);
		world_destroy(w);
	}
}

/* --- the wake-up ring ----------------------------------------------------------------------- */

static struct wakeup *wakeup;
static struct ring_wakeup_quirks wakeup_quirks;

static void
wakeup_setup(struct world *w, void *arg)
{
	wakeup = wakeup_create(w, *(const unsigned *)arg, &wakeup_quirks);
}

static enum verdict
wakeup_judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	assert_int_equal(stop, STOP_QUIESCENT);
	return wakeup_lost(wakeup) ? VERDICT_LOST_KICK : VERDICT_OK;
}

/* All executions, and how many of them lose the kick. */
static uint64_t
wakeup_count(unsigned n, enum memory_model model, struct ring_wakeup_quirks quirks, uint64_t *lost)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = { .judge = wakeup_judge, .keep_going = true };
	struct explorer_result r;
	uint64_t executions;

	wakeup_quirks = quirks;
	assert_int_equal(world_setup(w, wakeup_setup, &n, &err), 0);
	memory_set_model(w, model);
	world_snapshot(w);
	config.strategy = strategy_create(&strategy_dpor, &(struct strategy_config){ 0 }, &err);
	assert_int_equal(explorer_run(w, &config, &r), 0);
	assert_int_equal(r.end, EXPLORER_COMPLETE);
	executions = r.schedules;
	*lost = r.failing;
	explorer_result_free(&r);
	strategy_destroy(config.strategy);
	world_destroy(w);
	return executions;
}

/* What two other tools count. */
static void
wakeup_ring_counts(void **state)
{
	static const uint64_t known[2][3] = { { 6, 45, 354 }, { 7, 64, 599 } };

	for (unsigned tso = 0; tso < 2; tso++) {
		for (unsigned n = 1; n <= 3; n++) {
			enum memory_model model = tso ? MEMORY_TSO : MEMORY_SC;
			struct ring_wakeup_quirks quirks = { 0 };
			uint64_t lost;

			assert_int_equal(wakeup_count(n, model, quirks, &lost), known[tso][n - 1]);
			assert_int_equal(lost, 0);
			quirks.skip_producer_fence = true;
			wakeup_count(n, model, quirks, &lost);
			assert_int_equal(lost > 0, tso);
			quirks.skip_consumer_fence = true;
			wakeup_count(n, model, quirks, &lost);
			assert_int_equal(lost > 0, tso);
			quirks.skip_producer_fence = false;
			wakeup_count(n, model, quirks, &lost);
			assert_int_equal(lost > 0, tso);
		}
	}
}

/* --- rings with eventfds -------------------------------------------------------------------- */

static struct raw_pair *pair;

static void
pair_setup(struct world *w, void *arg)
{
	const struct raw_config *config = arg;

	oracle_attach(w);
	gm_create(w, 1 << 20);
	pair = raw_pair_create(w, config);
	oracle_watch_raw(w, pair);
}

static uint64_t
pair_state(struct world *w, enum stop stop)
{
	uint64_t state = fold(oracle_judge(w, stop, NULL), (uint64_t)stop);

	state = fold(state, hash_bytes(gm_map(w, 0, 1 << 16), 1 << 16, 0));
	state = fold(state, pair->driver.reaped);
	state = fold(state, pair->driver.kicks);
	state = fold(state, pair->device.popped);
	state = fold(state, pair->device.calls);
	return fold(state, actor_state(pair->driver.actor));
}

static void
pair_explore(struct world *w, const struct strategy_ops *ops, unsigned most, struct set *states)
{
	struct error err;
	struct strategy *s = strategy_create(ops, &(struct strategy_config){ .seed = 3 }, &err);

	for (uint64_t i = 0; i < most; i++) {
		enum stop stop;

		world_restore(w);
		if (!s->ops->begin(s, w, i))
			break;
		stop = world_run(w);
		if (s->ops->end)
			s->ops->end(s, w, stop);
		assert_string_equal(s->error.text, "");
		if (!s->repeated)
			set_add(states, pair_state(w, stop));
	}
	if (ops == &strategy_dpor)
		assert_true(((struct dpor *)s)->exhausted);
	strategy_destroy(s);
}

/* Too large for all schedules: what random ones end in is what executions end in. */
static void
pair_states(uint64_t driver_quirks, uint64_t device_quirks, enum memory_model model)
{
	struct raw_config config = { .name = "vq0",
				     .size = 4,
				     .buffers = PART == 1 ? 2 : 1,
				     .driver_quirks = driver_quirks,
				     .device_quirks = device_quirks };
	struct set drawn = { 0 }, all = { 0 };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);

	assert_int_equal(world_setup(w, pair_setup, &config, &err), 0);
	memory_set_model(w, model);
	world_snapshot(w);
	pair_explore(w, &strategy_random, 5000 / PART, &drawn);
	pair_explore(w, &strategy_dpor, UINT32_MAX, &all);
	assert_true(drawn.count > (PART == 1 ? 3 : 0));
	for (size_t i = 0; i < drawn.capacity; i++)
		assert_true(!drawn.word[i] || set_has(&all, drawn.word[i]));
	free(drawn.word);
	free(all.word);
	world_destroy(w);
}

static void
rings_with_eventfds(void **state)
{
	pair_states(0, 0, MEMORY_SC);
	pair_states(0, 0, MEMORY_TSO);
	pair_states(DP_QUIRK_DRIVER_KICK_SKIP_MB, 0, MEMORY_TSO);
	pair_states(0, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, MEMORY_SC);
}

/* --- actors that are made during a run ------------------------------------------------------- */

static void
made(struct actor *self, void *arg)
{
	uint8_t *at = gm_map(actor_world(self), 0x1000, 1);

	access_shared(actor_world(self), 0x1000, 1, ACCESS_STORE, made);
	*at = (uint8_t)(*at * 3 + (uintptr_t)arg);
}

static void
makes_one(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	access_shared(w, 0x1000 + 64 * (uintptr_t)arg, 1, ACCESS_STORE, makes_one);
	(void)world_alloc(w, 16 * (uintptr_t)arg); /* they do not lie where they lay before */
	actor_create(w, "made", made, arg, 0);
	access_shared(w, 0x1000, 1, ACCESS_LOAD, makes_one);
}

static void
makers_setup(struct world *w, void *arg)
{
	gm_create(w, 1 << 16);
	for (uintptr_t i = 1; i <= 2; i++)
		actor_create(w, "makes", makes_one, (void *)i, 0);
}

static void
makers_explore(const struct strategy_ops *ops, unsigned bound, struct set *states)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct strategy *s =
		strategy_create(ops, &(struct strategy_config){ .bound = bound }, &err);

	assert_int_equal(world_setup(w, makers_setup, NULL, &err), 0);
	world_snapshot(w);
	for (uint64_t i = 0;; i++) {
		enum stop stop;

		world_restore(w);
		if (!s->ops->begin(s, w, i))
			break;
		stop = world_run(w);
		if (s->ops->end)
			s->ops->end(s, w, stop);
		assert_string_equal(s->error.text, "");
		if (!s->repeated)
			set_add(states, 1 + *(uint8_t *)gm_map(w, 0x1000, 1));
	}
	strategy_destroy(s);
	world_destroy(w);
}

static void
actors_made_in_any_order(void **state)
{
	struct set all = { 0 }, executions = { 0 };

	makers_explore(&strategy_bounded, 32, &all);
	makers_explore(&strategy_dpor, 0, &executions);
	assert_int_equal(executions.count, all.count);
	assert_true(all.count > 1);
	for (size_t i = 0; i < all.capacity; i++)
		assert_true(!all.word[i] || set_has(&executions, all.word[i]));
	free(all.word);
	free(executions.word);
}

/* --- limits --------------------------------------------------------------------------------- */

static void
waits_a_little(struct actor *self, void *arg)
{
	actor_point(actor_world(self));
}

static void
crowd_setup(struct world *w, void *arg)
{
	for (unsigned i = 0; i <= DPOR_PROCESSES_MAX; i++)
		actor_create(w, "one of many", waits_a_little, NULL, 0);
}

static enum verdict
crowd_judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return VERDICT_OK;
}

static void
too_many_actors(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_config config = { .judge = crowd_judge };
	struct explorer_result r;

	assert_int_equal(world_setup(w, crowd_setup, NULL, &err), 0);
	world_snapshot(w);
	config.strategy = strategy_create(&strategy_dpor, &(struct strategy_config){ 0 }, &err);
	assert_int_equal(explorer_run(w, &config, &r), -1);
	assert_int_equal(r.end, EXPLORER_ERROR);
	assert_non_null(strstr(r.error.text, "dpor follows at most 64 actors and callbacks"));
	strategy_destroy(config.strategy);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_sc),
		cmocka_unit_test(accesses_tso),
		cmocka_unit_test(models_sc),
		cmocka_unit_test(models_timed),
		cmocka_unit_test(models_tso),
		cmocka_unit_test(accesses_weak),
		cmocka_unit_test(shards_split_the_traces),
		cmocka_unit_test(wakeup_ring_counts),
		cmocka_unit_test(rings_with_eventfds),
		cmocka_unit_test(actors_made_in_any_order),
		cmocka_unit_test(too_many_actors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
