/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: virtqueues in the driver's hands, the bare driver core (dev:core{}), and the smallest pair
 * (raw{}).  Interrupts of a bare core's queues are counted and wake vq:wait(): Lua code does not
 * run in interrupt context.
 */
#include <stdio.h>
#include <string.h>

#include "datapath/registry.h"
#include "engine/image.h"
#include "guest/raw_driver.h"
#include "memory/guest_memory.h"
#include "notify/eventfd.h"
#include "oracle/oracle.h"
#include "script/features.h"
#include "script/guest_api.h"

#define CORE_QUEUES_MAX 1024
#define BUFFER_BYTES_MAX 65536

/* --- queues --------------------------------------------------------------------------------- */

static struct script_vq *
make_vq(struct world *w)
{
	struct script_vq *q = world_alloc(w, sizeof(*q));

	waitq_init(&q->wait, w, "an interrupt");
	return q;
}

void
api_push_vq(lua_State *L, struct guest_vq *vq)
{
	struct script_vq *q = make_vq(script_world(L));

	q->vq = vq;
	api_push(L, "vq", q);
}

static void
on_interrupt(struct guest_cpu *cpu, struct guest_vq *vq)
{
	struct script_vq *q = vq->info.priv;

	q->interrupts++;
	waitq_wake_all(cpu->w, &q->wait);
}

static struct script_vq *
check_vq(lua_State *L, const char *what)
{
	struct script_vq *q = api_check(L, 1, "vq");

	script_world(L);
	if (!q->vq || !q->vq->ring)
		luaL_error(L, "%s: the queue is not set up", what);
	return q;
}

/* Buffers from a list of sizes in bytes, allocated in guest memory. */
/* bytes, of fresh memory, or { gpa, bytes }, on top of the stack. */
static bool
read_buffer(lua_State *L, struct dp_buf *buf)
{
	struct world *w = script_world(L);
	bool placed = lua_type(L, -1) == LUA_TTABLE;
	lua_Integer gpa = 0, bytes;

	if (placed) {
		lua_rawgeti(L, -1, 1);
		gpa = lua_tointeger(L, -1);
		lua_rawgeti(L, -2, 2);
	}
	bytes = lua_tointeger(L, -1);
	lua_pop(L, placed ? 2 : 0);
	if (bytes < 1 || bytes > BUFFER_BYTES_MAX || gpa < 0)
		return false;
	*buf = (struct dp_buf){ placed ? (uint64_t)gpa : gm_alloc(w, (uint64_t)bytes, 16),
				(uint32_t)bytes };
	return true;
}

