/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: suspending a device, by its driver and by its VMM. */
#include <string.h>

#include "engine/image.h"
#include "guest/blk_driver.h"
#include "guest/net_driver.h"
#include "guest/suspend.h"
#include "script/guest_api.h"
#include "virtio/suspend.h"

/* Of the largest device: VIRTIO_QUEUES_MAX queues of 72 bytes, and what is there once. */
#define ADMIN_PARTS_MAX (128u * 1024)

/* --- by the driver -------------------------------------------------------------------------- */

static struct guest_suspend
read_how(lua_State *L, const char *function)
{
	static const char *const allowed[] = { "design", "timeout_ns", "go_on", "impatient", NULL };

	api_options(L, 2, function, allowed);
	return (struct guest_suspend){
		.design = (enum virtio_suspend_design)api_word(
			L, 2, "design", SUSPEND_V1_4, virtio_suspend_design_name, SUSPEND_PCI_PM),
		.timeout_ns = api_integer(L, 2, "timeout_ns", 0, 1, INT64_C(1) << 40),
		.go_on = api_boolean(L, 2, "go_on", false),
		.impatient = api_boolean(L, 2, "impatient", false),
	};
}

static int
core_suspend(lua_State *L)
{
	struct guest_virtio *dev = api_core_driver(L, 1);
	struct guest_suspend how = read_how(L, "suspend");

	return api_result(L, guest_virtio_suspend(dev, api_cpu(L, "suspend"), &how));
}

static int
core_resume(lua_State *L)
{
	struct guest_virtio *dev = api_core_driver(L, 1);
	struct guest_suspend how = read_how(L, "resume");

	return api_result(L, guest_virtio_resume(dev, api_cpu(L, "resume"), &how));
}

static int
core_status(lua_State *L)
{
	struct guest_virtio *dev = api_core_driver(L, 1);
	struct guest_cpu *cpu = api_cpu(L, "status");

	if (!lua_isnoneornil(L, 2))
		guest_pci_set(&dev->pci, cpu, device_status, (uint64_t)api_range(L, 2, 0, 255));
	lua_pushinteger(L, (lua_Integer)guest_pci_get(&dev->pci, cpu, device_status));
	return 1;
}

static int
core_config_write(lua_State *L)
{
	struct guest_virtio *dev = api_core_driver(L, 1);
	struct guest_cpu *cpu = api_cpu(L, "config_write");
	unsigned offset = (unsigned)api_range(L, 2, 0, VIRTIO_CONFIG_MAX);
	size_t size;
	const char *bytes = luaL_checklstring(L, 3, &size);

	if (offset + size > VIRTIO_CONFIG_MAX)
		return luaL_error(L, "config_write: configuration space has %d bytes",
				  (int)VIRTIO_CONFIG_MAX);
	guest_virtio_config_write(dev, cpu, offset, bytes, size);
	return 0;
}

static int
core_power(lua_State *L)
{
	static const char *const states[] = { "D0", [PCI_D3HOT] = "D3hot" };
	struct guest_virtio *dev = api_core_driver(L, 1);
	struct guest_cpu *cpu = api_cpu(L, "power");
	const char *word = luaL_checkstring(L, 2);
	unsigned state = strcmp(word, states[PCI_D0]) ? PCI_D3HOT : PCI_D0;

	if (strcmp(word, states[state]) != 0)
		return luaL_error(L, "power: '%s' is none of: D0 D3hot", word);
	if (!pci_set_power(dev->pci.function, cpu->vcpu, state))
		return luaL_error(L, "power: the device needs suspend = 'pci-pm' or "
				     "'pci-pm-reset'");
	return 0;
}

static int
core_flr(lua_State *L)
{
	struct guest_virtio *dev = api_core_driver(L, 1);
	struct guest_cpu *cpu = api_cpu(L, "flr");

	if (!pci_flr(dev->pci.function, cpu->vcpu))
		return luaL_error(L, "flr: the device needs suspend = 'admin-stop'");
	return 0;
}

static int
blk_suspend(lua_State *L)
{
	struct guest_blk *blk = api_check(L, 1, "blk");
	struct guest_suspend how = read_how(L, "suspend");

	return api_result(L, guest_blk_suspend(blk, api_cpu(L, "suspend"), &how));
}

static int
blk_resume(lua_State *L)
{
	struct guest_blk *blk = api_check(L, 1, "blk");
	struct guest_suspend how = read_how(L, "resume");

	return api_result(L, guest_blk_resume(blk, api_cpu(L, "resume"), &how));
}

static int
net_suspend(lua_State *L)
{
	struct guest_net *net = api_check(L, 1, "net");
	struct guest_suspend how = read_how(L, "suspend");

	return api_result(L, guest_net_suspend(net, api_cpu(L, "suspend"), &how));
}

static int
net_resume(lua_State *L)
{
	struct guest_net *net = api_check(L, 1, "net");
	struct guest_suspend how = read_how(L, "resume");

	return api_result(L, guest_net_resume(net, api_cpu(L, "resume"), &how));
}

/* --- by the VMM ----------------------------------------------------------------------------- */

int
api_suspend_device(lua_State *L, bool suspend)
{
	struct machine_device *d = api_check(L, 1, "device");
	enum virtio_suspend_design design = d->config.suspend.design;
	const char *what = suspend ? "suspend" : "resume";

	script_must_be_actor(L, what);
	if (virtio_suspend_policy[design].by != SUSPEND_BY_HOST)
		return luaL_error(L,
				  "%s: of a device with backend = 'vdpa' or suspend = "
				  "'vdpa-suspend'",
				  what);
	script_world(L);
	api_lock(L, d->machine);
	if (suspend)
		virtio_suspend_enter(&d->vdev);
	else
		virtio_suspend_leave(&d->vdev);
	api_unlock(L, d->machine);
	lua_pushboolean(L, true);
	return 1;
}

