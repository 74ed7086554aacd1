/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `audit barriers`: which barriers of the linked code a scenario needs.
 *
 * A variant that holds is run to see where the code has barriers: fences, and the orders of its
 * atomics.  Then each is left out in turn (memory_ignore_barrier()) and the world is explored
 * again, by chance first, then all its states: what fails now needed it, and the shortest schedule
 * that shows it is printed.  What still holds is *not shown to be needed*, within the bounds that
 * are printed beside it: another scenario, more buffers or another memory model may need it.
 *
 * The reverse: a full barrier is put before each access.  Where the number of executions that
 * differ (dpor, complete) stays what it was, the barrier changes nothing that could be reached.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/runner.h"
#include "datapath/registry.h"
#include "explore/shrink.h"
#include "memory/access.h"
#include "memory/model.h"
#include "memory/site.h"

#define SITES_MAX 512u
#define LEARNING_RUNS 64u /* random schedules that show where barriers and accesses are */
#define RANDOM_RUNS UINT64_C(4000)
#define EXECUTIONS_MAX UINT64_C(20000)
#define TIME_DEFAULT_NS INT64_C(30000000000) /* of one exhaustive search */

/* What a place has: a fence, which says its kind itself, or what an atomic says; or nothing. */
enum { KIND_FENCE, KIND_ACQUIRE, KIND_RELEASE, KIND_SEQ_CST, KIND_ACCESS };

struct place {
	int64_t site;
	int64_t kind_name; /* world_name() number of a fence's kind, else 0 */
	int how; /* KIND_… of an atomic's order, KIND_ACCESS of a place without a barrier */
};

struct audit {
	const struct options *o;
	struct session s;
	struct place place[SITES_MAX];
	unsigned places;
	uint64_t executions; /* of the code as it is; 0: not known */
	unsigned needed, not_shown, undecided, without_effect, with_effect;
};

/* What an exploration showed. */
struct shown {
	enum verdict verdict;
	bool complete;
	char statement[256];
	uint64_t schedules;
	struct finding finding;
	struct schedule schedule; /* shrunk */
	unsigned picks;
};

/* --- where the barriers are ------------------------------------------------------------------ */

static void
add_place(struct audit *a, int64_t site, int64_t kind_name, int how)
{
	for (unsigned i = 0; i < a->places; i++)
		if (a->place[i].site == site &&
		    (a->place[i].how == KIND_ACCESS) == (how == KIND_ACCESS))
			return;
	if (a->places < SITES_MAX && site)
		a->place[a->places++] = (struct place){ site, kind_name, how };
}

static int
order_of(int64_t how)
{
	if (how & ACCESS_SEQ_CST)
		return KIND_SEQ_CST;
	if (how & ACCESS_ACQUIRE)
		return KIND_ACQUIRE;
	return how & ACCESS_RELEASE ? KIND_RELEASE : KIND_ACCESS;
}

static void
learn_sink(void *context, const struct event *e, size_t count)
{
	struct audit *a = context;

	for (size_t i = 0; i < count; i++) {
		if (e[i].kind == EV_FENCE)
			add_place(a, e[i].arg[1], e[i].arg[0], KIND_FENCE);
		if (e[i].kind != EV_LOAD && e[i].kind != EV_STORE)
			continue;
		if (order_of(e[i].arg[4]) != KIND_ACCESS)
			add_place(a, e[i].arg[3], 0, order_of(e[i].arg[4]));
		add_place(a, e[i].arg[3], 0, KIND_ACCESS);
	}
}

static void
place_text(int64_t site, char *text, size_t size)
{
	struct site_frame frame[2];
	unsigned n = site_frames_of_code(site, frame, 2);
	size_t length = site_frame_text(&frame[0], text, size);

	/* Inlined: the caller tells one use of it from another. */
	if (n > 1 && size > length + 4) {
		memcpy(text + length, " < ", 4);
		site_frame_text(&frame[1], text + length + 3, size - length - 3);
	}
}

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	char p[200], q[200];

	place_text(x->site, p, sizeof(p));
	place_text(y->site, q, sizeof(q));

	int order = strverscmp(p, q);

	if (order)
		return order;
	return x->site < y->site ? -1 : x->site > y->site;
}

/* --- exploring ------------------------------------------------------------------------------ */

