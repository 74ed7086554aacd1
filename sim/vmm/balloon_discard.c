/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints that take pages away at once, in runs that an operator asks for: Firecracker's. */
#include "vmm/balloon_hint.h"

#define CMD_ID offsetof(struct virtio_balloon_config, free_page_hint_cmd_id)
#define FIRST_ID 2u /* 0 and 1 are STOP and DONE */

/* update_free_page_hint_cmd() */
static void
tell(struct balloon_hint *h, enum hint_status status, uint32_t id)
{
	struct virtio_device *vdev = h->b->vdev;
	int64_t word = world_name(vdev->w, hint_status_name[status]);

	h->status = status;
	h->host_cmd = id;
	emit(vdev->w, EV_FREE_PAGE_STATE, vdev->name, word, h->cmd_id);
	virtio_config_update(vdev, CMD_ID, &id, sizeof(id));
}

bool
balloon_discard_start(struct balloon_hint *h)
{
	if (!virtio_device_live(h->b->vdev))
		return false;
	h->cmd_id = h->cmd_id == UINT32_MAX ? FIRST_ID : h->cmd_id + 1;
	tell(h, HINT_S_REQUESTED, h->cmd_id);
	return true;
}

/* Whether the run is over: the driver has no more pages. */
static bool
take_id(struct balloon_hint *h, const struct dp_elem *elem)
{
	struct world *w = h->b->vdev->w;
	bool begun = h->status == HINT_S_START, over;
	uint32_t id = 0;
	int64_t word;

	virtio_elem_read(w, elem, 0, &id, sizeof(id));
	h->guest_cmd = id;
	if (id == h->host_cmd && h->status == HINT_S_REQUESTED) {
		h->status = HINT_S_START;
		h->rounds++;
	}
	over = id == VIRTIO_BALLOON_CMD_ID_STOP || id == VIRTIO_BALLOON_CMD_ID_DONE;
	word = world_name(w, hint_status_name[h->status]);
	emit(w, EV_FREE_PAGE_CMD, h->b->vdev->name, id, word);
	return over && (begun || fault_on(w, FAULT_FPH_STALE_STOP));
}

static void
take_pages(struct balloon_hint *h, const struct dp_elem *elem)
{
	if (h->status != HINT_S_START || h->guest_cmd != h->host_cmd)
		return;
	actor_point(h->b->vdev->w); /* it is of the run, and not gone yet */
	for (unsigned i = 0; i < elem->in; i++) {
		const struct dp_buf *s = &elem->sg[elem->out + i];

		h->hints += s->len >> VIRTIO_BALLOON_PFN_SHIFT;
		if (virtio_balloon_discard(h->b, s->addr, s->len))
			h->skipped += s->len >> VIRTIO_BALLOON_PFN_SHIFT;
	}
}

/* process_free_page_hinting_queue(), in the one thread that the devices have. */
static void
kick(struct virtio_balloon *b)
{
	struct balloon_hint *h = balloon_hint_of(b);
	struct virtio_ring *r = &b->vdev->vqs[BALLOON_VQ_FREE_PAGE].ring;
	bool over = false, some = false;

	while (virtio_ring_pop(r, r->elem) > 0) {
		if (r->elem->out)
			over = take_id(h, r->elem);
		if (r->elem->in)
			take_pages(h, r->elem);
		virtio_ring_push(r, r->elem, 0);
		some = true;
	}
	if (some)
		virtio_ring_signal(r);
	if (over) /* acknowledge_on_stop */
		tell(h, HINT_S_DONE, VIRTIO_BALLOON_CMD_ID_DONE);
}

static void
running(struct virtio_balloon *b, bool on)
{
	struct balloon_hint *h = balloon_hint_of(b);
	uint32_t id = VIRTIO_BALLOON_CMD_ID_STOP;

	if (on || !b->vdev->resetting)
		return;
	h->status = HINT_S_STOP;
	h->host_cmd = h->guest_cmd = id;
	virtio_config_init(b->vdev, CMD_ID, &id, sizeof(id));
}

struct balloon_hint *
balloon_discard_create(struct virtio_balloon *b, struct main_loop *loop)
{
	struct balloon_hint *h = world_alloc(b->vdev->w, sizeof(*h));

	h->b = b;
	h->loop = loop;
	h->discards = true;
	h->cmd_id = FIRST_ID - 1;
	b->hinting = h;
	b->free_page_kick = kick;
	b->free_page_running = running;
	return h;
}
