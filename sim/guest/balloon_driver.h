/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio-balloon driver (5.5) with the structure of Linux's
 * drivers/virtio/virtio_balloon.c.
 *
 *	configuration change ──▶ size:  one request towards what the host wants, and again
 *	                     ──▶ hints: command id: report free pages, or give them back
 *	stats buffer used    ──▶ stats: new statistics, the buffer again
 *	no page is free      ──▶ the task: some hinted pages back, then (DEFLATE_ON_OOM) the
 *	                                   balloon's
 *
 * size, hints and stats are work items: each runs once at a time, beside the others; one that is
 * queued while it runs, runs again (system_freezable_wq, balloon-wq).
 *
 * A report of free pages (virtio_balloon_report_free_page()):
 *
 *	send the command id | allocate a block, queue it … until no block is free or another command
 *	id came; with the queue full the block is freed, and the next one tried | send the stop id
 *
 * The command id is read from the configuration when a change was noted since it was read last
 * (VIRTIO_BALLOON_CONFIG_READ_CMD_ID), else it is what was read then.  It may change between the
 * decision to report and the report: then whatever is there is sent as the report's id.
 *
 * The blocks stay allocated until DONE, or until memory is short; then those go back whose buffer
 * the device has used, because a hint that is still queued would speak of the page's next content.
 *
 * Memory: the world's; buffers with page numbers and statistics are guest RAM of the driver's.
 */
#ifndef RINGSIDE_GUEST_BALLOON_DRIVER_H
#define RINGSIDE_GUEST_BALLOON_DRIVER_H

#include "guest/page_alloc.h"
#include "guest/virtio_driver.h"
#include "virtio/balloon.h"

#define GUEST_BALLOON_PFNS 256u /* VIRTIO_BALLOON_ARRAY_PFNS_MAX: of one request */
#define GUEST_BALLOON_HINTS_MAX 1024u /* blocks held at a time */
#define GUEST_BALLOON_OOM_PAGES 256u /* VIRTIO_BALLOON_OOM_NR_PAGES: deflated at a time */

struct guest_balloon_config {
	struct guest_virtio_config virtio;
	struct guest_cpu *cpu; /* where the work items run */
	struct guest_pages *pages;
	uint32_t poison_val; /* told if the allocator poisons */
	unsigned request_pages; /* of one inflate or deflate request; 0: GUEST_BALLOON_PFNS */
	unsigned hint_chain; /* blocks of one chain of hints; 0: 1, as Linux */
	/* A hint is of 1 << hint_order pages; Linux: VIRTIO_BALLOON_HINT_BLOCK_ORDER. */
	unsigned hint_order;
};

#define GUEST_HINT_CHAIN_MAX 8u
#define GUEST_HINT_ORDER_MAX 10u /* MAX_ORDER - 1: 4 MiB, as Linux */
#define GUEST_SHRINK_PAGES 128u /* SHRINK_BATCH: of one call of the shrinker */

struct guest_hint {
	uint64_t gfn; /* of a block; GUEST_NO_PAGE: the slot is free, or its block was released */
	bool queued; /* the device has not used it yet */
	uint16_t chain; /* what else is in its chain: a slot; itself: nothing more */
};

struct guest_balloon;

/* struct work_struct with the worker that runs it. */
struct guest_balloon_work {
	struct guest_balloon *b;
	void (*fn)(struct guest_balloon *b, struct guest_cpu *cpu);
	bool pending, running;
	struct waitq queued;
};

struct guest_balloon {
	struct world *w;
	struct guest_virtio dev;
	struct guest_balloon_config config;
	struct guest_vq *vq[BALLOON_VQS]; /* null: there is none */
	struct waitq acked; /* a request was used */
	struct guest_balloon_work size, hints_work, stats;
	bool ready;
	bool busy, reporting; /* somebody inflates or deflates (balloon_lock); reports */
	bool stop_update; /* nothing is queued any more */
	bool frozen; /* work items wait */
	struct waitq lock_wait; /* one of these changed, or a work item ended */
	bool read_id; /* VIRTIO_BALLOON_CONFIG_READ_CMD_ID */
	uint64_t pfns_gpa, stats_gpa, ids_gpa;
	uint64_t *page; /* in the balloon, a stack */
	uint32_t pages;
	uint32_t id_received, id_active;
	unsigned ids_sent;
	struct guest_hint *hint;
	unsigned hints; /* slots that are in use are not contiguous; this many blocks */
	uint64_t hinted, released, reports; /* pages, over all rounds; rounds begun */
};

/* A driver instance, and its workers, which wait for probe(). */
struct guest_balloon *
guest_balloon_create(struct world *w, const struct guest_balloon_config *config);

/* virtballoon_probe(), by a task on @cpu: 0 or a negative errno. */
int
guest_balloon_probe(struct guest_balloon *b, struct guest_cpu *cpu);

/* Nothing is queued, and nothing runs. */
bool
guest_balloon_idle(const struct guest_balloon *b);

/*
 * virtballoon_remove(): work items are cancelled, all pages leave the balloon, hinted ones go back,
 * reset.  Freezing keeps what is queued for later; restoring sets the device up again with what the
 * host wants then.
 */
void
guest_balloon_remove(struct guest_balloon *b, struct guest_cpu *cpu);
void
guest_balloon_freeze(struct guest_balloon *b, struct guest_cpu *cpu);
int
guest_balloon_restore(struct guest_balloon *b, struct guest_cpu *cpu);

/* fill_balloon(), leak_balloon() by a task: pages that went in, came out. */
uint32_t
guest_balloon_inflate(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages);
uint32_t
guest_balloon_deflate(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages);

/*
 * Report up to @pages free pages (page_reporting_cycle()); returns how many when the device has
 * used them and they are free again.
 */
uint32_t
guest_balloon_report(struct guest_balloon *b, struct guest_cpu *cpu, uint32_t pages);

#endif
