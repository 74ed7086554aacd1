/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failures explained: keyed picks that survive changes, and the two events whose order decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/aside.h"
#include "engine/world.h"
#include "explore/critical.h"
#include "explore/failure.h"
#include "explore/keyed.h"
#include "explore/replay.h"
#include "explore/run_size.h"
#include "explore/shrink.h"

/*
 * The lost wake-up: the consumer looks, the producer publishes and finds nobody asleep, the
 * consumer goes to sleep.  The code "changes": other versions of it do more, or say it otherwise.
 */
enum change { UNCHANGED, MORE_STEPS, RENAMED, FIXED, FIRST_FAILS };

struct rig {
	struct waitq idle;
	enum change change;
	int64_t looks, publishes, sleeps, extra, done;
	bool published, asleep;
};

static void
consumer(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	struct rig *r = arg;

	for (;;) {
		actor_point(w);
		emit(w, EV_NOTE, r->looks);
		if (r->published)
			break;
		if (r->change == FIXED)
			r->asleep = true;
		if (r->change == FIRST_FAILS)
			actor_yield(w);
		actor_point(w);
		emit(w, EV_NOTE, r->sleeps);
		if (r->change == FIXED && r->published)
			break;
		r->asleep = true;
		waitq_wait(w, &r->idle);
	}
	emit(w, EV_NOTE, r->done);
}

static void
producer(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);
	struct rig *r = arg;

	for (int i = 0; i < (r->change == MORE_STEPS ? 4 : 1); i++) {
		actor_point(w);
		emit(w, EV_NOTE, r->extra);
	}
	actor_point(w);
	emit(w, EV_NOTE, r->publishes);
	r->published = true;
	if (r->asleep)
		waitq_wake_all(w, &r->idle);
	actor_point(w);
	emit(w, EV_NOTE, r->extra);
}

static void
set_up(struct world *w, void *arg)
{
	struct rig *r = world_alloc(w, sizeof(*r));

	waitq_init(&r->idle, w, "idle");
	r->change = *(enum change *)arg;
	r->looks = world_name(w, r->change == RENAMED ? "peeks" : "looks");
	r->publishes = world_name(w, "publishes");
	r->sleeps = world_name(w, "sleeps");
	r->extra = world_name(w, "extra");
	r->done = world_name(w, "done");
	actor_create(w, "consumer", consumer, r, 0);
	actor_create(w, "producer", producer, r, 0);
}

static struct world *
rig_world(enum change change)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct error err;
	struct world *w = world_create(&config, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, set_up, &change, &err), 0);
	world_snapshot(w);
	return w;
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	if (actor_state(world_actor(w, 2)) != ACTOR_BLOCKED)
		return VERDICT_OK;
	snprintf(f->oracle, sizeof(f->oracle), "test");
	snprintf(f->subject, sizeof(f->subject), "consumer");
	return VERDICT_HANG;
}

static const struct critical_config judging = { judge, NULL, NULL };

/* A shrunk failing schedule. */
static void
find(struct world *w, struct schedule *s, struct finding *f)
{
	struct error err;
	struct strategy *random =
		strategy_create(&strategy_random, &(struct strategy_config){ .seed = 3 }, &err);
	struct explorer_config config = { .strategy = random,
					  .judge = judge,
					  .schedules_max = 10000 };
	struct shrink_config how = { .judge = judge };
	struct shrink_result sr;
	struct explorer_result r;

	assert_int_equal(explorer_run(w, &config, &r), 0);
	assert_non_null(r.found);
	*f = r.found->finding;
	schedule_copy(s, &r.found->schedule);
	explorer_result_free(&r);
	strategy_destroy(random);
	assert_int_equal(shrink(w, &how, s, f, &sr, &err), 0);
	assert_true(sr.minimal);
}

static enum verdict
replayed(struct world *w, const struct schedule *s)
{
	struct finding f = { 0 };
	struct divergence div;
	enum stop stop;

	if (replay_run(w, s, NULL, &stop, &div))
		fail_msg("%s", div.text);
	return judge(w, stop, &f, NULL);
}

