/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/switch.h"

#include <stdint.h>
#include <string.h>

#include "base/must.h"

#if !defined(SWITCH_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define SWITCH_UCONTEXT 1
#endif

#ifndef SWITCH_UCONTEXT

void
switch_entry(void);

void *
switch_prepare(void *stack, size_t size, size_t skip, void (*entry)(void *arg), void *arg)
{
	uintptr_t top = ((uintptr_t)stack + size - skip) & ~(uintptr_t)15;
	uint64_t *sp;

#if defined(__x86_64__)
	/* r15 r14 r13 r12 rbx rbp return-address; at switch_entry rsp is 16-byte aligned */
	sp = (uint64_t *)(top - 9 * 8);
	memset(sp, 0, 9 * 8);
	sp[2] = (uint64_t)(uintptr_t)arg;
	sp[3] = (uint64_t)(uintptr_t)entry;
	sp[6] = (uint64_t)(uintptr_t)switch_entry;
#else
	/* x19 x20 … x29 x30 d8 … d15 */
	sp = (uint64_t *)(top - 160);
	memset(sp, 0, 160);
	sp[0] = (uint64_t)(uintptr_t)entry;
	sp[1] = (uint64_t)(uintptr_t)arg;
	sp[11] = (uint64_t)(uintptr_t)switch_entry;
#endif
	return sp;
}

#else

#include <ucontext.h>

/*
 * The saved "stack pointer" is the address of a ucontext_t at the low end of the stack itself (for
 * the host's stack, in a variable of the caller's frame), so that saving a stack saves its context
 * too.
 */
struct fallback {
	ucontext_t context;
	void (*entry)(void *arg);
	void *arg;
};

static void
fallback_entry(unsigned high, unsigned low)
{
	struct fallback *f = (struct fallback *)(((uintptr_t)high << 32) | low);

	f->entry(f->arg);
	must(!"an actor's entry function returned");
}

void
switch_stack(void **save, void *load)
{
	struct fallback self;

	*save = &self;
	must(!swapcontext(&self.context, &((struct fallback *)load)->context));
}

void *
switch_prepare(void *stack, size_t size, size_t skip, void (*entry)(void *arg), void *arg)
{
	uintptr_t top = ((uintptr_t)stack + size - skip - sizeof(struct fallback)) & ~(uintptr_t)63;
	struct fallback *f = (struct fallback *)top;

	must(!getcontext(&f->context));
	f->context.uc_stack.ss_sp = stack;
	f->context.uc_stack.ss_size = top - (uintptr_t)stack;
	f->context.uc_link = NULL;
	f->entry = entry;
	f->arg = arg;
	makecontext(&f->context, (void (*)(void))fallback_entry, 2, (unsigned)(top >> 32),
		    (unsigned)top);
	return f;
}

#endif
