/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schedules of an indexed strategy, shared by processes, with the result of a single one.
 *
 * Processes are forked from the one whose world is set up, and start with the same pages.  Each
 * takes blocks of consecutive places (a place is the n-th schedule of this shard) from one counter,
 * runs and judges them, and sends for a block what it counted and which schedules failed.  The
 * parent takes blocks in the order of their places, whatever order they come in, and keeps
 * failures as a single process does: it runs the schedule again in its own world, which
 * is cheap as a schedule is a number, then confirms, shrinks and tells apart.  All files are
 * written by the parent alone.
 *
 *	first failure	the lowest place over all processes: who finds one lowers `lowest`, places
 *			above it are not begun any more, and what was counted there is dropped
 *	keep_going	failures are told apart in the order of places, so that the same ones are
 *			kept; one that would only be counted is not run again
 *	a crash		counts as an end at that place: all before it is done first, and if nothing
 *			fails there, EXPLORER_CRASHED says which schedule it was
 *	an error	of the script or of a judge: the same, and the parent meets it again
 *
 * Only time can make a difference: a time budget or a signal ends each process where it stands.
 *
 * A block takes about BLOCK_NS, so that a process costs one write in that time.
 */
#include <errno.h>
#include <inttypes.h>
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

#define BLOCK_NS INT64_C(3000000)
#define BLOCK_MAX 2048u
#define POLL_MS 50

enum { GO_ON, STOP_SOON, STOP_TIME_OVER };

/* Shared by all processes. `lowest` is a place, as all are here. */
struct shared {
	_Atomic uint64_t next; /* place of the next block */
	_Atomic uint64_t lowest; /* where the exploration ends, as far as it is known */
	_Atomic int stop;
	struct {
		_Alignas(64) _Atomic uint64_t block; /* its first place, UINT64_MAX: between two */
		_Atomic uint64_t block_end; /* place after its last */
		_Atomic uint64_t at; /* the place that runs */
	} job[];
};

struct failed_place {
	uint64_t place, key;
};

/* What a process sends; the failed places and the classes of the watched ones follow. */
struct block {
	uint64_t place, places; /* how many were done */
	bool broken; /* it ended at place + places: a crash or an error */
	int status; /* of a crash, from waitpid(); 0 for an error */
	uint64_t schedules, steps;
	uint64_t count[VERDICT_COUNT];
	struct strategy_tally tally;
	uint32_t failed, classes;
};

struct pending {
	struct block block;
	struct failed_place *failed;
	uint64_t *class;
	struct pending *next; /* by place, rising */
};

struct job {
	pid_t pid;
	int fd; /* of its blocks; -1 when it is gone */
};

struct jobs {
	struct exploration *x;
	struct shared *shared;
	size_t shared_bytes;
	struct job *job;
	unsigned count;
	struct pending *pending;
	uint64_t done; /* all places below are dealt with */
	struct strategy_tally tally;
	uint64_t sent_schedules, sent_failing; /* of all blocks, for the progress line */
};

/* --- a process ------------------------------------------------------------------------------ */

struct worker {
	struct exploration x;
	struct explorer_result r;
	struct shared *shared;
	unsigned number;
	int fd;
	struct failed_place failed[BLOCK_MAX];
	uint64_t class[BLOCK_MAX];
	struct block block;
};

static bool
write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static void
lower(struct shared *s, uint64_t place)
{
	uint64_t old = atomic_load(&s->lowest);

	while (place < old && !atomic_compare_exchange_weak(&s->lowest, &old, place))
		;
}

/* False when the block ends here. */
static bool
work_place(struct worker *k, uint64_t place)
{
	struct exploration *x = &k->x;
	const struct explorer_config *c = x->c;
	struct finding f;
	enum stop stop;
	bool failed;

	atomic_store_explicit(&k->shared->job[k->number].at, place, memory_order_relaxed);
	failed = explorer_try(x, explorer_index(c, place), &f, &stop);
	/* Signals are not for us: it is the judge that set this. */
	if (x->ended || (c->interrupted && *c->interrupted)) {
		k->block.broken = true;
		lower(k->shared, place);
		return false;
	}
	k->block.places++;
	if (x->class)
		k->class[k->block.classes++] = x->class;
	if (!failed)
		return true;
	k->failed[k->block.failed++] = (struct failed_place){ place, finding_key(&f) };
	if (c->keep_going)
		return true;
	lower(k->shared, place);
	return false;
}

