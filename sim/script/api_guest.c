/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: the guest's drivers.  A driver is made at set-up (dev:driver{}) and does everything else by
 * an actor that is a task of one of the guest's CPUs, as kernel code runs on one.
 */
#include <stdio.h>
#include <string.h>

#include "guest/blk_driver.h"
#include "guest/net_driver.h"
#include "memory/guest_memory.h"
#include "oracle/oracle.h"
#include "script/features.h"
#include "script/guest_api.h"

#define TRANSFER_SECTORS_MAX 256

static const char *const vectors_word[] = { "each", "shared", "intx" };

/* --- making them ---------------------------------------------------------------------------- */

struct guest_virtio_config
api_virtio_config(lua_State *L, int index, struct machine_device *d, const char *function)
{
	struct world *w = script_world(L);
	const char *name = api_string(L, index, "name", d->config.name);

	return (struct guest_virtio_config){
		.name = world_strdup(w, name),
		.function = d->pci->function,
		.features = features_option(L, index, "features", 0),
		.vectors = (enum guest_vectors)api_word(L, index, "vectors", GUEST_VECTORS_EACH,
							vectors_word, 3),
		.notify_locked = api_boolean(L, index, "notify_locked", false),
		.irq_count_max = (uint32_t)api_integer(L, index, "irq_count_max", 0, 0, INT32_MAX),
	};
}

static int
make_blk(lua_State *L, struct machine_device *d)
{
	static const char *const allowed[] = {
		"name", "features", "vectors",	  "notify_locked", "irq_count_max",
		"cpus", "queues",   "queue_size", "scan",	   NULL
	};
	struct script_machine *sm = script_of(L)->machine;
	struct guest_blk_config config = { 0 };
	struct guest_blk *blk;

	api_options(L, 2, "driver", allowed);
	config.virtio = api_virtio_config(L, 2, d, "driver");
	config.cpus = sm->cpu;
	config.cpu_count =
		(unsigned)api_integer(L, 2, "cpus", sm->m->vcpu_count, 1, sm->m->vcpu_count);
	config.queues = (unsigned)api_integer(L, 2, "queues", 0, 0, 256);
	config.queue_size = (uint16_t)api_integer(L, 2, "queue_size", 0, 0, DP_SG_MAX);
	config.scan = api_boolean(L, 2, "scan", false);
	blk = guest_blk_create(script_world(L), &config);
	oracle_watch_driver(script_world(L), &blk->dev);
	api_push(L, "blk", blk);
	return 1;
}

static int
make_net(lua_State *L, struct machine_device *d)
{
	static const char *const allowed[] = {
		"name",	   "features", "vectors",    "notify_locked",	 "irq_count_max",
		"cpus",	   "pairs",    "queue_size", "rx_buffer_bytes",	 "rx_fill",
		"tx_room", "budget",   "napi_tx",    "alloc_fail_every", NULL
	};
	struct script_machine *sm = script_of(L)->machine;
	struct guest_net_config config = { 0 };
	struct guest_net *net;

	api_options(L, 2, "driver", allowed);
	config.virtio = api_virtio_config(L, 2, d, "driver");
	config.cpus = sm->cpu;
	config.cpu_count =
		(unsigned)api_integer(L, 2, "cpus", sm->m->vcpu_count, 1, sm->m->vcpu_count);
	config.pairs = (unsigned)api_integer(L, 2, "pairs", 0, 0, 256);
	config.queue_size = (uint16_t)api_integer(L, 2, "queue_size", 0, 0, DP_SG_MAX);
	config.rx_buffer_bytes = (uint32_t)api_integer(L, 2, "rx_buffer_bytes", 0, 0, 65536);
	config.rx_fill = (unsigned)api_integer(L, 2, "rx_fill", 0, 0, DP_SG_MAX);
	config.tx_room = (unsigned)api_integer(L, 2, "tx_room", 0, 0, DP_SG_MAX);
	config.budget = (unsigned)api_integer(L, 2, "budget", 0, 0, 65536);
	config.napi_tx = api_boolean(L, 2, "napi_tx", true);
	config.alloc_fail_every = (unsigned)api_integer(L, 2, "alloc_fail_every", 0, 0, 1000000);
	net = guest_net_create(script_world(L), &config);
	oracle_watch_driver(script_world(L), &net->dev);
	api_push(L, "net", net);
	return 1;
}

static int
device_driver(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");

	if (!script_of(L)->setting_up)
		return luaL_error(L, "driver: only in setup()");
	if (d->config.type == MACHINE_BALLOON)
		return api_make_balloon(L, d);
	return d->config.type == MACHINE_NET ? make_net(L, d) : make_blk(L, d);
}

