/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/debug.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/image.h"
#include "notify/eventfd.h"
#include "vhost/vhost_vq.h"

const char *const debug_level_name[DEBUG_LEVELS + 1] = { /* ORDER DEBUG_LEVEL */
							 "ring", "eventfd", "doorbell", "msi", NULL
};

static bool
by_vhost(const struct virtio_queue *vq)
{
	return vq->owner == VIRTIO_OWNER_VHOST || vq->owner == VIRTIO_OWNER_VHOST_USER;
}

/* The state of the ring as its holder has it; where nobody holds it, as the VMM left it. */
static struct virtio_ring *
held_ring(struct virtio_queue *vq)
{
	struct vhost_vq *v = by_vhost(vq) ? vhost_vq_of(vq) : NULL;

	return v ? &v->ring : &vq->ring;
}

/* --- kick ----------------------------------------------------------------------------------- */

struct look {
	struct virtio_work work;
	struct virtio_queue *vq;
};

static void
look_run(struct virtio_work *work)
{
	struct look *l = work->arg;
	struct virtio_queue *vq = l->vq;

	world_free(vq->vdev->w, l, sizeof(*l));
	virtio_queue_handle(vq);
}

/* In the thread that holds the ring, as after a kick, but without one. */
static int
kick_ring(struct virtio_queue *vq)
{
	struct virtio_device *vdev = vq->vdev;
	struct look *l;

	if (vq->owner == VIRTIO_OWNER_NONE || !held_ring(vq)->device)
		return -ENOTCONN;
	if (by_vhost(vq)) {
		vhost_vq_queue(vhost_vq_of(vq));
		return 0;
	}
	l = world_alloc(vdev->w, sizeof(*l));
	*l = (struct look){ .work = { .fn = look_run, .arg = l }, .vq = vq };
	vdev->backend->run(vq, &l->work);
	return 0;
}

static int
kick_doorbell(struct machine_device *d, struct virtio_queue *vq)
{
	struct machine *m = d->machine;
	uint64_t address = d->vdev.transport->doorbell(vq);
	struct virtio_ring *r = held_ring(vq);
	struct dp_state state = { 0 };

	if (!virtio_device_has(&d->vdev, VIRTIO_F_NOTIFICATION_DATA)) {
		memview_write(m->view, NULL, IO_MMIO, address, 2, vq->index);
		return 0;
	}
	if (r->device)
		r->ops->state(r->device, &state);
	memview_write(m->view, NULL, IO_MMIO, address, 4,
		      virtio_notification_data(vq->index, state.avail_idx));
	return 0;
}

int
debug_kick(struct machine_device *d, unsigned queue, enum debug_level level)
{
	struct world *w = d->machine->w;
	struct virtio_queue *vq;

	if (queue >= d->vdev.queue_count)
		return -ENOENT;
	if (level >= DEBUG_MSI)
		return -EINVAL;
	vq = &d->vdev.vqs[queue];
	emit(w, EV_DEBUG_KICK, d->vdev.name, queue, world_name(w, debug_level_name[level]));
	switch (level) {
	case DEBUG_RING:
		return kick_ring(vq);
	case DEBUG_EVENTFD:
		if (!vq->host_notifier_enabled)
			return -ENOTCONN;
		eventfd_set(vq->host_notifier);
		return 0;
	default:
		return kick_doorbell(d, vq);
	}
}

/* --- call ----------------------------------------------------------------------------------- */

/* As its holder would; a ring that nobody holds, as the VMM would. */
static int
call_ring(struct machine_device *d, struct virtio_queue *vq)
{
	enum virtio_owner owner = vq->owner ? vq->owner : VIRTIO_OWNER_MAIN_LOOP;

	bql_lock(d->machine->loop);
	d->vdev.transport->interrupt(vq, owner);
	bql_unlock(d->machine->loop);
	return 0;
}

static int
call_msi(struct machine_device *d, struct virtio_queue *vq)
{
	struct msix_info info;

	if (vq->vector == VIRTIO_MSI_NO_VECTOR || !msix_info(d->pci->msix, vq->vector, &info))
		return -ENOTCONN;
	irqchip_msi(d->machine->chip, info.message.address, info.message.data);
	return 0;
}

