/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch of events as a virtual table, so that INSERT … SELECT writes all of them in one
 * statement. That is more than twice as fast as binding and stepping a statement an event
 * (README.md has figures).
 */
#ifndef RINGSIDE_RECORD_BATCH_H
#define RINGSIDE_RECORD_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "engine/event.h"
#include "record/sql.h"

struct batch {
	const struct event *events;
	size_t count;
	int64_t kind_id[EV_COUNT]; /* event_kind.id of each kind, in the database at hand */
};

#define BATCH_COLUMNS "step, time_ns, actor, kind, a0, a1, a2, a3, a4"

/* Make @b known to @s as the table event_batch(BATCH_COLUMNS). @b must outlive the connection. */
int
batch_register(struct sql *s, struct batch *b, struct error *err);

#endif
