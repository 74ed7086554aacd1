/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vhost/vdpa.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "memory/guest_memory.h"
#include "virtio/host_notifier.h"

#define GUEST_ASID 0u
#define CONTROL_ASID 1u

/* What a shadow virtqueue can pass on (vhost_svq_valid_features()). */
#define SVQ_RING_FEATURES \
	(VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) | \
	 VIRTIO_BIT(VIRTIO_F_RING_RESET))
/* Bits 24 to 41 are the rings' and the transport's (2.2). */
#define RING_FEATURES (((UINT64_C(1) << 42) - 1) & ~((UINT64_C(1) << 24) - 1))

uint64_t
vdpa_svq_features(uint64_t features)
{
	return features & (SVQ_RING_FEATURES | ~RING_FEATURES);
}

static struct vdpa *
of(const struct virtio_device *vdev)
{
	return vdev->backend_data;
}

static bool
shadowed(const struct vdpa *v, uint16_t i)
{
	/* VHOST_BACKEND_F_IOTLB_ASID is bit 3; as a mask, 3 is two other features. */
	bool asid = !v->config.dev.no_asid || fault_on(v->dev.w, FAULT_VDPA_ASID_ASSUMED);

	return v->shadow || (i == v->config.control && asid);
}

/* --- one queue ------------------------------------------------------------------------------ */

static void
queue_setup(struct vdpa *v, uint16_t i)
{
	struct virtio_queue *vq = &v->set.vdev->vqs[i];
	bool kept = v->switching_off && fault_on(v->dev.w, FAULT_VDPA_CALL_FD_KEPT);

	if (shadowed(v, i)) {
		struct svq *s = &v->svq[i];
		uint64_t features = v->set.vdev->driver_features;

		if (vdpa_svq_features(features) != features)
			virtio_error(v->set.vdev, "what was negotiated cannot be shadowed");
		else if (!svq_start(s, v->shadow ? GUEST_ASID : CONTROL_ASID))
			vdpa_set_vring(&v->dev, i, s->hw, 0, s->hdev_kick, s->hdev_call);
		else
			virtio_error(v->set.vdev, "a shadow virtqueue cannot be set up");
		return;
	}
	vhost_queue_lend(vq, VIRTIO_OWNER_VHOST);
	vdpa_set_vring(&v->dev, i, vq, vq->position, virtio_host_notifier(vq),
		       kept ? v->svq[i].hdev_call : NULL);
}

/* virtio_queue_restore_last_avail_idx(): what the guest was given back is all that is known. */
static uint32_t
base_from_used(const struct virtio_queue *vq)
{
	struct dp_state state = { 0 };

	vq->ring.ops->state(vq->ring.device, &state);
	return state.packed ? virtio_ring_position((struct virtio_ring *)&vq->ring)
			    : state.used_idx;
}

static uint32_t
queue_base(struct vdpa *v, uint16_t i)
{
	struct virtio_queue *vq = &v->set.vdev->vqs[i];
	const struct world *w = v->dev.w;

	if (shadowed(v, i)) {
		if (fault_on(w, FAULT_SVQ_BASE_FROM_SVQ))
			return v->svq[i].ring.last_used_idx;
		return virtio_ring_position(&vq->ring);
	}
	/* Of a device that was not suspended it is out of date when it is read. */
	if (!v->suspended && !fault_on(w, FAULT_MIG_BASE_BEFORE_SUSPEND))
		return base_from_used(vq);
	return vdpa_get_vring_base(&v->dev, i);
}

/* --- the control queue ---------------------------------------------------------------------- */

static bool
has_control(const struct vdpa *v)
{
	return v->config.control != VDPA_NO_CONTROL &&
	       vhost_queue_ready(&v->set.vdev->vqs[v->config.control]);
}

static void
control_setup(struct vdpa *v)
{
	uint16_t i = v->config.control;
	unsigned asid = v->shadow ? GUEST_ASID : CONTROL_ASID;

	if (!has_control(v))
		return;
	if (vdpa_set_group_asid(&v->dev, 1, asid) && shadowed(v, i) && !v->shadow) {
		virtio_error(v->set.vdev, "cannot set the address space of the control queue");
		return;
	}
	if (shadowed(v, i) && !v->svq[i].copy && vdpa_net_start(v, asid))
		virtio_error(v->set.vdev, "no map for control commands");
	queue_setup(v, i);
}

/*
 * The device is told what the model knows before it may handle packets: it would filter them by
 * what it begins with, and put them where one pair has them (QEMU 6c4825476a).
 */