int
debug_call(struct machine_device *d, unsigned queue, enum debug_level level)
{
	struct world *w = d->machine->w;
	struct virtio_queue *vq;

	if (queue >= d->vdev.queue_count)
		return -ENOENT;
	if (level == DEBUG_DOORBELL || level >= DEBUG_LEVELS)
		return -EINVAL;
	vq = &d->vdev.vqs[queue];
	emit(w, EV_DEBUG_CALL, d->vdev.name, queue, world_name(w, debug_level_name[level]));
	switch (level) {
	case DEBUG_RING:
		return call_ring(d, vq);
	case DEBUG_EVENTFD:
		if (!d->pci->notifiers->started)
			return -ENOTCONN;
		eventfd_set(virtio_pci_notifier(vq)->fd);
		return 0;
	default:
		return call_msi(d, vq);
	}
}

/* --- dump ----------------------------------------------------------------------------------- */

bool
debug_queue_status(struct machine_device *d, unsigned queue, struct debug_queue_status *s)
{
	struct virtio_device *vdev = &d->vdev;
	struct virtio_queue *vq;
	struct virtio_ring *r;
	uint64_t base;

	if (queue >= vdev->queue_count)
		return false;
	vq = &vdev->vqs[queue];
	r = held_ring(vq);
	*s = (struct debug_queue_status){
		.name = vdev->name_text,
		.queue_index = vq->index,
		.inuse = vq->inflight,
		.vring_num = vq->size,
		.vring_num_default = vq->size_max,
		.vring_desc = vq->desc_gpa,
		.vring_avail = vq->driver_gpa,
		.vring_used = vq->device_gpa,
		.enabled = vq->enabled,
		.resetting = vq->resetting,
		.owner = vq->owner,
		.vector = vq->vector,
		.host_notifier_enabled = vq->host_notifier_enabled,
		.ioeventfd_assigned = vq->ioeventfd_assigned,
		.doorbell = vdev->transport->doorbell(vq),
		.doorbell_decoded = pci_bar_decoded(d->pci->function, VIRTIO_PCI_BAR_MODERN, &base),
		.kicks = vq->kicks,
		.pops = vq->pops,
		.pushes = vq->pushes,
		.interrupts = vq->interrupts,
	};
	world_counters_shown(vdev->w);
	if (r->device)
		r->ops->state(r->device, &s->ring);
	return true;
}

size_t
debug_queue_text(const struct debug_queue_status *s, char *text, size_t size)
{
	const struct dp_state *r = &s->ring;
	int n = snprintf(
		text, size,
		"name=%s\nqueue_index=%u\ninuse=%u\nvring_num=%u\nvring_num_default=%u\n"
		"vring_desc=0x%" PRIx64 "\nvring_avail=0x%" PRIx64 "\nvring_used=0x%" PRIx64 "\n"
		"last_avail_idx=%u\nshadow_avail_idx=%u\navail_idx=%u\nused_idx=%u\n"
		"signalled_used=%u\nsignalled_used_valid=%d\nused_event=%u\navail_event=%u\n"
		"avail_flags=%u\nused_flags=%u\navail_wrap_counter=%d\nused_wrap_counter=%d\n"
		"enabled=%d\nresetting=%d\nowner=%s\nvector=%u\n"
		"host_notifier_enabled=%d\nioeventfd_assigned=%d\n"
		"doorbell=0x%" PRIx64 "\ndoorbell_decoded=%d\n"
		"kicks=%" PRIu64 "\npops=%" PRIu64 "\npushes=%" PRIu64 "\ninterrupts=%" PRIu64 "\n",
		s->name, s->queue_index, s->inuse, s->vring_num, s->vring_num_default,
		s->vring_desc, s->vring_avail, s->vring_used, r->last_avail_idx,
		r->shadow_avail_idx, r->avail_idx, r->used_idx, r->signalled_used,
		r->signalled_used_valid, r->used_event, r->avail_event, r->avail_flags,
		r->used_flags, r->avail_wrap_counter, r->used_wrap_counter, s->enabled,
		s->resetting, virtio_owner_name[s->owner], s->vector, s->host_notifier_enabled,
		s->ioeventfd_assigned, s->doorbell, s->doorbell_decoded, s->kicks, s->pops,
		s->pushes, s->interrupts);

	if (!size || n < 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

/* --- after a run ---------------------------------------------------------------------------- */

struct late {
	struct machine *m;
	void (*fn)(struct machine *m, void *arg);
	void *arg;
};

static void
late_run(struct actor *self, void *arg)
{
	struct late *l = arg;

	l->fn(l->m, l->arg);
}

void
debug_run(struct machine *m, void (*fn)(struct machine *m, void *arg), void *arg)
{
	struct late *l = world_alloc(m->w, sizeof(*l));

	*l = (struct late){ m, fn, arg };
	actor_set_daemon(actor_create(m->w, "debug", late_run, l, 0), true);
}
