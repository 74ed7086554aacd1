/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: the debug interface that "Add debug interface to kick/call on purpose" asked for
 * (vmm/debug.h, notify/notifier.h): list notifiers, look at counters, write one, kick and call at
 * each level, dump queues, routes and MSI-X.
 */
#include <string.h>

#include "notify/msix.h"
#include "notify/notifier.h"
#include "script/machine_api.h"
#include "vmm/debug.h"

/* --- queues --------------------------------------------------------------------------------- */

static int
queue_kick(lua_State *L)
{
	struct script_queue *q = api_check(L, 1, "queue");
	int level = luaL_checkoption(L, 2, "eventfd", debug_level_name);

	script_must_be_actor(L, "kick");
	return api_result(L, debug_kick(q->d, q->index, (enum debug_level)level));
}

static int
queue_call(lua_State *L)
{
	struct script_queue *q = api_check(L, 1, "queue");
	int level = luaL_checkoption(L, 2, "eventfd", debug_level_name);

	script_must_be_actor(L, "call");
	return api_result(L, debug_call(q->d, q->index, (enum debug_level)level));
}

static int
queue_info(lua_State *L)
{
	struct script_queue *q = api_check(L, 1, "queue");
	struct debug_queue_status s;

	if (!debug_queue_status(q->d, q->index, &s))
		return luaL_error(L, "info: there is no such queue");
	lua_newtable(L);
	api_set_string(L, "name", s.name);
	api_set_integer(L, "queue_index", s.queue_index);
	api_set_integer(L, "inuse", s.inuse);
	api_set_integer(L, "vring_num", s.vring_num);
	api_set_integer(L, "vring_desc", (lua_Integer)s.vring_desc);
	api_set_integer(L, "vring_avail", (lua_Integer)s.vring_avail);
	api_set_integer(L, "vring_used", (lua_Integer)s.vring_used);
	api_set_integer(L, "last_avail_idx", s.ring.last_avail_idx);
	api_set_integer(L, "shadow_avail_idx", s.ring.shadow_avail_idx);
	api_set_integer(L, "avail_idx", s.ring.avail_idx);
	api_set_integer(L, "used_idx", s.ring.used_idx);
	api_set_integer(L, "signalled_used", s.ring.signalled_used);
	api_set_boolean(L, "signalled_used_valid", s.ring.signalled_used_valid);
	api_set_integer(L, "used_event", s.ring.used_event);
	api_set_integer(L, "avail_event", s.ring.avail_event);
	api_set_integer(L, "avail_flags", s.ring.avail_flags);
	api_set_integer(L, "used_flags", s.ring.used_flags);
	api_set_boolean(L, "enabled", s.enabled);
	api_set_integer(L, "vector", s.vector);
	api_set_integer(L, "doorbell", (lua_Integer)s.doorbell);
	api_set_boolean(L, "doorbell_decoded", s.doorbell_decoded);
	api_set_boolean(L, "ioeventfd_assigned", s.ioeventfd_assigned);
	api_set_integer(L, "notify_position", q->d->vdev.vqs[q->index].notify_position);
	api_set_integer(L, "notify_backwards",
			(lua_Integer)q->d->vdev.vqs[q->index].notify_backwards);
	api_set_integer(L, "kicks", (lua_Integer)s.kicks);
	api_set_integer(L, "pops", (lua_Integer)s.pops);
	api_set_integer(L, "pushes", (lua_Integer)s.pushes);
	api_set_integer(L, "interrupts", (lua_Integer)s.interrupts);
	return 1;
}

static int
queue_dump(lua_State *L)
{
	struct script_queue *q = api_check(L, 1, "queue");
	struct debug_queue_status s;
	char text[2048];

	if (!debug_queue_status(q->d, q->index, &s))
		return luaL_error(L, "dump: there is no such queue");
	lua_pushlstring(L, text, debug_queue_text(&s, text, sizeof(text)));
	return 1;
}

/* --- notifiers ------------------------------------------------------------------------------ */

struct script_notifier {
	struct notifiers *all;
	uint32_t id;
};

static void
push_notifier(lua_State *L, struct notifiers *all, uint32_t id)
{
	struct script_notifier *n = world_alloc(script_world(L), sizeof(*n));

	*n = (struct script_notifier){ all, id };
	api_push(L, "notifier", n);
}

