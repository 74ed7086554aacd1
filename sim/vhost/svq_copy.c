/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/svq_copy.h"

#include <errno.h>

#include "base/must.h"
#include "vhost/vdpa.h"
#include "virtio/net_ctrl.h"

/* What is in @e's readable part, in one piece at @hva; or the other way for the writable part. */
static void
copy(struct svq *s, const struct svq_elem *e, uint64_t hva, uint64_t size, bool to_guest)
{
	struct world *w = s->vq->vdev->w;
	uint8_t buf[256];

	for (uint64_t done = 0; done < size;) {
		size_t n = size - done < sizeof(buf) ? (size_t)(size - done) : sizeof(buf);

		if (to_guest) {
			hva_read(s->v->hva, hva + done, buf, n);
			virtio_elem_write(w, e->elem, done, buf, n);
		} else {
			n = virtio_elem_read(w, e->elem, done, buf, n);
			if (!n)
				return;
			hva_write(s->v->hva, hva + done, buf, n);
		}
		done += n;
	}
}

/* Whole pages, of the size that the device's maps have. */
static uint64_t
room(const struct svq *s, uint32_t bytes)
{
	uint64_t page =
		fault_on(s->vq->vdev->w, FAULT_SVQ_COPY_4096) ? 4096 : s->v->dev.config.page_bytes;

	return (bytes + page - 1) & ~(page - 1);
}

/* vhost_svq_alloc_buffer(), and its mapping. */
static int
part(struct svq *s, uint32_t bytes, enum iova_access perm, uint64_t *hva, uint64_t *iova)
{
	struct virtio_device *vdev = s->vq->vdev;
	int ret;

	if (!bytes)
		return 0;
	/* The guest says how much: there has to be an upper limit. */
	if (bytes > SVQ_COPY_MAX && !fault_on(vdev->w, FAULT_SVQ_COPY_NO_LIMIT))
		return -EMSGSIZE;
	emit(vdev->w, EV_SVQ_ALLOC, vdev->name, s->vq->index, bytes, SVQ_COPY_MAX);
	*hva = hva_alloc(s->v->hva, room(s, bytes));
	if (!*hva)
		return -ENOMEM;
	ret = vdpa_map_own(s->v, s->asid, *hva, room(s, bytes), perm, iova);
	if (ret) {
		hva_free(s->v->hva, *hva, room(s, bytes));
		*hva = 0;
	}
	return ret;
}

static void
part_undo(struct svq *s, uint32_t bytes, uint64_t *hva)
{
	if (!*hva)
		return;
	vdpa_unmap_own(s->v, s->asid, *hva);
	hva_free(s->v->hva, *hva, room(s, bytes));
	*hva = 0;
}

void
svq_copy_undo(struct svq *s, struct svq_elem *e)
{
	part_undo(s, e->out_bytes, &e->out_hva);
	part_undo(s, e->in_bytes, &e->in_hva);
}

static int
make_parts(struct svq *s, struct svq_elem *e)
{
	struct world *w = s->vq->vdev->w;
	int ret;

	e->out_bytes = e->elem->out_bytes;
	e->in_bytes = e->elem->in_bytes;
	ret = part(s, e->out_bytes, IOVA_RO, &e->out_hva, &e->out_iova);
	if (ret)
		return ret;
	ret = part(s, e->in_bytes, IOVA_RW, &e->in_hva, &e->in_iova);
	if (ret && !fault_on(w, FAULT_SVQ_COPY_NO_UNWIND))
		part_undo(s, e->out_bytes, &e->out_hva);
	if (!ret)
		copy(s, e, e->out_hva, e->out_bytes, false);
	return ret;
}

/* The guest gets it back, and finds that nothing was written. */
static void
refuse(struct svq *s, struct svq_elem *e)
{
	struct world *w = s->vq->vdev->w;

	virtio_ring_push(&s->vq->ring, e->elem, 0);
	virtio_ring_signal_always(&s->vq->ring);
	virtio_elem_free(w, e->elem);
	world_free(w, e, sizeof(*e));
}

int
svq_copy_add(struct svq *s, struct svq_elem *e)
{
	struct dp_buf sg[2];
	unsigned out = e->elem->out_bytes > 0, in = e->elem->in_bytes > 0;
	int ret;

	s->ring.one_slot = fault_on(s->vq->vdev->w, FAULT_SVQ_COPY_ONE_SLOT);
	if (svq_ring_available_slots(&s->ring) < (s->ring.one_slot ? 1 : out + in))
		return -ENOSPC;
	ret = make_parts(s, e);
	if (ret) {
		refuse(s, e);
		return 0;
	}
	sg[0] = (struct dp_buf){ e->out_iova, e->out_bytes };
	sg[out] = (struct dp_buf){ e->in_iova, e->in_bytes };
	ret = svq_add(s, sg, out, in, e);
	if (ret)
		svq_copy_undo(s, e);
	return ret;
}

/* A control command: the VMM's model executes it after the device (used_elem_handler). */
static void
model_follows(struct svq *s, const struct svq_elem *e)
{
	uint8_t command[NET_CTRL_BYTES_MAX], ack;
	size_t n = e->out_bytes < sizeof(command) ? e->out_bytes : sizeof(command);

	if (!n)
		return;
	hva_read(s->v->hva, e->out_hva, command, n);
	hva_read(s->v->hva, e->in_hva, &ack, 1);
	vdpa_net_used(s->v, command, n, ack);
}

void
svq_copy_done(struct svq *s, struct svq_elem *e, uint32_t len)
{
	uint64_t size = len < e->in_bytes ? len : e->in_bytes;

	if (e->in_hva)
		copy(s, e, e->in_hva, size, true);
	if (s->vq->index == s->v->config.control && size)
		model_follows(s, e);
	svq_copy_undo(s, e);
}
