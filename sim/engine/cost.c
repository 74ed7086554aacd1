/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cost.h"

#include "base/must.h"
#include "engine/world_impl.h"

const struct cost_info cost_info[COST_COUNT] = {
#define COST(id, name, ns, what) [COST_##id] = { name, ns, what },
#include "engine/costs.def"
#undef COST
};

void
cost_set(struct world *w, enum cost c, int64_t ns)
{
	must(ns >= 0);
	w->cost_ns[c] = ns;
}

int64_t
cost_of(const struct world *w, enum cost c)
{
	return w->cost_ns[c];
}

void
cost_spend(struct world *w, enum cost c)
{
	if (w->mode != WORLD_RELAXED && w->current && !w->in_setup && w->cost_ns[c])
		actor_work(w, w->cost_ns[c]);
}