static int
push_list(lua_State *L, struct notifiers *all, const char *device)
{
	struct notifier_info info;
	uint32_t pos = 0;
	lua_Integer n = 0;

	lua_newtable(L);
	while (notifier_next(all, device, &pos, &info)) {
		push_notifier(L, all, info.id);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

static int
machine_notifiers(lua_State *L)
{
	struct script_machine *s = api_check(L, 1, "machine");

	return push_list(L, s->m->notifiers, NULL);
}

static int
device_notifiers(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");

	return push_list(L, d->machine->notifiers, d->vdev.name_text);
}

static int
device_notifier(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");
	lua_Integer queue = luaL_checkinteger(L, 2);
	int role = luaL_checkoption(L, 3, NULL, eventfd_role_name);
	struct notifier *n = notifier_lookup(d->machine->notifiers, d->vdev.name_text,
					     (int32_t)queue, (enum eventfd_role)role);

	if (!n)
		return luaL_error(L, "notifier: '%s' has no %s notifier of queue %I",
				  d->vdev.name_text, eventfd_role_name[role], queue);
	push_notifier(L, d->machine->notifiers, n->id);
	return 1;
}

static struct notifier_info
info_of(lua_State *L)
{
	struct script_notifier *n = api_check(L, 1, "notifier");
	struct notifier_info info = { 0 };
	uint32_t pos = n->id - 1;

	if (!notifier_next(n->all, NULL, &pos, &info) || info.id != n->id)
		luaL_error(L, "the notifier is gone");
	return info;
}

static int
notifier_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)info_of(L).count);
	return 1;
}

static int
notifier_dump(lua_State *L)
{
	struct notifier_info i = info_of(L);

	lua_newtable(L);
	api_set_integer(L, "id", i.id);
	api_set_string(L, "device", i.device);
	api_set_string(L, "name", i.name);
	api_set_string(L, "role", eventfd_role_name[i.role]);
	api_set_integer(L, "queue", i.queue);
	api_set_integer(L, "count", (lua_Integer)i.count);
	api_set_integer(L, "signals", (lua_Integer)i.signals);
	api_set_integer(L, "reads", (lua_Integer)i.reads);
	api_set_boolean(L, "ioeventfd", i.ioeventfd);
	if (i.ioeventfd) {
		api_set_integer(L, "address", (lua_Integer)i.address);
		api_set_integer(L, "length", i.length);
		api_set_integer(L, "matched", (lua_Integer)i.matched);
		if (i.match)
			api_set_integer(L, "datamatch", (lua_Integer)i.value);
	}
	api_set_boolean(L, "irqfd", i.irqfd);
	if (i.irqfd) {
		api_set_integer(L, "gsi", i.gsi);
		api_set_boolean(L, "routed", i.route.type != IRQROUTE_NONE);
		api_set_integer(L, "injected", (lua_Integer)i.injected);
	}
	if (i.has_vector) {
		api_set_integer(L, "vector", i.vector);
		api_set_boolean(L, "masked", i.masked);
		api_set_boolean(L, "function_masked", i.function_masked);
		api_set_boolean(L, "pending", i.pending);
		api_set_boolean(L, "call_fd", i.call_fd);
	}
	return 1;
}

static int
notifier_set(lua_State *L)
{
	struct script_notifier *n = api_check(L, 1, "notifier");

	script_must_not_check(L, "set");
	return api_result(L, notifier_write(n->all, n->id));
}

static int
notifier_bypasses(lua_State *L)
{
	struct script_notifier *n = api_check(L, 1, "notifier");

	lua_pushboolean(L, notifier_bypasses_mask(notifier_find(n->all, n->id)));
	return 1;
}

/* --- routes and MSI-X ----------------------------------------------------------------------- */

