/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a litmus test as code: emitted, compiled by the system's compiler with
 * instrumentation, loaded.  The functions that the instrumentation calls are sim/memory/'s, which
 * the program exports.
 *
 * The compiler is $RINGSIDE_CC, or cc; it works in a folder of its own below $TMPDIR, which is gone
 * when this returns.  It takes 25 ms to start and 2 ms a test.
 */
#ifndef RINGSIDE_SCRIPT_LITMUS_BUILD_H
#define RINGSIDE_SCRIPT_LITMUS_BUILD_H

#include "script/litmus.h"

/* A process: @base is where the variables are, @out gets the registers. */
typedef void (*litmus_body_fn)(char *base, long *out);

struct litmus_code {
	void *handle; /* of dlopen(): each has its own */
	litmus_body_fn body[LITMUS_PROCS_MAX];
	unsigned long *base, *bytes; /* of all variables: to be set before it runs */
};

enum litmus_built {
	LITMUS_BUILT,
	LITMUS_NO_COMPILER, /* @err says which was looked for */
	LITMUS_BUILD_FAILED /* @err has the compiler's first line */
};

/*
 * All @count tests at once; test i's code becomes code[i].  @weak: for the weak model;
 * @order_dependencies: see litmus_emit().
 */
enum litmus_built
litmus_build(struct litmus_test *const *t, unsigned count, bool weak, bool order_dependencies,
	     struct litmus_code *code, struct error *err);

/* Zeroed code is allowed. */
void
litmus_unload(struct litmus_code *code);

#endif
