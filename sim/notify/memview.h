/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the VMM has mapped where: QEMU's view of MMIO and port space, its transactions, and the
 * ioeventfds that follow the regions.  A vCPU's write goes
 *
 *	vCPU ─▶ exit ─▶ KVM's bus: an ioeventfd matches ─▶ eventfd, back into the guest
 *	                  │ else
 *	                  ▼
 *	               exit to the VMM ─▶ the region mapped there ─▶ its callback
 *	                                    │ none
 *	                                    ▼
 *	                             *unassigned*: the write vanishes (EV_IO_UNASSIGNED)
 *
 * A transaction collects changes and applies them at the outermost commit, in QEMU's order: first
 * the map that exits are looked up in, in one step, then one by one the ioeventfds that went and
 * those that came.  Before each of these is a point, for vCPUs do not stop meanwhile.  A guest that
 * switches decode off and on again by two writes makes two transactions; between them the doorbell
 * is unassigned.
 *
 * The VMM's lock (QEMU's BQL).  Transactions, region callbacks and configuration cycles run under
 * it; the look-up that chooses a callback does not, as in QEMU.  This room has a plain recursive
 * one of its own; the VMM's room gives it the real one by memview_set_lock().
 */
#ifndef RINGSIDE_NOTIFY_MEMVIEW_H
#define RINGSIDE_NOTIFY_MEMVIEW_H

#include "engine/world.h"
#include "notify/iobus.h"

struct vcpu;
struct memview;

/* Callbacks run in the vCPU's exit, under the VMM's lock. */
struct memregion_ops {
	void (*write)(void *arg, struct vcpu *v, uint64_t offset, uint32_t length, uint64_t value);
	uint64_t (*read)(void *arg, struct vcpu *v, uint64_t offset, uint32_t length);
};

/*
 * An ioeventfd of a region; its address is an offset, it comes and goes with the region's mapping.
 */
struct memregion_ioeventfd {
	struct ioeventfd e; /* e.address is where it is in force, if armed */
	uint64_t offset;
	bool armed;
	bool gone; /* deleted, to be disarmed at commit */
	struct memregion_ioeventfd *next;
};

/* A run of addresses that a device answers. Embedded in its owner; lives as long as the view. */
struct memregion {
	struct memview *view;
	int64_t name;
	enum io_space space;
	uint64_t size_bytes;
	const struct memregion_ops *ops;
	void *arg;
	bool wanted, mapped; /* as asked for; as in force */
	uint64_t wanted_base, base;
	struct memregion_ioeventfd *ioeventfds;
	struct memregion *next;
};

struct memview {
	struct world *world;
	struct iobus *bus;
	struct memregion *regions; /* newest first: a newer region covers an older one */
	uint32_t depth; /* of transactions */
	bool changed;
	struct actor *owner; /* holds our own lock */
	uint32_t owner_depth;
	struct waitq owner_wait;
	void (*lock)(void *arg); /* or null: our own */
	void (*unlock)(void *arg);
	void *lock_arg;
};

/* Where a write went. ORDER IO_RESULT */
enum io_result { IO_IOEVENTFD, IO_VMM, IO_UNASSIGNED };

struct memview *
memview_create(struct world *w, struct iobus *bus);

void
memregion_init(struct memregion *r, struct memview *view, const char *name, enum io_space space,
	       uint64_t size_bytes, const struct memregion_ops *ops, void *arg);

/* Use the VMM's lock, which must be recursive, instead of our own. At set-up. */
void
memview_set_lock(struct memview *view, void (*lock)(void *arg), void (*unlock)(void *arg),
		 void *arg);
void
memview_lock(struct memview *view);
void
memview_unlock(struct memview *view);

/* Map @r at @base, or unmap it: at the commit, or at once outside a transaction. */
void
memregion_map(struct memregion *r, uint64_t base);
void
memregion_unmap(struct memregion *r);

/*
 * Add an ioeventfd at @offset (memory_region_add_eventfd); @match with @value.  At the commit, or
 * at once outside a transaction.  Deleting names the same things.
 */
void
memregion_add_ioeventfd(struct memregion *r, uint64_t offset, uint32_t length, bool match,
			uint64_t value, struct eventfd *fd);
void
memregion_del_ioeventfd(struct memregion *r, uint64_t offset, uint32_t length, bool match,
			uint64_t value, struct eventfd *fd);

void
memview_begin(struct memview *view);
void
memview_commit(struct memview *view);

/* A vCPU's write or read; null @v: somebody else's (a monitor command, a test), without an exit. */
enum io_result
memview_write(struct memview *view, struct vcpu *v, enum io_space space, uint64_t address,
	      uint32_t length, uint64_t value);
/* All ones if nobody answers. */
uint64_t
memview_read(struct memview *view, struct vcpu *v, enum io_space space, uint64_t address,
	     uint32_t length);

/* The region an exit at this address would find, or null. */
struct memregion *
memview_find(const struct memview *view, enum io_space space, uint64_t address, uint32_t length);

#endif