/* --- the critical pair ---------------------------------------------------------------------- */

static void
test_critical(void **state)
{
	struct world *w = rig_world(UNCHANGED);
	struct schedule s = { 0 };
	struct finding f;
	struct critical c = { 0 };
	char text[500];

	find(w, &s, &f);
	critical_find(w, &judging, &s, &f, &c);
	assert_true(c.found);
	critical_text(&c, text, sizeof(text));
	/* Either of the two orders that lose it: looked too early, or slept too late. */
	if (strcmp(text, "looks (consumer) before publishes (producer)") &&
	    strcmp(text, "publishes (producer) before sleeps (consumer)"))
		fail_msg("%s", text);
	assert_int_equal(replayed(w, &c.failing), VERDICT_HANG);
	assert_int_equal(replayed(w, &c.passing), VERDICT_OK);
	assert_true(c.runs < 40);

	/* The same again is the same. */
	struct critical again = { 0 };

	critical_find(w, &judging, &s, &f, &again);
	assert_true(again.found);
	assert_int_equal(again.failing.digest, c.failing.digest);
	assert_int_equal(again.passing.digest, c.passing.digest);
	assert_string_equal(again.first.what, c.first.what);
	critical_free(&again);
	critical_free(&c);
	schedule_free(&s);
	world_destroy(w);
}

/* The plain run fails already: it is compared with one that has one pick and passes. */
static void
test_critical_plain(void **state)
{
	struct world *w = rig_world(FIRST_FAILS);
	struct schedule s = { 0 };
	struct finding f = { 0 };
	struct critical c = { 0 };

	find(w, &s, &f);
	assert_int_equal(s.count, 0);
	critical_find(w, &judging, &s, &f, &c);
	assert_true(c.found);
	assert_int_equal(replayed(w, &c.failing), VERDICT_HANG);
	assert_int_equal(replayed(w, &c.passing), VERDICT_OK);
	critical_free(&c);
	schedule_free(&s);
	world_destroy(w);
}

static enum verdict
judge_always(struct world *w, enum stop stop, struct finding *f, void *context)
{
	return VERDICT_LIVELOCK;
}

/* Where every schedule fails no order decides. */
static void
test_critical_none(void **state)
{
	struct world *w = rig_world(UNCHANGED);
	struct schedule s = { 0 };
	struct finding f = { .verdict = VERDICT_LIVELOCK };
	struct critical c = { 0 };

	world_restore(w);
	world_run(w);
	assert_int_equal(schedule_take(&s, w, NULL), 0);
	critical_find(w, &(struct critical_config){ judge_always, NULL, NULL }, &s, &f, &c);
	assert_false(c.found);
	critical_free(&c);
	schedule_free(&s);
	world_destroy(w);
}

/* --- keyed picks ---------------------------------------------------------------------------- */

static void
learn(struct pick_keys *keys)
{
	struct world *w = rig_world(UNCHANGED);
	struct schedule s = { 0 };
	struct finding f;
	char text[KEYED_TEXT_MAX], again[KEYED_TEXT_MAX];
	struct pick_key key;
	struct error err;

	find(w, &s, &f);
	assert_int_equal(keyed_learn(w, &s, keys), 0);
	assert_int_equal(keys->count, s.count);
	for (size_t i = 0; i < keys->count; i++) {
		pick_key_print(&keys->key[i], text, sizeof(text));
		assert_int_equal(pick_key_parse(&key, text, &err), 0);
		pick_key_print(&key, again, sizeof(again));
		assert_string_equal(text, again);
		keys->key[i] = key; /* what was read is what is followed */
	}
	/* In the same code: the same run. */
	struct keyed_result r;

	keyed_run(w, keys, &r);
	assert_int_equal(world_digest(w), s.digest);
	assert_int_equal(r.guessed, keys->count);
	assert_int_equal(r.runs, 1);
	assert_string_equal(r.how, "");
	schedule_free(&s);
	world_destroy(w);
}

