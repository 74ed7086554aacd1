/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void
progress_init(struct progress *p, bool quiet)
{
	p->on = !quiet && isatty(2);
	p->shown = false;
}

void
progress_show(struct progress *p, uint64_t done, uint64_t found, uint64_t per_second,
	      int64_t left_ns)
{
	if (!p->on)
		return;
	fprintf(stderr, "\r%" PRIu64 " schedules, %" PRIu64 "/s, %" PRIu64 " failing", done,
		per_second, found);
	if (left_ns >= 0)
		fprintf(stderr, ", %" PRId64 ":%02" PRId64 " left", left_ns / 60000000000,
			left_ns / 1000000000 % 60);
	fprintf(stderr, "\33[K");
	p->shown = true;
}

void
progress_show_list(struct progress *p, unsigned done, unsigned all, unsigned failed)
{
	if (!p->on)
		return;
	fprintf(stderr, "\r%u of %u, %u failed\33[K", done, all, failed);
	p->shown = true;
}

void
progress_clear(struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\33[K");
	p->shown = false;
}
