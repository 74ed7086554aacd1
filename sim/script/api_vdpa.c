/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: vDPA devices, their maps, and shadow virtqueues. */
#include <stdio.h>

#include "memory/guest_memory.h"
#include "migration/vm.h"
#include "script/actor.h"
#include "script/machine_api.h"

static struct vdpa *
check(lua_State *L, const char *what)
{
	struct machine_device *d = api_check(L, 1, "device");
	struct vdpa *v = machine_vdpa(d);

	script_world(L);
	if (!v)
		luaL_error(L, "%s: only of a device with backend = 'vdpa'", what);
	return v;
}

/* An actor, that has the big lock until it returns. */
static struct vdpa *
enter(lua_State *L, const char *what)
{
	struct vdpa *v = check(L, what);

	script_must_not_check(L, what);
	if (!script_of(L)->setting_up)
		script_must_be_actor(L, what);
	api_lock(L, ((struct machine_device *)api_check(L, 1, "device"))->machine);
	return v;
}

static int
leave(lua_State *L, int ret)
{
	api_unlock(L, ((struct machine_device *)api_check(L, 1, "device"))->machine);
	return api_result(L, ret);
}

static int
device_svq(lua_State *L)
{
	luaL_checktype(L, 2, LUA_TBOOLEAN);
	return leave(L, vdpa_set_shadow(enter(L, "svq"), lua_toboolean(L, 2)));
}

static uint64_t
check_address(lua_State *L, int arg)
{
	return (uint64_t)api_range(L, arg, 0, INT64_C(1) << 47);
}

static int
device_region_add(lua_State *L)
{
	uint64_t gpa = check_address(L, 2), bytes = check_address(L, 3), of = check_address(L, 4);

	return leave(L, vdpa_region_add(enter(L, "region_add"), gpa, bytes, of));
}

static int
device_region_del(lua_State *L)
{
	uint64_t gpa = check_address(L, 2);

	return leave(L, vdpa_region_del(enter(L, "region_del"), gpa));
}

static int
device_suspend(lua_State *L)
{
	if (!machine_vdpa(api_check(L, 1, "device")))
		return api_suspend_device(L, true);
	return leave(L, vdpa_suspend(&enter(L, "suspend")->dev));
}

static int
device_resume(lua_State *L)
{
	if (!machine_vdpa(api_check(L, 1, "device")))
		return api_suspend_device(L, false);
	return leave(L, vdpa_resume(&enter(L, "resume")->dev));
}

static void
push_queue(lua_State *L, const struct vdpa *v, uint16_t i)
{
	const struct svq *s = &v->svq[i];

	lua_newtable(L);
	api_set_boolean(L, "running", s->running);
	api_set_integer(L, "forwarded", (int64_t)s->forwarded);
	api_set_integer(L, "used", (int64_t)s->used);
	api_set_integer(L, "full", (int64_t)s->full);
	api_set_integer(L, "slots", s->running ? svq_ring_available_slots(&s->ring) : 0);
	api_set_integer(L, "shadow_avail_idx", s->ring.shadow_avail_idx);
	api_set_integer(L, "last_used_idx", s->ring.last_used_idx);
}

static void
push_ctrl(lua_State *L, const char *key, const struct net_ctrl_state *s)
{
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1], s->mac[2],
		 s->mac[3], s->mac[4], s->mac[5]);
	lua_newtable(L);
	api_set_string(L, "mac", mac);
	api_set_boolean(L, "promisc", s->promisc);
	api_set_boolean(L, "allmulti", s->allmulti);
	api_set_integer(L, "pairs", s->pairs);
	lua_setfield(L, -2, key);
}

static int
device_ctrl_info(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");

	if (!d->net || !d->config.net.ctrl)
		luaL_error(L, "ctrl_info: only of a virtio-net with ctrl = true");
	lua_newtable(L);
	push_ctrl(L, "model", &d->net->model);
	push_ctrl(L, "device", &d->net->device);
	return 1;
}

