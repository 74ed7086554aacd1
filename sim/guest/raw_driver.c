/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest/raw_driver.h"

#include "base/must.h"
#include "datapath/native.h"
#include "datapath/registry.h"
#include "engine/image.h"
#include "guest/ring_memory.h"
#include "memory/guest_memory.h"
#include "notify/eventfd.h"

#define RING_SIZE 4u
#define BUFFER_BYTES 16u

/* --- what rings get from a half ------------------------------------------------------------- */

static void *
host_map(void *ctx, uint64_t gpa, uint64_t len)
{
	struct raw_host *h = ctx;

	return gm_map(h->w, gpa, len);
}

static void *
host_alloc(void *ctx, size_t size)
{
	struct raw_host *h = ctx;

	return world_alloc(h->w, size);
}

static void
host_free(void *ctx, void *block, size_t size)
{
	struct raw_host *h = ctx;

	world_free(h->w, block, size);
}

static void
host_error(void *ctx, const char *what, uint64_t value)
{
	struct raw_host *h = ctx;

	emit(h->w, EV_VQ_BAD_RING, h->name, world_name(h->w, what), (int64_t)value);
}

static void
host_init(struct raw_host *h, struct world *w, const struct raw_config *config)
{
	h->w = w;
	h->name = world_name(w, config->name ? config->name : "vq0");
	h->host = (struct dp_host){ h, host_map, host_alloc, host_free, host_error };
}

static struct raw_config
defaults(struct world *w, const struct raw_config *config)
{
	struct raw_config c = *config;

	c.size = c.size ? c.size : RING_SIZE;
	c.buffers = c.buffers ? c.buffers : 1;
	c.batch = c.batch ? c.batch : 1;
	c.chain = c.chain ? c.chain : 1;
	c.defer = c.defer ? c.defer : 1;
	c.budget = c.budget ? c.budget : 1;
	c.driver = c.driver ? c.driver : datapath_driver(w);
	c.device = c.device ? c.device : datapath_device(w);
	return c;
}

void
raw_notify_eventfd(struct world *w, void *ctx, uint32_t data)
{
	(void)w;
	(void)data;
	eventfd_signal(ctx);
}

/* --- driver --------------------------------------------------------------------------------- */

void
raw_driver_init(struct raw_driver *d, struct world *w, const struct raw_config *config,
		const struct dp_vring *vring, raw_notify_fn kick, void *ctx, struct eventfd *call)
{
	int ret;

	*d = (struct raw_driver){
		.w = w, .vring = *vring, .kick = kick, .kick_ctx = ctx, .call = call
	};
	d->config = defaults(w, config);
	d->ops = d->config.driver->driver;
	if (!d->ops || (vring->features & ~d->ops->features))
		world_fail(w, "datapath %s has no driver side with features 0x%llx",
			   d->config.driver->name, (unsigned long long)vring->features);
	world_count(w, &d->kicks, 2);
	host_init(&d->host, w, &d->config);
	d->vring.quirks = d->config.driver_quirks | native_quirks(w);
	d->buffer_gpa = gm_alloc(w, (uint64_t)d->vring.size * BUFFER_BYTES, BUFFER_BYTES);
	ret = d->ops->init(&d->ring, &d->vring, &d->host.host);
	if (ret)
		world_fail(w, "datapath %s refuses the driver's ring (error %d)", d->ops->name,
			   -ret);
}

