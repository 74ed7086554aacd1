/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COLO under way; for colo*.c only. */
#ifndef RINGSIDE_MIGRATION_COLO_IMPL_H
#define RINGSIDE_MIGRATION_COLO_IMPL_H

#include "migration/colo.h"

#include "kvm/page_bitmap.h"

struct colo_disk;
struct colo_net;

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
	struct colo_net *net;
	struct colo_disk *disk; /* null: none */
	struct colo_sample *sample;
	uint64_t samples_max;
	/* migration_bitmap_sync()'s period: what began with it, and how many were high. */
	int64_t last_evaluation_ns;
	uint64_t period_dirty_pages, period_pages;
	unsigned dirty_rate_high;
	int64_t phase_ns, asked_ns; /* when the phase began; a checkpoint was asked for */

	/* Epochs: the messages of checkpoint n carry n. */
	uint64_t stops; /* of the primary */
	uint64_t request, reply, ram_sent, state_sent, whole, loaded;
	bool asked; /* a checkpoint, by timer or compare */
	bool migrated, ready, started; /* the first migration; CHECKPOINT_READY; both run */
	bool dead, failed, stopped; /* the primary; COLO, by an error */
	bool secondary_running, loading; /* vmstate_loading */
	/* Failover: asked for; put off; sockets are shut; the incoming thread is no more; over. */
	bool secondary_dead, primary_shut, primary_ended, alone; /* the same at the primary */
	bool failing, relaunch, relaunched, shut, incoming_ended, failed_over;
	bool cache_locked;
	unsigned loading_pages; /* loaders under way */
	struct waitq primary, incoming, guests;
};

/* colo.c: wait until the guest on @side may run; false if it never will. */
bool
colo_guest_runs(struct colo *c, enum colo_side side);
/* The primary's thread. */
void
colo_process(struct actor *self, void *arg);
/* What the primary's guest has at this checkpoint; for the check alone. */
void
colo_snapshot(struct colo *c);
/* colo_life.c: from the first migration to both sides running; false if it came to nothing. */
bool
colo_begin(struct colo *c);
/* Timed mode: @bytes and so many ways of a round trip's two; a processor's work. */
void
colo_link(struct colo *c, int64_t bytes, unsigned ways);
void
colo_work(struct colo *c, int64_t ns);

/* colo_throttle.c: mig_throttle_counter_reset(); and the end of a sync that found @added pages. */
void
colo_throttle_reset(struct colo *c);
void
colo_throttle_synced(struct colo *c, uint64_t added);

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
/* colo_flush_ram_cache() */
void
colo_flush_cache(struct colo *c);

/* colo_compare.c, colo_tcp.c */
void
colo_net_create(struct colo *c);
/* colo_step()'s packet. */
void
colo_compare_put(struct colo *c, enum colo_side side, int64_t payload);
/* The checkpoint is committed: what is held leaves. */
void
colo_compare_flush(struct colo *c);
/* The primary's host is no more, and all that was held there. */
void
colo_compare_lose(struct colo *c);
/* TCP of the primary's guest goes with its state; the secondary's guest has it. */
void
colo_net_save(struct colo *c);
void
colo_net_load(struct colo *c);

/* colo_disk.c; all of them do nothing where there is no disk. */
void
colo_disk_create(struct colo *c);
/* replication_start() on one side. */
void
colo_disk_start(struct colo *c, enum colo_side side);
/* Wait until no request of the guest on @side is under way. */
void
colo_disk_drain(struct colo *c, enum colo_side side);
/* For the check: the primary's disk as of this checkpoint; the secondary has it now. */
void
colo_disk_snapshot(struct colo *c);
void
colo_disk_loaded(struct colo *c);
/* What the secondary's guest would read, against that; says EV_COLO_DISK_DIFFERS. */
void
colo_disk_check(struct colo *c, bool of_snapshot);
/* Whether a write was not forwarded: replication_get_error() of the primary. */
bool
colo_disk_error(const struct colo *c);
/* replication_do_checkpoint() of the secondary. */
void
colo_disk_checkpoint(struct colo *c);
void
colo_disk_failover(struct colo *c);
/* The primary's: the NBD client is yanked, and taken out of the quorum. */
void
colo_disk_leave(struct colo *c);
/* A host died: who waits for a request looks again. */
void
colo_disk_wake(struct colo *c);

static inline void
colo_point(struct colo *c)
{
	if (c->vm->steps)
		actor_point(c->w);
}

#endif