static int
device_vdpa_info(lua_State *L)
{
	const struct vdpa *v = check(L, "vdpa_info");

	lua_newtable(L);
	api_set_boolean(L, "svq", v->shadow);
	api_set_boolean(L, "started", v->started);
	api_set_boolean(L, "suspended", v->dev.suspended);
	api_set_integer(L, "status", v->dev.status);
	api_set_integer(L, "switches", (int64_t)v->switches);
	api_set_integer(L, "faults", (int64_t)v->dev.faults);
	api_set_integer(L, "maps", (int64_t)(v->dev.iotlb[0].count + v->dev.iotlb[1].count));
	api_set_integer(L, "own_maps", (int64_t)vdpa_own_maps(&v->dev));
	api_set_integer(L, "tree", v->tree ? (int64_t)vhost_iova_tree_count(v->tree) : 0);
	api_set_integer(L, "own_pages", v->hva->own_used);
	api_set_integer(L, "commands", (int64_t)v->net.commands);
	api_set_integer(L, "injected", (int64_t)v->net.injected);
	lua_newtable(L);
	for (uint16_t i = 0; i < v->set.vdev->queue_count; i++) {
		push_queue(L, v, i);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "queue");
	return 1;
}

static int
machine_source_vm(lua_State *L)
{
	static const char *const allowed[] = { "gpa", "pages", "manual_protect", NULL };
	struct script_machine *sm = api_check(L, 1, "machine");
	lua_Integer size = (lua_Integer)(gm_size(script_world(L)) / 4096), gpa;
	struct ram_block block = { .name = "pc.ram" };
	struct migration_vm_config config = { .blocks = &block, .block_count = 1 };
	struct migration_vm *vm;

	if (!script_of(L)->setting_up)
		return luaL_error(L, "source_vm: only in setup()");
	api_options(L, 2, "source_vm", allowed);
	gpa = api_integer(L, 2, "gpa", 0, 0, (size - 1) * 4096);
	if (gpa % 4096)
		return luaL_error(L, "source_vm: gpa %I is not that of a page", gpa);
	block.pages = (uint64_t)api_integer(L, 2, "pages", size - gpa / 4096, 1, size - gpa / 4096);
	config.manual_protect = api_boolean(L, 2, "manual_protect", true);
	vm = vm_create(script_world(L), &config);
	vm_link_machine(vm, sm->m, (uint64_t)gpa);
	api_push(L, "source_vm", vm);
	return 1;
}

const struct api_entry api_vdpa[] = {
	{ "machine", "source_vm", "{gpa=, pages=, manual_protect=} -> source_vm",
	  "these pages as the RAM of a migrate{}, which stops and starts the machine",
	  machine_source_vm },
	{ "device", "svq", "(on) -> true or nil, errno",
	  "vdpa: shadow virtqueues on or off, as migration does it: stop, start", device_svq },
	{ "device", "region_add", "(gpa, bytes, of) -> true or nil, errno",
	  "vdpa: RAM appears at gpa, an alias of what is at of", device_region_add },
	{ "device", "region_del", "(gpa) -> true or nil, errno", "vdpa: it goes away",
	  device_region_del },
	{ "device", "suspend", "() -> true or nil, errno",
	  "VHOST_VDPA_SUSPEND alone; with suspend = 'vdpa-suspend', of any backend, what the VMM "
	  "does around it, too",
	  device_suspend },
	{ "device", "resume", "() -> true or nil, errno", "VHOST_VDPA_RESUME, the same",
	  device_resume },
	{ "device", "vdpa_info", "() -> table",
	  "vdpa: state, counts of maps; queue[i]: of shadow virtqueues", device_vdpa_info },
	{ "device", "ctrl_info", "() -> {model=, device=}",
	  "net: what control commands have set: mac, promisc, allmulti, pairs", device_ctrl_info },
	{ NULL, NULL, NULL, NULL, NULL }
};
