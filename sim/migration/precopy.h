/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Precopy, as QEMU 8.2 does it (migration/migration.c, ram.c): the migration thread is an actor.
 *
 *	set up    bitmap := all pages; dirty logging on; sync 1
 *	iterate   pending_estimate: pages left x 4 KiB
 *	          if that <= threshold: pending_exact, which syncs if it is < threshold
 *	          if nothing or less than threshold is pending: complete
 *	          else ram_save_iterate: pages until the rate budget is used, nothing is left, or
 *	          50 ms passed (looked at every 64 pages)
 *	          at most every 100 ms: bandwidth := bytes / time since; threshold := bandwidth x
 *	          downtime limit; a new rate budget.  Budget used up: sleep until then
 *	complete  stop the machine; last sync; all that is left; multifd sync; device state;
 *	          switch-over
 *
 * A sync comes when little is left, not at the end of RAM: so the walk may pass a page several
 * times in a round.  For each page: clear its chunk in the dirty log if the chunk has not been
 * since the last sync; clear its bit; then read; then send.
 *
 * Relaxed mode: a watched page at a time, a point between all of these, so that each order of
 * writer and thread is met; bandwidth cannot be measured there, and `threshold_bytes` and
 * `budget_pages` take the place of what would follow from it.
 *
 * Timed mode: 64 pages at a time, or 512 of one content, time is spent in quanta of
 * PRECOPY_QUANTUM_NS, and what costs what is in engine/costs.def; a writer is that much out of step
 * with the thread.
 *
 * Everything is the world's memory.
 */
#ifndef RINGSIDE_MIGRATION_PRECOPY_H
#define RINGSIDE_MIGRATION_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#include "migration/vm.h"
#include "migration/vmstate.h"

#define PRECOPY_BUFFER_DELAY_NS INT64_C(100000000) /* BUFFER_DELAY: 100 ms */
/* ram_save_iterate() ends when more than MAX_WAIT, 50 ms, have passed, in whole milliseconds. */
#define PRECOPY_MAX_WAIT_NS INT64_C(51000000)
#define PRECOPY_QUANTUM_NS INT64_C(4000000)
#define PRECOPY_CHANNELS_MAX 16u
#define PRECOPY_PACKET_PAGES_MAX 128u /* MULTIFD_PACKET_SIZE: 512 KiB */

/* ORDER PRECOPY_STATE; the words are QEMU's. */
enum precopy_state {
	PRECOPY_NONE,
	PRECOPY_SETUP,
	PRECOPY_ACTIVE,
	PRECOPY_DEVICE,
	PRECOPY_POSTCOPY_ACTIVE,
	PRECOPY_POSTCOPY_PAUSED,
	PRECOPY_POSTCOPY_RECOVER,
	PRECOPY_COMPLETED,
	PRECOPY_CANCELLING,
	PRECOPY_CANCELLED,
	PRECOPY_FAILED,
	PRECOPY_STATES
};
extern const char *const precopy_state_word[PRECOPY_STATES];

/* Bytes a second, bytes, ns. precopy_config_default() has QEMU 8.2's defaults. */
struct precopy_config {
	int64_t max_bandwidth; /* 0: no limit */
	int64_t downtime_limit_ns;
	int64_t switchover_bandwidth; /* avail-switchover-bandwidth; 0: what is measured */
	int64_t link_bandwidth; /* of the wire; 0: it costs nothing */
	unsigned thread_percent; /* of a processor for the thread while vCPUs run; 100 */
	int64_t threshold_bytes; /* -1: bandwidth x downtime limit */
	bool auto_converge, tailslow;
	unsigned throttle_trigger, throttle_initial, throttle_increment, throttle_max; /* percent */
	int64_t vcpu_dirty_limit; /* bytes a second of each dirtier, 0: off */
	bool xbzrle;
	uint64_t xbzrle_pages; /* the cache */
	unsigned channels; /* multifd; 0: off */
	unsigned packet_pages;
	/* What virtio-mem has unplugged is neither read nor migrated (be39b4cd20). */
	uint64_t unplugged_first, unplugged_pages;
	bool section_flush; /* multifd-flush-after-each-section: as until 8.0 (294e5a4034) */
	uint64_t clear_chunk_pages; /* a power of two of at least 64 */
	/* bitmap_mutex is held for a page's clearing only, as until 2021 (63268c4970). */
	bool mutex_per_page;
	/* Relaxed mode: pages of a rate budget, 0: no limit; the next one begins when nothing else
	 * can run with slow_link, else at any point. */
	uint64_t budget_pages;
	bool slow_link;
	unsigned announce_rounds; /* 0: it does not say where it is */
	int64_t announce_initial_ns, announce_step_ns, announce_max_ns;
};
struct precopy_config
precopy_config_default(void);
static inline bool
precopy_unplugged(const struct precopy_config *c, uint64_t page)
{
	return page - c->unplugged_first < c->unplugged_pages;
}

