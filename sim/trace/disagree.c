/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/disagree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/world.h"

static void
grow(struct disagreements *d)
{
	uint64_t capacity = d->capacity ? 2 * d->capacity : 16;
	struct disagreement *grown = world_alloc(d->w, capacity * sizeof(*grown));

	if (d->kept)
		memcpy(grown, d->item, d->kept * sizeof(*grown));
	world_free(d->w, d->item, d->capacity * sizeof(*grown));
	d->item = grown;
	d->capacity = capacity;
}

void
disagree(struct disagreements *d, enum verdict verdict, const char *oracle, const char *subject,
	 const char *fmt, ...)
{
	struct disagreement *x;
	va_list ap;

	d->count++;
	if (d->kept == DISAGREEMENTS_MAX)
		return;
	if (d->kept == d->capacity)
		grow(d);
	x = &d->item[d->kept++];
	*x = (struct disagreement){ .line = d->line,
				    .time_ns = d->time_ns,
				    .thread = d->thread,
				    .verdict = verdict,
				    .oracle = oracle };
	snprintf(x->subject, sizeof(x->subject), "%s", subject);
	va_start(ap, fmt);
	vsnprintf(x->message, sizeof(x->message), fmt, ap);
	va_end(ap);
}