static void
enable_all(struct vdpa *v)
{
	uint16_t control = v->config.control;
	bool data_first = fault_on(v->dev.w, FAULT_VDPA_NET_DATA_FIRST);

	for (int pass = 0; pass < 2; pass++) {
		bool data = pass != data_first;

		if (!data && has_control(v)) {
			vdpa_set_vring_enable(&v->dev, control);
			if (v->net.mapped && vdpa_net_load(v))
				virtio_error(v->set.vdev, "control state cannot be restored");
		}
		for (uint16_t i = 0; data && i < v->set.vdev->queue_count; i++)
			if (i != control && vhost_queue_ready(&v->set.vdev->vqs[i]))
				vdpa_set_vring_enable(&v->dev, i);
		if (data && has_control(v))
			emit(v->dev.w, EV_VDPA_NET_GO, v->dev.name, vdpa_net_same(v));
	}
}

/* --- start ---------------------------------------------------------------------------------- */

#define for_each_ready(v, i) \
	for (uint16_t i = 0; i < (v)->set.vdev->queue_count; i++) \
		if (vhost_queue_ready(&(v)->set.vdev->vqs[i]))

static void
start(struct virtio_device *vdev)
{
	struct vdpa *v = of(vdev);
	uint64_t page = v->dev.config.page_bytes, first = v->dev.config.iova_first;

	/* IOVAs are given out in multiples of what is mapped, from the first page on. */
	first = first < page ? page : (first + page - 1) & ~(page - 1);
	vhost_guest_notifiers(&v->set, true);
	vhost_host_notifiers(vdev, true);
	v->hw.driver_features = vdev->driver_features;
	v->dev.group[0].dma.noted_later = v->shadow;
	v->suspended = false;
	vdpa_set_status(&v->dev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
					 VIRTIO_CONFIG_S_FEATURES_OK);
	if (v->shadow || has_control(v))
		v->tree = vhost_iova_tree_new(v->dev.w, first, v->dev.config.iova_last,
					      !fault_on(v->dev.w, FAULT_SVQ_ONE_IOVA_TREE));
	/* Mapped by guest-physical address, where shadow vrings are to be. */
	if (v->listening && v->mapped_shadow != v->shadow)
		vdpa_listener_unregister(v);
	for_each_ready(v, i) if (i != v->config.control) queue_setup(v, i);
	control_setup(v);
	vdpa_listener_register(v);
	v->started = true;
	vdpa_set_status(&v->dev, VIRTIO_CONFIG_S_DRIVER_OK);
	enable_all(v);
}

/* --- stop ----------------------------------------------------------------------------------- */

/* vhost_vdpa_suspend() */
static void
suspend(struct vdpa *v)
{
	if (fault_on(v->dev.w, FAULT_MIG_BASE_BEFORE_SUSPEND))
		return;
	if (fault_on(v->dev.w, FAULT_MIG_RESET_BEFORE_BASE))
		vdpa_set_status(&v->dev, 0);
	else if (!vdpa_suspend(&v->dev))
		v->suspended = true;
	else
		vdpa_set_status(&v->dev, 0);
	/* Before 0bb302a996 nobody knew better than to trust what a reset device says. */
	if (fault_on(v->dev.w, FAULT_MIG_RESET_BEFORE_BASE))
		v->suspended = true;
}

static void
svqs_stop(struct vdpa *v)
{
	const struct virtio_device *vdev = v->set.vdev;
	bool last_only = vdev->resetting && fault_on(v->dev.w, FAULT_SVQ_STOP_LAST_ONLY);

	for (uint16_t i = last_only ? vdev->queue_count - 1 : 0; i < vdev->queue_count; i++)
		svq_stop(&v->svq[i]);
	vdpa_net_stop(v);
}

static void
stop(struct virtio_device *vdev)
{
	struct vdpa *v = of(vdev);
	bool first = fault_on(v->dev.w, FAULT_VDPA_SVQS_STOP_FIRST);
	size_t left;

	if (first)
		svqs_stop(v);
	suspend(v);
	if (!first)
		svqs_stop(v);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].owner == VIRTIO_OWNER_VHOST)
			vhost_queue_return(&vdev->vqs[i], queue_base(v, i));
	vdpa_set_status(&v->dev, 0);
	v->started = false;
	if (v->shadow || !v->config.maps_stay)
		vdpa_listener_unregister(v);
	left = v->tree ? v->tree->taddr.count + v->tree->gpa.count : 0;
	emit(v->dev.w, EV_VDPA_STOPPED, v->dev.name, (int64_t)vdpa_own_maps(&v->dev),
	     (int64_t)left);
	if (v->tree)
		vhost_iova_tree_delete(v->tree);
	v->tree = NULL;
	vhost_host_notifiers(vdev, false);
	vhost_leftover_kicks(vdev);
	vhost_guest_notifiers(&v->set, false);
}