static unsigned
read_buffers(lua_State *L, const char *key, struct dp_buf *sg, unsigned have)
{
	if (lua_getfield(L, 2, key) != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, have++) {
			if (have == GUEST_SG_MAX || !read_buffer(L, &sg[have]))
				luaL_error(L,
					   "submit: %s lists sizes of 1 to %d bytes, or { gpa, "
					   "size }, at most %d buffers in all",
					   key, BUFFER_BYTES_MAX, (int)GUEST_SG_MAX);
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return have;
}

static int
vq_submit(lua_State *L)
{
	static const char *const allowed[] = { "out", "in", "token", NULL };
	struct script_vq *q = check_vq(L, "submit");
	struct guest_cpu *cpu = api_cpu(L, "submit");
	struct dp_buf sg[GUEST_SG_MAX];
	unsigned out, all;
	uint64_t token;
	int ret;

	api_options(L, 2, "submit", allowed);
	lua_settop(L, 2);
	out = read_buffers(L, "out", sg, 0);
	all = read_buffers(L, "in", sg, out);
	if (!all)
		return luaL_error(L, "submit: give out = {bytes, …}, in = {bytes, …} or both");
	token = (uint64_t)api_integer(L, 2, "token", (lua_Integer)++q->next_token, 0, INT64_MAX);
	guest_spin_lock_irq(cpu, &q->vq->lock);
	ret = guest_vq_add(q->vq, sg, out, all - out, token);
	guest_spin_unlock_irq(cpu, &q->vq->lock);
	if (ret)
		return api_result(L, ret);
	lua_pushinteger(L, (lua_Integer)token);
	return 1;
}

static int
vq_kick(lua_State *L)
{
	struct script_vq *q = check_vq(L, "kick");
	struct guest_cpu *cpu = api_cpu(L, "kick");
	uint32_t data;
	bool wanted;

	guest_spin_lock_irq(cpu, &q->vq->lock);
	wanted = guest_vq_kick_prepare(q->vq, &data);
	guest_spin_unlock_irq(cpu, &q->vq->lock);
	if (wanted)
		guest_vq_notify(q->vq, cpu, data);
	lua_pushboolean(L, wanted);
	return 1;
}

static int
vq_notify(lua_State *L)
{
	struct script_vq *q = check_vq(L, "notify");

	guest_vq_notify(q->vq, api_cpu(L, "notify"), (uint32_t)luaL_optinteger(L, 2, 0));
	return 0;
}

static int
vq_get(lua_State *L)
{
	struct script_vq *q = check_vq(L, "get");
	struct guest_cpu *cpu = api_cpu(L, "get");
	uint64_t token = 0;
	uint32_t len = 0;
	bool got;

	guest_spin_lock_irq(cpu, &q->vq->lock);
	got = guest_vq_get(q->vq, &token, &len);
	guest_spin_unlock_irq(cpu, &q->vq->lock);
	if (!got)
		return 0;
	lua_pushinteger(L, (lua_Integer)token);
	lua_pushinteger(L, len);
	return 2;
}

static int
vq_disable_cb(lua_State *L)
{
	struct script_vq *q = check_vq(L, "disable_cb");

	api_cpu(L, "disable_cb");
	guest_vq_disable_cb(q->vq);
	return 0;
}

static int
vq_enable_cb(lua_State *L)
{
	struct script_vq *q = check_vq(L, "enable_cb");

	api_cpu(L, "enable_cb");
	lua_pushboolean(L, lua_toboolean(L, 2) ? guest_vq_enable_cb_delayed(q->vq)
					       : guest_vq_enable_cb(q->vq));
	return 1;
}

static int
vq_wait(lua_State *L)
{
	struct script_vq *q = check_vq(L, "wait");
	struct guest_cpu *cpu = api_cpu(L, "wait");

	if (q->vq->info.priv != q)
		return luaL_error(L, "wait: the queue belongs to a driver; wait for its requests");
	/* Between the look and the sleep no interrupt of this CPU may come. */
	guest_irq_disable(cpu);
	while (q->seen == q->interrupts) {
		guest_irq_enable(cpu);
		if (q->seen == q->interrupts)
			guest_wait(cpu, &q->wait);
		guest_irq_disable(cpu);
	}
	q->seen = q->interrupts;
	guest_irq_enable(cpu);
	return 0;
}

static int
vq_reset(lua_State *L)
{
	struct script_vq *q = check_vq(L, "reset");

	return api_result(L, guest_vq_reset(q->vq, api_cpu(L, "reset"), NULL));
}

static int
vq_enable(lua_State *L)
{
	struct script_vq *q = api_check(L, 1, "vq");

	if (!q->vq)
		return luaL_error(L, "enable: the queue is not set up");
	return api_result(L, guest_vq_enable(q->vq, api_cpu(L, "enable"),
					     (uint16_t)luaL_optinteger(L, 2, 0)));
}

static int
vq_info(lua_State *L)
{
	struct script_vq *q = check_vq(L, "info");
	struct guest_vq *vq = q->vq;
	struct dp_state s;

	memset(&s, 0, sizeof(s));
	vq->ops->state(vq->ring, &s);
	lua_newtable(L);
	api_set_string(L, "name", world_name_text(vq->w, vq->name));
	api_set_integer(L, "index", vq->index);
	api_set_integer(L, "size", vq->vring.size);
	api_set_integer(L, "vector", vq->vector);
	api_set_integer(L, "doorbell", (int64_t)vq->doorbell_gpa);
	api_set_boolean(L, "broken", vq->broken);
	api_set_integer(L, "num_free", s.num_free);
	api_set_integer(L, "avail_idx", s.avail_idx);
	api_set_integer(L, "last_used_idx", s.last_used_idx);
	api_set_integer(L, "used_idx", s.used_idx);
	api_set_integer(L, "used_event", s.used_event);
	api_set_integer(L, "avail_event", s.avail_event);
	api_set_integer(L, "avail_flags", s.avail_flags);
	api_set_integer(L, "used_flags", s.used_flags);
	api_set_boolean(L, "callbacks_enabled", s.callbacks_enabled);
	api_set_integer(L, "added", (int64_t)vq->added);
	api_set_integer(L, "got", (int64_t)vq->got);
	api_set_integer(L, "kicks", (int64_t)vq->kicks);
	api_set_integer(L, "interrupts", (int64_t)vq->interrupts);
	api_set_integer(L, "spurious", (int64_t)vq->spurious);
	return 1;
}

/* --- the bare driver core ------------------------------------------------------------------- */

struct script_core {
	struct guest_virtio dev;
	struct script_vq *vq[CORE_QUEUES_MAX];
};

static int
device_core(lua_State *L)
{
	static const char *const allowed[] = { "name",		"features",	 "vectors",
					       "notify_locked", "irq_count_max", NULL };
	struct machine_device *d = api_check(L, 1, "device");
	struct guest_virtio_config config;
	struct script_core *c;

	if (!script_of(L)->setting_up)
		return luaL_error(L, "core: only in setup()");
	api_options(L, 2, "core", allowed);
	config = api_virtio_config(L, 2, d, "core");
	c = world_alloc(script_world(L), sizeof(*c));
	guest_virtio_init(&c->dev, script_world(L), &config, d->vdev.device_features);
	for (unsigned i = 0; i < d->vdev.queue_count && i < CORE_QUEUES_MAX; i++)
		c->vq[i] = make_vq(script_world(L));
	oracle_watch_driver(script_world(L), &c->dev);
	api_push(L, "core", c);
	return 1;
}

static struct script_core *
check_core(lua_State *L)
{
	return api_check(L, 1, "core");
}

struct guest_virtio *
api_core_driver(lua_State *L, int index)
{
	struct script_core *c = api_check(L, index, "core");

	return &c->dev;
}

static int
core_start(lua_State *L)
{
	struct script_core *c = check_core(L);

	return api_result(L, guest_virtio_start(&c->dev, api_cpu(L, "start")));
}

static int
core_find_queues(lua_State *L)
{
	struct script_core *c = check_core(L);
	struct guest_cpu *cpu = api_cpu(L, "find_queues");
	unsigned n = (unsigned)api_range(L, 2, 1, CORE_QUEUES_MAX);
	uint16_t size = (uint16_t)luaL_optinteger(L, 3, 0);
	struct guest_vq_info *info = world_alloc(script_world(L), n * sizeof(*info));
	int ret;

	for (unsigned i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vq%u", i);
		info[i] = (struct guest_vq_info){ .name = world_strdup(script_world(L), name),
						  .callback = on_interrupt,
						  .priv = c->vq[i],
						  .size = size };
	}
	ret = guest_virtio_find_vqs(&c->dev, cpu, info, n);
	for (unsigned i = 0; !ret && i < n; i++)
		c->vq[i]->vq = &c->dev.vqs[i];
	return api_result(L, ret);
}

static int
core_ready(lua_State *L)
{
	struct script_core *c = check_core(L);

	guest_virtio_ready(&c->dev, api_cpu(L, "ready"));
	return 0;
}

static int
core_reset(lua_State *L)
{
	struct script_core *c = check_core(L);

	guest_virtio_reset(&c->dev, api_cpu(L, "reset"));
	return 0;
}

static int
core_remove(lua_State *L)
{
	struct script_core *c = check_core(L);

	guest_virtio_remove(&c->dev, api_cpu(L, "remove"));
	return 0;
}

static int
core_queue(lua_State *L)
{
	struct script_core *c = check_core(L);

	lua_Integer i = api_range(L, 2, 0, CORE_QUEUES_MAX - 1);

	if (!c->vq[i])
		return luaL_error(L, "queue: the device has no queue %I", i);
	api_push(L, "vq", c->vq[i]);
	return 1;
}

static int
core_config_read(lua_State *L)
{
	struct script_core *c = check_core(L);
	struct guest_cpu *cpu = api_cpu(L, "config_read");
	unsigned offset = (unsigned)api_range(L, 2, 0, VIRTIO_CONFIG_MAX);
	size_t size = (size_t)api_range(L, 3, 1, VIRTIO_CONFIG_MAX);
	char bytes[VIRTIO_CONFIG_MAX];

	guest_virtio_config_read(&c->dev, cpu, offset, bytes, size);
	lua_pushlstring(L, bytes, size);
	return 1;
}

static int
core_read_isr(lua_State *L)
{
	struct script_core *c = check_core(L);

	lua_pushinteger(L, guest_pci_read_isr(&c->dev.pci, api_cpu(L, "read_isr")));
	return 1;
}

static int
core_info(lua_State *L)
{
	struct script_core *c = check_core(L);

	lua_newtable(L);
	features_push(L, c->dev.features);
	lua_setfield(L, -2, "features");
	api_set_integer(L, "state", c->dev.state);
	api_set_integer(L, "queues", c->dev.vq_count);
	api_set_integer(L, "config_changes", (int64_t)c->dev.config_changes);
	return 1;
}

/* --- the smallest pair ---------------------------------------------------------------------- */

static int
l_raw(lua_State *L)
{
	static const char *const allowed[] = { "name",	      "size",	    "features",
					       "buffers",     "batch",	    "budget",
					       "think_ns",    "wait_each",  "keep_callbacks",
					       "start_idx",   "lend_after", "lend_for",
					       "datapath",    "chain",	    "delayed",
					       "outstanding", "defer",	    "defer_forever",
					       NULL };
	const char *datapath;
	struct world *w = script_world(L);
	struct raw_config config = { 0 };
	struct raw_pair *pair;

	if (!script_of(L)->setting_up)
		return luaL_error(L, "raw: only in setup()");
	api_options(L, 1, "raw", allowed);
	datapath = api_string(L, 1, "datapath", NULL);
	if (datapath)
		datapath_select_default(w, datapath);
	config.name = world_strdup(w, api_string(L, 1, "name", "vq0"));
	config.size = (uint16_t)api_integer(L, 1, "size", 4, 1, 1024);
	config.features = features_option(L, 1, "features", 0);
	config.buffers = (unsigned)api_integer(L, 1, "buffers", 1, 1, 1000000);
	config.batch = (unsigned)api_integer(L, 1, "batch", 1, 1, 1024);
	config.budget = (unsigned)api_integer(L, 1, "budget", 1, 1, 1024);
	config.think_ns = api_integer(L, 1, "think_ns", 0, 0, INT64_C(1) << 40);
	config.wait_each = api_boolean(L, 1, "wait_each", false);
	config.keep_callbacks = api_boolean(L, 1, "keep_callbacks", false);
	config.start_idx = (uint16_t)api_integer(L, 1, "start_idx", 0, 0, UINT16_MAX);
	config.lend_after = (unsigned)api_integer(L, 1, "lend_after", 0, 0, 1000000);
	config.lend_for = (unsigned)api_integer(L, 1, "lend_for", 0, 0, 1000000);
	config.chain = (unsigned)api_integer(L, 1, "chain", 1, 1, RAW_CHAIN_MAX);
	config.delayed = api_boolean(L, 1, "delayed", false);
	config.outstanding = (unsigned)api_integer(L, 1, "outstanding", 0, 0, 1024);
	config.defer = (unsigned)api_integer(L, 1, "defer", 1, 1, config.size);
	config.defer_forever = api_boolean(L, 1, "defer_forever", false);
	if (!gm_size(w))
		gm_create(w, UINT64_C(1) << 20);
	pair = raw_pair_create(w, &config);
	oracle_watch_raw(w, pair);
	api_push(L, "raw", pair);
	return 1;
}

static int
raw_info(lua_State *L)
{
	struct raw_pair *p = api_check(L, 1, "raw");

	world_counters_shown(script_world(L));
	lua_newtable(L);
	api_set_integer(L, "added", p->driver.added);
	api_set_integer(L, "reaped", p->driver.reaped);
	api_set_integer(L, "kicks", (lua_Integer)p->driver.kicks);
	api_set_integer(L, "driver_waits", (lua_Integer)p->driver.waits);
	api_set_integer(L, "popped", p->device.popped);
	api_set_integer(L, "calls", (lua_Integer)p->device.calls);
	api_set_integer(L, "device_waits", (lua_Integer)p->device.waits);
	api_set_boolean(L, "done", raw_driver_done(&p->driver));
	return 1;
}

static int
raw_kick_fd(lua_State *L)
{
	struct raw_pair *p = api_check(L, 1, "raw");

	api_push(L, "eventfd", p->kick);
	return 1;
}

static int
raw_call_fd(lua_State *L)
{
	struct raw_pair *p = api_check(L, 1, "raw");

	api_push(L, "eventfd", p->call);
	return 1;
}

const struct api_entry api_queue[] = {
	{ "vq", "submit", "{out={bytes, …}, in={bytes, …}, token=} -> token or nil, errno",
	  "expose a chain of fresh buffers, or of {gpa, bytes}; does not kick", vq_submit },
	{ "vq", "kick", "() -> notified", "kick_prepare under the lock, notify after it", vq_kick },
	{ "vq", "notify", "([data])", "write the doorbell, whether or not the device wants it",
	  vq_notify },
	{ "vq", "get", "() -> token, len or nothing", "the next used chain", vq_get },
	{ "vq", "disable_cb", "()", "ask for no interrupts", vq_disable_cb },
	{ "vq", "enable_cb", "([delayed]) -> idle",
	  "ask for them; false: something was used meanwhile", vq_enable_cb },
	{ "vq", "wait", "()", "until an interrupt came since the last wait (queues of a core)",
	  vq_wait },
	{ "vq", "reset", "() -> true or nil, errno", "queue reset (VIRTIO_F_RING_RESET)",
	  vq_reset },
	{ "vq", "enable", "([size]) -> true or nil, errno", "set it up again after that",
	  vq_enable },
	{ "vq", "info", "() -> table", "indices, events, counts as the driver sees them", vq_info },
	{ "device", "core", "{name=, features=, vectors=, notify_locked=} -> core",
	  "the bare driver core, for sequences that no driver has", device_core },
	{ "core", "start", "() -> true or nil, errno",
	  "reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK", core_start },
	{ "core", "find_queues", "(n [, size]) -> true or nil, errno",
	  "vectors, rings, queue_enable", core_find_queues },
	{ "core", "ready", "()", "DRIVER_OK", core_ready },
	{ "core", "reset", "()", "status 0, wait, synchronise", core_reset },
	{ "core", "remove", "()", "reset and give everything back", core_remove },
	{ "core", "queue", "(i) -> vq", "a queue, from 0", core_queue },
	{ "core", "config_read", "(offset, bytes) -> string", "until the generation stands still",
	  core_config_read },
	{ "core", "read_isr", "() -> bits", "ISR status, which reading clears", core_read_isr },
	{ "core", "info", "() -> table", "features and state", core_info },
	{ NULL, "raw",
	  "{size=, features=, buffers=, batch=, budget=, think_ns=, wait_each=, start_idx=, "
	  "datapath=, …} -> "
	  "raw",
	  "the smallest pair: a driver actor, a device actor, two eventfds", l_raw },
	{ "raw", "info", "() -> table", "counts of both halves", raw_info },
	{ "raw", "kick", "() -> eventfd", "the driver's kick", raw_kick_fd },
	{ "raw", "call", "() -> eventfd", "the device's call", raw_call_fd },
	{ NULL, NULL, NULL, NULL, NULL }
};
