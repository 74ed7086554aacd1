/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration_completion_precopy(), and what the destination does first. */
#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/precopy_impl.h"
#include "migration/vm_stop.h"

/* announce_self: 5 rounds, 50 ms after the first, 100 ms more each time, at most 550 ms. */
#define ANNOUNCE_INITIAL_NS INT64_C(50000000)
#define ANNOUNCE_STEP_NS INT64_C(100000000)
#define ANNOUNCE_MAX_NS INT64_C(550000000)

static void
announce(struct actor *self, void *arg)
{
	struct precopy *m = arg;
	int64_t delay = ANNOUNCE_INITIAL_NS;

	for (unsigned round = 1; round <= m->config.announce_rounds; round++) {
		emit(m->w, EV_MIG_ANNOUNCE, round);
		if (round == m->config.announce_rounds)
			break;
		actor_sleep(m->w, delay);
		delay = delay + ANNOUNCE_STEP_NS < ANNOUNCE_MAX_NS ? delay + ANNOUNCE_STEP_NS
								   : ANNOUNCE_MAX_NS;
	}
}

/* The memories side by side, dropped pages left out. */
static void
compare(struct precopy *m)
{
	uint64_t pages = ram_pages(m->dst), first = pages;

	for (uint64_t p = 0; (p = ram_next_difference(m->vm->ram, m->dst, p)) < pages; p++) {
		if (page_bitmap_test(&m->dropped, p))
			continue;
		first = first < pages ? first : p;
		m->stats.differing++;
	}
	if (m->stats.differing)
		emit(m->w, EV_MIG_PAGE_DIFFERS, (int64_t)first,
		     (int64_t)ram_version(ram_read(m->vm->ram, first)),
		     (int64_t)ram_version(ram_read(m->dst, first)), (int64_t)m->stats.differing);
}

static int
send_devices(struct precopy *m)
{
	precopy_put(m, vmstate_bytes(m->devices));
	precopy_spend(m, cost_of(m->w, COST_MIG_DEVICE_STATE), true);
	precopy_point(m);
	return vmstate_load_all(m->w, m->devices);
}

void
precopy_complete(struct precopy *m)
{
	int64_t began;
	uint64_t n;

	precopy_spend(m, 0, true);
	began = world_now(m->w);
	m->stats.stop_ns = vm_stop(m->vm);
	if (m->cancel) /* it came while vCPUs were being stopped */
		return;
	precopy_set_state(m, PRECOPY_DEVICE);
	m->rate_off = true;
	if (!fault_on(m->w, FAULT_MIG_NO_FINAL_SYNC))
		precopy_sync(m, true);
	m->last_sync = true;
	precopy_check_all(m, UNCOVERED_LAST_SYNC);
	precopy_walk_lock(m);
	while (precopy_send_next(m, &n))
		;
	if (m->channel)
		multifd_flush(m);
	precopy_walk_unlock(m);
	if (send_devices(m)) {
		m->last_sync = false;
		precopy_set_state(m, PRECOPY_FAILED);
		return;
	}
	if (fault_on(m->w, FAULT_MIG_DEVICES_AFTER_SYNC))
		vm_stop_devices(m->vm);
	m->stats.downtime_ns = world_now(m->w) - began;
	compare(m);
	emit(m->w, EV_MIG_SWITCHOVER, (int64_t)m->stats.differing, m->stats.downtime_ns);
	precopy_set_state(m, PRECOPY_COMPLETED);
	if (m->config.announce_rounds)
		actor_create(m->w, "announce", announce, m, 0);
}