/* --- virtio-blk ----------------------------------------------------------------------------- */

static struct guest_blk *
check_blk(lua_State *L)
{
	return api_check(L, 1, "blk");
}

static int
blk_probe(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	return api_result(L, guest_blk_probe(blk, api_cpu(L, "probe")));
}

/* A request with a data buffer of its own, from { type=, sector=, sectors=, more= }. */
static struct guest_blk_req *
make_request(lua_State *L, int index, const char *function)
{
	static const char *const allowed[] = { "type", "sector", "sectors", "more", "data", NULL };
	static const char *const types[] = { "read", "write", [VIRTIO_BLK_T_FLUSH] = "flush" };
	struct world *w = script_world(L);
	struct guest_blk_req *r = world_alloc(w, sizeof(*r));
	const char *data;
	size_t size;

	api_options(L, index, function, allowed);
	r->type = api_word(L, index, "type", VIRTIO_BLK_T_IN, types, VIRTIO_BLK_T_FLUSH + 1);
	r->sector = (uint64_t)api_integer(L, index, "sector", 0, 0, INT64_C(1) << 40);
	r->data_bytes = (uint32_t)api_integer(L, index, "sectors", 1, 1, TRANSFER_SECTORS_MAX) *
			BLK_SECTOR_BYTES;
	r->more = api_boolean(L, index, "more", false);
	if (r->type == VIRTIO_BLK_T_FLUSH) {
		r->data_bytes = 0;
		return r;
	}
	r->data_gpa = gm_alloc(w, r->data_bytes, BLK_SECTOR_BYTES);
	if (lua_getfield(L, index, "data") != LUA_TNIL) {
		data = luaL_checklstring(L, -1, &size);
		if (r->type != VIRTIO_BLK_T_OUT || size > r->data_bytes)
			luaL_error(L, "%s: data is for a write, at most its size", function);
		gm_write(w, r->data_gpa, data, size);
	}
	lua_pop(L, 1);
	return r;
}

static int
blk_submit(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);
	struct guest_cpu *cpu = api_cpu(L, "submit");
	struct script_request *r = world_alloc(script_world(L), sizeof(*r));

	r->blk = blk;
	r->req = make_request(L, 2, "submit");
	guest_blk_submit(blk, cpu, r->req);
	api_push(L, "request", r);
	return 1;
}

static int
rw(lua_State *L, uint32_t type)
{
	struct guest_blk *blk = check_blk(L);
	struct guest_cpu *cpu = api_cpu(L, type == VIRTIO_BLK_T_IN ? "read" : "write");
	uint64_t sector = (uint64_t)luaL_optinteger(L, 2, 0);
	lua_Integer sectors = luaL_optinteger(L, 3, 1);
	uint32_t bytes = (uint32_t)sectors * BLK_SECTOR_BYTES;
	uint64_t gpa;

	if (sectors < 1 || sectors > TRANSFER_SECTORS_MAX)
		return luaL_error(L, "1 to %d sectors", TRANSFER_SECTORS_MAX);
	gpa = gm_alloc(script_world(L), bytes, BLK_SECTOR_BYTES);
	lua_pushinteger(L, guest_blk_rw(blk, cpu, type, sector, gpa, bytes));
	return 1;
}

static int
blk_read(lua_State *L)
{
	return rw(L, VIRTIO_BLK_T_IN);
}

static int
blk_write(lua_State *L)
{
	return rw(L, VIRTIO_BLK_T_OUT);
}

static int
blk_flush(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	lua_pushinteger(L, guest_blk_flush(blk, api_cpu(L, "flush")));
	return 1;
}

static int
blk_commit(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	guest_blk_commit(blk, api_cpu(L, "commit"));
	return 0;
}

static int
blk_poll(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);
	lua_Integer queue = luaL_optinteger(L, 2, 0);

	if (queue < 0 || queue >= blk->queue_count)
		return luaL_error(L, "poll: there is no queue %I", queue);
	lua_pushinteger(L, guest_blk_done(blk, api_cpu(L, "poll"), (unsigned)queue));
	return 1;
}

static int
blk_remove(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	guest_blk_remove(blk, api_cpu(L, "remove"));
	return 0;
}

static int
blk_freeze(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	guest_blk_freeze(blk, api_cpu(L, "freeze"));
	return 0;
}

static int
blk_restore(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	return api_result(L, guest_blk_restore(blk, api_cpu(L, "restore")));
}

