/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The migration thread: migration_thread() and what it decides by. */
#include "migration/precopy.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "kvm/memslot.h"
#include "kvm/page_words.h"
#include "migration/postcopy.h"
#include "migration/precopy_impl.h"
#include "migration/vm_stop.h"

/* ORDER PRECOPY_STATE */
const char *const precopy_state_word[PRECOPY_STATES] = { "none",
							 "setup",
							 "active",
							 "device",
							 "postcopy-active",
							 "postcopy-paused",
							 "postcopy-recover",
							 "completed",
							 "cancelling",
							 "cancelled",
							 "failed" };

/* ORDER UNCOVERED */
const char *const uncovered_word[UNCOVERED_KINDS] = {
	"write", "clear", "stale", "base", "log-destroyed", "last-sync", "sent", "never"
};

struct precopy_config
precopy_config_default(void)
{
	return (struct precopy_config){
		.max_bandwidth = INT64_C(128) << 20,
		.downtime_limit_ns = INT64_C(300000000),
		.threshold_bytes = -1,
		.thread_percent = 100,
		.throttle_trigger = 50,
		.throttle_initial = 20,
		.throttle_increment = 10,
		.throttle_max = 99,
		.xbzrle_pages = (64u << 20) / PAGE_BYTES,
		.packet_pages = PRECOPY_PACKET_PAGES_MAX,
		.clear_chunk_pages = 1u << 18, /* CLEAR_BITMAP_SHIFT_DEFAULT */
		.announce_rounds = 5,
		.announce_initial_ns = INT64_C(50000000),
		.announce_step_ns = INT64_C(100000000),
		.announce_max_ns = INT64_C(550000000),
	};
}

/* --- time ----------------------------------------------------------------------------------- */

int64_t
precopy_now(const struct precopy *m)
{
	return world_now(m->w) + m->ahead_ns;
}

void
precopy_spend(struct precopy *m, int64_t ns, bool flush)
{
	int64_t ahead;

	if (m->vm->steps)
		return;
	m->ahead_ns += ns;
	if (!m->ahead_ns || (m->ahead_ns < PRECOPY_QUANTUM_NS && !flush))
		return;
	ahead = m->ahead_ns;
	m->ahead_ns = 0;
	actor_work(m->w, ahead);
}

void
precopy_work(struct precopy *m, int64_t ns)
{
	if (m->config.thread_percent < 100 && m->vm->running)
		ns = (int64_t)((__int128)ns * 100 / m->config.thread_percent);
	precopy_spend(m, ns, false);
}

void
precopy_put(struct precopy *m, uint64_t bytes)
{
	m->stats.bytes += bytes;
	if (m->config.link_bandwidth)
		precopy_spend(m, (int64_t)((__int128)bytes * 1000000000 / m->config.link_bandwidth),
			      false);
}

void
precopy_set_state(struct precopy *m, enum precopy_state state)
{
	int64_t word = world_name(m->w, precopy_state_word[state]);

	m->state = state;
	emit(m->w, EV_MIG_STATE, m->name, word);
}

/* --- rates ---------------------------------------------------------------------------------- */

/* migration_rate_exceeded(): @room is what may still be sent, in bytes. */
static bool
rate_exceeded(const struct precopy *m, uint64_t *room)
{
	uint64_t budget = (uint64_t)m->config.max_bandwidth / 10;
	uint64_t used = m->stats.bytes - m->rate_bytes;

	*room = UINT64_MAX;
	if (m->vm->steps && m->config.budget_pages && !m->rate_off)
		return m->budget_used >= m->config.budget_pages;
	if (!budget || m->rate_off || m->vm->steps)
		return false;
	*room = used < budget ? budget - used : 0;
	return used > budget;
}

uint64_t
precopy_room_pages(const struct precopy *m)
{
	uint64_t room;

	rate_exceeded(m, &room);
	return room / (PAGE_BYTES + WIRE_HEADER) + 1;
}

/* migration_update_counters() */
static void
update_counters(struct precopy *m)
{
	int64_t now = precopy_now(m), spent = now - m->iteration_start_ns, bandwidth;
	uint64_t bytes = m->stats.bytes - m->iteration_bytes;

	if (spent < PRECOPY_BUFFER_DELAY_NS)
		return;
	m->stats.bandwidth = (int64_t)((__int128)bytes * 1000000000 / spent);
	bandwidth = m->config.switchover_bandwidth ? m->config.switchover_bandwidth
						   : m->stats.bandwidth;
	if (m->config.threshold_bytes < 0)
		m->stats.threshold =
			(int64_t)((__int128)bandwidth * m->config.downtime_limit_ns / 1000000000);
	/* Of what the last sync left, not of what is left now; devices' state is not in it. */
	if (m->stats.dirty_rate && bytes > 10000 && bandwidth)
		m->stats.expected_downtime_ns = (int64_t)((__int128)m->last_sync_pages *
							  PAGE_BYTES * 1000000000 / bandwidth);
	m->iteration_start_ns = now;
	m->iteration_bytes = m->rate_bytes = m->stats.bytes;
}

