/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Lua actor: an actor of the engine, a Lua thread of the world's state, and who waits for its
 * end.  In the arena; never freed, as actors are not.
 */
#ifndef RINGSIDE_SCRIPT_ACTOR_H
#define RINGSIDE_SCRIPT_ACTOR_H

#include "engine/world.h"
#include "script/lua_world.h"

struct guest_cpu;

/* actor_data() of its actor. */
struct script_actor {
	struct actor *actor;
	lua_State *L; /* its thread, kept alive by thread_ref */
	int thread_ref;
	int args; /* arguments that stand above the function on the thread's stack */
	bool done;
	struct waitq joiners;
	/*
	 * For an actor that is a task of a guest's CPU, else null: enter() is called first, by it.
	 */
	struct guest_cpu *cpu;
	void (*enter)(struct script_actor *a);
};

/* An actor that runs the function on top of @L's stack, which is popped. */
struct script_actor *
script_actor_create(lua_State *L, const char *name, bool daemon);

#endif
