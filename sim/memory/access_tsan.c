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
hook(const volatile void *p, uint32_t size, enum access_kind kind, const void *site)
{
	struct world *w = world_tls;

	if (!w)
		return;

	uintptr_t offset = (uintptr_t)p - w->shared_base;

	if (offset < w->shared_bytes)
		access_shared(w, offset, size, kind, site);
}

#define HERE __builtin_return_address(0)

/* The prototypes are for -Wmissing-prototypes: nobody but the compiler calls these. */
#define PLAIN(prefix, bytes) \
	void __tsan_##prefix##read##bytes(void *p); \
	void __tsan_##prefix##write##bytes(void *p); \
	void __tsan_##prefix##read##bytes(void *p) \
	{ \
		hook(p, bytes, ACCESS_LOAD, HERE); \
	} \
	void __tsan_##prefix##write##bytes(void *p) \
	{ \
		hook(p, bytes, ACCESS_STORE, HERE); \
	}

#define PLAIN_SIZES(prefix) \
	PLAIN(prefix, 1) \
	PLAIN(prefix, 2) \
	PLAIN(prefix, 4) \
	PLAIN(prefix, 8) \
	PLAIN(prefix, 16)

PLAIN_SIZES()
PLAIN_SIZES(unaligned_)
PLAIN_SIZES(volatile_)
PLAIN_SIZES(unaligned_volatile_)

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

void
__tsan_atomic_thread_fence(int order)
{
	struct world *w = world_tls;

	if (w && w->current && w->host->sink && !w->in_setup)
		access_settle(w, w->current);
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
		hook(p, sizeof(*p), ACCESS_RMW, HERE); \
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
		hook(p, sizeof(*p), ACCESS_RMW, HERE); \
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
		hook(p, sizeof(*p), ACCESS_LOAD, HERE); \
		return *p; \
	} \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order); \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order) \
	{ \
		hook(p, sizeof(*p), ACCESS_STORE, HERE); \
		*p = v; \
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
		hook(p, sizeof(*p), ACCESS_RMW, HERE); \
		type old = *p; \
		if (old == expected) \
			*p = v; \
		return old; \
	}

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
