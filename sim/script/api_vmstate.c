/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API: devices = { { name =, bytes =, source = { version = 2, fields = {…}, subsections = {…} },
 * destination = … } } of migrate{}.
 */
#include "migration/vmstate.h"

#include "script/machine_api.h"

#define BYTES_MAX INT32_MAX

/* ORDER VMSTATE_EXISTS */
static const char *const exists_word[] = { "by-version", "yes", "no" };

/* The i-th element of the list on top of the stack is on top then; its index. */
static int
element(lua_State *L, lua_Integer i, const char *what, const char *const *allowed)
{
	lua_rawgeti(L, -1, i);
	if (lua_type(L, -1) == LUA_TSTRING) { /* just its name */
		lua_newtable(L);
		lua_insert(L, -2);
		lua_setfield(L, -2, "name");
	}
	api_options(L, lua_gettop(L), what, allowed);
	return lua_gettop(L);
}

/* The list in option @name is on top of the stack, if it is there; how long it is. */
static lua_Integer
list(lua_State *L, int index, const char *name, lua_Integer most)
{
	lua_Integer n;

	if (lua_getfield(L, index, name) == LUA_TNIL)
		return 0;
	if (!lua_istable(L, -1))
		luaL_error(L, "%s: must be a list", name);
	n = (lua_Integer)lua_rawlen(L, -1);
	if (n > most)
		luaL_error(L, "%s: at most %I", name, most);
	return n;
}

static const char *
kept_string(lua_State *L, int index, const char *name, const char *missing)
{
	return world_strdup(script_world(L), api_string(L, index, name, missing));
}

static void
read_fields(lua_State *L, int index, struct vmstate_side *side)
{
	static const char *const allowed[] = { "name",	 "bytes",      "version",
					       "exists", "must_exist", NULL };
	lua_Integer n = list(L, index, "fields", VMSTATE_FIELDS_MAX);

	for (lua_Integer i = 1; i <= n; i++) {
		struct vmstate_field *f = &side->field[side->fields++];
		int at = element(L, i, "fields", allowed);

		f->name = kept_string(L, at, "name", "field");
		f->bytes = (uint32_t)api_integer(L, at, "bytes", 4, 0, BYTES_MAX);
		f->version_id = (int)api_integer(L, at, "version", 0, 0, 1000);
		f->exists = (enum vmstate_exists)api_word(L, at, "exists", VMSTATE_BY_VERSION,
							  exists_word, 3);
		f->must_exist = api_boolean(L, at, "must_exist", false);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void
read_subsections(lua_State *L, int index, struct vmstate_side *side)
{
	static const char *const allowed[] = { "name",	"version", "minimum_version",
					       "bytes", "needed",  "in_use",
					       NULL };
	lua_Integer n = list(L, index, "subsections", VMSTATE_SUBSECTIONS_MAX);

	for (lua_Integer i = 1; i <= n; i++) {
		struct vmstate_subsection *s = &side->subsection[side->subsections++];
		int at = element(L, i, "subsections", allowed);

		s->name = kept_string(L, at, "name", "device/subsection");
		s->version_id = (int)api_integer(L, at, "version", 1, 0, 1000);
		s->minimum_version_id =
			(int)api_integer(L, at, "minimum_version", s->version_id, 0, 1000);
		s->bytes = (uint32_t)api_integer(L, at, "bytes", 0, 0, BYTES_MAX);
		s->needed = api_boolean(L, at, "needed", true);
		s->in_use = api_boolean(L, at, "in_use", s->needed);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void
read_side(lua_State *L, int index, const char *name, struct vmstate_side *side)
{
	static const char *const allowed[] = { "version",     "minimum_version",
					       "needed",      "pre_save",
					       "post_load",   "fields",
					       "subsections", NULL };
	int at;

	if (lua_getfield(L, index, name) == LUA_TNIL) {
		lua_pop(L, 1);
		return;
	}
	at = lua_gettop(L);
	api_options(L, at, name, allowed);
	side->there = true;
	side->version_id = (int)api_integer(L, at, "version", 1, 0, 1000);
	side->minimum_version_id =
		(int)api_integer(L, at, "minimum_version", side->version_id, 0, 1000);
	side->not_needed = !api_boolean(L, at, "needed", true);
	side->pre_save = (int)api_integer(L, at, "pre_save", 0, -4095, 0);
	side->post_load = (int)api_integer(L, at, "post_load", 0, -4095, 0);
	read_fields(L, at, side);
	read_subsections(L, at, side);
	lua_pop(L, 1);
}

const struct vmstate *
api_vmstate(lua_State *L, int index)
{
	static const char *const allowed[] = { "name", "bytes", "source", "destination", NULL };
	struct vmstate *first = NULL, **end = &first;
	lua_Integer n = list(L, index, "devices", 4096);

	for (lua_Integer i = 1; i <= n; i++) {
		struct vmstate *v = world_alloc(script_world(L), sizeof(*v));
		int at = element(L, i, "devices", allowed);

		v->name = kept_string(L, at, "name", "device");
		v->bytes = (uint32_t)api_integer(L, at, "bytes", 512, 0, BYTES_MAX);
		read_side(L, at, "source", &v->source);
		read_side(L, at, "destination", &v->destination);
		*end = v;
		end = (struct vmstate **)(uintptr_t)&v->next;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return first;
}
