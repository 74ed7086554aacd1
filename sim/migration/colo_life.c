/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How COLO begins, and who dies. */
#include "base/must.h"
#include "engine/fault.h"
#include "migration/colo_impl.h"
#include "migration/precopy.h"
#include "migration/vm_stop.h"

#define MAX_QUEUE_SIZE 1024u

const struct colo_stats *
colo_stats(const struct colo *c)
{
	return &c->stats;
}

const struct colo_sample *
colo_samples(const struct colo *c, uint64_t *count)
{
	*count = c->stats.checkpoints < c->samples_max ? c->stats.checkpoints : c->samples_max;
	return c->sample;
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

bool
colo_secondary_dead(const struct colo *c)
{
	return c->secondary_dead;
}

uint64_t
colo_register(const struct colo *c, enum colo_side side)
{
	return c->count[side];
}

/* --- the first migration -------------------------------------------------------------------- */

/* The first migration; at its end the machine stands, and both memories are equal. */
static bool
migrate(struct colo *c)
{
	struct precopy_config config = precopy_config_default();
	struct precopy *m;
	bool missed = false;

	config.announce_rounds = 0;
	config.channels = c->config.loaders > 1 ? c->config.loaders : 0;
	config.link_bandwidth = c->config.link_bandwidth;
	if (!c->vm->steps)
		config.max_bandwidth = 0;
	else
		config.threshold_bytes = 2 * RAM_PAGE_BYTES;
	m = precopy_start(c->vm, c->secondary, &config, NULL, "colo migration");
	if (precopy_wait(m) != PRECOPY_COMPLETED || c->dead)
		return false;
	missed = config.channels && fault_on(c->w, FAULT_COLO_MULTIFD_NO_CACHE);
	if (!missed)
		colo_copy(c->cache, c->secondary);
	vm_log_start(c->vm);
	c->count[COLO_SECONDARY] = c->count[COLO_PRIMARY];
	return true;
}

/* Up to CHECKPOINT_READY and what follows it; the secondary starts its half first. */
bool
colo_begin(struct colo *c)
{
	if (c->started)
		return true;
	if (!migrate(c))
		return false;
	colo_snapshot(c);
	colo_copy(c->expected, c->snapshot);
	colo_disk_loaded(c);
	c->migrated = true;
	waitq_wake_all(c->w, &c->incoming);
	if (!fault_on(c->w, FAULT_COLO_NO_READY)) {
		while (!c->ready && !c->dead && !c->stopped)
			waitq_wait(c->w, &c->primary);
		if (!c->ready || c->dead)
			return false;
	}
	colo_disk_start(c, COLO_PRIMARY);
	if (!c->vm->running)
		vm_start(c->vm);
	c->started = true;
	waitq_wake_all(c->w, &c->guests);
	return true;
}

/* --- life ----------------------------------------------------------------------------------- */

static void
create_memories(struct colo *c)
{
	const struct ram_block *blocks;
	unsigned n = ram_blocks(c->vm->ram, &blocks);
	uint64_t pages = ram_pages(c->vm->ram);

	c->secondary = ram_create(c->w, blocks, n);
	c->cache = ram_create(c->w, blocks, n);
	c->snapshot = ram_create(c->w, blocks, n);
	c->expected = ram_create(c->w, blocks, n);
	page_bitmap_init(&c->dirty, c->w, pages);
	page_bitmap_init(&c->received, c->w, pages);
	page_bitmap_init(&c->own, c->w, pages);
}

struct colo *
colo_start(struct migration_vm *vm, const struct colo_config *config)
{
	struct world *w = vm->w;
	struct colo *c = world_alloc(w, sizeof(*c));

	must(!vm->migration && vm->running && config->loaders >= 1 &&
	     config->loaders <= COLO_LOADERS_MAX);
	c->vm = vm;
	c->w = w;
	c->config = *config;
	c->samples_max = vm->steps ? 1 : COLO_SAMPLES_MAX;
	c->sample = world_alloc(w, c->samples_max * sizeof(*c->sample));
	create_memories(c);
	waitq_init(&c->primary, w, "colo");
	waitq_init(&c->incoming, w, "colo incoming");
	waitq_init(&c->guests, w, "checkpoint");
	c->vcpu = vm_add_writer(vm, WRITER_VCPU, "vcpu0");
	if (!c->config.max_queue_size)
		c->config.max_queue_size = MAX_QUEUE_SIZE;
	colo_net_create(c);
	colo_disk_create(c);
	if (!config->migrate) {
		colo_copy(c->secondary, vm->ram);
		colo_copy(c->cache, vm->ram);
		colo_copy(c->snapshot, vm->ram);
		colo_copy(c->expected, vm->ram);
		vm_log_start(vm);
		/* As it is when both have started. */
		c->migrated = c->ready = c->secondary_running = c->started = true;
		colo_disk_start(c, COLO_SECONDARY);
		colo_disk_start(c, COLO_PRIMARY);
	}
	actor_set_daemon(actor_create(w, "colo", colo_process, c, 0), true);
	actor_set_daemon(actor_create(w, "colo incoming", colo_incoming, c, 0), true);
	return c;
}

void
colo_primary_dies(struct colo *c)
{
	colo_point(c);
	c->dead = true;
	colo_compare_lose(c);
	emit(c->w, EV_COLO_PRIMARY_DIES, (int64_t)c->request);
	waitq_wake_all(c->w, &c->primary);
	waitq_wake_all(c->w, &c->guests);
	colo_disk_wake(c);
}

void
colo_secondary_dies(struct colo *c)
{
	colo_point(c);
	c->secondary_dead = true;
	c->secondary_running = false;
	emit(c->w, EV_COLO_SECONDARY_DIES, (int64_t)c->loaded);
	waitq_wake_all(c->w, &c->incoming);
	waitq_wake_all(c->w, &c->guests);
	colo_disk_wake(c);
}

void
colo_failover_primary(struct colo *c)
{
	colo_point(c);
	colo_disk_leave(c);
	emit(c->w, EV_COLO_ALONE, (int64_t)c->loaded);
	colo_compare_flush(c);
	c->primary_shut = !fault_on(c->w, FAULT_COLO_NO_SHUTDOWN);
	c->alone = true;
	waitq_wake_all(c->w, &c->primary);
	while (!c->primary_ended)
		waitq_wait(c->w, &c->primary);
	if (!c->vm->running)
		vm_start(c->vm);
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
