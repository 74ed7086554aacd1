/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Barriers and marked accesses for ring code.  Inside Ringside (the file is compiled with
 * -fsanitize=thread) each is a call into the run time of sim/memory/, with its place; outside it is
 * what the processor needs.  Ring code that uses inline assembly instead is invisible to Ringside.
 */
#ifndef DATAPATH_BARRIER_H
#define DATAPATH_BARRIER_H

#include <stdint.h>

/* ORDER FENCE: sim/memory/access.c names them. */
enum dp_fence { DP_FENCE_MB, DP_FENCE_RMB, DP_FENCE_WMB, DP_FENCE_ACQUIRE, DP_FENCE_RELEASE };

#if defined(__SANITIZE_THREAD__)
#define DP_INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DP_INSTRUMENTED 1
#endif
#endif

#ifdef DP_INSTRUMENTED
void
ringside_fence(int kind);
#define DP_FENCE(kind, outside) \
	do { \
		__asm__ __volatile__("" ::: "memory"); \
		ringside_fence(kind); \
		__asm__ __volatile__("" ::: "memory"); \
	} while (0)
#else
#define DP_FENCE(kind, outside) __atomic_thread_fence(outside)
#endif

/* Full, read and write barrier: virtio_mb(), virtio_rmb(), virtio_wmb(). */
#define dp_mb() DP_FENCE(DP_FENCE_MB, __ATOMIC_SEQ_CST)
#define dp_rmb() DP_FENCE(DP_FENCE_RMB, __ATOMIC_ACQUIRE)
#define dp_wmb() DP_FENCE(DP_FENCE_WMB, __ATOMIC_RELEASE)

/* A single access that the compiler may neither tear, repeat nor leave out. */
#define DP_READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define DP_WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* For a function that looks from outside, for people: none of its accesses is one of the ring code.
 */
#define DP_UNSEEN __attribute__((no_sanitize("thread")))

static inline uint16_t
dp_load_acquire16(const uint16_t *p)
{
	uint16_t v = DP_READ_ONCE(*p);

	DP_FENCE(DP_FENCE_ACQUIRE, __ATOMIC_ACQUIRE);
	return v;
}

static inline void
dp_store_release16(uint16_t *p, uint16_t v)
{
	DP_FENCE(DP_FENCE_RELEASE, __ATOMIC_RELEASE);
	DP_WRITE_ONCE(*p, v);
}

#endif
