/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio/device.h"

#include <string.h>

#include "base/must.h"
#include "engine/image.h"
#include "virtio/suspend.h"

/* What any type may offer if datapath and transport can: the rest is filtered out at creation. */
#define TRANSPORT_FEATURES \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA) | \
	 VIRTIO_BIT(VIRTIO_F_RING_RESET))

void
virtio_device_init(struct virtio_device *vdev, struct world *w, const char *name,
		   const struct virtio_type_ops *type, const struct dp_device_ops *datapath,
		   uint64_t features, uint16_t queue_count, uint16_t queue_size)
{
	must(type->config_bytes <= VIRTIO_CONFIG_MAX);
	must(queue_count <= VIRTIO_QUEUES_MAX);
	vdev->w = w;
	vdev->name = world_name(w, name);
	vdev->name_text = world_name_text(w, vdev->name);
	for (unsigned i = 0; i < VIRTIO_OWNERS; i++)
		vdev->owner_name[i] = world_name(w, virtio_owner_name[i]);
	vdev->type = type;
	vdev->datapath = datapath;
	features |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
	features &= type->features | datapath->features | TRANSPORT_FEATURES;
	vdev->device_features = virtio_features_close(type->deps, features);
	vdev->vm_running = true;
	vdev->config_vector = VIRTIO_MSI_NO_VECTOR;
	vdev->queue_count = queue_count;
	vdev->vqs = world_alloc(w, queue_count * sizeof(*vdev->vqs));
	for (uint16_t i = 0; i < queue_count; i++) {
		virtio_queue_init(&vdev->vqs[i], vdev, i, queue_size);
		world_count(w, &vdev->vqs[i].kicks, 4);
	}
}

/* --- status --------------------------------------------------------------------------------- */

void
virtio_backend_start(struct virtio_device *vdev)
{
	if (vdev->started || !vdev->backend || !vdev->vm_running || !virtio_device_live(vdev))
		return;
	vdev->started = true;
	vdev->backend->start(vdev);
	if (vdev->type->running)
		vdev->type->running(vdev, true);
}

void
virtio_backend_stop(struct virtio_device *vdev)
{
	if (!vdev->started)
		return;
	if (vdev->type->running)
		vdev->type->running(vdev, false);
	vdev->backend->stop(vdev);
	vdev->started = false;
}

/* Nothing of the device may touch the guest after this, whatever it was doing (2.4.1). */
static void
drain_queues(struct virtio_device *vdev)
{
	if (fault_on(vdev->w, FAULT_RESET_NO_DRAIN) || !vdev->backend)
		return;
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].inflight)
			vdev->backend->drain(&vdev->vqs[i]);
}

static void
device_reset(struct virtio_device *vdev)
{
	struct world *w = vdev->w;

	emit(w, EV_VIRTIO_RESET, vdev->name, vdev->status);
	vdev->resetting = true;
	if (vdev->suspend)
		virtio_suspend_reset(vdev);
	virtio_backend_stop(vdev);
	actor_point(w);
	drain_queues(vdev);
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		virtio_queue_forget(&vdev->vqs[i]);
	vdev->transport->reset(vdev);
	vdev->config_vector = VIRTIO_MSI_NO_VECTOR;
	vdev->driver_features = 0;
	vdev->broken = false;
	vdev->status = 0;
	if (vdev->suspend)
		virtio_suspend_forget(vdev);
	if (vdev->type->set_status)
		vdev->type->set_status(vdev, 0);
	vdev->resetting = false;
	emit(w, EV_VIRTIO_RESET_DONE, vdev->name);
}

/* Whether FEATURES_OK may stick (2.2.2). */
static bool
features_accept(struct virtio_device *vdev)
{
	uint64_t features = vdev->driver_features;
	int missing = virtio_features_missing(vdev->type->deps, features);

	emit(vdev->w, EV_VIRTIO_FEATURES, vdev->name, (int64_t)features,
	     (int64_t)vdev->device_features, missing);
	if (features & ~vdev->device_features || missing >= 0)
		return false;
	return !vdev->type->validate_features || vdev->type->validate_features(vdev, features);
}

