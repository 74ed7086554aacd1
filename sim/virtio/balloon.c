/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/balloon.h"

#include <string.h>

#include "base/must.h"
#include "memory/guest_memory.h"

#define PAGE_BYTES (1u << VIRTIO_BALLOON_PFN_SHIFT)
#define FIELD(name) offsetof(struct virtio_balloon_config, name)

uint32_t
virtio_balloon_field(const struct virtio_balloon *b, size_t offset)
{
	uint32_t value;

	memcpy(&value, b->vdev->config + offset, sizeof(value));
	return value;
}

bool
virtio_balloon_discard(struct virtio_balloon *b, uint64_t gpa, uint64_t bytes)
{
	void *page = b->inhibit ? NULL : gm_map(b->vdev->w, gpa, bytes);

	if (!page)
		return false;
	/* Not gm_write(): nobody wrote, and no dirty log is to hear of it. */
	memset(page, 0, bytes);
	b->discarded += bytes / PAGE_BYTES;
	return true;
}

void
virtio_balloon_inhibit(struct virtio_balloon *b, bool on)
{
	must(on || b->inhibit);
	b->inhibit += on ? 1 : -1;
}

/* --- inflate and deflate -------------------------------------------------------------------- */

/* balloon_inflate_page(): whether the host's page went. */
static bool
inflate_page(struct virtio_balloon *b, struct balloon_pbp *pbp, uint64_t gpa)
{
	uint32_t host = b->config.host_page_bytes;
	uint32_t all = host / PAGE_BYTES >= 32 ? UINT32_MAX : (1u << host / PAGE_BYTES) - 1;
	uint64_t base = gpa & ~(uint64_t)(host - 1);

	if (host == PAGE_BYTES)
		return virtio_balloon_discard(b, gpa, PAGE_BYTES);
	if (!pbp->subpages || pbp->base != base)
		*pbp = (struct balloon_pbp){ .base = base };
	pbp->subpages |= 1u << (gpa - base) / PAGE_BYTES;
	if (pbp->subpages != all)
		return false;
	pbp->subpages = 0;
	return virtio_balloon_discard(b, base, host);
}

static void
handle_pages(struct virtio_balloon *b, struct virtio_ring *r, bool deflate)
{
	bool keep = fault_on(b->vdev->w, FAULT_BALLOON_PBP);
	struct world *w = b->vdev->w;

	while (virtio_ring_pop(r, r->elem) > 0) {
		struct balloon_pbp own = { 0 };
		struct balloon_pbp *pbp = keep ? &b->pbp : &own;
		uint32_t pfn;

		for (size_t at = 0;
		     virtio_elem_read(w, r->elem, at, &pfn, sizeof(pfn)) == sizeof(pfn);
		     at += sizeof(pfn)) {
			uint64_t gpa = (uint64_t)pfn << VIRTIO_BALLOON_PFN_SHIFT;
			bool gone = !deflate && inflate_page(b, pbp, gpa);

			b->deflated += deflate;
			b->inflated += !deflate;
			emit(w, EV_BALLOON_REQUEST, b->vdev->name, gm_page(w, gpa), deflate, gone);
		}
		virtio_ring_push(r, r->elem, 0);
		virtio_ring_signal(r);
	}
}

/* --- statistics ----------------------------------------------------------------------------- */

/* virtio_balloon_receive_stats(); the buffer goes back at once and is taken again when it is
 * used, so that none is in flight while the machine is stopped (QEMU rewinds the queue then). */
static bool
receive_stats(struct virtio_balloon *b, struct virtio_ring *r, bool use)
{
	struct virtio_balloon_stat stat;
	struct world *w = b->vdev->w;

	if (virtio_ring_pop(r, r->elem) <= 0)
		return false;
	for (size_t at = 0; virtio_elem_read(w, r->elem, at, &stat, sizeof(stat)) == sizeof(stat);
	     at += sizeof(stat)) {
		if (stat.tag >= VIRTIO_BALLOON_S_NR || use)
			continue;
		b->stats[stat.tag] = stat.val;
		emit(w, EV_BALLOON_STATS, b->vdev->name, stat.tag, (int64_t)stat.val);
	}
	b->stats_updates += !use;
	if (!use) {
		virtio_ring_unpop(r, r->elem);
		return true;
	}
	virtio_ring_push(r, r->elem, 0);
	virtio_ring_signal(r);
	return true;
}

/* --- reporting ------------------------------------------------------------------------------ */

/* With a poison value other than zero a page that reads as zeros is not what the guest left. */
static bool
may_discard_reports(const struct virtio_balloon *b)
{
	return !virtio_device_has(b->vdev, VIRTIO_BALLOON_F_PAGE_POISON) ||
	       !virtio_balloon_field(b, FIELD(poison_val)) ||
	       fault_on(b->vdev->w, FAULT_BALLOON_REPORT_POISON);
}

static void
handle_reports(struct virtio_balloon *b, struct virtio_ring *r)
{
	while (virtio_ring_pop(r, r->elem) > 0) {
		for (unsigned i = 0; i < r->elem->in; i++) {
			const struct dp_buf *s = &r->elem->sg[r->elem->out + i];
			bool gone = may_discard_reports(b) &&
				    virtio_balloon_discard(b, s->addr, s->len);

			b->reported += s->len / PAGE_BYTES;
			emit(b->vdev->w, EV_BALLOON_REPORT, b->vdev->name,
			     gm_page(b->vdev->w, s->addr), s->len / PAGE_BYTES, gone);
		}
		virtio_ring_push(r, r->elem, 0);
		virtio_ring_signal(r);
	}
}

