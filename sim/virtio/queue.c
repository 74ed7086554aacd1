/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/queue.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "memory/guest_memory.h"
#include "notify/eventfd.h"
#include "virtio/dma.h"
#include "virtio/device.h"
#include "virtio/ring_packed.h"
#include "virtio/suspend.h"

const char *const virtio_owner_name[VIRTIO_OWNERS] = { /* ORDER OWNER */
						       "none", "main-loop", "iothread", "vhost",
						       "vhost-user"
};

/* --- what ring code gets from us -------------------------------------------------------------- */

static void *
host_map(void *ctx, uint64_t gpa, uint64_t len)
{
	const struct virtio_ring *r = ctx;
	struct world *w = r->vq->vdev->w;

	return r->dma ? dma_map(w, r->dma, gpa, len) : gm_map(w, gpa, len);
}

static void *
host_alloc(void *ctx, size_t size)
{
	const struct virtio_ring *r = ctx;

	return world_alloc(r->vq->vdev->w, size);
}

static void
host_free(void *ctx, void *block, size_t size)
{
	const struct virtio_ring *r = ctx;

	world_free(r->vq->vdev->w, block, size);
}

static bool
owned_by_vmm(enum virtio_owner owner)
{
	return owner == VIRTIO_OWNER_MAIN_LOOP || owner == VIRTIO_OWNER_IOTHREAD;
}

/* The VMM tells the driver (virtio_error()); vhost only stops using the ring (vq_err()). */
static void
host_guest_error(void *ctx, const char *what, uint64_t value)
{
	const struct virtio_ring *r = ctx;
	struct virtio_device *vdev = r->vq->vdev;

	emit(vdev->w, EV_VIRTQUEUE_GUEST_ERROR, vdev->name, r->vq->index, world_name(vdev->w, what),
	     (int64_t)value);
	if (owned_by_vmm(r->owner))
		virtio_error(vdev, what);
}

/* --- one holder's state of a ring ------------------------------------------------------------- */

/* Where a ring begins that nobody has used. */
static uint32_t
start_position(const struct virtio_device *vdev)
{
	return virtio_device_has(vdev, VIRTIO_F_RING_PACKED) ? RING_PACKED_START : vdev->start_idx;
}

/* The ring itself is mapped, and where it was when it was set up; or the access faults. */
static bool
ring_mapped(const struct virtio_ring *r)
{
	const struct virtio_queue *vq = r->vq;

	return !r->dma || (dma_touch(r->dma, vq->desc_gpa, false) &&
			   dma_touch(r->dma, vq->driver_gpa, false) &&
			   dma_touch(r->dma, vq->device_gpa, true));
}

int
virtio_ring_init(struct virtio_ring *r, struct virtio_queue *vq, enum virtio_owner owner,
		 uint32_t position)
{
	struct virtio_device *vdev = vq->vdev;
	struct dp_vring vring = {
		.index = vq->index,
		.size = vq->size,
		.desc = vq->desc_gpa,
		.driver = vq->driver_gpa,
		.device = vq->device_gpa,
		.features = vdev->driver_features & ~r->unaware,
		.quirks = vdev->quirks,
		.start_idx = vdev->start_idx,
	};
	int ret;

	must(!r->device);
	if (vdev->fault_quirks)
		vring.quirks |= vdev->fault_quirks(vdev->w);
	r->vq = vq;
	r->owner = owner;
	r->ops = vdev->datapath;
	r->notification = true;
	if (!r->elem)
		r->elem = virtio_elem_alloc(vdev->w);
	r->host = (struct dp_host){ r, host_map, host_alloc, host_free, host_guest_error };
	if (!ring_mapped(r))
		return -EFAULT;
	ret = r->ops->init(&r->device, &vring, &r->host);
	if (ret < 0)
		r->device = NULL;
	else if (position != start_position(vdev))
		r->ops->set_position(r->device, position);
	return ret;
}