/* migration_rate_limit() */
static void
rate_limit(struct precopy *m)
{
	uint64_t room;

	update_counters(m);
	if (!rate_exceeded(m, &room))
		return;
	if (m->vm->steps) {
		if (!m->cancel)
			waitq_wait_for(m->w, &m->channel_ready, PRECOPY_BUFFER_DELAY_NS,
				       m->config.slow_link);
		m->budget_used = 0;
		return;
	}
	precopy_spend(m, 0, true);

	int64_t wait = m->iteration_start_ns + PRECOPY_BUFFER_DELAY_NS - world_now(m->w);

	if (wait > 0 && !m->cancel)
		waitq_wait_for(m->w, &m->channel_ready, wait, false);
	update_counters(m);
}

/* --- the loop ------------------------------------------------------------------------------- */

static void
iterate(struct precopy *m)
{
	int64_t began = precopy_now(m);
	uint64_t pages = 0, n, room;

	precopy_walk_lock(m);
	while (!rate_exceeded(m, &room) && !m->cancel) {
		if (!precopy_send_next(m, &n))
			break;
		pages += n;
		m->budget_used += n;
		if (precopy_now(m) - began >= PRECOPY_MAX_WAIT_NS)
			break;
	}
	if (m->channel && m->config.section_flush)
		multifd_flush(m);
	precopy_put(m, WIRE_EOS);
	precopy_let_in(m);
	if (!pages) { /* a count that is wrong, or cancelled: time goes on for others */
		if (m->vm->steps)
			actor_yield(m->w);
		precopy_spend(m, cost_of(m->w, COST_MIG_PAGE), false);
	}
	m->stats.iterations++;
	emit(m->w, EV_MIG_ITERATE, (int64_t)pages, (int64_t)m->bitmap.set);
}

static uint64_t
pending(const struct precopy *m)
{
	return m->dirty_pages * PAGE_BYTES;
}

/* migration_iteration_run(); false when it completed. */
static bool
iteration_run(struct precopy *m)
{
	uint64_t threshold = (uint64_t)m->stats.threshold, left = pending(m);

	emit(m->w, EV_MIG_PENDING, (int64_t)left, (int64_t)threshold, 0);
	if (left <= threshold) {
		if (left < threshold)
			precopy_sync(m, false);
		left = pending(m);
		emit(m->w, EV_MIG_PENDING, (int64_t)left, (int64_t)threshold, 1);
	}
	if (!left || left < threshold) {
		precopy_complete(m);
		return false;
	}
	if (postcopy_wanted(m)) {
		postcopy_run(m);
		return false;
	}
	iterate(m);
	return true;
}

static uint64_t
hinted(void *arg, uint64_t first, uint64_t count)
{
	return precopy_hint(arg, first, count);
}

static void
set_target(struct precopy *m)
{
	if (!m->vm->machine)
		return;
	m->target = (struct precopy_target){
		.base_gpa = m->vm->machine_gpa,
		.pages = ram_pages(m->vm->ram),
		.hint = hinted,
		.postcopy = m->postcopy != NULL,
		.arg = m,
	};
	precopy_set_target(m->w, &m->target);
}

/* migration_bitmap_clear_discarded_pages(), behind the first sync. */
static void
leave_out_unplugged(struct precopy *m)
{
	const struct precopy_config *c = &m->config;

	if (!c->unplugged_pages)
		return;
	m->dirty_pages -= page_words_clear_range(&m->bitmap, m->w, c->unplugged_first,
						 c->unplugged_pages);
	for (uint64_t i = 0; i < c->unplugged_pages; i++)
		page_bitmap_test_and_set(&m->dropped, m->w, c->unplugged_first + i);
}

static void
set_up(struct precopy *m)
{
	uint64_t chunks = ram_pages(m->vm->ram) / m->config.clear_chunk_pages + 1;
	uint64_t gib = (ram_pages(m->vm->ram) >> 18) + 1;

	precopy_set_state(m, PRECOPY_SETUP);
	precopy_spend(m, cost_of(m->w, COST_MIG_SETUP), true);
	m->clear_pending = world_alloc(m->w, (chunks + 63) / 64 * sizeof(uint64_t));
	page_bitmap_init(&m->bitmap, m->w, ram_pages(m->vm->ram));
	page_bitmap_init(&m->dropped, m->w, ram_pages(m->vm->ram));
	if (!fault_on(m->w, FAULT_MIG_BITMAP_NOT_FILLED))
		page_bitmap_fill(&m->bitmap, m->w);
	m->dirty_pages = m->bitmap.set;
	m->vm->migration = m;
	precopy_notify(m->w, PRECOPY_NOTIFY_SETUP);
	set_target(m);
	vm_log_start(m->vm);
	precopy_spend(m, cost_of(m->w, COST_MIG_LOG_START_GIB) * (int64_t)gib, true);
	precopy_sync(m, false);
	leave_out_unplugged(m);
	precopy_check_all(m, UNCOVERED_NEVER);
	precopy_poll(m->w);
	if (m->config.channels)
		multifd_start(m);
	m->stats.setup_ns = world_now(m->w) - m->stats.began_ns;
	m->iteration_start_ns = world_now(m->w);
	m->iteration_bytes = m->rate_bytes = m->stats.bytes;
	if (!m->cancel)
		precopy_set_state(m, PRECOPY_ACTIVE);
}

