/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/balloon_hint.h"

#include <stdio.h>

#include "base/must.h"

const char *const hint_status_name[HINT_STATUSES] = { /* ORDER HINT_STATUS */
						      "stop", "requested", "start", "done"
};

#define CMD_ID_POSTED 2u /* as posted it was 1, which drivers take for DONE since */
#define POLL_NS 1000
#define CMD_ID offsetof(struct virtio_balloon_config, free_page_hint_cmd_id)

static struct world *
world_of(const struct balloon_hint *h)
{
	return h->b->vdev->w;
}

/* --- state ---------------------------------------------------------------------------------- */

static void
lock(struct balloon_hint *h)
{
	struct world *w = world_of(h);

	actor_point(w);
	while (h->lock)
		waitq_wait(w, &h->lock_wait);
	h->lock = actor_current(w);
}

static void
unlock(struct balloon_hint *h)
{
	must(h->lock == actor_current(world_of(h)));
	h->lock = NULL;
	waitq_wake_one(world_of(h), &h->lock_wait);
}

/* What virtio_balloon_get_config() answers. */
static uint32_t
config_id(const struct balloon_hint *h)
{
	if (h->posted)
		return h->cmd_id;
	switch (h->status) {
	case HINT_S_START:
		if (fault_on(world_of(h), FAULT_FPH_START_READS_STOP))
			return VIRTIO_BALLOON_CMD_ID_STOP;
		return h->cmd_id;
	case HINT_S_REQUESTED:
		return h->cmd_id;
	case HINT_S_DONE:
		return VIRTIO_BALLOON_CMD_ID_DONE;
	default:
		return VIRTIO_BALLOON_CMD_ID_STOP;
	}
}

/* The configuration reads something else from now on; the driver is told later, or never. */
static void
set_status(struct balloon_hint *h, enum hint_status status)
{
	struct world *w = world_of(h);
	uint32_t id;

	h->status = status;
	id = config_id(h);
	h->rounds += status == HINT_S_START;
	virtio_config_init(h->b->vdev, CMD_ID, &id, sizeof(id));
	emit(w, EV_FREE_PAGE_STATE, h->b->vdev->name, world_name(w, hint_status_name[status]),
	     h->cmd_id);
}

/* virtio_notify_config(). Without the lock of hints: the driver may answer at once. */
static void
tell(struct balloon_hint *h)
{
	bool nested = bql_locked(h->loop);
	uint32_t id;

	if (!nested)
		bql_lock(h->loop);
	id = config_id(h);
	virtio_config_update(h->b->vdev, CMD_ID, &id, sizeof(id));
	if (!nested)
		bql_unlock(h->loop);
}

/* The state changes under the lock, so not between a look at it and what followed from that. */
static void
change(struct balloon_hint *h, enum hint_status status)
{
	bool locked = !fault_on(world_of(h), FAULT_FPH_UNLOCKED);

	if (locked)
		lock(h);
	set_status(h, status);
	if (locked)
		unlock(h);
	tell(h);
}

static void
next_id(struct balloon_hint *h)
{
	if (h->posted)
		h->cmd_id = h->cmd_id == UINT32_MAX ? CMD_ID_POSTED : h->cmd_id + 1;
	else if (h->cmd_id < VIRTIO_BALLOON_CMD_ID_MIN || h->cmd_id == UINT32_MAX)
		h->cmd_id = VIRTIO_BALLOON_CMD_ID_MIN;
	else
		h->cmd_id++;
}

/* --- the queue ------------------------------------------------------------------------------ */

static void
handle_id(struct balloon_hint *h, const struct dp_elem *elem)
{
	struct world *w = world_of(h);
	uint32_t id = 0;
	bool right;

	virtio_elem_read(w, elem, 0, &id, sizeof(id));
	right = id == h->cmd_id || (fault_on(w, FAULT_FPH_ANY_ID) && id > 1);
	if (h->posted)
		set_status(h, right ? HINT_S_START : HINT_S_STOP);
	else if (h->status == HINT_S_REQUESTED && right)
		set_status(h, HINT_S_START);
	else if (h->status == HINT_S_STOP && right && fault_on(w, FAULT_FPH_RESTART))
		set_status(h, HINT_S_START);
	else if (h->status == HINT_S_START && !(right && fault_on(w, FAULT_FPH_ANY_ID)))
		set_status(h, HINT_S_STOP);
	emit(w, EV_FREE_PAGE_CMD, h->b->vdev->name, id, world_name(w, hint_status_name[h->status]));
}

