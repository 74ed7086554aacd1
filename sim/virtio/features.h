/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feature bits and what they depend on (2.2.1, 5.1.3.1, 6).  The same tables say what a device may
 * offer and what a driver may accept.
 */
#ifndef RINGSIDE_VIRTIO_FEATURES_H
#define RINGSIDE_VIRTIO_FEATURES_H

#include <stdint.h>

/* @bit needs all of @all and, unless that is 0, one of @any. ORDER: none, all entries hold. */
struct virtio_feature_dep {
	uint8_t bit;
	uint64_t all, any;
};

/* The last entry of a table has this bit. */
#define VIRTIO_DEP_END 0xff

/* Ring and transport features (6). */
extern const struct virtio_feature_dep virtio_common_deps[];

/*
 * The first entry's bit that is in @features without what it needs, in the common table or in @deps
 * (which may be null); -1 if there is none.
 */
int
virtio_features_missing(const struct virtio_feature_dep *deps, uint64_t features);

/* @features without those that lack something: the largest legal subset. */
uint64_t
virtio_features_close(const struct virtio_feature_dep *deps, uint64_t features);

#endif
