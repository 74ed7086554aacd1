/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Postcopy under way; for postcopy*.c only. */
#ifndef RINGSIDE_MIGRATION_POSTCOPY_IMPL_H
#define RINGSIDE_MIGRATION_POSTCOPY_IMPL_H

#include "migration/postcopy.h"
#include "migration/precopy_impl.h"

#define POSTCOPY_QUEUE_MAX 256u
/* Pages under way in one channel: of content, 7 MiB are 1800; so it bounds zeros alone. */
#define POSTCOPY_FLIGHT_MAX 8192u
/* Timed: sender and reader spend their time in pieces of this, and are that much early. */
#define POSTCOPY_QUANTUM_NS 10000
/* ORDER POSTCOPY_CHANNEL */
enum postcopy_channel { POSTCOPY_MAIN, POSTCOPY_PREEMPT, POSTCOPY_CHANNELS };

/* Requests: pages, and when each arrives. */
struct postcopy_queue {
	uint64_t page[POSTCOPY_QUEUE_MAX];
	int64_t at_ns[POSTCOPY_QUEUE_MAX];
	unsigned count;
};

struct postcopy_vcpu {
	struct postcopy *p;
	unsigned number;
	int64_t name;
	struct postcopy_vcpu_stats stats;
};

/* PageSearchStatus: the host page that is being sent. */
struct postcopy_search {
	bool sending, urgent;
	enum postcopy_channel channel;
	uint64_t page, first, end;
};

/* PostcopyTmpPage: what came of a host page. */
struct postcopy_tmp {
	uint64_t first, pages;
	ram_content *content;
};

struct postcopy_flight {
	struct sent_page page;
	uint64_t bytes;
	int64_t at_ns;
};

/* A channel in timed mode: what its sockets hold, in order. */
struct postcopy_wire {
	struct postcopy *p;
	enum postcopy_channel number;
	bool reading; /* the destination has a page in its hands */
	struct postcopy_flight *flight; /* a ring */
	unsigned head, count;
	uint64_t bytes;
	int64_t ahead_ns; /* of the sender's time, not yet spent */
	int64_t free_ns; /* when the wire has sent all of it */
	struct waitq arrived, room;
};

/* ORDER POSTCOPY_LINK */
enum postcopy_link { POSTCOPY_UP, POSTCOPY_DOWN, POSTCOPY_RECOVERING };

struct postcopy {
	struct precopy *m;
	struct world *w;
	struct postcopy_config config;
	bool asked;
	bool running, ended; /* at the destination: RUN came; all is over */
	struct postcopy_stats stats;
	unsigned vcpus, blocked;
	int64_t all_blocked_ns;

	/* The link. */
	enum postcopy_link link;
	bool preempt_up, preempt_error; /* the source saw that it is not */
	unsigned generation; /* of the link */
	struct sent_page flight[POSTCOPY_CHANNELS]; /* relaxed: one page at a time */
	struct postcopy_wire wire[POSTCOPY_CHANNELS]; /* timed */
	struct page_bitmap on_wire; /* sent and not yet placed */
	struct postcopy_queue rp; /* REQ_PAGES on its way to the source */

	/* The source. */
	struct postcopy_queue requests; /* src_page_requests */
	struct postcopy_search search; /* of the migration thread */
	struct postcopy_search broken; /* the host page that it left */
	struct page_bitmap taken; /* by the return path, and not yet sent */
	struct page_bitmap released; /* with release_ram: no longer there */
	uint64_t hint; /* where the migration thread is to go on */
	bool hinted;
	bool paused; /* the migration thread noticed */
	bool rp_busy; /* the return path has a request in its hands */
	bool stuck; /* a recovery that failed and was not ended */
	struct waitq work, rp_work;

	/* The destination. */
	struct page_bitmap received; /* receivedmap */
	struct page_bitmap requested; /* page_requested: first pages of host pages */
	struct page_bitmap written; /* by its guest */
	struct postcopy_tmp tmp[POSTCOPY_CHANNELS];
	uint64_t used_pages[RAM_BLOCKS_MAX]; /* used_length, as its guest has it */
	struct postcopy_queue uffd; /* faults that the fault thread has not read */
	struct waitq fault_work, placed;
	bool connected, accepted; /* the preempt channel: by the kernel, by QEMU's main loop */
	struct waitq accept;
};

static inline bool
postcopy_preempts(const struct postcopy *p)
{
	return p->config.preempt != POSTCOPY_PREEMPT_NONE;
}

/* The return path's thread sends. */
static inline bool
postcopy_two_senders(const struct postcopy *p)
{
	return p->config.preempt >= POSTCOPY_PREEMPT_THREAD;
}

/* False and nothing done if it is full: there are more vCPUs than it has room for. */
bool
postcopy_push(struct postcopy_queue *q, uint64_t page, int64_t at_ns);
bool
postcopy_pop(struct postcopy_queue *q, uint64_t *page);

/* --- postcopy_send.c ------------------------------------------------------------------------ */

/* The next host page that is to be sent, requested ones first, and all of it.  @found is false if
 * there was none. Returns false if the link failed. */
bool
postcopy_save_next(struct postcopy *p, bool *found);
/* The return path sends the host page that @page is in. */
void
postcopy_save_urgent(struct postcopy *p, uint64_t page);

/* --- postcopy_wire.c ------------------------------------------------------------------------ */

void
postcopy_wire_init(struct postcopy *p);
/* The threads that read, in timed mode. */
void
postcopy_wire_start(struct postcopy *p);
/* What the sender does for a page takes its time, POSTCOPY_QUANTUM_NS at once; the rest of it. */
void
postcopy_wire_work(struct postcopy *p, enum postcopy_channel channel, bool zero);
void
postcopy_wire_rest(struct postcopy *p, enum postcopy_channel channel);
/* Hand a page to the channel's socket: waits for room. False if the link failed. */
bool
postcopy_wire_send(struct postcopy *p, enum postcopy_channel channel, const struct sent_page *page,
		   uint64_t bytes);
/* Nothing is under way in it. */
bool
postcopy_wire_empty(const struct postcopy *p, enum postcopy_channel channel);
/* What is under way is gone. */
void
postcopy_wire_drop(struct postcopy *p, enum postcopy_channel channel);
/* Half a round trip from now. */
int64_t
postcopy_request_arrival(const struct postcopy *p);

/* --- postcopy_link.c ------------------------------------------------------------------------ */

/* The source noticed that the preempt channel is dead: all of the link goes. */
void
postcopy_preempt_failed(struct postcopy *p);

/* --- postcopy_dst.c ------------------------------------------------------------------------- */

/* ram_load_postcopy() of a page that came over @channel: 0, -EEXIST, or -EINVAL if it belongs to
 * another host page than the one that is being gathered. */
int
postcopy_load(struct postcopy *p, const struct sent_page *page, enum postcopy_channel channel);
/* The destination throws away what it received and is dirty again. False: it cannot. */
bool
postcopy_discard(struct postcopy *p);
/* LISTEN. */
void
postcopy_listen(struct postcopy *p);
/* The package, in the destination's main thread: devices, and RUN. */
void
postcopy_load_package(struct postcopy *p);
/* RUN: the guest goes on there. */
void
postcopy_run_guest(struct postcopy *p);
/* At RUN: what the destination has and must not be read. */
void
postcopy_check_switch(struct postcopy *p);
/* At the end: pages that differ though nobody at the destination wrote them. */
uint64_t
postcopy_compare(struct postcopy *p);

#endif
