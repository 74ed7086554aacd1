/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the table that a scenario's file returns; and include(), by which files share Lua code.
 */
#ifndef RINGSIDE_SCRIPT_SCENARIO_READ_H
#define RINGSIDE_SCRIPT_SCENARIO_READ_H

#include "script/lua_world.h"

struct scenario;

/*
 * Fill @s from the table on top of the stack of a script that is loading; ends the set-up on an
 * error.
 */
void
scenario_read(struct script *script, struct scenario *s);

/* include(path): run another Lua file, found beside the scenario, and return what it returns. */
int
script_include(lua_State *L);

#endif
