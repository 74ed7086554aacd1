/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device state: what a VMStateDescription says of versions and subsections, and whether a
 * destination takes what a source sends.
 *
 *	the section's version_id   the destination's
 *	> version_id               refused: -EINVAL
 *	< minimum_version_id       refused: -EINVAL
 *	between                    fields that came later keep their reset values
 *
 * A subsection is sent if its needed() says so, and refused with -ENOENT by a destination that does
 * not know its name: that is how a newer QEMU says what an older one must not lose.
 */
#ifndef RINGSIDE_MIGRATION_VMSTATE_H
#define RINGSIDE_MIGRATION_VMSTATE_H

#include <stdbool.h>
#include <stdint.h>

struct world;

#define VMSTATE_SUBSECTIONS_MAX 8u

struct vmstate_side {
	bool there;
	int version_id, minimum_version_id;
	const char *subsection[VMSTATE_SUBSECTIONS_MAX];
	bool needed[VMSTATE_SUBSECTIONS_MAX]; /* the source's: sent */
	unsigned subsections;
};

/* A device on both sides, in the order of their sections. */
struct vmstate {
	const char *name; /* "0000:00:03.0/virtio-blk" */
	uint32_t bytes; /* of its section */
	struct vmstate_side source, destination;
	const struct vmstate *next;
};

/* What vmstate_load_state() of the destination answers: 0, -EINVAL, -ENOENT. */
int
vmstate_load(const struct vmstate *v);

/* All of them, saying EV_MIG_VMSTATE of each; the first error. */
int
vmstate_load_all(struct world *w, const struct vmstate *first);

uint64_t
vmstate_bytes(const struct vmstate *first);

#endif
