/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Costs: how long things take in timed mode, one named table a world (engine/costs.def).  In
 * relaxed mode nothing costs anything: there a sleep only orders its actor's own steps.
 *
 * A new world's costs are all 0, so that everything meets at one time and ties are explored; the
 * machine{} of a scenario takes the table's defaults for what it does not set.
 */
#ifndef RINGSIDE_ENGINE_COST_H
#define RINGSIDE_ENGINE_COST_H

#include <stdint.h>

struct world;

enum cost {
#define COST(id, name, ns, what) COST_##id,
#include "engine/costs.def"
#undef COST
	COST_COUNT
};

struct cost_info {
	const char *name;
	int64_t default_ns;
	const char *what;
};

extern const struct cost_info cost_info[COST_COUNT];

/* @ns >= 0, from now on. */
void
cost_set(struct world *w, enum cost c, int64_t ns);
int64_t
cost_of(const struct world *w, enum cost c);

/* The running actor spends it: actor_work() in timed mode, nothing else. A no-op in a callback. */
void
cost_spend(struct world *w, enum cost c);

#endif
