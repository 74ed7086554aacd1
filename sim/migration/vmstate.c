/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vmstate.h"

#include <errno.h>
#include <string.h>

#include "engine/world.h"

static bool
knows(const struct vmstate_side *side, const char *subsection)
{
	for (unsigned i = 0; i < side->subsections; i++)
		if (!strcmp(side->subsection[i], subsection))
			return true;
	return false;
}

int
vmstate_load(const struct vmstate *v)
{
	if (!v->source.there)
		return 0;
	if (!v->destination.there)
		return -ENOENT; /* unknown savevm section */
	if (v->source.version_id > v->destination.version_id ||
	    v->source.version_id < v->destination.minimum_version_id)
		return -EINVAL;
	for (unsigned i = 0; i < v->source.subsections; i++)
		if (v->source.needed[i] && !knows(&v->destination, v->source.subsection[i]))
			return -ENOENT;
	return 0;
}

static unsigned
sent_subsections(const struct vmstate *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < v->source.subsections; i++)
		n += v->source.needed[i];
	return n;
}

int
vmstate_load_all(struct world *w, const struct vmstate *first)
{
	for (const struct vmstate *v = first; v; v = v->next) {
		int64_t name = world_name(w, v->name);
		int ret = vmstate_load(v);

		emit(w, EV_MIG_VMSTATE, name, v->source.version_id, sent_subsections(v), ret);
		if (ret)
			return ret;
	}
	return 0;
}

uint64_t
vmstate_bytes(const struct vmstate *first)
{
	uint64_t bytes = 0;

	for (const struct vmstate *v = first; v; v = v->next)
		bytes += v->source.there ? v->bytes : 0;
	return bytes;
}
