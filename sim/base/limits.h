/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every hard limit of Ringside, with what it costs.  The hostile build (make hostile) shrinks them
 * "to give bugs a chance", as Lua's ltests.h does.
 */
#ifndef RINGSIDE_BASE_LIMITS_H
#define RINGSIDE_BASE_LIMITS_H

#ifdef RINGSIDE_HOSTILE
#define LIMIT(normal, hostile) (hostile)
#else
#define LIMIT(normal, hostile) (normal)
#endif

/* Address space an arena reserves by default; untouched pages cost nothing but page tables. */
#define ARENA_RESERVE_BYTES (UINT64_C(64) << 30)

/* A stack for C bodies; the idle actor touches one page of it.  100,000 of them are 1.6 GiB of
 * address space.  The figure "24 KiB an idle actor or less" counts all of it. */
#define STACK_BYTES_C (16u << 10)
/* A stack for Lua bodies.  Lua allows 200 levels of C calls (LUAI_MAXCCALLS); a gsub() with a
 * function in a gsub() … takes 2 KiB a level.  What is not touched takes address space only. */
#define STACK_BYTES_LUA (512u << 10)
/* The stack of set-up, which loads scenarios and builds machines; Lua, too. */
#define STACK_BYTES_SETUP (512u << 10)
/* Stacks to one slab of address space, with one guard page below: a guard page a stack would use
 * two mappings an actor and die at 32 k actors of vm.max_map_count. */
#define STACKS_PER_SLAB LIMIT(64u, 2u)

/* Events in the digest's buffer: 64 bytes each, so that the buffer stays in the first-level cache.
 * The same in every build: digests are chained over full buffers. */
#define EVENT_BUFFER_COUNT 64u

/* Steps one schedule may take before it ends with `budget` (or `livelock`, if nothing progressed).
 */
#define STEPS_MAX_DEFAULT UINT64_C(200000)

/* Choices kept of one run: 4 bytes each. Later ones are taken but not kept; such a run is not
 * replayable and says so. */
#define CHOICES_MAX LIMIT(1u << 24, 1u << 16)

/* Distinct states that the strategy of that name remembers: 24 bytes each, in a table that is at
 * most five eighths full (2.3 GiB while it is doubled for the last time), and 8 a transition. */
#define STATES_MAX UINT64_C(40000000)
/* Its images of the worlds on the way to where it is: address space; some KiB a choice are used. */
#define STATES_IMAGE_BYTES (UINT64_C(4) << 30)

#endif
