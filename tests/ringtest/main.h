/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ours, in place of tools/virtio/ringtest/main.h: what the ring programs of that folder take from
 * their main program.  The barriers are calls that the memory models see; kick() and call() wake
 * actors; memory comes from the guest.
 *
 * Each program is compiled by itself and its names get a prefix, RINGTEST: so that several of them
 * fit into one test.
 */
#ifndef RINGSIDE_TESTS_RINGTEST_MAIN_H
#define RINGSIDE_TESTS_RINGTEST_MAIN_H

/* Before the names below mean something else. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringtest.h"

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAMED(x) PASTE(RINGTEST, x)

#define alloc_ring NAMED(alloc_ring)
#define add_inbuf NAMED(add_inbuf)
#define get_buf NAMED(get_buf)
#define disable_call NAMED(disable_call)
#define used_empty NAMED(used_empty)
#define enable_call NAMED(enable_call)
#define kick_available NAMED(kick_available)
#define disable_kick NAMED(disable_kick)
#define avail_empty NAMED(avail_empty)
#define enable_kick NAMED(enable_kick)
#define use_buf NAMED(use_buf)
#define call_used NAMED(call_used)
#define data NAMED(data)
#define ring NAMED(ring)
#define event NAMED(event)
#define guest NAMED(guest)
#define host NAMED(host)

void
alloc_ring(void);
int
add_inbuf(unsigned len, void *buf, void *datap);
void *
get_buf(unsigned *len, void **buf);
void
disable_call(void);
bool
used_empty(void);
bool
enable_call(void);
void
kick_available(void);
void
disable_kick(void);
bool
avail_empty(void);
bool
enable_kick(void);
bool
use_buf(unsigned *len, void **buf);
void
call_used(void);

#define kick ringtest_kick
#define call ringtest_call
#define ring_size RINGTEST_SIZE
#define posix_memalign(to, align, bytes) ringtest_memalign((void **)(to), bytes)
#define calloc(n, bytes) ringtest_take((n) * (bytes))
#define malloc(bytes) ringtest_take(bytes)

#define barrier() __asm__ __volatile__("" ::: "memory")
#define smp_mb() dp_mb()
#define smp_wmb() dp_wmb()
#define smp_acquire() DP_FENCE(DP_FENCE_ACQUIRE, __ATOMIC_ACQUIRE)
#define smp_release() DP_FENCE(DP_FENCE_RELEASE, __ATOMIC_RELEASE)

#endif