static bool
takes_hints(const struct balloon_hint *h)
{
	if (h->status != HINT_S_START)
		return false;
	return !h->posted || !virtio_device_has(h->b->vdev, VIRTIO_BALLOON_F_PAGE_POISON);
}

static void
handle_pages(struct balloon_hint *h, const struct dp_elem *elem)
{
	struct world *w = world_of(h);
	unsigned count = fault_on(w, FAULT_FPH_FIRST_SG) ? 1 : elem->in;

	if (!takes_hints(h))
		return;
	actor_point(w); /* seen to be START, and not acted upon yet */
	for (unsigned i = 0; i < count; i++) {
		const struct dp_buf *s = &elem->sg[elem->out + i];

		h->hints += s->len >> VIRTIO_BALLOON_PFN_SHIFT;
		h->skipped += precopy_free_page_hint(w, s->addr, s->len);
	}
}

/* A late bottom half: the device was stopped, or reset. */
static bool
ours(const struct balloon_hint *h)
{
	const struct virtio_device *vdev = h->b->vdev;
	const struct virtio_queue *vq = &vdev->vqs[BALLOON_VQ_FREE_PAGE];

	return virtio_device_live(vdev) && vdev->vm_running && vq->enabled && !vq->resetting &&
	       vq->owner == VIRTIO_OWNER_MAIN_LOOP;
}

/* get_free_page_hints(): one element; false if there was none. */
static bool
take_one(struct balloon_hint *h)
{
	struct virtio_ring *r = &h->b->vdev->vqs[BALLOON_VQ_FREE_PAGE].ring;

	if (!ours(h) || virtio_ring_pop(r, r->elem) <= 0)
		return false;
	if (r->elem->out)
		handle_id(h, r->elem);
	if (r->elem->in)
		handle_pages(h, r->elem);
	virtio_ring_push(r, r->elem, 0);
	virtio_ring_signal(r);
	aio_bh_schedule(&h->loop->ctx, &h->wake);
	return true;
}

/* Kicks are wanted again: whether something came while they were not. */
static bool
came_meanwhile(struct balloon_hint *h)
{
	struct virtio_ring *r = &h->b->vdev->vqs[BALLOON_VQ_FREE_PAGE].ring;

	if (!ours(h) || h->block || !virtio_ring_enable_notify(r))
		return false;
	if (!fault_on(world_of(h), FAULT_FPH_POLL_END))
		return true;
	virtio_ring_enable_notify(r); /* at least what comes after it is told */
	return false;
}

/* A turn of a busy loop; where there is time it takes some. */
static void
look_again_soon(struct world *w)
{
	if (world_mode_of(w) == WORLD_RELAXED)
		actor_yield(w);
	else
		actor_work(w, POLL_NS);
}

/*
 * virtio_ballloon_get_free_page_hints(), in the iothread: once hinting has started the queue is
 * polled until the round is over.
 */
static void
free_page_bh(struct virtio_work *work)
{
	struct balloon_hint *h = work->arg;
	bool more;

	do {
		lock(h);
		if (ours(h) && !h->block)
			virtio_ring_disable_notify(&h->b->vdev->vqs[BALLOON_VQ_FREE_PAGE].ring);
		more = !h->block && take_one(h);
		unlock(h);
		if (more)
			continue;
		if (h->status == HINT_S_START && ours(h) && !h->block)
			look_again_soon(world_of(h));
		else if (!came_meanwhile(h))
			break;
	} while (true);
}

static void
free_page_kick(struct virtio_balloon *b)
{
	struct balloon_hint *h = balloon_hint_of(b);

	if (h->posted)
		waitq_wake_all(world_of(h), &h->kicked);
	else
		aio_bh_schedule(&h->iothread->ctx, &h->bh);
}

/*
 * Before a stop the hint in progress is waited for: the ring's position must be that of a thread
 * that is not in the middle of it.  A reset ends the round, and nobody is told.
 */
