/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands behind the shim headers: for which queue the kernel's code runs, and where its memory
 * comes from.  No name of the kernel's is in here.
 *
 * All memory is dp_host.alloc()'s, so that it is restored with the world, and nothing is kept
 * outside it but three notes, each left and taken within one stretch of code that no other actor
 * can come into: who is being made (creation accesses no shared memory), the distance between host
 * pointers and gpas (the same for all queues of a world), and the last complaint of vringh.c.
 */
#ifndef RINGSIDE_DATAPATH_LINUX_LINUX_RING_H
#define RINGSIDE_DATAPATH_LINUX_LINUX_RING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"

/* One side of a queue; begins the objects of driver.c and device.c. 16-byte aligned. */
struct linux_ring {
	struct dp_host host;
	/* The indirect table that the next allocation of that size gets; null: there is none. */
	void *table;
	size_t table_bytes;
	/* What linux_alloc_area() gives out: descriptors, driver's and device's area. */
	void *area[3];
	uint64_t area_gpa[3];
	unsigned areas; /* given out */
};

/* Bits of a pointer to struct linux_ring that are free for flags. */
#define LINUX_FLAGS ((uintptr_t)15)

/* From here to linux_make(NULL) GFP_KERNEL is @ring. */
void
linux_make(const struct linux_ring *ring);
uintptr_t
linux_making(void);

/*
 * Memory for the ring in @gfp: its table, if one was left and is of that size; else, while it is
 * being made, zeroed memory of its host.  Null if neither.
 */
void *
linux_alloc(size_t size, uintptr_t gfp);
/* Give memory back to where it came from; a table is its owner's. Null is allowed. */
void
linux_free(const void *p);

/* The next area of the ring in @gfp; its gpa to @gpa, which may be null. */
void *
linux_alloc_area(size_t size, uintptr_t gfp, uint64_t *gpa);

/* Host pointers of this world are @distance above their gpas. */
void
linux_distance(uintptr_t distance);
uint64_t
linux_gpa(const void *p);

/*
 * A message of the kernel's without the line feed, its conversions as they are, so that the text
 * can be found in the source and does not depend on an address: "id %u out of range".
 */
#define LINUX_WORDS_MAX 64u
void
linux_words(char text[LINUX_WORDS_MAX], const char *fmt);

/* vringh_bad(): keep the complaint until it is taken. */
void
linux_complain(const char *fmt, va_list arguments);
/*
 * The last complaint, and *@value if a number comes first in it; false, and nothing touched, if
 * there was none since the last call.
 */
bool
linux_complaint(char text[LINUX_WORDS_MAX], uint64_t *value);

_Noreturn void
linux_bug(const char *what, const char *file, int line);

#endif
