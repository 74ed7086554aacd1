/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vdpa_dev.h"

#include <errno.h>

#include "base/must.h"
#include "engine/cost.h"

#define IOVA_LAST_DEFAULT ((UINT64_C(1) << 48) - 1)

/* --- the IOTLB ------------------------------------------------------------------------------ */

static const char *
why_not(const struct vdpa_dev *d, const struct dma_map *m, uint64_t iova)
{
	if (m)
		return "not for writing";
	for (unsigned i = 0; i < VDPA_UNMAPPED_KEPT; i++)
		if (d->unmapped[i].perm && iova >= d->unmapped[i].iova &&
		    iova - d->unmapped[i].iova <= d->unmapped[i].size)
			return "unmapped";
	return "never mapped";
}

static bool
translate(void *ctx, uint64_t iova, uint64_t *len, bool write, bool quiet, uint64_t *gpa)
{
	struct vdpa_group *g = ctx;
	struct vdpa_dev *d = g->dev;
	const struct dma_map *m = iova_tree_find(&d->iotlb[g->asid], iova, 0);
	int64_t why;

	if (m && m->perm & (write ? IOVA_WO : IOVA_RO)) {
		uint64_t offset = iova - m->iova;

		if (*len > m->size - offset + 1)
			*len = m->size - offset + 1;
		/* What the VMM mapped is its memory: the update looked. */
		must(hva_to_gpa(d->hva, m->translated_addr + offset, len, gpa));
		return true;
	}
	if (quiet)
		return false;
	d->faults++;
	why = world_name(d->w, why_not(d, m, iova));
	emit(d->w, EV_VDPA_FAULT, d->name, g->asid, (int64_t)iova, write, why);
	return false;
}

/* Pinning pages and telling the device takes its time, once a batch. */
static void
spend_map(struct vdpa_dev *d, uint64_t bytes)
{
	int64_t per_gib = cost_of(d->w, COST_VDPA_MAP_GIB);

	actor_work(d->w, (int64_t)((unsigned __int128)bytes * (uint64_t)per_gib >> 30));
}

static void
go(struct vdpa_dev *d, uint16_t i, bool suspended);

/* A device may have to make its queues' objects anew; those of a suspended one have to stay as
 * they are. */
static void
tables_changed(struct vdpa_dev *d)
{
	if (!d->suspended || !fault_on(d->w, FAULT_VDPA_ACTIVATE_SUSPENDED))
		return;
	for (uint16_t i = 0; i < d->set->vdev->queue_count; i++)
		go(d, i, false);
}

int
vdpa_iotlb_update(struct vdpa_dev *d, unsigned asid, const struct dma_map *map)
{
	uint64_t len = map->size + 1, gpa;
	int ret = -EINVAL;

	actor_point(d->w);
	if (++d->updates == d->config.map_fails_at)
		ret = -ENOMEM;
	else if (asid < VDPA_AS_MAX && !((map->iova | (map->size + 1)) % d->config.page_bytes) &&
		 map->iova >= d->config.iova_first &&
		 map->iova + map->size <= d->config.iova_last &&
		 hva_to_gpa(d->hva, map->translated_addr, &len, &gpa) && len == map->size + 1)
		ret = iova_tree_insert(&d->iotlb[asid], map) == IOVA_OK ? 0 : -EEXIST;
	emit(d->w, EV_VDPA_MAP, d->name, asid, (int64_t)map->iova, (int64_t)(map->size + 1), ret);
	if (ret)
		return ret;
	tables_changed(d);
	if (d->batch)
		d->batched += len;
	else
		spend_map(d, len);
	return 0;
}

