/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replaying by keys: what `replay --tolerant` and `test --corpus` share. */
#ifndef RINGSIDE_CLI_REPLAY_H
#define RINGSIDE_CLI_REPLAY_H

#include "cli/runner.h"
#include "explore/keyed.h"

/* Follow the keys of @f and judge. 0, or -1 and @err: it has none, or the scenario has an error. */
int
replay_keyed(struct session *s, const struct failure *f, struct keyed_result *kr,
	     struct finding *found, struct error *err);

/* "guessed from choice 17 on: …", or "". */
void
replay_guess_text(const struct failure *f, const struct keyed_result *kr, char *text, size_t size);

/* The command's own: print, record. Exit status, with @err for EXIT_USAGE. */
int
replay_tolerant(struct session *s, struct failure *f, struct record *r, const struct options *o,
		struct error *err);

#endif
