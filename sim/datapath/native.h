/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The native datapath inside a world: which of its deliberate defects are on.
 *
 * The rings know nothing of faults: they have quirk bits, which whoever makes a queue takes from
 * here and hands over in dp_vring.quirks.  A fault turned on later concerns queues made later.
 */
#ifndef RINGSIDE_DATAPATH_NATIVE_H
#define RINGSIDE_DATAPATH_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/datapath.h"

#include "engine/fault.h"

struct world;

/* DP_QUIRK_… of all ring faults that are on in @w. */
uint64_t
native_quirks(const struct world *w);

/*
 * The DP_QUIRK_… of one fault, 0 if it is none of ring code; *@matters: whether native rings with
 * these features have the place that it spoils.
 */
uint64_t
native_quirk_of(enum fault fault, uint64_t features, bool *matters);

#endif
