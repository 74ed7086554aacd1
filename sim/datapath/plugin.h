/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plugin: your own ring code, driver side, device side or both, in a shared object of its own.
 *
 *	#include "datapath/plugin.h"
 *
 *	const struct datapath ringside_datapath = {
 *		.name = "my_ring",
 *		.driver = &my_driver_ops,      may be null: then that side is native
 *		.device = &my_device_ops,
 *	};
 *
 * What the operations do and what they get is in datapath.h; barriers and marked accesses are in
 * barrier.h.  These three headers need nothing else of Ringside.
 */
#ifndef DATAPATH_PLUGIN_H
#define DATAPATH_PLUGIN_H

#include "datapath/barrier.h"
#include "datapath/datapath.h"

#define RINGSIDE_PLUGIN_SYMBOL "ringside_datapath"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const struct datapath ringside_datapath;

#endif
