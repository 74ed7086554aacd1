/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The primary: colo_process_checkpoint(), colo_do_checkpoint_transaction(). */
#include "migration/colo.h"

#include "base/must.h"
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/colo_impl.h"
#include "migration/vm_stop.h"

/* ORDER COLO_SIDE */
const char *const colo_side_word[COLO_SIDES] = { "primary", "secondary" };

const struct colo_stats *
colo_stats(const struct colo *c)
{
	return &c->stats;
}

struct migration_vm *
colo_vm(const struct colo *c)
{
	return c->vm;
}

const struct ram *
colo_secondary(const struct colo *c)
{
	return c->secondary;
}

bool
colo_primary_dead(const struct colo *c)
{
	return c->dead;
}

uint64_t
colo_register(const struct colo *c, enum colo_side side)
{
	return c->count[side];
}

/* --- the guest ------------------------------------------------------------------------------ */

static bool
may_run(const struct colo *c, enum colo_side side)
{
	if (side == COLO_PRIMARY)
		return c->vm->running && !c->vm->stop_asked && !c->dead;
	return c->secondary_running;
}

bool
colo_step(struct colo *c, enum colo_side side, uint64_t page, int64_t payload)
{
	must(page < ram_pages(c->secondary));
	colo_point(c);
	while (!c->stopped && !may_run(c, side)) {
		if (side == COLO_PRIMARY && c->dead)
			return false;
		waitq_wait(c->w, &c->guests);
	}
	if (c->stopped)
		return false;
	c->count[side]++;
	if (side == COLO_PRIMARY) {
		vm_write_now(c->vcpu, page);
	} else {
		ram_content content = ram_write(c->secondary, page, COLO_SECONDARY_WRITER);

		ram_store(c->expected, page, content);
		page_bitmap_test_and_set(&c->own, c->w, page);
		emit(c->w, EV_COLO_WRITE, (int64_t)page, (int64_t)ram_version(content));
	}
	colo_compare_put(c, side, payload);
	return true;
}

/* --- a checkpoint --------------------------------------------------------------------------- */

void
colo_checkpoint(struct colo *c)
{
	c->asked = true;
	waitq_wake_all(c->w, &c->primary);
}

bool
colo_wait_checkpoint(struct colo *c)
{
	while ((c->asked || c->loaded < c->request) && !c->dead && !c->stopped)
		waitq_wait(c->w, &c->guests);
	return !c->dead && !c->stopped;
}

static bool
await(struct colo *c, const uint64_t *message, uint64_t epoch)
{
	while (*message < epoch && !c->dead && !c->stopped)
		waitq_wait(c->w, &c->primary);
	return *message >= epoch && !c->dead;
}

struct loader {
	struct colo *c;
	unsigned number;
};

/* One of two channels: every other page. */
static void
loader_thread(struct actor *self, void *arg)
{
	struct loader *l = arg;
	struct colo *c = l->c;
	uint64_t n = 0;

	for (uint64_t g = 0; (g = page_bitmap_next(&c->dirty, g)) < c->dirty.npages; g++) {
		if (n++ % 2 != l->number)
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
	if (c->config.loaders < 2) {
		for (uint64_t g = 0; (g = page_bitmap_next(&c->dirty, g)) < c->dirty.npages; g++) {
			colo_point(c);
			if (c->dead)
				return false;
			colo_load(c, g, ram_read(c->vm->ram, g));
			c->stats.pages++;
		}
		return true;
	}
	c->loading_pages = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct loader *l = world_alloc(c->w, sizeof(*l));

		*l = (struct loader){ c, i };
		actor_create(c->w, "loader", loader_thread, l, 0);
	}
	while (c->loading_pages)
		waitq_wait(c->w, &c->primary);
	return !c->dead;
}

