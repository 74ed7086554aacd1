/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COLO under way; for colo*.c only. */
#ifndef RINGSIDE_MIGRATION_COLO_IMPL_H
#define RINGSIDE_MIGRATION_COLO_IMPL_H

#include "migration/colo.h"

#include "kvm/page_bitmap.h"

struct colo_packet {
	uint64_t sequence;
	int64_t payload;
	uint64_t epoch; /* the checkpoint that has the state behind it */
};

struct colo_queue {
	struct colo_packet packet[COLO_PACKETS_MAX];
	unsigned count;
};

struct colo {
	struct migration_vm *vm; /* the primary */
	struct world *w;
	struct colo_config config;
	struct colo_stats stats;
	struct ram *secondary, *cache;
	struct ram *snapshot; /* the primary's memory of the checkpoint: for the check alone */
	struct ram *expected; /* what the secondary's guest has: for the check alone */
	struct ram_writer *vcpu;
	uint64_t count[COLO_SIDES]; /* the guest's register */
	uint64_t sent_count; /* the device state on the wire */
	struct page_bitmap dirty; /* at the primary, of the checkpoint */
	struct page_bitmap received; /* cache differs: what the primary sent */
	struct page_bitmap own; /* what the secondary's guest wrote since it loaded */
	struct colo_queue compare[COLO_SIDES];

	/* Epochs: the messages of checkpoint n carry n. */
	uint64_t stops; /* of the primary */
	uint64_t request, reply, ram_sent, state_sent, whole, loaded;
	bool asked; /* a checkpoint, by timer or compare */
	bool dead, failing, failed_over, stopped; /* the primary; the secondary */
	bool secondary_running, loading;
	bool cache_locked;
	unsigned loading_pages; /* under way to the cache, with two loaders */
	struct waitq primary, incoming, guests;
};

/* colo_secondary.c */
void
colo_incoming(struct actor *self, void *arg);
/* The cache takes a page. */
void
colo_load(struct colo *c, uint64_t page, ram_content content);
/* The secondary's memory against what it must hold; says EV_MIG_PAGE_DIFFERS. */
void
colo_check(struct colo *c, const struct ram *expected);
void
colo_copy(struct ram *to, const struct ram *from);

/* colo_compare.c */
void
colo_compare_put(struct colo *c, enum colo_side side, int64_t payload);
/* The checkpoint is committed: what is held leaves. */
void
colo_compare_flush(struct colo *c);

static inline void
colo_point(struct colo *c)
{
	if (c->vm->steps)
		actor_point(c->w);
}

#endif
