/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/lua_world.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "engine/image.h"
#include "script/api.h"

/* How many callers an error names. */
#define TRACEBACK_LEVELS 5

/* --- memory --------------------------------------------------------------------------------- */

static void *
script_realloc(void *context, void *block, size_t old, size_t size)
{
	struct script *s = context;
	struct arena *arena = world_arena(s->w);

	if (!block)
		old = 0; /* else it is the kind of object */
	if (!size) {
		arena_free(arena, block, old);
		s->bytes -= old;
		return NULL;
	}
	if (size > old && s->bytes - old + size > SCRIPT_BYTES_MAX) {
		s->out_of_memory = true;
		return NULL;
	}

	void *moved = arena_alloc(arena, size);

	if (!moved) {
		s->out_of_memory = true;
		if (size > old)
			return NULL;
		/* Lua counts on shrinking to succeed. */
		world_fail(s->w, "out of memory in the world, and Lua's heap must move");
	}
	if (block)
		memcpy(moved, block, old < size ? old : size);
	arena_free(arena, block, old);
	s->bytes += size - old;
	return moved;
}

/* --- errors --------------------------------------------------------------------------------- */

/* Lua cuts long file names in messages; put the whole one back. */
static void
expand_path(const struct script *s, const char *text, char *out, size_t size)
{
	size_t n = s->short_path ? strlen(s->short_path) : 0;

	if (n && !strncmp(text, s->short_path, n))
		snprintf(out, size, "%s%s", s->path, text + n);
	else
		snprintf(out, size, "%s", text);
}

/* " (actor NAME; called from FILE:LINE, FILE:LINE)" */
static void
push_context(lua_State *L, int level)
{
	struct script *s = script_of(L);
	struct actor *a = actor_current(s->w);
	lua_Debug ar;
	luaL_Buffer b;
	int shown = 0;

	luaL_buffinit(L, &b);
	if (a && !s->loading) {
		luaL_addstring(&b, " (actor ");
		luaL_addstring(&b, actor_name(a));
	}
	while (lua_getstack(L, level++, &ar) && shown < TRACEBACK_LEVELS) {
		char line[16];

		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0)
			continue;
		snprintf(line, sizeof(line), ":%d", ar.currentline);
		luaL_addstring(&b, shown++	      ? ", "
				   : luaL_bufflen(&b) ? "; called from "
						      : " (called from ");
		luaL_addstring(&b, ar.short_src);
		luaL_addstring(&b, line);
	}
	if (luaL_bufflen(&b))
		luaL_addstring(&b, ")");
	luaL_pushresult(&b);
}

/* Where the error came from is level 1 or, if a C function raised it, what called that. */
static int
message_handler(lua_State *L)
{
	lua_Debug ar;
	int level = 1;
	bool located = lua_type(L, 1) == LUA_TSTRING; /* Lua does that for strings only */

	if (lua_getstack(L, level, &ar) && lua_getinfo(L, "S", &ar) && *ar.what == 'C')
		level++;
	lua_pushliteral(L, "");
	if (!located)
		luaL_where(L, level);
	script_tostring(L, 1, NULL);
	lua_concat(L, lua_gettop(L) - 1);
	push_context(L, level + 1);
	lua_concat(L, 2);
	return 1;
}

int
script_try(lua_State *L, int args, int results, struct error *err)
{
	struct script *s = script_of(L);
	int handler = lua_gettop(L) - args;
	char text[ERROR_TEXT_MAX];

	lua_pushcfunction(L, message_handler);
	lua_insert(L, handler);

	int status = lua_pcall(L, args, results, handler);

	lua_remove(L, handler);
	if (status == LUA_OK)
		return 0;
	if (status == LUA_ERRMEM) {
		lua_pop(L, 1);
		return error_set(err, "%s: the script uses more memory than it may (%zu MiB)",
				 s->path, SCRIPT_BYTES_MAX >> 20);
	}
	expand_path(s, lua_tostring(L, -1), text, sizeof(text));
	lua_pop(L, 1);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return error_set(err, "%s", text);
}

void
script_call(lua_State *L, int args, int results)
{
	struct script *s = script_of(L);
	struct error err;

	if (script_try(L, args, results, &err)) {
		s->located = true;
		world_fail(s->w, "%s", err.text);
	}
}

