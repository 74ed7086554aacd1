/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/api.h"

#include <string.h>

#include "base/must.h"
#include "engine/watch.h"
#include "script/machine_options.h"

const struct api_group api_groups[] = {
	{ "Time, actors, choices, verdicts", api_engine },
	{ "Waiting: queues, flags, semaphores, timers", api_sync },
	{ "Machines, CPUs, devices", api_machine },
	{ "Drivers of the guest", api_guest },
	{ "Virtqueues, the bare driver core, the smallest pair", api_queue },
	{ "Suspending devices", api_suspend },
	{ "The wake-up ring", api_wakeup },
	{ "The debug interface: notifiers, kick and call on purpose, dumps, MSI-X", api_debug },
	{ "Eventfds, PCI functions", api_notify },
	{ "Local APICs, irqfds, interrupt lines", api_irq },
	{ "Guest memory", api_memory },
	{ "The balloon, and hints of free pages", api_balloon },
	{ "KVM's memory slots", api_kvm },
	{ "vCPUs and other writers of guest memory", api_kvm_vcpu },
	{ "Live migration", api_migrate },
	{ "vDPA devices and shadow virtqueues", api_vdpa },
	{ "Devices of a machine that migrates", api_vm_device },
	{ "Live migration: the source's memory map", api_layout },
	{ "Postcopy", api_postcopy },
	{ "COLO", api_colo },
	{ "COLO: packets", api_colo_net },
	{ "Background snapshots", api_snapshot },
	{ NULL, NULL }
};

/* --- opening -------------------------------------------------------------------------------- */

/* Objects' text: "flag #2", or their name() where they have one. */
static int
object_tostring(lua_State *L)
{
	if (luaL_getmetafield(L, 1, "name") == LUA_TFUNCTION) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			return 1;
	}
	luaL_getmetafield(L, 1, "__name");
	return 1;
}

static int
object_equal(lua_State *L)
{
	void **a = lua_touserdata(L, 1), **b = lua_touserdata(L, 2);

	lua_pushboolean(L, a && b && lua_getmetatable(L, 1) && lua_getmetatable(L, 2) &&
				   lua_rawequal(L, -1, -2) && *a == *b);
	return 1;
}

/* A method that is not there: say which there are. */
static int
object_index(lua_State *L)
{
	const char *kind = lua_tostring(L, lua_upvalueindex(2));
	luaL_Buffer b;

	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	script_tostring(L, 2, NULL);
	luaL_buffinit(L, &b);
	for (const struct api_group *g = api_groups; g->title; g++) {
		for (const struct api_entry *e = g->entries; e->name; e++) {
			if (!e->object || strcmp(e->object, kind))
				continue;
			if (luaL_bufflen(&b))
				luaL_addstring(&b, " ");
			luaL_addstring(&b, e->name);
		}
	}
	luaL_pushresult(&b);
	return luaL_error(L, "a %s has no '%s'; it has: %s", kind, lua_tostring(L, 4),
			  lua_tostring(L, 5));
}