void
virtio_set_status(struct virtio_device *vdev, uint8_t status)
{
	uint8_t was = vdev->status;

	if (!status) {
		device_reset(vdev);
		return;
	}
	if (vdev->suspend && virtio_suspend_status(vdev, &status))
		return;
	if (!(status & VIRTIO_CONFIG_S_DRIVER_OK))
		virtio_backend_stop(vdev);
	if (status & VIRTIO_CONFIG_S_FEATURES_OK && !(was & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    !features_accept(vdev))
		status &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	/* The device's own bit is not the driver's to clear. */
	vdev->status = status | (was & VIRTIO_CONFIG_S_NEEDS_RESET);
	emit(vdev->w, EV_VIRTIO_SET_STATUS, vdev->name, vdev->status, was);
	if (vdev->type->set_status)
		vdev->type->set_status(vdev, vdev->status);
	/* The device runs before anybody is at its doorbells: who rings now exits to the VMM. */
	actor_point(vdev->w);
	virtio_backend_start(vdev);
}

void
virtio_vm_state(struct virtio_device *vdev, bool running)
{
	if (vdev->vm_running == running)
		return;
	vdev->vm_running = running;
	if (running)
		virtio_backend_start(vdev);
	else
		virtio_backend_stop(vdev);
}

void
virtio_set_backend(struct virtio_device *vdev, const struct virtio_backend_ops *backend, void *data)
{
	virtio_backend_stop(vdev);
	vdev->backend = backend;
	vdev->backend_data = data;
	actor_point(vdev->w);
	virtio_backend_start(vdev);
}

void
virtio_set_disabled(struct virtio_device *vdev, bool disabled)
{
	if (vdev->disabled == disabled)
		return;
	vdev->disabled = disabled;
	if (disabled || !virtio_device_live(vdev))
		return;
	virtio_backend_start(vdev);
	/* Kicks that came meanwhile found nothing to do. */
	for (uint16_t i = 0; i < vdev->queue_count; i++)
		if (vdev->vqs[i].enabled)
			virtio_queue_notify(&vdev->vqs[i]);
}

void
virtio_error(struct virtio_device *vdev, const char *what)
{
	if (vdev->broken)
		return;
	vdev->broken = true;
	vdev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	emit(vdev->w, EV_VIRTIO_ERROR, vdev->name, world_name(vdev->w, what), vdev->status);
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		vdev->transport->config_interrupt(vdev);
}

/* --- features ------------------------------------------------------------------------------- */

static uint32_t
feature_slice(uint64_t features, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(features >> (32 * select));
}

uint32_t
virtio_features_read(const struct virtio_device *vdev, uint32_t select)
{
	return feature_slice(vdev->device_features, select);
}

uint32_t
virtio_driver_features_read(const struct virtio_device *vdev, uint32_t select)
{
	return feature_slice(vdev->driver_features, select);
}

void
virtio_features_write(struct virtio_device *vdev, uint32_t select, uint32_t value)
{
	uint64_t mask = UINT64_C(0xffffffff) << (select ? 32 : 0);

	if (select > 1 || vdev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	vdev->driver_features &= ~mask;
	vdev->driver_features |= (uint64_t)value << (select ? 32 : 0);
}

/* --- configuration space -------------------------------------------------------------------- */

/* How many of @size bytes at @offset exist. */
static size_t
config_clip(const struct virtio_device *vdev, size_t offset, size_t size)
{
	size_t bytes = vdev->type->config_bytes;

	if (offset >= bytes)
		return 0;
	return size < bytes - offset ? size : bytes - offset;
}

void
virtio_config_read(struct virtio_device *vdev, size_t offset, void *to, size_t size)
{
	memset(to, 0, size);
	memcpy(to, vdev->config + offset, config_clip(vdev, offset, size));
	emit(vdev->w, EV_VIRTIO_CONFIG_READ, vdev->name, (int64_t)offset, (int64_t)size,
	     vdev->config_generation);
}

void
virtio_config_write(struct virtio_device *vdev, size_t offset, const void *from, size_t size)
{
	size_t n = config_clip(vdev, offset, size);

	emit(vdev->w, EV_VIRTIO_CONFIG_WRITE, vdev->name, (int64_t)offset, (int64_t)size,
	     vdev->status);
	if (!n)
		return;
	if (vdev->suspend && virtio_suspend_ignores_write(vdev))
		return;
	memcpy(vdev->config + offset, from, n);
	if (vdev->type->config_written)
		vdev->type->config_written(vdev, offset, n);
}

void
virtio_config_init(struct virtio_device *vdev, size_t offset, const void *from, size_t size)
{
	must(offset + size <= vdev->type->config_bytes);
	memcpy(vdev->config + offset, from, size);
}

static void
config_moved(struct virtio_device *vdev)
{
	if (!fault_on(vdev->w, FAULT_CONFIG_SAME_GENERATION))
		vdev->config_generation++;
}

void
virtio_config_apply(struct virtio_device *vdev, size_t offset, const void *from, size_t size)
{
	if (offset + size > vdev->type->config_bytes)
		world_fail(vdev->w, "%s has %zu bytes of configuration: %zu at %zu are outside",
			   vdev->name_text, vdev->type->config_bytes, size, offset);
	for (size_t at = 0; at < size; at += 4) {
		size_t n = size - at < 4 ? size - at : 4;

		if (at)
			actor_point(vdev->w);
		/* First and last: a driver that read in between has an old generation, too. */
		if (!at || at + n == size)
			config_moved(vdev);
		memcpy(vdev->config + offset + at, (const char *)from + at, n);
		emit(vdev->w, EV_VIRTIO_CONFIG_STEP, vdev->name, (int64_t)(offset + at), (int64_t)n,
		     vdev->config_generation);
	}
}

void
virtio_config_update(struct virtio_device *vdev, size_t offset, const void *from, size_t size)
{
	if (offset + size <= vdev->type->config_bytes && vdev->suspend &&
	    virtio_suspend_holds_change(vdev, offset, from, size))
		return;
	virtio_config_apply(vdev, offset, from, size);
	if (vdev->suspend && virtio_suspend_holds_config(vdev))
		return;
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		vdev->transport->config_interrupt(vdev);
}