static void
work_block(struct worker *k, uint64_t place, uint64_t end)
{
	struct shared *s = k->shared;
	struct strategy *strategy = k->x.c->strategy;

	k->r = (struct explorer_result){ 0 };
	k->block = (struct block){ .place = place };
	strategy->tally = (struct strategy_tally){ 0 };
	atomic_store(&s->job[k->number].at, place);
	atomic_store(&s->job[k->number].block_end, end);
	atomic_store(&s->job[k->number].block, place);
	while (place < end && !atomic_load_explicit(&s->stop, memory_order_relaxed) &&
	       place <= atomic_load_explicit(&s->lowest, memory_order_relaxed))
		if (!work_place(k, place++))
			break;
	k->block.schedules = k->r.schedules;
	k->block.steps = k->r.steps;
	memcpy(k->block.count, k->r.count, sizeof(k->block.count));
	k->block.tally = strategy->tally;
}

static bool
send_block(struct worker *k)
{
	bool sent = write_all(k->fd, &k->block, sizeof(k->block)) &&
		    write_all(k->fd, k->failed, k->block.failed * sizeof(k->failed[0])) &&
		    write_all(k->fd, k->class, k->block.classes * sizeof(k->class[0]));

	atomic_store(&k->shared->job[k->number].block, UINT64_MAX);
	return sent && !k->block.broken;
}

/* How many places the next block shall have, from the time that the last one took. */
static uint64_t
next_size(const struct explorer_config *c, uint64_t places, int64_t took)
{
	if (!c->clock)
		return 64;
	if (took > BLOCK_NS && places > 1)
		return places / 2;
	return took < BLOCK_NS / 2 && places < BLOCK_MAX ? places * 2 : places;
}

static _Noreturn void
work(struct worker *k)
{
	const struct explorer_config *c = k->x.c;
	uint64_t size = 1;
	bool going = true;

	while (going && !atomic_load(&k->shared->stop)) {
		int64_t began = c->clock ? c->clock(c->clock_context) : 0, now = began;
		uint64_t place = atomic_fetch_add(&k->shared->next, size);

		if (place > atomic_load(&k->shared->lowest))
			break;
		work_block(k, place, place + size);
		going = send_block(k);
		if (c->clock)
			now = c->clock(c->clock_context);
		if (c->time_max_ns && now - k->x.began_ns >= c->time_max_ns)
			atomic_store(&k->shared->stop, STOP_TIME_OVER);
		size = next_size(c, size, now - began);
	}
	_exit(0);
}

/* --- starting them -------------------------------------------------------------------------- */

