/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that gcc 12 and clang 14 call from code built with -fsanitize=thread.  Their names
 * and shapes are the compilers' ABI (gcc's sanitizer.def and LLVM's tsan_interface*.h); what they
 * do is ours.
 *
 * This file itself is not instrumented.
 */
#include <string.h>

#include "engine/world_impl.h"
#include "memory/access.h"
#include "memory/calls.h"

static inline void
hook(const volatile void *p, uint32_t size, uint32_t how, const void *site)
{
	struct world *w = world_tls;

	if (!w)
		return;

	uintptr_t offset = (uintptr_t)p - w->shared_base;

	if (offset < w->shared_bytes) {
		access_shared(w, offset, size, how, site);
		parked_scrub(w);
	}
}

/* By __ATOMIC_RELAXED … __ATOMIC_SEQ_CST. */
static const uint16_t load_how[] = { 0, ACCESS_ACQUIRE, ACCESS_ACQUIRE,
				     0, ACCESS_ACQUIRE, ACCESS_ACQUIRE | ACCESS_SEQ_CST };
static const uint16_t store_how[] = {
	0, 0, 0, ACCESS_RELEASE, ACCESS_RELEASE, ACCESS_RELEASE | ACCESS_SEQ_CST
};

/* Compilers pass hints in higher bits. */
static inline int
plain_order(int order)
{
	return (order & 7) <= __ATOMIC_SEQ_CST ? order & 7 : __ATOMIC_SEQ_CST;
}

static inline uint32_t
load_of(int order)
{
	return ACCESS_LOAD | ACCESS_ATOMIC | load_how[plain_order(order)];
}

static inline uint32_t
store_of(int order)
{
	return ACCESS_STORE | ACCESS_ATOMIC | store_how[plain_order(order)];
}

static inline uint32_t
rmw_of(int order)
{
	int o = plain_order(order);

	return ACCESS_RMW | ACCESS_ATOMIC | load_how[o] | store_how[o];
}

/* A sequentially consistent store is a store and a full barrier (on x86: an exchange). */
static inline void
after_store(const volatile void *p, int order, const void *site)
{
	struct world *w = world_tls;

	if (plain_order(order) == __ATOMIC_SEQ_CST && w && w->current && !w->in_setup &&
	    (uintptr_t)p - w->shared_base < w->shared_bytes)
		access_full_barrier(w, site);
}

#define HERE __builtin_return_address(0)

/* The prototypes are for -Wmissing-prototypes: nobody but the compiler calls these. */
#define PLAIN(prefix, bytes, flags) \
	void __tsan_##prefix##read##bytes(void *p); \
	void __tsan_##prefix##write##bytes(void *p); \
	void __tsan_##prefix##read##bytes(void *p) \
	{ \
		hook(p, bytes, ACCESS_LOAD | (flags), HERE); \
	} \
	void __tsan_##prefix##write##bytes(void *p) \
	{ \
		hook(p, bytes, ACCESS_STORE | (flags), HERE); \
	}

#define PLAIN_SIZES(prefix, flags) \
	PLAIN(prefix, 1, flags) \
	PLAIN(prefix, 2, flags) \
	PLAIN(prefix, 4, flags) \
	PLAIN(prefix, 8, flags) \
	PLAIN(prefix, 16, flags)

PLAIN_SIZES(, 0)
PLAIN_SIZES(unaligned_, 0)
PLAIN_SIZES(volatile_, ACCESS_ONCE)
PLAIN_SIZES(unaligned_volatile_, ACCESS_ONCE)

void
__tsan_init(void);
void
__tsan_func_entry(void *caller);
void
__tsan_func_exit(void);
void
__tsan_read_range(void *p, size_t size);
void
__tsan_write_range(void *p, size_t size);
void
__tsan_vptr_read(void **p);
void
__tsan_vptr_update(void **p, void *value);
void *
__tsan_memcpy(void *to, const void *from, size_t size);
void *
__tsan_memmove(void *to, const void *from, size_t size);
void *
__tsan_memset(void *to, int byte, size_t size);
void
__tsan_atomic_thread_fence(int order);
void
__tsan_atomic_signal_fence(int order);

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *caller)
{
	struct world *w = world_tls;

	if (w && __builtin_expect(w->host->sink != NULL, 0))
		calls_enter(w, caller);
}

