/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy under way; for postcopy*.c only. */
#ifndef RINGSIDE_MIGRATION_POSTCOPY_IMPL_H
#define RINGSIDE_MIGRATION_POSTCOPY_IMPL_H

#include "migration/postcopy.h"
#include "migration/precopy_impl.h"

#define POSTCOPY_QUEUE_MAX 256u
/* ORDER POSTCOPY_CHANNEL */
enum postcopy_channel { POSTCOPY_MAIN, POSTCOPY_PREEMPT, POSTCOPY_CHANNELS };

struct postcopy_queue {
	uint64_t page[POSTCOPY_QUEUE_MAX];
	unsigned count;
};

struct postcopy_vcpu {
	struct postcopy *p;
	unsigned number;
	int64_t name;
};

struct postcopy {
	struct precopy *m;
	struct world *w;
	bool preempt, asked;
	bool running, ended; /* at the destination: RUN came; all is over */
	struct postcopy_stats stats;
	unsigned vcpus;

	/* The wire. */
	bool link_up;
	unsigned generation; /* of the link */
	struct sent_page flight[POSTCOPY_CHANNELS];
	struct postcopy_queue rp; /* REQ_PAGES on its way to the source */

	/* The source. */
	struct postcopy_queue requests; /* src_page_requests */
	bool paused; /* the migration thread noticed */
	bool rp_busy; /* the return path has a request in its hands */
	struct waitq work, rp_work;

	/* The destination. */
	struct page_bitmap received; /* receivedmap */
	struct page_bitmap requested; /* page_requested */
	struct page_bitmap written; /* by its guest */
	struct postcopy_queue uffd; /* faults that the fault thread has not read */
	struct waitq fault_work, placed;
};

/* False and nothing done if it is full: there are more vCPUs than it has room for. */
bool
postcopy_push(struct postcopy_queue *q, uint64_t page);
bool
postcopy_pop(struct postcopy_queue *q, uint64_t *page);

/* postcopy_dst.c: UFFDIO_COPY of what came over @channel: 0 or -EEXIST. */
int
postcopy_place(struct postcopy *p, const struct sent_page *page, enum postcopy_channel channel);
/* The destination throws away what it received and is dirty again. */
void
postcopy_discard(struct postcopy *p);
/* LISTEN. */
void
postcopy_listen(struct postcopy *p);
/* At RUN: what the destination has and must not be read. */
void
postcopy_check_switch(struct postcopy *p);
/* At the end: pages that differ though nobody at the destination wrote them. */
uint64_t
postcopy_compare(struct postcopy *p);

#endif
