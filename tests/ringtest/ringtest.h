/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's tools/virtio/ringtest: small rings with a guest's and a host's side each, from the
 * kernel's source, unmodified.  One that is not in that source is null.
 */
#ifndef RINGSIDE_TESTS_RINGTEST_H
#define RINGSIDE_TESTS_RINGTEST_H

#include <stdbool.h>
#include <stddef.h>

#include "datapath/barrier.h"

#define RINGTEST_SIZE 2u /* entries; a power of two */

struct ringtest {
	void (*alloc_ring)(void);
	/* The guest's side: 0 or -1; what @datap was given or null. */
	int (*add_inbuf)(unsigned len, void *buf, void *datap);
	void *(*get_buf)(unsigned *len, void **buf);
	void (*disable_call)(void);
	bool (*used_empty)(void);
	bool (*enable_call)(void); /* whether there is nothing to get */
	void (*kick_available)(void);
	/* The host's side. */
	void (*disable_kick)(void);
	bool (*avail_empty)(void);
	bool (*enable_kick)(void); /* whether there is nothing to use */
	bool (*use_buf)(unsigned *len, void **buf);
	void (*call_used)(void);
	/* What each side keeps for itself, outside the ring: static variables of the program. */
	void *guest, *host;
	size_t guest_bytes, host_bytes;
};

extern const struct ringtest rt_ring_ringtest __attribute__((weak));
extern const struct ringtest rt_virtio_ring_0_9_ringtest __attribute__((weak));
extern const struct ringtest rt_virtio_ring_inorder_ringtest __attribute__((weak));
extern const struct ringtest rt_virtio_ring_poll_ringtest __attribute__((weak));

/* The test's: the other side is to be woken; guest memory, zeroed, never given back. */
void
ringtest_kick(void);
void
ringtest_call(void);
int
ringtest_memalign(void **to, size_t bytes);
void *
ringtest_take(size_t bytes);

#endif