static void
free_page_running(struct virtio_balloon *b, bool running)
{
	struct balloon_hint *h = balloon_hint_of(b);

	lock(h);
	h->block = !running;
	if (b->vdev->resetting && h->status != HINT_S_DONE && h->status != HINT_S_STOP)
		set_status(h, HINT_S_STOP);
	unlock(h);
	if (running && !h->posted)
		aio_bh_schedule(&h->iothread->ctx, &h->bh);
}

/* balloon_free_page_poll() as posted */
static void
poll_queue(struct precopy_notifier *n)
{
	struct balloon_hint *h = n->arg;
	struct world *w = world_of(h);
	int64_t until = world_now(w) + h->limit_ns;
	bool over = false;

	if (!virtio_device_live(h->b->vdev) || !h->b->free_page_kick)
		return;
	next_id(h);
	set_status(h, HINT_S_REQUESTED);
	tell(h);
	while (h->status != HINT_S_STOP && !over) {
		if (take_one(h))
			continue;
		if (!h->limit_ns)
			waitq_wait(w, &h->kicked);
		else
			over = world_now(w) >= until ||
			       !waitq_wait_for(w, &h->kicked, until - world_now(w), false);
	}
	if (over)
		set_status(h, HINT_S_STOP);
}

/* --- the migration's notifications ---------------------------------------------------------- */

static void
after_sync(struct balloon_hint *h)
{
	bool running = h->b->vdev->vm_running;
	bool locked = !fault_on(world_of(h), FAULT_FPH_UNLOCKED);

	if (running) {
		if (locked)
			lock(h);
		next_id(h);
		set_status(h, HINT_S_REQUESTED);
		if (locked)
			unlock(h);
		tell(h);
	} else if (h->status != HINT_S_DONE && !fault_on(world_of(h), FAULT_FPH_DONE_LATE)) {
		change(h, HINT_S_DONE); /* goes into the device state, for the destination */
	}
}

static void
notified(struct precopy_notifier *n, enum precopy_reason reason)
{
	struct balloon_hint *h = n->arg;
	struct world *w = world_of(h);
	const struct precopy_target *t = precopy_target(w);

	if (h->posted || !virtio_device_live(h->b->vdev) ||
	    !virtio_device_has(h->b->vdev, VIRTIO_BALLOON_F_FREE_PAGE_HINT) ||
	    (t && t->postcopy && !fault_on(w, FAULT_FPH_POSTCOPY)))
		return;
	switch (reason) {
	case PRECOPY_NOTIFY_BEFORE_BITMAP_SYNC:
		if (h->status != HINT_S_STOP && h->status != HINT_S_DONE &&
		    !fault_on(w, FAULT_FPH_NO_STOP))
			change(h, HINT_S_STOP);
		break;
	case PRECOPY_NOTIFY_AFTER_BITMAP_SYNC:
		if (!(h->status == HINT_S_START && h->b->vdev->vm_running &&
		      fault_on(w, FAULT_FPH_NO_STOP)))
			after_sync(h);
		break;
	case PRECOPY_NOTIFY_CLEANUP:
		if (h->status != HINT_S_DONE && !fault_on(w, FAULT_FPH_NO_DONE))
			change(h, HINT_S_DONE);
		break;
	default:
		break;
	}
}

static void
woken(struct virtio_work *work)
{
}

struct balloon_hint *
balloon_hint_create(struct virtio_balloon *b, struct main_loop *loop, bool posted)
{
	struct world *w = b->vdev->w;
	struct balloon_hint *h = world_alloc(w, sizeof(*h));
	char name[64];

	snprintf(name, sizeof(name), "iothread-%s", b->vdev->name_text);
	h->b = b;
	h->loop = loop;
	h->posted = posted;
	h->cmd_id = posted ? CMD_ID_POSTED - 1 : VIRTIO_BALLOON_CMD_ID_MIN - 1;
	h->bh = (struct virtio_work){ .fn = free_page_bh, .arg = h };
	h->wake = (struct virtio_work){ .fn = woken };
	h->notifier = (struct precopy_notifier){ .fn = notified, .arg = h };
	h->notifier.poll = posted ? poll_queue : NULL;
	waitq_init(&h->lock_wait, w, "free_page_lock");
	waitq_init(&h->kicked, w, "free page hints");
	if (!posted)
		h->iothread = iothread_create(w, name, 0);
	b->hinting = h;
	b->free_page_kick = free_page_kick;
	b->free_page_running = free_page_running;
	precopy_add_notifier(w, &h->notifier);
	return h;
}
