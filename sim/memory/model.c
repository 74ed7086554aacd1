/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/model.h"

#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/gm_impl.h"
#include "memory/site.h"

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

bool
memory_skip_barrier(struct world *w, const char *function, int kind)
{
	struct barrier_edit *edit = &gm_of(w)->edit;
	unsigned n = edit->skipped;

	if (n == BARRIERS_SKIPPED_MAX)
		return false;
	edit->skip[n].function = world_strdup(w, function);
	edit->skip[n].kind = kind;
	edit->skip[n].hash = hash_bytes(function, strlen(function), (uint64_t)kind + 1);
	edit->skipped++;
	return true;
}

static bool
in_function(int64_t site, const char *function)
{
	struct site_frame frame[SITE_FRAMES_MAX];
	unsigned n = site_frames(site, frame, SITE_FRAMES_MAX);

	for (unsigned i = 0; i < n; i++)
		if (!strncmp(frame[i].function, function, strlen(function)))
			return true;
	return false;
}

/* What in_function() said: a function of the program, not of a world, and dear to ask. */
static bool
skipped_here(int64_t site, const char *function, uint64_t hash)
{
	static _Thread_local struct answer {
		uint64_t key;
		bool is;
	} known[1024];
	uint64_t key = hash ^ hash_u64((uint64_t)site);
	struct answer *a = &known[key % 1024];

	if (a->key != key)
		*a = (struct answer){ key, in_function(site, function) };
	return a->is;
}

bool
barrier_edited_out(const struct barrier_edit *edit, const void *pc, int kind)
{
	int64_t site = site_of(pc);

	if (edit->ignored && site == edit->ignored)
		return true;
	for (unsigned i = 0; i < edit->skipped; i++)
		if (edit->skip[i].kind == kind &&
		    skipped_here(site, edit->skip[i].function, edit->skip[i].hash))
			return true;
	return false;
}

void
memory_add_barrier(struct world *w, int64_t site, int kind)
{
	gm_of(w)->edit.added = site;
	gm_of(w)->edit.added_kind = kind;
}
