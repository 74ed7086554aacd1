/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processes of a litmus test are compiled with (see litmus_emit()): the operations of the
 * Linux kernel's memory model, as accesses and barriers that the run time in sim/memory/ sees.
 * It is not included by Ringside: the program carries its text (litmus_prelude.S), and the system's
 * compiler reads it.
 *
 * LITMUS_WEAK is defined when the code is for the weak model.  There the barriers around an
 * operation are spelled out; x86 has them in the operation, so that spelling them would only cost
 * time.
 *
 * An operation that would have to wait, and one whose second half did not meet what its first half
 * saw, calls ringside_litmus_unfit(): that execution is none.  Another one, in which it comes at
 * the right moment, is explored as well.
 */
#ifndef RINGSIDE_SCRIPT_LITMUS_PRELUDE_H
#define RINGSIDE_SCRIPT_LITMUS_PRELUDE_H

#if defined(__clang__) && !defined(LITMUS_CLANG)
#error "with clang's options, please: see litmus_build.c"
#endif

typedef int atomic_t;
typedef int spinlock_t;

void
ringside_fence(int kind); /* ORDER FENCE */
_Noreturn void
ringside_litmus_unfit(void);
_Noreturn void
ringside_litmus_bad_address(void);
void
ringside_litmus_rcu_read(int enter);
void
ringside_litmus_rcu_sync(void);

#define LK_COMPILER_BARRIER() __asm__ __volatile__("" ::: "memory")
#define LK_FENCE(kind) \
	do { \
		LK_COMPILER_BARRIER(); \
		ringside_fence(kind); \
		LK_COMPILER_BARRIER(); \
	} while (0)
#define LK_MB 0
#define LK_RMB 1
#define LK_WMB 2
#define LK_RELEASE_FENCE 4

/* Where the variables are; set when the code has been loaded. */
unsigned long litmus_base, litmus_bytes;

#define LK_FULL() LK_FENCE(LK_MB)
#ifdef LITMUS_WEAK
#define LK_WEAK_MB() LK_FULL()
#else
#define LK_WEAK_MB() LK_COMPILER_BARRIER()
#endif

/* A pointer that has been computed must point at one of the test's variables. */
static inline __attribute__((always_inline)) void *
lk_at(const volatile void *pointer, unsigned long size)
{
	if ((unsigned long)pointer - litmus_base > litmus_bytes - size)
		ringside_litmus_bad_address();
	return (void *)pointer;
}

#define LK_AT(type, pointer) ((type *)lk_at(pointer, sizeof(type)))

/* --- loads and stores ----------------------------------------------------------------------- */

#define LK_PLAIN(type, pointer) (*LK_AT(type, pointer))
#define LK_LOAD_ONCE(type, pointer) (*(volatile type *)LK_AT(type, pointer))
#define LK_LOAD_ACQUIRE(type, pointer) __atomic_load_n(LK_AT(type, pointer), __ATOMIC_ACQUIRE)
#define LK_STORE_ONCE(type, pointer, value) ((void)(LK_LOAD_ONCE(type, pointer) = (type)(value)))
#define LK_STORE_RELEASE(type, pointer, value) \
	__atomic_store_n(LK_AT(type, pointer), (type)(value), __ATOMIC_RELEASE)
#define LK_STORE_FULL(type, pointer, value) \
	({ \
		LK_STORE_ONCE(type, pointer, value); \
		LK_FULL(); \
	})

/* --- read and write at once: each gives the old value --------------------------------------- */

#define LK_EXCHANGE(p, v, order) __atomic_exchange_n(p, v, order)
#define LK_ADD(p, v, order) __atomic_fetch_add(p, v, order)
#define LK_SUB(p, v, order) __atomic_fetch_sub(p, v, order)
#define LK_AND(p, v, order) __atomic_fetch_and(p, v, order)
#define LK_OR(p, v, order) __atomic_fetch_or(p, v, order)
#define LK_XOR(p, v, order) __atomic_fetch_xor(p, v, order)

#define LK_RMW_ONCE(fun, type, pointer, value) \
	fun(LK_AT(type, pointer), (type)(value), __ATOMIC_RELAXED)
#define LK_RMW_ACQUIRE(fun, type, pointer, value) \
	fun(LK_AT(type, pointer), (type)(value), __ATOMIC_ACQUIRE)
#define LK_RMW_RELEASE(fun, type, pointer, value) \
	fun(LK_AT(type, pointer), (type)(value), __ATOMIC_RELEASE)
#define LK_RMW_FULL(fun, type, pointer, value) \
	({ \
		LK_WEAK_MB(); \
		type lk_old = LK_RMW_ONCE(fun, type, pointer, value); \
		LK_WEAK_MB(); \
		lk_old; \
	})
