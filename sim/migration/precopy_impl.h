/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A migration under way; for precopy*.c and multifd.c only. */
#ifndef RINGSIDE_MIGRATION_PRECOPY_IMPL_H
#define RINGSIDE_MIGRATION_PRECOPY_IMPL_H

#include "migration/precopy.h"
#include "vmm/precopy_notify.h"

struct postcopy;

/* On the wire: a page's header, the byte of a zero page, XBZRLE's header and an average difference.
 * migration/ram.c: 8 bytes of address and flags, 1 + 2 of XBZRLE. */
#define WIRE_HEADER 8u
#define WIRE_ZERO 1u
#define WIRE_XBZRLE_HEADER 3u
#define WIRE_XBZRLE (WIRE_XBZRLE_HEADER + 256u)
#define WIRE_EOS 8u
#define CACHED_PAGE_LIFETIME 2 /* page_cache.c: rounds that a page of the cache is not replaced */
#define PAGE_BYTES 4096u

struct sent_page {
	uint64_t page;
	ram_content content;
};

/* page_cache.c's CacheItem: @age is the dirty_sync_count of when it was put there or used. */
struct cached_page {
	struct sent_page sent;
	uint64_t age;
	bool used;
};

struct multifd_channel {
	struct precopy *m;
	unsigned number;
	bool busy; /* a packet is queued or on the wire */
	unsigned pages;
	struct sent_page packet[PRECOPY_PACKET_PAGES_MAX];
	struct waitq work;
};

struct precopy {
	struct migration_vm *vm;
	struct world *w;
	struct ram *dst;
	struct precopy_config config;
	const struct vmstate *devices;
	int64_t name;
	enum precopy_state state;
	struct precopy_stats stats;
	struct waitq done;
	bool cancel;
	struct postcopy *postcopy; /* the capability postcopy-ram, or null */

	struct page_bitmap bitmap; /* RAMBlock.bmap */
	uint64_t dirty_pages; /* migration_dirty_pages: how many bits of it are set */
	uint64_t last_sync_pages; /* dirty_bytes_last_sync, in pages */
	struct actor *bitmap_mutex; /* who has it: bitmap and count are changed under it */
	struct waitq mutex_wait;
	struct precopy_target target; /* of free page hints */
	struct page_bitmap dropped; /* hinted or discarded, and not written since */
	uint64_t *clear_pending; /* RAMBlock.clear_bmap: a bit a chunk */
	uint64_t at; /* the walk */
	bool last_sync; /* logs are asked no more */
	struct sent_page on_wire; /* of the main channel, between read and load */
	uint64_t reading; /* its bit was cleared, and it is about to be read */
	int64_t ahead_ns; /* time that was used and not yet slept */

	/* Counters: ORDER as in migration_update_counters(). */
	int64_t iteration_start_ns;
	uint64_t iteration_bytes, rate_bytes;
	uint64_t budget_used; /* pages, with budget_pages */
	bool rate_off;
	/* migration_trigger_throttle() */
	int64_t last_evaluation_ns;
	uint64_t period_dirty_pages, period_bytes;
	unsigned dirty_rate_high;

	/* XBZRLE: direct mapped, as page_cache.c. */
	struct cached_page *cache;
	uint64_t cache_pages;
	bool xbzrle_started;

	struct multifd_channel *channel;
	unsigned next_channel;
	unsigned queued; /* pages in `fill` */
	struct sent_page fill[PRECOPY_PACKET_PAGES_MAX];
	struct waitq channel_ready;
	int64_t link_free_ns; /* when the wire has sent what channels gave it */
};

/* precopy.c: time */
int64_t
precopy_now(const struct precopy *m);
/* Spend @ns: at once if much has gathered, or @flush. */
void
precopy_spend(struct precopy *m, int64_t ns, bool flush);
/* The same of a processor's work, which takes longer where vCPUs want the processor, too. */
void
precopy_work(struct precopy *m, int64_t ns);
static inline void
precopy_point(struct precopy *m)
{
	if (m->vm->steps)
		actor_point(m->w);
}
/* How many pages of content the rate budget lets through before it is used up; at least 1. */
uint64_t
precopy_room_pages(const struct precopy *m);
/* @bytes go onto the wire. */
void
precopy_put(struct precopy *m, uint64_t bytes);

/*
 * precopy_hint.c: bitmap_mutex. Does not nest.  The thread holds it for a sync's move, for each
 * ram_save_iterate() and for the last pass, points and all: a hint waits that long.  With
 * mutex_per_page the latter two do not, and precopy_clear_dirty() takes it itself.
 */
void
precopy_bitmap_lock(struct precopy *m);
void
precopy_bitmap_unlock(struct precopy *m);
static inline void
precopy_walk_lock(struct precopy *m)
{
	if (!m->config.mutex_per_page)
		precopy_bitmap_lock(m);
}
static inline void
precopy_walk_unlock(struct precopy *m)
{
	if (!m->config.mutex_per_page)
		precopy_bitmap_unlock(m);
}
/* The end of an iteration: unlocks, and in timed mode who waits for the mutex gets it. */
void
precopy_let_in(struct precopy *m);
/* migration_bitmap_clear_dirty() of bitmap and count; false if the page need not be sent. */
bool
precopy_clear_dirty(struct precopy *m, uint64_t page);

/* precopy_sync.c */
void
precopy_sync(struct precopy *m, bool last);

/* precopy_send.c: the next dirty pages, up to 64 of one word; false if there are none. */
bool
precopy_send_next(struct precopy *m, uint64_t *pages);
/* KVM_CLEAR_DIRTY_LOG of @page's chunk, if it has not been since the last sync. */
void
precopy_clear_chunk(struct precopy *m, uint64_t page);
/* The destination stores a page. */
void
precopy_load(struct precopy *m, const struct sent_page *p, unsigned channel, const char *how);

/* multifd.c */
void
multifd_start(struct precopy *m);
void
multifd_queue(struct precopy *m, uint64_t page, ram_content content);
/* multifd_send_sync_main(): when it returns all that was queued has arrived. */
void
multifd_flush(struct precopy *m);
/* Whether @page is under way in some channel with @content, and nothing older behind it. */
bool
multifd_carries(const struct precopy *m, uint64_t page, ram_content content);

/* precopy_complete.c */
void
precopy_complete(struct precopy *m);
/* Save, send and load the devices' state, and let images go; 0, or what the load answers. */
int
precopy_send_devices(struct precopy *m);
/* The destination has the state: it starts what the source stopped, and the downtime ends. */
void
precopy_start_destination(struct precopy *m);
/* qemu_announce_self(), and the guest's own. */
void
precopy_announce(struct precopy *m);

void
precopy_set_state(struct precopy *m, enum precopy_state state);

#endif
