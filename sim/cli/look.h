/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world that stands still, as lines: its threads, its notifiers, its queues, words of its rings.
 * Looking changes nothing.  For `diagnose` and `shell`.
 */
#ifndef RINGSIDE_CLI_LOOK_H
#define RINGSIDE_CLI_LOOK_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/world.h"
#include "vmm/debug.h"

/* "notifier: id=1 blk0.kick0 role=host queue=0 count=1 …", one a line. */
void
look_notifiers(const struct machine *m, FILE *to);

/* "queue: …": debug_queue_text() on one line. */
void
look_queue(const struct debug_queue_status *s, FILE *to);

/* Actors that are blocked and no daemons; printed as "blocked: A waits for B" if @to is not null.
 */
unsigned
look_blocked(const struct world *w, FILE *to);

/* "actor: driver-1 blocked on call", one a line. */
void
look_actors(const struct world *w, FILE *to);

/*
 * "vq0.avail.idx = 3", one a line: words of named memory whose name matches @pattern (fnmatch(3)).
 * What everybody can see: stores that are in somebody's buffer are not in it.  Returns how many.
 */
unsigned
look_words(const struct world *w, const char *pattern, FILE *to);

#endif
