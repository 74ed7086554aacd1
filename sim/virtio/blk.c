/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/blk.h"

#include <string.h>

#include "base/must.h"
#include "virtio/suspend.h"

/* --- the disk ------------------------------------------------------------------------------- */

const struct blk_sector *
virtio_blk_sector(const struct virtio_blk *blk, uint64_t sector)
{
	const struct blk_sector *s = blk->bucket[sector % BLK_BUCKETS];

	while (s && s->number != sector)
		s = s->next;
	return s;
}

static struct blk_sector *
sector_for_write(struct virtio_blk *blk, uint64_t sector)
{
	struct blk_sector *s = (struct blk_sector *)virtio_blk_sector(blk, sector);

	if (!s) {
		s = world_alloc(blk->vdev->w, sizeof(*s));
		s->number = sector;
		s->next = blk->bucket[sector % BLK_BUCKETS];
		blk->bucket[sector % BLK_BUCKETS] = s;
	}
	s->version++;
	return s;
}

/* Whether [sector, sector + count) meets [first, first + n). */
static bool
overlaps(uint64_t sector, uint64_t count, uint64_t first, uint64_t n)
{
	return n && sector < first + n && first < sector + count;
}

static uint8_t
transfer_status(struct virtio_blk *blk, const struct virtio_blk_req *req)
{
	const struct blk_config *c = &blk->config;
	uint64_t count = req->data_bytes / BLK_SECTOR_BYTES;

	blk->transfers++;
	if (req->data_bytes % BLK_SECTOR_BYTES || req->sector > c->capacity_sectors ||
	    count > c->capacity_sectors - req->sector)
		return VIRTIO_BLK_S_IOERR;
	if (req->type == VIRTIO_BLK_T_OUT && c->readonly)
		return VIRTIO_BLK_S_IOERR;
	if (overlaps(req->sector, count, c->error_first, c->error_sectors))
		return VIRTIO_BLK_S_IOERR;
	if (c->fail_every && blk->transfers % c->fail_every == 0)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static void
read_sectors(struct virtio_blk *blk, const struct virtio_blk_req *req)
{
	static const uint8_t zeros[BLK_SECTOR_BYTES];

	for (uint32_t at = 0; at < req->data_bytes; at += BLK_SECTOR_BYTES) {
		const struct blk_sector *s =
			virtio_blk_sector(blk, req->sector + at / BLK_SECTOR_BYTES);

		virtio_elem_write(blk->vdev->w, req->elem, at, s ? s->data : zeros,
				  BLK_SECTOR_BYTES);
	}
}

static void
write_sectors(struct virtio_blk *blk, const struct virtio_blk_req *req)
{
	for (uint32_t at = 0; at < req->data_bytes; at += BLK_SECTOR_BYTES) {
		struct blk_sector *s = sector_for_write(blk, req->sector + at / BLK_SECTOR_BYTES);

		virtio_elem_read(blk->vdev->w, req->elem, sizeof(struct virtio_blk_outhdr) + at,
				 s->data, BLK_SECTOR_BYTES);
	}
}

/* --- requests ------------------------------------------------------------------------------- */

/* Bytes written into the guest, without the status byte. */
static uint32_t
execute(struct virtio_blk *blk, const struct virtio_blk_req *req)
{
	static const char id[VIRTIO_BLK_ID_BYTES] = "ringside";
	uint32_t n;

	if (req->status != VIRTIO_BLK_S_OK)
		return 0;
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		read_sectors(blk, req);
		return req->data_bytes;
	case VIRTIO_BLK_T_OUT:
		write_sectors(blk, req);
		return 0;
	case VIRTIO_BLK_T_FLUSH:
		blk->flushes++;
		return 0;
	default:
		n = req->data_bytes < sizeof(id) ? req->data_bytes : sizeof(id);
		virtio_elem_write(blk->vdev->w, req->elem, 0, id, n);
		return n;
	}
}

static void
complete(struct virtio_work *work)
{
	struct virtio_blk_req *req = work->arg;
	struct virtio_blk *blk = req->blk;
	struct virtio_ring *r = req->ring;
	struct virtio_device *vdev =
		r->vq->vdev; /* a shadowed device's, where it is not the disk's */
	uint32_t written = execute(blk, req);

	virtio_elem_write(vdev->w, req->elem, req->elem->in_bytes - 1, &req->status, 1);
	blk->completed++;
	blk->errors += req->status != VIRTIO_BLK_S_OK;
	emit(vdev->w, EV_VIRTIO_BLK_COMPLETE, vdev->name, r->vq->index, req->elem->head,
	     req->status, (int64_t)req->sector);
	virtio_ring_push(r, req->elem, written + 1);
	virtio_elem_free(vdev->w, req->elem);
	world_free(vdev->w, req, sizeof(*req));
	virtio_ring_signal(r);
}