/* Expose a batch and look once whether to kick. False: the ring had no room for all of it. */
static bool
add_batch(struct raw_driver *d)
{
	bool room = true;
	unsigned n = 0;

	for (; n < d->config.batch && d->added < d->config.buffers; n++) {
		unsigned outstanding = d->added - d->reaped;
		struct dp_buf sg[RAW_CHAIN_MAX];

		for (unsigned i = 0; i < d->config.chain; i++)
			sg[i] = (struct dp_buf){ d->buffer_gpa +
							 d->added % d->vring.size * BUFFER_BYTES,
						 BUFFER_BYTES };
		room = !d->config.outstanding || outstanding < d->config.outstanding;
		room = room &&
		       d->ops->add(d->ring, sg, d->config.chain, 0, d->added, false, 0) == 0;
		if (!room)
			break;
		emit(d->w, EV_RAW_ADD, d->host.name, d->added);
		d->added++;
	}
	if (n && d->ops->kick_prepare(d->ring)) {
		d->kicks++;
		d->kick(d->w, d->kick_ctx, d->ops->notify_data(d->ring));
	}
	return room;
}

static void
take_used(struct raw_driver *d)
{
	uint64_t token;
	uint32_t len;

	while (d->ops->get(d->ring, &token, &len) == 1) {
		d->reaped++;
		emit(d->w, EV_RAW_GET, d->host.name, (int64_t)token, len);
	}
}

/* The interrupt handler: virtblk_done(), or req_done() of 9p. */
static void
reap(struct raw_driver *d)
{
	bool (*enable)(struct dp_driver * ring) =
		d->config.delayed ? d->ops->enable_cb_delayed : d->ops->enable_cb;

	if (d->config.keep_callbacks) {
		take_used(d);
		return;
	}
	do {
		d->ops->disable_cb(d->ring);
		take_used(d);
	} while (!enable(d->ring));
}

void
raw_driver_run(struct raw_driver *d)
{
	while (!raw_driver_done(d)) {
		unsigned target;

		if (d->config.think_ns)
			actor_work(d->w, d->config.think_ns);
		if (!add_batch(d))
			target = d->reaped + 1; /* wait for room */
		else if (d->config.wait_each || d->added == d->config.buffers)
			target = d->added;
		else
			continue;
		while (d->reaped < target) {
			uint64_t calls;

			d->waits++;
			eventfd_read(d->call, &calls);
			/* vring_interrupt() does not call back for nothing. */
			if (!d->ops->interrupt || d->ops->interrupt(d->ring))
				reap(d);
		}
	}
}

/* --- device --------------------------------------------------------------------------------- */

void
raw_device_init(struct raw_device *d, struct world *w, const struct raw_config *config,
		const struct dp_vring *vring, raw_notify_fn notify, void *ctx, struct eventfd *kick)
{
	int ret;

	*d = (struct raw_device){
		.w = w,
		.vring = *vring,
		.notify = notify,
		.notify_ctx = ctx,
		.kick = kick,
	};
	d->config = defaults(w, config);
	d->ops = d->config.device->device;
	if (!d->ops || (vring->features & ~d->ops->features))
		world_fail(w, "datapath %s has no device side with features 0x%llx",
			   d->config.device->name, (unsigned long long)vring->features);
	host_init(&d->host, w, &d->config);
	d->elem = world_alloc(w, sizeof(*d->elem));
	world_count(w, &d->calls, 2);
	d->vring.quirks = d->config.device_quirks | native_quirks(w);
	ret = d->ops->init(&d->ring, &d->vring, &d->host.host);
	if (ret)
		world_fail(w, "datapath %s refuses the device's ring (error %d)", d->ops->name,
			   -ret);
}

/* Another owner takes the ring over where the first one stands. */
static void
lend(struct raw_device *d)
{
	uint32_t position = d->ops->get_position(d->ring);

	d->lender = d->ring;
	d->ring = NULL;
	if (d->ops->init(&d->ring, &d->vring, &d->host.host))
		world_fail(d->w, "datapath %s refuses the ring to its second owner", d->ops->name);
	d->ops->set_position(d->ring, position);
	emit(d->w, EV_RAW_LEND, d->host.name, 1, position);
}

/* And gives it back. Whether to tell the driver of what was used last is the first one's to say. */
static void
give_back(struct raw_device *d)
{
	uint32_t position = d->ops->get_position(d->ring);

	d->ops->destroy(d->ring);
	d->ring = d->lender;
	d->lender = NULL;
	d->ops->set_position(d->ring, position);
	emit(d->w, EV_RAW_LEND, d->host.name, 0, position);
}

