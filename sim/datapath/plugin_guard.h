/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands between a plugin and the world: each operation goes through a guard that remembers
 * who called what, and looks at what comes back.
 *
 * A plugin is the user's input.  When it crashes, or does not come back, the run ends as with any
 * other input that cannot be run: STOP_ERROR, and a message that names plugin, operation and
 * actor.  What the ring code does wrong as ring code stays for oracles to find.
 */
#ifndef RINGSIDE_DATAPATH_PLUGIN_GUARD_H
#define RINGSIDE_DATAPATH_PLUGIN_GUARD_H

#include <stdbool.h>

#include "datapath/datapath.h"

#define PLUGINS_MAX 4u /* of one process: each has functions of its own */

/*
 * A datapath that does what @dp does, under guard; @path and @dp stay as long as the process, @base
 * is where the object was loaded.  Null if there are PLUGINS_MAX already.
 */
const struct datapath *
plugin_guard(const char *path, const void *base, const struct datapath *dp);

/*
 * If the world that runs is in a plugin's operation, end the run with "@what in …" and do not
 * return.  For signal handlers.
 */
void
plugin_interrupt(const char *what);

#endif
