/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which ring code there is, and which of it the queues of a world get.
 *
 *	"native"        our own rings (native.h); the default on both sides
 *	"linux"         Linux's virtio_ring.c and vringh.c, where they were built in
 *	"./ring.so"     a plugin: a name with a slash in it or .so at its end (plugin.h)
 *
 * A choice names a datapath for both sides, "linux", or one for the driver's side and one for the
 * device's, "linux,native".  Where one name stands for both, a side that it has not got is native;
 * where a side is named, it must have it.
 *
 * Whoever makes a queue asks datapath_driver() or datapath_device() of its world, and takes its
 * ring features through datapath_features().  A feature that ring code cannot do is not negotiated
 * with it: the device does not offer it, the driver does not accept it, and two halves without a
 * negotiation (guest/raw_driver.h) leave it out.
 *
 * Memory: ring code is the process's and is never unloaded, a world's selection is the world's.
 */
#ifndef RINGSIDE_DATAPATH_REGISTRY_H
#define RINGSIDE_DATAPATH_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "datapath/datapath.h"

struct world;

/* The ring code of that name. Null, and @err with the names there are or why it cannot be had. */
const struct datapath *
datapath_find(const char *name, struct error *err);

/* Why there is no datapath of a name that is built in ("linux"), or null. */
const char *
datapath_missing(const char *name);

#define DATAPATH_TEXT_MAX 512u

struct datapath_choice {
	char text[DATAPATH_TEXT_MAX]; /* as it is recorded: "native", "linux,native" */
	const struct datapath *driver, *device; /* each has its side */
};

/* From "NAME" or "DRIVER,DEVICE". 0, or -1 and @err. */
int
datapath_choose(struct datapath_choice *c, const char *text, struct error *err);

/* Queues that are made from now on use @c. Before any queue: at set-up. */
void
datapath_select(struct world *w, const struct datapath_choice *c);
/*
 * Same, if nothing was selected yet: what a scenario or a machine's file says, which the command
 * line overrides. Ends the set-up with an error if there is no such datapath.
 */
void
datapath_select_default(struct world *w, const char *text);

/*
 * Features that decide of which kind a ring is, as words: "split", "packed", and what it has beside
 * that of "event_idx", "indirect", "in_order", with commas between.
 */
extern const uint64_t datapath_ring_features;
/* Set of datapath_ring_features from words. 0, or -1 and @err. */
int
datapath_ring_parse(const char *text, uint64_t *features, struct error *err);
/* And back: DATAPATH_RING_TEXT_MAX bytes hold it. Returns @text. */
#define DATAPATH_RING_TEXT_MAX 48u
char *
datapath_ring_text(uint64_t features, char *text);

/*
 * Ring features that queues of @w have or have not whatever their set-up says: those of @mask are
 * as in @value.  A conformance matrix does that.
 */
void
datapath_force_features(struct world *w, uint64_t mask, uint64_t value);
/* @features as they are forced. */
uint64_t
datapath_features(const struct world *w, uint64_t features);
/*
 * Whether both can have rings with these of datapath_ring_features. 0, or -1 and @err with the
 * first one that cannot: "the device side of linux has no VIRTIO_F_RING_PACKED".
 */
int
datapath_can(const struct datapath *driver, const struct datapath *device, uint64_t features,
	     struct error *err);
/*
 * As datapath_features(), of a queue or a device: remembers what was asked for, and ends the set-up
 * with an error if a side cannot do what is forced.
 */
uint64_t
datapath_features_of_queue(struct world *w, uint64_t features);
/* All that was asked for, before it was forced. */
uint64_t
datapath_features_asked(const struct world *w);

/* What a queue of @w is to use; asking counts as use. */
const struct datapath *
datapath_driver(struct world *w);
const struct datapath *
datapath_device(struct world *w);
/* Whether anybody asked: false in a world that has no virtqueue. */
bool
datapath_used(const struct world *w);
/* For plugin_guard.c: the head of its list of calls in @w. */
void **
datapath_calls(struct world *w);
/* The selection's text: "native" where none was made. */
const char *
datapath_text(const struct world *w);

#endif
