/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images: a world in the middle of a run, kept and put back, and a hash by which equal worlds are
 * known.
 *
 * A world that is parked (world_set_parking()) or has ended is its arena and the live stacks of its
 * actors: nothing of it is in registers, and nothing on the host's stack.  An image holds what of
 * these differs from the snapshot.  It is one string of bytes without pointers to itself.
 *
 * Two worlds with the same hash go on in the same ways and are judged the same.  What the hash does
 * not see, because nothing that follows depends on it, is one list, image_set_aside() in image.c:
 *
 *	step, trail, digest, events in the buffer, count of choices and events: how it came here
 *	the order of the ready queue, and who left the question open: every answer is taken
 *	simulated time, in relaxed mode, as long as nobody looked at it or waits for a bound
 *	counters that are for people (world_count()), as long as nobody looked at any
 *	words that a room gave to world_ignore()
 *
 * All of it is in the image and put back.  Free memory of the arena is zero and dead parts of
 * stacks are left out; other differences of no meaning (a dead variable in a live frame, the order
 * in which blocks were freed) make two worlds of one: that costs work, and nothing is missed.
 *
 * Between world_restore() and the next one, images may be taken and loaded in any order.  One that
 * was taken before another snapshot is worthless.
 */
#ifndef RINGSIDE_ENGINE_IMAGE_H
#define RINGSIDE_ENGINE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

struct world_hash {
	uint64_t low, high;
};

/*
 * Write an image of @w, which is parked or has ended, to @to (8-byte aligned), at most @room bytes.
 * Returns how many, 0 if they do not suffice.  Costs what the run touched since the snapshot.
 */
size_t
world_image_take(struct world *w, void *to, size_t room, struct world_hash *hash);

/* Put it back: the world is as it was when the image was taken. */
void
world_image_load(struct world *w, const void *image);

/*
 * What hashes may leave out as long as nobody looks at it.  A search begins with @see 0.  If
 * world_image_looked() names something then, hashes so far are worthless, and it begins anew with
 * that seen, too.
 */
enum image_see {
	IMAGE_TIME = 1, /* seen anyway but in relaxed mode without bound timers */
	IMAGE_COUNTERS = 2
};
void
world_image_see(struct world *w, unsigned see);
/* Bits of what is not seen and was looked at since: by the run, or by who judged it. */
unsigned
world_image_looked(const struct world *w);

/*
 * At set-up: @words 64-bit words at @at, never freed, on which nothing that follows depends: @why
 * says so (a count of steps, a bound on a loop).
 */
void
world_ignore(struct world *w, void *at, size_t words, const char *why);

/*
 * The same of counters that are kept for people.  Who shows them to a script or a judge says so by
 * world_counters_shown().  After set-up it does nothing: what is made later may be freed.
 */
void
world_count(struct world *w, void *at, size_t words);
void
world_counters_shown(const struct world *w);

#endif