int
vdpa_iotlb_invalidate(struct vdpa_dev *d, unsigned asid, uint64_t iova, uint64_t bytes)
{
	const struct dma_map *m;
	int64_t n = 0;

	actor_point(d->w);
	while ((m = iova_tree_find(&d->iotlb[asid], iova, bytes - 1))) {
		d->unmapped[d->unmaps++ % VDPA_UNMAPPED_KEPT] = *m;
		iova_tree_remove(&d->iotlb[asid], m->iova, m->size);
		n++;
	}
	emit(d->w, EV_VDPA_UNMAP, d->name, asid, (int64_t)iova, (int64_t)bytes, n);
	tables_changed(d);
	return 0;
}

void
vdpa_iotlb_batch(struct vdpa_dev *d, bool begin)
{
	d->batch = begin;
	if (!begin)
		spend_map(d, d->batched);
	d->batched = 0;
}

int
vdpa_set_group_asid(struct vdpa_dev *d, unsigned group, unsigned asid)
{
	if (d->config.no_asid || group >= VDPA_AS_MAX || asid >= VDPA_AS_MAX)
		return -EOPNOTSUPP;
	/* Not with DRIVER_OK, as the uapi has it. */
	if (d->status & VIRTIO_CONFIG_S_DRIVER_OK)
		return -EBUSY;
	d->group[group].asid = asid;
	return 0;
}

size_t
vdpa_own_maps(const struct vdpa_dev *d)
{
	size_t n = 0;

	for (unsigned asid = 0; asid < VDPA_AS_MAX; asid++)
		for (size_t i = 0; i < d->iotlb[asid].count; i++)
			n += hva_is_own(d->iotlb[asid].map[i].translated_addr);
	return n;
}

/* --- queues --------------------------------------------------------------------------------- */

void
vdpa_dev_init(struct vdpa_dev *d, struct vhost_vqs *set, struct hva_space *hva, uint16_t control,
	      const struct vdpa_dev_config *config)
{
	struct world *w = set->vdev->w;

	d->w = w;
	d->name = set->vdev->name;
	d->set = set;
	d->hva = hva;
	d->config = *config;
	if (!d->config.page_bytes)
		d->config.page_bytes = HVA_PAGE;
	if (!d->config.iova_last)
		d->config.iova_last = IOVA_LAST_DEFAULT;
	if (d->config.iova_last >> DMA_IOVA_BITS || d->config.iova_last < d->config.iova_first)
		world_fail(
			w,
			"%s: IOVAs from 0x%llx to 0x%llx: both are below 2^%u, first before last",
			set->vdev->name_text, (unsigned long long)d->config.iova_first,
			(unsigned long long)d->config.iova_last, DMA_IOVA_BITS);
	d->vring = world_alloc(w, set->vdev->queue_count * sizeof(*d->vring));
	for (unsigned g = 0; g < VDPA_AS_MAX; g++) {
		d->iotlb[g].w = w;
		d->group[g].dev = d;
		d->group[g].dma =
			(struct dma_domain){ .translate = translate, .ctx = &d->group[g] };
		dma_domain_add(w, &d->group[g].dma);
	}
	for (uint16_t i = 0; i < set->vdev->queue_count; i++)
		d->vring[i].group = &d->group[i == control && !config->no_asid];
}

void
vdpa_set_vring(struct vdpa_dev *d, uint16_t i, struct virtio_queue *vq, uint32_t base,
	       struct eventfd *kick, struct eventfd *call)
{
	struct vdpa_vring *r = &d->vring[i];

	actor_point(d->w);
	must(!r->live);
	r->vq = vq;
	r->base = base;
	r->kick = kick;
	r->call = call;
	emit(d->w, EV_VHOST_SET_KICK, d->name, i, kick->name);
}