static int
machine_routes(lua_State *L)
{
	struct script_machine *s = api_check(L, 1, "machine");
	struct irqroute route;
	uint32_t gsi = 0;
	lua_Integer n = 0;

	lua_newtable(L);
	while (notifier_next_route(s->m->notifiers, &gsi, &route)) {
		lua_newtable(L);
		api_set_integer(L, "gsi", route.gsi);
		api_set_string(L, "type", route.type == IRQROUTE_MSI ? "msi" : "irqchip");
		if (route.type == IRQROUTE_MSI) {
			api_set_integer(L, "address", (lua_Integer)route.address);
			api_set_integer(L, "data", route.data);
		} else {
			api_set_integer(L, "pin", route.pin);
		}
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

static int
device_msix(lua_State *L)
{
	struct machine_device *d = api_check(L, 1, "device");

	api_push(L, "msix", d->pci->msix);
	return 1;
}

static unsigned
check_vector(lua_State *L, const struct msix *m)
{
	return (unsigned)api_range(L, 2, 0, m->vectors - 1);
}

static int
msix_do_mask(lua_State *L)
{
	struct msix *m = api_check(L, 1, "msix");

	script_must_be_actor(L, "mask");
	msix_driver_mask(m, api_cpu(L, "msix")->vcpu, check_vector(L, m), true);
	return 0;
}

static int
msix_do_unmask(lua_State *L)
{
	struct msix *m = api_check(L, 1, "msix");

	script_must_be_actor(L, "unmask");
	msix_driver_mask(m, api_cpu(L, "msix")->vcpu, check_vector(L, m), false);
	return 0;
}

static int
msix_do_control(lua_State *L)
{
	static const char *const allowed[] = { "enable", "maskall", NULL };
	struct msix *m = api_check(L, 1, "msix");

	script_must_be_actor(L, "control");
	api_options(L, 2, "control", allowed);
	msix_driver_control(m, api_cpu(L, "msix")->vcpu, api_boolean(L, 2, "enable", m->enabled),
			    api_boolean(L, 2, "maskall", m->maskall));
	return 0;
}

static int
msix_do_info(lua_State *L)
{
	struct msix *m = api_check(L, 1, "msix");
	struct msix_info i;

	msix_info(m, check_vector(L, m), &i);
	lua_newtable(L);
	api_set_integer(L, "vector", i.vector);
	api_set_integer(L, "address", (lua_Integer)i.message.address);
	api_set_integer(L, "data", i.message.data);
	api_set_boolean(L, "masked", i.masked);
	api_set_boolean(L, "pending", i.pending);
	return 1;
}

const struct api_entry api_debug[] = {
	{ "queue", "kick", "([\"ring\"|\"eventfd\"|\"doorbell\"]) -> true or nil, errno",
	  "kick on purpose, at a level", queue_kick },
	{ "queue", "call", "([\"ring\"|\"eventfd\"|\"msi\"]) -> true or nil, errno",
	  "call on purpose, at a level", queue_call },
	{ "queue", "info", "() -> table",
	  "the words of QEMU's x-query-virtio-queue-status, and more", queue_info },
	{ "queue", "dump", "() -> text", "the same as lines of key=value", queue_dump },
	{ "machine", "notifiers", "() -> list of notifier", "all notifiers of all devices",
	  machine_notifiers },
	{ "device", "notifiers", "() -> list of notifier", "all notifiers of the device",
	  device_notifiers },
	{ "device", "notifier", "(queue, \"host\"|\"guest\"|\"masked\"|\"config\") -> notifier",
	  "one notifier; queue -1: the configuration's", device_notifier },
	{ "notifier", "count", "() -> integer", "the eventfd's counter, not consumed",
	  notifier_count },
	{ "notifier", "dump", "() -> table",
	  "counter, role, queue, ioeventfd, irqfd, route, mask state", notifier_dump },
	{ "notifier", "set", "() -> true or nil, errno", "write 1 to the eventfd on purpose",
	  notifier_set },
	{ "notifier", "bypasses_mask", "() -> boolean",
	  "whether set() now would pass the vector's mask", notifier_bypasses },
	{ "machine", "routes", "() -> list of tables", "GSI routes in force", machine_routes },
	{ "device", "msix", "() -> msix", "its MSI-X capability", device_msix },
	{ "msix", "mask", "(vector)", "the running CPU masks the entry", msix_do_mask },
	{ "msix", "unmask", "(vector)", "the running CPU unmasks the entry", msix_do_unmask },
	{ "msix", "control", "{enable=, maskall=}", "message control: function mask",
	  msix_do_control },
	{ "msix", "info", "(vector) -> table", "message, mask and pending bit", msix_do_info },
	{ NULL, NULL, NULL, NULL, NULL }
};
