/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event log: the events of one run in memory, and the names that its numbers stand for.  It is
 * what lanes and exporters read, whether the run has just happened (event_log_sink,
 * event_names_of_world) or comes out of a database (the record room fills both itself).
 *
 * Bounded: a log keeps the last `max` events; `dropped` says how many earlier ones are gone.
 */
#ifndef RINGSIDE_EXPLORE_EVENT_LOG_H
#define RINGSIDE_EXPLORE_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event.h"
#include "memory/calls.h"
#include "memory/site.h"

struct world;

#define EVENT_LOG_MAX (UINT32_C(1) << 20) /* 64 MiB */
/* Events of actors above this id are kept as nobody's: tables by id stay below 64 MiB whatever a
 * damaged database says. */
#define EVENT_LOG_ACTOR_MAX (UINT32_C(1) << 22)

/* Owns its events (malloc). Zeroed: empty, with EVENT_LOG_MAX. */
struct event_log {
	struct event *events; /* oldest first */
	size_t count, capacity;
	size_t max; /* 0: EVENT_LOG_MAX */
	uint64_t dropped;
};

void
event_log_free(struct event_log *log);

void
event_log_add(struct event_log *log, const struct event *e, size_t count);

/* For world_set_sink(w, event_log_sink, log). */
void
event_log_sink(void *log, const struct event *e, size_t count);

/* How to name what events only number. Each function may be null: numbers are shown then. */
struct event_names {
	const char *(*text)(const void *context, int64_t number); /* of %s */
	const char *(*actor)(const void *context, uint32_t id); /* null: there is none */
	void (*gpa)(const void *context, uint64_t gpa, char *text, size_t size); /* gm_name() */
	const void *context;
	/* As site_frames(), site_frame() and calls_sites(); null where code is not known: no places
	 * are shown. */
	unsigned (*site)(const void *context, int64_t site, struct site_frame *frame, unsigned max);
	void (*frame)(const void *context, int64_t site, struct site_frame *frame);
	size_t (*calls)(const void *context, uint16_t stack, int64_t *site, size_t max);
};

/* Of a live world. They look at it when asked: call them before it is destroyed. */
struct event_names
event_names_of_world(const struct world *w);

/* As event_format(), by @names. */
size_t
event_names_format(const struct event_names *names, const struct event *e, char *text, size_t size);

/* Name of an actor into @text: "driver", "actor 7" if unknown, "timers" for 0. */
void
event_names_actor(const struct event_names *names, uint32_t id, char *text, size_t size);

/*
 * Where an access or a barrier of linked code was: its function and its callers, the innermost
 * first, inlined ones included.  Returns how many, 0 for other events.
 */
#define EVENT_FRAMES_MAX (SITE_FRAMES_MAX + CALLS_DEPTH_MAX)
size_t
event_names_frames(const struct event_names *names, const struct event *e, struct site_frame *frame,
		   size_t max);
/* The one by which the place is known (site_frame()); false for other events. */
bool
event_names_frame(const struct event_names *names, const struct event *e, struct site_frame *frame);
/* That as "virtio_ring.c:812", or "". Returns the length. */
size_t
event_names_place(const struct event_names *names, const struct event *e, char *text, size_t size);
/* All of them: "virtqueue_add_split virtio_ring.c:812 <- virtqueue_add …", or "". */
size_t
event_names_stack(const struct event_names *names, const struct event *e, char *text, size_t size);

/* Number of the argument that the format of @kind calls @key ("gpa"), or -1. */
int
event_arg(unsigned kind, const char *key);

/* Walk the arguments of a format: key without "=", conversion letter. False after the last. */
struct event_field {
	const char *key;
	int key_len; /* 0 where the format has none ("%s" of a note) */
	char conversion; /* d u x s */
	int arg;
	const char *at; /* private: where to go on */
};
int
event_field_next(unsigned kind, struct event_field *f); /* start with {0} */

#endif
