/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switching stacks.  What a function call may not lose (the callee-saved registers) is pushed on
 * the old stack, the stack pointer is exchanged, and the same is popped from the new one.
 *
 * x86-64 and aarch64 have a dozen instructions of assembly (engine/switch_*.S).  -DSWITCH_UCONTEXT
 * takes the portable fallback, at two system calls a switch.  Floating-point control state is not
 * switched: nothing in a world changes it.
 *
 * AddressSanitizer and valgrind are told about stacks here and nowhere else.
 */
#ifndef RINGSIDE_ENGINE_SWITCH_H
#define RINGSIDE_ENGINE_SWITCH_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SWITCH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWITCH_ASAN 1
#endif
#endif
#ifndef SWITCH_ASAN
#define SWITCH_ASAN 0
#endif

/* Save the running context's stack pointer in *@save and go on with the one @load names. */
void
switch_stack(void **save, void *load);

/*
 * Prepare a stack of @size bytes at @stack so that the first switch to it calls @entry(@arg), which
 * must not return.  Returns the stack pointer to load.  @skip bytes at the top are left unused.
 */
void *
switch_prepare(void *stack, size_t size, size_t skip, void (*entry)(void *arg), void *arg);

/*
 * Tell valgrind that this is a stack, once, when its memory is taken: a switch is then no overrun
 * to it.  Without valgrind a few instructions that do nothing; without its header nothing.
 */
#ifdef __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define switch_register(stack, size) \
	((void)VALGRIND_STACK_REGISTER((char *)(stack), (char *)(stack) + (size)-1))
#endif
#endif
#ifndef switch_register
#define switch_register(stack, size) ((void)0)
#endif

#if SWITCH_ASAN
void
__sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void
__sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
void
__asan_unpoison_memory_region(void const volatile *addr, size_t size);
#endif

#endif
