/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Swim lanes: a run as a picture that fits a mail.  One column an actor, one line an event, time
 * going down.
 *
 *	step  driver                                device
 *	   7  |                                     reads vq0.avail.idx -> 0
 *	  ..  … 3 more                              |
 *	  11  vq0.avail.idx = 1                     |
 *	  12  reads vq0.used.flags -> 1 (no kick)   |
 *	  13  |                                     vq0.used.flags = 0 (kick wanted)
 *	  14  |                                     waits for kick0
 *	  15  waits for call0                       :
 *	lost-kick (vq=0): the device sleeps while a buffer is available [INV-KICK]
 *	at the end: driver waits for call0; device waits for kick0
 *
 * Events of linked code have its file:line to the right of the lanes; where that is narrow, the end
 * of it.
 *
 * A store that others could not see while they went on is marked "(buffered)", and has a line where
 * it becomes visible: "flush vq0.avail.idx = 1".  A load that saw an older value than memory holds
 * is marked "(stale)".  After the line stands how the access was written, if it is not plain.
 *
 * A bar is | while its actor could run, : while it is blocked, and ends with it.
 *
 * Two stages.  lanes_build() chooses columns and rows; lanes_print() makes text of at most
 * `lines_max` lines and `columns_max` columns of it.  The HTML exporter starts from the first stage
 * too.
 *
 * What is kept when there is more than fits: what happened close before the violation (before the
 * end, if there is none), the first event after a switch between actors, the last ones of each
 * actor, accesses to named fields, notifications, blocking and waking.  The rest is counted where
 * it was ("… 12 more").  Where there are more than three actors, those that did nothing but wait
 * for work have no column; if that is not enough, those stay that are in what is kept.
 *
 * Wording: wording.c has a short one for the common kinds; any other kind shows its name and
 * arguments by the format of events.def.
 */
#ifndef RINGSIDE_EXPLORE_LANES_H
#define RINGSIDE_EXPLORE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "explore/event_log.h"
#include "explore/verdict.h"

#define LANES_TEXT_MAX 200 /* bytes of one event's text */

struct lanes_options {
	unsigned lines_max; /* 0: 40 */
	unsigned columns_max; /* 0: 100; 72 for mailing lists that are strict */
	bool time; /* a column with the simulated time in us (timed mode) */
	bool colour; /* ANSI; the caller says yes on a terminal only */
	const struct finding *finding; /* verdict sentence; null: none */
};

struct lane {
	uint32_t actor; /* id, 0: timers */
	char name[48];
	char end[96]; /* "waits for kick0", "ended", "woken, never ran", or "" */
	unsigned column, width; /* on the page, column counted from 0 */
};

/* One for each event of the log. */
struct lanes_row {
	int16_t lane; /* -1: of an actor that has no column */
	bool kept;
	bool late; /* a store in a buffer while others went on, or its flush: marked */
	int32_t score; /* how much it is worth showing */
};

struct lanes {
	struct lanes_options options;
	const struct event_log *log; /* borrowed */
	struct event_names names;
	struct lane *lane;
	size_t lane_count;
	unsigned actors_hidden; /* that did something and have no column */
	uint64_t events_hidden; /* theirs */
	struct lanes_row *row;
	unsigned gutter; /* width of the columns left of the lanes */
	unsigned source; /* column of places in linked code; 0: nothing kept has one */
};

/*
 * Never fails; lanes_free() afterwards.  Borrows @log and what @names looks at.
 * O(events x lines) in the worst case: some 0.4 s for the largest log.
 */
void
lanes_build(struct lanes *l, const struct event_log *log, const struct event_names *names,
	    const struct lanes_options *options);
void
lanes_free(struct lanes *l);

void
lanes_print(const struct lanes *l, FILE *out);

/* Fill `late` of all rows; for lanes_build(). O(events x stores in buffers). */
void
lanes_mark_late(struct lanes *l);

/* Text of event @i in its lane, and where it was ("" outside linked code). */
void
lanes_text(const struct lanes *l, size_t i, char *text, size_t size);
void
lanes_place(const struct lanes *l, size_t i, char *text, size_t size);

/* Whose lane an event is in: a flush stands in that of the store. */
uint32_t
lanes_actor(const struct event *e);

/* What stands below the rows: verdict, final states, what is hidden. Returns its lines. */
unsigned
lanes_print_foot(const struct lanes *l, FILE *out);

#define LANES_PLACE_MAX 96 /* bytes of a place in code */
#define LANES_PLACE_COLUMNS_MIN 12u /* what of it is shown at least */

/* Columns that @text takes on the page: characters, not bytes. */
unsigned
lanes_columns(const char *text);

#endif