static _Noreturn void
work_begin(struct jobs *j, unsigned number, int fd, int go)
{
	struct worker *k = calloc(1, sizeof(*k));
	char byte;

	/* A terminal's ^C and a `timeout` reach the whole group: the parent tells us when to end.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(k);
	k->x = (struct exploration){ .w = j->x->w,
				     .c = j->x->c,
				     .r = &k->r,
				     .watch = j->x->watch,
				     .around = j->x->around,
				     .began_ns = j->x->began_ns };
	k->shared = j->shared;
	k->number = number;
	k->fd = fd;
	if (j->x->c->forked)
		j->x->c->forked(j->x->c->context);
	if (read(go, &byte, 1) != 1)
		_exit(0);
	if (k->x.c->clock)
		k->x.began_ns = k->x.c->clock(k->x.c->clock_context);
	work(k);
}

static int
start_one(struct jobs *j, const int go[2])
{
	unsigned number = j->count;
	int fd[2];
	pid_t pid;

	if (pipe(fd))
		return error_set(&j->x->r->error, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(fd[0]);
		close(fd[1]);
		return error_set(&j->x->r->error, "fork: %s", strerror(errno));
	}
	if (!pid) {
		close(go[1]);
		close(fd[0]);
		for (unsigned i = 0; i < number; i++)
			close(j->job[i].fd);
		work_begin(j, number, fd[1], go[0]);
	}
	close(fd[1]);
	j->job[j->count++] = (struct job){ pid, fd[0] };
	return 0;
}

/* All of them wait until ready() has succeeded. */
static int
start(struct jobs *j, unsigned count)
{
	int go[2], ret = 0;

	if (pipe(go))
		return error_set(&j->x->r->error, "pipe: %s", strerror(errno));
	while (!ret && j->count < count)
		ret = start_one(j, go);
	if (!ret)
		ret = explorer_ready(j->x);
	for (unsigned i = 0; i < count && !ret; i++)
		must(write(go[1], "", 1) == 1);
	close(go[0]);
	close(go[1]);
	return ret;
}

/* --- taking blocks -------------------------------------------------------------------------- */

static bool
read_all(int fd, void *bytes, size_t size)
{
	char *at = bytes;

	while (size) {
		ssize_t n = read(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static void
insert(struct jobs *j, struct pending *p)
{
	struct pending **at = &j->pending;

	while (*at && (*at)->block.place < p->block.place)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

static void
pending_free(struct pending *p)
{
	if (p) {
		free(p->failed);
		free(p->class);
	}
	free(p);
}

/* A process is gone.  If it died in a block, that block ends where it stood. */
static void
job_gone(struct jobs *j, unsigned number)
{
	struct job *job = &j->job[number];
	uint64_t place = atomic_load(&j->shared->job[number].block),
		 at = atomic_load(&j->shared->job[number].at);
	struct pending *p;
	int status = 0;

	close(job->fd);
	job->fd = -1;
	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!status)
		return;
	must(p = calloc(1, sizeof(*p)));
	if (place == UINT64_MAX) /* between two blocks: as if at the start of one never begun */
		place = at = atomic_load(&j->shared->next);
	p->block = (struct block){
		.place = place, .places = at - place, .broken = true, .status = status
	};
	lower(j->shared, at);
	insert(j, p);
}

static void
receive(struct jobs *j, unsigned number)
{
	struct pending *p = calloc(1, sizeof(*p));
	struct block *b = &p->block;

	must(p);
	if (read_all(j->job[number].fd, b, sizeof(*b))) {
		must(b->failed <= BLOCK_MAX && b->classes <= BLOCK_MAX);
		must(p->failed = calloc(b->failed + 1, sizeof(*p->failed)));
		must(p->class = calloc(b->classes + 1, sizeof(*p->class)));
		if (read_all(j->job[number].fd, p->failed, b->failed * sizeof(*p->failed)) &&
		    read_all(j->job[number].fd, p->class, b->classes * sizeof(*p->class))) {
			j->sent_schedules += b->schedules;
			j->sent_failing += b->failed;
			insert(j, p);
			return;
		}
	}
	pending_free(p);
	job_gone(j, number);
}

/* --- keeping what they found, in the order of places ---------------------------------------- */

static bool
stopped(const struct jobs *j)
{
	const struct explorer_config *c = j->x->c;

	return j->x->ended || (c->interrupted && *c->interrupted);
}

/* Run a schedule again that failed elsewhere, without counting it twice, and keep it. */
static void
keep_failed(struct jobs *j, const struct failed_place *p)
{
	struct exploration *x = j->x;
	uint64_t index = explorer_index(x->c, p->place), steps = x->r->steps;
	struct finding f = { 0 };
	enum stop stop;
	bool failed;

	if (x->c->keep_going && explorer_only_counts(x, p->key))
		return;
	failed = explorer_try(x, index, &f, &stop);
	if (x->ended)
		return;
	x->r->schedules--;
	x->r->count[f.verdict]--;
	x->r->steps = steps;
	if (failed && finding_key(&f) == p->key) {
		explorer_failed(x, index, stop, &f);
		return;
	}
	explorer_end(x, EXPLORER_NONDETERMINISTIC);
	error_set(&x->r->error,
		  "schedule %" PRIu64
		  " failed in one process, and was judged %s (%s, %s) in another",
		  index, verdict_name[f.verdict], f.oracle, f.subject);
}

/* Count @places from @place on as a single process would have: their failures are known. */
static void
count_again(struct jobs *j, uint64_t place, uint64_t places)
{
	struct exploration *x = j->x;
	enum explorer_end why = x->r->end;
	struct finding f;
	enum stop stop;

	x->c->strategy->tally = (struct strategy_tally){ 0 };
	for (uint64_t i = 0; i < places; i++) {
		explorer_try(x, explorer_index(x->c, place + i), &f, &stop);
		if (x->class)
			classes_add(&x->classes, x->class);
	}
	strategy_tally_add(&j->tally, &x->c->strategy->tally);
	x->r->end = why;
}

static void
count_block(struct jobs *j, const struct pending *p)
{
	const struct block *b = &p->block;
	struct explorer_result *r = j->x->r;

	r->schedules += b->schedules;
	r->steps += b->steps;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		r->count[v] += b->count[v];
	strategy_tally_add(&j->tally, &b->tally);
	for (uint32_t i = 0; i < b->classes; i++)
		classes_add(&j->x->classes, p->class[i]);
}

/* The block ended before its time.  Do what was done of it here, and then the place that ended it.
 */
static void
take_broken(struct jobs *j, const struct block *b)
{
	struct exploration *x = j->x;
	uint64_t index = explorer_index(x->c, b->place + b->places);

	x->c->strategy->tally = (struct strategy_tally){ 0 };
	for (uint64_t i = 0; i < b->places && !stopped(j); i++)
		explorer_schedule(x, explorer_index(x->c, b->place + i));
	if (stopped(j) || b->status) {
		strategy_tally_add(&j->tally, &x->c->strategy->tally);
		if (stopped(j))
			return;
		/* exit(2): a watchdog has said why (cli/watchdog.h) */
		explorer_end(x, WIFEXITED(b->status) ? EXPLORER_ERROR : EXPLORER_CRASHED);
		error_set(&x->r->error, "schedule %" PRIu64 ": its process %s %d", index,
			  WIFEXITED(b->status) ? "ended with status" : "was killed by signal",
			  WIFEXITED(b->status) ? WEXITSTATUS(b->status) : WTERMSIG(b->status));
		return;
	}
	explorer_schedule(x, index);
	strategy_tally_add(&j->tally, &x->c->strategy->tally);
	if (stopped(j))
		return;
	explorer_end(x, EXPLORER_NONDETERMINISTIC);
	error_set(&x->r->error,
		  "schedule %" PRIu64 " could not be run in one process, but in another", index);
}

static void
take(struct jobs *j, const struct pending *p)
{
	const struct block *b = &p->block;

	if (b->broken) {
		take_broken(j, b);
		return;
	}
	for (uint32_t i = 0; i < b->failed; i++) {
		keep_failed(j, &p->failed[i]);
		if (j->x->ended) {
			uint64_t places = p->failed[i].place + 1 - b->place;

			if (places == b->places)
				break;
			count_again(j, b->place, places);
			return;
		}
	}
	count_block(j, p);
}

/* Take what is next; if @all, what there is, with gaps. */
static void
take_ready(struct jobs *j, bool all)
{
	while (!j->x->ended && j->pending && (all || j->pending->block.place == j->done)) {
		struct pending *p = j->pending;

		j->pending = p->next;
		j->done = p->block.place + p->block.places;
		take(j, p);
		pending_free(p);
	}
}

/* --- all together --------------------------------------------------------------------------- */

static bool
any_left(const struct jobs *j)
{
	for (unsigned i = 0; i < j->count; i++)
		if (j->job[i].fd >= 0)
			return true;
	return false;
}

static void
wait_some(struct jobs *j)
{
	const struct explorer_config *c = j->x->c;
	struct pollfd fds[EXPLORER_JOBS_MAX];
	int n;

	for (unsigned i = 0; i < j->count; i++)
		fds[i] = (struct pollfd){ .fd = j->job[i].fd, .events = POLLIN };
	n = poll(fds, j->count, POLL_MS);
	for (unsigned i = 0; n > 0 && i < j->count; i++)
		if (fds[i].revents)
			receive(j, i);
	if (c->interrupted && *c->interrupted)
		atomic_store(&j->shared->stop, STOP_SOON);
	if (c->clock)
		explorer_report(j->x, c->clock(c->clock_context), j->sent_schedules,
				j->sent_failing);
}

/* Nothing more is wanted of them. */
static void
end_all(struct jobs *j)
{
	for (unsigned i = 0; i < j->count; i++) {
		if (j->job[i].fd < 0)
			continue;
		kill(j->job[i].pid, SIGKILL);
		close(j->job[i].fd);
		while (waitpid(j->job[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	while (j->pending) {
		struct pending *p = j->pending;

		j->pending = p->next;
		pending_free(p);
	}
	free(j->job);
	if (j->shared)
		munmap(j->shared, j->shared_bytes);
}

/* The places that there are. */
static uint64_t
places_max(const struct explorer_config *c)
{
	uint64_t shards = c->shards ? c->shards : 1, first = explorer_index(c, 0);

	if (!c->schedules_max)
		return UINT64_MAX / 2 / shards;
	return c->schedules_max <= first ? 0 : (c->schedules_max - first - 1) / shards + 1;
}

static void
collect_all(struct jobs *j)
{
	struct exploration *x = j->x;
	int why;

	while (!x->ended && any_left(j)) {
		wait_some(j);
		take_ready(j, false);
	}
	why = atomic_load(&j->shared->stop);
	take_ready(j, true);
	if (x->ended)
		return;
	if (x->c->interrupted && *x->c->interrupted)
		explorer_end(x, EXPLORER_INTERRUPTED);
	else
		explorer_end(x, why == STOP_TIME_OVER ? EXPLORER_TIME : EXPLORER_SCHEDULES);
}

void
explorer_jobs(struct exploration *x)
{
	unsigned count = x->c->jobs < EXPLORER_JOBS_MAX ? x->c->jobs : EXPLORER_JOBS_MAX;
	uint64_t places = places_max(x->c);
	struct jobs j = { .x = x };

	j.shared_bytes = sizeof(*j.shared) + count * sizeof(j.shared->job[0]);
	j.shared = mmap(NULL, j.shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	must(j.shared != MAP_FAILED);
	must(j.job = calloc(count, sizeof(*j.job)));
	/* Places from `lowest` on are not begun: so it bounds them from the start. */
	atomic_store(&j.shared->lowest, places - 1);
	for (unsigned i = 0; i < count; i++)
		atomic_store(&j.shared->job[i].block, UINT64_MAX);
	if (!places)
		count = 0;
	if (start(&j, count))
		explorer_end(x, EXPLORER_ERROR);
	else
		collect_all(&j);
	end_all(&j);
	x->c->strategy->tally = j.tally;
}