static enum verdict
follow(enum change change, const struct pick_keys *keys, struct keyed_result *r)
{
	struct world *w = rig_world(change);
	struct finding f = { 0 };
	enum verdict v;

	keyed_run(w, keys, r);
	v = judge(w, r->stop, &f, NULL);
	world_destroy(w);
	return v;
}

static void
test_keyed(void **state)
{
	struct pick_keys keys = { 0 };
	struct keyed_result r;

	learn(&keys);
	assert_true(keys.count > 0);
	/* More steps elsewhere: no guess is needed. */
	assert_int_equal(follow(MORE_STEPS, &keys, &r), VERDICT_HANG);
	assert_int_equal(r.guessed, keys.count);
	/* Its event has another name: a guess, that is told. */
	assert_int_equal(follow(RENAMED, &keys, &r), VERDICT_HANG);
	assert_int_equal(r.guessed, 0);
	assert_non_null(strstr(r.how, "note looks"));
	assert_non_null(strstr(r.how, "same-numbered choice"));
	/* Mended: followed, and it holds. */
	assert_int_equal(follow(FIXED, &keys, &r), VERDICT_OK);
	pick_keys_free(&keys);
}

/* A place that never comes is guessed, in the end left out, and the run ends all the same. */
static void
test_keyed_gone(void **state)
{
	struct pick_keys keys = { 0 };
	struct keyed_result r;
	struct error err;
	struct pick_key key;

	assert_int_equal(pick_key_parse(&key,
					"consumer | note nothing | gone x.c:7 | "
					"#1+1,1,1 -> producer",
					&err),
			 0);
	pick_keys_add(&keys, &key);
	follow(UNCHANGED, &keys, &r);
	assert_int_equal(r.guessed, 0);
	assert_non_null(strstr(r.how, "same-numbered choice"));
	snprintf(keys.key[0].answer, sizeof(keys.key[0].answer), "nobody");
	follow(UNCHANGED, &keys, &r);
	assert_int_equal(r.left_out, 1);
	assert_int_equal(r.runs, 4);
	assert_non_null(strstr(r.how, "left out"));
	pick_keys_free(&keys);
}

static void
test_key_errors(void **state)
{
	static const char good[] = "a | note x | f x.c:7 | #1+2,3,4 -> b";
	static const char *const bad[] = { "",
					   "a",
					   "a | b",
					   "a | b | c",
					   "a | b | c | 1",
					   " | b | c | #1+2,3,4 -> b",
					   "a | b | c | #1+2,3 -> b",
					   "a | b | c | #1+2,3,4 ->",
					   "a | b | c | #1+2,3,4 -> ",
					   "a | b | c | #x+2,3,4 -> b" };
	struct prng p;
	struct pick_key key;
	struct error err;
	char text[sizeof(good)];

	assert_int_equal(pick_key_parse(&key, good, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (!pick_key_parse(&key, bad[i], &err))
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.text, "expected"));
	}
	/* Whatever it is, it is read or refused. */
	prng_seed(&p, 5);
	for (int i = 0; i < 20000; i++) {
		memcpy(text, good, sizeof(good));
		for (int k = 0; k < 3; k++)
			text[prng_below(&p, sizeof(good) - 1)] = (char)(1 + prng_below(&p, 255));
		pick_key_parse(&key, text, &err);
	}
}

/* --- in failure files ----------------------------------------------------------------------- */

