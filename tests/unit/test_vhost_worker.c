/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker: order of work, the wake-up rule, flush, and polls that never read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/world.h"
#include "vhost/worker.h"

#define WORKS 4
#define RUNS 3000u

struct bench {
	struct world *w;
	struct vhost_worker *worker;
	struct virtio_work work[WORKS];
	struct waitq wait;
	struct eventfd *fd;
	struct vhost_poll poll;
	unsigned runs[WORKS], order[32], ordered;
	bool again; /* work 0 queues itself once */
	struct actor *task;
};

static struct bench *bench; /* in the arena */

static void
work_fn(struct virtio_work *work)
{
	unsigned i = (unsigned)(work - bench->work);

	bench->runs[i]++;
	if (bench->ordered < 32)
		bench->order[bench->ordered++] = i;
	if (bench->again && !i) {
		bench->again = false;
		vhost_work_queue(bench->worker, work);
	}
	waitq_wake_all(bench->w, &bench->wait);
}

struct plan {
	actor_fn task;
	enum fault fault;
	bool process; /* not a kernel thread */
};

static void
setup(struct world *w, void *arg)
{
	const struct plan *plan = arg;

	bench = world_alloc(w, sizeof(*bench));
	bench->w = w;
	if (plan->fault)
		fault_set(w, plan->fault, true);
	bench->worker = vhost_worker_create(w, "vhost", !plan->process);
	waitq_init(&bench->wait, w, "work done");
	for (unsigned i = 0; i < WORKS; i++)
		bench->work[i].fn = work_fn;
	bench->fd = eventfd_create(w, "kick", EVENTFD_HOST, EVENTFD_NONBLOCK);
	vhost_poll_init(&bench->poll, bench->worker, &bench->work[1]);
	bench->task = actor_create(w, "task", plan->task, NULL, 0);
}

struct random_chooser {
	struct chooser base;
	struct prng prng;
};

static uint32_t
choose(struct chooser *self, struct world *w, uint32_t n, enum choice_kind kind)
{
	return prng_below(&((struct random_chooser *)self)->prng, n);
}

/* In how many of @runs schedules the task did not come to its end. */
static unsigned
explore(const struct plan *plan, unsigned runs)
{
	struct random_chooser chooser = { { choose }, { { 0 } } };
	struct error err;
	struct world *w = world_create(&(struct world_config){ .mode = WORLD_RELAXED }, &err);
	unsigned hung = 0;

	assert_non_null(w);
	if (world_setup(w, setup, (void *)plan, &err))
		fail_msg("set-up: %s", err.text);
	world_snapshot(w);
	for (unsigned i = 0; i < runs; i++) {
		prng_seed(&chooser.prng, i);
		world_set_chooser(w, i ? &chooser.base : &chooser_first);
		assert_int_equal(world_run(w), STOP_QUIESCENT);
		hung += actor_state(bench->task) != ACTOR_DONE;
		world_restore(w);
	}
	world_set_chooser(w, &chooser_first);
	world_destroy(w);
	return hung;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
queue_and_wait(struct actor *self, void *arg)
{
	for (unsigned n = 1; n <= 3; n++) {
		actor_point(bench->w);
		vhost_work_queue(bench->worker, &bench->work[0]);
		while (bench->runs[0] < n)
			waitq_wait(bench->w, &bench->wait);
	}
}

static void
test_wake_up(void **state)
{
	struct plan plan = { .task = queue_and_wait };

	assert_int_equal(explore(&plan, RUNS), 0);
	plan.fault = FAULT_VHOST_WORKER_CHECK_FIRST;
	assert_in_range(explore(&plan, RUNS), 1, RUNS);
	/* The fault is the kernel thread's: a process has another event loop. */
	plan.process = true;
	assert_int_equal(explore(&plan, RUNS), 0);
}

static void
order_task(struct actor *self, void *arg)
{
	bench->again = true;
	vhost_work_queue(bench->worker, &bench->work[0]);
	vhost_work_queue(bench->worker, &bench->work[2]);
	vhost_work_queue(bench->worker, &bench->work[0]); /* queued already: once */
	vhost_work_queue(bench->worker, &bench->work[1]);
	vhost_worker_flush(bench->worker);
	/* What queued itself during the run may be behind the flush; the others are done. */
	assert_int_equal(bench->runs[2], 1);
	assert_int_equal(bench->runs[1], 1);
	assert_int_equal(bench->order[0], 0);
	vhost_worker_flush(bench->worker);
	assert_int_equal(bench->runs[0], 2);
	/* Idle: a flush of nothing ends, too. */
	vhost_worker_flush(bench->worker);
}

static void
test_order_and_flush(void **state)
{
	assert_int_equal(explore(&(struct plan){ .task = order_task }, RUNS), 0);
}

static void
poll_task(struct actor *self, void *arg)
{
	/* Signalled before: starting looks. */
	eventfd_signal(bench->fd);
	vhost_poll_start(&bench->poll, bench->fd);
	vhost_poll_start(&bench->poll, bench->fd);
	vhost_worker_flush(bench->worker);
	assert_int_equal(bench->runs[1], 1);
	for (unsigned n = 0; n < 14; n++)
		eventfd_signal(bench->fd);
	vhost_worker_flush(bench->worker);
	assert_in_range(bench->runs[1], 2, 15);
	/* As the crash dump of seed 1's thread shows it: the counter is what nobody took. */
	assert_int_equal(eventfd_count(bench->fd), 15);
	vhost_poll_stop(&bench->poll);
	vhost_poll_stop(&bench->poll);
	bench->runs[1] = 0;
	eventfd_signal(bench->fd);
	vhost_worker_flush(bench->worker);
	assert_int_equal(bench->runs[1], 0);
}

static void
test_poll(void **state)
{
	assert_int_equal(explore(&(struct plan){ .task = poll_task }, RUNS), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wake_up),
		cmocka_unit_test(test_order_and_flush),
		cmocka_unit_test(test_poll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
