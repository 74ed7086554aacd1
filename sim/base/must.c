/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/must.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local must_context_fn context_print;
static _Thread_local void *context_arg;

void
must_context_set(must_context_fn print, void *context)
{
	context_print = print;
	context_arg = context;
}

void
must_context_print(void)
{
	must_context_fn print = context_print;

	context_print = NULL; /* a context that fails itself must not recurse */
	if (print)
		print(context_arg);
}

void
must_failed(const char *condition, const char *file, int line, const char *function)
{
	fprintf(stderr, "ringside: BUG in Ringside: %s:%d: %s: must(%s)\n", file, line, function,
		condition);
	must_context_print();
	fflush(NULL);
	signal(SIGABRT, SIG_DFL); /* ours, whoever called us: arena_catch_faults() */
	abort();
}