void
script_world_error(struct world *w, struct error *err)
{
	struct script *s = script_of_world(w);
	char text[ERROR_TEXT_MAX];

	error_set(err, "%s", world_error(w)->text);
	if (!s || s->located || !s->last)
		return;
	/* The thread that was left keeps its chain of calls: who called the API? */
	luaL_where(s->last, 1);
	expand_path(s, lua_tostring(s->last, -1), text, sizeof(text));
	lua_pop(s->last, 1);
	if (text[0])
		error_set(err, "%.*s%s", (int)sizeof(text) / 2, text, world_error(w)->text);
}

void
script_must_be_actor(lua_State *L, const char *what)
{
	struct script *s = script_of(L);

	if (s->checking)
		luaL_error(L, "%s: check() may look, not act", what);
	if (s->setting_up)
		luaL_error(L, "%s: set-up may not wait: do that in an actor", what);
	if (!actor_current(s->w))
		luaL_error(L, "%s: a timer's function may not wait", what);
}

void
script_must_not_check(lua_State *L, const char *what)
{
	if (script_of(L)->checking)
		luaL_error(L, "%s: check() may look, not act", what);
}

/* --- bounds --------------------------------------------------------------------------------- */

volatile uint32_t script_beat;

static void
count_hook(lua_State *L, lua_Debug *ar)
{
	struct script *s = script_of(L);
	struct error err;
	char text[ERROR_TEXT_MAX];

	script_beat++;
	if (world_step(s->w) != s->loop_step) {
		s->loop_step = world_step(s->w);
		s->loop_hooks = 0;
	}
	if (++s->loop_hooks < SCRIPT_LOOP_INSTRUCTIONS / SCRIPT_HOOK_INSTRUCTIONS)
		return;
	luaL_where(L, 0);
	expand_path(s, lua_tostring(L, -1), text, sizeof(text));
	error_set(&err,
		  "%.*sendless loop? %u million instructions without a step of the simulation",
		  (int)sizeof(text) / 2, text, SCRIPT_LOOP_INSTRUCTIONS / 1000000);
	if (s->checking) {
		/*
		 * No run to end. From here on each instruction outside of a pcall() raises the
		 * error.
		 */
		lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
		luaL_error(L, "%s", err.text);
	}
	s->located = true;
	world_fail(s->w, "%s", err.text);
}

/* --- life ----------------------------------------------------------------------------------- */

/* Between protected calls, in set-up and actors, only memory can be what is wrong: that ends the
 * run. */
static int
at_panic(lua_State *L)
{
	struct script *s = script_of(L);

	must(s->out_of_memory);
	world_fail(s->w, "%s: the script uses more memory than it may (%zu MiB)", s->path,
		   SCRIPT_BYTES_MAX >> 20);
}

static int
open_all(lua_State *L)
{
	script_open_base(L);
	api_open(L);
	return 0;
}

struct script *
script_create(struct world *w, const char *path)
{
	struct script *s = world_alloc(w, sizeof(*s));

	s->w = w;
	s->path = world_strdup(w, path);
	s->loading = s->setting_up = true;
	world_ignore(w, &s->loop_step, 2, "a bound on loops without a step: any step begins anew");
	world_ignore(w, &s->last, 1, "the place that an error names");
	s->L = lua_newstate(script_realloc, s);
	if (!s->L)
		world_fail(w, "out of memory for Lua");
	world_set_room(w, ROOM_SCRIPT, s);
	lua_atpanic(s->L, at_panic);
	*(struct script **)lua_getextraspace(s->L) = s;
	/* A cycle begins when the heap is ten times what it was after the last one. */
	lua_gc(s->L, LUA_GCINC, 1000, 400, 0);
	lua_pushcfunction(s->L, open_all);
	script_call(s->L, 0, 0);
	lua_sethook(s->L, count_hook, LUA_MASKCOUNT, SCRIPT_HOOK_INSTRUCTIONS);
	return s;
}

struct script *
script_of_world(const struct world *w)
{
	return world_room(w, ROOM_SCRIPT);
}

void
script_run_source(struct script *s, const char *chunk_path, const char *text, size_t size)
{
	lua_State *L = s->L;
	lua_Debug ar;
	char name[520];

	snprintf(name, sizeof(name), "@%s", chunk_path);
	if (luaL_loadbufferx(L, text, size, name, "t")) {
		char whole[ERROR_TEXT_MAX];

		expand_path(s, lua_tostring(L, -1), whole, sizeof(whole));
		s->located = true;
		world_fail(s->w, "%s", whole);
	}
	if (!s->short_path) {
		lua_pushvalue(L, -1);
		lua_getinfo(L, ">S", &ar);
		s->short_path = world_strdup(s->w, ar.short_src);
	}
	script_call(L, 0, 1);
}
