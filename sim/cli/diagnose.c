/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringside diagnose: what one would do with the wished-for debug interface on a hung machine, on a
 * run that hangs.  Counters first, for acting changes them; then call and kick on purpose, each
 * queue, each level, each on a fresh replay of the hang, so that no attempt sees what another one
 * left.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/command.h"
#include "cli/diagnosis.h"
#include "cli/look.h"
#include "cli/progress.h"
#include "cli/runner.h"
#include "explore/replay.h"
#include "explore/shrink.h"
#include "script/lua_world.h"

struct diagnose {
	const struct options *o;
	struct session *s;
	struct schedule schedule; /* of the hang */
	struct finding finding;
	struct machine *m;
	unsigned blocked;
	struct error *err;
};

/* --- finding a hang ------------------------------------------------------------------------- */

static bool
is_hang(enum verdict v)
{
	return v == VERDICT_HANG || v == VERDICT_LOST_KICK || v == VERDICT_LOST_INTERRUPT ||
	       v == VERDICT_LIVELOCK;
}

/* 0, or an exit status. */
static int
find_hang(struct diagnose *d)
{
	const struct options *o = d->o;
	const struct strategy_ops *ops = strategy_find(o->strategy, d->err);
	struct strategy_config how = session_strategy(o);
	struct strategy *strategy = ops ? strategy_create(ops, &how, d->err) : NULL;
	struct explorer_config config = {
		.strategy = strategy,
		.judge = session_judge,
		.judge_context = d->s,
		.schedules_max = o->runs      ? o->runs
				 : o->time_ns ? 0
					      : d->s->variant->runs,
		.time_max_ns = o->time_ns,
		.clock = runner_clock,
		.interrupted = &runner_interrupted,
	};
	struct shrink_config shrinking = { .judge = session_judge, .judge_context = d->s };
	struct shrink_result sr;
	struct explorer_result r;
	int status = EXIT_HELD;

	if (!strategy)
		return EXIT_USAGE;
	if (explorer_run(d->s->w, &config, &r)) {
		status = EXIT_USAGE;
		if (world_error(d->s->w)->text[0])
			script_world_error(d->s->w, d->err);
		else
			error_set(d->err, "%s", r.error.text);
	} else if (r.found) {
		schedule_copy(&d->schedule, &r.found->schedule);
		d->finding = r.found->finding;
		if (shrink(d->s->w, &shrinking, &d->schedule, &d->finding, &sr, d->err))
			status = EXIT_USAGE;
	} else {
		printf("verdict: ok\nnothing hangs in %" PRIu64 " schedules\n", r.schedules);
		status = r.end == EXPLORER_INTERRUPTED ? EXIT_BUDGET : -1;
	}
	explorer_result_free(&r);
	strategy_destroy(strategy);
	if (status == EXIT_HELD && d->s->error.text[0]) {
		*d->err = d->s->error;
		status = EXIT_USAGE;
	}
	return status;
}

/* --- looking -------------------------------------------------------------------------------- */

static void
look_at_queue(const struct machine_device *dev, unsigned queue, struct queue_findings *q)
{
	const struct machine *m = dev->machine;
	struct notifier_info i;
	uint32_t pos = 0;

	q->device = dev->config.name;
	while (notifier_next(m->notifiers, dev->config.name, &pos, &i)) {
		if (i.queue != (int32_t)queue)
			continue;
		if (i.role == EVENTFD_GUEST) {
			q->guest = i;
			q->has_guest = true;
		} else if (i.role == EVENTFD_HOST) {
			q->host = i;
			q->has_host = true;
		}
	}
}

/* --- acting --------------------------------------------------------------------------------- */

struct act {
	struct machine_device *dev;
	unsigned queue;
	enum attempt_kind kind;
	enum debug_level level;
	int ret;
};

static void
act(struct machine *m, void *arg)
{
	struct act *a = arg;

	a->ret = a->kind == ATTEMPT_CALL ? debug_call(a->dev, a->queue, a->level)
					 : debug_kick(a->dev, a->queue, a->level);
}

static bool
level_exists(enum attempt_kind kind, enum debug_level level)
{
	return level != (kind == ATTEMPT_CALL ? DEBUG_DOORBELL : DEBUG_MSI);
}

/* Back to the hang. */
static int
hang_again(struct diagnose *d)
{
	struct divergence div;

	return replay_run(d->s->w, &d->schedule, NULL, NULL, &div)
		       ? error_set(d->err, "diverged: %s", div.text)
		       : 0;
}

