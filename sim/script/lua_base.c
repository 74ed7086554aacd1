/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sandbox: what of Lua's libraries a scenario gets, and what it gets instead of the rest.
 *
 *	kept        assert error getmetatable ipairs pcall rawequal rawget rawlen rawset select
 *	            tonumber type xpcall _VERSION; string, table, utf8, coroutine; the exact part of
 *	            math
 *	replaced    pairs next table.sort (order), tostring string.format (addresses), setmetatable
 *	            (no finalizers and weak tables: when they act depends on the collector), print
 *	            (a note)
 *	not there   load dofile require os io debug package, collectgarbage, string.dump,
 *	            math.random, functions of libm whose last bit differs from one C library to the
 *	            next
 */
#include <lualib.h>
#include <string.h>

#include "script/lua_world.h"

static const char *const base_kept[] = { "assert",   "error",  "getmetatable", "ipairs",   "pcall",
					 "rawequal", "rawget", "rawlen",       "rawset",   "select",
					 "tonumber", "type",   "xpcall",       "_VERSION", NULL };

static const char *const math_kept[] = { "abs",	 "ceil",       "floor", "fmod",	      "huge",
					 "max",	 "maxinteger", "min",	"mininteger", "modf",
					 "sqrt", "tointeger",  "type",	"ult",	      NULL };

/* --- text of values ------------------------------------------------------------------------- */

/* Number of a table, function or thread: in the order in which they were first asked for. */
static lua_Integer
identity(lua_State *L, int index)
{
	struct script *s = script_of(L);
	lua_Integer n;

	index = lua_absindex(L, index);
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->identity_ref);
	lua_pushvalue(L, index);
	if (lua_rawget(L, -2) == LUA_TNUMBER) {
		n = lua_tointeger(L, -1);
		lua_pop(L, 2);
		return n;
	}
	lua_pop(L, 1);
	lua_rawgeti(L, -1, 1);
	n = lua_tointeger(L, -1) + 1;
	lua_pop(L, 1);
	lua_pushinteger(L, n);
	lua_rawseti(L, -2, 1);
	lua_pushvalue(L, index);
	lua_pushinteger(L, n);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return n;
}

const char *
script_tostring(lua_State *L, int index, size_t *size)
{
	int type = lua_type(L, index);

	index = lua_absindex(L, index);
	if (type == LUA_TNONE || type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER ||
	    type == LUA_TSTRING || luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
		if (type == LUA_TTABLE || type == LUA_TUSERDATA)
			lua_pop(L, 1);
		return luaL_tolstring(L, index, size);
	}
	lua_pushfstring(L, "%s #%I", luaL_typename(L, index), identity(L, index));
	return lua_tolstring(L, -1, size);
}

static int
base_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	script_tostring(L, 1, NULL);
	return 1;
}

/* Upvalue 1: Lua's own string.format. Arguments of %s become text first. */
static int
string_format(lua_State *L)
{
	size_t size;
	const char *p = luaL_checklstring(L, 1, &size), *end = p + size;
	int arg = 1;

	while ((p = memchr(p, '%', (size_t)(end - p)))) {
		if (++p < end && *p == '%') {
			p++;
			continue;
		}
		p += strspn(p, "-+ #0123456789.");
		arg++;
		if (p >= end)
			break;
		if (*p == 'p')
			return luaL_argerror(L, arg,
					     "%p shows addresses, which differ between runs");
		if (*p == 's' && arg <= lua_gettop(L) && lua_type(L, arg) != LUA_TSTRING) {
			script_tostring(L, arg, NULL);
			lua_replace(L, arg);
		}
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int
base_print(lua_State *L)
{
	struct script *s = script_of(L);
	int n = lua_gettop(L);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, ' ');
		script_tostring(L, i, NULL);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	if (!s->checking)
		emit(s->w, EV_NOTE, world_name(s->w, lua_tostring(L, -1)));
	return 0;
}

static int
base_setmetatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_getfield(L, 2, "__gc");
		lua_getfield(L, 2, "__mode");
		if (!lua_isnil(L, -1) || !lua_isnil(L, -2))
			return luaL_error(L,
					  "setmetatable: __gc and __mode depend on when memory is "
					  "collected, and runs would not repeat");
		lua_pop(L, 2);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

/* --- opening -------------------------------------------------------------------------------- */

static bool
listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

/* Take away from the table on top what is not listed. */
static void
keep_only(lua_State *L, const char *const *list)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING && listed(list, lua_tostring(L, -1)))
			continue;
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -4); /* clearing during a traversal is allowed */
	}
}

static void
open_library(lua_State *L, const char *name, lua_CFunction open, const char *const *kept)
{
	luaL_requiref(L, name, open, 1);
	if (kept)
		keep_only(L, kept);
	lua_pop(L, 1);
}

/* library.name := fn, with what was there as its upvalue. The library is on top. */
static void
replace(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

static void
open_identity(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushinteger(L, 0);
	lua_rawseti(L, -2, 1);
	script_of(L)->identity_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void
script_open_base(lua_State *L)
{
	open_library(L, LUA_GNAME, luaopen_base, NULL);
	lua_pushglobaltable(L);
	lua_getfield(L, -1, "setmetatable");
	lua_insert(L, -2);
	keep_only(L, base_kept);
	lua_insert(L, -2);
	lua_setfield(L, -2, "setmetatable");
	replace(L, "setmetatable", base_setmetatable);
	replace(L, "pairs", script_pairs);
	replace(L, "next", script_next);
	replace(L, "tostring", base_tostring);
	replace(L, "print", base_print);
	lua_pop(L, 1);

	open_library(L, LUA_STRLIBNAME, luaopen_string, NULL);
	lua_getglobal(L, LUA_STRLIBNAME);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	replace(L, "format", string_format);
	lua_pop(L, 1);

	open_library(L, LUA_TABLIBNAME, luaopen_table, NULL);
	lua_getglobal(L, LUA_TABLIBNAME);
	replace(L, "sort", script_sort);
	lua_pop(L, 1);

	open_library(L, LUA_MATHLIBNAME, luaopen_math, math_kept);
	open_library(L, LUA_UTF8LIBNAME, luaopen_utf8, NULL);
	open_library(L, LUA_COLIBNAME, luaopen_coroutine, NULL);
	open_identity(L);
}
