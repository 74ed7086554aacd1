/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An eventfd: a 64-bit counter that one side adds to and the other side takes (fs/eventfd.c).
 * Kicks and calls of virtio travel through nothing else, so what the counter does at its edges
 * decides what is lost.
 *
 *	eventfd_write()   a system call: adds; blocks (or EAGAIN) if the sum passed ULLONG_MAX - 1
 *	eventfd_signal()  the kernel's own: adds 1, saturates at ULLONG_MAX, never blocks
 *	eventfd_read()    returns the counter and clears it; with EFD_SEMAPHORE takes 1, returns 1
 *	eventfd_count()   looks without taking: what fdinfo's eventfd-count and a crash dump show
 *
 * Any number of signals between two reads are one wake-up: the counter coalesces.  Two readers of
 * one eventfd race for it, and the second finds nothing.
 *
 * A consumer either sleeps (a blocking read, eventfd_wait()) or attaches a wake-up callback, as
 * irqfd and vhost do: it runs in the signaller's context and may neither block nor come to a point.
 * A *priority* callback (irqfd) comes before all others, and the wake-up ends with it if it says
 * that it took the event, so that a process polling the same eventfd does not see it.  A callback
 * need not take anything: vhost's does not, so the counter of its kick is the number of kicks ever.
 *
 * Each system call is a point before it takes effect: another thread may go between an actor's last
 * look at the ring and its signal.  eventfd_signal() is one, too.
 *
 * Eventfds are made at set-up or run time, live in the arena and are never freed: they are few.
 */
#ifndef RINGSIDE_NOTIFY_EVENTFD_H
#define RINGSIDE_NOTIFY_EVENTFD_H

#include "engine/world.h"

/* What a device uses it for; a label for people and for the debug interface. ORDER EVENTFD_ROLE */
enum eventfd_role {
	EVENTFD_OTHER,
	EVENTFD_HOST, /* host notifier: the driver's kick (ioeventfd) */
	EVENTFD_GUEST, /* guest notifier: the device's call (irqfd) */
	EVENTFD_MASKED, /* vhost's stand-in for the guest notifier while its vector is masked */
	EVENTFD_CONFIG, /* guest notifier of configuration changes */
	EVENTFD_RESAMPLE, /* told at the EOI of a level interrupt */
	EVENTFD_ERROR, /* vring error fd */
	EVENTFD_ROLES
};

extern const char *const eventfd_role_name[EVENTFD_ROLES];

/* Flags, after EFD_SEMAPHORE and EFD_NONBLOCK. */
#define EVENTFD_SEMAPHORE 1u
#define EVENTFD_NONBLOCK 2u

/* What eventfd_poll() answers, after EPOLLIN, EPOLLOUT and EPOLLERR. */
#define EVENTFD_IN 1u
#define EVENTFD_OUT 2u
#define EVENTFD_ERR 4u

struct eventfd;

/* An attached wake-up, embedded in its owner. */
struct eventfd_wait {
	/*
	 * The counter is above 0. True: the event is taken, wake nobody else (priority entries
	 * only).
	 */
	bool (*wake)(struct eventfd_wait *self, struct eventfd *fd);
	void *arg; /* the owner's */
	bool priority;
	bool attached;
	struct eventfd_wait *prev, *next;
};

struct eventfd {
	struct world *world;
	int64_t name; /* world_name() number */
	enum eventfd_role role;
	unsigned flags;
	uint64_t count; /* the counter */
	/* For people, see world_count(). */
	uint64_t signals; /* writes and signals so far, whatever they added */
	uint64_t reads; /* reads so far that took something */
	struct waitq readers; /* asleep until the counter is above 0 */
	struct waitq writers; /* asleep until there is room */
	struct eventfd_wait *first, *last; /* attached wake-ups, priority ones first */
};

struct eventfd *
eventfd_create(struct world *w, const char *name, enum eventfd_role role, unsigned flags);

/* write(2) of @n: 0, -EINVAL for ULLONG_MAX, -EAGAIN when full and EVENTFD_NONBLOCK. */
int
eventfd_write(struct eventfd *fd, uint64_t n);

/* eventfd_signal(): from kernel context, a callback included. */
void
eventfd_signal(struct eventfd *fd);

/* Same without the point: from a wake-up callback, or under a lock that the model does not have. */
void
eventfd_signal_locked(struct eventfd *fd);

/*
 * event_notifier_set(): a write of 1 whose EAGAIN counts as success, for the event is pending
 * anyway.
 */
void
eventfd_set(struct eventfd *fd);

/* read(2): 0 and *@value, or -EAGAIN when the counter is 0 and EVENTFD_NONBLOCK. */
int
eventfd_read(struct eventfd *fd, uint64_t *value);

/* event_notifier_test_and_clear(): a read that never blocks; whether there was something. */
bool
eventfd_test_and_clear(struct eventfd *fd);

/* Sleep until the counter is above 0, taking nothing (a poll(2) of this one eventfd). */
void
eventfd_wait(struct eventfd *fd);

/* EVENTFD_IN, _OUT, _ERR as they stand. */
unsigned
eventfd_poll(const struct eventfd *fd);

/* The counter, as it stands. */
static inline uint64_t
eventfd_count(const struct eventfd *fd)
{
	return fd->count;
}

/* Attach @wait, set up by its owner.  Pending events do not wake it: ask eventfd_poll() after. */
void
eventfd_attach(struct eventfd *fd, struct eventfd_wait *wait);

/* Detach; does nothing if it is not attached. */
void
eventfd_detach(struct eventfd *fd, struct eventfd_wait *wait);

/*
 * eventfd_ctx_remove_wait_queue(): detach and take the counter in one step, so that an event is
 * either seen by the callback or is in what this returns.
 */
uint64_t
eventfd_detach_read(struct eventfd *fd, struct eventfd_wait *wait);

/* eventfd_ctx_do_read(): take the counter from inside a wake-up callback. No point. */
uint64_t
eventfd_take(struct eventfd *fd);

#endif
