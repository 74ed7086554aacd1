/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An example of a plugin: the driver side of a split virtqueue, in one file, with one bug.
 *
 *	cc -O2 -g -fPIC -shared -fsanitize=thread -nodefaultlibs -Isim \
 *		scenarios/plugin/lossy_ring.c -o lossy_ring.so
 *	ringside explore --datapath ./lossy_ring.so scenarios/plugin/lossy-ring.lua:holds
 *
 * The device side is native, since there is none here.  No event index, no indirect tables, no
 * packed ring: what .features does not name is not negotiated.
 */
#include <errno.h>

#include "datapath/plugin.h"

/* --- the rings, as the specification lays them out (2.7) ------------------------------------- */

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct avail {
	uint16_t flags, idx;
	uint16_t ring[];
};

struct used_elem {
	uint32_t id, len;
};

struct used {
	uint16_t flags, idx;
	struct used_elem ring[];
};

#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u
#define VERSION_1 (UINT64_C(1) << 32)

/* --- our side -------------------------------------------------------------------------------- */

struct chain {
	uint64_t token;
	uint16_t ndescs; /* 0: no chain begins at this descriptor */
};

/* All of it from host.alloc(): what is static would not be put back between two schedules. */
struct dp_driver {
	struct dp_host host;
	struct desc *desc;
	struct avail *avail;
	struct used *used;
	uint16_t size, index;
	uint16_t avail_idx, last_used_idx;
	uint16_t free_head, num_free;
	bool broken; /* the device wrote what it may not: nothing is believed any more */
	uint16_t next[DP_SG_MAX];
	struct chain chain[DP_SG_MAX];
};

