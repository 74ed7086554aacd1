/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plugin's driver side under guard. */
#include <errno.h>

#include "datapath/plugin_guard_impl.h"

struct guarded_driver {
	const struct plugin *p;
	const struct dp_driver_ops *ops;
	struct dp_driver *ring;
	struct dp_host host;
	uint16_t size, count;
	uint64_t token[]; /* that were added and did not come back: @count of at most @size */
};

static struct guarded_driver *
driver_of(struct dp_driver *driver)
{
	return (struct guarded_driver *)driver;
}

static size_t
driver_bytes(uint16_t size)
{
	return sizeof(struct guarded_driver) + size * sizeof(uint64_t);
}

int
plugin_driver_init(const struct plugin *p, struct dp_driver **driver, const struct dp_vring *vring,
		   const struct dp_host *host)
{
	struct guarded_driver *d = host->alloc(host->ctx, driver_bytes(vring->size));
	int ret;

	if (!d)
		return -ENOMEM;
	d->p = p;
	d->ops = p->inner->driver;
	d->host = *host;
	d->size = vring->size;
	CALL(p, "driver's init", ret = d->ops->init(&d->ring, vring, &d->host));
	plugin_check_init(p, "driver", ret, d->ring);
	if (ret)
		host->free(host->ctx, d, driver_bytes(vring->size));
	else
		*driver = (struct dp_driver *)d;
	return ret;
}

static void
driver_destroy(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	struct dp_host host = d->host;

	CALL(d->p, "driver's destroy", d->ops->destroy(d->ring));
	host.free(host.ctx, d, driver_bytes(d->size));
}

static int
driver_add(struct dp_driver *driver, const struct dp_buf *sg, unsigned out, unsigned in,
	   uint64_t token, bool indirect, uint64_t table)
{
	struct guarded_driver *d = driver_of(driver);
	int ret;

	CALL(d->p, "driver's add", ret = d->ops->add(d->ring, sg, out, in, token, indirect, table));
	if (ret)
		return ret < 0 ? ret : -EINVAL;
	if (d->count < d->size)
		d->token[d->count++] = token;
	else
		d->host.guest_error(d->host.ctx, "more chains added than the queue is long",
				    d->size);
	return 0;
}

/* A token that nobody gave it would be an index of nowhere for the driver above. */
static int
give_back(struct guarded_driver *d, int ret, uint64_t token)
{
	if (ret <= 0)
		return ret;
	for (uint16_t i = 0; i < d->count; i++) {
		if (d->token[i] != token)
			continue;
		d->token[i] = d->token[--d->count];
		return 1;
	}
	d->host.guest_error(d->host.ctx, "a token that is not outstanding comes back", token);
	return -EINVAL;
}

static int
driver_get(struct dp_driver *driver, uint64_t *token, uint32_t *len)
{
	struct guarded_driver *d = driver_of(driver);
	int ret;

	CALL(d->p, "driver's get", ret = d->ops->get(d->ring, token, len));
	return give_back(d, ret, *token);
}

static int
driver_detach_unused(struct dp_driver *driver, uint64_t *token)
{
	struct guarded_driver *d = driver_of(driver);
	int ret;

	CALL(d->p, "driver's detach_unused", ret = d->ops->detach_unused(d->ring, token));
	return give_back(d, ret, *token);
}

static bool
driver_kick_prepare(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	bool ret;

	CALL(d->p, "driver's kick_prepare", ret = d->ops->kick_prepare(d->ring));
	return ret;
}

static uint32_t
driver_notify_data(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	uint32_t ret;

	CALL(d->p, "driver's notify_data", ret = d->ops->notify_data(d->ring));
	return ret;
}

static void
driver_disable_cb(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);

	CALL(d->p, "driver's disable_cb", d->ops->disable_cb(d->ring));
}

static unsigned
driver_enable_cb_prepare(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	unsigned ret;

	CALL(d->p, "driver's enable_cb_prepare", ret = d->ops->enable_cb_prepare(d->ring));
	return ret;
}

static bool
driver_poll(struct dp_driver *driver, unsigned position)
{
	struct guarded_driver *d = driver_of(driver);
	bool ret;

	CALL(d->p, "driver's poll", ret = d->ops->poll(d->ring, position));
	return ret;
}

static bool
driver_enable_cb(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	bool ret;

	CALL(d->p, "driver's enable_cb", ret = d->ops->enable_cb(d->ring));
	return ret;
}

static bool
driver_enable_cb_delayed(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	bool ret;

	CALL(d->p, "driver's enable_cb_delayed", ret = d->ops->enable_cb_delayed(d->ring));
	return ret;
}

static void
driver_state(struct dp_driver *driver, struct dp_state *state)
{
	struct guarded_driver *d = driver_of(driver);

	CALL(d->p, "driver's state", d->ops->state(d->ring, state));
}

/* Only where the plugin has one. */
static bool
driver_interrupt(struct dp_driver *driver)
{
	struct guarded_driver *d = driver_of(driver);
	bool ret;

	CALL(d->p, "driver's interrupt", ret = d->ops->interrupt(d->ring));
	return ret;
}

void
plugin_guard_driver(struct dp_driver_ops *ops, const struct dp_driver_ops *inner)
{
	*ops = (struct dp_driver_ops){
		.abi_version = DATAPATH_ABI_VERSION,
		.name = inner->name,
		.features = inner->features,
		.quirks = inner->quirks,
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
		.interrupt = inner->interrupt ? driver_interrupt : NULL,
		.table_entry_bytes = inner->table_entry_bytes,
	};
}