/* From the set-up's snapshot, with one barrier left out and one put in; 0: none. */
static void
edit(struct audit *a, int64_t ignored, int64_t added)
{
	world_restore(a->s.w);
	memory_ignore_barrier(a->s.w, ignored);
	memory_add_barrier(a->s.w, added, FENCE_MB);
	world_snapshot(a->s.w);
}

static int
take_failure(struct audit *a, struct found *f, struct shown *shown, struct error *err)
{
	struct shrink_config how = { .judge = session_judge,
				     .judge_context = &a->s,
				     .interrupted = &runner_interrupted };
	struct shrink_result r;

	shown->verdict = f->finding.verdict;
	shown->finding = f->finding;
	schedule_copy(&shown->schedule, &f->schedule);
	if (shrink(a->s.w, &how, &shown->schedule, &f->finding, &r, err))
		return -1;
	shown->picks = (unsigned)r.picks_after;
	return 0;
}

static int
explore(struct audit *a, const struct strategy_ops *ops, uint64_t schedules, struct shown *shown,
	struct error *err)
{
	struct strategy_config config = session_strategy(a->o);
	struct explorer_config how = { .judge = session_judge,
				       .judge_context = &a->s,
				       .schedules_max = schedules,
				       .clock = runner_clock,
				       .time_max_ns =
					       a->o->time_ns ? a->o->time_ns : TIME_DEFAULT_NS,
				       .interrupted = &runner_interrupted };
	struct explorer_result r;
	int ret;

	how.strategy = strategy_create(ops, &config, err);
	if (!how.strategy)
		return -1;
	ret = explorer_run(a->s.w, &how, &r);
	if (ret)
		*err = r.error;
	shown->schedules = r.schedules;
	shown->complete = r.end == EXPLORER_COMPLETE;
	snprintf(shown->statement, sizeof(shown->statement), "%s", r.statement);
	shown->verdict = VERDICT_OK;
	if (!ret && r.found)
		ret = take_failure(a, r.found, shown, err);
	explorer_result_free(&r);
	strategy_destroy(how.strategy);
	if (!ret && a->s.error.text[0]) {
		*err = a->s.error;
		ret = -1;
	}
	return ret;
}

/* By chance, then exhaustively as far as that goes. */
static int
search(struct audit *a, struct shown *shown, struct error *err)
{
	uint64_t runs = a->o->runs ? a->o->runs : RANDOM_RUNS;
	uint64_t random;

	if (explore(a, &strategy_random, runs, shown, err))
		return -1;
	if (shown->verdict != VERDICT_OK || runner_interrupted)
		return 0;
	random = shown->schedules;
	if (explore(a, &strategy_states, 0, shown, err))
		return -1;
	if (!shown->complete)
		snprintf(shown->statement, sizeof(shown->statement),
			 "%" PRIu64 " random schedules, and not all states", random);
	return 0;
}

/* --- the two tables ------------------------------------------------------------------------- */

static const char *
kind_of(const struct audit *a, const struct place *p)
{
	static const char *const order[] = {
		[KIND_ACQUIRE] = "acquire", [KIND_RELEASE] = "release", [KIND_SEQ_CST] = "seq_cst"
	};

	return p->kind_name ? world_name_text(a->s.w, p->kind_name) : order[p->how];
}

static void
print_barrier(const struct audit *a, const struct place *p, const struct shown *shown)
{
	char place[200], how[400];

	place_text(p->site, place, sizeof(place));
	if (shown->verdict != VERDICT_OK) {
		char *line = schedule_print(&shown->schedule);

		snprintf(how, sizeof(how), "needed: %s\t%u picks\t%s", verdict_name[shown->verdict],
			 shown->picks, line);
		free(line);
	} else {
		snprintf(how, sizeof(how), "not shown to be needed\t%s\t%s",
			 shown->complete ? "complete" : "budget", shown->statement);
	}
	printf("%s\t%s\t%s\n", place, kind_of(a, p), how);
	fflush(stdout);
}

static int
audit_barriers(struct audit *a, struct error *err)
{
	printf("# place\tkind\tverdict\tpicks or bound\tschedule or number\n");
	for (unsigned i = 0; i < a->places && !runner_interrupted; i++) {
		const struct place *p = &a->place[i];
		struct shown shown = { 0 };

		if (p->how == KIND_ACCESS)
			continue;
		edit(a, p->site, 0);
		if (search(a, &shown, err))
			return -1;
		if (runner_interrupted && shown.verdict == VERDICT_OK) {
			a->undecided++;
			break;
		}
		print_barrier(a, p, &shown);
		if (shown.verdict != VERDICT_OK)
			a->needed++;
		else
			a->not_shown++;
		schedule_free(&shown.schedule);
	}
	return 0;
}

