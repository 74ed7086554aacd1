/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example of a plugin, spoilt in one way each: -DBAD_… .  What is spoilt elsewhere than in an
 * operation is a macro with another default.
 */
#define ringside_datapath lossy_datapath
#include "lossy_ring.c"
#undef ringside_datapath

#include <stdlib.h>
#include <string.h>

#ifndef ABI
#define ABI DATAPATH_ABI_VERSION
#endif
#ifndef NAME
#define NAME "bad"
#endif
#ifndef GET
#define GET bad_get
#endif

static int
bad_init(struct dp_driver **driver, const struct dp_vring *vring, const struct dp_host *host)
{
#ifdef BAD_INIT_NULL
	return 0;
#elif defined(BAD_INIT_ERROR)
	return -ENOTSUP;
#elif defined(BAD_INIT_POSITIVE)
	return 3;
#elif defined(BAD_INIT_CRASH)
	return *(volatile int *)16;
#else
	return lossy_init(driver, vring, host);
#endif
}

#ifdef BAD_UNDEFINED
int
nowhere(void);
#endif

static int
bad_add(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned in, uint64_t token,
	bool indirect, uint64_t table)
{
	volatile int zero = 0, result = 0;

	(void)zero, (void)result;
#ifdef BAD_ADD_SEGV
	*(volatile int *)8 = 1;
#elif defined(BAD_ADD_FPE)
	result = 42 / zero;
#elif defined(BAD_ADD_ABORT)
	abort();
#elif defined(BAD_ADD_ILL)
	__builtin_trap();
#elif defined(BAD_ADD_LOOP)
	while (!zero)
		;
#elif defined(BAD_ADD_RECURSION)
	result = bad_add(d, sg, out, in, token, indirect, table);
	return result + zero;
#elif defined(BAD_UNDEFINED)
	result = nowhere();
#elif defined(BAD_COPY)
	struct desc copy;
	volatile size_t bytes = sizeof(copy);

	memcpy(&copy, d->desc, bytes);
	memmove(&d->desc[1], &copy, bytes);
	memset(&d->desc[2], 0, bytes);
#elif defined(BAD_ADD_CALL_NULL)
	((void (*)(void))(uintptr_t)zero)();
#endif
	return lossy_add(d, sg, out, in, token, indirect, table);
}

static int
bad_get(struct dp_driver *d, uint64_t *token, uint32_t *len)
{
	int ret = lossy_get(d, token, len);

#ifdef BAD_TOKEN
	*token += 1000;
#endif
	return ret;
}

static void
bad_state(struct dp_driver *d, struct dp_state *s)
{
#ifdef BAD_STATE
	*(volatile int *)8 = 1;
#endif
	lossy_state(d, s);
}

#ifdef BAD_INTERRUPT
static bool
bad_interrupt(struct dp_driver *d)
{
	*(volatile int *)8 = 1;
	return true;
}
#endif

#ifdef BAD_STATIC
static unsigned kicks;
static const unsigned harmless = 3;
#endif

static bool
bad_kick_prepare(struct dp_driver *d)
{
#ifdef BAD_STATIC
	kicks += harmless;
#endif
#ifdef BAD_NO_MB
	;
#elif defined(BAD_MFENCE)
	__asm__ __volatile__("mfence" ::: "memory"); /* LINE mfence */
#elif defined(BAD_LOCK)
	__asm__ __volatile__("lock; addl $0, -4(%%rsp)" ::: "memory", "cc"); /* LINE lock */
#elif defined(BAD_XCHG)
	uint16_t i = d->avail_idx, *to = &d->avail->idx;

	__asm__ __volatile__("xchgw %0, %1" : "+r"(i), "+m"(*to)); /* LINE xchg */
#else
	dp_mb();
#endif
	return !(DP_READ_ONCE(d->used->flags) & USED_NO_NOTIFY);
}

/* Without the example's own bug: what the others do is to be seen by itself. */
#ifdef FIXED
static bool
fixed_enable_cb(struct dp_driver *d)
{
	return !lossy_poll(d, lossy_enable_cb_prepare(d));
}
#define ENABLE_CB fixed_enable_cb
#else
#define ENABLE_CB lossy_enable_cb
#endif

static const struct dp_driver_ops bad_driver = {
	.abi_version = ABI,
	.name = NAME,
	.features = VERSION_1,
	.init = bad_init,
	.destroy = lossy_destroy,
	.add = bad_add,
	.kick_prepare = bad_kick_prepare,
	.notify_data = lossy_notify_data,
	.get = GET,
	.disable_cb = lossy_disable_cb,
	.enable_cb_prepare = lossy_enable_cb_prepare,
	.poll = lossy_poll,
	.enable_cb = ENABLE_CB,
	.enable_cb_delayed = ENABLE_CB,
	.detach_unused = lossy_detach_unused,
	.state = bad_state,
#ifdef BAD_INTERRUPT
	.interrupt = bad_interrupt,
#endif
};

#ifdef BAD_SYMBOL
const struct datapath other_name =
#else
const struct datapath ringside_datapath =
#endif
	{
		.name = "bad",
#ifndef BAD_EMPTY
		.driver = &bad_driver,
#endif
	};
