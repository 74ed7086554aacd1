/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shim: types, byte order, compiler words, and what this is all about: barriers and marked accesses
 * (datapath/barrier.h).  Each barrier of the kernel is a call into the run time here; there is no
 * inline assembly that orders memory, and there must never be.
 */
#ifndef RINGSIDE_DATAPATH_LINUX_KERNEL_BASE_H
#define RINGSIDE_DATAPATH_LINUX_KERNEL_BASE_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "datapath/barrier.h"

/* --- types ---------------------------------------------------------------------------------- */

typedef uint8_t u8, __u8;
typedef uint16_t u16, __u16, __le16, __be16;
typedef uint32_t u32, __u32, __le32, __be32;
typedef uint64_t u64, __u64, __le64, __be64;
typedef int8_t s8, __s8;
typedef int16_t s16, __s16;
typedef int32_t s32, __s32;
typedef int64_t s64, __s64;
typedef u64 dma_addr_t, phys_addr_t;
typedef s64 ktime_t;
/* In the kernel a set of flags; here it also says for whom memory is wanted (kernel_memory.h). */
typedef uintptr_t gfp_t;

#define U16_MAX UINT16_MAX
#define U32_MAX UINT32_MAX

/* --- compiler ------------------------------------------------------------------------------- */

#define __user
#define __iomem
#define __force
#define __bitwise
#define __must_check
#define __cold __attribute__((cold))
#define __maybe_unused __attribute__((unused))
#define noinline __attribute__((noinline))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define fallthrough __attribute__((fallthrough))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define typecheck(type, x) ((void)(__typeof__(x) *)(type *)0, 1)

/* Of what is no constant it checks nothing; the kernel's waits until inlining made it one. */
#define BUILD_BUG_ON(condition) \
	((void)sizeof(char[__builtin_choose_expr(__builtin_constant_p(condition), \
						 (condition) ? -1 : 1, 1)]))
#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define is_power_of_2(n) ((n) != 0 && ((n) & ((n)-1)) == 0)
#define container_of(p, type, member) ((type *)(void *)((const char *)(p)-offsetof(type, member)))
#define container_of_const(p, type, member) \
	_Generic(p, \
		const __typeof__(*(p)) *: (const type *)container_of(p, type, member), \
		default: container_of(p, type, member))
#define min_t(type, a, b) \
	({ \
		type min_a_ = (a), min_b_ = (b); \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define max_t(type, a, b) \
	({ \
		type max_a_ = (a), max_b_ = (b); \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})
#define min(a, b) min_t(__typeof__((a) + (b)), a, b)
#define max(a, b) max_t(__typeof__((a) + (b)), a, b)

/* No CONFIG_ symbol is set: no module, no debugging, no IOTLB. */
#define IS_ENABLED(option) 0
#define IS_REACHABLE(option) 0

/* --- byte order ----------------------------------------------------------------------------- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define shim_le(bits, x) ((uint##bits##_t)(x))
#define shim_be(bits, x) __builtin_bswap##bits((uint##bits##_t)(x))
#else
#define shim_le(bits, x) __builtin_bswap##bits((uint##bits##_t)(x))
#define shim_be(bits, x) ((uint##bits##_t)(x))
#endif

#define le16_to_cpu(x) shim_le(16, x)
#define le32_to_cpu(x) shim_le(32, x)
#define le64_to_cpu(x) shim_le(64, x)
#define cpu_to_le16(x) shim_le(16, x)
#define cpu_to_le32(x) shim_le(32, x)
#define cpu_to_le64(x) shim_le(64, x)
#define be16_to_cpu(x) shim_be(16, x)
#define be32_to_cpu(x) shim_be(32, x)
#define be64_to_cpu(x) shim_be(64, x)
#define cpu_to_be16(x) shim_be(16, x)
#define cpu_to_be32(x) shim_be(32, x)
#define cpu_to_be64(x) shim_be(64, x)

/* --- marked accesses and barriers ----------------------------------------------------------- */

#define READ_ONCE(x) DP_READ_ONCE(x)
#define WRITE_ONCE(x, v) DP_WRITE_ONCE(x, v)
#define data_race(expression) ({ expression; })

/* For the compiler alone: it orders nothing between processors. */
#define barrier() __asm__ __volatile__("" ::: "memory")

#define mb() dp_mb()
#define rmb() dp_rmb()
#define wmb() dp_wmb()
#define smp_mb() dp_mb()
#define smp_rmb() dp_rmb()
#define smp_wmb() dp_wmb()
#define virt_mb() dp_mb()
#define virt_rmb() dp_rmb()
#define virt_wmb() dp_wmb()
#define dma_mb() dp_mb()
#define dma_rmb() dp_rmb()
#define dma_wmb() dp_wmb()

/* asm-generic's form.  x86 has one locked exchange here, which is the same two to others. */
#define smp_store_mb(variable, value) \
	do { \
		WRITE_ONCE(variable, value); \
		dp_mb(); \
	} while (0)
#define virt_store_mb(variable, value) smp_store_mb(variable, value)

#define smp_load_acquire(p) \
	({ \
		__typeof__(*(p)) acquired_ = READ_ONCE(*(p)); \
\
		DP_FENCE(DP_FENCE_ACQUIRE, __ATOMIC_ACQUIRE); \
		acquired_; \
	})
#define virt_load_acquire(p) smp_load_acquire(p)

#define smp_store_release(p, v) \
	do { \
		DP_FENCE(DP_FENCE_RELEASE, __ATOMIC_RELEASE); \
		WRITE_ONCE(*(p), v); \
	} while (0)
#define virt_store_release(p, v) smp_store_release(p, v)

#endif