static void
go(struct vdpa_dev *d, uint16_t i, bool suspended)
{
	struct vdpa_vring *r = &d->vring[i];
	struct vhost_vq *v = &d->set->vq[i];

	if (r->live || !r->enabled || !r->vq || suspended ||
	    !(d->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	v->vq = v->ring.vq = r->vq;
	v->ring.dma = &r->group->dma;
	v->ring.call = r->call;
	vhost_vq_setup(v, VIRTIO_OWNER_VHOST, r->base);
	if (!v->ring.device)
		return;
	r->live = true;
	vhost_poll_start(&v->poll, r->kick);
	/* A device looks at a queue when it begins to run it. */
	vhost_vq_start(v, true);
	vhost_vq_queue(v);
}

/* Nothing is in flight any more when it returns. */
static void
halt(struct vdpa_dev *d, uint16_t i)
{
	struct vdpa_vring *r = &d->vring[i];
	struct vhost_vq *v = &d->set->vq[i];

	if (!r->live)
		return;
	vhost_poll_stop(&v->poll);
	vhost_vq_stop(v);
	r->base = vhost_vq_end(v);
	r->live = false;
}

static void
all_go(struct vdpa_dev *d)
{
	for (uint16_t i = 0; i < d->set->vdev->queue_count; i++)
		go(d, i, d->suspended);
}

static void
all_halt(struct vdpa_dev *d, enum cost c)
{
	for (uint16_t i = 0; i < d->set->vdev->queue_count; i++) {
		if (d->vring[i].live)
			actor_work(d->w, cost_of(d->w, c));
		halt(d, i);
	}
}

void
vdpa_set_vring_enable(struct vdpa_dev *d, uint16_t i)
{
	actor_work(d->w, cost_of(d->w, COST_VDPA_RESUME));
	d->vring[i].enabled = true;
	go(d, i, d->suspended);
}

uint32_t
vdpa_get_vring_base(struct vdpa_dev *d, uint16_t i)
{
	const struct vdpa_vring *r = &d->vring[i];
	uint32_t base;

	actor_work(d->w, cost_of(d->w, COST_VHOST_GET_BASE));
	base = r->live ? virtio_ring_position(&d->set->vq[i].ring) : r->base;
	emit(d->w, EV_VDPA_GET_BASE, d->name, i, base, r->live);
	return base;
}

/* --- the device ----------------------------------------------------------------------------- */

static void
reset(struct vdpa_dev *d)
{
	all_halt(d, COST_VDPA_RESET);
	for (uint16_t i = 0; i < d->set->vdev->queue_count; i++) {
		struct vdpa_vring *r = &d->vring[i];

		*r = (struct vdpa_vring){ .group = r->group };
	}
	d->suspended = false;
	if (d->set->ops->reset)
		d->set->ops->reset(d->set->vdev);
	if (!fault_on(d->w, FAULT_VDPA_RESET_DROPS_IOTLB))
		return;
	for (unsigned asid = 0; asid < VDPA_AS_MAX; asid++)
		vdpa_iotlb_invalidate(d, asid, 0, UINT64_MAX);
}

void
vdpa_set_status(struct vdpa_dev *d, uint8_t status)
{
	actor_point(d->w);
	d->status = status ? d->status | status : 0;
	emit(d->w, EV_VDPA_SET_STATUS, d->name, d->status);
	if (!status)
		reset(d);
	else
		all_go(d);
}

int
vdpa_suspend(struct vdpa_dev *d)
{
	actor_point(d->w);
	if (d->config.no_suspend)
		return -EOPNOTSUPP;
	d->suspended = true;
	emit(d->w, EV_VDPA_SUSPEND, d->name, 1);
	all_halt(d, COST_VDPA_SUSPEND);
	for (uint16_t i = 0; i < d->set->vdev->queue_count; i++)
		if (fault_on(d->w, FAULT_VDPA_INDEX_NOT_RESTORED))
			d->vring[i].base = 0;
	return 0;
}

int
vdpa_resume(struct vdpa_dev *d)
{
	actor_point(d->w);
	if (d->config.no_suspend)
		return -EOPNOTSUPP;
	d->suspended = false;
	emit(d->w, EV_VDPA_SUSPEND, d->name, 0);
	all_go(d);
	return 0;
}
