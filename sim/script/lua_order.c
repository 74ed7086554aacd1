/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders for scripts: of a table's keys, and of what table.sort() compares. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "script/lua_world.h"

/* --- keys ----------------------------------------------------------------------------------- */

/* One key; strings are kept alive by the table they are a key of. */
struct key {
	int type;
	bool integer;
	lua_Integer i;
	lua_Number n;
	const char *text;
	size_t size;
};

static int
type_rank(const struct key *k)
{
	return k->type == LUA_TNUMBER ? 0 : k->type == LUA_TSTRING ? 1 : 2;
}

static void
key_of(lua_State *L, int index, struct key *k)
{
	*k = (struct key){ .type = lua_type(L, index) };
	switch (k->type) {
	case LUA_TNUMBER:
		k->integer = lua_isinteger(L, index);
		k->i = lua_tointeger(L, index);
		k->n = lua_tonumber(L, index);
		break;
	case LUA_TSTRING:
		k->text = lua_tolstring(L, index, &k->size);
		break;
	case LUA_TBOOLEAN:
		k->i = lua_toboolean(L, index);
		break;
	default:
		luaL_error(
			L,
			"a table with a %s as key has no order that would be the same in each run; "
			"use numbers, strings or booleans as keys",
			luaL_typename(L, index));
	}
}

static int
key_compare(const void *left, const void *right)
{
	const struct key *a = left, *b = right;
	int by_rank = type_rank(a) - type_rank(b);

	if (by_rank)
		return by_rank;
	if (a->type == LUA_TSTRING) {
		size_t n = a->size < b->size ? a->size : b->size;
		int by_bytes = memcmp(a->text, b->text, n);

		return by_bytes ? by_bytes : (a->size > b->size) - (a->size < b->size);
	}
	if (a->type == LUA_TBOOLEAN || (a->integer && b->integer))
		return (a->i > b->i) - (a->i < b->i);
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	/* Past 2^53 an integer and a float may look equal as floats: the float goes first. */
	return a->integer - b->integer;
}

static void
push_key(lua_State *L, const struct key *k)
{
	if (k->type == LUA_TSTRING)
		lua_pushlstring(L, k->text, k->size);
	else if (k->type == LUA_TBOOLEAN)
		lua_pushboolean(L, (int)k->i);
	else if (k->integer)
		lua_pushinteger(L, k->i);
	else
		lua_pushnumber(L, k->n);
}

static lua_Integer
count_keys(lua_State *L, int table)
{
	lua_Integer n = 0;

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		n++;
	return n;
}

lua_Integer
script_push_keys(lua_State *L, int index)
{
	int table = lua_absindex(L, index);
	lua_Integer n = count_keys(L, table), i = 0;
	struct key *keys = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof(*keys), 0);

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		key_of(L, -2, &keys[i++]);
	must(i == n);
	qsort(keys, (size_t)n, sizeof(*keys), key_compare); /* a total order: no two are equal */
	lua_createtable(L, (int)n, 0);
	for (i = 0; i < n; i++) {
		push_key(L, &keys[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_remove(L, -2);
	return n;
}

/* Upvalues: the table, its keys, how many were given out. */
static int
pairs_step(lua_State *L)
{
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));

	for (;;) {
		if (lua_rawgeti(L, lua_upvalueindex(2), ++i) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
			break; /* else it was removed meanwhile */
		lua_pop(L, 2);
	}
	lua_pushinteger(L, i);
	lua_replace(L, lua_upvalueindex(3));
	return 2;
}

int
script_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushvalue(L, 1);
	script_push_keys(L, 1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, pairs_step, 3);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* The smallest key above the given one: O(n), so that a loop should use pairs(). */
int
script_next(lua_State *L)
{
	struct key after, k, best = { 0 };
	bool first, found = false;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	first = lua_isnil(L, 2);
	if (!first)
		key_of(L, 2, &after);
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		key_of(L, -2, &k);
		if ((first || key_compare(&k, &after) > 0) &&
		    (!found || key_compare(&k, &best) < 0)) {
			best = k;
			found = true;
		}
	}
	if (!found) {
		lua_pushnil(L);
		return 1;
	}
	push_key(L, &best);
	lua_pushvalue(L, -1);
	lua_rawget(L, 1);
	return 2;
}

/* --- table.sort() --------------------------------------------------------------------------- */

/*
 * Lua's own picks pivots by the clock. This is a merge sort: stable, and the same comparisons each
 * time.
 */

enum { SORT_TABLE = 1, SORT_LESS, SORT_FROM, SORT_TO };

/* Whether @b must stand before @a; both are list indices in the table at SORT_FROM. */
static bool
goes_before(lua_State *L, lua_Integer b, lua_Integer a)
{
	bool less;

	if (lua_isnil(L, SORT_LESS)) {
		lua_rawgeti(L, SORT_FROM, b);
		lua_rawgeti(L, SORT_FROM, a);
		less = lua_compare(L, -2, -1, LUA_OPLT);
		lua_pop(L, 2);
		return less;
	}
	lua_pushvalue(L, SORT_LESS);
	lua_rawgeti(L, SORT_FROM, b);
	lua_rawgeti(L, SORT_FROM, a);
	lua_call(L, 2, 1);
	less = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return less;
}

static void
merge(lua_State *L, lua_Integer from, lua_Integer middle, lua_Integer end)
{
	lua_Integer a = from, b = middle;

	for (lua_Integer i = from; i < end; i++) {
		bool right = a >= middle || (b < end && goes_before(L, b, a));

		lua_rawgeti(L, SORT_FROM, right ? b++ : a++);
		lua_rawseti(L, SORT_TO, i);
	}
}

int
script_sort(lua_State *L)
{
	luaL_checktype(L, SORT_TABLE, LUA_TTABLE);
	if (!lua_isnoneornil(L, SORT_LESS))
		luaL_checktype(L, SORT_LESS, LUA_TFUNCTION);
	lua_settop(L, 2);

	lua_Integer n = luaL_len(L, SORT_TABLE);

	if (n > INT32_MAX)
		return luaL_error(L, "table.sort: a list of %I elements is too long", n);
	lua_createtable(L, n > 0 ? (int)n : 0, 0);
	lua_createtable(L, n > 0 ? (int)n : 0, 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, SORT_TABLE, i);
		lua_rawseti(L, SORT_FROM, i);
	}
	for (lua_Integer width = 1; width < n; width *= 2) {
		for (lua_Integer from = 1; from <= n; from += 2 * width) {
			lua_Integer middle = from + width <= n + 1 ? from + width : n + 1;
			lua_Integer end = middle + width <= n + 1 ? middle + width : n + 1;

			merge(L, from, middle, end);
		}
		lua_pushvalue(L, SORT_FROM);
		lua_copy(L, SORT_TO, SORT_FROM);
		lua_replace(L, SORT_TO);
	}
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, SORT_FROM, i);
		lua_seti(L, SORT_TABLE, i);
	}
	return 0;
}
