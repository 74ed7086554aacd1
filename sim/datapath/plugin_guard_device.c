/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plugin's device side under guard. */
#include <errno.h>

#include "datapath/plugin_guard_impl.h"

struct guarded_device {
	const struct plugin *p;
	const struct dp_device_ops *ops;
	struct dp_device *ring;
	struct dp_host host;
	uint16_t size;
};

static struct guarded_device *
device_of(struct dp_device *device)
{
	return (struct guarded_device *)device;
}

int
plugin_device_init(const struct plugin *p, struct dp_device **device, const struct dp_vring *vring,
		   const struct dp_host *host)
{
	struct guarded_device *d = host->alloc(host->ctx, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->p = p;
	d->ops = p->inner->device;
	d->host = *host;
	d->size = vring->size;
	CALL(p, "device's init", ret = d->ops->init(&d->ring, vring, &d->host));
	plugin_check_init(p, "device", ret, d->ring);
	if (ret)
		host->free(host->ctx, d, sizeof(*d));
	else
		*device = (struct dp_device *)d;
	return ret;
}

static void
device_destroy(struct dp_device *device)
{
	struct guarded_device *d = device_of(device);
	struct dp_host host = d->host;

	CALL(d->p, "device's destroy", d->ops->destroy(d->ring));
	host.free(host.ctx, d, sizeof(*d));
}

static int
device_pop(struct dp_device *device, struct dp_elem *elem)
{
	struct guarded_device *d = device_of(device);
	int ret;

	CALL(d->p, "device's pop", ret = d->ops->pop(d->ring, elem));
	if (ret <= 0)
		return ret;
	if ((unsigned)elem->out + elem->in > DP_SG_MAX || elem->head >= d->size) {
		d->host.guest_error(d->host.ctx, "a chain longer than any, or of no queue's head",
				    elem->head);
		return -EINVAL;
	}
	return 1;
}

static void
device_unpop(struct dp_device *device, const struct dp_elem *elem)
{
	struct guarded_device *d = device_of(device);

	CALL(d->p, "device's unpop", d->ops->unpop(d->ring, elem));
}

static void
device_fill(struct dp_device *device, const struct dp_elem *elem, uint32_t len, unsigned offset)
{
	struct guarded_device *d = device_of(device);

	CALL(d->p, "device's fill", d->ops->fill(d->ring, elem, len, offset));
}

static void
device_flush(struct dp_device *device, unsigned count)
{
	struct guarded_device *d = device_of(device);

	CALL(d->p, "device's flush", d->ops->flush(d->ring, count));
}

static void
device_disable_notify(struct dp_device *device)
{
	struct guarded_device *d = device_of(device);

	CALL(d->p, "device's disable_notify", d->ops->disable_notify(d->ring));
}

static bool
device_enable_notify(struct dp_device *device)
{
	struct guarded_device *d = device_of(device);
	bool ret;

	CALL(d->p, "device's enable_notify", ret = d->ops->enable_notify(d->ring));
	return ret;
}

static bool
device_should_notify(struct dp_device *device)
{
	struct guarded_device *d = device_of(device);
	bool ret;

	CALL(d->p, "device's should_notify", ret = d->ops->should_notify(d->ring));
	return ret;
}

static bool
device_empty(struct dp_device *device)
{
	struct guarded_device *d = device_of(device);
	bool ret;

	CALL(d->p, "device's empty", ret = d->ops->empty(d->ring));
	return ret;
}

static uint32_t
device_get_position(struct dp_device *device)
{
	struct guarded_device *d = device_of(device);
	uint32_t ret;

	CALL(d->p, "device's get_position", ret = d->ops->get_position(d->ring));
	return ret;
}

static void
device_set_position(struct dp_device *device, uint32_t position)
{
	struct guarded_device *d = device_of(device);

	CALL(d->p, "device's set_position", d->ops->set_position(d->ring, position));
}

static void
device_state(struct dp_device *device, struct dp_state *state)
{
	struct guarded_device *d = device_of(device);

	CALL(d->p, "device's state", d->ops->state(d->ring, state));
}

void
plugin_guard_device(struct dp_device_ops *ops, const struct dp_device_ops *inner)
{
	*ops = (struct dp_device_ops){
		.abi_version = DATAPATH_ABI_VERSION,
		.name = inner->name,
		.features = inner->features,
		.quirks = inner->quirks,
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
}
