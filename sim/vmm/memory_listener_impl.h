/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the listener is made of; for memory_listener*.c. */
#ifndef RINGSIDE_VMM_MEMORY_LISTENER_IMPL_H
#define RINGSIDE_VMM_MEMORY_LISTENER_IMPL_H

#include "engine/world.h"
#include "kvm/memslot.h"
#include "vmm/memory_listener.h"

/* QEMU's KVMSlot. */
struct slot {
	struct memory_section section;
	bool log; /* the section asked for itself */
	bool removing; /* it goes at commit */
	bool known; /* KVM has it */
	uint16_t id;
	uint16_t group; /* the id of the first slot of the section */
	/* What was fetched and not cleared yet, from 4.1 on; none: see memory_listener.h. */
	struct page_bitmap dirty_bmap;
	struct slot *next; /* in the order of ids, within its address space */
};

/* Where versions differ. */
struct listener_rules {
	const char *version;
	bool sync_own, sync_global; /* which slots are fetched on removal */
	bool split; /* sections larger than a slot may be */
	bool clear_log, initially_set;
	bool bitmap_for_new; /* of a slot that appears under logging */
	bool ring, backup;
	bool transaction;
	bool spaces; /* system management mode has slots of its own */
};

struct memory_listener {
	struct world *world;
	struct kvm *kvm;
	struct listener_rules rules;
	uint64_t ram_pages;
	uint64_t slot_bytes_max; /* 0: no limit */
	bool global_log;
	bool begun; /* begin() without its commit() */
	bool in_transaction; /* and updates wait for the latter */
	struct slot *slots[KVM_ADDRESS_SPACES_MAX];
	struct slot *adding; /* at commit; in order */
	struct page_bitmap dirty;
	struct device_log *devices;
	bool waiters; /* the three queues below are there */
	bool slots_locked; /* kvm_slots_lock */
	struct waitq lock_waiters;
	bool inhibited;
	unsigned cpus_inside;
	struct waitq cpu_waiters, inhibit_waiters;
	void (*on_stray)(void *arg); /* see memory_listener_on_stray() */
	void *stray_arg;
	bool strayed; /* in the harvest under way */
};

/* Make the queues, by the first who needs one: names that nobody uses would number others anew. */
void
listener_waiters(struct memory_listener *l);
/* Under the lock: the slot of a section appears (its id, or a negative errno), or goes as the
 * version has it. */
int
listener_slot_add(struct memory_listener *l, struct slot *slot);
void
listener_slot_del(struct memory_listener *l, struct slot *slot);
/* kvm_slots_lock (36adac4934): who changes slots, syncs, clears and harvests exclude each other. */
void
listener_lock(struct memory_listener *l);
void
listener_unlock(struct memory_listener *l);
/* A note may have got lost just now: tell who wants to know. */
void
listener_stray(struct memory_listener *l);
/* Fetch what there is of the slot: KVM_GET_DIRTY_LOG, or the rings and the bitmap beside them.
 * Under the lock. */
void
listener_slot_sync(struct memory_listener *l, struct slot *slot);
/* QEMU's bitmap of a slot follows its logging. */
void
listener_slot_bitmap(struct memory_listener *l, struct slot *slot, bool logs, bool is_new);
struct slot *
listener_slot_find(struct memory_listener *l, uint8_t as_id, int id);

#endif
