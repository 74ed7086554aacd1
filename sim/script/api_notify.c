/* SPDX-License-Identifier: GPL-2.0-or-later */
/* API: eventfds and PCI functions. */
#include <string.h>

#include "notify/eventfd.h"
#include "script/machine_api.h"

/* --- eventfds ------------------------------------------------------------------------------- */

static int
l_eventfd(lua_State *L)
{
	static const char *const allowed[] = { "semaphore", "nonblock", "role", NULL };
	const char *name = luaL_checkstring(L, 1);
	unsigned flags, role;

	script_must_not_check(L, "eventfd");
	api_options(L, 2, "eventfd", allowed);
	flags = (api_boolean(L, 2, "semaphore", false) ? EVENTFD_SEMAPHORE : 0) |
		(api_boolean(L, 2, "nonblock", false) ? EVENTFD_NONBLOCK : 0);
	role = api_word(L, 2, "role", EVENTFD_OTHER, eventfd_role_name, EVENTFD_ROLES);
	api_push(L, "eventfd",
		 eventfd_create(script_world(L), name, (enum eventfd_role)role, flags));
	return 1;
}

static struct eventfd *
check_eventfd(lua_State *L)
{
	script_world(L);
	return api_check(L, 1, "eventfd");
}

static int
do_eventfd_write(lua_State *L)
{
	struct eventfd *fd = check_eventfd(L);

	script_must_not_check(L, "write");
	return api_result(L, eventfd_write(fd, (uint64_t)luaL_optinteger(L, 2, 1)));
}

static int
do_eventfd_signal(lua_State *L)
{
	script_must_not_check(L, "signal");
	eventfd_signal(check_eventfd(L));
	return 0;
}

static int
do_eventfd_read(lua_State *L)
{
	struct eventfd *fd = check_eventfd(L);
	uint64_t value = 0;
	int ret;

	script_must_be_actor(L, "read");
	ret = eventfd_read(fd, &value);
	if (ret)
		return api_result(L, ret);
	lua_pushinteger(L, (lua_Integer)value);
	return 1;
}

static int
do_eventfd_wait(lua_State *L)
{
	script_must_be_actor(L, "wait");
	eventfd_wait(check_eventfd(L));
	return 0;
}

static int
do_eventfd_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)eventfd_count(check_eventfd(L)));
	return 1;
}

static int
do_eventfd_name(lua_State *L)
{
	struct eventfd *fd = check_eventfd(L);

	lua_pushstring(L, world_name_text(fd->world, fd->name));
	return 1;
}

/* --- PCI functions -------------------------------------------------------------------------- */

static struct pci_function *
check_function(lua_State *L)
{
	script_world(L);
	return api_check(L, 1, "function");
}

/* The vCPU whose exit it is: that of the actor's CPU, or none (firmware). */
static struct vcpu *
exit_vcpu(lua_State *L, const char *what)
{
	if (script_of(L)->setting_up)
		return NULL;
	return api_cpu(L, what)->vcpu;
}

static int
function_command(lua_State *L)
{
	struct pci_function *f = check_function(L);

	if (!lua_isnoneornil(L, 2))
		pci_set_command(f, exit_vcpu(L, "command"), (uint16_t)api_range(L, 2, 0, 0xffff),
				(uint16_t)luaL_optinteger(L, 3, 0));
	lua_pushinteger(L, pci_command(f));
	return 1;
}

static int
function_bar(lua_State *L)
{
	struct pci_function *f = check_function(L);
	unsigned bar = (unsigned)api_range(L, 2, 0, PCI_BARS - 1);
	uint64_t base = 0;

	if (!lua_isnoneornil(L, 3))
		pci_set_bar(f, exit_vcpu(L, "bar"), bar, (uint64_t)luaL_checkinteger(L, 3));
	lua_pushinteger(L, (lua_Integer)pci_bar_address(f, bar));
	lua_pushboolean(L, pci_bar_decoded(f, bar, &base));
	return 2;
}

static int
function_window(lua_State *L)
{
	struct pci_function *f = check_function(L);
	uint64_t base = (uint64_t)luaL_checkinteger(L, 2),
		 limit = (uint64_t)luaL_checkinteger(L, 3);

	if (!f->bridge)
		return luaL_error(L, "window: only a bridge has windows");
	if (lua_toboolean(L, 4))
		pci_set_pref_window(f, exit_vcpu(L, "window"), base, limit);
	else
		pci_set_window(f, exit_vcpu(L, "window"), base, limit);
	return 0;
}

static int
function_read(lua_State *L)
{
	struct pci_function *f = check_function(L);
	unsigned offset = (unsigned)api_range(L, 2, 0, PCI_CONFIG_BYTES - 1);
	unsigned length = (unsigned)luaL_optinteger(L, 3, 4);

	if ((length != 1 && length != 2 && length != 4) || offset % length)
		return luaL_error(L, "read: 1, 2 or 4 bytes, at a multiple of that");
	lua_pushinteger(L, pci_config_read(f, exit_vcpu(L, "read"), offset, length));
	return 1;
}

static int
function_write(lua_State *L)
{
	struct pci_function *f = check_function(L);
	unsigned offset = (unsigned)api_range(L, 2, 0, PCI_CONFIG_BYTES - 1);
	uint32_t value = (uint32_t)luaL_checkinteger(L, 3);
	unsigned length = (unsigned)luaL_optinteger(L, 4, 4);

	if ((length != 1 && length != 2 && length != 4) || offset % length)
		return luaL_error(L, "write: 1, 2 or 4 bytes, at a multiple of that");
	pci_config_write(f, exit_vcpu(L, "write"), offset, length, value);
	return 0;
}

const struct api_entry api_notify[] = {
	{ NULL, "eventfd", "(name [, {semaphore=, nonblock=, role=}]) -> eventfd",
	  "a counter with the kernel's semantics", l_eventfd },
	{ "eventfd", "write", "([n]) -> true or nil, errno", "write(2): adds n (default 1)",
	  do_eventfd_write },
	{ "eventfd", "signal", "()", "the kernel's own: adds 1, never blocks", do_eventfd_signal },
	{ "eventfd", "read", "() -> value or nil, errno",
	  "read(2): takes the counter, or waits for it", do_eventfd_read },
	{ "eventfd", "wait", "()", "wait until it can be read, taking nothing", do_eventfd_wait },
	{ "eventfd", "count", "() -> n", "look without taking", do_eventfd_count },
	{ "eventfd", "name", "() -> string", "its name", do_eventfd_name },
	{ "function", "command", "([set [, clear]]) -> bits",
	  "the command register, changed if set is given", function_command },
	{ "function", "bar", "(n [, address]) -> address, decoded",
	  "a BAR, moved if address is given", function_bar },
	{ "function", "window", "(base, limit [, prefetch])",
	  "a bridge's window; base above limit closes it", function_window },
	{ "function", "read", "(offset [, bytes]) -> value", "a configuration cycle",
	  function_read },
	{ "function", "write", "(offset, value [, bytes])", "a configuration cycle",
	  function_write },
	{ NULL, NULL, NULL, NULL, NULL }
};
