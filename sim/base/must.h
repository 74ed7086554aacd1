/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * must(): what has to hold or Ringside itself is wrong.  On in every build: a simulator whose
 * answers are trusted may not go on after its own invariant broke.  A guest or a device that breaks
 * the specification is *input* and is never a must().
 *
 * A failure prints the condition and its place, then what the engine knows of the current world
 * (time, actor, step, seed, schedule: see must_context_set()), then aborts: exit status 134.
 * Put a debugger's breakpoint on must_failed().
 */
#ifndef RINGSIDE_BASE_MUST_H
#define RINGSIDE_BASE_MUST_H

#define must(condition) \
	((void)(__builtin_expect(!!(condition), 1) || \
		(must_failed(#condition, __FILE__, __LINE__, __func__), 0)))

/* Compile-time relation between two tables or layouts. */
#define must_static(condition, text) _Static_assert(condition, text)

_Noreturn void
must_failed(const char *condition, const char *file, int line, const char *function);

/*
 * The engine registers here what to print about the world that runs in this thread; @print may be
 * null.  Returns the previous one, so that nested runs restore it.
 */
typedef void (*must_context_fn)(void *context);
void
must_context_set(must_context_fn print, void *context);

/* Print the context without failing: the crash handler of base/arena.c uses it. */
void
must_context_print(void);

#endif