static void
test_file(void **state)
{
	static const char bad[] = "ringside-failure: 1\nscenario: x\nverdict: hang\n"
				  "schedule: rs1:-:0:0000000000000000\nat: nonsense\n";
	struct failure f, g;
	struct error err;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	failure_init(&f);
	failure_set(&f.scenario, "a.lua");
	failure_set(&f.build, "0123abcd");
	failure_set(&f.critical, "A (a) before B (b, x.c:1)");
	failure_set(&f.critical_stack[0], "");
	failure_set(&f.critical_stack[1], "f x.c:1 <- g x.c:2");
	failure_set(&f.expect, "ok");
	f.finding.verdict = VERDICT_HANG;
	f.passing.choices = 3;
	learn(&f.keys);
	assert_int_equal(failure_write(&f, out, &err), 0);
	fclose(out);
	if (failure_parse(&g, text, size, "mail", &err))
		fail_msg("%s", err.text);
	assert_int_equal(g.keys.count, f.keys.count);
	assert_memory_equal(g.keys.key, f.keys.key, f.keys.count * sizeof(*f.keys.key));
	assert_string_equal(g.build, f.build);
	assert_string_equal(g.critical, f.critical);
	assert_string_equal(g.critical_stack[0], "");
	assert_string_equal(g.critical_stack[1], f.critical_stack[1]);
	assert_string_equal(g.expect, "ok");
	assert_int_equal(g.passing.choices, 3);
	failure_free(&g);
	failure_free(&f);
	free(text);
	assert_int_equal(failure_parse(&g, bad, strlen(bad), "mail", &err), -1);
	assert_non_null(strstr(err.text, "mail:5:5: an actor and"));
}

/* --- what is smaller ------------------------------------------------------------------------ */

/* Preemptions before all, then late stores, picks, their sum, steps. */
static void
test_sizes(void **state)
{
	static const struct run_size rising[] = {
		{ 0, 0, 0, 0, 5 }, { 0, 0, 0, 0, 6 }, { 0, 0, 1, 1, 1 },
		{ 0, 0, 1, 2, 1 }, { 0, 0, 9, 9, 1 }, { 0, 1, 0, 0, 1 },
		{ 0, 2, 0, 0, 0 }, { 1, 0, 0, 0, 0 }, { 2, 0, 0, 0, 0 },
	};
	const size_t n = sizeof(rising) / sizeof(*rising);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			assert_int_equal(run_size_below(&rising[i], &rising[k]), i < k);
}

/* The shrunk lost wake-up has one preemption; one that yields in between needs none. */
static void
test_preemptions(void **state)
{
	static const struct {
		enum change change;
		uint32_t preemptions;
	} cases[] = { { UNCHANGED, 1 }, { FIRST_FAILS, 0 } };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = rig_world(cases[i].change);
		struct shrink_config how = { .judge = judge };
		struct schedule s = { 0 };
		struct shrink_result sr;
		struct finding f;
		struct error err;

		find(w, &s, &f);
		assert_int_equal(shrink(w, &how, &s, &f, &sr, &err), 0);
		assert_int_equal(sr.preemptions_after, cases[i].preemptions);
		assert_int_equal(sr.delayed_after, 0);
		schedule_free(&s);
		world_destroy(w);
	}
}

/* --- aside ---------------------------------------------------------------------------------- */

struct deep {
	unsigned left, sum;
};

static void
deeper(void *arg)
{
	struct deep *d = arg;
	volatile char room[4096];

	room[0] = 1;
	d->sum += (unsigned)room[0];
	if (d->left--)
		aside_call(deeper, d);
	d->sum += (unsigned)room[0];
}

static void
deep_actor(struct actor *self, void *arg)
{
	struct deep *d = arg;

	aside_call(deeper, d); /* 160 KiB: ten times the actor's own stack */
	actor_point(actor_world(self));
	d->left = 40;
	aside_call(deeper, d);
}

static void
set_up_deep(struct world *w, void *arg)
{
	actor_create(w, "deep", deep_actor, arg, 0);
}

static void
test_aside(void **state)
{
	struct world_config config = { .mode = WORLD_RELAXED };
	struct deep d = { .left = 40 };
	struct error err;
	struct world *w = world_create(&config, &err);

	assert_int_equal(world_setup(w, set_up_deep, &d, &err), 0);
	world_snapshot(w);
	assert_int_equal(world_run(w), STOP_QUIESCENT);
	assert_int_equal(d.sum, 4 * 41);
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_critical),      cmocka_unit_test(test_critical_plain),
		cmocka_unit_test(test_critical_none), cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_keyed_gone),    cmocka_unit_test(test_key_errors),
		cmocka_unit_test(test_file),	      cmocka_unit_test(test_aside),
		cmocka_unit_test(test_sizes),	      cmocka_unit_test(test_preemptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
