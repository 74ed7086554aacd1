/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exploring, shrinking and replaying a lost wake-up between two actors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "explore/explorer.h"
#include "explore/failure.h"
#include "explore/lanes.h"
#include "explore/replay.h"
#include "explore/shrink.h"

/*
 * The driver makes buffers available and kicks the device if it sleeps.  The device looks for
 * buffers and goes to sleep; between looking and sleeping it can be interrupted (the window), and
 * it does not look again, as it must.
 */
struct program {
	unsigned buffers;
	unsigned idlers; /* actors that only take part in the scheduling */
	bool window;
	unsigned outcomes; /* the device's first step asks one of so many; must be 1 for the loss if
			      > 1 */
	int64_t note; /* an event's argument, to change the digest and nothing else */
	unsigned extra_points; /* of the driver, before it begins */
};

struct rig {
	struct program program;
	struct waitq kick;
	unsigned available, done;
	bool asleep;
	uint32_t outcome;
};

static struct rig *rig; /* in the arena */

static void
device(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	if (rig->program.outcomes > 1)
		rig->outcome = world_choose(w, rig->program.outcomes, CHOICE_OUTCOME);
	while (rig->done < rig->program.buffers) {
		if (rig->done < rig->available) {
			rig->done++;
			emit(w, EV_NOTE, rig->program.note);
			continue;
		}
		if (rig->program.window)
			actor_point(w);
		rig->asleep = true;
		waitq_wait(w, &rig->kick);
		rig->asleep = false;
	}
}

static void
driver(struct actor *self, void *arg)
{
	struct world *w = actor_world(self);

	for (unsigned i = 0; i < rig->program.extra_points; i++)
		actor_point(w);
	for (unsigned i = 0; i < rig->program.buffers; i++) {
		rig->available++;
		emit(w, EV_NOTE, rig->program.note);
		actor_point(w);
		if (rig->asleep && !(rig->program.outcomes > 1 && rig->outcome != 1 && i == 0))
			waitq_wake_one(w, &rig->kick);
		actor_point(w);
	}
}

static void
idler(struct actor *self, void *arg)
{
	for (int i = 0; i < 6; i++)
		actor_point(actor_world(self));
}

static void
setup(struct world *w, void *arg)
{
	rig = world_alloc(w, sizeof(*rig));
	rig->program = *(const struct program *)arg;
	waitq_init(&rig->kick, w, "kick0");
	actor_create(w, "device", device, NULL, 0);
	actor_create(w, "driver", driver, NULL, 0);
	for (unsigned i = 0; i < rig->program.idlers; i++)
		actor_create(w, "idler", idler, NULL, 0);
}

static struct world *
make(struct program p)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);

	assert_non_null(w);
	assert_int_equal(world_setup(w, setup, &p, &err), 0);
	world_snapshot(w);
	return w;
}

static enum verdict
judge(struct world *w, enum stop stop, struct finding *f, void *context)
{
	if (stop != STOP_QUIESCENT)
		return VERDICT_BUDGET;
	if (rig->done == rig->program.buffers)
		return VERDICT_OK;
	snprintf(f->oracle, sizeof(f->oracle), "INV-KICK");
	snprintf(f->subject, sizeof(f->subject), "vq=0");
	snprintf(f->message, sizeof(f->message), "%u of %u buffers used", rig->done,
		 rig->program.buffers);
	return VERDICT_LOST_KICK;
}

static const struct program losing = { .buffers = 2, .idlers = 2, .window = true };

static struct strategy *
random_strategy(uint64_t seed)
{
	struct error err;
	struct strategy *s = strategy_create(strategy_find("random", &err),
					     &(struct strategy_config){ .seed = seed }, &err);

	assert_non_null(s);
	return s;
}

