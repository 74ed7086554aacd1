/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites: places in linked code, as a number that means the same in every run, and as function, file
 * and line.
 *
 * A site is made of a return address: what the compiler's hooks know of their caller.  It is the
 * number of the image (0: the program itself; plugins by the order in which they were met) above
 * bit SITE_IMAGE_SHIFT, and below it the offset from the image's first byte.  Neither depends on
 * where the loader put the image.  A place is looked up one byte before the address, in the call.
 *
 * Names come from the DWARF of the images by elfutils' libdw, inlined functions included, when
 * somebody asks: nothing is read on the path of an access.  Without debug information there is the
 * symbol and the offset in it.  Files are given by their base name.
 *
 * Images and names belong to the process, not to a world; nothing that a run does depends on them.
 */
#ifndef RINGSIDE_MEMORY_SITE_H
#define RINGSIDE_MEMORY_SITE_H

#include <stddef.h>
#include <stdint.h>

#define SITE_IMAGE_SHIFT 40
#define SITE_IMAGES_MAX 64u /* further ones are called by the last number */
#define SITE_FRAMES_MAX 12u /* inlined into each other at one address */

/* Number of the place that returns to @pc; 0 for null. */
int64_t
site_of(const void *pc);

/* Texts live as long as the process. */
struct site_frame {
	const char *function; /* "?" where nothing is known */
	const char *file; /* base name, or null without debug information */
	int line; /* 0 without debug information */
	unsigned offset; /* in the function, where there is no line */
};

/*
 * Frames at a site: the innermost inlined function first, the function that was really called last.
 * Returns their number, at least 1 and at most @max.
 */
unsigned
site_frames(int64_t site, struct site_frame *frame, unsigned max);

/*
 * The frame by which a site is known to people: the innermost one that is not in a header, where a
 * barrier or an accessor is a line of its own and the same for all who use it.
 */
void
site_frame(int64_t site, struct site_frame *frame);
/* That frame, and those it is inlined into. As site_frames(). */
unsigned
site_frames_of_code(int64_t site, struct site_frame *frame, unsigned max);

/* Of that frame: "virtio_ring.c:812", or "virtqueue_add+0x1c" without debug information. */
void
site_text(int64_t site, char *text, size_t size);

/* "virtqueue_add_split virtio_ring.c:812": one frame. Returns the length, cut to @size - 1. */
size_t
site_frame_text(const struct site_frame *frame, char *text, size_t size);

/* How many images were met so far; the program counts. */
unsigned
site_images(void);

/*
 * Build id of an image, in hexadecimal, by which one build of the linked code is told from another;
 * "" if the linker gave it none.
 */
const char *
site_build_id(unsigned image);

#endif
