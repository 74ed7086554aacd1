/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: machines, their devices, and the host's view of queues with the debug interface. */
#include <string.h>

#include "base/must.h"
#include "script/actor.h"
#include "script/features.h"
#include "script/machine_api.h"
#include "script/machine_file.h"
#include "script/machine_options.h"

/* --- helpers for the other files ------------------------------------------------------------ */

struct guest_cpu *
api_cpu(lua_State *L, const char *what)
{
	struct world *w = script_world(L);
	struct actor *a = actor_current(w);
	struct script_actor *sa = a ? actor_data(a) : NULL;

	script_must_not_check(L, what);
	if (!sa || !sa->cpu)
		luaL_error(L,
			   "%s: only an actor that is a task of a guest's CPU may do this: "
			   "vm:actor(name, fn, {cpu = 0})",
			   what);
	return sa->cpu;
}

void
api_set_integer(lua_State *L, const char *key, int64_t value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

void
api_set_boolean(lua_State *L, const char *key, bool value)
{
	lua_pushboolean(L, value);
	lua_setfield(L, -2, key);
}

void
api_set_string(lua_State *L, const char *key, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

int
api_result(lua_State *L, int ret)
{
	if (!ret) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, ret < 0 && strerrorname_np(-ret) ? strerrorname_np(-ret) : "?");
	return 2;
}

void
api_lock(lua_State *L, struct machine *m)
{
	if (!script_of(L)->setting_up)
		bql_lock(m->loop);
}

void
api_unlock(lua_State *L, struct machine *m)
{
	if (!script_of(L)->setting_up)
		bql_unlock(m->loop);
}

/* --- making it ------------------------------------------------------------------------------ */

static struct script_machine *
check_machine(lua_State *L)
{
	return api_check(L, 1, "machine");
}

static struct pci_function *
find_bridge(lua_State *L, struct script_machine *sm, const char *name)
{
	for (struct named_bridge *b = sm->bridges; b; b = b->next)
		if (!strcmp(b->name, name))
			return b->function;
	luaL_error(L, "there is no bridge '%s'; make it first: vm:bridge(name)", name);
	return NULL;
}

static struct pci_function *
make_bridge(lua_State *L, struct script_machine *sm, const char *name, const char *parent)
{
	struct world *w = script_world(L);
	struct pci_function *above = parent ? find_bridge(L, sm, parent) : NULL;
	struct named_bridge *b = world_alloc(w, sizeof(*b));

	b->name = world_strdup(w, name);
	b->function = machine_add_bridge(sm->m, above, name);
	b->next = sm->bridges;
	sm->bridges = b;
	return b->function;
}

static struct iothread *
find_iothread(lua_State *L, struct script_machine *sm, const char *name, bool poll)
{
	struct world *w = script_world(L);
	struct named_iothread *t = sm->iothreads;

	while (t && strcmp(t->name, name))
		t = t->next;
	if (!t) {
		t = world_alloc(w, sizeof(*t));
		t->name = world_strdup(w, name);
		t->iothread = iothread_create(w, name, poll ? 1 : 0);
		t->next = sm->iothreads;
		sm->iothreads = t;
	}
	return t->iothread;
}

static struct machine_device *
make_device(lua_State *L, struct script_machine *sm, const struct device_options *o)
{
	struct machine_device_config config = o->config;

	if (machine_find_device(sm->m, config.name))
		luaL_error(L, "device: there is a '%s' already", config.name);
	config.name = world_strdup(script_world(L), config.name);
	if (o->bridge)
		config.bridge = find_bridge(L, sm, o->bridge);
	if (o->iothread) {
		if (config.backend != MACHINE_IOTHREAD)
			luaL_error(L, "device: iothread needs backend = 'iothread'");
		config.iothread = find_iothread(L, sm, o->iothread, config.poll);
	}
	return machine_add_device(sm->m, &config);
}

static int
l_machine(lua_State *L)
{
	static const struct machine_file none;
	struct world *w = script_world(L);
	struct script *s = script_of(L);
	const struct machine_file *file = s->machine_file ? s->machine_file : &none;
	struct machine_config config = file->machine;
	struct script_machine *sm;

	script_must_not_check(L, "machine");
	if (!s->setting_up)
		return luaL_error(L, "machine: only in setup()");
	if (s->machine)
		return luaL_error(L, "machine: one a world");
	options_from_lua(L, 1, "machine", machine_option_table, &config);
	for (int c = 0; c < COST_COUNT; c++)
		if (!config.cost_ns[c])
			config.cost_ns[c] = cost_info[c].default_ns;
	sm = world_alloc(w, sizeof(*sm));
	sm->m = machine_create(w, &config);
	s->machine = sm;
	sm->cpu = world_alloc(w, sm->m->vcpu_count * sizeof(struct guest_cpu *));
	for (unsigned i = 0; i < sm->m->vcpu_count; i++)
		sm->cpu[i] = guest_cpu_create(w, sm->m->vcpus[i], sm->m->view, i);
	for (unsigned i = 0; i < file->bridges; i++)
		make_bridge(L, sm, file->bridge[i].name, file->bridge[i].parent);
	for (unsigned i = 0; i < file->devices; i++)
		make_device(L, sm, &file->device[i]);
	api_push(L, "machine", sm);
	return 1;
}

static int
machine_device(lua_State *L)
{
	struct script_machine *sm = check_machine(L);
	struct device_options o = { 0 };

	if (lua_type(L, 2) == LUA_TSTRING) {
		struct machine_device *d = machine_find_device(sm->m, lua_tostring(L, 2));

		if (!d)
			return luaL_error(L, "device: there is no '%s'", lua_tostring(L, 2));
		api_push(L, "device", d);
		return 1;
	}
	if (!script_of(L)->setting_up)
		return luaL_error(L,
				  "device: only in setup(); see unplugged = true and dev:plug()");
	options_from_lua(L, 2, "device", device_option_table, &o);
	if (!o.config.name)
		return api_missing(L, "device", "name");
	api_push(L, "device", make_device(L, sm, &o));
	return 1;
}

static int
machine_bridge(lua_State *L)
{
	struct script_machine *sm = check_machine(L);
	const char *name = luaL_checkstring(L, 2);

	if (!script_of(L)->setting_up) {
		api_push(L, "function", find_bridge(L, sm, name));
		return 1;
	}
	for (struct named_bridge *b = sm->bridges; b; b = b->next) {
		if (!strcmp(b->name, name)) {
			api_push(L, "function", b->function);
			return 1;
		}
	}
	api_push(L, "function", make_bridge(L, sm, name, luaL_optstring(L, 3, NULL)));
	return 1;
}

static void
enter_cpu(struct script_actor *a)
{
	guest_cpu_enter(a->cpu);
}

static int
machine_actor(lua_State *L)
{
	static const char *const allowed[] = { "cpu", "daemon", NULL };
	struct script_machine *sm = check_machine(L);
	const char *name = luaL_checkstring(L, 2);
	struct script_actor *a;
	lua_Integer cpu;

	script_must_not_check(L, "actor");
	luaL_checktype(L, 3, LUA_TFUNCTION);
	api_options(L, 4, "actor", allowed);
	lua_settop(L, 4);
	cpu = api_integer(L, 4, "cpu", -1, 0, (lua_Integer)sm->m->vcpu_count - 1);
	lua_pushvalue(L, 3);
	a = script_actor_create(L, name, api_boolean(L, 4, "daemon", false));
	if (cpu >= 0) {
		a->cpu = sm->cpu[cpu];
		a->enter = enter_cpu;
	}
	api_push(L, "actor", a);
	return 1;
}

static int
machine_do_stop(lua_State *L)
{
	script_must_be_actor(L, "stop");
	script_world(L);
	machine_stop(check_machine(L)->m);
	return 0;
}

static int
machine_do_start(lua_State *L)
{
	script_must_be_actor(L, "start");
	script_world(L);
	machine_start(check_machine(L)->m);
	return 0;
}

/* --- devices -------------------------------------------------------------------------------- */

static struct machine_device *
check_device(lua_State *L)
{
	return api_check(L, 1, "device");
}

static int
device_name(lua_State *L)
{
	lua_pushstring(L, check_device(L)->config.name);
	return 1;
}

static int
device_info(lua_State *L)
{
	struct machine_device *d = check_device(L);
	const struct virtio_device *v = &d->vdev;

	lua_newtable(L);
	api_set_string(L, "name", d->config.name);
	api_set_string(L, "type", machine_type_name[d->config.type]);
	api_set_string(L, "backend", machine_backend_name[d->config.backend]);
	api_set_integer(L, "status", v->status);
	api_set_boolean(L, "resetting", v->resetting);
	api_set_boolean(L, "started", v->started);
	api_set_boolean(L, "vm_running", v->vm_running);
	api_set_boolean(L, "disabled", v->disabled);
	api_set_boolean(L, "broken", v->broken);
	api_set_integer(L, "config_generation", v->config_generation);
	api_set_integer(L, "queues", v->queue_count);
	features_push(L, v->device_features);
	lua_setfield(L, -2, "device_features");
	features_push(L, v->driver_features);
	lua_setfield(L, -2, "driver_features");
	return 1;
}

static int
device_queue(lua_State *L)
{
	struct machine_device *d = check_device(L);
	lua_Integer index = api_range(L, 2, 0, (lua_Integer)d->vdev.queue_count - 1);
	struct script_queue *q = world_alloc(script_world(L), sizeof(*q));

	*q = (struct script_queue){ d, (unsigned)index };
	api_push(L, "queue", q);
	return 1;
}

static int
device_function(lua_State *L)
{
	api_push(L, "function", check_device(L)->pci->function);
	return 1;
}

static int
device_plug(lua_State *L)
{
	struct machine_device *d = check_device(L);

	script_must_be_actor(L, "plug");
	api_lock(L, d->machine);
	machine_plug(d);
	api_unlock(L, d->machine);
	return 0;
}

static int
device_unplug(lua_State *L)
{
	struct machine_device *d = check_device(L);

	script_must_be_actor(L, "unplug");
	api_lock(L, d->machine);
	machine_unplug(d);
	api_unlock(L, d->machine);
	return 0;
}

static int
device_error(lua_State *L)
{
	struct machine_device *d = check_device(L);
	const char *what = luaL_checkstring(L, 2);

	script_must_be_actor(L, "error");
	api_lock(L, d->machine);
	virtio_error(&d->vdev, world_strdup(script_world(L), what));
	api_unlock(L, d->machine);
	return 0;
}

/* @locked false: a device model that has no such lock, and whose driver sees the steps. */
static int
device_config_update(lua_State *L)
{
	struct machine_device *d = check_device(L);
	lua_Integer offset = api_range(L, 2, 0, VIRTIO_CONFIG_MAX);
	size_t size;
	const char *bytes = luaL_checklstring(L, 3, &size);
	bool locked = lua_isnoneornil(L, 4) || lua_toboolean(L, 4);

	script_must_be_actor(L, "config_update");
	if ((size_t)offset + size > VIRTIO_CONFIG_MAX)
		return luaL_error(L, "config_update: configuration space has %d bytes",
				  (int)VIRTIO_CONFIG_MAX);
	script_world(L);
	if (locked)
		api_lock(L, d->machine);
	virtio_config_update(&d->vdev, (size_t)offset, bytes, size);
	if (locked)
		api_unlock(L, d->machine);
	return 0;
}

static struct machine_device *
check_type(lua_State *L, enum machine_type type, const char *what)
{
	struct machine_device *d = check_device(L);

	script_must_not_check(L, what);
	if (d->config.type != type)
		luaL_error(L, "%s: only a %s has that", what, machine_type_name[type]);
	script_world(L);
	return d;
}

static int
device_resize(lua_State *L)
{
	struct machine_device *d = check_type(L, MACHINE_BLK, "resize");
	lua_Integer sectors = api_range(L, 2, 1, INT64_C(1) << 40);

	script_must_be_actor(L, "resize");
	api_lock(L, d->machine);
	virtio_blk_resize(d->blk, (uint64_t)sectors);
	api_unlock(L, d->machine);
	return 0;
}

static int
device_set_link(lua_State *L)
{
	struct machine_device *d = check_type(L, MACHINE_NET, "set_link");

	script_must_be_actor(L, "set_link");
	api_lock(L, d->machine);
	virtio_net_set_link(d->net, lua_toboolean(L, 2));
	api_unlock(L, d->machine);
	return 0;
}

static int
device_wire_send(lua_State *L)
{
	struct machine_device *d = check_type(L, MACHINE_NET, "wire_send");
	lua_Integer pair = api_range(L, 2, 0, (lua_Integer)d->net->pairs - 1);
	size_t size;
	const char *bytes = luaL_checklstring(L, 3, &size);

	if (!size || size > 65535)
		return luaL_error(L, "wire_send: a packet has 1 to 65535 bytes");
	lua_pushboolean(L, net_wire_send(d->net, (unsigned)pair, bytes, (uint32_t)size));
	return 1;
}

static int
device_wire_recv(lua_State *L)
{
	struct machine_device *d = check_type(L, MACHINE_NET, "wire_recv");
	struct net_packet *p;

	if (!d->config.net.keep_sent)
		return luaL_error(L, "wire_recv: the device needs keep_sent = true");
	if (lua_toboolean(L, 2))
		script_must_be_actor(L, "wire_recv");
	p = lua_toboolean(L, 2) ? net_wire_wait(d->net) : net_wire_recv(d->net);
	if (!p)
		return 0;
	lua_pushlstring(L, (const char *)p->data, p->bytes);
	net_packet_free(script_world(L), p);
	return 1;
}

static int
device_set_backend(lua_State *L)
{
	struct machine_device *d = check_device(L);
	const char *word = luaL_checkstring(L, 2);
	unsigned backend = 0;

	script_must_be_actor(L, "set_backend");
	while (backend < MACHINE_BACKENDS && strcmp(machine_backend_name[backend], word))
		backend++;
	if (backend == MACHINE_BACKENDS)
		return luaL_error(L, "set_backend: '%s' is none of: %s %s %s %s %s", word,
				  machine_backend_name[0], machine_backend_name[1],
				  machine_backend_name[2], machine_backend_name[3],
				  machine_backend_name[4]);
	machine_set_backend(d, (enum machine_backend)backend);
	return 0;
}

static struct dataplane *
check_dataplane(lua_State *L, const char *what)
{
	struct machine_device *d = check_device(L);
	struct dataplane *dp = machine_dataplane(d);

	script_must_be_actor(L, what);
	if (!dp)
		luaL_error(L, "%s: only of a device that the main loop or an iothread serves",
			   what);
	return dp;
}

static int
device_drain_begin(lua_State *L)
{
	struct dataplane *dp = check_dataplane(L, "drain_begin");

	bql_lock(dp->loop);
	dataplane_drain_begin(dp);
	bql_unlock(dp->loop);
	return 0;
}

static int
device_drain_end(lua_State *L)
{
	struct dataplane *dp = check_dataplane(L, "drain_end");

	if (!dp->drains)
		return luaL_error(L, "drain_end: no drained section is open");
	bql_lock(dp->loop);
	dataplane_drain_end(dp);
	bql_unlock(dp->loop);
	return 0;
}

/* --- the host's view of a queue ------------------------------------------------------------- */

static struct script_queue *
check_queue(lua_State *L)
{
	return api_check(L, 1, "queue");
}

static int
queue_notify(lua_State *L)
{
	struct script_queue *q = check_queue(L);

	script_must_be_actor(L, "notify");
	api_lock(L, q->d->machine);
	virtio_queue_notify(&q->d->vdev.vqs[q->index]);
	api_unlock(L, q->d->machine);
	return 0;
}

static int
queue_name(lua_State *L)
{
	struct script_queue *q = check_queue(L);

	lua_pushfstring(L, "%s.vq%d", q->d->config.name, (int)q->index);
	return 1;
}

const struct api_entry api_machine[] = {
	{ NULL, "machine", "{options} -> machine", "a guest with its VMM; options below",
	  l_machine },
	{ "machine", "device", "{options} -> device",
	  "a virtio device, programmed as firmware would; or by "
	  "name, one that is there",
	  machine_device },
	{ "machine", "bridge", "(name [, parent]) -> function", "a PCI bridge, made or found",
	  machine_bridge },
	{ "machine", "actor", "(name, fn [, {cpu=, daemon=}]) -> actor",
	  "a thread; with cpu (from 0) a task of that CPU in the guest", machine_actor },
	{ "machine", "stop", "()", "vm_stop(): vCPUs, then backends", machine_do_stop },
	{ "machine", "start", "()", "vm_start(): backends, then vCPUs", machine_do_start },
	{ "device", "name", "() -> string", "its name", device_name },
	{ "device", "info", "() -> table", "status, features, who serves it", device_info },
	{ "device", "queue", "(i) -> queue", "the host's view of a queue, from 0", device_queue },
	{ "device", "pci", "() -> function", "its PCI function", device_function },
	{ "device", "plug", "()", "hot-plug it: all decode is off then", device_plug },
	{ "device", "unplug", "()", "reset it and take it away", device_unplug },
	{ "device", "error", "(what)", "it fails: DEVICE_NEEDS_RESET", device_error },
	{ "device", "config_update", "(offset, string [, locked])",
	  "change configuration space; locked false: a device without a big lock",
	  device_config_update },
	{ "device", "resize", "(sectors)", "blk: the disk changes its size", device_resize },
	{ "device", "set_link", "(up)", "net: the cable comes or goes", device_set_link },
	{ "device", "wire_send", "(pair, string) -> taken", "net: a packet for the guest",
	  device_wire_send },
	{ "device", "wire_recv", "([wait]) -> string or nil",
	  "net: the next packet that the guest sent", device_wire_recv },
	{ "device", "set_backend", "(word)",
	  "another one takes its queues over: the words of option backend", device_set_backend },
	{ "device", "drain_begin", "()",
	  "a drained section begins: no handler runs, nothing is in flight", device_drain_begin },
	{ "device", "drain_end", "()", "it is over", device_drain_end },
	{ "queue", "notify", "()", "virtio_queue_notify(): the VMM kicks the queue itself",
	  queue_notify },
	{ "queue", "name", "() -> string", "its name", queue_name },
	{ NULL, NULL, NULL, NULL, NULL }
};
