/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A schedule: the choices of one run, as one line of text.
 *
 *	rs1:12a1/3,5t2/4:340:9f3c0d6b5a3e1f77
 *	|   |            |   digest of the run (world_digest() at its end), 16 hexadecimal digits
 *	|   |            choices the run took in all
 *	|   the picks that are not 0, in order, "-" if there are none
 *	version of this format
 *
 * One pick is  delta kind pick / n :  after `delta` choices answered 0, answer `pick` of `n`.  Kind
 * is the first letter of the kind of choice (actor, tie, outcome, store, load), or "." where it is
 * not known: the engine keeps no kinds, a replay fills them in.  Everything that is not listed was
 * answered 0, which is always the dullest answer (engine/choice.h): a shrunk schedule of a long run
 * is short.  The same pick three times and more is written once: 5t2/4x12, at most 1000 times.
 *
 * The text has no spaces and needs no quoting.  Mail programs break long lines: the parser skips
 * white space anywhere.
 *
 * The schedule owns its array (malloc); schedule_free() gives it back and leaves an empty one.  A
 * zeroed struct is the empty schedule.  Parsing allocates at most some KiB a byte of text.
 */
#ifndef RINGSIDE_EXPLORE_SCHEDULE_H
#define RINGSIDE_EXPLORE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/choice.h"

struct world;

#define SCHEDULE_KIND_UNKNOWN CHOICE_KINDS

struct pick {
	uint32_t at; /* which choice of the run, from 0 */
	uint16_t pick; /* 1 … n - 1 */
	uint16_t n;
	uint8_t kind; /* enum choice_kind, or SCHEDULE_KIND_UNKNOWN */
};

struct schedule {
	struct pick *picks; /* by `at`, strictly rising */
	size_t count;
	size_t capacity;
	uint32_t choices; /* of the whole run; more than every `at` */
	uint64_t digest;
};

void
schedule_free(struct schedule *s);

/* Forget the picks, keep the memory. */
void
schedule_clear(struct schedule *s);

/* Append; @at must be above that of the last pick. */
void
schedule_add(struct schedule *s, struct pick p);

/* @to becomes equal to @from. */
void
schedule_copy(struct schedule *to, const struct schedule *from);

/*
 * What @w has just run: its choices and its digest.  Fails if the run took more choices than are
 * kept (CHOICES_MAX): such a run cannot be replayed.  @s is overwritten.
 */
int
schedule_take(struct schedule *s, const struct world *w, struct error *err);

/* The line, without newline; to be freed by the caller. Never null. */
char *
schedule_print(const struct schedule *s);

/*
 * Read a line of @len bytes.  On bad input returns -1 with "character 17: …" (counted from 1) in
 * @err, and @s is empty.  Nothing but memory can make a well-formed line fail.
 */
int
schedule_parse(struct schedule *s, const char *text, size_t len, struct error *err);

/*
 * Same, when the text stands in a file: errors begin with file:line:column, where @line and @column
 * are those of the first byte of @text, and a newline in the text begins the next line.
 */
int
schedule_parse_at(struct schedule *s, const char *text, size_t len, const char *file, long line,
		  long column, struct error *err);

#endif
