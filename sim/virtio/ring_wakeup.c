/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/ring_wakeup.h"

#include "datapath/barrier.h"

void
ring_wakeup_produce(struct ring_wakeup *r, unsigned n, const struct ring_wakeup_quirks *quirks)
{
	bool fence = !quirks->skip_producer_fence;

	for (unsigned i = 1; i <= n; i++) {
		r->data[i - 1] = i;
		/* Release: who sees the index sees the item. */
		__atomic_store_n(&r->idx, i, __ATOMIC_RELEASE);
		/* The index must be visible before we look whether the consumer sleeps. */
		if (fence)
			dp_mb();
		if (__atomic_load_n(&r->flag, __ATOMIC_RELAXED))
			__atomic_store_n(&r->kick, 1, __ATOMIC_RELEASE);
	}
}

void
ring_wakeup_consume(struct ring_wakeup *r, unsigned n, const struct ring_wakeup_quirks *quirks,
		    struct ring_wakeup_end *end)
{
	bool fence = !quirks->skip_consumer_fence, recheck = !quirks->skip_recheck;
	unsigned l = 0, wrong = 0;
	bool asleep = false;

	do {
		__atomic_store_n(&r->flag, 0, __ATOMIC_RELAXED);
		/* Acquire: the item is there once the index says so. */
		while (__atomic_load_n(&r->idx, __ATOMIC_ACQUIRE) != l) {
			wrong += r->data[l] != l + 1;
			l++;
		}
		if (l == n)
			break;
		__atomic_store_n(&r->flag, 1, __ATOMIC_RELAXED);
		/* The flag must be visible before we look for the last time. */
		if (fence)
			dp_mb();
		asleep = !recheck || __atomic_load_n(&r->idx, __ATOMIC_ACQUIRE) == l;
	} while (!asleep);
	end->consumed = l;
	end->wrong = wrong;
	end->asleep = asleep;
}

DP_UNSEEN bool
ring_wakeup_lost(const struct ring_wakeup *r, unsigned n, const struct ring_wakeup_end *end)
{
	return end->asleep && end->consumed < n && !r->kick;
}