/* The new value. */
#define LK_NEW(order, fun, operator, type, pointer, value) \
	({ \
		type lk_operand = (type)(value); \
		(type)(LK_RMW_##order(fun, type, pointer, lk_operand) operator lk_operand); \
	})

/* What order a compare-and-exchange gives, it gives only when it succeeds.  So look first. */
#ifdef LITMUS_WEAK
#define LK_CAS(type, pointer, from, to, order, around) \
	({ \
		type *lk_p = LK_AT(type, pointer), lk_from = (type)(from), lk_to = (type)(to); \
		type lk_seen = *(volatile type *)lk_p; \
		if (lk_seen == lk_from) { \
			around(); \
			if (!__atomic_compare_exchange_n(lk_p, &lk_seen, lk_to, 0, order, \
							 __ATOMIC_RELAXED)) \
				ringside_litmus_unfit(); \
			around(); \
		} \
		lk_seen; \
	})
#else
#define LK_CAS(type, pointer, from, to, order, around) \
	({ \
		type *lk_p = LK_AT(type, pointer), lk_seen = (type)(from), lk_to = (type)(to); \
		__atomic_compare_exchange_n(lk_p, &lk_seen, lk_to, 0, order, __ATOMIC_RELAXED); \
		lk_seen; \
	})
#endif
#define LK_CMPXCHG_ONCE(type, p, from, to) \
	LK_CAS(type, p, from, to, __ATOMIC_RELAXED, LK_COMPILER_BARRIER)
#define LK_CMPXCHG_ACQUIRE(type, p, from, to) \
	LK_CAS(type, p, from, to, __ATOMIC_ACQUIRE, LK_COMPILER_BARRIER)
#define LK_CMPXCHG_RELEASE(type, p, from, to) \
	LK_CAS(type, p, from, to, __ATOMIC_RELEASE, LK_COMPILER_BARRIER)
#define LK_CMPXCHG_FULL(type, p, from, to) LK_CAS(type, p, from, to, __ATOMIC_RELAXED, LK_WEAK_MB)

/* Whether it did. x86 looks without a lock, too. */
#define LK_ADD_UNLESS(type, pointer, operand, unless) \
	({ \
		type *lk_p = LK_AT(type, pointer), lk_operand = (type)(operand); \
		type lk_unless = (type)(unless), lk_seen = *(volatile type *)lk_p; \
		if (lk_seen != lk_unless) { \
			LK_WEAK_MB(); \
			if (!__atomic_compare_exchange_n(lk_p, &lk_seen, lk_seen + lk_operand, 0, \
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED)) \
				ringside_litmus_unfit(); \
			LK_WEAK_MB(); \
		} \
		(int)(lk_seen != lk_unless); \
	})

/* A grace period is seen by readers as a full barrier: here each reader has its own. */
#define LK_RCU_READ(enter) \
	({ \
		LK_FULL(); \
		ringside_litmus_rcu_read(enter); \
		LK_FULL(); \
	})
#define LK_RCU_SYNC() \
	({ \
		LK_FULL(); \
		ringside_litmus_rcu_sync(); \
		LK_FULL(); \
	})

/* --- locks ---------------------------------------------------------------------------------- */

/*
 * The lowest bit says taken; under the weak model the others count how often it was, so that the
 * word tells which release a lock follows.
 *
 * Weak: stores before a release that this lock follows, on whatever processor, are to be seen
 * before stores after it (po-unlock-lock-po of the kernel's model); the lock's own store is not, or
 * spin_is_locked() would order what it does not.  Hence the barrier between reading the release and
 * taking the lock.
 */
static inline int
lk_try(spinlock_t *lock, int must_succeed)
{
	int seen = 0, taken;

#ifdef LITMUS_WEAK
	seen = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
	if (seen & 1) {
		if (must_succeed)
			ringside_litmus_unfit();
		return 0;
	}
	LK_FENCE(LK_RELEASE_FENCE);
	must_succeed = 1; /* it was free: somebody came between */
#endif
	taken = __atomic_compare_exchange_n(lock, &seen, seen | 1, 0, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED);
	if (!taken && must_succeed)
		ringside_litmus_unfit();
	return taken;
}

/* The owner's look at its own lock word: not an access of the test. */
static __attribute__((noinline, no_sanitize("thread"))) int
lk_released(const spinlock_t *lock)
{
#ifdef LITMUS_WEAK
	return *(const volatile int *)lock + 1;
#else
	return 0;
#endif
}

static inline void
lk_unlock(spinlock_t *lock)
{
	__atomic_store_n(lock, lk_released(lock), __ATOMIC_RELEASE);
}

#define LK_LOCK(pointer) ((void)lk_try(LK_AT(spinlock_t, pointer), 1))
#define LK_TRYLOCK(pointer) lk_try(LK_AT(spinlock_t, pointer), 0)
#define LK_UNLOCK(pointer) lk_unlock(LK_AT(spinlock_t, pointer))
#define LK_IS_LOCKED(pointer) (LK_LOAD_ONCE(spinlock_t, pointer) & 1)

#endif
