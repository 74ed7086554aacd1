/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wake-up ring (ring_wakeup.h) as two actors on guest memory. */
#ifndef RINGSIDE_VIRTIO_WAKEUP_H
#define RINGSIDE_VIRTIO_WAKEUP_H

#include "virtio/ring_wakeup.h"

struct world;

struct wakeup {
	struct ring_wakeup *ring; /* in guest memory */
	unsigned items;
	struct ring_wakeup_quirks quirks;
	struct ring_wakeup_end end;
};

/*
 * At set-up: the actors "producer" and "consumer" for @items (1 … RING_WAKEUP_ITEMS_MAX); guest
 * memory is made if there is none.  The result is the world's.
 */
struct wakeup *
wakeup_create(struct world *w, unsigned items, const struct ring_wakeup_quirks *quirks);

/* Of a finished run. */
bool
wakeup_lost(const struct wakeup *u);

#endif
