/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vDPA device sees of the guest's memory: vhost_vdpa_listener_region_add(), _del(). */
#include <errno.h>

#include "base/must.h"
#include "memory/guest_memory.h"
#include "vhost/vdpa.h"

#define GUEST_ASID 0u

/* --- regions -------------------------------------------------------------------------------- */

static void
region_event(struct vdpa *v, const struct vdpa_section *s, uint64_t iova, bool add)
{
	emit(v->dev.w, EV_VDPA_REGION, v->dev.name, (int64_t)s->gpa, (int64_t)s->bytes,
	     (int64_t)iova, add);
}

static void
map_section(struct vdpa *v, struct vdpa_section *s)
{
	struct dma_map map = { s->gpa, s->hva, s->bytes - 1, s->readonly ? IOVA_RO : IOVA_RW };

	if (v->mapped_shadow && vhost_iova_tree_map_alloc_gpa(v->tree, &map, s->gpa) != IOVA_OK) {
		/* Without it the device faults; at run time there is nothing else to be done. */
		region_event(v, s, 0, false);
		return;
	}
	region_event(v, s, map.iova, true);
	if (vdpa_iotlb_update(&v->dev, GUEST_ASID, &map)) {
		if (v->mapped_shadow && !fault_on(v->dev.w, FAULT_SVQ_MAP_FAILED_KEPT))
			vhost_iova_tree_remove_guest(v->tree, map);
		return;
	}
	s->map = map;
	s->mapped = true;
}

static void
unmap_section(struct vdpa *v, struct vdpa_section *s)
{
	struct dma_map needle = { 0, s->hva, s->bytes - 1, IOVA_RW };
	const struct dma_map *result;
	uint64_t iova = s->gpa, offset;

	if (v->mapped_shadow) {
		result = vhost_iova_tree_find_guest(v->tree, s->gpa, s->hva, needle.size, &offset);
		if (!result)
			return; /* it was not mapped */
		iova = result->iova;
		vhost_iova_tree_remove_guest(
			v->tree,
			fault_on(v->dev.w, FAULT_SVQ_TREE_REMOVE_NEEDLE) ? needle : *result);
	}
	s->mapped = false;
	region_event(v, s, iova, false);
	vdpa_iotlb_invalidate(&v->dev, GUEST_ASID, iova, s->bytes);
}

void
vdpa_listener_register(struct vdpa *v)
{
	if (v->listening)
		return;
	v->listening = true;
	v->mapped_shadow = v->shadow;
	vdpa_iotlb_batch(&v->dev, true);
	for (struct vdpa_section *s = v->sections; s; s = s->next)
		map_section(v, s);
	vdpa_iotlb_batch(&v->dev, false);
}

void
vdpa_listener_unregister(struct vdpa *v)
{
	v->listening = false;
	vdpa_iotlb_batch(&v->dev, true);
	for (struct vdpa_section *s = v->sections; s; s = s->next)
		unmap_section(v, s);
	vdpa_iotlb_batch(&v->dev, false);
}

const struct vdpa_section *
vdpa_find_section(const struct vdpa *v, uint64_t gpa)
{
	const struct vdpa_section *s = v->sections;

	while (s && (gpa < s->gpa || gpa - s->gpa >= s->bytes))
		s = s->next;
	return s;
}

int
vdpa_region_add(struct vdpa *v, uint64_t gpa, uint64_t bytes, uint64_t of)
{
	unsigned block = hva_block(v->hva, of);
	struct vdpa_section **link = &v->sections, *s;
	uint64_t offset = of - block * v->hva->block_bytes;

	if (!bytes || gpa + bytes < gpa || (gpa | bytes | of) % HVA_PAGE ||
	    block == v->hva->ram_blocks || bytes > v->hva->block_bytes - offset)
		return -EINVAL;
	for (s = v->sections; s; s = s->next)
		if (s->gpa < gpa + bytes && gpa < s->gpa + s->bytes)
			return -EINVAL;
	while (*link && (*link)->gpa < gpa)
		link = &(*link)->next;
	s = world_alloc(v->dev.w, sizeof(*s));
	*s = (struct vdpa_section){ .gpa = gpa,
				    .bytes = bytes,
				    .hva = hva_of_block(v->hva, block) + offset,
				    .next = *link };
	*link = s;
	if (v->listening)
		map_section(v, s);
	return 0;
}

int
vdpa_region_del(struct vdpa *v, uint64_t gpa)
{
	struct vdpa_section **link = &v->sections, *s;

	while (*link && (*link)->gpa != gpa)
		link = &(*link)->next;
	s = *link;
	if (!s)
		return -ENOENT;
	*link = s->next;
	if (v->listening)
		unmap_section(v, s);
	world_free(v->dev.w, s, sizeof(*s));
	return 0;
}

/* --- the VMM's own memory ------------------------------------------------------------------- */

int
vdpa_map_own(struct vdpa *v, unsigned asid, uint64_t hva, uint64_t bytes, enum iova_access perm,
	     uint64_t *iova)
{
	struct dma_map map = { 0, hva, bytes - 1, perm };
	int ret;

	if (vhost_iova_tree_map_alloc(v->tree, &map) != IOVA_OK)
		return -ENOMEM;
	ret = vdpa_iotlb_update(&v->dev, asid, &map);
	if (ret && !fault_on(v->dev.w, FAULT_SVQ_MAP_FAILED_KEPT))
		vhost_iova_tree_remove(v->tree, map);
	*iova = map.iova;
	return ret;
}

void
vdpa_unmap_own(struct vdpa *v, unsigned asid, uint64_t hva)
{
	const struct dma_map *result = vhost_iova_tree_find_iova(v->tree, hva, 0);
	struct dma_map map;

	if (!result)
		return;
	map = *result;
	vdpa_iotlb_invalidate(&v->dev, asid, map.iova, map.size + 1);
	vhost_iova_tree_remove(v->tree, map);
}

uint64_t
vdpa_needle_size(const struct vdpa *v, uint64_t len)
{
	return fault_on(v->dev.w, FAULT_SVQ_NEEDLE_SIZE) ? len : len ? len - 1 : 0;
}