/* More executions: the barrier is ordered with others itself, and numbers cannot be compared. */
static void
place_effect(struct audit *a, const struct shown *shown, const char *place)
{
	const char *what = "not decided";

	if (shown->complete && shown->schedules == a->executions) {
		what = "changes nothing";
		a->without_effect++;
	} else if (shown->complete && shown->schedules < a->executions) {
		what = "takes some away";
		a->with_effect++;
	} else {
		a->undecided++;
	}
	printf("%s\t%s\t%" PRIu64 "\n", place, what, shown->schedules);
	fflush(stdout);
}

static int
audit_places(struct audit *a, struct error *err)
{
	if (!a->executions) {
		printf("# where a full barrier changes nothing: not decided, the code as it is has "
		       "more than %" PRIu64 " executions\n",
		       EXECUTIONS_MAX);
		return 0;
	}
	printf("# place\tfull barrier before it\texecutions (as it is: %" PRIu64 ")\n",
	       a->executions);
	for (unsigned i = 0; i < a->places && !runner_interrupted; i++) {
		const struct place *p = &a->place[i];
		struct shown shown = { 0 };
		char place[200];

		if (p->how != KIND_ACCESS)
			continue;
		edit(a, 0, p->site);
		if (explore(a, &strategy_dpor, EXECUTIONS_MAX, &shown, err))
			return -1;
		place_text(p->site, place, sizeof(place));
		place_effect(a, &shown, place);
	}
	return 0;
}

/* --- the command ---------------------------------------------------------------------------- */

static int
learn(struct audit *a, struct error *err)
{
	struct shown shown = { 0 };

	world_set_sink(a->s.w, learn_sink, a);
	if (explore(a, &strategy_random, LEARNING_RUNS, &shown, err))
		return -1;
	world_flush(a->s.w);
	world_set_sink(a->s.w, NULL, NULL);
	qsort(a->place, a->places, sizeof(a->place[0]), by_place);
	if (shown.verdict == VERDICT_OK && search(a, &shown, err))
		return -1;
	if (shown.verdict != VERDICT_OK) {
		schedule_free(&shown.schedule);
		return error_set(err,
				 "%s:%s fails with all its barriers (%s: %s): an audit needs a "
				 "variant that holds",
				 a->s.scenario.path, a->s.variant->name,
				 verdict_name[shown.verdict], shown.finding.message);
	}
	edit(a, 0, 0);
	if (explore(a, &strategy_dpor, EXECUTIONS_MAX, &shown, err))
		return -1;
	if (shown.complete)
		a->executions = shown.schedules;
	return 0;
}

static int
audit(struct audit *a, struct error *err)
{
	struct world *w = a->s.w;

	if (memory_model_of(w) == MEMORY_SC)
		return error_set(err, "under sc no barrier orders anything that is not ordered: "
				      "give --memory tso or weak");
	if (learn(a, err))
		return -1;
	printf("# barriers of %s:%s under %s, datapath %s\n", a->s.scenario.path,
	       a->s.variant->name, memory_model_name[memory_model_of(w)], datapath_text(w));
	if (audit_barriers(a, err) || audit_places(a, err))
		return -1;
	printf("%u needed, %u not shown to be needed; a full barrier more changes nothing at %u "
	       "places, takes executions away at %u; %u not decided\n",
	       a->needed, a->not_shown, a->without_effect, a->with_effect, a->undecided);
	return 0;
}

int
command_audit(const struct options *o, struct error *err)
{
	struct audit *a;
	int ret;

	if (strcmp(o->args[0], "barriers"))
		return error_set(err, "audit what? There is: audit barriers"), EXIT_USAGE;
	must(a = calloc(1, sizeof(*a)));
	a->o = o;
	runner_catch_signals(true);
	if (session_open(&a->s, o->args[1], o, err)) {
		free(a);
		return EXIT_USAGE;
	}
	ret = audit(a, err);
	session_close(&a->s);
	free(a);
	if (ret)
		return EXIT_USAGE;
	return runner_interrupted ? EXIT_BUDGET : EXIT_HELD;
}
