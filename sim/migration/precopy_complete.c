/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration_completion_precopy(), and what the destination does first. */
#include <string.h>

#include "engine/cost.h"
#include "engine/fault.h"
#include "migration/precopy_impl.h"
#include "migration/vm_stop.h"

/* qemu_announce_timer_step(), between rounds @round and @round + 1. */
static int64_t
announce_delay(const struct precopy_config *c, unsigned round)
{
	int64_t delay = c->announce_initial_ns + (round - 1) * c->announce_step_ns;

	return delay < c->announce_max_ns ? delay : c->announce_max_ns;
}

static void
announce(struct actor *self, void *arg)
{
	struct precopy *m = arg;

	for (unsigned round = 1; round <= m->config.announce_rounds; round++) {
		emit(m->w, EV_MIG_ANNOUNCE, round);
		if (round == m->config.announce_rounds)
			break;
		actor_sleep(m->w, announce_delay(&m->config, round));
	}
}

/* virtio_net_announce_timer(): the next round is due a while after the guest acknowledged. */
static void
guest_announce(struct actor *self, void *arg)
{
	struct precopy *m = arg;

	for (unsigned round = 1; round <= m->config.announce_rounds; round++) {
		emit(m->w, EV_MIG_GUEST_ANNOUNCE, round, 0);
		actor_work(m->w, cost_of(m->w, COST_GUEST_ANNOUNCE));
		emit(m->w, EV_MIG_GUEST_ANNOUNCE, round, 1);
		if (round < m->config.announce_rounds)
			actor_sleep(m->w, announce_delay(&m->config, round));
	}
}

void
precopy_announce(struct precopy *m)
{
	if (!m->config.announce_rounds)
		return;
	actor_create(m->w, "announce", announce, m, 0);
	if (vm_devices_guest_announce(m->vm))
		actor_create(m->w, "guest announce", guest_announce, m, 0);
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

void
precopy_start_destination(struct precopy *m)
{
	const struct precopy_config *c = &m->config;
	bool asks_guest;

	vm_devices_start(m->vm, VM_DESTINATION);
	vm_phase_end(m->vm);
	m->vm->moved = true;
	if (m->vm->devices) /* its guest's vCPUs go on, as far as they ask for requests */
		waitq_wake_all(m->w, &m->vm->started);
	m->stats.downtime_ns = world_now(m->w) - m->vm->stop_asked_ns;
	m->stats.decomposed = m->vm->devices != NULL;
	memcpy(m->stats.phase_ns, m->vm->phase_ns, sizeof(m->stats.phase_ns));
	/* RARP goes out before the guest runs; where nobody can send it the guest has to. */
	if (c->announce_rounds && vm_devices_found(m->vm, &asks_guest))
		m->stats.network_ns = m->stats.downtime_ns +
				      (asks_guest ? cost_of(m->w, COST_GUEST_ANNOUNCE) : 0);
}

int
precopy_send_devices(struct precopy *m)
{
	if (m->vm->devices)
		precopy_spend(m, 0, true); /* what pages took is theirs */
	vm_phase_begin(m->vm, VM_PHASE_DEVICE_STATE);
	precopy_put(m, vmstate_bytes(m->devices));
	precopy_spend(m, cost_of(m->w, COST_MIG_DEVICE_STATE), true);
	precopy_point(m);
	vm_devices_inactivate(m->vm);
	return vmstate_load_all(m->w, m->devices);
}

/* The last sync, and what it found. */
static void
send_ram(struct precopy *m)
{
	uint64_t n;

	vm_phase_begin(m->vm, VM_PHASE_RAM);
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
}

void
precopy_complete(struct precopy *m)
{
	precopy_spend(m, 0, true);
	m->stats.stop_ns = vm_stop(m->vm);
	if (m->cancel) /* it came while vCPUs were being stopped */
		return;
	precopy_set_state(m, PRECOPY_DEVICE);
	m->rate_off = true;
	send_ram(m);
	if (m->vm->clear_asserted || precopy_send_devices(m)) {
		m->last_sync = false;
		precopy_set_state(m, PRECOPY_FAILED);
		return;
	}
	if (fault_on(m->w, FAULT_MIG_DEVICES_AFTER_SYNC))
		vm_stop_devices(m->vm);
	precopy_start_destination(m);
	compare(m);
	emit(m->w, EV_MIG_SWITCHOVER, (int64_t)m->stats.differing, m->stats.downtime_ns);
	precopy_set_state(m, PRECOPY_COMPLETED);
	precopy_announce(m);
}
