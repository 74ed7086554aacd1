/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/access.h"

#include <string.h>

#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/gm_impl.h"
#include "memory/race.h"
#include "memory/race_impl.h"
#include "memory/site.h"

/* ORDER FENCE */
const char *const fence_name[FENCE_KINDS] = { "mb", "rmb", "wmb", "acquire", "release" };

int
memory_fence_kind(const char *word)
{
	for (int i = 0; i < FENCE_KINDS; i++)
		if (!strcmp(fence_name[i], word))
			return i;
	return -1;
}

void
access_init(struct world *w)
{
	for (int i = 0; i < FENCE_KINDS; i++)
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

/* --- what is left to be done after a hook ---------------------------------------------------- */

void
access_emit_pending(struct world *w, struct actor *a)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	struct access_pending p = a->pending;

	a->memory &= ~ACTOR_PENDING;
	a->pending.emit = false;
	if (p.emit && world_recording(w))
		world_emit_detail(w, EV_STORE, (int64_t)p.offset, p.size,
				  value_at(gm, p.offset, p.size), access_site(p.site), p.how);
}

/* ORDER ACCESS */
static const uint8_t watch_how[] = { WATCH_LOAD, WATCH_STORE, WATCH_LOAD | WATCH_STORE };

void
access_tell(struct world *w, uint64_t offset, uint32_t size, uint32_t how, unsigned more)
{
	struct step_watch *watch = w->host->watch;

	if (how & ACCESS_BUFFERED)
		more |= WATCH_BUFFERED;
	if (how & ACCESS_FORWARDED)
		more |= WATCH_FORWARDED;
	watch->access(watch, w, w->current, offset, size, watch_how[how & ACCESS_KIND_MASK] | more);
}

void
access_flushed(struct world *w, struct actor *a, uint64_t offset, uint32_t size, const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];

	w->step++;
	if (__builtin_expect(w->host->watch != NULL, 0))
		w->host->watch->flush(w->host->watch, w, a, offset, size);
	w->trail = trail_mix(w->trail, offset << 16 | size << 2 | 3 | (uint64_t)a->id << 48);
	if (__builtin_expect(w->host->sink != NULL, 0))
		world_emit_detail(w, EV_FLUSH, (int64_t)offset, size, value_at(gm, offset, size),
				  access_site(site), a->id);
	if (__builtin_expect(gm->races != NULL, 0))
		race_flushed(w, a);
	if (gm->hooks)
		gm_wrote(w, offset, size, GM_VISIBLE);
}

static void
record(struct world *w, struct actor *a, uint64_t offset, uint32_t size, uint32_t how,
       const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];
	enum access_kind kind = how & ACCESS_KIND_MASK;

	if (kind != ACCESS_STORE)
		world_emit_detail(w, EV_LOAD, (int64_t)offset, size, value_at(gm, offset, size),
				  access_site(site), how);
	if (kind != ACCESS_LOAD) {
		a->pending.offset = offset;
		a->pending.size = size;
		a->pending.site = site;
		a->pending.how = (uint16_t)how;
		a->pending.emit = true;
		a->memory |= ACTOR_PENDING;
	}
}

/* --- accesses ------------------------------------------------------------------------------- */

/* An atomic's orders that are left once barriers are edited out. */
static uint32_t
order_left(const struct gm *gm, uint32_t how, const void *site)
{
	if (how & ACCESS_SEQ_CST && access_ignored(gm, site, FENCE_MB))
		how &= ~ACCESS_SEQ_CST;
	if (how & ACCESS_ACQUIRE && access_ignored(gm, site, FENCE_ACQUIRE))
		how &= ~ACCESS_ACQUIRE;
	if (how & ACCESS_RELEASE && access_ignored(gm, site, FENCE_RELEASE))
		how &= ~ACCESS_RELEASE;
	return how;
}

static void
shared_access(struct world *w, const struct gm *gm, uint64_t offset, uint32_t size, uint32_t how,
	      const void *site)
{
	struct actor *a = w->current;
	bool load = (how & ACCESS_KIND_MASK) == ACCESS_LOAD;

	a->access = (struct next_access){ offset, size, watch_how[how & ACCESS_KIND_MASK] };

	if (gm->model != MEMORY_SC || gm->races) {
		if (gm->edit.added && access_site(site) == gm->edit.added)
			access_fence(w, gm->edit.added_kind, site);
		how = order_left(gm, how, site);
	}
	if (gm->model == MEMORY_WEAK) {
		how |= weak_access(w, offset, size, how, site);
	} else {
		if (gm->model == MEMORY_TSO)
			how |= tso_access(w, offset, size, how, site);
		else
			actor_access_point(w);
		access_tell_watch(w, offset, size, how, 0);
		if (__builtin_expect(gm->races != NULL, 0) && !load)
			race_access(w, offset, size, how, site);
	}
	w->trail = trail_mix(w->trail, offset << 16 | size << 2 | (how & ACCESS_KIND_MASK) |
					       (uint64_t)a->id << 48);
	if (__builtin_expect(w->host->sink != NULL, 0))
		record(w, a, offset, size, how, site);
	/* A load that races is recorded before it ends the run. */
	if (__builtin_expect(gm->races != NULL, 0) && load)
		race_access(w, offset, size, how, site);
	if (!load && gm->hooks)
		gm_wrote(w, offset, size, how & ACCESS_BUFFERED ? GM_MADE : GM_MADE | GM_VISIBLE);
}

void
access_shared(struct world *w, uint64_t offset, uint32_t size, uint32_t how, const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];

	if (w->current && !w->in_setup) {
		shared_access(w, gm, offset, size, how, site);
	} else {
		access_tell_watch(w, offset, size, how, 0);
		if (__builtin_expect(gm->races != NULL, 0) && !w->in_setup)
			race_access(w, offset, size, how, site);
		if ((how & ACCESS_KIND_MASK) != ACCESS_LOAD && gm->hooks)
			gm_wrote(w, offset, size, GM_MADE | GM_VISIBLE);
	}
}

/* --- barriers ------------------------------------------------------------------------------- */

void
access_fence(struct world *w, int kind, const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];

	must(kind >= 0 && kind < FENCE_KINDS);
	memory_settle(w, w->current);
	if (w->host->sink)
		world_emit_detail(w, EV_FENCE, world_name(w, fence_name[kind]), access_site(site),
				  0, 0, 0);
	if (gm->model == MEMORY_TSO)
		tso_fence(w, kind);
	else if (gm->model == MEMORY_WEAK)
		weak_fence(w, kind);
	if (__builtin_expect(gm->races != NULL, 0))
		race_fence(w, kind);
}

void
access_full_barrier(struct world *w, const void *site)
{
	const struct gm *gm = w->room[ROOM_MEMORY];

	memory_settle(w, w->current);
	if (access_ignored(gm, site, FENCE_MB))
		return;
	if (gm->model == MEMORY_TSO)
		tso_fence(w, FENCE_MB);
	else if (gm->model == MEMORY_WEAK)
		weak_fence(w, FENCE_MB);
	if (__builtin_expect(gm->races != NULL, 0))
		race_fence(w, FENCE_MB);
}

bool
access_ignored_here(const struct world *w, const void *site, int kind)
{
	return access_ignored(w->room[ROOM_MEMORY], site, kind);
}

void
ringside_fence(int kind)
{
	struct world *w = world_tls;
	const void *site = __builtin_return_address(0);

	if (!w || !w->current || w->in_setup || !w->memory)
		return;
	if (__builtin_expect(access_ignored_here(w, site, kind), 0))
		return;
	access_fence(w, kind, site);
	parked_scrub(w);
}
