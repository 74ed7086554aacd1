/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migration/vm_layout.h"

#include <string.h>

#include "base/must.h"
#include "engine/world.h"
#include "migration/ram.h"
#include "vmm/memory_listener.h"

struct vm_view {
	struct vm_range range[VM_RANGES_MAX];
	unsigned count;
};

struct vm_layout {
	struct world *w;
	struct memory_listener *listener;
	const struct ram *ram;
	bool flat;
	struct vm_region region[VM_REGIONS_MAX];
	unsigned count;
	struct vm_view *view[KVM_ADDRESS_SPACES_MAX]; /* null: the host or QEMU has none */
	struct vm_view *next; /* what is rendered */
};

/* --- rendering ------------------------------------------------------------------------------ */

static bool
is_in(const struct vm_region *r, unsigned as_id)
{
	return !r->disabled && (!r->spaces || r->spaces >> as_id & 1);
}

/* Which region is on top at @gfn, and up to which frame that stays so. */
static const struct vm_region *
top_at(const struct vm_layout *v, unsigned as_id, uint64_t gfn, uint64_t *end)
{
	const struct vm_region *top = NULL;

	*end = UINT64_MAX;
	for (unsigned i = 0; i < v->count; i++) {
		const struct vm_region *r = &v->region[i];

		if (!is_in(r, as_id) || r->gfn + r->pages <= gfn)
			continue;
		if (r->gfn > gfn) {
			*end = r->gfn < *end ? r->gfn : *end;
			continue;
		}
		*end = r->gfn + r->pages < *end ? r->gfn + r->pages : *end;
		if (!top || r->priority >= top->priority)
			top = r;
	}
	return top;
}

static unsigned
block_of(const struct ram *ram, uint64_t page)
{
	const struct ram_block *blocks;
	unsigned n = ram_blocks(ram, &blocks), i = 0;

	while (i + 1 < n && page >= blocks[i].first + blocks[i].pages)
		i++;
	return i;
}

/* can_merge() */
static bool
continues(const struct vm_range *a, const struct vm_range *b)
{
	return a->gfn + a->pages == b->gfn && a->ram_page + a->pages == b->ram_page &&
	       a->block == b->block && a->readonly == b->readonly && a->log == b->log;
}

static void
append(struct vm_view *view, const struct vm_range *r)
{
	struct vm_range *last = view->count ? &view->range[view->count - 1] : NULL;

	if (last && continues(last, r)) {
		last->pages += r->pages;
		return;
	}
	must(view->count < VM_RANGES_MAX);
	view->range[view->count++] = *r;
}

static void
render(const struct vm_layout *v, unsigned as_id, struct vm_view *view)
{
	uint64_t gfn = 0, end;

	view->count = 0;
	for (; gfn < UINT64_MAX; gfn = end) {
		const struct vm_region *top = top_at(v, as_id, gfn, &end);

		if (!top || top->ram_page == VM_NO_RAM)
			continue;
		append(view, &(struct vm_range){
				     .gfn = gfn,
				     .pages = end - gfn,
				     .ram_page = top->ram_page + gfn - top->gfn,
				     .block = block_of(v->ram, top->ram_page),
				     .readonly = top->readonly,
				     .log = top->log,
				     .slot = -1,
			     });
	}
}

/* --- telling the listener --------------------------------------------------------------------- */

static const struct vm_range *
same_range(const struct vm_view *view, const struct vm_range *r)
{
	for (unsigned i = 0; i < view->count; i++) {
		const struct vm_range *x = &view->range[i];

		if (x->gfn == r->gfn && x->pages == r->pages && x->ram_page == r->ram_page &&
		    x->readonly == r->readonly)
			return x;
	}
	return NULL;
}

/* address_space_set_flatview(): two passes, then the new view. */
static int
update_space(struct vm_layout *v, unsigned as_id)
{
	struct vm_view *old = v->view[as_id], *new = v->next;
	int result = 0;

	render(v, as_id, new);
	for (unsigned i = 0; i < old->count; i++)
		/* One that KVM refused has no slot: QEMU would have aborted then. */
		if (old->range[i].slot >= 0 && !same_range(new, &old->range[i]))
			must(!memory_listener_region_del(v->listener, (uint8_t)as_id,
							 old->range[i].slot));
	for (unsigned i = 0; i < new->count; i++) {
		struct vm_range *r = &new->range[i];
		const struct vm_range *kept = same_range(old, r);
		struct memory_section section = {
			.guest_phys_addr = r->gfn << KVM_PAGE_SHIFT,
			.size = r->pages << KVM_PAGE_SHIFT,
			.ram_addr = r->ram_page << KVM_PAGE_SHIFT,
			.as_id = (uint8_t)as_id,
			.readonly = r->readonly,
			.log = r->log,
		};

		r->slot = kept ? kept->slot
			       : memory_listener_region_add(v->listener, &section,
							    MEMORY_LISTENER_ANY_ID);
		if (r->slot < 0 && !result)
			result = r->slot;
	}
	v->view[as_id] = new;
	v->next = old;
	return result;
}

