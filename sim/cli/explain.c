/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes a failure understood, and keeps it useful when the code has changed. */
#include <stdlib.h>
#include <string.h>

#include "cli/runner.h"
#include "explore/critical.h"
#include "explore/keyed.h"
#include "memory/site.h"

void
session_build(char *text, size_t size)
{
	size_t n = 0;

	*text = 0;
	for (unsigned i = 0; i < site_images() && n + 1 < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", i ? " " : "", site_build_id(i));
}

static void
explain_order(struct session *s, struct failure *f)
{
	struct critical_config config = { session_judge, s, &runner_interrupted };
	struct critical c = { 0 };
	char text[1000];

	critical_find(s->w, &config, &f->schedule, &f->finding, &c);
	if (c.found) {
		critical_text(&c, text, sizeof(text));
		failure_set(&f->critical, text);
		failure_set(&f->critical_stack[0], c.first.stack);
		failure_set(&f->critical_stack[1], c.second.stack);
		schedule_copy(&f->passing, &c.passing);
	}
	critical_free(&c);
}

void
session_explain(struct session *s, struct failure *f)
{
	char build[1000];

	if (!f->keys.count)
		keyed_learn(s->w, &f->schedule, &f->keys);
	if (!f->critical)
		explain_order(s, f);
	if (!f->build) {
		session_build(build, sizeof(build));
		failure_set(&f->build, build);
	}
}
