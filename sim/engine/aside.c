/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/aside.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/must.h"
#include "engine/switch.h"

struct aside {
	char *stack;
	void *caller, *self; /* stack pointers of who does not run */
	void (*fn)(void *arg);
	void *arg;
	bool busy;
#if SWITCH_ASAN
	const void *caller_bottom;
	size_t caller_size;
#endif
};

static _Thread_local struct aside aside;

static void
aside_main(void *arg)
{
	struct aside *a = arg;

#if SWITCH_ASAN
	__sanitizer_finish_switch_fiber(NULL, &a->caller_bottom, &a->caller_size);
#endif
	a->fn(a->arg);
#if SWITCH_ASAN
	__sanitizer_start_switch_fiber(NULL, a->caller_bottom, a->caller_size);
#endif
	switch_stack(&a->self, a->caller);
	must(false); /* the next call begins anew */
}

void
aside_call(void (*fn)(void *arg), void *arg)
{
	struct aside *a = &aside;

	if (a->busy) {
		fn(arg);
		return;
	}
	if (!a->stack) {
		must(a->stack = aligned_alloc(64, ASIDE_STACK_BYTES));
		switch_register(a->stack, ASIDE_STACK_BYTES);
	}
	a->busy = true;
	a->fn = fn;
	a->arg = arg;
	a->self = switch_prepare(a->stack, ASIDE_STACK_BYTES, 0, aside_main, a);
#if SWITCH_ASAN
	void *fake;

	__asan_unpoison_memory_region(a->stack, ASIDE_STACK_BYTES);
	__sanitizer_start_switch_fiber(&fake, a->stack, ASIDE_STACK_BYTES);
	switch_stack(&a->caller, a->self);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	switch_stack(&a->caller, a->self);
#endif
	a->busy = false;
}
