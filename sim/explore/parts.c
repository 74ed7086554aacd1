/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exhaustive strategy that partitions, in processes: each explores one shard after another to
 * its end, and together they have explored everything.  As shards are not alike in size there are
 * SHARDS_EACH of them for each process.
 *
 * What a single process finds first depends on its order, and no shard has that order.  So the
 * shards are asked one question, whether anything fails at all: if nothing does, their counts add
 * up to those of a single process; as soon as one has met a failure (or anything else that is not
 * a schedule that holds), all of them are dropped and this process explores by itself.  It pays
 * where there is something to prove, which is what takes long.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "explore/explorer_impl.h"

#define POLL_MS 20
#define SHARDS_EACH 4u

/* What a process has done of its shards; shared with it. */
struct part {
	_Alignas(64) _Atomic uint64_t schedules; /* so far */
	uint64_t schedules_before; /* of shards that are done */
	volatile sig_atomic_t stop;
	bool ended; /* the process has, as it should */
	bool bounded, interrupted, broken; /* how its shards ended */
	uint64_t all, steps;
	uint64_t count[VERDICT_COUNT];
	struct strategy_tally tally;
};

struct parts {
	struct exploration *x;
	struct part *part;
	_Atomic uint32_t *next; /* shard */
	uint32_t shards;
	pid_t *pid;
	int *fd; /* closed by the process when it ends */
	unsigned count;
};

static void
on_progress(const struct explorer_progress *p, void *context)
{
	struct part *part = context;

	atomic_store_explicit(&part->schedules, part->schedules_before + p->schedules,
			      memory_order_relaxed);
}

/* False if it did not hold, or was not explored to its end. */
static bool
work_shard(struct parts *s, struct part *part, uint32_t shard)
{
	const struct explorer_config *c = s->x->c;
	struct strategy_config how = *c->strategy_config;
	struct explorer_config config = {
		.judge = c->judge,
		.judge_context = c->judge_context,
		.clock = c->clock,
		.clock_context = c->clock_context,
		.shard = shard,
		.shards = s->shards,
		.interrupted = &part->stop,
		.progress = on_progress,
		.context = part,
	};
	struct explorer_result r;
	struct error err;

	how.shard = shard;
	how.shards = s->shards;
	must(config.strategy = strategy_create(c->strategy->ops, &how, &err));
	explorer_run(s->x->w, &config, &r);
	part->bounded |= r.end == EXPLORER_BOUNDED;
	part->interrupted |= r.end == EXPLORER_INTERRUPTED;
	/* Signals are not for us: it is the judge that set `interrupted`. */
	part->broken |= r.failing || (c->interrupted && *c->interrupted) ||
			(r.end != EXPLORER_COMPLETE && r.end != EXPLORER_BOUNDED &&
			 r.end != EXPLORER_INTERRUPTED);
	part->all += r.schedules;
	part->schedules_before = part->all;
	part->steps += r.steps;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		part->count[v] += r.count[v];
	strategy_tally_add(&part->tally, &config.strategy->tally);
	strategy_destroy(config.strategy);
	explorer_result_free(&r);
	return !part->broken && !part->interrupted;
}

static _Noreturn void
work(struct parts *s, unsigned number, int go)
{
	const struct explorer_config *c = s->x->c;
	struct part *part = &s->part[number];
	uint32_t shard;
	char byte;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (c->forked)
		c->forked(c->context);
	if (read(go, &byte, 1) != 1)
		_exit(0);
	while ((shard = atomic_fetch_add(s->next, 1)) < s->shards)
		if (!work_shard(s, part, shard))
			break;
	part->ended = true;
	_exit(0);
}

static int
start_one(struct parts *s, const int go[2])
{
	struct error *err = &s->x->r->error;
	unsigned number = 0;
	int fd[2];

	while (s->pid[number])
		number++;
	if (pipe(fd))
		return error_set(err, "pipe: %s", strerror(errno));
	s->pid[number] = fork();
	if (!s->pid[number]) {
		close(go[1]);
		close(fd[0]);
		work(s, number, go[0]);
	}
	close(fd[1]);
	s->fd[number] = fd[0];
	return s->pid[number] < 0 ? error_set(err, "fork: %s", strerror(errno)) : 0;
}

