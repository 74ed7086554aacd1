/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script/actor.h"

#include <stdio.h>

#include "base/must.h"

static void
actor_body(struct actor *self, void *arg)
{
	struct script_actor *a = arg;
	struct world *w = actor_world(self);

	if (a->enter)
		a->enter(a);
	script_call(a->L, a->args, 0);
	luaL_unref(a->L, LUA_REGISTRYINDEX, a->thread_ref);
	a->L = NULL;
	a->done = true;
	waitq_wake_all(w, &a->joiners);
}

struct script_actor *
script_actor_create(lua_State *L, const char *name, bool daemon)
{
	struct world *w = script_of(L)->w;
	struct script_actor *a = world_alloc(w, sizeof(*a));
	char end[128];

	must(lua_isfunction(L, -1));
	a->L = lua_newthread(L);
	a->thread_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_xmove(L, a->L, 1);
	snprintf(end, sizeof(end), "the end of %s", name);
	waitq_init(&a->joiners, w, end);
	a->actor = actor_create(w, name, actor_body, a, STACK_BYTES_LUA);
	actor_set_daemon(a->actor, daemon);
	actor_set_data(a->actor, a);
	return a;
}
