/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wake-up ring: the smallest program in which a notification can be lost, and the one whose
 * schedules are known in number.
 *
 *	producer                              consumer
 *	  for i = 1 … n:                        loop:
 *	    data[i - 1] := i                      flag := 0
 *	    idx := i           (release)          while idx (acquire) != l: read data[l], l++
 *	    full barrier                          stop when l == n
 *	    if flag:                              flag := 1
 *	      kick := 1        (release)          full barrier
 *	                                          if idx (acquire) == l: sleep, stop
 *
 * It is a virtqueue's notification protocol with everything else taken away: idx is avail.idx, flag
 * is the device's wish to be kicked, and the two barriers are those that 2.7.13.4.1 and 2.7.10 ask
 * of driver and device.  The kick is lost if the consumer sleeps before it has seen all and nobody
 * kicked: possible only if a store can pass a later load (x86-TSO and weaker) and one of the
 * barriers is missing; or, on any machine, if the consumer does not look again.
 *
 * Knows nothing of Ringside, as all ring_*.c.
 */
#ifndef RINGSIDE_VIRTIO_RING_WAKEUP_H
#define RINGSIDE_VIRTIO_RING_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

#define RING_WAKEUP_ITEMS_MAX 64u

/* In memory that both sides share; zeroed at the start. */
struct ring_wakeup {
	uint32_t idx, flag, kick;
	uint32_t data[RING_WAKEUP_ITEMS_MAX];
};

/* What to leave out. */
struct ring_wakeup_quirks {
	bool skip_producer_fence, skip_consumer_fence;
	bool skip_recheck; /* the consumer sleeps without looking at idx once more */
};

/* How the consumer ended. */
struct ring_wakeup_end {
	unsigned consumed; /* l */
	unsigned wrong; /* items read before they were written */
	bool asleep;
};

/* Both run once, to their end. @n up to RING_WAKEUP_ITEMS_MAX. */
void
ring_wakeup_produce(struct ring_wakeup *r, unsigned n, const struct ring_wakeup_quirks *quirks);
void
ring_wakeup_consume(struct ring_wakeup *r, unsigned n, const struct ring_wakeup_quirks *quirks,
		    struct ring_wakeup_end *end);

/* From outside, when both have ended: the consumer sleeps, and nobody will ever wake it. */
bool
ring_wakeup_lost(const struct ring_wakeup *r, unsigned n, const struct ring_wakeup_end *end);

#endif
