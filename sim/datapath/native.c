/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the native rings it is, VIRTIO_F_RING_PACKED says at init(); from then on each operation
 * goes to that one.
 */
#include "datapath/native.h"

#include <errno.h>

#include "engine/world.h"
#include "virtio/ring_packed.h"
#include "virtio/ring_split.h"

/* Every defect there is, is one of ours. */
#define NATIVE_QUIRKS ((uint64_t)DP_QUIRK_DEVICE_PACKED_SIGNALLED_WRAP * 2 - 1)

static bool
is_packed(const struct dp_vring *vring)
{
	return virtio_has(vring->features, VIRTIO_F_RING_PACKED);
}

/* --- driver side ---------------------------------------------------------------------------- */

struct native_driver {
	const struct dp_driver_ops *ops;
	struct dp_driver *ring;
	struct dp_host host;
};

/* The seam's type, of which we are one kind and each ring another. */
static struct native_driver *
driver_of(struct dp_driver *driver)
{
	return (struct native_driver *)driver;
}

static int
driver_init(struct dp_driver **driver, const struct dp_vring *vring, const struct dp_host *host)
{
	struct native_driver *d = host->alloc(host->ctx, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->ops = is_packed(vring) ? &ring_packed_driver_ops : &ring_split_driver_ops;
	d->host = *host;
	ret = d->ops->init(&d->ring, vring, host);
	if (ret)
		host->free(host->ctx, d, sizeof(*d));
	else
		*driver = (struct dp_driver *)d;
	return ret;
}

static void
driver_destroy(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);
	struct dp_host host = d->host;

	d->ops->destroy(d->ring);
	host.free(host.ctx, d, sizeof(*d));
}

static int
driver_add(struct dp_driver *driver, const struct dp_buf *sg, unsigned out, unsigned in,
	   uint64_t token, bool indirect, uint64_t table)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->add(d->ring, sg, out, in, token, indirect, table);
}

static bool
driver_kick_prepare(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->kick_prepare(d->ring);
}

static uint32_t
driver_notify_data(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->notify_data(d->ring);
}

static int
driver_get(struct dp_driver *driver, uint64_t *token, uint32_t *len)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->get(d->ring, token, len);
}

static void
driver_disable_cb(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);

	d->ops->disable_cb(d->ring);
}

static unsigned
driver_enable_cb_prepare(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->enable_cb_prepare(d->ring);
}

static bool
driver_poll(struct dp_driver *driver, unsigned position)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->poll(d->ring, position);
}

static bool
driver_enable_cb(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->enable_cb(d->ring);
}

static bool
driver_enable_cb_delayed(struct dp_driver *driver)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->enable_cb_delayed(d->ring);
}

static int
driver_detach_unused(struct dp_driver *driver, uint64_t *token)
{
	struct native_driver *d = driver_of(driver);

	return d->ops->detach_unused(d->ring, token);
}

static void
driver_state(struct dp_driver *driver, struct dp_state *state)
{
	struct native_driver *d = driver_of(driver);

	d->ops->state(d->ring, state);
}

static const struct dp_driver_ops native_driver_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "native",
	.features = RING_SPLIT_FEATURES | RING_PACKED_FEATURES,
	.quirks = NATIVE_QUIRKS,
	.init = driver_init,
	.destroy = driver_destroy,
	.add = driver_add,
	.kick_prepare = driver_kick_prepare,
	.notify_data = driver_notify_data,
	.get = driver_get,
	.disable_cb = driver_disable_cb,
	.enable_cb_prepare = driver_enable_cb_prepare,
	.poll = driver_poll,
	.enable_cb = driver_enable_cb,
	.enable_cb_delayed = driver_enable_cb_delayed,
	.detach_unused = driver_detach_unused,
	.state = driver_state,
};

/* --- device side ---------------------------------------------------------------------------- */

struct native_device {
	const struct dp_device_ops *ops;
	struct dp_device *ring;
	struct dp_host host;
};

static struct native_device *
device_of(struct dp_device *device)
{
	return (struct native_device *)device;
}

