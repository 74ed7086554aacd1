/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The binding table: every function and method that a scenario can call, with its signature and one
 * line of what it does.  The Lua names, `ringside api`, the completion of error messages and the
 * list of globals for luacheck all come from it, so that the reference cannot drift.
 *
 * One list an API file (api_*.c).  `object` is null for a global function, else the kind of object
 * the method belongs to; methods are called with a colon.
 *
 * An object is a userdata that holds one pointer into the world.  What it points to belongs to the
 * world and lives as long as it, so an object never dangles and needs no collection.  Two objects
 * are equal if they stand for the same thing.
 */
#ifndef RINGSIDE_SCRIPT_API_H
#define RINGSIDE_SCRIPT_API_H

#include <stdio.h>

#include "script/lua_world.h"

struct api_entry {
	const char *object;
	const char *name;
	const char *signature; /* "(name, fn [, options]) -> actor" */
	const char *what;
	lua_CFunction fn;
};

/* A part of the reference. */
struct api_group {
	const char *title;
	const struct api_entry *entries; /* ended by a null name */
};

extern const struct api_group api_groups[]; /* ended by a null title */

/* Define all globals and metatables. */
void
api_open(lua_State *L);

/*
 * The reference as text: for `ringside api`. With @name only entries that contain it. Returns how
 * many.
 */
unsigned
api_print(FILE *to, const char *name);

/* Options of machines and devices. */
void
api_print_options(FILE *to);

/* Global names of the API, one a line, for .luacheckrc. */
void
api_print_globals(FILE *to);

/* --- objects -------------------------------------------------------------------------------- */

/* Push an object of @kind for @p; nil if @p is null. */
void
api_push(lua_State *L, const char *kind, void *p);

/* The pointer of the object at @index, which must be of @kind: an argument error if not. */
void *
api_check(lua_State *L, int index, const char *kind);
/* Same, null if it is something else. */
void *
api_test(lua_State *L, int index, const char *kind);

/* metric(): a figure of the run; a later one of the same name takes its place. */
void
api_metric(lua_State *L, const char *name, int64_t value, const char *unit);

/* --- named arguments ------------------------------------------------------------------------ */

/*
 * Functions that take a table of named arguments check it first: unknown names are errors that list
 * what is allowed.  @allowed is ended by null.  A missing table counts as an empty one: then the
 * stack has one.
 */
void
api_options(lua_State *L, int index, const char *function, const char *const *allowed);

/* Values by name; the default if it is nil. Errors name the option and its range. */
lua_Integer
api_integer(lua_State *L, int index, const char *name, lua_Integer missing, lua_Integer min,
	    lua_Integer max);
bool
api_boolean(lua_State *L, int index, const char *name, bool missing);
/* Valid while the table holds it. */
const char *
api_string(lua_State *L, int index, const char *name, const char *missing);
/* Number of the word in @words[0 … count). */
unsigned
api_word(lua_State *L, int index, const char *name, unsigned missing, const char *const *words,
	 unsigned count);
/* The object in option @name, or null. */
void *
api_object(lua_State *L, int index, const char *name, const char *kind);
/* An error that says that option @name must be given. */
int
api_missing(lua_State *L, const char *function, const char *name);

/* An integer argument within bounds. */
lua_Integer
api_range(lua_State *L, int arg, lua_Integer min, lua_Integer max);

/* --- the groups' lists, in the order of the reference --------------------------------------- */

extern const struct api_entry api_engine[], api_sync[], api_memory[];
extern const struct api_entry api_machine[], api_guest[], api_queue[], api_debug[], api_notify[];
extern const struct api_entry api_irq[], api_kvm[], api_kvm_vcpu[], api_wakeup[], api_migrate[];
extern const struct api_entry api_suspend[], api_balloon[], api_vdpa[], api_vm_device[];
extern const struct api_entry api_layout[];
extern const struct api_entry api_postcopy[], api_colo[], api_colo_net[], api_snapshot[];

#endif