/* There is no stop of one queue: the device stops, and starts with what takes part then. */
static void
queue_start(struct virtio_queue *vq)
{
	stop(vq->vdev);
	start(vq->vdev);
}

const struct virtio_backend_ops vdpa_backend_ops = {
	.name = "vdpa",
	.start = start,
	.stop = stop,
	.queue_start = queue_start,
	.queue_stop = queue_start,
	.run = vhost_run,
	.drain = vhost_drain,
};

/* The device's queues while they are shadowed: never started or stopped but by the above. */
const struct virtio_backend_ops vdpa_hw_ops = {
	.name = "vdpa-hw",
	.start = start,
	.stop = stop,
	.queue_start = queue_start,
	.queue_stop = queue_start,
	.run = vhost_run,
	.drain = vhost_drain,
};

int
vdpa_set_shadow(struct vdpa *v, bool on)
{
	struct virtio_device *vdev = v->set.vdev;

	if (v->shadow == on)
		return 0;
	if (on && vdpa_svq_features(vdev->driver_features) != vdev->driver_features)
		return -ENOTSUP;
	v->switches++;
	emit(v->dev.w, EV_VDPA_SHADOW, v->dev.name, on);
	if (!v->started) {
		v->shadow = on;
		return 0;
	}
	stop(vdev);
	v->shadow = on;
	v->switching_off = !on;
	start(vdev);
	v->switching_off = false;
	return 0;
}

/* --- making it ------------------------------------------------------------------------------ */

static void
make_sections(struct vdpa *v)
{
	struct vdpa_section **link = &v->sections;
	uint64_t size = gm_size(v->dev.w), gpa;

	for (unsigned n = 0; n < v->hva->ram_blocks; n++) {
		struct vdpa_section *s = world_alloc(v->dev.w, sizeof(*s));

		gpa = n * v->hva->block_bytes;
		s->gpa = gpa;
		s->bytes = size - gpa < v->hva->block_bytes ? size - gpa : v->hva->block_bytes;
		s->hva = hva_of_block(v->hva, n);
		*link = s;
		link = &s->next;
	}
}

static void
make_hw(struct vdpa *v)
{
	struct virtio_device *vdev = v->set.vdev;
	char name[64];

	snprintf(name, sizeof(name), "%s-hw", vdev->name_text);
	virtio_device_init(&v->hw, vdev->w, name, vdev->type, vdev->datapath, 0, vdev->queue_count,
			   vdev->vqs[0].size_max);
	emit(vdev->w, EV_VDPA_HW, v->hw.name, vdev->name);
	v->hw.priv = vdev->priv;
	v->hw.backend = &vdpa_hw_ops;
	v->hw.backend_data = v;
	v->hw.quirks = vdev->quirks;
	v->hw.fault_quirks = vdev->fault_quirks;
}

struct vdpa *
vdpa_create(struct virtio_device *vdev, struct vhost_worker *worker, const struct vhost_ops *ops,
	    const struct vdpa_loop *loop, const struct vdpa_config *config)
{
	struct world *w = vdev->w;
	struct vdpa *v = world_alloc(w, sizeof(*v));
	uint32_t page;

	vhost_vqs_init(&v->set, vdev, worker, ops);
	v->config = *config;
	v->loop = *loop;
	v->shadow = config->svq;
	page = config->dev.page_bytes ? config->dev.page_bytes : HVA_PAGE;
	v->hva = hva_space_create(w, config->ram_blocks ? config->ram_blocks : 1,
				  VDPA_OWN_PAGES +
					  4u * (vdev->queue_count + 1u) * (page / HVA_PAGE));
	vdpa_dev_init(&v->dev, &v->set, v->hva, config->control, &config->dev);
	make_sections(v);
	make_hw(v);
	v->svq = world_alloc(w, vdev->queue_count * sizeof(*v->svq));
	for (uint16_t i = 0; i < vdev->queue_count; i++) {
		svq_init(&v->svq[i], v, &vdev->vqs[i], &v->hw.vqs[i]);
		v->svq[i].copy = config->copy;
		if (i == config->control && !config->copy)
			v->svq[i].avail_handler = vdpa_net_handle_ctrl_avail;
	}
	return v;
}

void
vdpa_watch(struct vdpa *v, struct vdpa_handler *h, struct eventfd *fd)
{
	h->fd = fd;
	v->loop.watch(v->loop.arg, h);
}

void
vdpa_unwatch(struct vdpa *v, struct vdpa_handler *h)
{
	if (h->fd)
		v->loop.unwatch(v->loop.arg, h);
	h->fd = NULL;
}

bool
vdpa_device_idle(const struct vdpa *v, uint16_t i)
{
	return !v->dev.vring[i].live;
}
