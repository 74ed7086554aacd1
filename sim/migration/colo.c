/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The primary: colo_process_checkpoint(), colo_do_checkpoint_transaction(). */
#include "migration/colo.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/colo_impl.h"
#include "migration/vm_layout.h"
#include "migration/vm_stop.h"

/* ORDER COLO_PHASE */
const char *const colo_phase_word[COLO_PHASES] = { "request", "stop", "save",	"ram",
						   "state",   "load", "stopped" };

/* --- the guest ------------------------------------------------------------------------------ */

static bool
may_run(const struct colo *c, enum colo_side side)
{
	if (side == COLO_PRIMARY)
		return c->vm->running && !c->vm->stop_asked && !c->dead;
	return c->secondary_running;
}

bool
colo_guest_runs(struct colo *c, enum colo_side side)
{
	colo_point(c);
	while (!c->stopped && !may_run(c, side)) {
		if (side == COLO_PRIMARY ? c->dead : c->secondary_dead)
			return false;
		waitq_wait(c->w, &c->guests);
	}
	return !c->stopped;
}

static void
write_page(struct colo *c, enum colo_side side, uint64_t page)
{
	ram_content content;

	if (side == COLO_PRIMARY) {
		vm_write_now(c->vcpu, vm_layout_gfn(c->vm->layout, page));
		return;
	}
	content = ram_write(c->secondary, page, COLO_SECONDARY_WRITER);
	ram_store(c->expected, page, content);
	page_bitmap_test_and_set(&c->own, c->w, page);
	emit(c->w, EV_COLO_WRITE, (int64_t)page, (int64_t)ram_version(content));
}

bool
colo_step(struct colo *c, enum colo_side side, uint64_t page, int64_t payload)
{
	must(page < ram_pages(c->secondary));
	if (!colo_guest_runs(c, side))
		return false;
	write_page(c, side, page);
	/* It is stopped between any two of its instructions. */
	if (!colo_guest_runs(c, side))
		return false;
	c->count[side]++;
	colo_compare_put(c, side, payload);
	return true;
}

bool
colo_write(struct colo *c, enum colo_side side, uint64_t first, uint64_t count)
{
	must(first < ram_pages(c->secondary) && count <= ram_pages(c->secondary) - first);
	if (!colo_guest_runs(c, side))
		return false;
	for (uint64_t g = first; g < first + count; g++)
		write_page(c, side, g);
	return true;
}

/* --- time ----------------------------------------------------------------------------------- */

void
colo_link(struct colo *c, int64_t bytes, unsigned ways)
{
	int64_t ns = ways * (c->config.rtt_ns / 2);

	if (c->vm->steps)
		return;
	if (c->config.link_bandwidth)
		ns += (int64_t)((__int128)bytes * 1000000000 / c->config.link_bandwidth);
	if (ns)
		actor_sleep(c->w, ns);
}

void
colo_work(struct colo *c, int64_t ns)
{
	if (!c->vm->steps && ns)
		actor_work(c->w, ns);
}

/* A phase ended; the next begins. */
static void
phase(struct colo *c, struct colo_sample *s, enum colo_phase p)
{
	int64_t now = world_now(c->w);

	s->ns[p] = now - c->phase_ns;
	c->phase_ns = now;
}

/*
 * Pages of a checkpoint: threads find and send them, beside each other with multifd, and the wire
 * takes them one behind the other; whichever is slower has its way.
 */
static void
spend_pages(struct colo *c, uint64_t pages)
{
	int64_t page_ns = cost_of(c->w, COST_MIG_PAGE) + cost_of(c->w, COST_MIG_SEND), wire = 0;
	int64_t work = (int64_t)pages * page_ns / c->config.loaders;

	if (c->vm->steps)
		return;
	if (c->config.link_bandwidth)
		wire = (int64_t)((__int128)pages * (RAM_PAGE_BYTES + 8) * 1000000000 /
				 c->config.link_bandwidth);
	colo_work(c, work > wire ? work : wire);
	if (c->config.loaders > 1)
		colo_work(c, cost_of(c->w, COST_COLO_SYNC) * c->config.loaders);
}

/* --- a checkpoint --------------------------------------------------------------------------- */