/* --- the device ----------------------------------------------------------------------------- */

static void
give_back(struct virtio_ring *r)
{
	while (virtio_ring_pop(r, r->elem) > 0) {
		virtio_ring_push(r, r->elem, 0);
		virtio_ring_signal(r);
	}
}

static void
handle_output(struct virtio_queue *vq)
{
	struct virtio_balloon *b = virtio_balloon_of(vq->vdev);

	switch ((enum balloon_vq)vq->index) {
	case BALLOON_VQ_INFLATE:
	case BALLOON_VQ_DEFLATE:
		handle_pages(b, &vq->ring, vq->index == BALLOON_VQ_DEFLATE);
		break;
	case BALLOON_VQ_STATS:
		receive_stats(b, &vq->ring, false);
		break;
	case BALLOON_VQ_FREE_PAGE:
		if (b->free_page_kick)
			b->free_page_kick(b);
		else
			give_back(&vq->ring);
		break;
	default:
		handle_reports(b, &vq->ring);
	}
}

static void
config_written(struct virtio_device *vdev, size_t offset, size_t size)
{
	struct virtio_balloon *b = virtio_balloon_of(vdev);

	emit(vdev->w, EV_BALLOON_ACTUAL, vdev->name, virtio_balloon_field(b, FIELD(actual)),
	     virtio_balloon_field(b, FIELD(poison_val)));
}

static void
set_status(struct virtio_device *vdev, uint8_t status)
{
	struct virtio_balloon *b = virtio_balloon_of(vdev);

	if (status)
		return;
	/* virtio_balloon_device_reset() */
	memset(b->stats, 0, sizeof(b->stats));
	memset(vdev->config + FIELD(poison_val), 0, sizeof(uint32_t));
	if (!fault_on(vdev->w, FAULT_BALLOON_PBP))
		b->pbp = (struct balloon_pbp){ 0 };
}

static void
running(struct virtio_device *vdev, bool running)
{
	struct virtio_balloon *b = virtio_balloon_of(vdev);

	if (b->free_page_running)
		b->free_page_running(b, running);
}

const struct virtio_type_ops virtio_balloon_type = {
	.name = "virtio-balloon",
	.device_id = VIRTIO_ID_BALLOON,
	.features = VIRTIO_BIT(VIRTIO_BALLOON_F_PAGE_REPORTING + 1) - 1,
	.config_bytes = sizeof(struct virtio_balloon_config),
	.handle_output = handle_output,
	.set_status = set_status,
	.running = running,
	.config_written = config_written,
};

/* Offered queues: the number of the last one and one more. */
static uint16_t
queues_of(uint64_t features)
{
	if (virtio_has(features, VIRTIO_BALLOON_F_PAGE_REPORTING))
		return BALLOON_VQ_REPORTING + 1;
	if (virtio_has(features, VIRTIO_BALLOON_F_FREE_PAGE_HINT))
		return BALLOON_VQ_FREE_PAGE + 1;
	if (virtio_has(features, VIRTIO_BALLOON_F_STATS_VQ))
		return BALLOON_VQ_STATS + 1;
	return BALLOON_VQ_DEFLATE + 1;
}

struct virtio_balloon *
virtio_balloon_create(struct virtio_device *vdev, struct world *w, const char *name,
		      const struct dp_device_ops *datapath, uint64_t features, uint16_t queue_size,
		      const struct balloon_config *config)
{
	struct virtio_balloon *b = world_alloc(w, sizeof(*b));
	struct virtio_balloon_config space = { 0 };
	uint16_t queues = queues_of(features);

	b->vdev = vdev;
	b->config = *config;
	if (!b->config.host_page_bytes)
		b->config.host_page_bytes = PAGE_BYTES;
	must(b->config.host_page_bytes <= BALLOON_SUBPAGES_MAX * PAGE_BYTES);
	virtio_device_init(vdev, w, name, &virtio_balloon_type, datapath, features, queues,
			   queue_size);
	vdev->priv = b;
	if (queues > BALLOON_VQ_STATS && !virtio_has(features, VIRTIO_BALLOON_F_STATS_VQ))
		vdev->vqs[BALLOON_VQ_STATS].size_max = 0;
	if (queues > BALLOON_VQ_FREE_PAGE && !virtio_has(features, VIRTIO_BALLOON_F_FREE_PAGE_HINT))
		vdev->vqs[BALLOON_VQ_FREE_PAGE].size_max = 0;
	virtio_config_init(vdev, 0, &space, sizeof(space));
	return b;
}

void
virtio_balloon_target(struct virtio_balloon *b, uint32_t num_pages)
{
	virtio_config_update(b->vdev, FIELD(num_pages), &num_pages, sizeof(num_pages));
}

bool
virtio_balloon_request_stats(struct virtio_balloon *b)
{
	struct virtio_queue *vq = &b->vdev->vqs[BALLOON_VQ_STATS];

	return b->vdev->queue_count > BALLOON_VQ_STATS && vq->enabled &&
	       virtio_device_live(b->vdev) && b->vdev->vm_running &&
	       receive_stats(b, &vq->ring, true);
}