/* colo_do_checkpoint_transaction(); false if the primary died. */
static bool
transaction(struct colo *c, uint64_t epoch)
{
	int64_t began;

	c->request = epoch;
	waitq_wake_all(c->w, &c->incoming);
	if (!await(c, &c->reply, epoch))
		return false;
	began = world_now(c->w);
	vm_stop(c->vm);
	if (c->dead)
		return false;
	c->stops++;
	colo_copy(c->snapshot, c->vm->ram);
	vm_log_sync(c->vm, &c->dirty);
	vm_log_clear(c->vm, 0, ram_pages(c->vm->ram));
	if (!send_ram(c))
		return false;
	if (!c->vm->steps)
		actor_work(c->w, (int64_t)c->dirty.set * (cost_of(c->w, COST_MIG_PAGE) +
							  cost_of(c->w, COST_MIG_SEND)));
	page_bitmap_clear_all(&c->dirty, c->w);
	c->ram_sent = epoch;
	c->sent_count = c->count[COLO_PRIMARY];
	waitq_wake_all(c->w, &c->incoming);
	if (fault_on(c->w, FAULT_COLO_RELEASE_EARLY))
		colo_compare_flush(c);
	colo_point(c);
	if (c->dead)
		return false;
	c->state_sent = epoch;
	waitq_wake_all(c->w, &c->incoming);
	if (!await(c, &c->whole, epoch))
		return false;
	colo_point(c);
	if (c->dead)
		return false;
	colo_compare_flush(c);
	if (!await(c, &c->loaded, epoch))
		return false;
	c->stats.checkpoints++;
	c->stats.stop_ns += world_now(c->w) - began;
	vm_start(c->vm);
	return true;
}

static void
primary_thread(struct actor *self, void *arg)
{
	struct colo *c = arg;

	for (uint64_t epoch = 1; !c->dead && !c->stopped; epoch++) {
		if (!c->asked && c->config.checkpoint_delay_ns && !c->vm->steps)
			waitq_wait_for(c->w, &c->primary, c->config.checkpoint_delay_ns, false);
		while (!c->asked && !c->dead && !c->stopped &&
		       (c->vm->steps || !c->config.checkpoint_delay_ns))
			waitq_wait(c->w, &c->primary);
		if (c->dead || c->stopped || !transaction(c, epoch))
			break;
		c->asked = false;
		waitq_wake_all(c->w, &c->guests);
	}
	waitq_wake_all(c->w, &c->guests);
}

/* --- life ----------------------------------------------------------------------------------- */

struct colo *
colo_start(struct migration_vm *vm, const struct colo_config *config)
{
	struct world *w = vm->w;
	struct colo *c = world_alloc(w, sizeof(*c));
	const struct ram_block *blocks;
	unsigned n = ram_blocks(vm->ram, &blocks);
	uint64_t pages = ram_pages(vm->ram);

	must(!vm->migration && vm->running && config->loaders >= 1 && config->loaders <= 2);
	c->vm = vm;
	c->w = w;
	c->config = *config;
	c->secondary = ram_create(w, blocks, n);
	c->cache = ram_create(w, blocks, n);
	c->snapshot = ram_create(w, blocks, n);
	c->expected = ram_create(w, blocks, n);
	colo_copy(c->secondary, vm->ram);
	colo_copy(c->cache, vm->ram);
	colo_copy(c->snapshot, vm->ram);
	colo_copy(c->expected, vm->ram);
	page_bitmap_init(&c->dirty, w, pages);
	page_bitmap_init(&c->received, w, pages);
	page_bitmap_init(&c->own, w, pages);
	waitq_init(&c->primary, w, "colo");
	waitq_init(&c->incoming, w, "colo incoming");
	waitq_init(&c->guests, w, "checkpoint");
	c->vcpu = vm_add_writer(vm, WRITER_VCPU, "vcpu0");
	c->secondary_running = true;
	vm_log_start(vm);
	actor_set_daemon(actor_create(w, "colo", primary_thread, c, 0), true);
	actor_set_daemon(actor_create(w, "colo incoming", colo_incoming, c, 0), true);
	return c;
}

void
colo_primary_dies(struct colo *c)
{
	colo_point(c);
	c->dead = true;
	c->compare[COLO_PRIMARY].count = 0;
	emit(c->w, EV_COLO_PRIMARY_DIES, (int64_t)c->request);
	waitq_wake_all(c->w, &c->primary);
	waitq_wake_all(c->w, &c->guests);
}

void
colo_stop(struct colo *c)
{
	c->stopped = true;
	waitq_wake_all(c->w, &c->primary);
	waitq_wake_all(c->w, &c->incoming);
	waitq_wake_all(c->w, &c->guests);
}
