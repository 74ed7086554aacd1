/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay: run a schedule again, and notice at once when the run is not the one that was recorded.
 *
 * Three things are compared, each as early as it can be:
 *	- at a listed pick: the number of alternatives, and the kind where it is known;
 *	- at choices that the trail covers: a mark, six bits of the run's digest before that choice,
 *	  which takes in the events so far, time, step, what is ready, the kind and n of it;
 *	- at the end: the number of choices and the digest.
 * The first difference stops the run: *diverged*.  With a trail of stride 1 the difference is named
 * at its choice but for one case in 64 (where it is named one choice later); without a trail, at
 * the next listed pick or at the end.
 *
 * A trail is one character (base64 alphabet) for each `stride` choices, at most TRAIL_MARKS_MAX of
 * them, so that a failure file stays short; long runs have a larger stride.
 */
#ifndef RINGSIDE_EXPLORE_REPLAY_H
#define RINGSIDE_EXPLORE_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "engine/world.h"
#include "explore/schedule.h"

#define TRAIL_MARKS_MAX 640u /* ten lines of a mail */

/* Owns its marks (malloc). Zeroed: no trail. */
struct trail {
	uint32_t stride; /* choices to a mark, from choice 0 on; 0: no trail */
	size_t count;
	char *marks; /* @count characters and a zero */
};

void
trail_free(struct trail *t);

/* Whether @c may stand in a trail. */
int
trail_is_mark(char c);

struct divergence {
	uint64_t choice; /* which choice, from 0; the number of choices taken if at the end */
	uint64_t step;
	int64_t time_ns;
	char text[640]; /* one line: where, and what differed */
};

/*
 * Restore @w and run @s.  Returns 0 if the run was the recorded one, -1 if it diverged (and says
 * how in
 * @div, which may be null).  @trail may be null.  @stop, if not null, gets why the run ended; after
 * a divergence it is STOP_ASKED and the world stands where it was noticed.
 *
 * The world's chooser is chooser_first afterwards.
 */
int
replay_run(struct world *w, const struct schedule *s, const struct trail *trail, enum stop *stop,
	   struct divergence *div);

/*
 * Same, and learn: kinds of the picks go into @s, marks into @trail (overwritten; may be null), and
 * a signature of the schedule into @signature (may be null): a hash of who was asked what at each
 * pick, without the positions, by which failures of the same shape are told from others.
 */
int
replay_learn(struct world *w, struct schedule *s, struct trail *trail, uint64_t *signature,
	     enum stop *stop, struct divergence *div);

#endif
