/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a recording to what must have been done: a list of operations on memory slots.
 *
 * A recording begins in the middle of a life and says little of slots: that a bitmap was
 * destroyed, that a page was marked in one.  What follows from it, and nothing more, is assumed:
 *
 *	- a slot that is mentioned existed just then, with logging on and this base_gfn and
 *	  npages.  If it is not there it is created right before its first mention, with an
 *	  empty bitmap;
 *	- slots of one address space do not overlap and an id names one slot.  What stands in a
 *	  mentioned slot's way is gone by then: a deletion that the recording did not show,
 *	  counted as assumed;
 *	- a destroyed bitmap is a deleted slot.  (Switching logging off destroys it as well; for
 *	  the bits it is the same);
 *	- marks are made by vCPUs, all else by QEMU's thread, in the order of the recording;
 *	- bits that were set before the recording began, or by writes it does not show, are
 *	  unknown and never counted.
 *
 * Each operation has the line it comes from.  Times are the records', but never go backwards.
 */
#ifndef RINGSIDE_TRACE_MEMSLOT_PLAN_H
#define RINGSIDE_TRACE_MEMSLOT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/recording.h"

enum memslot_op_kind {
	MEMSLOT_OP_ADD, /* QEMU: a section appears */
	MEMSLOT_OP_DEL, /* QEMU: it goes */
	MEMSLOT_OP_DIRTY, /* vCPU: write a page */
	MEMSLOT_OP_SYNC, /* QEMU: migration_bitmap_sync() */
	MEMSLOT_OP_SEEN /* QEMU: the recording looked at a bit */
};

struct memslot_op {
	int64_t time_ns;
	uint64_t line;
	uint64_t gfn; /* base_gfn of ADD and DEL */
	uint64_t npages;
	uint32_t id;
	uint8_t kind; /* enum memslot_op_kind */
	bool estimated; /* the time */
	bool assumed; /* follows from the recording but does not stand in it */
	bool set; /* SEEN: what the recording saw */
};

struct memslot_plan {
	struct memslot_op *op;
	size_t count, capacity;
	uint64_t adds_assumed; /* every ADD is */
	uint64_t dels_assumed;
	uint64_t gfn_end; /* no slot has a page at or past this */
	uint32_t id_end; /* no slot has an id at or past this */
	uint64_t *page; /* the gfns that are ever dirtied, in order, each once */
	size_t pages;
};

/*
 * Fill a zeroed @plan; 0, or -1 and @err where a line says what no KVM could have done (a page
 * outside of its slot, a slot of no pages, an id past KVM's), where there is nothing about slots
 * at all, or no sync by which to decide what was lost.
 */
int
memslot_plan_make(struct memslot_plan *plan, const struct recording *r, struct error *err);
void
memslot_plan_free(struct memslot_plan *plan);

#endif
