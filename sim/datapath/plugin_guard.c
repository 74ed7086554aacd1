/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/plugin_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/must.h"
#include "datapath/plugin_file.h"
#include "datapath/registry.h"
#include "engine/world.h"

struct plugin {
	const char *path;
	const char *base; /* its first address */
	const struct datapath *inner;
	struct datapath outer;
	struct dp_driver_ops driver;
	struct dp_device_ops device;
};

/* The process's: code is not a world's. */
static struct plugin plugins[PLUGINS_MAX];
static unsigned plugin_count;

/* --- who is where --------------------------------------------------------------------------- */

/* A call of an operation, on the stack of who makes it. */
struct call {
	struct call *outer; /* of the world, most recent first */
	const struct plugin *plugin;
	const char *operation; /* "driver's get" */
	const struct actor *actor; /* null: nobody, from outside of a run */
	struct world *w;
};

/* A call from outside of a world, as a judge makes. */
static struct call *outside;

static void
enter(struct call *c, const struct plugin *p, const char *operation)
{
	struct world *w = world_current();
	struct call **first = w ? (struct call **)datapath_calls(w) : &outside;

	*c = (struct call){ *first, p, operation, w ? actor_current(w) : NULL, w };
	*first = c;
}

/* Actors come and go: the call to be taken out need not be the first. */
static void
leave(struct call *c)
{
	struct call **at = c->w ? (struct call **)datapath_calls(c->w) : &outside;

	while (*at != c)
		at = &(*at)->outer;
	*at = c->outer;
}

#define CALL(p, operation, expression) \
	do { \
		struct call call_; \
		enter(&call_, p, operation); \
		expression; \
		leave(&call_); \
	} while (0)

/* --- when it goes wrong --------------------------------------------------------------------- */

static struct call *
find_call(void)
{
	struct world *w = world_current();
	const struct actor *self = w ? actor_current(w) : NULL;
	struct call *c = w ? *(struct call **)datapath_calls(w) : outside;

	while (c && c->actor != self)
		c = c->outer;
	return c;
}

static _Noreturn void
end_run(struct call *c, const char *what)
{
	struct world *w = c->w;
	char actor[64];

	snprintf(actor, sizeof(actor), "%s", c->actor ? actor_name(c->actor) : "nobody");
	if (w)
		world_fail(w, "datapath %s: %s in the %s(), called by actor %s", c->plugin->path,
			   what, c->operation, actor);
	fprintf(stderr, "ringside: datapath %s: %s in the %s(), called after the run\n",
		c->plugin->path, what, c->operation);
	fflush(NULL);
	_exit(2); /* as for each other input that cannot be used */
}

void
plugin_interrupt(const char *what)
{
	struct call *c = find_call();
	sigset_t all;

	if (!c)
		return;
	/* The handler is left for good: what it holds back must come through again. */
	sigemptyset(&all);
	sigaddset(&all, SIGVTALRM);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	end_run(c, what);
}

/* Of a signal: in words, with the place in the plugin. */
static void
on_crash(int number, const void *pc, const void *address)
{
	struct call *c = find_call();
	char place[200], what[300];

	if (!c)
		return;
	plugin_file_line(c->plugin->path, (uint64_t)((const char *)pc - c->plugin->base), place,
			 sizeof(place));
	if (number == SIGSEGV || number == SIGBUS)
		snprintf(what, sizeof(what), "%s at address 0x%llx%s%s",
			 number == SIGBUS ? "bus error" : "segmentation fault",
			 (unsigned long long)(uintptr_t)address, *place ? ", " : "", place);
	else
		snprintf(what, sizeof(what), "%s%s%s",
			 number == SIGFPE    ? "division by zero"
			 : number == SIGABRT ? "abort()"
					     : "illegal instruction",
			 *place ? ", " : "", place);
	end_run(c, what);
}

/* --- driver side ---------------------------------------------------------------------------- */

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

static void
check_init(const struct plugin *p, const char *side, int ret, const void *ring)
{
	struct world *w = world_current();

	if (ret > 0 || (!ret && !ring)) {
		if (!w)
			must(!"a plugin outside of a world");
		world_fail(w,
			   "datapath %s: the %s's init() returned %d%s; it must be 0 with an "
			   "object, or a negative errno",
			   p->path, side, ret, ret ? "" : " and no object");
	}
}

static int
driver_init(const struct plugin *p, struct dp_driver **driver, const struct dp_vring *vring,
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
	check_init(p, "driver", ret, d->ring);
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

/* --- device side ---------------------------------------------------------------------------- */

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

static int
device_init(const struct plugin *p, struct dp_device **device, const struct dp_vring *vring,
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
	check_init(p, "device", ret, d->ring);
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

/* --- one plugin's tables -------------------------------------------------------------------- */

/* init() gets no object that says whose it is: each plugin has functions of its own. */
#define INIT(n) \
	static int driver_init_##n(struct dp_driver **driver, const struct dp_vring *vring, \
				   const struct dp_host *host) \
	{ \
		return driver_init(&plugins[n], driver, vring, host); \
	} \
	static int device_init_##n(struct dp_device **device, const struct dp_vring *vring, \
				   const struct dp_host *host) \
	{ \
		return device_init(&plugins[n], device, vring, host); \
	}
INIT(0)
INIT(1)
INIT(2)
INIT(3)

static const struct {
	int (*driver)(struct dp_driver **driver, const struct dp_vring *vring,
		      const struct dp_host *host);
	int (*device)(struct dp_device **device, const struct dp_vring *vring,
		      const struct dp_host *host);
} init_of[PLUGINS_MAX] = {
	{ driver_init_0, device_init_0 },
	{ driver_init_1, device_init_1 },
	{ driver_init_2, device_init_2 },
	{ driver_init_3, device_init_3 },
};

static void
make_driver(struct dp_driver_ops *ops, const struct dp_driver_ops *inner, unsigned n)
{
	*ops = (struct dp_driver_ops){
		.abi_version = DATAPATH_ABI_VERSION,
		.name = inner->name,
		.features = inner->features,
		.quirks = inner->quirks,
		.init = init_of[n].driver,
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

static void
make_device(struct dp_device_ops *ops, const struct dp_device_ops *inner, unsigned n)
{
	*ops = (struct dp_device_ops){
		.abi_version = DATAPATH_ABI_VERSION,
		.name = inner->name,
		.features = inner->features,
		.quirks = inner->quirks,
		.init = init_of[n].device,
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

const struct datapath *
plugin_guard(const char *path, const void *base, const struct datapath *dp)
{
	struct plugin *p = &plugins[plugin_count];

	if (plugin_count == PLUGINS_MAX)
		return NULL;
	*p = (struct plugin){ .path = path, .base = base, .inner = dp };
	p->outer.name = dp->name;
	if (dp->driver) {
		make_driver(&p->driver, dp->driver, plugin_count);
		p->outer.driver = &p->driver;
	}
	if (dp->device) {
		make_device(&p->device, dp->device, plugin_count);
		p->outer.device = &p->device;
	}
	plugin_count++;
	arena_catch_faults(on_crash);
	return &p->outer;
}
