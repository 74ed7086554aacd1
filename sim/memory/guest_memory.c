/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/guest_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/world_impl.h"
#include "memory/access.h"
#include "memory/gm_impl.h"
#include "memory/race_impl.h"

/* The guest's allocator starts above the first page: gpa 0 stays invalid, as a null in the rings.
 */
#define GM_ALLOC_FIRST 4096u
#define GM_PAGE_BYTES 4096u

static struct gm *
gm_of(const struct world *w)
{
	return world_room(w, ROOM_MEMORY);
}

void
gm_create(struct world *w, uint64_t bytes)
{
	struct gm *gm = world_alloc(w, sizeof(*gm));

	must(!gm_of(w));
	gm->size = bytes;
	gm->base = arena_alloc_pages(w->arena, bytes);
	if (!gm->base)
		world_fail(w, "out of memory: guest RAM of %" PRIu64 " MiB", bytes >> 20);
	gm->next = GM_ALLOC_FIRST;
	w->shared_base = (uintptr_t)gm->base;
	w->shared_bytes = bytes;
	world_set_room(w, ROOM_MEMORY, gm);
	memory_set_model(w, MEMORY_SC);
	access_init(w);
}

uint64_t
gm_size(const struct world *w)
{
	const struct gm *gm = gm_of(w);

	return gm ? gm->size : 0;
}

void
gm_set_first_page(struct world *w, uint64_t gpa)
{
	must(!(gpa & (GM_PAGE_BYTES - 1)));
	gm_of(w)->first_page = gpa;
}

int64_t
gm_page(const struct world *w, uint64_t gpa)
{
	return (int64_t)(gpa / GM_PAGE_BYTES) - (int64_t)(gm_of(w)->first_page / GM_PAGE_BYTES);
}

void *
gm_map(const struct world *w, uint64_t gpa, uint64_t len)
{
	const struct gm *gm = gm_of(w);

	if (!gm || gpa > gm->size || len > gm->size - gpa)
		return NULL;
	return gm->base + gpa;
}

static void
tell_watch(const struct world *w, uint64_t gpa, uint64_t len, unsigned how)
{
	struct step_watch *watch = w->host->watch;

	if (__builtin_expect(watch != NULL, 0))
		watch->touch(watch, (struct world *)w, gpa, len, how);
}

/* Not what an observer looks at. */
static void
tell_races(const struct world *w, uint64_t gpa, uint64_t len, bool store, const void *site)
{
	if (__builtin_expect(gm_of(w)->races != NULL, 0) && !w->observing)
		race_touch((struct world *)w, gpa, len, store, site);
}

bool
gm_read(const struct world *w, uint64_t gpa, void *to, uint64_t len)
{
	const void *from = gm_map(w, gpa, len);

	if (!from)
		return false;
	tell_watch(w, gpa, len, WATCH_LOAD);
	tell_races(w, gpa, len, false, __builtin_return_address(0));
	memcpy(to, from, len);
	return true;
}

void
gm_wrote(struct world *w, uint64_t gpa, uint64_t len, unsigned what)
{
	struct gm *gm = gm_of(w);
	bool outer = w->observing;

	w->observing = true;
	for (unsigned i = 0; i < gm->hooks; i++)
		if (what & (gm->hook[i].made ? GM_MADE : GM_VISIBLE))
			gm->hook[i].fn(w, gpa, len, gm->hook[i].context);
	w->observing = outer;
}

bool
gm_write(struct world *w, uint64_t gpa, const void *from, uint64_t len)
{
	void *to = gm_map(w, gpa, len);

	if (!to)
		return false;
	tell_watch(w, gpa, len, WATCH_STORE);
	tell_races(w, gpa, len, true, __builtin_return_address(0));
	if (gm_of(w)->model == MEMORY_TSO)
		tso_model_write(w);
	memcpy(to, from, len);
	if (gm_of(w)->model == MEMORY_WEAK)
		weak_model_write(w, gpa, len);
	gm_wrote(w, gpa, len, GM_VISIBLE | GM_MADE);
	return true;
}

uint64_t
gm_alloc(struct world *w, uint64_t bytes, uint64_t align)
{
	struct gm *gm = gm_of(w);

	must(gm && align && !(align & (align - 1)));

	uint64_t gpa = (gm->next + align - 1) & ~(align - 1);

	if (gpa > gm->size || bytes > gm->size - gpa)
		world_fail(w,
			   "guest RAM is full: %" PRIu64 " bytes asked for, %" PRIu64 " of %" PRIu64
			   " in use",
			   bytes, gm->next, gm->size);
	gm->next = gpa + bytes;
	return gpa;
}

void
gm_region(struct world *w, uint64_t gpa, uint64_t len, const char *name, gm_describe_fn describe,
	  const void *context)
{
	struct gm *gm = gm_of(w);
	struct gm_region *r = world_alloc(w, sizeof(*r));

	must(gm);
	*r = (struct gm_region){
		.gpa = gpa,
		.len = len,
		.name = world_strdup(w, name),
		.describe = describe,
		.context = context,
		.next = gm->regions,
	};
	gm->regions = r;
	if (gm->races)
		race_forget_roles(w, gpa, len);
}

void
gm_region_roles(struct world *w, gm_role_fn role)
{
	struct gm *gm = gm_of(w);

	must(gm && gm->regions);
	gm->regions->role = role;
}

static const struct gm_region *
region_at(const struct gm *gm, uint64_t gpa)
{
	const struct gm_region *r = gm ? gm->regions : NULL;

	while (r && gpa - r->gpa >= r->len)
		r = r->next;
	return r;
}

enum gm_role
gm_role_of(const struct world *w, uint64_t gpa)
{
	const struct gm_region *r = region_at(gm_of(w), gpa);

	return r && r->role ? r->role(r->context, gpa - r->gpa) : GM_BYTES;
}

void
gm_name(const struct world *w, uint64_t gpa, char *text, size_t size)
{
	const struct gm_region *r = region_at(gm_of(w), gpa);

	if (!r) {
		snprintf(text, size, "gpa 0x%" PRIx64, gpa);
	} else if (!r->describe) {
		snprintf(text, size, "%s+0x%" PRIx64, r->name, gpa - r->gpa);
	} else {
		char field[64];

		r->describe(r->context, gpa - r->gpa, field, sizeof(field));
		snprintf(text, size, "%s.%s", r->name, field);
	}
}

bool
gm_next_region(const struct world *w, const void **pos, uint64_t *gpa, uint64_t *len,
	       const char **name)
{
	const struct gm *gm = gm_of(w);
	const struct gm_region *last = *pos, *r = last ? last->next : gm ? gm->regions : NULL;

	if (!r)
		return false;
	*pos = r;
	*gpa = r->gpa;
	*len = r->len;
	*name = r->name;
	return true;
}

static void
add_hook(struct world *w, gm_write_hook hook, void *context, bool made)
{
	struct gm *gm = gm_of(w);

	must(gm && gm->hooks < GM_HOOKS);
	gm->hook[gm->hooks].fn = hook;
	gm->hook[gm->hooks].made = made;
	gm->hook[gm->hooks++].context = context;
}

void
gm_on_write(struct world *w, gm_write_hook hook, void *context)
{
	add_hook(w, hook, context, false);
}

void
gm_on_store(struct world *w, gm_write_hook hook, void *context)
{
	add_hook(w, hook, context, true);
}
