/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Lua state of a world.  It lives in the world's arena, so that a restored world has restored
 * variables, too: a script needs no reset between schedules.
 *
 * One lua_State for the world, one lua_newthread() for each actor.  An actor's Lua code runs on the
 * actor's own C stack and waits by switching stacks, not by yielding: whatever Lua can call may
 * wait, inside pcall(), metamethods, iterators and sort functions, too.  That one state is shared
 * is safe because switches happen only inside C functions, where Lua keeps all its state in memory.
 *
 * What a script gets is a sandbox in which a run depends on its choices alone (lua_base.c): no
 * clock, no random numbers, no files, no addresses, no order of hash tables.  Debian's Lua seeds
 * the hash of its strings from time and addresses; nothing that a script can see depends on that.
 *
 * Bounds.  Memory: SCRIPT_BYTES_MAX.  Loops: SCRIPT_LOOP_INSTRUCTIONS without a step of the world
 * end the run; pcall() cannot catch that.  Collection is rare on purpose: marking writes to every
 * object, and each page that is written is copied back at the next restore.
 *
 * Errors of a script end the run (or the set-up) with world_fail(), as "file:line: text (actor
 * NAME; called from file:line, …)".
 */
#ifndef RINGSIDE_SCRIPT_LUA_WORLD_H
#define RINGSIDE_SCRIPT_LUA_WORLD_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "engine/world.h"
#include "explore/verdict.h"

/* A script that needs more than this builds something unbounded. */
#define SCRIPT_BYTES_MAX ((size_t)LIMIT(256u, 128u) << 20)
/* About a quarter of a second. */
#define SCRIPT_LOOP_INSTRUCTIONS 20000000u
#define SCRIPT_HOOK_INSTRUCTIONS 1000u
/* Size of a source file: a scenario is some KiB. */
#define SCRIPT_SOURCE_BYTES_MAX (1u << 20)
#define SCRIPT_METRICS_MAX 64u

struct machine_file;
struct script_machine;

struct script_metric {
	char name[48];
	char unit[16];
	int64_t value;
};

/* In the arena: world_room(w, ROOM_SCRIPT). */
struct script {
	struct world *w;
	lua_State *L;
	lua_State *last; /* that called the API last: tells where an error of a model came from */
	const char *path; /* of the scenario, as given */
	const char *short_path; /* what Lua makes of it in messages */
	size_t bytes; /* of the Lua heap */
	unsigned includes;
	uint64_t loop_step;
	uint64_t loop_hooks;
	bool out_of_memory;
	bool located; /* world_error() begins with its place already */
	bool loading; /* the file is being run: include() is possible */
	bool setting_up; /* that, or setup() */
	bool checking; /* check() runs: nothing may be changed */
	bool checked; /* it ran, and this is what it said: */
	enum verdict check_verdict;
	struct finding check_finding;
	struct script_metric metric[SCRIPT_METRICS_MAX];
	unsigned metrics;
	struct machine_file *machine_file; /* what machine{} begins with, or null */
	struct script_machine *machine; /* api_machine.c's, once there is one */
	/* References in the registry. */
	int scenario_ref; /* the table that the file returned */
	int identity_ref; /* numbers of tables and functions, for tostring() */
};

/*
 * Make the world's Lua state with the sandbox and the whole API.  To be called within
 * world_setup(); ends it with an error if there is no memory.
 */
struct script *
script_create(struct world *w, const char *path);

/* The world's script, or null. */
struct script *
script_of_world(const struct world *w);

static inline struct script *
script_of(lua_State *L)
{
	return *(struct script **)lua_getextraspace(L);
}

/* For each API function: its world, and a note of who called. */
static inline struct world *
script_world(lua_State *L)
{
	struct script *s = script_of(L);

	s->last = L;
	return s->w;
}

/* Run a source text; leaves its one result on the stack. Ends the set-up on an error. */
void
script_run_source(struct script *s, const char *chunk_path, const char *text, size_t size);

/* lua_call() whose error ends the run. On the thread @L. */
void
script_call(lua_State *L, int args, int results);
/* Same, but returns -1 and the text: for what runs outside world_run(). */
int
script_try(lua_State *L, int args, int results, struct error *err);

/*
 * The error of a world that ended with STOP_ERROR, with file and line of the Lua code that called
 * the model which failed, as far as they are known.
 */
void
script_world_error(struct world *w, struct error *err);

/*
 * Goes up while Lua code runs, in any world of the process, and never back: tells somebody outside
 * whether a script goes on (cli/watchdog.h). Nothing of a run depends on it.
 */
extern volatile uint32_t script_beat;

/* Raise an error unless an actor runs, for functions that wait. */
void
script_must_be_actor(lua_State *L, const char *what);
/* Raise an error while check() runs, for functions that change something. */
void
script_must_not_check(lua_State *L, const char *what);

/* Push text of any value without an address in it: "table #3". */
const char *
script_tostring(lua_State *L, int index, size_t *size);

/* --- lua_base.c: the sandbox ---------------------------------------------------------------- */

void
script_open_base(lua_State *L);

/* --- lua_order.c: orders that depend on nothing hidden -------------------------------------- */

/* pairs(), next() and table.sort(). */
int
script_pairs(lua_State *L);
int
script_next(lua_State *L);
int
script_sort(lua_State *L);

/*
 * Push a list of the keys of the table at @index: numbers ascending, then strings bytewise, then
 * false, true.  Raises an error for other keys. Returns how many.
 */
lua_Integer
script_push_keys(lua_State *L, int index);

#endif