int
vm_layout_update(struct vm_layout *v)
{
	int result = 0, r;

	memory_listener_begin(v->listener);
	for (unsigned as_id = 0; as_id < KVM_ADDRESS_SPACES_MAX; as_id++)
		if (v->view[as_id] && (r = update_space(v, as_id)) && !result)
			result = r;
	r = memory_listener_commit(v->listener);
	return result ? result : r;
}

/* --- making it -------------------------------------------------------------------------------- */

bool
vm_layout_region_fits(const struct vm_layout *v, const struct vm_region *r)
{
	const struct ram_block *blocks;
	unsigned block;

	if (!r->pages || r->gfn > UINT64_MAX >> KVM_PAGE_SHIFT ||
	    r->pages > (UINT64_MAX >> KVM_PAGE_SHIFT) - r->gfn)
		return false;
	if (r->ram_page == VM_NO_RAM)
		return true;
	if (r->ram_page >= ram_pages(v->ram))
		return false;
	block = block_of(v->ram, r->ram_page);
	ram_blocks(v->ram, &blocks);
	return r->pages <= blocks[block].first + blocks[block].pages - r->ram_page;
}

struct vm_region *
vm_layout_region(struct vm_layout *v, const char *name)
{
	for (unsigned i = 0; i < v->count; i++)
		if (!strcmp(v->region[i].name, name))
			return &v->region[i];
	return NULL;
}

static const char *
take_regions(struct vm_layout *v, const struct vm_region *regions, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (vm_layout_region(v, regions[i].name))
			return "two regions of one name";
		if (!vm_layout_region_fits(v, &regions[i]))
			return "a region must lie within its block and have a page";
		v->region[v->count++] = regions[i];
	}
	return NULL;
}

struct vm_layout *
vm_layout_create(struct world *w, struct memory_listener *l, const struct ram *ram,
		 const struct vm_region *regions, unsigned count, const char **wrong)
{
	struct vm_layout *v = world_alloc(w, sizeof(*v));
	unsigned spaces = regions ? memory_listener_address_spaces(l) : 1;

	must(count <= VM_REGIONS_MAX);
	v->w = w;
	v->listener = l;
	v->ram = ram;
	v->flat = !regions;
	*wrong = NULL;
	if (v->flat)
		/* Blocks lie behind each other, and one slot has them all. */
		v->region[v->count++] =
			(struct vm_region){ .name = "ram", .pages = ram_pages(ram) };
	else
		*wrong = take_regions(v, regions, count);
	if (*wrong)
		return NULL;
	v->next = world_alloc(w, sizeof(*v->next));
	for (unsigned as_id = 0; as_id < spaces; as_id++)
		v->view[as_id] = world_alloc(w, sizeof(*v->view[as_id]));
	if (vm_layout_update(v))
		*wrong = "KVM refuses a slot of it";
	return *wrong ? NULL : v;
}

/* --- look-ups --------------------------------------------------------------------------------- */

bool
vm_layout_is_flat(const struct vm_layout *v)
{
	return v->flat;
}

uint64_t
vm_layout_page(const struct vm_layout *v, unsigned as_id, uint64_t gfn, bool written)
{
	const struct vm_view *view = v->view[as_id];

	if (v->flat)
		return gfn < v->region[0].pages ? gfn : VM_NO_RAM;
	for (unsigned i = 0; view && i < view->count; i++) {
		const struct vm_range *r = &view->range[i];

		if (gfn - r->gfn < r->pages)
			return written && r->readonly ? VM_NO_RAM : r->ram_page + gfn - r->gfn;
	}
	return VM_NO_RAM;
}

uint64_t
vm_layout_gfn(const struct vm_layout *v, uint64_t ram_page)
{
	const struct vm_view *view = v->view[0];
	uint64_t found = VM_NO_RAM;

	if (v->flat)
		return ram_page;
	for (unsigned i = 0; i < view->count; i++) {
		const struct vm_range *r = &view->range[i];

		if (ram_page - r->ram_page >= r->pages)
			continue;
		if (!r->readonly)
			return r->gfn + ram_page - r->ram_page;
		found = r->gfn + ram_page - r->ram_page;
	}
	return found;
}

unsigned
vm_layout_ranges(const struct vm_layout *v, unsigned as_id, const struct vm_range **ranges)
{
	if (as_id >= KVM_ADDRESS_SPACES_MAX || !v->view[as_id])
		return 0;
	*ranges = v->view[as_id]->range;
	return v->view[as_id]->count;
}

uint64_t
vm_layout_frames(const struct vm_layout *v)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < v->count; i++)
		if (v->region[i].gfn + v->region[i].pages > end)
			end = v->region[i].gfn + v->region[i].pages;
	return end;
}