static int
lossy_init(struct dp_driver **driver, const struct dp_vring *vring, const struct dp_host *host)
{
	struct dp_driver *d;
	uint16_t size = vring->size;

	if (size > DP_SG_MAX || vring->start_idx)
		return -ENOTSUP;
	d = host->alloc(host->ctx, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->host = *host;
	d->desc = host->map(host->ctx, vring->desc, size * sizeof(struct desc));
	d->avail = host->map(host->ctx, vring->driver, sizeof(struct avail) + size * 2u);
	d->used = host->map(host->ctx, vring->device,
			    sizeof(struct used) + size * sizeof(struct used_elem));
	if (!d->desc || !d->avail || !d->used) {
		host->free(host->ctx, d, sizeof(*d));
		return -EINVAL;
	}
	d->size = size;
	d->index = vring->index;
	d->num_free = size;
	for (uint16_t i = 0; i < size; i++)
		d->next[i] = (uint16_t)(i + 1);
	*driver = d;
	return 0;
}

static void
lossy_destroy(struct dp_driver *d)
{
	d->host.free(d->host.ctx, d, sizeof(*d));
}

static int
lossy_add(struct dp_driver *d, const struct dp_buf *sg, unsigned out, unsigned in, uint64_t token,
	  bool indirect, uint64_t table)
{
	unsigned total = out + in;
	uint16_t head = d->free_head, i = head;

	(void)indirect;
	(void)table;
	if (!total || total > d->size)
		return -EINVAL;
	if (total > d->num_free)
		return -ENOSPC;
	for (unsigned n = 0; n < total; n++) {
		struct desc *to = &d->desc[i];

		to->addr = sg[n].addr;
		to->len = sg[n].len;
		to->flags =
			(uint16_t)((n >= out ? DESC_WRITE : 0) | (n + 1 < total ? DESC_NEXT : 0));
		to->next = d->next[i];
		i = d->next[i];
	}
	d->free_head = i;
	d->num_free = (uint16_t)(d->num_free - total);
	d->chain[head] = (struct chain){ token, (uint16_t)total };
	d->avail->ring[d->avail_idx % d->size] = head;
	/* The entry must be there before the index that shows it (2.7.13.3.1). */
	dp_wmb();
	DP_WRITE_ONCE(d->avail->idx, ++d->avail_idx);
	return 0;
}

static bool
lossy_kick_prepare(struct dp_driver *d)
{
	/* And the index before we look whether the device wants to hear of it (2.7.13.4.1). */
	dp_mb();
	return !(DP_READ_ONCE(d->used->flags) & USED_NO_NOTIFY);
}

static uint32_t
lossy_notify_data(struct dp_driver *d)
{
	return (uint32_t)d->avail_idx << 16 | d->index;
}

static int
lossy_get(struct dp_driver *d, uint64_t *token, uint32_t *len)
{
	const struct used_elem *from = &d->used->ring[d->last_used_idx % d->size];
	uint32_t head;
	uint16_t last;

	if (d->broken)
		return -EINVAL;
	if (DP_READ_ONCE(d->used->idx) == d->last_used_idx)
		return 0;
	/* The element only after the index that says that it is there. */
	dp_rmb();
	head = from->id;
	*len = from->len;
	if (head >= d->size || !d->chain[head].ndescs) {
		d->broken = true;
		d->host.guest_error(d->host.ctx, "used id is not outstanding", head);
		return -EINVAL;
	}
	*token = d->chain[head].token;
	last = (uint16_t)head;
	for (uint16_t n = 1; n < d->chain[head].ndescs; n++)
		last = d->next[last];
	d->next[last] = d->free_head;
	d->free_head = (uint16_t)head;
	d->num_free = (uint16_t)(d->num_free + d->chain[head].ndescs);
	d->chain[head].ndescs = 0;
	d->last_used_idx++;
	return 1;
}

static void
lossy_disable_cb(struct dp_driver *d)
{
	DP_WRITE_ONCE(d->avail->flags, AVAIL_NO_INTERRUPT);
}

static unsigned
lossy_enable_cb_prepare(struct dp_driver *d)
{
	DP_WRITE_ONCE(d->avail->flags, 0);
	return d->last_used_idx;
}

static bool
lossy_poll(struct dp_driver *d, unsigned position)
{
	dp_mb();
	return DP_READ_ONCE(d->used->idx) != (uint16_t)position;
}

/*
 * The bug.  Between the last get() and the store to avail.flags the device may have used a buffer
 * and, seeing the flag, kept its interrupt to itself.  Whoever enables callbacks must look at
 * used.idx once more (2.7.14), as lossy_poll() does, and go on reaping if something is there.
 */
static bool
lossy_enable_cb(struct dp_driver *d)
{
	lossy_enable_cb_prepare(d);
	return true;
}

static int
lossy_detach_unused(struct dp_driver *d, uint64_t *token)
{
	for (uint16_t i = 0; i < d->size; i++) {
		if (!d->chain[i].ndescs)
			continue;
		*token = d->chain[i].token;
		d->chain[i].ndescs = 0;
		return 1;
	}
	return 0;
}

/* For people and oracles; unseen, because it is no part of the algorithm. */
DP_UNSEEN static void
lossy_state(struct dp_driver *d, struct dp_state *s)
{
	*s = (struct dp_state){ 0 };
	s->avail_idx = s->shadow_avail_idx = d->avail_idx;
	s->last_used_idx = d->last_used_idx;
	s->used_idx = d->used->idx;
	s->avail_flags = d->avail->flags;
	s->used_flags = d->used->flags;
	s->num_free = d->num_free;
	s->broken = d->broken;
	s->inuse = (uint16_t)(d->avail_idx - d->last_used_idx);
	s->callbacks_enabled = !(d->avail->flags & AVAIL_NO_INTERRUPT);
}

static const struct dp_driver_ops lossy_driver = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "lossy_ring",
	.features = VERSION_1,
	.init = lossy_init,
	.destroy = lossy_destroy,
	.add = lossy_add,
	.kick_prepare = lossy_kick_prepare,
	.notify_data = lossy_notify_data,
	.get = lossy_get,
	.disable_cb = lossy_disable_cb,
	.enable_cb_prepare = lossy_enable_cb_prepare,
	.poll = lossy_poll,
	.enable_cb = lossy_enable_cb,
	.enable_cb_delayed = lossy_enable_cb,
	.detach_unused = lossy_detach_unused,
	.state = lossy_state,
};

const struct datapath ringside_datapath = {
	.name = "lossy_ring",
	.driver = &lossy_driver,
};