static int
device_init(struct dp_device **device, const struct dp_vring *vring, const struct dp_host *host)
{
	struct native_device *d = host->alloc(host->ctx, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->ops = is_packed(vring) ? &ring_packed_device_ops : &ring_split_device_ops;
	d->host = *host;
	ret = d->ops->init(&d->ring, vring, host);
	if (ret)
		host->free(host->ctx, d, sizeof(*d));
	else
		*device = (struct dp_device *)d;
	return ret;
}

static void
device_destroy(struct dp_device *device)
{
	struct native_device *d = device_of(device);
	struct dp_host host = d->host;

	d->ops->destroy(d->ring);
	host.free(host.ctx, d, sizeof(*d));
}

static int
device_pop(struct dp_device *device, struct dp_elem *elem)
{
	struct native_device *d = device_of(device);

	return d->ops->pop(d->ring, elem);
}

static void
device_unpop(struct dp_device *device, const struct dp_elem *elem)
{
	struct native_device *d = device_of(device);

	d->ops->unpop(d->ring, elem);
}

static void
device_fill(struct dp_device *device, const struct dp_elem *elem, uint32_t len, unsigned offset)
{
	struct native_device *d = device_of(device);

	d->ops->fill(d->ring, elem, len, offset);
}

static void
device_flush(struct dp_device *device, unsigned count)
{
	struct native_device *d = device_of(device);

	d->ops->flush(d->ring, count);
}

static void
device_disable_notify(struct dp_device *device)
{
	struct native_device *d = device_of(device);

	d->ops->disable_notify(d->ring);
}

static bool
device_enable_notify(struct dp_device *device)
{
	struct native_device *d = device_of(device);

	return d->ops->enable_notify(d->ring);
}

static bool
device_should_notify(struct dp_device *device)
{
	struct native_device *d = device_of(device);

	return d->ops->should_notify(d->ring);
}

static bool
device_empty(struct dp_device *device)
{
	struct native_device *d = device_of(device);

	return d->ops->empty(d->ring);
}

static uint32_t
device_get_position(struct dp_device *device)
{
	struct native_device *d = device_of(device);

	return d->ops->get_position(d->ring);
}

static void
device_set_position(struct dp_device *device, uint32_t position)
{
	struct native_device *d = device_of(device);

	d->ops->set_position(d->ring, position);
}

static void
device_state(struct dp_device *device, struct dp_state *state)
{
	struct native_device *d = device_of(device);

	d->ops->state(d->ring, state);
}

static const struct dp_device_ops native_device_ops = {
	.abi_version = DATAPATH_ABI_VERSION,
	.name = "native",
	.features = RING_SPLIT_FEATURES | RING_PACKED_FEATURES,
	.quirks = NATIVE_QUIRKS,
	.init = device_init,
	.destroy = device_destroy,
	.pop = device_pop,
	.unpop = device_unpop,
	.fill = device_fill,
	.flush = device_flush,
	.disable_notify = device_disable_notify,
	.enable_notify = device_enable_notify,
	.should_notify = device_should_notify,
	.empty = device_empty,
	.get_position = device_get_position,
	.set_position = device_set_position,
	.state = device_state,
};

const struct datapath datapath_native = {
	.name = "native",
	.driver = &native_driver_ops,
	.device = &native_device_ops,
};

/* --- quirks --------------------------------------------------------------------------------- */

#define PACKED VIRTIO_BIT(VIRTIO_F_RING_PACKED)
#define EVENT VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)

/* The features of @of must be as in @are for the defect to have an effect. */
static const struct {
	enum fault fault;
	enum dp_quirk quirk;
	uint64_t of, are;
} quirk_of_fault[] = {
	{ FAULT_DRIVER_KICK_SKIP_MB, DP_QUIRK_DRIVER_KICK_SKIP_MB, 0, 0 },
	{ FAULT_DRIVER_KICK_NO_WRAP, DP_QUIRK_DRIVER_KICK_NO_WRAP, PACKED | EVENT, EVENT },
	{ FAULT_DRIVER_ENABLE_NO_RECHECK, DP_QUIRK_DRIVER_ENABLE_NO_RECHECK, 0, 0 },
	{ FAULT_DRIVER_ENABLE_SKIP_MB, DP_QUIRK_DRIVER_ENABLE_SKIP_MB, 0, 0 },
	{ FAULT_DRIVER_STALE_USED_EVENT, DP_QUIRK_DRIVER_STALE_USED_EVENT, EVENT, EVENT },
	{ FAULT_DEVICE_PUBLISH_SKIP_MB, DP_QUIRK_DEVICE_PUBLISH_SKIP_MB, 0, 0 },
	{ FAULT_DEVICE_ENABLE_SKIP_MB, DP_QUIRK_DEVICE_ENABLE_SKIP_MB, 0, 0 },
	{ FAULT_DEVICE_ENABLE_NO_RECHECK, DP_QUIRK_DEVICE_ENABLE_NO_RECHECK, 0, 0 },
	{ FAULT_DEVICE_NO_AVAIL_EVENT, DP_QUIRK_DEVICE_NO_AVAIL_EVENT, PACKED | EVENT, EVENT },
	{ FAULT_DEVICE_STALE_AVAIL_EVENT, DP_QUIRK_DEVICE_STALE_AVAIL_EVENT, PACKED | EVENT,
	  EVENT },
	{ FAULT_DEVICE_SIGNALLED_VALID, DP_QUIRK_DEVICE_SIGNALLED_VALID, EVENT, EVENT },
	{ FAULT_DEVICE_SIGNALLED_EAGER, DP_QUIRK_DEVICE_SIGNALLED_EAGER, PACKED | EVENT, EVENT },
	{ FAULT_DEVICE_IDX_BEFORE_ELEM, DP_QUIRK_DEVICE_IDX_BEFORE_ELEM, 0, 0 },
	{ FAULT_DEVICE_CACHED_USED_EVENT, DP_QUIRK_DEVICE_CACHED_USED_EVENT, PACKED | EVENT,
	  EVENT },
	{ FAULT_DEVICE_EVENT_OOB, DP_QUIRK_DEVICE_EVENT_OOB, PACKED | EVENT, 0 },
	{ FAULT_DEVICE_EMPTY_IS_NONEMPTY, DP_QUIRK_DEVICE_EMPTY_IS_NONEMPTY, 0, 0 },
	{ FAULT_DEVICE_EMPTY_SKIP_RMB, DP_QUIRK_DEVICE_EMPTY_SKIP_RMB, PACKED, 0 },
	{ FAULT_DEVICE_EARLY_USED_EVENT, DP_QUIRK_DEVICE_EARLY_USED_EVENT, PACKED | EVENT, EVENT },
	{ FAULT_DEVICE_EQUAL_USED_EVENT, DP_QUIRK_DEVICE_EQUAL_USED_EVENT, PACKED | EVENT, EVENT },
	{ FAULT_DRIVER_PACKED_CONTENT_FIRST, DP_QUIRK_DRIVER_PACKED_CONTENT_FIRST, PACKED, PACKED },
	{ FAULT_DRIVER_PACKED_DELAYED_SLOT, DP_QUIRK_DRIVER_PACKED_DELAYED_SLOT, PACKED, PACKED },
	{ FAULT_DRIVER_PACKED_EVENT_LAP, DP_QUIRK_DRIVER_PACKED_EVENT_LAP, PACKED | EVENT,
	  PACKED | EVENT },
	{ FAULT_DEVICE_PACKED_CONTENT_FIRST, DP_QUIRK_DEVICE_PACKED_CONTENT_FIRST, PACKED, PACKED },
	{ FAULT_DEVICE_PACKED_SIGNALLED_WRAP, DP_QUIRK_DEVICE_PACKED_SIGNALLED_WRAP, PACKED | EVENT,
	  PACKED | EVENT },
};

uint64_t
native_quirks(const struct world *w)
{
	uint64_t quirks = 0;

	for (size_t i = 0; i < sizeof(quirk_of_fault) / sizeof(quirk_of_fault[0]); i++)
		if (fault_on(w, quirk_of_fault[i].fault))
			quirks |= quirk_of_fault[i].quirk;
	return quirks;
}

uint64_t
native_quirk_of(enum fault fault, uint64_t features, bool *matters)
{
	for (size_t i = 0; i < sizeof(quirk_of_fault) / sizeof(quirk_of_fault[0]); i++) {
		if (quirk_of_fault[i].fault != fault)
			continue;
		*matters = (features & quirk_of_fault[i].of) == quirk_of_fault[i].are;
		return quirk_of_fault[i].quirk;
	}
	*matters = true;
	return 0;
}
