/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/access.h"

#include <string.h>

#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/gm_impl.h"
#include "memory/site.h"

/* ORDER FENCE: as in datapath/barrier.h, which stands alone and is above this room. */
static const char *const fence_name[] = { "mb", "rmb", "wmb", "acquire", "release" };

void
access_init(struct world *w)
{
	for (size_t i = 0; i < sizeof(fence_name) / sizeof(fence_name[0]); i++)
		world_name(w, fence_name[i]);
}

int64_t
access_site(const void *site)
{
	return site_of(site);
}

static int64_t
value_at(const struct gm *gm, uint64_t offset, uint32_t size)
{
	int64_t value = 0;

	memcpy(&value, gm->base + offset, size < 8 ? size : 8);
	return value;
}

void
access_settle(struct world *w, struct actor *a)
{
	const struct gm *gm = world_room(w, ROOM_MEMORY);
	uint32_t size = a->pending_size;

	a->pending_size = 0;
	if (size && world_recording(w))
		world_emit_detail(w, EV_STORE, (int64_t)a->pending_gpa, size,
				  value_at(gm, a->pending_gpa, size), access_site(a->pending_site),
				  0);
}

static void
record(struct world *w, struct actor *a, uint64_t offset, uint32_t size, enum access_kind kind,
       const void *site)
{
	const struct gm *gm = world_room(w, ROOM_MEMORY);

	if (kind != ACCESS_STORE)
		world_emit_detail(w, EV_LOAD, (int64_t)offset, size, value_at(gm, offset, size),
				  access_site(site), 0);
	if (kind != ACCESS_LOAD) {
		a->pending_gpa = offset;
		a->pending_size = size;
		a->pending_site = site;
	}
}

/* ORDER ACCESS */
static const uint8_t watch_how[] = { WATCH_LOAD, WATCH_STORE, WATCH_LOAD | WATCH_STORE };

static void
tell_watch(struct world *w, struct actor *a, uint64_t offset, uint32_t size, enum access_kind kind)
{
	w->host->watch->access(w->host->watch, w, a, offset, size, watch_how[kind]);
}

void
access_shared(struct world *w, uint64_t offset, uint32_t size, enum access_kind kind,
	      const void *site)
{
	struct actor *a = w->current;
	const struct gm *gm = world_room(w, ROOM_MEMORY);

	if (a && !w->in_setup) {
		actor_point(w);
		if (__builtin_expect(w->host->watch != NULL, 0))
			tell_watch(w, a, offset, size, kind);
		w->trail = trail_mix(w->trail,
				     offset << 16 | size << 2 | kind | (uint64_t)a->id << 48);
		if (__builtin_expect(w->host->sink != NULL, 0))
			record(w, a, offset, size, kind, site);
	}
	if (__builtin_expect(!a && w->host->watch, 0))
		tell_watch(w, NULL, offset, size, kind);
	if (kind != ACCESS_LOAD && gm->hooks)
		gm_wrote(w, offset, size);
}

/*
 * Under sequential consistency a barrier orders nothing that is not ordered already; it is shown
 * when recording because people look for it.
 */
void
ringside_fence(int kind)
{
	struct world *w = world_tls;

	if (!w || !w->current || !w->host->sink || w->in_setup)
		return;
	must(kind >= 0 && kind < (int)(sizeof(fence_name) / sizeof(fence_name[0])));
	access_settle(w, w->current);
	world_emit_detail(w, EV_FENCE, world_name(w, fence_name[kind]),
			  access_site(__builtin_return_address(0)), 0, 0, 0);
}