/* No more checkpoints: a host died and was noticed, or all is over. */
static bool
ended(const struct colo *c)
{
	return c->dead || c->stopped || c->primary_shut;
}

void
colo_checkpoint(struct colo *c)
{
	if (!c->asked)
		c->asked_ns = world_now(c->w);
	c->asked = true;
	waitq_wake_all(c->w, &c->primary);
}

bool
colo_wait_checkpoint(struct colo *c)
{
	while ((c->asked || c->loaded < c->request) && !ended(c) && !c->alone && !c->failed)
		waitq_wait(c->w, &c->guests);
	return !ended(c) && !c->alone && !c->failed;
}

bool
colo_wait_started(struct colo *c)
{
	while (!c->started && !c->dead && !c->stopped && !c->failed)
		waitq_wait(c->w, &c->guests);
	return c->started;
}

static bool
await(struct colo *c, const uint64_t *message, uint64_t epoch)
{
	while (*message < epoch && !ended(c))
		waitq_wait(c->w, &c->primary);
	if (*message < epoch || c->dead)
		return false;
	colo_link(c, 0, 1);
	return !c->dead;
}

struct loader {
	struct colo *c;
	unsigned number;
};

/* One of the channels: each so many-th page. */
static void
loader_thread(struct actor *self, void *arg)
{
	struct loader *l = arg;
	struct colo *c = l->c;
	uint64_t n = 0;

	for (uint64_t g = 0; (g = page_bitmap_next(&c->dirty, g)) < c->dirty.npages; g++) {
		if (n++ % c->config.loaders != l->number)
			continue;
		colo_point(c);
		if (c->dead)
			break;
		colo_load(c, g, ram_read(c->vm->ram, g));
		c->stats.pages++;
	}
	c->loading_pages--;
	waitq_wake_all(c->w, &c->primary);
}

static bool
send_ram(struct colo *c)
{
	if (c->config.loaders < 2 || !c->vm->steps) {
		for (uint64_t g = 0; (g = page_bitmap_next(&c->dirty, g)) < c->dirty.npages; g++) {
			colo_point(c);
			if (c->dead)
				return false;
			colo_load(c, g, ram_read(c->vm->ram, g));
			c->stats.pages++;
		}
		spend_pages(c, c->dirty.set);
		return !c->dead;
	}
	c->loading_pages = c->config.loaders;
	for (unsigned i = 0; i < c->config.loaders; i++) {
		struct loader *l = world_alloc(c->w, sizeof(*l));

		*l = (struct loader){ c, i };
		actor_create(c->w, "loader", loader_thread, l, 0);
	}
	while (c->loading_pages)
		waitq_wait(c->w, &c->primary);
	return !c->dead;
}

/* The dirty log, and the pages of it; false if the primary died. */
static bool
sync_and_send(struct colo *c)
{
	uint64_t pages = ram_pages(c->vm->ram), added;
	bool sent;

	added = vm_log_sync(c->vm, &c->dirty, !c->vm->running);
	vm_log_clear(c->vm, 0, pages);
	colo_work(c, (int64_t)((__int128)cost_of(c->w, COST_MIG_SYNC_GIB) * (int64_t)pages >> 18));
	colo_throttle_synced(c, added);
	sent = send_ram(c);
	page_bitmap_clear_all(&c->dirty, c->w);
	return sent;
}

/*
 * Pages ahead of the checkpoint, while the guest runs: rounds until little is dirty (Derek Su's
 * series of 2020: x-colo-migrate-ram-threshold, COLO_RAM_MIGRATE_ITERATION_MAX).
 */
static bool
send_ahead(struct colo *c)
{
	uint64_t least = (uint64_t)c->config.ahead_bytes / RAM_PAGE_BYTES;

	for (unsigned i = 0; i < c->config.ahead_rounds; i++) {
		uint64_t before = c->stats.pages;

		if (!sync_and_send(c))
			return false;
		c->stats.ahead_pages += c->stats.pages - before;
		if (fault_on(c->w, FAULT_COLO_FLUSH_AHEAD))
			colo_flush_cache(c);
		if (c->stats.pages - before <= least)
			break;
		colo_point(c);
	}
	return !c->dead;
}