static void
explore(struct world *w, uint64_t seed, struct explorer_config c, struct explorer_result *r,
	int expect)
{
	c.strategy = random_strategy(seed);
	if (!c.judge)
		c.judge = judge;
	assert_int_equal(explorer_run(w, &c, r), expect);
	strategy_destroy(c.strategy);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
found_in_few_schedules(void **state)
{
	struct explorer_result r;
	struct world *w = make(losing);

	for (uint64_t seed = 0; seed < 20; seed++) {
		explore(w, seed, (struct explorer_config){ .schedules_max = 500 }, &r, 0);
		assert_int_equal(r.end, EXPLORER_FOUND);
		assert_int_equal(r.found->finding.verdict, VERDICT_LOST_KICK);
		assert_string_equal(r.found->finding.subject, "vq=0");
		assert_int_equal(r.failing, 1);
		assert_int_equal(r.count[VERDICT_LOST_KICK], 1);
		assert_int_equal(r.count[VERDICT_OK], r.schedules - 1);
		assert_int_equal(r.found->index, r.schedules - 1);
		explorer_result_free(&r);
	}
	world_destroy(w);
}

static void
holds_without_the_window(void **state)
{
	struct explorer_result r;
	struct world *w = make((struct program){ .buffers = 2, .idlers = 2 });

	explore(w, 1, (struct explorer_config){ .schedules_max = 5000 }, &r, 0);
	assert_int_equal(r.end, EXPLORER_SCHEDULES);
	assert_int_equal(r.schedules, 5000);
	assert_int_equal(r.count[VERDICT_OK], 5000);
	assert_null(r.found);
	world_destroy(w);
}

static struct found *
find(struct world *w, struct explorer_result *r, uint64_t seed)
{
	explore(w, seed, (struct explorer_config){ .schedules_max = 5000 }, r, 0);
	assert_non_null(r->found);
	return r->found;
}

static void
shrink_it(struct world *w, struct found *f, struct shrink_result *sr)
{
	struct shrink_config c = { .judge = judge };
	struct error err = { "" };

	if (shrink(w, &c, &f->schedule, &f->finding, sr, &err))
		fail_msg("%s", err.text);
}

/* Without pick @i the finding must be gone: the definition of minimal, checked from outside. */
static struct pick *only;
static size_t only_count, only_next, only_index;

static uint32_t
choose_only(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	if (only_next < only_count && only[only_next].at == only_index++)
		return only[only_next++].pick < n ? only[only_next - 1].pick : n - 1;
	return 0;
}

static bool
fails_with(struct world *w, const struct schedule *s, size_t without)
{
	struct chooser c = { choose_only };
	struct finding f = { 0 };

	only = malloc((s->count + 1) * sizeof(*only));
	only_count = only_next = only_index = 0;
	for (size_t i = 0; i < s->count; i++)
		if (i != without)
			only[only_count++] = s->picks[i];
	world_restore(w);
	world_set_chooser(w, &c);

	bool fails = judge(w, world_run(w), &f, NULL) == VERDICT_LOST_KICK;

	world_set_chooser(w, NULL);
	free(only);
	return fails;
}

static void
shrunk_to_the_least(void **state)
{
	static const struct program programs[] = {
		{ .buffers = 2, .idlers = 2, .window = true },
		{ .buffers = 1, .window = true },
		{ .buffers = 6, .idlers = 3, .window = true },
		{ .buffers = 2, .idlers = 1, .window = true, .outcomes = 5 },
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		struct world *w = make(programs[i]);
		struct explorer_result r;
		struct shrink_result sr;
		char *text = NULL;

		for (uint64_t seed = 0; seed < 5; seed++) {
			struct found *f = find(w, &r, seed);

			shrink_it(w, f, &sr);
			assert_true(sr.minimal);
			assert_true(sr.proven);
			assert_true(sr.picks_after <= sr.picks_before);
			assert_int_equal(sr.picks_after, f->schedule.count);
			assert_true(fails_with(w, &f->schedule, SIZE_MAX));
			for (size_t k = 0; k < f->schedule.count; k++)
				assert_false(fails_with(w, &f->schedule, k));
			assert_int_equal(replay_run(w, &f->schedule, NULL, NULL, NULL), 0);
			assert_true(world_digest(w) == f->schedule.digest);
			/* The least is the same wherever one began. */
			if (!text)
				text = schedule_print(&f->schedule);
			assert_int_equal(f->schedule.count, sr.picks_after);
			explorer_result_free(&r);
		}
		/* One switch in the window is what it takes. */
		assert_int_equal(sr.picks_after, 1);
		free(text);
		world_destroy(w);
	}
}

static void
shrinking_is_deterministic(void **state)
{
	char *first = NULL;

	for (int i = 0; i < 3; i++) {
		/* Another world at another address, after another history. */
		struct world *other = i == 1 ? make(losing) : NULL, *w = make(losing);
		struct explorer_result r;
		struct shrink_result sr;
		struct found *f = find(w, &r, 7);

		if (i == 2)
			for (int k = 0; k < 50; k++)
				fails_with(w, &f->schedule, 0);
		shrink_it(w, f, &sr);

		char *text = schedule_print(&f->schedule);

		if (first)
			assert_string_equal(text, first);
		else
			first = strdup(text);
		free(text);
		explorer_result_free(&r);
		world_destroy(w);
		world_destroy(other);
	}
	free(first);
}

/* A small budget ends it early, with something that still replays and still fails. */
static void
shrinking_within_a_budget(void **state)
{
	struct world *w = make((struct program){ .buffers = 6, .idlers = 4, .window = true });

	for (uint64_t runs = 1; runs < 60; runs += 7) {
		struct explorer_result r;
		struct shrink_result sr;
		struct found *f = find(w, &r, 3);
		struct shrink_config c = { .judge = judge, .runs_max = runs };
		struct error err;

		assert_int_equal(shrink(w, &c, &f->schedule, &f->finding, &sr, &err), 0);
		assert_true(sr.runs <= runs + 1);
		assert_true(fails_with(w, &f->schedule, SIZE_MAX));
		explorer_result_free(&r);
	}
	world_destroy(w);
}

static void
shrink_refuses_what_does_not_fail(void **state)
{
	struct world *w = make(losing);
	struct schedule s = { 0 };
	struct finding f = { .verdict = VERDICT_HANG, .oracle = "X" };
	struct shrink_config c = { .judge = judge };
	struct shrink_result sr;
	struct error err;

	world_restore(w);
	world_run(w);
	assert_int_equal(schedule_take(&s, w, &err), 0);
	assert_int_equal(shrink(w, &c, &s, &f, &sr, &err), -1);
	assert_non_null(strstr(err.text, "ends with ok"));
	s.digest++;
	assert_int_equal(shrink(w, &c, &s, &f, &sr, &err), -1);
	assert_non_null(strstr(err.text, "does not replay"));
	schedule_free(&s);
	world_destroy(w);
}

static void
replays_in_another_world(void **state)
{
	struct world *a = make(losing);
	struct explorer_result r;
	struct found *f = find(a, &r, 5);
	struct trail trail = { 0 };
	struct divergence div;
	enum stop stop;

	assert_int_equal(replay_learn(a, &f->schedule, &trail, NULL, &stop, &div), 0);
	assert_int_equal(trail.stride, 1);
	assert_int_equal(trail.count, f->schedule.choices);
	for (size_t i = 0; i < f->schedule.count; i++)
		assert_in_range(f->schedule.picks[i].kind, 0, CHOICE_KINDS - 1);
	world_destroy(a);

	struct world *b = make(losing);

	assert_int_equal(replay_run(b, &f->schedule, &trail, &stop, &div), 0);
	assert_int_equal(stop, STOP_QUIESCENT);
	assert_true(world_digest(b) == f->schedule.digest);
	assert_int_equal(judge(b, stop, &(struct finding){ 0 }, NULL), VERDICT_LOST_KICK);
	trail_free(&trail);
	explorer_result_free(&r);
	world_destroy(b);
}

/* The same schedule against changed programs. */
static void
divergence_is_named(void **state)
{
	struct world *w = make(losing);
	struct explorer_result r;
	struct found *f = find(w, &r, 5);
	struct shrink_result sr;
	struct trail trail = { 0 };
	struct divergence div;
	struct program changed = losing;
	enum stop stop;

	shrink_it(w, f, &sr);
	assert_int_equal(replay_learn(w, &f->schedule, &trail, NULL, &stop, &div), 0);
	assert_int_equal(f->schedule.count, 1);
	world_destroy(w);

	/* One actor more: another n at the first choice; without a trail at the first pick. */
	changed.idlers++;
	w = make(changed);
	assert_int_equal(replay_run(w, &f->schedule, &trail, &stop, &div), -1);
	assert_int_equal(stop, STOP_ASKED);
	assert_int_equal(div.choice, 0);
	assert_int_equal(replay_run(w, &f->schedule, NULL, &stop, &div), -1);
	assert_int_equal(div.choice, f->schedule.picks[0].at);
	assert_true(div.step > 0);

	char expect[100];

	snprintf(expect, sizeof(expect), "asked one of %u (actor), recorded one of %u (actor)",
		 f->schedule.picks[0].n + 1, f->schedule.picks[0].n);
	assert_non_null(strstr(div.text, expect));
	assert_non_null(strstr(div.text, "in actor device"));
	assert_non_null(strstr(div.text, "idler"));
	world_destroy(w);

	/* An event that differs, and no choice: the trail sees it, or the digest at the end. */
	changed = losing;
	changed.note = 1;
	w = make(changed);
	assert_int_equal(replay_run(w, &f->schedule, &trail, &stop, &div), -1);
	assert_true(div.choice < f->schedule.choices);
	assert_int_equal(replay_run(w, &f->schedule, NULL, &stop, &div), -1);
	assert_int_equal(div.choice, f->schedule.choices);
	assert_non_null(strstr(div.text, "the run ended with digest"));
	world_destroy(w);

	/* More choices than recorded, and fewer. */
	changed = losing;
	changed.extra_points = 3;
	w = make(changed);
	assert_int_equal(replay_run(w, &f->schedule, NULL, &stop, &div), -1);
	assert_int_equal(div.choice, f->schedule.choices);
	assert_non_null(strstr(div.text, "the recorded run had no more choices"));
	world_destroy(w);

	w = make(losing);
	f->schedule.choices += 5;
	assert_int_equal(replay_run(w, &f->schedule, NULL, &stop, &div), -1);
	assert_non_null(strstr(div.text, "the run ended, the recorded one had"));
	trail_free(&trail);
	explorer_result_free(&r);
	world_destroy(w);
}

/* What README.md tells: found, shrunk, saved, loaded elsewhere, replayed while recorded, shown. */
static void
a_failure_from_end_to_end(void **state)
{
	char path[] = "/tmp/test_explore."
		      "XX"
		      "XX"
		      "XX",
	     *page = NULL;
	struct world *w = make(losing);
	struct failure saved, loaded;
	struct explorer_result r;
	struct shrink_result sr;
	struct event_log log = { 0 };
	struct error err;
	size_t size;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	failure_init(&saved);
	shrink_it(w, find(w, &r, 11), &sr);
	schedule_copy(&saved.schedule, &r.found->schedule);
	saved.finding = r.found->finding;
	assert_int_equal(replay_learn(w, &saved.schedule, &saved.trail, NULL, &saved.stop, NULL),
			 0);
	assert_int_equal(failure_save(&saved, path, &err), 0);
	failure_free(&saved);
	explorer_result_free(&r);
	world_destroy(w);

	w = make(losing);
	assert_int_equal(failure_load(&loaded, path, &err), 0);
	unlink(path);
	world_set_sink(w, event_log_sink, &log);
	assert_int_equal(replay_run(w, &loaded.schedule, &loaded.trail, NULL, NULL), 0);
	world_set_sink(w, NULL, NULL);
	assert_true(world_digest(w) == loaded.schedule.digest);

	FILE *out = open_memstream(&page, &size);
	struct event_names names = event_names_of_world(w);
	struct lanes l;

	lanes_build(&l, &log, &names, &(struct lanes_options){ .finding = &loaded.finding });
	lanes_print(&l, out);
	lanes_free(&l);
	fclose(out);
	assert_non_null(strstr(page, "device"));
	assert_non_null(strstr(page, "waits for kick0"));
	assert_non_null(strstr(page, "lost-kick (vq=0): "));
	assert_non_null(strstr(page, "device waits for kick0"));
	assert_non_null(strstr(page, "driver ended"));
	free(page);
	event_log_free(&log);
	failure_free(&loaded);
	world_destroy(w);
}

/* --- the strategy --------------------------------------------------------------------------- */

static uint64_t digest_of[200];
static uint64_t digest_index;

static enum verdict
judge_note(struct world *w, enum stop stop, struct finding *f, void *context)
{
	uint64_t *step = context;

	digest_of[digest_index] = world_digest(w);
	digest_index += *step;
	return VERDICT_OK;
}

static void
shards_partition(void **state)
{
	struct world *w = make(losing);
	struct explorer_result r;
	uint64_t whole[200], step = 1, ran = 0;

	digest_index = 0;
	explore(w, 9,
		(struct explorer_config){
			.judge = judge_note, .judge_context = &step, .schedules_max = 200 },
		&r, 0);
	assert_int_equal(digest_index, 200);
	memcpy(whole, digest_of, sizeof(whole));
	memset(digest_of, 0, sizeof(digest_of));
	step = 3;
	for (uint32_t shard = 0; shard < 3; shard++) {
		digest_index = shard;
		explore(w, 9,
			(struct explorer_config){ .judge = judge_note,
						  .judge_context = &step,
						  .schedules_max = 200,
						  .shard = shard,
						  .shards = 3 },
			&r, 0);
		ran += r.schedules;
	}
	assert_int_equal(ran, 200);
	assert_memory_equal(whole, digest_of, sizeof(whole));

	/* A range that begins in the middle does the same schedules. */
	digest_index = 101;
	step = 1;
	memset(digest_of, 0, sizeof(digest_of));
	explore(w, 9,
		(struct explorer_config){ .judge = judge_note,
					  .judge_context = &step,
					  .first = 101,
					  .schedules_max = 200 },
		&r, 0);
	assert_memory_equal(whole + 101, digest_of + 101, 99 * sizeof(*whole));

	/* Schedule 0 is the plain run; seeds differ. */
	world_restore(w);
	world_run(w);
	assert_true(world_digest(w) == whole[0]);
	digest_index = 0;
	explore(w, 10,
		(struct explorer_config){
			.judge = judge_note, .judge_context = &step, .schedules_max = 200 },
		&r, 0);
	assert_true(memcmp(whole, digest_of, sizeof(whole)) != 0);

	explore(w, 9, (struct explorer_config){ .schedules_max = 1, .shard = 3, .shards = 3 }, &r,
		-1);
	assert_int_equal(r.end, EXPLORER_ERROR);
	assert_non_null(strstr(r.error.text, "shards count from 0"));
	world_destroy(w);
}

static void
unknown_strategy(void **state)
{
	struct error err;

	assert_null(strategy_find("oracle-of-delphi", &err));
	assert_non_null(strstr(err.text, "random"));
}

/* --- budgets and going on ------------------------------------------------------------------- */

static int64_t
fake_clock(void *context)
{
	return *(int64_t *)context += 400000; /* each look takes 0.4 ms */
}

static unsigned progress_calls;

static void
progress(const struct explorer_progress *p, void *context)
{
	progress_calls++;
	assert_true(p->schedules > 0 && p->per_second > 0 && p->left_ns >= 0);
}

static void
time_budget(void **state)
{
	struct world *w = make((struct program){ .buffers = 1 });
	struct explorer_result r;
	int64_t now = 5;
	struct explorer_config c = { .time_max_ns = 40000000,
				     .clock = fake_clock,
				     .clock_context = &now,
				     .progress = progress,
				     .progress_ns = 1000000 };

	progress_calls = 0;
	explore(w, 0, c, &r, 0);
	assert_int_equal(r.end, EXPLORER_TIME);
	assert_true(r.elapsed_ns >= 40000000);
	assert_in_range(progress_calls, 10, 40);
	assert_int_equal(r.schedules, r.count[VERDICT_OK]);
	world_destroy(w);
}

static volatile sig_atomic_t interrupted;

static enum verdict
judge_interrupts(struct world *w, enum stop stop, struct finding *f, void *context)
{
	interrupted = ++*(int *)context == 17;
	return VERDICT_OK;
}

static void
interrupt_ends_after_the_schedule(void **state)
{
	struct world *w = make(losing);
	struct explorer_result r;
	int calls = 0;

	explore(w, 0,
		(struct explorer_config){ .judge = judge_interrupts,
					  .judge_context = &calls,
					  .interrupted = &interrupted,
					  .schedules_max = 100 },
		&r, 0);
	assert_int_equal(r.end, EXPLORER_INTERRUPTED);
	assert_int_equal(r.schedules, 17);
	world_destroy(w);
}

static void
collects_distinct_failures(void **state)
{
	struct world *w =
		make((struct program){ .buffers = 2, .idlers = 1, .window = true, .outcomes = 3 });
	struct explorer_result r;
	uint64_t times = 0, count = 0;

	explore(w, 0, (struct explorer_config){ .schedules_max = 3000, .keep_going = true }, &r, 0);
	assert_int_equal(r.end, EXPLORER_SCHEDULES);
	assert_int_equal(r.schedules, 3000);
	assert_true(r.failing > 100);
	assert_int_equal(r.failing, r.count[VERDICT_LOST_KICK]);
	for (struct found *f = r.found; f; f = f->next) {
		times += f->times;
		count++;
		assert_int_equal(replay_run(w, &f->schedule, NULL, NULL, NULL), 0);
		for (struct found *g = f->next; g; g = g->next)
			assert_true(g->signature != f->signature);
	}
	assert_true(count >= 1);
	assert_int_equal(times, r.failing);
	explorer_result_free(&r);

	explore(w, 0,
		(struct explorer_config){
			.schedules_max = 3000, .keep_going = true, .found_max = 1 },
		&r, 0);
	assert_int_equal(r.end, EXPLORER_FOUND);
	explorer_result_free(&r);
	explore(w, 0, (struct explorer_config){ .keep_going = true }, &r, -1);
	assert_non_null(strstr(r.error.text, "never ends"));
	world_destroy(w);
}

/* --- nondeterminism and errors -------------------------------------------------------------- */

static int64_t leaked; /* state that restoring does not put back */

static void
leaky(struct actor *self, void *arg)
{
	emit(actor_world(self), EV_NOTE, leaked++ > 4 ? leaked : 0);
}

static void
leaky_setup(struct world *w, void *arg)
{
	actor_create(w, "leaky", leaky, NULL, 0);
	actor_create(w, "other", idler, NULL, 0);
}

static enum verdict
judge_leaked(struct world *w, enum stop stop, struct finding *f, void *context)
{
	int64_t *limit = context;

	return leaked > *limit ? VERDICT_HANG : VERDICT_OK;
}

static enum verdict
judge_moody(struct world *w, enum stop stop, struct finding *f, void *context)
{
	int *calls = context;

	return ++*calls == 4 ? VERDICT_HANG : VERDICT_OK;
}

static void
nondeterminism_is_caught(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	struct explorer_result r;
	int64_t limit = 7;
	int calls = 0;

	assert_int_equal(world_setup(w, leaky_setup, NULL, &err), 0);
	world_snapshot(w);
	leaked = 0;
	explore(w, 0,
		(struct explorer_config){
			.judge = judge_leaked, .judge_context = &limit, .schedules_max = 100 },
		&r, -1);
	assert_int_equal(r.end, EXPLORER_NONDETERMINISTIC);
	assert_non_null(strstr(r.error.text, "not the same when run again"));
	assert_null(r.found);
	world_destroy(w);

	w = make(losing);
	explore(w, 0,
		(struct explorer_config){
			.judge = judge_moody, .judge_context = &calls, .schedules_max = 100 },
		&r, -1);
	assert_int_equal(r.end, EXPLORER_NONDETERMINISTIC);
	assert_non_null(strstr(r.error.text, "was judged hang"));
	world_destroy(w);
}

static void
bad_script(struct actor *self, void *arg)
{
	actor_point(actor_world(self));
	world_fail(actor_world(self), "a.lua:3: no such queue");
}

static void
bad_setup(struct world *w, void *arg)
{
	actor_create(w, "bad", bad_script, NULL, 0);
}

static void
errors_end_it(void **state)
{
	struct error err;
	struct world *w = world_create(&(struct world_config){ 0 }, &err);
	struct explorer_result r;

	assert_int_equal(world_setup(w, bad_setup, NULL, &err), 0);
	world_snapshot(w);
	explore(w, 0, (struct explorer_config){ .schedules_max = 100 }, &r, -1);
	assert_int_equal(r.end, EXPLORER_ERROR);
	assert_string_equal(r.error.text, "schedule 0: a.lua:3: no such queue");
	world_destroy(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_in_few_schedules),
		cmocka_unit_test(holds_without_the_window),
		cmocka_unit_test(shrunk_to_the_least),
		cmocka_unit_test(shrinking_is_deterministic),
		cmocka_unit_test(shrinking_within_a_budget),
		cmocka_unit_test(shrink_refuses_what_does_not_fail),
		cmocka_unit_test(replays_in_another_world),
		cmocka_unit_test(divergence_is_named),
		cmocka_unit_test(a_failure_from_end_to_end),
		cmocka_unit_test(shards_partition),
		cmocka_unit_test(unknown_strategy),
		cmocka_unit_test(time_budget),
		cmocka_unit_test(interrupt_ends_after_the_schedule),
		cmocka_unit_test(collects_distinct_failures),
		cmocka_unit_test(nondeterminism_is_caught),
		cmocka_unit_test(errors_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