void
__tsan_func_exit(void)
{
	struct world *w = world_tls;

	if (w && __builtin_expect(w->host->sink != NULL, 0))
		calls_leave(w);
}

void
__tsan_read_range(void *p, size_t size)
{
	hook(p, (uint32_t)size, ACCESS_LOAD, HERE);
}

void
__tsan_write_range(void *p, size_t size)
{
	hook(p, (uint32_t)size, ACCESS_STORE, HERE);
}

void
__tsan_vptr_read(void **p)
{
	hook(p, sizeof(*p), ACCESS_LOAD, HERE);
}

void
__tsan_vptr_update(void **p, void *value)
{
	hook(p, sizeof(*p), ACCESS_STORE, HERE);
}

void *
__tsan_memcpy(void *to, const void *from, size_t size)
{
	hook(from, (uint32_t)size, ACCESS_LOAD, HERE);
	hook(to, (uint32_t)size, ACCESS_STORE, HERE);
	return memcpy(to, from, size);
}

void *
__tsan_memmove(void *to, const void *from, size_t size)
{
	hook(from, (uint32_t)size, ACCESS_LOAD, HERE);
	hook(to, (uint32_t)size, ACCESS_STORE, HERE);
	return memmove(to, from, size);
}

void *
__tsan_memset(void *to, int byte, size_t size)
{
	hook(to, (uint32_t)size, ACCESS_STORE, HERE);
	return memset(to, byte, size);
}

static void
fence_at(struct world *w, enum fence_kind kind, const void *site)
{
	if (!access_ignored_here(w, site, kind))
		access_fence(w, kind, site);
}

void
__tsan_atomic_thread_fence(int order)
{
	struct world *w = world_tls;

	if (!w || !w->current || w->in_setup || !w->memory)
		return;
	if (order == __ATOMIC_SEQ_CST)
		fence_at(w, FENCE_MB, HERE);
	if (order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL)
		fence_at(w, FENCE_RELEASE, HERE);
	if (order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL)
		fence_at(w, FENCE_ACQUIRE, HERE);
}

void
__tsan_atomic_signal_fence(int order)
{
}

/* Atomics: the hook, then the operation itself, which nobody can interrupt. */
#define ATOMIC_RMW(bits, type, name, expression) \
	type __tsan_atomic##bits##_##name(volatile type *p, type v, int order); \
	type __tsan_atomic##bits##_##name(volatile type *p, type v, int order) \
	{ \
		hook(p, sizeof(*p), rmw_of(order), HERE); \
		type old = *p; \
		*p = (type)(expression); \
		return old; \
	}

#define ATOMIC_CAS(bits, type, strength) \
	int __tsan_atomic##bits##_compare_exchange_##strength(volatile type *p, type *expected, \
							      type v, int order, int fail); \
	int __tsan_atomic##bits##_compare_exchange_##strength(volatile type *p, type *expected, \
							      type v, int order, int fail) \
	{ \
		hook(p, sizeof(*p), rmw_of(order), HERE); \
		if (*p == *expected) { \
			*p = v; \
			return 1; \
		} \
		*expected = *p; \
		return 0; \
	}

#define ATOMICS(bits, type) \
	type __tsan_atomic##bits##_load(const volatile type *p, int order); \
	type __tsan_atomic##bits##_load(const volatile type *p, int order) \
	{ \
		hook(p, sizeof(*p), load_of(order), HERE); \
		return *p; \
	} \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order); \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order) \
	{ \
		hook(p, sizeof(*p), store_of(order), HERE); \
		*p = v; \
		after_store(p, order, HERE); \
	} \
	ATOMIC_RMW(bits, type, exchange, v) \
	ATOMIC_RMW(bits, type, fetch_add, old + v) \
	ATOMIC_RMW(bits, type, fetch_sub, old - v) \
	ATOMIC_RMW(bits, type, fetch_and, old &v) \
	ATOMIC_RMW(bits, type, fetch_or, old | v) \
	ATOMIC_RMW(bits, type, fetch_xor, old ^ v) \
	ATOMIC_RMW(bits, type, fetch_nand, ~(old & v)) \
	ATOMIC_CAS(bits, type, strong) \
	ATOMIC_CAS(bits, type, weak) \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type v, \
							int order, int fail); \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type v, \
							int order, int fail) \
	{ \
		hook(p, sizeof(*p), rmw_of(order), HERE); \
		type old = *p; \
		if (old == expected) \
			*p = v; \
		return old; \
	}

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
