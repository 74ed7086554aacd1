/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: the devices of a machine that migrates, as stopping and starting it sees them. */
#include "migration/vm_device.h"

#include <stdio.h>

#include "migration/precopy.h"
#include "migration/vm_request.h"
#include "script/machine_api.h"

#define QUEUES_MAX 4096

static const char *const device_options[] = { "name",
					      "type",
					      "backend",
					      "queues",
					      "group",
					      "depth",
					      "in_flight",
					      "doorbells",
					      "single_commits",
					      "status",
					      "rarp",
					      "map_at_setup",
					      "guest_announce",
					      "inflight_migration",
					      NULL };

static void
check_device(lua_State *L, const struct vm_device_config *c)
{
	bool backend_of_its_own = c->backend >= VM_BACKEND_VHOST_USER;

	if (c->doorbells && !backend_of_its_own)
		luaL_error(L, "device: doorbells are for vhost-user and vdpa");
	if ((c->status || c->rarp || c->inflight_migration) && c->backend != VM_BACKEND_VHOST_USER)
		luaL_error(L, "device: status, rarp and inflight_migration are vhost-user's");
	if (c->map_at_setup && c->backend != VM_BACKEND_VDPA)
		luaL_error(L, "device: map_at_setup is vdpa's");
	if (c->guest_announce && c->type != VM_DEVICE_NET)
		luaL_error(L, "device: guest_announce is a net device's");
	if (c->in_flight && (c->type != VM_DEVICE_BLK || c->backend >= VM_BACKEND_VHOST))
		luaL_error(L, "device: in_flight is of a blk device that QEMU serves");
}

static int
vm_l_device(lua_State *L)
{
	struct migration_vm *vm = api_check(L, 1, "source_vm");
	struct vm_device_config c = { 0 };

	script_world(L);
	script_must_not_check(L, "device");
	api_options(L, 2, "device", device_options);
	if (!script_of(L)->setting_up || vm->migration)
		return luaL_error(L, "device: only in setup(), before migrate()");
	if (vm->writer_count == 0xffff)
		return luaL_error(L, "device: at most 65535 writers");
	c.name = world_strdup(vm->w, api_string(L, 2, "name", "virtio0"));
	c.type = (enum vm_device_type)api_word(L, 2, "type", VM_DEVICE_NET, vm_device_type_word,
					       VM_DEVICE_TYPES);
	c.backend = (enum vm_backend)api_word(L, 2, "backend", VM_BACKEND_VHOST, vm_backend_word,
					      VM_BACKENDS);
	c.queues = (unsigned)api_integer(L, 2, "queues", 2, 1, QUEUES_MAX);
	c.group = (unsigned)api_integer(L, 2, "group", 0, 0, QUEUES_MAX);
	c.depth = (unsigned)api_integer(L, 2, "depth", 1, 0, 100);
	c.in_flight = (unsigned)api_integer(L, 2, "in_flight", 0, 0, 1 << 20);
	c.single_commits = api_boolean(L, 2, "single_commits", false);
	c.doorbells = api_boolean(L, 2, "doorbells", false);
	c.inflight_migration = api_boolean(L, 2, "inflight_migration", false);
	c.status = api_boolean(L, 2, "status", false);
	c.rarp = api_boolean(L, 2, "rarp", false);
	c.map_at_setup = api_boolean(L, 2, "map_at_setup", false);
	c.guest_announce = api_boolean(L, 2, "guest_announce", false);
	check_device(L, &c);
	api_push(L, "vm_device", vm_add_device(vm, &c));
	return 1;
}

static struct vm_device *
check_vm_device(lua_State *L, const char *what)
{
	script_world(L);
	script_must_be_actor(L, what);
	return api_check(L, 1, "vm_device");
}

static int
device_l_write(lua_State *L)
{
	struct vm_device *d = check_vm_device(L, "write");
	lua_Integer last = (lua_Integer)ram_pages(d->vm->ram) - 1;

	lua_pushboolean(L, vm_write(d->writer, (uint64_t)api_range(L, 2, 0, last), false));
	return 1;
}

static int
device_l_submit(lua_State *L)
{
	struct vm_device *d = check_vm_device(L, "submit");
	struct ram_writer *vcpu = api_check(L, 2, "ram_writer");
	lua_Integer last = (lua_Integer)ram_pages(d->vm->ram) - 1;

	if (!d->requests)
		return luaL_error(L, "submit: only in mode = \"relaxed\"");
	if (vcpu->kind != WRITER_VCPU || vcpu->vm != d->vm)
		return luaL_error(L, "submit: by a vcpu of the same machine");
	if (!vm_request_submit(d, vcpu, (uint64_t)api_range(L, 3, 0, last)))
		return luaL_error(L, "submit: at most %d requests", (int)VM_REQUESTS_MAX);
	return 0;
}

static int
device_l_wait(lua_State *L)
{
	struct vm_device *d = check_vm_device(L, "wait");

	if (!d->requests)
		return luaL_error(L, "wait: only in mode = \"relaxed\"");
	vm_requests_wait(d);
	return 0;
}

void
api_downtime_metrics(lua_State *L, const int64_t *phase_ns, int64_t network_ns)
{
	char name[64];

	for (int p = 0; p < VM_PHASES; p++) {
		snprintf(name, sizeof(name), "downtime_%s", vm_phase_word[p]);
		api_metric(L, name, phase_ns[p], "ns");
	}
	if (network_ns)
		api_metric(L, "downtime_network", network_ns, "ns");
}

static int
migration_l_downtime(lua_State *L)
{
	const struct precopy_stats *s;

	script_world(L);
	s = precopy_stats(api_check(L, 1, "migration"));
	if (!s->decomposed)
		return luaL_error(L, "downtime: of a machine with vm:device{}, when it has gone");
	lua_newtable(L);
	for (int p = 0; p < VM_PHASES; p++)
		api_set_integer(L, vm_phase_word[p], s->phase_ns[p]);
	api_set_integer(L, "total", s->downtime_ns);
	api_set_integer(L, "network", s->network_ns);
	return 1;
}

const struct api_entry api_vm_device[] = {
	{ "source_vm", "device", "{name=, type=, backend=, queues=, depth=, …} -> ram_writer",
	  "in setup: a device with queues that stops and starts with the machine, at its price; an "
	  "unknown option lists all",
	  vm_l_device },
	{ "vm_device", "write", "(page) -> done", "as vm:writer()'s", device_l_write },
	{ "vm_device", "submit", "(vcpu, page)",
	  "mode relaxed: the guest makes a request available, which writes the page, and kicks; it "
	  "goes on at the destination",
	  device_l_submit },
	{ "vm_device", "wait", "()", "until all requests are done, on whichever side",
	  device_l_wait },
	{ "migration", "downtime", "() -> table",
	  "what it went to, ns: vcpus, virtio, vhost, notifiers, blk, ram, device_state, "
	  "start_ioeventfds, start_doorbells, start; total; network: until the guest is found",
	  migration_l_downtime },
	{ NULL, NULL, NULL, NULL, NULL }
};