/* ORDER ADMIN_OPCODE */
static const char *const admin_opcode[] = {
	"VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET",
	"VIRTIO_ADMIN_CMD_DEV_PARTS_GET",
	"VIRTIO_ADMIN_CMD_DEV_PARTS_SET",
	"VIRTIO_ADMIN_CMD_DEV_MODE_SET",
};

static uint16_t
check_opcode(lua_State *L, int arg)
{
	const char *word = luaL_checkstring(L, arg);

	for (unsigned i = 0; i < sizeof(admin_opcode) / sizeof(admin_opcode[0]); i++)
		if (!strcmp(word, admin_opcode[i]))
			return (uint16_t)(VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET + i);
	return (uint16_t)luaL_error(L, "admin: '%s' is none of: %s %s %s %s", word, admin_opcode[0],
				    admin_opcode[1], admin_opcode[2], admin_opcode[3]);
}

static int
device_admin(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");
	struct virtio_admin_cmd c = { .opcode = check_opcode(L, 2) };
	size_t room = ADMIN_PARTS_MAX;

	script_must_be_actor(L, "admin");
	if (c.opcode == VIRTIO_ADMIN_CMD_DEV_MODE_SET) {
		luaL_checktype(L, 3, LUA_TBOOLEAN);
		c.flags = (uint8_t)(lua_toboolean(L, 3) << VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED);
	} else if (c.opcode == VIRTIO_ADMIN_CMD_DEV_PARTS_SET) {
		/* The string stays where it is while the command reads it: it is on the stack. */
		c.parts = (uint8_t *)(uintptr_t)luaL_checklstring(L, 3, &c.bytes);
	} else {
		c.parts = world_alloc(script_world(L), room);
		c.bytes = room;
	}
	script_world(L);
	machine_admin(d, &c);
	lua_pushinteger(L, c.status);
	lua_pushinteger(L, c.qualifier);
	if (c.opcode == VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET) {
		lua_pushinteger(L, (lua_Integer)c.bytes);
		return 3;
	}
	if (c.opcode != VIRTIO_ADMIN_CMD_DEV_PARTS_GET || c.status)
		return 2;
	lua_pushlstring(L, (const char *)c.parts, c.bytes);
	world_free(script_world(L), c.parts, room);
	return 3;
}

static int
device_suspend_info(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");
	const struct virtio_suspend *s = d->vdev.suspend;
	int64_t kicks = 0, interrupts = 0;

	world_counters_shown(script_world(L));
	for (uint16_t i = 0; i < d->vdev.queue_count; i++) {
		kicks += (int64_t)d->vdev.vqs[i].kicks;
		interrupts += (int64_t)d->vdev.vqs[i].interrupts;
	}
	lua_newtable(L);
	api_set_integer(L, "kicks", kicks);
	api_set_integer(L, "interrupts", interrupts);
	api_set_string(L, "design", virtio_suspend_design_name[d->config.suspend.design]);
	api_set_string(L, "state", virtio_suspend_state_name[s ? s->state : SUSPEND_RUNNING]);
	api_set_integer(L, "suspends", s ? (int64_t)s->suspends : 0);
	api_set_integer(L, "resumes", s ? (int64_t)s->resumes : 0);
	api_set_integer(L, "kept", s ? (int64_t)s->kept_total : 0);
	api_set_integer(L, "lost", s ? (int64_t)s->lost_total : 0);
	return 1;
}

static int
machine_exits(lua_State *L)
{
	const struct script_machine *sm = api_check(L, 1, "machine");
	lua_Integer exits = 0;

	world_counters_shown(script_world(L));
	for (unsigned i = 0; i < sm->m->vcpu_count; i++)
		exits += (lua_Integer)sm->m->vcpus[i]->exits;
	lua_pushinteger(L, exits);
	return 1;
}

#define HOW "([{design=, timeout_ns=, go_on=, impatient=}]) -> true or nil, errno"

const struct api_entry api_suspend[] = {
	{ "core", "suspend", HOW,
	  "SUSPEND, until the device says that it is; design: v1.4, zhu-2023 or stevens-2024",
	  core_suspend },
	{ "core", "resume", HOW, "DRIVER_OK, until the device has resumed", core_resume },
	{ "core", "status", "([bits]) -> bits", "device_status, written first if bits are given",
	  core_status },
	{ "core", "config_write", "(offset, string)", "device configuration", core_config_write },
	{ "blk", "suspend", HOW, "no request in, none out, then SUSPEND", blk_suspend },
	{ "blk", "resume", HOW, "and back", blk_resume },
	{ "net", "suspend", HOW, "detached and down, then SUSPEND", net_suspend },
	{ "net", "resume", HOW, "and back", net_resume },
	{ "device", "admin", "(opcode [, stopped or parts]) -> status, qualifier [, parts]",
	  "the group owner's command about it: needs suspend = 'admin-stop'; MODE_SET takes "
	  "whether it is stopped, PARTS_SET the parts that PARTS_GET gave, METADATA_GET says how "
	  "many bytes they have",
	  device_admin },
	{ "core", "power", "(state)", "PMCSR := D0 or D3hot: needs suspend = 'pci-pm'",
	  core_power },
	{ "core", "flr", "()", "function-level reset, and decode on again", core_flr },
	{ "device", "suspend_info", "() -> table",
	  "design, state, how often; kicks that came to the VMM, interrupts; those kept, and lost",
	  device_suspend_info },
	{ "machine", "exits", "() -> n", "of all vCPUs to the host", machine_exits },
	{ NULL, NULL, NULL, NULL, NULL }
};
