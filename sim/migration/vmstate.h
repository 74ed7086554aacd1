/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device state: what a VMStateDescription says of versions, fields and subsections, and what a
 * destination makes of what a source sends (QEMU 8.2, migration/vmstate.c and savevm.c).
 *
 *	the section is not known              -EINVAL
 *	its version_id > the destination's    -EINVAL
 *	its version_id < minimum_version_id   -EINVAL
 *	a field exists                        its bytes are taken, whatever they were meant for:
 *	                                      field_exists() decides alone if there is one;
 *	                                      otherwise its version_id <= the section's
 *	a field that must exist does not      -EPERM (vmstate_load_state()'s -1)
 *	a subsection follows                  by its own version, as above
 *	  whose name the destination does     -ENOENT
 *	  not know
 *	  that the destination would have     need not follow: needed() is the source's alone
 *	  sent
 *	post_load() refuses                   its error
 *	bytes are left, or were too few       -EINVAL: the section's footer is elsewhere
 *
 * So sides that differ in a field without saying so by a version or a subsection fail, unless the
 * bytes happen to be as many: then the destination runs with one field in the place of another.
 * That is counted as misplaced; and what the source uses but did not send is counted as left out.
 */
#ifndef RINGSIDE_MIGRATION_VMSTATE_H
#define RINGSIDE_MIGRATION_VMSTATE_H

#include <stdbool.h>
#include <stdint.h>

struct world;

#define VMSTATE_SUBSECTIONS_MAX 8u
#define VMSTATE_FIELDS_MAX 16u

/* ORDER VMSTATE_EXISTS */
enum vmstate_exists { VMSTATE_BY_VERSION, VMSTATE_YES, VMSTATE_NO };

struct vmstate_field {
	const char *name;
	uint32_t bytes;
	int version_id; /* since which it is there */
	enum vmstate_exists exists; /* what field_exists() says; by version: there is none */
	bool must_exist; /* VMSTATE_VALIDATE */
};

struct vmstate_subsection {
	const char *name; /* "virtio/started" */
	int version_id, minimum_version_id;
	uint32_t bytes;
	bool needed; /* what the source's needed() says: sent */
	bool in_use; /* at the source: it differs from what a reset leaves */
};

/* A VMStateDescription. Without fields it is one of the device's bytes. */
struct vmstate_side {
	bool there;
	int version_id, minimum_version_id;
	bool not_needed; /* the section's own needed() says no: nothing is sent */
	int pre_save, post_load; /* what they return */
	struct vmstate_field field[VMSTATE_FIELDS_MAX];
	unsigned fields;
	struct vmstate_subsection subsection[VMSTATE_SUBSECTIONS_MAX];
	unsigned subsections;
};

/* A device on both sides, in the order of their sections. */
struct vmstate {
	const char *name; /* "0000:00:03.0/virtio-blk" */
	uint32_t bytes; /* of its section, if no side has fields */
	struct vmstate_side source, destination;
	const struct vmstate *next;
};

/* What a load came to. */
struct vmstate_result {
	int ret; /* 0, or a negative errno as above */
	unsigned subsections; /* that were sent */
	unsigned misplaced; /* fields that hold another one's bytes, though it says 0 */
	unsigned left_out; /* subsections in use that were not sent */
};

struct vmstate_result
vmstate_load(const struct vmstate *v);

/*
 * All of them, saying EV_MIG_VMSTATE of each; the first error.  An error of a pre_save() is the
 * source's: nothing was sent.
 */
int
vmstate_load_all(struct world *w, const struct vmstate *first);

uint64_t
vmstate_bytes(const struct vmstate *first);

#endif
