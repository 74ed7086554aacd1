/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's KVM memory listener: sections of RAM become KVM slots, and KVM's dirty bits become QEMU's.
 *
 *	vCPU writes         KVM_GET_DIRTY_LOG              migration_bitmap_sync()
 *	   |                     (log_sync)                        |
 *	   v                         v                             v
 *	slot's bitmap ---------> dirty memory, one bit ---------> the migration's bitmap
 *	(kvm/memslot.h)          a page of RAM (here)             (the caller's)
 *
 * A slot's bitmap dies with the slot.  So what region_del does before it deletes decides whether
 * bits that were not fetched yet are lost.  The default is what QEMU does since 2.3; faults
 * select the rest:
 *
 *	default                          KVM_GET_DIRTY_LOG if the section logs or the global log
 *	                                 (migration) is on, then delete
 *	qemu.slot_removal.slot_log_only  fetch only if the section itself asked to be logged (a
 *	                                 display does): 1.1 (3fbffb628c) until 2.3 (4cc856faba).
 *	                                 By its date the 2015 recording met this
 *	qemu.slot_removal.no_sync        never fetch: before 1.1
 *	qemu.slot_removal.delete_first   delete, then fetch: there is nothing left to fetch (ENOENT)
 *
 * Between fetching and deleting a vCPU may write again: a point, and a hole that is still open
 * upstream (QEMU's kvm_set_phys_mem() says so in a comment since b4420f198d, 6.1).  What else
 * depends on the version of QEMU is chosen with memory_listener_set_version():
 *
 *	before 1.1  no fetch on removal
 *	1.1         3fbffb628c: fetch if the section itself logs
 *	2.3         4cc856faba: fetch if a migration logs, too
 *	4.1         ff4aa11419, 9f4bf4baa8: KVM_CLEAR_DIRTY_LOG: a slot has a bitmap in QEMU of
 *	            what was fetched and not cleared; one that appears while logging is on has
 *	            none, and clearing it fails (QEMU asserts)
 *	5.0         9b3a31c745: it has
 *	6.1         b4420f198d: the dirty ring, with a reaper; no INITIALLY_SET with it
 *	            (a81a592698)
 *	8.0         f39b7d2b96, a27dd2de68: updates wait for the end of the transaction: all
 *	            deletions, then all additions, and vCPUs are kept out of KVM_RUN meanwhile, if
 *	            an addition overlaps a deletion and only then
 *	8.1         b20cc77692: the bitmap beside the ring is fetched, too, at the end and on
 *	            removal
 *
 * RAM is counted in pages of ram_addr, as in QEMU, because one guest address may be backed by
 * other RAM after a section changed.  Slot ids are the lowest free one, as kvm_get_free_slot()
 * gives, unless the caller (a recording) knows better.  Callers hold the BQL: calls for one
 * listener do not overlap, but for what vCPUs do.  All memory is the world's.
 */
#ifndef RINGSIDE_VMM_MEMORY_LISTENER_H
#define RINGSIDE_VMM_MEMORY_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm/page_bitmap.h"

struct world;
struct kvm;
struct kvm_vcpu;
struct memory_listener;

/*
 * Be QEMU of this version: "1.0", "1.1", "2.3", "4.1", "4.2", "5.0", "6.1" (what a new listener
 * is), "8.0" or "8.1"; false for another one.  Before the first section.
 */
bool
memory_listener_set_version(struct memory_listener *l, const char *version);
/* The names above, ended by null. */
extern const char *const memory_listener_versions[];

/*
 * kvm_set_max_memslot_size(): no slot is larger from now on, if the version splits sections.  s390
 * says 4 TiB; elsewhere there is no limit.  0: none.
 */
void
memory_listener_set_slot_size_max(struct memory_listener *l, uint64_t bytes);

/*
 * What QEMU asks of KVM at its start: a dirty ring of @ring_bytes with a bitmap beside it where
 * there is one, or if that is 0 KVM_CLEAR_DIRTY_LOG, as far as version and kernel have them.
 * Before the first vCPU and section. 0, or KVM's negative errno for the ring.
 */
int
memory_listener_enable(struct memory_listener *l, uint64_t ring_bytes);

/* A piece of RAM in the guest's address space. Bytes, multiples of a page. */
struct memory_section {
	uint64_t guest_phys_addr;
	uint64_t size;
	uint64_t ram_addr; /* where in RAM */
	uint8_t as_id; /* 1: system management mode's */
	bool readonly;
	bool log; /* it asks to be logged for itself from the beginning */
};

/* Where RAM begins in QEMU's address space: 112 TiB of it fit below the end of a process's. */
#define MEMORY_LISTENER_HVA (UINT64_C(1) << 44)

/* @ram_bytes of RAM, a multiple of a page. */
struct memory_listener *
memory_listener_create(struct world *w, struct kvm *kvm, uint64_t ram_bytes);

#define MEMORY_LISTENER_ANY_ID (-1)
/*
 * The section appears: make a slot, logging if the global log is on.  @id: the slot's, or
 * MEMORY_LISTENER_ANY_ID.  Returns the id (of the first of several slots), or the negative errno of
 * KVM; -EINVAL for a section that is not within RAM, -EEXIST for an id in use.
 */
int
memory_listener_region_add(struct memory_listener *l, const struct memory_section *section, int id);

/*
 * The section goes: fetch and delete in the order that is selected.  @as_id and @id name the slot.
 * 0, or a negative errno (-ENOENT: there is no such slot).
 */
int
memory_listener_region_del(struct memory_listener *l, uint8_t as_id, int id);

/*
 * A memory transaction, of a version that has them: sections that come and go in between do so at
 * commit.  An id that region_add() gives is that of then.  Earlier versions: nothing waits.
 * commit() returns 0, or the negative errno of the first addition that KVM refused (QEMU aborts).
 */
void
memory_listener_begin(struct memory_listener *l);
int
memory_listener_commit(struct memory_listener *l);
bool
memory_listener_in_transaction(const struct memory_listener *l);

/*
 * A vCPU's thread enters KVM_RUN, waiting as long as that is inhibited, and has left it.  While one
 * is inside, whoever inhibits waits: memory_listener_cpu_kicked() says that it should leave.
 */
void
memory_listener_cpu_enter(struct memory_listener *l);
void
memory_listener_cpu_leave(struct memory_listener *l);
bool
memory_listener_cpu_kicked(const struct memory_listener *l);

/* The section asks to be logged for itself (a display's frame buffer), or no longer. */
int
memory_listener_log_start(struct memory_listener *l, uint8_t as_id, int id);
int
memory_listener_log_stop(struct memory_listener *l, uint8_t as_id, int id);

/* Log all slots (migration), or only those that asked. Slots made later follow. */
void
memory_listener_log_global_start(struct memory_listener *l);
void
memory_listener_log_global_stop(struct memory_listener *l);

/*
 * Fetch the dirty log of each slot that logs, in all address spaces, into the dirty memory.  With
 * a ring: kick all vCPUs out of the guest, harvest, reset; and the bitmap beside it if this is the
 * @last time, vCPUs stopped.
 */
void
memory_listener_log_sync(struct memory_listener *l, bool last);

/*
 * The reaper thread's round, and what a vCPU does whose ring is full: harvest all rings, or that of
 * @vcpu, then reset (kvm_dirty_ring_reap(), b4420f198d; of one vCPU since 7.1, for the dirty
 * limit).  How many entries.
 */
unsigned
memory_listener_reap(struct memory_listener *l, struct kvm_vcpu *vcpu);

/*
 * Before the migration reads these pages of RAM: KVM forgets that they are dirty and protects them.
 * Only what was fetched since is cleared; ranges are widened to 64 pages for KVM, their bits are
 * not.  Does nothing without manual protection.  -ENXIO where QEMU 4.1 and 4.2 assert.
 */
int
memory_listener_log_clear(struct memory_listener *l, uint64_t ram_page, uint64_t npages);

/* Whether log_clear() clears anything. */
bool
memory_listener_clears(const struct memory_listener *l);

/*
 * A writer with a log of its own: a vhost worker, a vDPA or VFIO device with dirty tracking.  The
 * log is on with the global log, and log_sync fetches it.  @tracks: false for a device that tells
 * nobody what it writes.
 */
struct device_log *
memory_listener_device_log(struct memory_listener *l, bool tracks);
/* It writes @bytes at @ram_addr. False, and nothing done: they are not within RAM. */
bool
device_log_write(struct device_log *log, uint64_t ram_addr, uint64_t bytes);
/* The device has stopped: what its log has is fetched, and it is switched off. */
void
device_log_stop(struct device_log *log);

/* QEMU itself (device emulation) wrote @bytes at @ram_addr: marked here, not in KVM. */
void
memory_listener_set_dirty(struct memory_listener *l, uint64_t ram_addr, uint64_t bytes);

/*
 * migration_bitmap_sync(): log_sync, then move the dirty memory into @migration_bitmap, which has
 * a bit a page of RAM and belongs to the caller.  Returns how many pages became dirty in it.
 * @last: see log_sync.
 */
uint64_t
memory_listener_migration_sync(struct memory_listener *l, struct page_bitmap *migration_bitmap,
			       bool last);

/* The virtual machine whose slots these are. */
struct kvm *
memory_listener_kvm(const struct memory_listener *l);

/*
 * @fn is called, for who watches, when notes may have got lost: a slot was deleted, or an entry of
 * a ring was harvested whose slot is gone or another one by now (kvm/note_watch.h).
 */
void
memory_listener_on_stray(struct memory_listener *l, void (*fn)(void *arg), void *arg);

/* How many address spaces have slots: with system management mode's (since 2.4) 2. */
unsigned
memory_listener_address_spaces(const struct memory_listener *l);

/* The dirty memory, to look at. */
const struct page_bitmap *
memory_listener_dirty(const struct memory_listener *l);

#endif