static void
error(struct colo *c, const char *what)
{
	c->failed = true;
	emit(c->w, EV_COLO_ERROR, world_name(c->w, what), (int64_t)c->request);
	waitq_wake_all(c->w, &c->guests);
}

void
colo_snapshot(struct colo *c)
{
	colo_copy(c->snapshot, c->vm->ram);
	colo_disk_snapshot(c);
}

/* From the stopped machine to the whole state in the secondary's hands. */
static bool
send_state(struct colo *c, struct colo_sample *s, uint64_t epoch)
{
	int64_t device_ns = cost_of(c->w, COST_MIG_DEVICE_STATE) / 2;
	uint64_t before = c->stats.pages;

	colo_work(c, device_ns);
	c->sent_count = c->count[COLO_PRIMARY];
	colo_net_save(c);
	phase(c, s, COLO_PHASE_SAVE);
	colo_throttle_reset(c);
	if (!sync_and_send(c))
		return false;
	s->pages = c->stats.pages - before;
	c->ram_sent = epoch;
	waitq_wake_all(c->w, &c->incoming);
	phase(c, s, COLO_PHASE_RAM);
	if (fault_on(c->w, FAULT_COLO_RELEASE_EARLY))
		colo_compare_flush(c);
	/* Here the secondary has VMSTATE_SIZE and a part of the buffer. */
	colo_point(c);
	if (c->dead)
		return false;
	colo_link(c, c->config.device_state_bytes, 0);
	if (c->dead)
		return false;
	c->state_sent = epoch;
	waitq_wake_all(c->w, &c->incoming);
	if (!await(c, &c->whole, epoch))
		return false;
	phase(c, s, COLO_PHASE_STATE);
	return true;
}

/* colo_do_checkpoint_transaction(); false if the primary died, or ends COLO. */
static bool
transaction(struct colo *c, uint64_t epoch)
{
	struct colo_sample *s = &c->sample[c->stats.checkpoints % c->samples_max];
	int64_t began;

	c->phase_ns = world_now(c->w);
	if (!c->asked)
		c->asked_ns = c->phase_ns;
	c->request = epoch;
	waitq_wake_all(c->w, &c->incoming);
	if (!await(c, &c->reply, epoch))
		return false;
	phase(c, s, COLO_PHASE_REQUEST);
	began = world_now(c->w);
	vm_stop(c->vm);
	colo_disk_drain(c, COLO_PRIMARY);
	if (c->dead)
		return false;
	c->stops++;
	colo_snapshot(c);
	if (colo_disk_error(c) && !fault_on(c->w, FAULT_COLO_DISK_ERROR_UNSEEN)) {
		error(c, "replication");
		return false;
	}
	phase(c, s, COLO_PHASE_STOP);
	if (!send_state(c, s, epoch))
		return false;
	colo_point(c);
	if (c->dead)
		return false;
	colo_compare_flush(c);
	if (!await(c, &c->loaded, epoch))
		return false;
	phase(c, s, COLO_PHASE_LOAD);
	s->ns[COLO_PHASE_STOPPED] = world_now(c->w) - began;
	c->stats.checkpoints++;
	c->stats.stop_ns += s->ns[COLO_PHASE_STOPPED];
	vm_start(c->vm);
	return true;
}

void
colo_process(struct actor *self, void *arg)
{
	struct colo *c = arg;

	if (!colo_begin(c)) {
		waitq_wake_all(c->w, &c->guests);
		return;
	}
	for (uint64_t epoch = 1; !ended(c); epoch++) {
		if (!c->asked && c->config.checkpoint_delay_ns && !c->vm->steps)
			waitq_wait_for(c->w, &c->primary, c->config.checkpoint_delay_ns, false);
		while (!c->asked && !ended(c) && (c->vm->steps || !c->config.checkpoint_delay_ns))
			waitq_wait(c->w, &c->primary);
		if (ended(c) || !send_ahead(c) || !transaction(c, epoch))
			break;
		c->asked = false;
		waitq_wake_all(c->w, &c->guests);
	}
	c->primary_ended = true;
	waitq_wake_all(c->w, &c->primary);
	waitq_wake_all(c->w, &c->guests);
}
