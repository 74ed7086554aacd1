/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/model.h"

#include <string.h>

#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/gm_impl.h"

/* ORDER MEMORY_MODEL */
const char *const memory_model_name[MEMORY_MODELS] = { "sc", "tso", "weak" };

int
memory_model_find(const char *name, struct error *err)
{
	for (int i = 0; i < MEMORY_MODELS; i++)
		if (!strcmp(memory_model_name[i], name))
			return i;
	return error_set(err, "no memory model \"%s\"; there are: sc tso weak", name);
}

/* Sequential consistency: all that is ever left to be done is to show a store. */
static const struct memory_ops sc_ops = {
	.settle = access_emit_pending,
	.leave = access_emit_pending,
};

static struct gm *
gm_of(const struct world *w)
{
	struct gm *gm = w->room[ROOM_MEMORY];

	must(gm); /* guest RAM comes first */
	return gm;
}

void
memory_set_model(struct world *w, enum memory_model model)
{
	struct gm *gm = gm_of(w);

	gm->model = model;
	w->memory = model == MEMORY_TSO ? &tso_ops : model == MEMORY_WEAK ? &weak_ops : &sc_ops;
	if (model == MEMORY_WEAK && !gm->weak)
		weak_create(w, gm);
}

enum memory_model
memory_model_of(const struct world *w)
{
	const struct gm *gm = w->room[ROOM_MEMORY];

	return gm ? gm->model : MEMORY_SC;
}

void
memory_ignore_barrier(struct world *w, int64_t site)
{
	gm_of(w)->edit.ignored = site;
}

void
memory_add_barrier(struct world *w, int64_t site, int kind)
{
	gm_of(w)->edit.added = site;
	gm_of(w)->edit.added_kind = kind;
}