static void
clean_up(struct precopy *m)
{
	struct migration_vm *vm = m->vm;

	vm->migration = NULL;
	vm->throttle_percent = 0;
	vm->dirty_limit = 0;
	vm->dropping = false;
	if (m->state == PRECOPY_COMPLETED)
		precopy_notify(m->w, PRECOPY_NOTIFY_COMPLETE);
	precopy_notify(m->w, PRECOPY_NOTIFY_CLEANUP);
	if (vm->machine)
		precopy_set_target(m->w, NULL);
	vm_log_stop(vm);
	/* Once the guest ran at the destination, the source's is of the past. */
	if (m->state != PRECOPY_COMPLETED && !vm->running &&
	    (m->state == PRECOPY_CANCELLED || !m->postcopy || !postcopy_running(m->postcopy)))
		vm_start(vm);
	m->stats.total_ns = world_now(m->w) - m->stats.began_ns;
	waitq_wake_all(m->w, &m->done);
}

static void
thread(struct actor *self, void *arg)
{
	struct precopy *m = arg;
	uint64_t room;

	set_up(m);
	while (!m->cancel && (rate_exceeded(m, &room) || iteration_run(m)))
		rate_limit(m);
	if (m->cancel && m->state != PRECOPY_COMPLETED && m->state != PRECOPY_FAILED) {
		precopy_spend(m, 0, true);
		/* Channels end; what they had is the old destination's. */
		if (m->channel)
			multifd_flush(m);
		precopy_set_state(m, m->vm->clear_asserted ? PRECOPY_FAILED : PRECOPY_CANCELLED);
	}
	clean_up(m);
}

struct precopy *
precopy_start(struct migration_vm *vm, struct ram *dst, const struct precopy_config *config,
	      const struct vmstate *devices, const char *name)
{
	struct precopy *m = world_alloc(vm->w, sizeof(*m));

	must(!vm->migration && vm->running && ram_pages(dst) == ram_pages(vm->ram));
	must(!config->vcpu_dirty_limit || vm->ring_pages);
	must(config->clear_chunk_pages >= 64 &&
	     !(config->clear_chunk_pages & (config->clear_chunk_pages - 1)));
	m->vm = vm;
	m->w = vm->w;
	m->dst = dst;
	ram_share_bytes(dst, vm->ram);
	m->config = *config;
	m->devices = devices;
	m->name = world_name(vm->w, name);
	m->stats.began_ns = world_now(vm->w);
	m->stats.threshold = config->threshold_bytes > 0 ? config->threshold_bytes : 0;
	m->stats.expected_downtime_ns = config->downtime_limit_ns;
	m->on_wire.page = m->reading = RAM_NOT_WRITING;
	waitq_init(&m->done, vm->w, "migration");
	waitq_init(&m->channel_ready, vm->w, "channels_ready");
	if (config->xbzrle) {
		m->cache_pages = config->xbzrle_pages;
		m->cache = world_alloc(vm->w, m->cache_pages * sizeof(*m->cache));
	}
	actor_create(vm->w, "live_migration", thread, m, 0);
	return m;
}

void
precopy_set_parameters(struct precopy *m, const struct precopy_parameters *p)
{
	if (p->threshold_bytes >= 0)
		m->stats.threshold = p->threshold_bytes;
	if (p->budget_pages >= 0)
		m->config.budget_pages = (uint64_t)p->budget_pages;
	waitq_wake_all(m->w, &m->channel_ready);
}

void
precopy_cancel(struct precopy *m)
{
	bool there = m->state == PRECOPY_POSTCOPY_ACTIVE || m->state == PRECOPY_POSTCOPY_PAUSED;

	if (m->state != PRECOPY_NONE && m->state != PRECOPY_SETUP && m->state != PRECOPY_ACTIVE &&
	    !(there && postcopy_may_cancel(m)))
		return;
	m->cancel = true;
	if (m->state != PRECOPY_NONE)
		precopy_set_state(m, PRECOPY_CANCELLING);
	waitq_wake_all(m->w, &m->channel_ready);
}

static bool
ended(const struct precopy *m)
{
	return (m->state == PRECOPY_COMPLETED || m->state == PRECOPY_CANCELLED ||
		m->state == PRECOPY_FAILED) &&
	       m->vm->migration != m;
}

enum precopy_state
precopy_wait(struct precopy *m)
{
	while (!ended(m))
		waitq_wait(m->w, &m->done);
	return m->state;
}

enum precopy_state
precopy_state(const struct precopy *m)
{
	return m->state;
}

const struct precopy_stats *
precopy_stats(const struct precopy *m)
{
	return &m->stats;
}

const struct ram *
precopy_destination(const struct precopy *m)
{
	return m->dst;
}

uint64_t
precopy_dirty_pages(const struct precopy *m)
{
	return m->dirty_pages;
}

const struct page_bitmap *
precopy_bitmap(const struct precopy *m)
{
	return &m->bitmap;
}