/* Chains to pop at once: no batch goes over a hand-over. */
static unsigned
most_pops(const struct raw_device *d)
{
	const struct raw_config *c = &d->config;
	unsigned end = d->popped < c->lend_after ? c->lend_after : c->lend_after + c->lend_for;

	if (d->popped >= end || end - d->popped > c->budget)
		return c->budget;
	return end - d->popped;
}

/* Publish what is held, call the driver if it wants to know. */
static void
publish(struct raw_device *d)
{
	const struct raw_config *c = &d->config;

	d->ops->flush(d->ring, d->held);
	d->held = 0;
	if (d->lender && d->popped == c->lend_after + c->lend_for)
		give_back(d);
	if (d->ops->should_notify(d->ring)) {
		d->calls++;
		d->notify(d->w, d->notify_ctx, 0);
	}
}

/* Pop up to a budget, and give all of it back at once, or once enough is held. */
static bool
serve(struct raw_device *d)
{
	const struct raw_config *c = &d->config;
	unsigned most = most_pops(d), n = 0;

	if (c->lend_for && d->popped == c->lend_after && !d->lender)
		lend(d);
	while (n < most && d->ops->pop(d->ring, d->elem) == 1) {
		emit(d->w, EV_RAW_POP, d->host.name, d->elem->head);
		if (c->think_ns)
			actor_work(d->w, c->think_ns);
		d->ops->fill(d->ring, d->elem, 0, d->held++);
		n++;
		emit(d->w, EV_RAW_PUSH, d->host.name, d->elem->head);
	}
	if (!n)
		return false;
	d->popped += n;
	if (d->held >= c->defer)
		publish(d);
	return true;
}

_Noreturn void
raw_device_run(struct raw_device *d)
{
	for (;;) {
		uint64_t kicks;

		d->ops->disable_notify(d->ring);
		while (serve(d))
			;
		if (d->held && !d->config.defer_forever)
			publish(d);
		if (d->ops->enable_notify(d->ring))
			continue;
		d->waits++;
		eventfd_read(d->kick, &kicks);
	}
}

/* --- the pair ------------------------------------------------------------------------------- */

static void
driver_main(struct actor *self, void *arg)
{
	(void)self;
	raw_driver_run(arg);
}

static void
device_main(struct actor *self, void *arg)
{
	(void)self;
	raw_device_run(arg);
}

struct raw_pair *
raw_pair_create(struct world *w, const struct raw_config *config)
{
	struct raw_pair *p = world_alloc(w, sizeof(*p));
	struct raw_config c = defaults(w, config);
	struct dp_vring vring;

	if (!c.driver->driver || !c.device->device)
		world_fail(w, "datapath %s lacks the %s side",
			   c.driver->driver ? c.device->name : c.driver->name,
			   c.driver->driver ? "device" : "driver");
	c.features = datapath_features_of_queue(w, c.features);
	c.features &= c.driver->driver->features & c.device->device->features;
	ring_memory_alloc(w, &vring, c.name ? c.name : "vq0", c.size, c.features);
	vring.start_idx = c.start_idx;
	p->kick = eventfd_create(w, "kick", EVENTFD_HOST, 0);
	p->call = eventfd_create(w, "call", EVENTFD_GUEST, 0);
	raw_driver_init(&p->driver, w, &c, &vring, raw_notify_eventfd, p->kick, p->call);
	raw_device_init(&p->device, w, &c, &vring, raw_notify_eventfd, p->call, p->kick);
	p->driver.actor = actor_create(w, "driver", driver_main, &p->driver, 0);
	p->device.actor = actor_create(w, "device", device_main, &p->device, 0);
	actor_set_daemon(p->device.actor, true);
	return p;
}
