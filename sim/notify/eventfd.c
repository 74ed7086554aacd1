/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "base/must.h"
#include "engine/image.h"
#include "memory/race.h"
#include "notify/eventfd.h"

const char *const eventfd_role_name[EVENTFD_ROLES] = {
	/* ORDER EVENTFD_ROLE */
	"other", "host", "guest", "masked", "config", "resample", "error",
};

struct eventfd *
eventfd_create(struct world *w, const char *name, enum eventfd_role role, unsigned flags)
{
	struct eventfd *fd = world_alloc(w, sizeof(*fd));

	must(role < EVENTFD_ROLES);
	fd->world = w;
	fd->name = world_name(w, name);
	fd->role = role;
	fd->flags = flags;
	waitq_init(&fd->readers, w, name);
	waitq_init(&fd->writers, w, name);
	world_count(w, &fd->signals, 2);
	return fd;
}

/* The counter went up: attached wake-ups in order, then who sleeps. */
static void
wake(struct eventfd *fd)
{
	struct eventfd_wait *next;

	for (struct eventfd_wait *e = fd->first; e; e = next) {
		next = e->next;
		if (e->wake(e, fd) && e->priority)
			return;
	}
	waitq_wake_all(fd->world, &fd->readers);
}

static int
write_counter(struct eventfd *fd, uint64_t n, bool nonblock)
{
	struct world *w = fd->world;

	actor_point(w);
	/*
	 * The counter may not reach ULLONG_MAX by writes: that value means an overflow of signals.
	 */
	while (UINT64_MAX - fd->count <= n) {
		emit(w, EV_EVENTFD_FULL, fd->name, (int64_t)n, (int64_t)fd->count);
		if (nonblock || !actor_current(w))
			return -EAGAIN;
		waitq_wait(w, &fd->writers);
	}
	race_sync(w, fd);
	fd->count += n;
	fd->signals++;
	emit(w, EV_EVENTFD_WRITE, fd->name, (int64_t)n, (int64_t)fd->count);
	wake(fd);
	return 0;
}

int
eventfd_write(struct eventfd *fd, uint64_t n)
{
	return n == UINT64_MAX ? -EINVAL : write_counter(fd, n, fd->flags & EVENTFD_NONBLOCK);
}

void
eventfd_signal(struct eventfd *fd)
{
	actor_point(fd->world);
	eventfd_signal_locked(fd);
}

void
eventfd_signal_locked(struct eventfd *fd)
{
	struct world *w = fd->world;

	race_release(w, fd);
	if (fd->count == UINT64_MAX)
		emit(w, EV_EVENTFD_FULL, fd->name, 1, (int64_t)fd->count);
	else
		fd->count++;
	fd->signals++;
	emit(w, EV_EVENTFD_SIGNAL, fd->name, (int64_t)fd->count);
	wake(fd);
}

void
eventfd_set(struct eventfd *fd)
{
	write_counter(fd, 1, true);
}

uint64_t
eventfd_take(struct eventfd *fd)
{
	uint64_t value = fd->count && (fd->flags & EVENTFD_SEMAPHORE) ? 1 : fd->count;

	if (!value)
		return 0;
	race_sync(fd->world, fd);
	fd->count -= value;
	fd->reads++;
	emit(fd->world, EV_EVENTFD_READ, fd->name, (int64_t)value, (int64_t)fd->count);
	waitq_wake_all(fd->world, &fd->writers);
	return value;
}

int
eventfd_read(struct eventfd *fd, uint64_t *value)
{
	struct world *w = fd->world;

	actor_point(w);
	while (!fd->count) {
		if ((fd->flags & EVENTFD_NONBLOCK) || !actor_current(w))
			return -EAGAIN;
		waitq_wait(w, &fd->readers);
	}
	*value = eventfd_take(fd);
	return 0;
}

bool
eventfd_test_and_clear(struct eventfd *fd)
{
	actor_point(fd->world);
	return eventfd_take(fd) != 0;
}

void
eventfd_wait(struct eventfd *fd)
{
	actor_point(fd->world);
	while (!fd->count)
		waitq_wait(fd->world, &fd->readers);
	race_acquire(fd->world, fd);
}

unsigned
eventfd_poll(const struct eventfd *fd)
{
	unsigned events = 0;

	if (fd->count > 0)
		events |= EVENTFD_IN;
	if (fd->count == UINT64_MAX)
		events |= EVENTFD_ERR;
	if (fd->count < UINT64_MAX - 1)
		events |= EVENTFD_OUT;
	return events;
}

void
eventfd_attach(struct eventfd *fd, struct eventfd_wait *wait)
{
	must(!wait->attached && wait->wake);
	wait->attached = true;
	wait->prev = wait->next = NULL;
	if (!fd->first) {
		fd->first = fd->last = wait;
	} else if (wait->priority) {
		wait->next = fd->first;
		fd->first->prev = wait;
		fd->first = wait;
	} else {
		wait->prev = fd->last;
		fd->last->next = wait;
		fd->last = wait;
	}
}

void
eventfd_detach(struct eventfd *fd, struct eventfd_wait *wait)
{
	if (!wait->attached)
		return;
	if (wait->prev)
		wait->prev->next = wait->next;
	else
		fd->first = wait->next;
	if (wait->next)
		wait->next->prev = wait->prev;
	else
		fd->last = wait->prev;
	wait->prev = wait->next = NULL;
	wait->attached = false;
}

uint64_t
eventfd_detach_read(struct eventfd *fd, struct eventfd_wait *wait)
{
	actor_point(fd->world);

	uint64_t value = eventfd_take(fd);

	eventfd_detach(fd, wait);
	return value;
}