static void
disk_done(struct world *w, struct timer *t)
{
	struct virtio_blk_req *req = t->arg;
	struct virtio_queue *vq = req->ring->vq;

	virtio_suspend_run(vq, &req->work);
}

static uint8_t
request_status(struct virtio_blk *blk, struct virtio_blk_req *req)
{
	uint32_t in = req->elem->in_bytes - 1;

	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		req->data_bytes = in;
		return transfer_status(blk, req);
	case VIRTIO_BLK_T_OUT:
		req->data_bytes = req->elem->out_bytes - (uint32_t)sizeof(struct virtio_blk_outhdr);
		return transfer_status(blk, req);
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		req->data_bytes = in;
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

void
virtio_blk_submit(struct virtio_ring *r, const struct dp_elem *elem)
{
	struct virtio_device *vdev = r->vq->vdev;
	struct virtio_blk *blk = virtio_blk_of(vdev);
	struct virtio_blk_outhdr header;
	struct virtio_blk_req *req;

	if (!elem->in_bytes ||
	    virtio_elem_read(vdev->w, elem, 0, &header, sizeof(header)) < sizeof(header)) {
		virtio_ring_forget(r, elem);
		virtio_error(vdev, "block request without header or status");
		return;
	}
	req = world_alloc(vdev->w, sizeof(*req));
	req->blk = blk;
	req->ring = r;
	req->elem = virtio_elem_dup(vdev->w, elem);
	req->type = header.type;
	req->sector = header.sector;
	req->work = (struct virtio_work){ .fn = complete, .arg = req };
	req->status = request_status(blk, req);
	blk->requests++;
	emit(vdev->w, EV_VIRTIO_BLK_SUBMIT, vdev->name, r->vq->index, elem->head, req->type,
	     (int64_t)req->sector);
	if (!blk->config.delay_ns) {
		complete(&req->work);
		return;
	}
	timer_init(&req->timer, disk_done, req);
	timer_arm(vdev->w, &req->timer, blk->config.delay_ns, false);
}

/* A thread that polls the queue has notifications off already, and leaves them so. */
static void
handle_output(struct virtio_queue *vq)
{
	struct virtio_ring *r = &vq->ring;
	bool suppress = r->notification;

	do {
		if (suppress)
			virtio_ring_disable_notify(r);
		while (virtio_ring_pop(r, r->elem) > 0)
			virtio_blk_submit(r, r->elem);
	} while (suppress && virtio_ring_enable_notify(r));
}

/* --- the device ----------------------------------------------------------------------------- */

const struct virtio_type_ops virtio_blk_type = {
	.name = "virtio-blk",
	.device_id = VIRTIO_ID_BLOCK,
	.features = VIRTIO_BIT(VIRTIO_BLK_F_RO) | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) |
		    VIRTIO_BIT(VIRTIO_BLK_F_MQ),
	.config_bytes = sizeof(struct virtio_blk_config),
	.handle_output = handle_output,
};

struct virtio_blk *
virtio_blk_create(struct virtio_device *vdev, struct world *w, const char *name,
		  const struct dp_device_ops *datapath, uint64_t features, uint16_t queues,
		  uint16_t queue_size, const struct blk_config *config)
{
	struct virtio_blk *blk = world_alloc(w, sizeof(*blk));
	struct virtio_blk_config space = { .num_queues = queues, .blk_size = BLK_SECTOR_BYTES };

	blk->vdev = vdev;
	blk->config = *config;
	if (!blk->config.capacity_sectors)
		blk->config.capacity_sectors = BLK_CAPACITY_SECTORS;
	space.capacity = blk->config.capacity_sectors;
	/* As QEMU: room for header and status. */
	space.seg_max = queue_size > 2 ? queue_size - 2u : 1;
	if (queues > 1)
		features |= VIRTIO_BIT(VIRTIO_BLK_F_MQ);
	else
		features &= ~VIRTIO_BIT(VIRTIO_BLK_F_MQ);
	if (config->readonly)
		features |= VIRTIO_BIT(VIRTIO_BLK_F_RO);
	virtio_device_init(vdev, w, name, &virtio_blk_type, datapath, features, queues, queue_size);
	vdev->priv = blk;
	virtio_config_init(vdev, 0, &space, sizeof(space));
	return blk;
}

void
virtio_blk_resize(struct virtio_blk *blk, uint64_t capacity_sectors)
{
	blk->config.capacity_sectors = capacity_sectors;
	virtio_config_update(blk->vdev, offsetof(struct virtio_blk_config, capacity),
			     &capacity_sectors, sizeof(capacity_sectors));
}
