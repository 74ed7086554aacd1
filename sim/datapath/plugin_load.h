/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a plugin: the file is opened, its symbol found and looked over before any of its code
 * runs in a world.  A file is loaded once a process and stays.
 */
#ifndef RINGSIDE_DATAPATH_PLUGIN_LOAD_H
#define RINGSIDE_DATAPATH_PLUGIN_LOAD_H

#include "base/error.h"
#include "datapath/datapath.h"

/* The datapath in @path (used as it is, without a search). Null, and @err with what is wrong. */
const struct datapath *
plugin_load(const char *path, struct error *err);

#endif