/* Push the metatable of @kind, made if need be. */
static void
push_metatable(lua_State *L, const char *kind)
{
	if (!luaL_newmetatable(L, kind))
		return;
	lua_pushcfunction(L, object_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushcfunction(L, object_equal);
	lua_setfield(L, -2, "__eq");
	lua_pushvalue(L, -1);
	lua_pushstring(L, kind);
	lua_pushcclosure(L, object_index, 2);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
}

/*
 * Every call of the API.  The script goes on afterwards, in the same step as what the call did
 * last, and no hook sees which of its variables other actors use.
 */
static int
call_entry(lua_State *L)
{
	const struct api_entry *e = lua_touserdata(L, lua_upvalueindex(1));
	int results = e->fn(L);

	world_effect(script_of(L)->w);
	return results;
}

void
api_open(lua_State *L)
{
	for (const struct api_group *g = api_groups; g->title; g++) {
		for (const struct api_entry *e = g->entries; e->name; e++) {
			lua_pushlightuserdata(L, (void *)(uintptr_t)e);
			lua_pushcclosure(L, call_entry, 1);
			if (!e->object) {
				lua_setglobal(L, e->name);
				continue;
			}
			push_metatable(L, e->object);
			lua_insert(L, -2);
			lua_setfield(L, -2, e->name);
			lua_pop(L, 1);
		}
	}
}

/* --- the reference -------------------------------------------------------------------------- */

unsigned
api_print(FILE *to, const char *name)
{
	unsigned printed = 0;

	for (const struct api_group *g = api_groups; g->title; g++) {
		bool titled = false;

		for (const struct api_entry *e = g->entries; e->name; e++) {
			if (name && !strstr(e->name, name) &&
			    !(e->object && strstr(e->object, name)))
				continue;
			if (!titled)
				fprintf(to, "%s%s\n\n", printed ? "\n" : "", g->title);
			titled = true;
			fprintf(to, "  %s%s%s%s\n      %s\n", e->object ? e->object : "",
				e->object ? ":" : "", e->name, e->signature, e->what);
			printed++;
		}
	}
	return printed;
}

static void
print_options(FILE *to, const char *title, const struct option_spec *table)
{
	char allowed[1200];

	fprintf(to, "\n%s\n\n", title);
	for (const struct option_spec *o = table; o->name; o++) {
		option_allowed(o, allowed, sizeof(allowed));
		fprintf(to, "  %s\n      %s; %s\n", o->name, o->what, allowed);
	}
}

void
api_print_options(FILE *to)
{
	print_options(to, "Options of machine{}, and of a machine's YAML file",
		      machine_option_table);
	print_options(to, "Options of vm:device{}, and of a device in a machine's YAML file",
		      device_option_table);
}

void
api_print_globals(FILE *to)
{
	for (const struct api_group *g = api_groups; g->title; g++)
		for (const struct api_entry *e = g->entries; e->name; e++)
			if (!e->object)
				fprintf(to, "%s\n", e->name);
}

/* --- objects -------------------------------------------------------------------------------- */

void
api_push(lua_State *L, const char *kind, void *p)
{
	if (!p) {
		lua_pushnil(L);
		return;
	}
	*(void **)lua_newuserdatauv(L, sizeof(void *), 0) = p;
	push_metatable(L, kind);
	lua_setmetatable(L, -2);
}

void *
api_check(lua_State *L, int index, const char *kind)
{
	return *(void **)luaL_checkudata(L, index, kind);
}

void *
api_test(lua_State *L, int index, const char *kind)
{
	void **p = luaL_testudata(L, index, kind);

	return p ? *p : NULL;
}

/* --- named arguments ------------------------------------------------------------------------ */

static int
unknown_option(lua_State *L, const char *function, const char *name, const char *const *allowed)
{
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (unsigned i = 0; allowed[i]; i++) {
		if (i)
			luaL_addstring(&b, " ");
		luaL_addstring(&b, allowed[i]);
	}
	luaL_pushresult(&b);
	return luaL_error(L, "%s: unknown option '%s'; allowed: %s", function, name,
			  lua_tostring(L, -1));
}

void
api_options(lua_State *L, int index, const char *function, const char *const *allowed)
{
	if (lua_isnoneornil(L, index)) {
		lua_settop(L, index - 1);
		lua_newtable(L);
		return;
	}
	if (!lua_istable(L, index))
		luaL_error(L, "%s: options are a table, not a %s", function,
			   luaL_typename(L, index));

	lua_Integer n = script_push_keys(L, index);

	for (lua_Integer i = 1; i <= n; i++) {
		unsigned k = 0;

		lua_rawgeti(L, -1, i);

		const char *name = script_tostring(L, -1, NULL);

		while (allowed[k] && strcmp(allowed[k], name))
			k++;
		if (!allowed[k])
			unknown_option(L, function, name, allowed);
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
}

lua_Integer
api_integer(lua_State *L, int index, const char *name, lua_Integer missing, lua_Integer min,
	    lua_Integer max)
{
	int is_integer;
	lua_Integer v = missing;

	if (lua_getfield(L, index, name) != LUA_TNIL) {
		v = lua_tointegerx(L, -1, &is_integer);
		if (!is_integer || lua_type(L, -1) != LUA_TNUMBER || v < min || v > max)
			luaL_error(L, "%s: must be an integer from %I to %I, not %s", name, min,
				   max, script_tostring(L, -1, NULL));
	}
	lua_pop(L, 1);
	return v;
}

bool
api_boolean(lua_State *L, int index, const char *name, bool missing)
{
	int type = lua_getfield(L, index, name);
	bool v = type == LUA_TNIL ? missing : lua_toboolean(L, -1);

	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		luaL_error(L, "%s: must be true or false, not a %s", name, lua_typename(L, type));
	lua_pop(L, 1);
	return v;
}

const char *
api_string(lua_State *L, int index, const char *name, const char *missing)
{
	int type = lua_getfield(L, index, name);
	const char *v = type == LUA_TNIL ? missing : lua_tostring(L, -1);

	if (type != LUA_TNIL && type != LUA_TSTRING)
		luaL_error(L, "%s: must be a string, not a %s", name, lua_typename(L, type));
	lua_pop(L, 1);
	return v;
}

unsigned
api_word(lua_State *L, int index, const char *name, unsigned missing, const char *const *words,
	 unsigned count)
{
	const char *word = api_string(L, index, name, NULL);
	luaL_Buffer b;

	if (!word)
		return missing;
	for (unsigned i = 0; i < count; i++)
		if (words[i] && !strcmp(words[i], word))
			return i;
	luaL_buffinit(L, &b);
	for (unsigned i = 0; i < count; i++) {
		if (!words[i])
			continue;
		if (luaL_bufflen(&b))
			luaL_addstring(&b, " ");
		luaL_addstring(&b, words[i]);
	}
	luaL_pushresult(&b);
	return (unsigned)luaL_error(L, "%s: '%s' is none of: %s", name, word, lua_tostring(L, -1));
}

void *
api_object(lua_State *L, int index, const char *name, const char *kind)
{
	void *p = NULL;

	if (lua_getfield(L, index, name) != LUA_TNIL) {
		p = api_test(L, -1, kind);
		if (!p)
			luaL_error(L, "%s: must be a %s, not a %s", name, kind,
				   luaL_typename(L, -1));
	}
	lua_pop(L, 1);
	return p;
}

int
api_missing(lua_State *L, const char *function, const char *name)
{
	return luaL_error(L, "%s: '%s' must be given", function, name);
}

lua_Integer
api_range(lua_State *L, int arg, lua_Integer min, lua_Integer max)
{
	lua_Integer v = luaL_checkinteger(L, arg);

	if (v < min || v > max)
		luaL_error(L, "argument %d must be from %I to %I, not %I", arg, min, max, v);
	return v;
}