static int
start(struct parts *s)
{
	int go[2], ret = 0;

	if (pipe(go))
		return error_set(&s->x->r->error, "pipe: %s", strerror(errno));
	for (unsigned i = 0; i < s->count && !ret; i++)
		ret = start_one(s, go);
	if (!ret)
		ret = explorer_ready(s->x);
	for (unsigned i = 0; i < s->count && !ret; i++)
		must(write(go[1], "", 1) == 1);
	close(go[0]);
	close(go[1]);
	return ret;
}

static void
stop_all(struct parts *s)
{
	for (unsigned i = 0; i < s->count; i++)
		s->part[i].stop = SIGTERM;
}

/* Until all have ended; false if one of them has not held. */
static bool
wait_all(struct parts *s)
{
	const struct explorer_config *c = s->x->c;
	struct pollfd fds[EXPLORER_JOBS_MAX];
	unsigned left = s->count;

	for (unsigned i = 0; i < s->count; i++)
		fds[i] = (struct pollfd){ .fd = s->fd[i], .events = POLLIN };
	while (left) {
		int64_t now = c->clock ? c->clock(c->clock_context) : 0;
		uint64_t schedules = 0;

		poll(fds, s->count, POLL_MS);
		for (unsigned i = 0; i < s->count; i++) {
			schedules +=
				atomic_load_explicit(&s->part[i].schedules, memory_order_relaxed);
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			fds[i].fd = -1;
			left--;
			if (!s->part[i].ended || s->part[i].broken)
				return false;
		}
		if ((c->interrupted && *c->interrupted) ||
		    (c->time_max_ns && now - s->x->began_ns >= c->time_max_ns))
			stop_all(s);
		if (c->clock)
			explorer_report(s->x, now, schedules, 0);
	}
	return true;
}

static void
end_all(struct parts *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->pid[i] <= 0)
			continue;
		kill(s->pid[i], SIGKILL);
		close(s->fd[i]);
		while (waitpid(s->pid[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
}

/* What they have counted together. */
static void
add_up(struct parts *s)
{
	struct exploration *x = s->x;
	struct explorer_result *r = x->r;
	enum explorer_end why = EXPLORER_COMPLETE;

	x->c->strategy->tally = (struct strategy_tally){ 0 };
	for (unsigned i = 0; i < s->count; i++) {
		const struct part *p = &s->part[i];

		r->schedules += p->all;
		r->steps += p->steps;
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			r->count[v] += p->count[v];
		strategy_tally_add(&x->c->strategy->tally, &p->tally);
		if (p->interrupted)
			why = x->c->interrupted && *x->c->interrupted ? EXPLORER_INTERRUPTED
								      : EXPLORER_TIME;
		else if (p->bounded && why == EXPLORER_COMPLETE)
			why = EXPLORER_BOUNDED;
	}
	explorer_end(x, why);
}

bool
explorer_parts(struct exploration *x)
{
	unsigned count = x->c->jobs < EXPLORER_JOBS_MAX ? x->c->jobs : EXPLORER_JOBS_MAX;
	size_t bytes = (count + 1) * sizeof(struct part);
	struct parts s = { .x = x, .count = count, .shards = count * SHARDS_EACH };
	bool held = false;

	s.part = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(s.part != MAP_FAILED);
	s.next = (_Atomic uint32_t *)(void *)&s.part[count];
	must(s.pid = calloc(count, sizeof(*s.pid)));
	must(s.fd = calloc(count, sizeof(*s.fd)));
	if (start(&s))
		explorer_end(x, EXPLORER_ERROR);
	else
		held = wait_all(&s);
	end_all(&s);
	if (held)
		add_up(&s);
	free(s.pid);
	free(s.fd);
	munmap(s.part, bytes);
	return x->ended;
}