struct precopy_stats {
	int64_t began_ns, total_ns, setup_ns, downtime_ns, stop_ns;
	uint64_t rounds; /* dirty_sync_count */
	uint64_t normal_pages, zero_pages, xbzrle_pages, skipped_pages;
	uint64_t hinted_pages; /* that were to be sent, until a hint */
	uint64_t bytes; /* on the wire */
	uint64_t iterations; /* calls of ram_save_iterate() */
	int64_t dirty_rate; /* pages a second, as of the last evaluation */
	int64_t bandwidth; /* bytes a second, the last that was measured */
	int64_t threshold, expected_downtime_ns;
	uint64_t throttle_evaluations;
	int64_t throttle_percent; /* the most */
	uint64_t differing; /* pages, at switch-over */
	bool decomposed; /* the machine has devices (vm_device.h): */
	int64_t phase_ns[VM_PHASES]; /* of the downtime */
	int64_t network_ns; /* until the guest can be reached again; 0: nobody says where it is */
};

/* Why a page's last content can no longer reach the destination. ORDER UNCOVERED */
enum uncovered {
	UNCOVERED_WRITE, /* the write was noted nowhere */
	UNCOVERED_CLEAR, /* the note was cleared after the page had been read */
	UNCOVERED_STALE, /* an older content overtook a newer one */
	UNCOVERED_BASE, /* a difference met another base than it was taken from */
	UNCOVERED_LOG_DESTROYED, /* the log went with the note in it */
	UNCOVERED_LAST_SYNC, /* noted in a log that is asked no more */
	UNCOVERED_SENT, /* it was sent, but not what it holds */
	UNCOVERED_NEVER, /* the first pass leaves it out */
	UNCOVERED_KINDS
};
extern const char *const uncovered_word[UNCOVERED_KINDS];

struct precopy;

/*
 * Begin: the thread is made and runs.  @dst has the same blocks as the source's memory and keeps
 * what it holds: a second destination is another one.  @devices may be null.  One migration of a
 * machine at a time. @name must be world_strdup()ed or constant.
 */
struct precopy *
precopy_start(struct migration_vm *vm, struct ram *dst, const struct precopy_config *config,
	      const struct vmstate *devices, const char *name);

/* migrate-set-parameters while it runs: what is -1 stays.  A thread that waits for its budget goes
 * on.
 */
struct precopy_parameters {
	int64_t threshold_bytes, budget_pages;
};
void
precopy_set_parameters(struct precopy *m, const struct precopy_parameters *p);

/* migrate_cancel: it ends as PRECOPY_CANCELLED unless the machine is stopped already. */
void
precopy_cancel(struct precopy *m);

/* Wait for the end; an actor's call. */
enum precopy_state
precopy_wait(struct precopy *m);

enum precopy_state
precopy_state(const struct precopy *m);
const struct precopy_stats *
precopy_stats(const struct precopy *m);
const struct ram *
precopy_destination(const struct precopy *m);
/* Pages that are still to be sent. */
const struct page_bitmap *
precopy_bitmap(const struct precopy *m);

/*
 * qemu_guest_free_page_hint(): the guest said that what [first, first + count) holds is of no
 * worth, so it need not arrive until it is written again.  Takes bitmap_mutex, carries out the
 * KVM_CLEAR_DIRTY_LOG of the chunks that is pending (3143577d6a), takes the pages out of the bitmap
 * and off its count; returns how many need not be sent for it.  Nothing before there is a bitmap
 * and once the guest is over there.  The protocol is the balloon's (vmm/balloon_hint.h): nothing
 * here knows whether the pages were written after they were hinted.
 */
uint64_t
precopy_hint(struct precopy *m, uint64_t first, uint64_t count);
/* migration_dirty_pages: what pending is computed from. Without faults: precopy_bitmap()->set. */
uint64_t
precopy_dirty_pages(const struct precopy *m);

/*
 * mig_throttle_guest_down(): so much was dirtied in a period, more than @limit, and @sent was sent
 * (bytes).  The vCPUs get less from now on; returns what auto-converge takes, percent.
 */
int64_t
precopy_throttle(struct migration_vm *vm, const struct precopy_config *config, uint64_t dirty,
		 uint64_t limit, uint64_t sent);

/*
 * The watch over covers: a page whose destination differs must have its bit in the migration's
 * bitmap, be noted in a log that will be asked, or be under way with what it holds.  Where that
 * ends, EV_MIG_PAGE_UNCOVERED is emitted, at the step that makes the loss inevitable.  O(1); of all
 * pages: what differs is looked for.  Nothing of the model depends on it.
 */
void
precopy_check_page(struct precopy *m, uint64_t page, enum uncovered why);
void
precopy_check_all(struct precopy *m, enum uncovered why);

#endif