/* One operation of the ring code, during which the ring is not freed. */
#define RING_CALL(r, op, ...) \
	({ \
		__auto_type ret_ = ((r)->users++, (r)->ops->op((r)->device, ##__VA_ARGS__)); \
		(r)->users--; \
		ret_; \
	})
#define RING_DO(r, op, ...) \
	do { \
		(r)->users++; \
		(r)->ops->op((r)->device, ##__VA_ARGS__); \
		(r)->users--; \
	} while (0)

void
virtio_ring_destroy(struct virtio_ring *r)
{
	/* Somebody may be inside, stopped at an access: then it goes away with the world, as QEMU
	 * frees a ring's memory caches only after a grace period. */
	if (r->device && !r->users)
		r->ops->destroy(r->device);
	r->device = NULL;
}

int
virtio_ring_pop(struct virtio_ring *r, struct dp_elem *elem)
{
	struct virtio_queue *vq = r->vq;
	int n;

	if (!r->device || vq->vdev->broken || vq->vdev->disabled || vq->vdev->quiesced ||
	    !ring_mapped(r))
		return 0;
	n = RING_CALL(r, pop, elem);
	if (n > 0) {
		for (unsigned i = 0; r->dma && i < (unsigned)elem->out + elem->in; i++)
			elem->sg[i].addr = dma_mark(r->dma, elem->sg[i].addr);
		vq->inflight++;
		vq->pops++;
		emit(vq->vdev->w, EV_VIRTQUEUE_POP, vq->vdev->name, vq->index, elem->head,
		     elem->out, elem->in);
	}
	return n;
}

static void
reset_finish(struct world *w, struct timer *t)
{
	struct virtio_queue *vq = t->arg;

	virtio_queue_forget(vq);
	emit(w, EV_VIRTIO_QUEUE_RESET_DONE, vq->vdev->name, vq->index, vq->inflight);
	waitq_wake_all(w, &vq->drained);
}

/* One chain less in flight; the last one may be what a reset waits for. */
static void
inflight_put(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;

	if (!vq->inflight || --vq->inflight)
		return;
	waitq_wake_all(vdev->w, &vq->drained);
	if (vq->resetting && vdev->reset_ns && !timer_pending(&vq->reset_timer))
		timer_arm(vdev->w, &vq->reset_timer, vdev->reset_ns, false);
}

void
virtio_ring_unpop(struct virtio_ring *r, const struct dp_elem *elem)
{
	struct virtio_queue *vq = r->vq;

	if (r->device)
		RING_DO(r, unpop, elem);
	vq->pops--;
	emit(vq->vdev->w, EV_VIRTQUEUE_UNPOP, vq->vdev->name, vq->index, elem->head);
	inflight_put(vq);
}

void
virtio_ring_fill(struct virtio_ring *r, const struct dp_elem *elem, uint32_t len, unsigned offset)
{
	struct virtio_queue *vq = r->vq;

	if (!r->device) {
		virtio_ring_forget(r, elem);
		return;
	}
	RING_DO(r, fill, elem, len, offset);
	emit(vq->vdev->w, EV_VIRTQUEUE_FILL, vq->vdev->name, vq->index, elem->head, len);
	inflight_put(vq);
}

void
virtio_ring_flush(struct virtio_ring *r, unsigned count)
{
	struct virtio_queue *vq = r->vq;

	if (!r->device || !ring_mapped(r))
		return;
	RING_DO(r, flush, count);
	vq->pushes += count;
	emit(vq->vdev->w, EV_VIRTQUEUE_FLUSH, vq->vdev->name, vq->index, count);
}

void
virtio_ring_push(struct virtio_ring *r, const struct dp_elem *elem, uint32_t len)
{
	virtio_ring_fill(r, elem, len, 0);
	virtio_ring_flush(r, 1);
}

void
virtio_ring_forget(struct virtio_ring *r, const struct dp_elem *elem)
{
	struct virtio_queue *vq = r->vq;

	emit(vq->vdev->w, EV_VIRTQUEUE_FORGET, vq->vdev->name, vq->index, elem->head);
	inflight_put(vq);
}

void
virtio_ring_disable_notify(struct virtio_ring *r)
{
	if (!r->device || r->vq->vdev->quiesced)
		return;
	r->notification = false;
	RING_DO(r, disable_notify);
	emit(r->vq->vdev->w, EV_VIRTQUEUE_NOTIFICATION, r->vq->vdev->name, r->vq->index, 0, 0);
}

bool
virtio_ring_enable_notify(struct virtio_ring *r)
{
	bool more;

	if (!r->device || r->vq->vdev->quiesced)
		return false;
	r->notification = true;
	more = RING_CALL(r, enable_notify);
	emit(r->vq->vdev->w, EV_VIRTQUEUE_NOTIFICATION, r->vq->vdev->name, r->vq->index, 1, more);
	return more;
}

bool
virtio_ring_empty(struct virtio_ring *r)
{
	const struct virtio_device *vdev = r->vq->vdev;

	return !r->device || vdev->broken || vdev->disabled || vdev->quiesced ||
	       RING_CALL(r, empty);
}

bool
virtio_ring_signal(struct virtio_ring *r)
{
	bool wanted;

	if (!r->device)
		return false;
	wanted = RING_CALL(r, should_notify);
	emit(r->vq->vdev->w, EV_VIRTQUEUE_SHOULD_NOTIFY, r->vq->vdev->name, r->vq->index, wanted);
	if (wanted)
		virtio_ring_signal_always(r);
	return wanted;
}

void
virtio_ring_signal_always(struct virtio_ring *r)
{
	struct virtio_queue *vq = r->vq;

	if (vq->vdev->suspend && virtio_suspend_holds_used(vq))
		return;
	vq->interrupts++;
	emit(vq->vdev->w, EV_VIRTIO_NOTIFY, vq->vdev->name, vq->index, vq->vector,
	     vq->vdev->owner_name[r->owner]);
	if (r->call)
		eventfd_signal(r->call);
	else
		vq->vdev->transport->interrupt(vq, r->owner);
}

uint32_t
virtio_ring_position(struct virtio_ring *r)
{
	return r->device ? RING_CALL(r, get_position) : 0;
}

void
virtio_ring_set_position(struct virtio_ring *r, uint32_t position)
{
	if (r->device)
		RING_DO(r, set_position, position);
}

/* --- queues ----------------------------------------------------------------------------------- */

void
virtio_queue_init(struct virtio_queue *vq, struct virtio_device *vdev, uint16_t index,
		  uint16_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.vq%u", vdev->name_text, index);
	vq->vdev = vdev;
	vq->index = index;
	vq->name = world_name(vdev->w, name);
	vq->size_max = size;
	vq->handle_output = vdev->type->handle_output;
	vq->ring.vq = vq;
	waitq_init(&vq->drained, vdev->w, "requests in flight");
	timer_init(&vq->reset_timer, reset_finish, vq);
	vq->size = size;
	vq->vector = VIRTIO_MSI_NO_VECTOR;
}

/* As after reset (2.6.1.1.1, 4.1.4.3.1). The host notifier stays: it is the VMM's. */
void
virtio_queue_forget(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;

	timer_cancel(vdev->w, &vq->reset_timer);
	virtio_ring_destroy(&vq->ring);
	if (vdev->suspend)
		virtio_suspend_forget_queue(vq);
	if (vdev->type->queue_reset)
		vdev->type->queue_reset(vq);
	vq->size = vq->size_max;
	vq->desc_gpa = vq->driver_gpa = vq->device_gpa = 0;
	vq->position = start_position(vdev);
	vq->enabled = vq->resetting = false;
	vdev->transport->queue_reset(vq);
	vq->vector = VIRTIO_MSI_NO_VECTOR;
}

void
virtio_queue_enable(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;

	if (vq->enabled || !vq->size_max)
		return;
	if (vdev->enable_ns)
		actor_work(vdev->w, vdev->enable_ns);
	vq->enabled = true;
	vq->position = start_position(vdev);
	emit(vdev->w, EV_VIRTIO_QUEUE_ENABLE, vdev->name, vq->index, vq->size, vq->vector);
	if (vdev->started)
		vdev->backend->queue_start(vq);
}

void
virtio_queue_reset(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;
	struct world *w = vdev->w;
	bool quiesce = !fault_on(w, FAULT_QUEUE_RESET_NO_QUIESCE);

	if (!vq->enabled || vq->resetting)
		return;
	vq->resetting = true;
	emit(w, EV_VIRTIO_QUEUE_RESET, vdev->name, vq->index, vq->inflight);
	actor_point(w);
	if (vdev->started && vdev->type->rewind)
		vdev->type->rewind(vq);
	if (vdev->started)
		vdev->backend->queue_stop(vq);
	if (vdev->reset_ns) {
		if (!vq->inflight || !quiesce)
			timer_arm(w, &vq->reset_timer, vdev->reset_ns, false);
		return;
	}
	/* Also with nothing in flight: what was filled last may not be published yet. */
	if (quiesce && vdev->backend)
		vdev->backend->drain(vq);
	reset_finish(w, &vq->reset_timer);
}

void
virtio_queue_notify(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;

	vq->kicks++;
	emit(vdev->w, EV_VIRTIO_QUEUE_NOTIFY, vdev->name, vq->index, vq->host_notifier_enabled);
	if (vq->host_notifier_enabled && !fault_on(vdev->w, FAULT_NOTIFY_BYPASSES_HOST_NOTIFIER))
		eventfd_set(vq->host_notifier);
	else
		virtio_queue_handle(vq);
}

void
virtio_queue_handle(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;
	bool ours = owned_by_vmm(vq->owner) || (vq->owner != VIRTIO_OWNER_NONE &&
						fault_on(vdev->w, FAULT_VMM_HANDLER_WHILE_VHOST));

	if (!ours || !virtio_device_live(vdev) || !vq->enabled || vq->resetting) {
		emit(vdev->w, EV_VIRTIO_QUEUE_IGNORED, vdev->name, vq->index,
		     vdev->owner_name[vq->owner], vdev->status);
		return;
	}
	vq->handle_output(vq);
}

void
virtio_queue_set_owner(struct virtio_queue *vq, enum virtio_owner owner)
{
	struct virtio_device *vdev = vq->vdev;

	vq->owner = owner;
	emit(vdev->w, EV_VIRTIO_QUEUE_OWNER, vdev->name, vq->index, vdev->owner_name[owner],
	     vq->position);
}

bool
virtio_queue_take(struct virtio_queue *vq, enum virtio_owner owner)
{
	if (vq->ring.device)
		virtio_ring_set_position(&vq->ring, vq->position);
	else if (virtio_ring_init(&vq->ring, vq, owner, vq->position) < 0) {
		virtio_error(vq->vdev, "ring cannot be set up");
		return false;
	}
	vq->ring.owner = owner;
	virtio_queue_set_owner(vq, owner);
	return true;
}

void
virtio_queue_give(struct virtio_queue *vq)
{
	vq->position = virtio_ring_position(&vq->ring);
	virtio_queue_set_owner(vq, VIRTIO_OWNER_NONE);
}

void
virtio_queue_set_position(struct virtio_queue *vq, uint32_t position)
{
	vq->position = position;
	virtio_ring_set_position(&vq->ring, position);
}
