/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last bound on a scenario.  Loops in Lua are bounded by counted instructions
 * (script/lua_world.h), so that they end at the same place each time; but one call of Lua's own
 * library can go on for years
 * (("a"):rep(1000):find((".-"):rep(9) .. "b"), table.move() over 2^60 elements), and nothing counts
 * there.
 *
 * When WATCHDOG_SECONDS of processor time have gone by in a world without a step of it or a
 * thousand instructions of Lua, the process says so and exits with 2.  What was recorded stays, as
 * with a kill. Time decides nothing else: such a call has no result in any run.
 */
#ifndef RINGSIDE_CLI_WATCHDOG_H
#define RINGSIDE_CLI_WATCHDOG_H

struct world;

#define WATCHDOG_SECONDS 5
/* The same for a plugin's ring code, which has nothing to do for so long: ends the run. */
#define PLUGIN_SECONDS 1

/* In each process that runs scenarios: the timer does not survive a fork. May be called again. */
void
watchdog_start(void);

/* A finished world whose check() is called, which is not world_current(); null afterwards. */
void
watchdog_judge(const struct world *w);

#endif
