/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls on a stack of the host's.  Choosers and sinks run on the stack of the actor that asks or
 * emits, which is small, and which a snapshot covers; what reads debug information or formats texts
 * there does it aside.
 */
#ifndef RINGSIDE_ENGINE_ASIDE_H
#define RINGSIDE_ENGINE_ASIDE_H

#define ASIDE_STACK_BYTES (512u << 10)

/*
 * Call @fn(@arg) on a large stack of this thread's, and return when it does.  It may call
 * aside_call() again, which is then an ordinary call; it must not end the run (world_stop()) nor
 * block.  The stack is kept for the next call.
 */
void
aside_call(void (*fn)(void *arg), void *arg);

#endif
