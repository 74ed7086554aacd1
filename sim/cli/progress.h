/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line that says how far long work is: on a terminal only, on stderr, gone when the work is
 * done.
 */
#ifndef RINGSIDE_CLI_PROGRESS_H
#define RINGSIDE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on, shown;
};

void
progress_init(struct progress *p, bool quiet);
/* @left_ns below 0: not known. */
void
progress_show(struct progress *p, uint64_t done, uint64_t found, uint64_t per_second,
	      int64_t left_ns);
/* Same for lists: "12 of 48, 1 failed". */
void
progress_show_list(struct progress *p, unsigned done, unsigned all, unsigned failed);
void
progress_clear(struct progress *p);

#endif
