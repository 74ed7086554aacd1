/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listener's transactions: what waits for their end, and who is kept out meanwhile. */
#include <stddef.h>

#include "base/must.h"
#include "kvm/dirty_log.h"
#include "memory/race.h"
#include "vmm/memory_listener_impl.h"

void
memory_listener_begin(struct memory_listener *l)
{
	must(!l->in_transaction);
	l->in_transaction = l->rules.transaction;
	l->begun = true;
	emit(l->world, EV_MEMORY_BEGIN, l->in_transaction);
}

/* Whether a section that comes covers a part of one that goes. */
static bool
queued_overlap(const struct memory_listener *l, uint8_t as_id)
{
	for (const struct slot *new = l->adding; new; new = new->next) {
		const struct memory_section *a = &new->section;

		if (a->as_id != as_id)
			continue;
		for (const struct slot *old = l->slots[a->as_id]; old; old = old->next) {
			const struct memory_section *d = &old->section;

			if (old->removing && a->guest_phys_addr < d->guest_phys_addr + d->size &&
			    d->guest_phys_addr < a->guest_phys_addr + a->size)
				return true;
		}
	}
	return false;
}

/* accel_ioctl_inhibit_begin(): when it returns no vCPU is in KVM_RUN. */
static void
inhibit(struct memory_listener *l)
{
	listener_waiters(l);
	l->inhibited = true;
	while (l->cpus_inside)
		waitq_wait(l->world, &l->inhibit_waiters);
	race_acquire(l->world, &l->inhibit_waiters);
	kvm_vcpus_out_of_guest(l->kvm);
}

static struct slot *
next_removing(struct memory_listener *l, uint8_t as_id)
{
	for (struct slot *slot = l->slots[as_id]; slot; slot = slot->next)
		if (slot->removing)
			return slot;
	return NULL;
}

/* Take the next slot of the address space out of those that come. */
static struct slot *
next_adding(struct memory_listener *l, uint8_t as_id)
{
	struct slot **link = &l->adding, *slot;

	while (*link && (*link)->section.as_id != as_id)
		link = &(*link)->next;
	slot = *link;
	if (slot)
		*link = slot->next;
	return slot;
}

bool
memory_listener_in_transaction(const struct memory_listener *l)
{
	return l->in_transaction;
}

/* kvm_region_commit() of an address space's listener: all deletions, then all additions. */
static int
do_queued(struct memory_listener *l, uint8_t as_id, bool overlap)
{
	struct slot *slot;
	int result = 0;

	listener_lock(l);
	if (overlap)
		inhibit(l);
	while ((slot = next_removing(l, as_id)))
		listener_slot_del(l, slot);
	while ((slot = next_adding(l, as_id))) {
		int r = listener_slot_add(l, slot);

		if (r >= 0)
			continue;
		world_free(l->world, slot, sizeof(*slot));
		result = result ? result : r;
	}
	if (overlap) {
		l->inhibited = false;
		waitq_wake_all(l->world, &l->cpu_waiters);
	}
	listener_unlock(l);
	return result;
}

int
memory_listener_commit(struct memory_listener *l)
{
	bool queued = l->in_transaction, inhibited = false;
	int result = 0;

	l->in_transaction = false;
	for (uint8_t as_id = 0; queued && as_id < KVM_ADDRESS_SPACES_MAX; as_id++) {
		bool overlap = queued_overlap(l, as_id);
		int r = do_queued(l, as_id, overlap);

		inhibited = inhibited || overlap;
		result = result ? result : r;
	}
	if (l->begun)
		emit(l->world, EV_MEMORY_COMMIT, inhibited, result);
	l->begun = false;
	return result;
}

void
memory_listener_cpu_enter(struct memory_listener *l)
{
	listener_waiters(l);
	while (l->inhibited)
		waitq_wait(l->world, &l->cpu_waiters);
	race_acquire(l->world, &l->cpu_waiters);
	l->cpus_inside++;
}

void
memory_listener_cpu_leave(struct memory_listener *l)
{
	must(l->cpus_inside);
	l->cpus_inside--;
	waitq_wake_one(l->world, &l->inhibit_waiters);
}

bool
memory_listener_cpu_kicked(const struct memory_listener *l)
{
	return l->inhibited;
}
