/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio-balloon driver (5.5) with the structure of Linux's
 * drivers/virtio/virtio_balloon.c.
 *
 *	configuration change   ──▶  the worker: as many pages in the balloon as the host wants
 *	                                        command id: report free pages, or give them back
 *	stats buffer used      ──▶  the worker: new statistics, the buffer again
 *	no page is free        ──▶  the task:   hinted pages back, then (DEFLATE_ON_OOM) the
 *	                                        balloon's
 *
 * A report of free pages (virtio_balloon_report_free_page()):
 *
 *	send the command id | allocate a block, queue it … until none is left, the queue is full of
 *	blocks that are not used yet, or another command id came | send the stop id
 *
 * The blocks stay allocated until DONE, or until memory is short; then those go back whose buffer
 * the device has used, because a hint that is still queued would speak of the page's next content.
 *
 * One worker for all of it, where Linux has a work item each: they exclude each other more than in
 * Linux, by what one of them waits for.
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
	struct guest_cpu *cpu; /* where the worker runs */
	struct guest_pages *pages;
	uint32_t poison_val; /* told if the allocator poisons */
	unsigned request_pages; /* of one inflate or deflate request; 0: GUEST_BALLOON_PFNS */
	unsigned hint_chain; /* pages of one chain of hints; 0: 1, as Linux */
};

#define GUEST_HINT_CHAIN_MAX 8u

struct guest_hint {
	uint64_t gfn;
	bool queued; /* the device has not used it yet */
	uint16_t chain; /* what else is in its chain: a slot; itself: nothing more */
};

struct guest_balloon {
	struct world *w;
	struct guest_virtio dev;
	struct guest_balloon_config config;
	struct guest_vq *vq[BALLOON_VQS]; /* null: there is none */
	struct waitq acked; /* a request was used */
	bool ready, busy; /* busy: somebody inflates or deflates (balloon_lock) */
	bool stop_update, working; /* the worker may not begin anything; is at something */
	struct waitq lock_wait;
	bool stats_wanted;
	uint64_t changes_seen, id_seen; /* configuration changes that were acted upon */
	uint64_t pfns_gpa, stats_gpa, ids_gpa;
	uint64_t *page; /* in the balloon, a stack */
	uint32_t pages;
	uint32_t id_received, id_active;
	unsigned ids_sent;
	struct guest_hint *hint;
	unsigned hints; /* slots that are in use are not contiguous; this many */
	uint64_t hinted, released, reports; /* pages, over all rounds; rounds begun */
};

/* A driver instance, and its worker, which waits for probe(). */
struct guest_balloon *
guest_balloon_create(struct world *w, const struct guest_balloon_config *config);

/* virtballoon_probe(), by a task on @cpu: 0 or a negative errno. */
int
guest_balloon_probe(struct guest_balloon *b, struct guest_cpu *cpu);

/*
 * virtballoon_remove(): the worker stops, all pages leave the balloon, hinted ones go back, reset.
 * Freezing is the same, and restoring sets the device up again with what the host wants then.
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