static int
attempt(struct diagnose *d, struct act *a, struct attempt *result)
{
	static const char *const word[] = { "call", "kick" };
	unsigned left;

	if (hang_again(d))
		return -1;
	debug_run(d->m, act, a);
	world_run(d->s->w);
	left = look_blocked(d->s->w, NULL);
	result->done = !a->ret;
	result->recovered = !a->ret && left < d->blocked;
	printf("try: %s %s.vq%u at the %s: ", word[a->kind], a->dev->config.name, a->queue,
	       debug_level_name[a->level]);
	if (a->ret)
		printf("not possible (%s)\n", strerrorname_np(-a->ret));
	else if (result->recovered)
		printf("%u of %u go on\n", d->blocked - left, d->blocked);
	else
		printf("no change\n");
	return 0;
}

static int
try_queue(struct diagnose *d, struct machine_device *dev, unsigned queue, struct queue_findings *q)
{
	for (unsigned kind = 0; kind < ATTEMPT_KINDS; kind++) {
		for (unsigned level = 0; level < DEBUG_LEVELS; level++) {
			struct act a = { dev, queue, (enum attempt_kind)kind,
					 (enum debug_level)level, 0 };

			if (level_exists(a.kind, a.level) &&
			    attempt(d, &a, &q->attempt[kind][level]))
				return -1;
		}
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int
conclude(const struct queue_findings *q, unsigned count)
{
	char what[400], evidence[600];
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!diagnosis_make(&q[i], what, sizeof(what), evidence, sizeof(evidence)))
			continue;
		printf("lost: %s.vq%u: %s\nevidence: %s\n", q[i].device, q[i].status.queue_index,
		       what, evidence);
		found++;
	}
	if (!found)
		printf("lost: no notification: neither call nor kick at any level helps; look at "
		       "the state of "
		       "rings and devices above\n");
	return EXIT_BROKEN;
}

static int
diagnose_machine(struct diagnose *d)
{
	struct queue_findings *q = NULL;
	unsigned count = 0, i = 0;
	int status = EXIT_USAGE;

	look_notifiers(d->m, stdout);
	for (struct machine_device *dev = d->m->devices; dev; dev = dev->next)
		count += dev->vdev.queue_count;
	must(q = calloc(count + 1, sizeof(*q)));
	for (struct machine_device *dev = d->m->devices; dev; dev = dev->next) {
		for (unsigned k = 0; k < dev->vdev.queue_count; k++, i++) {
			if (!debug_queue_status(dev, k, &q[i].status))
				continue;
			look_at_queue(dev, k, &q[i]);
			if (q[i].status.enabled)
				look_queue(&q[i].status, stdout);
		}
	}
	i = 0;
	for (struct machine_device *dev = d->m->devices; dev; dev = dev->next)
		for (unsigned k = 0; k < dev->vdev.queue_count; k++, i++)
			if (q[i].status.enabled && try_queue(d, dev, k, &q[i]))
				goto out;
	status = conclude(q, count);
out:
	free(q);
	return status;
}

static int
diagnose(struct diagnose *d)
{
	char *line;

	if (!is_hang(d->finding.verdict)) {
		error_set(d->err, "the failure is a %s: there is nothing to kick or call",
			  verdict_name[d->finding.verdict]);
		return EXIT_SKIPPED;
	}
	if (hang_again(d))
		return EXIT_DIVERGED;
	line = schedule_print(&d->schedule);
	printf("scenario: %s:%s\nverdict: %s\nmessage: %s\nschedule: %s\n", d->s->scenario.path,
	       d->s->variant->name, verdict_name[d->finding.verdict], d->finding.message, line);
	free(line);
	d->blocked = look_blocked(d->s->w, stdout);
	d->m = machine_of(d->s->w);
	if (!d->m) {
		error_set(d->err, "the scenario has no machine whose notifiers could be written");
		return EXIT_SKIPPED;
	}
	return diagnose_machine(d);
}

int
command_diagnose(const struct options *o, struct error *err)
{
	struct session s;
	struct diagnose d = { .o = o, .s = &s, .err = err };
	struct failure f;
	int status = EXIT_HELD;

	if (session_open_either(&s, &f, o->args[0], o, err))
		return EXIT_USAGE;
	if (f.scenario) {
		schedule_copy(&d.schedule, &f.schedule);
		d.finding = f.finding;
	} else {
		status = find_hang(&d);
	}
	if (status == EXIT_HELD)
		status = diagnose(&d);
	else if (status < 0) /* nothing hangs */
		status = EXIT_HELD;
	session_close(&s);
	schedule_free(&d.schedule);
	failure_free(&f);
	return status;
}