static int
blk_info(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);

	lua_newtable(L);
	features_push(L, blk->dev.features);
	lua_setfield(L, -2, "features");
	api_set_integer(L, "queues", blk->queue_count);
	api_set_integer(L, "capacity_sectors", (int64_t)blk->capacity_sectors);
	api_set_integer(L, "submitted", (int64_t)blk->submitted);
	api_set_integer(L, "completed", (int64_t)blk->completed);
	api_set_integer(L, "errors", (int64_t)blk->errors);
	return 1;
}

static int
blk_queue(lua_State *L)
{
	struct guest_blk *blk = check_blk(L);
	lua_Integer i = api_range(L, 2, 0, 255);

	if (i >= blk->queue_count || !blk->queues[i].vq)
		return luaL_error(L, "queue: there is no queue %I", i);
	api_push_vq(L, blk->queues[i].vq);
	return 1;
}

static int
request_wait(lua_State *L)
{
	struct script_request *r = api_check(L, 1, "request");
	struct guest_cpu *cpu = api_cpu(L, "wait");

	if (lua_isnoneornil(L, 2))
		lua_pushinteger(L, guest_blk_wait(r->blk, cpu, r->req));
	else
		lua_pushinteger(L, guest_blk_wait_for(r->blk, r->req, luaL_checkinteger(L, 2)));
	return 1;
}

static int
request_status(lua_State *L)
{
	struct script_request *r = api_check(L, 1, "request");

	lua_pushinteger(L, r->req->status);
	return 1;
}

static int
request_data(lua_State *L)
{
	struct script_request *r = api_check(L, 1, "request");
	luaL_Buffer b;
	char *to = luaL_buffinitsize(L, &b, r->req->data_bytes);

	gm_read(script_world(L), r->req->data_gpa, to, r->req->data_bytes);
	luaL_pushresultsize(&b, r->req->data_bytes);
	return 1;
}

/* --- virtio-net ----------------------------------------------------------------------------- */

static struct guest_net *
check_net(lua_State *L)
{
	return api_check(L, 1, "net");
}

static int
net_probe(lua_State *L)
{
	struct guest_net *net = check_net(L);

	return api_result(L, guest_net_probe(net, api_cpu(L, "probe")));
}

static int
net_open(lua_State *L)
{
	struct guest_net *net = check_net(L);

	return api_result(L, guest_net_open(net, api_cpu(L, "open")));
}

static int
net_close(lua_State *L)
{
	struct guest_net *net = check_net(L);

	guest_net_close(net, api_cpu(L, "close"));
	return 0;
}

static int
net_xmit(lua_State *L)
{
	struct guest_net *net = check_net(L);
	size_t size;
	const char *bytes = luaL_checklstring(L, 2, &size);

	if (!size || size > 65535)
		return luaL_error(L, "xmit: a packet has 1 to 65535 bytes");
	return api_result(L, guest_net_xmit(net, api_cpu(L, "xmit"), bytes, (uint32_t)size));
}

static int
net_recv(lua_State *L)
{
	struct guest_net *net = check_net(L);
	lua_Integer pair = luaL_optinteger(L, 2, 0);
	bool wait = lua_isnoneornil(L, 3) || lua_toboolean(L, 3);
	struct guest_cpu *cpu = api_cpu(L, "recv");
	struct guest_packet *p;

	if (pair < 0 || pair >= net->pairs)
		return luaL_error(L, "recv: there is no pair %I", pair);
	p = wait ? guest_net_recv_wait(net, cpu, (unsigned)pair)
		 : guest_net_recv(net, (unsigned)pair);
	if (!p)
		return 0;
	lua_pushlstring(L, (const char *)p->data, p->bytes);
	guest_packet_free(script_world(L), p);
	return 1;
}

static int
net_break_device(lua_State *L)
{
	struct guest_net *net = check_net(L);

	script_must_be_actor(L, "break_device");
	guest_virtio_break(&net->dev);
	return 0;
}

static int
net_remove(lua_State *L)
{
	struct guest_net *net = check_net(L);

	guest_net_remove(net, api_cpu(L, "remove"));
	return 0;
}

static int
net_freeze(lua_State *L)
{
	struct guest_net *net = check_net(L);

	guest_net_freeze(net, api_cpu(L, "freeze"));
	return 0;
}

static int
net_restore(lua_State *L)
{
	struct guest_net *net = check_net(L);

	return api_result(L, guest_net_restore(net, api_cpu(L, "restore")));
}

