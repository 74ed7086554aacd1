/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wording: the few words that say what an event was, and how much it is worth showing, for people
 * who know virtio and not Ringside.  wording_table.c has them by kind; a kind that is not in it
 * shows its name and its arguments by the format of events.def, and is worth
 * WORDING_WEIGHT_DEFAULT.
 *
 * A template is text with arguments in braces, by the key that the format gives them:
 *
 *	{on}		by its conversion
 *	{gpa@gpa}	as the name of a field
 *	{id@actor}	as an actor's name
 *	{slot@slot}	as KVM's slot and its address space
 *	{value@value}	as a number, decimal while it is small
 *	{version@ver}	as a page's version, or the word for bytes that nobody wrote
 *	{up?down|up}	as the word of its number, from 0; the last one for all others
 */
#ifndef RINGSIDE_EXPLORE_WORDING_H
#define RINGSIDE_EXPLORE_WORDING_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/event.h"
#include "explore/event_log.h"

#define WORDING_WEIGHT_DEFAULT 50

struct wording {
	const char *kind; /* name in events.def */
	int weight; /* 0 … 100 */
	const char *text;
};

extern const struct wording wording_table[]; /* ended by a null kind */

/* An event of this kind is worth little where this argument is 0: a slot that dies clean. */
struct wording_little {
	const char *kind;
	const char *key;
};
extern const struct wording_little wording_little_table[]; /* ended by a null kind */

/* One line, control characters made blanks. Returns its length. */
size_t
wording_text(const struct event_names *names, const struct event *e, char *text, size_t size);

/* How an access was written: "once" (volatile), "acquire", "release", "seq_cst", "atomic"
 * (relaxed);
 * "" where it is plain, or no access. */
const char *
wording_access(const struct event *e);

/* Whether a thread of the machine goes to sleep for want of work, or is woken for it: a CPU that
 * halts, a worker, a loop. */
bool
wording_idle(const struct event_names *names, const struct event *e);

/* Weight of an event; an access to memory that no region names is worth little. */
int
wording_weight(const struct event_names *names, const struct event *e);

#endif
