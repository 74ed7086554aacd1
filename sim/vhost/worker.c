/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/worker.h"

#include "base/must.h"
#include "engine/cost.h"
#include "memory/race.h"

/* --- the thread ----------------------------------------------------------------------------- */

/* vhost_run_work_list(): whether there was any. */
static bool
run_list(struct vhost_worker *worker)
{
	struct virtio_work *work = worker->work, *next;

	race_acquire(worker->w, worker);
	worker->work = NULL;
	worker->last = &worker->work;
	if (!work)
		return false;
	worker->running = true;
	for (; work; work = next) {
		next = work->next; /* the work may queue itself, or be freed */
		work->queued = false;
		worker->works++;
		work->fn(work);
		actor_point(worker->w); /* cond_resched() */
	}
	return true;
}

/* vhost_task_fn() */
static void
worker_run(struct actor *self, void *arg)
{
	struct vhost_worker *worker = arg;
	struct world *w = worker->w;

	for (;;) {
		bool look_first = worker->kernel && fault_on(w, FAULT_VHOST_WORKER_CHECK_FIRST);

		/* set_current_state(): from here on a wake-up makes us run again. */
		if (!look_first)
			worker->running = false;
		actor_point(w);
		if (run_list(worker))
			continue;
		actor_point(w);
		if (look_first)
			worker->running = false;
		/* schedule() */
		if (!worker->running) {
			worker->sleeps++;
			emit(w, EV_VHOST_WORKER_SLEEP, worker->name);
		}
		while (!worker->running) {
			waitq_wait(w, &worker->wait);
			cost_spend(w, COST_WAKEUP);
		}
	}
}

struct vhost_worker *
vhost_worker_create(struct world *w, const char *name, bool kernel)
{
	struct vhost_worker *worker = world_alloc(w, sizeof(*worker));

	worker->w = w;
	worker->name = world_name(w, name);
	worker->last = &worker->work;
	worker->running = true;
	worker->kernel = kernel;
	waitq_init(&worker->wait, w, "vhost work");
	worker->task = actor_create(w, name, worker_run, worker, 0);
	actor_set_daemon(worker->task, true);
	return worker;
}

/* wake_up_process(): a running task is left alone. */
static void
task_wake(struct vhost_worker *worker)
{
	if (worker->running)
		return;
	worker->running = true;
	waitq_wake_all(worker->w, &worker->wait);
}

void
vhost_work_queue(struct vhost_worker *worker, struct virtio_work *work)
{
	race_release(worker->w, worker);
	emit(worker->w, EV_VHOST_WORK_QUEUE, worker->name, !work->queued);
	if (work->queued)
		return;
	work->queued = true;
	work->next = NULL;
	*worker->last = work;
	worker->last = &work->next;
	task_wake(worker);
}

/* --- flush ---------------------------------------------------------------------------------- */

/* struct vhost_flush_struct */
struct flush {
	struct virtio_work work;
	struct vhost_worker *worker;
	struct waitq wait;
	bool done;
};

static void
flush_work(struct virtio_work *work)
{
	struct flush *f = work->arg;

	f->done = true;
	waitq_wake_all(f->worker->w, &f->wait);
}

void
vhost_worker_flush(struct vhost_worker *worker)
{
	struct flush f = { .work = { .fn = flush_work }, .worker = worker };

	must(actor_current(worker->w) && actor_current(worker->w) != worker->task);
	f.work.arg = &f;
	waitq_init(&f.wait, worker->w, "vhost flush");
	vhost_work_queue(worker, &f.work);
	while (!f.done)
		waitq_wait(worker->w, &f.wait);
	race_acquire(worker->w, &f.wait);
}

/* --- poll ----------------------------------------------------------------------------------- */

/* vhost_poll_wakeup(): in the signaller's context. */
static bool
on_signal(struct eventfd_wait *wait, struct eventfd *fd)
{
	struct vhost_poll *poll = wait->arg;

	vhost_work_queue(poll->worker, poll->work);
	return false;
}

void
vhost_poll_init(struct vhost_poll *poll, struct vhost_worker *worker, struct virtio_work *work)
{
	must(!poll->fd);
	poll->worker = worker;
	poll->work = work;
	poll->wait = (struct eventfd_wait){ .wake = on_signal, .arg = poll };
}

void
vhost_poll_start(struct vhost_poll *poll, struct eventfd *fd)
{
	if (poll->fd)
		return;
	poll->fd = fd;
	eventfd_attach(fd, &poll->wait);
	/* vfs_poll() puts the entry into the queue first, then looks: no signal falls between. */
	if (eventfd_poll(fd) & EVENTFD_IN)
		vhost_work_queue(poll->worker, poll->work);
}

void
vhost_poll_stop(struct vhost_poll *poll)
{
	if (!poll->fd)
		return;
	eventfd_detach(poll->fd, &poll->wait);
	poll->fd = NULL;
}