static int
net_resize(lua_State *L)
{
	struct guest_net *net = check_net(L);
	unsigned vq = (unsigned)api_range(L, 2, 0, 511);
	uint16_t size = (uint16_t)api_range(L, 3, 0, DP_SG_MAX);

	if (vq >= net->dev.vq_count)
		return luaL_error(L, "resize: there is no queue %d", (int)vq);
	return api_result(L, guest_net_resize(net, api_cpu(L, "resize"), vq, size));
}

static int
net_info(lua_State *L)
{
	struct guest_net *net = check_net(L);

	lua_newtable(L);
	features_push(L, net->dev.features);
	lua_setfield(L, -2, "features");
	api_set_integer(L, "pairs", net->pairs);
	api_set_boolean(L, "registered", net->registered);
	api_set_boolean(L, "up", net->up);
	api_set_boolean(L, "mergeable", net->mergeable);
	api_set_integer(L, "stray_refills", (int64_t)net->refill.strays);
	for (unsigned i = 0; i < net->pairs && i < 1; i++) {
		api_set_integer(L, "rx_packets", (int64_t)net->rx[i].packets);
		api_set_integer(L, "rx_dropped", (int64_t)net->rx[i].dropped);
		api_set_integer(L, "tx_packets", (int64_t)net->tx[i].packets);
		api_set_integer(L, "tx_stops", (int64_t)net->tx[i].stops);
	}
	return 1;
}

static int
net_queue(lua_State *L)
{
	struct guest_net *net = check_net(L);
	lua_Integer i = api_range(L, 2, 0, 511);

	if (i >= net->dev.vq_count)
		return luaL_error(L, "queue: there is no queue %I", i);
	api_push_vq(L, &net->dev.vqs[i]);
	return 1;
}

const struct api_entry api_guest[] = {
	{ "device", "driver", "{options} -> blk, net or balloon",
	  "a guest driver with the structure of Linux's; not probed yet", device_driver },
	{ "blk", "probe", "() -> true or nil, errno", "virtblk_probe()", blk_probe },
	{ "blk", "submit", "{type=, sector=, sectors=, data=, more=} -> request",
	  "virtio_queue_rq(); type read, write or flush; more: leave the kick to the next one",
	  blk_submit },
	{ "blk", "commit", "()", "post what submissions with more left behind", blk_commit },
	{ "blk", "read", "([sector [, sectors]]) -> status", "submit and wait; 0 is good",
	  blk_read },
	{ "blk", "write", "([sector [, sectors]]) -> status", "submit and wait", blk_write },
	{ "blk", "flush", "() -> status", "submit and wait", blk_flush },
	{ "blk", "poll", "([queue]) -> completed", "reap without an interrupt (virtblk_poll())",
	  blk_poll },
	{ "blk", "remove", "()", "virtblk_remove()", blk_remove },
	{ "blk", "freeze", "()", "virtblk_freeze()", blk_freeze },
	{ "blk", "restore", "() -> true or nil, errno", "virtblk_restore()", blk_restore },
	{ "blk", "info", "() -> table", "features, queues, counts", blk_info },
	{ "blk", "queue", "(i) -> vq", "the driver's queue", blk_queue },
	{ "request", "wait", "([ns]) -> status",
	  "until it is done, or for ns; 256 is pending, 257 lost", request_wait },
	{ "request", "status", "() -> status", "as it stands", request_status },
	{ "request", "data", "() -> string", "its buffer", request_data },
	{ "net", "probe", "() -> true or nil, errno", "virtnet_probe()", net_probe },
	{ "net", "open", "() -> true or nil, errno", "ndo_open()", net_open },
	{ "net", "close", "()", "ndo_stop()", net_close },
	{ "net", "xmit", "(string) -> true or nil, errno",
	  "ndo_start_xmit(); waits while the queue is stopped", net_xmit },
	{ "net", "recv", "([pair [, wait]]) -> string or nil",
	  "the next packet; waits unless wait is false", net_recv },
	{ "net", "break_device", "()", "virtio_break_device(): it was pulled out",
	  net_break_device },
	{ "net", "remove", "()", "virtnet_remove()", net_remove },
	{ "net", "freeze", "()", "virtnet_freeze()", net_freeze },
	{ "net", "restore", "() -> true or nil, errno", "virtnet_restore()", net_restore },
	{ "net", "resize", "(vq, size) -> true or nil, errno",
	  "reset one queue and enable it with this size", net_resize },
	{ "net", "info", "() -> table", "features, state, counts of pair 0", net_info },
	{ "net", "queue", "(i) -> vq", "the driver's queue: receive 2n, transmit 2n + 1",
	  net_queue },
	{ NULL, NULL, NULL, NULL, NULL }
};
