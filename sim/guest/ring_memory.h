/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM for a ring, split or packed: three areas in one piece, zeroed, named after their fields
 * in traces ("vda.vq0.avail.idx").  Like the guest's own page allocator, but that memory is not
 * given out again: what a device writes into a ring that its driver gave back damages nothing else,
 * and shows.
 */
#ifndef RINGSIDE_GUEST_RING_MEMORY_H
#define RINGSIDE_GUEST_RING_MEMORY_H

#include <stdint.h>

#include "datapath/datapath.h"

struct world;

/* Fill in @vring but for index and quirks. Ends the run with an error if RAM is full. */
void
ring_memory_alloc(struct world *w, struct dp_vring *vring, const char *name, uint16_t size,
		  uint64_t features);

struct ring_split_layout;

/* Name memory at @gpa as a split ring, laid out so; @layout stays as long as the world. */
void
ring_memory_name(struct world *w, const struct ring_split_layout *layout, uint64_t gpa,
		 const char *name);

/* Zero it again, for a ring that is set up anew at the same place. */
void
ring_memory_clear(struct world *w, const struct dp_vring *vring);

#endif
